package bolt

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// logSize is the number of leaves in a transaction.
func logSize(tx *bbolt.Tx) int64 {
	last, _ := tx.Bucket([]byte(log)).Cursor().Last()
	if last == nil {
		return 0
	}
	return leafOf(last) + 1
}

// leafForm is the first byte of what the log's bucket holds for a leaf: what the
// leaf records, from which its bytes are made again.
const (
	leafReceipt   = 'r' // receiptFields, then the document, packed
	leafOfPackage = 'p' // the same, packed with what the package's record says
	leafAction    = 'a' // actionFields
)

// knownOf is what a receipt's document has in common with its record, and with
// that of its package, if p is not nil. Its order is part of the format.
func knownOf(r exchange.Receipt, p *exchange.Package) known {
	k := known{texts: append([]string{string(r.ID), string(r.Package), string(r.Delivery), r.System}, r.Agencies...), millis: r.Time.UnixMilli()}
	if p == nil {
		return k
	}
	k.texts = append(k.texts, p.DocumentID, p.Sender, p.System, p.AcceptedAt.UTC().Format(millisLayout))
	k.values = append(k.values, p.Digest[:])
	if s := p.Signature; s != nil {
		k.texts = append(k.texts, s.Subject, s.Method, s.Revocation.Source)
		k.values = append(k.values, s.Certificate[:])
	}
	for i := range min(len(p.Attachments), mostNamed) {
		a := &p.Attachments[i]
		k.texts = append(k.texts, a.ContentID, a.ContentType)
		k.values = append(k.values, a.Digest[:])
	}
	for _, to := range p.Recipients[:min(len(p.Recipients), mostNamed)] {
		k.texts = append(k.texts, to.Code, to.Name)
	}
	return k
}

// mostNamed bounds what is searched for each text of a receipt.
const mostNamed = 8

// encodeReceipt writes a receipt, and names the shapes that it rests on. p is its
// package, if the ledger has it, or will have it once this is written.
func encodeReceipt(s *shapes, r exchange.Receipt, p *exchange.Package) ([]byte, []*shape, error) {
	packed, uses := s.pack(r.Raw, "receipt:"+string(r.Event), knownOf(r, p))
	form := byte(leafReceipt)
	if p != nil {
		form = leafOfPackage
	}
	b, err := encode(append(make([]byte, 0, 128+len(packed)), form), r, receiptFields)
	return append(b, packed...), uses, err
}

// receiptAt reads the receipt of a leaf.
func receiptAt(tx *bbolt.Tx, s *shapes, leaf int64) (exchange.Receipt, error) {
	r, err := decodeReceipt(tx, s, leaf, get(tx, log, leafKey(leaf)))
	if err == nil && r.TimeStamp == exchange.TimeStampPending && get(tx, unstamped, idKey(r.ID)) == nil {
		r.TimeStamp = exchange.TimeStampKept // what was issued does not change: the token came
	}
	return r, err
}

func decodeReceipt(tx *bbolt.Tx, s *shapes, leaf int64, value []byte) (exchange.Receipt, error) {
	r, packed, err := decodeReceiptRecord(leaf, value)
	if err != nil {
		return r, err
	}
	var of *exchange.Package
	if value[0] == leafOfPackage {
		p, err := pkg(tx, s, idKey(r.Package))
		if err != nil {
			return exchange.Receipt{}, fmt.Errorf("receipt %s: %w", r.ID, err)
		}
		of = &p
	}
	if r.Raw, err = s.unpack(packed, knownOf(r, of)); err != nil {
		return exchange.Receipt{}, fmt.Errorf("receipt %s: %w", r.ID, err)
	}
	return r, nil
}

// decodeReceiptRecord reads a receipt without its document, which is still packed.
func decodeReceiptRecord(leaf int64, value []byte) (r exchange.Receipt, packed []byte, err error) {
	if len(value) == 0 || value[0] != leafReceipt && value[0] != leafOfPackage {
		return r, nil, fmt.Errorf("leaf %d is no receipt's", leaf)
	}
	if packed, err = decode(value[1:], &r, receiptFields); err != nil {
		return exchange.Receipt{}, nil, fmt.Errorf("the receipt of leaf %d: %w", leaf, err)
	}
	r.Leaf = leaf
	return r, packed, nil
}

func decodeAction(leaf int64, value []byte) (a exchange.Action, err error) {
	if len(value) == 0 || value[0] != leafAction {
		return a, fmt.Errorf("leaf %d is no action's", leaf)
	}
	if rest, err := decode(value[1:], &a, actionFields); err != nil || len(rest) > 0 {
		return exchange.Action{}, fmt.Errorf("the action of leaf %d: %w", leaf, orDamaged(err))
	}
	a.Leaf = leaf
	return a, nil
}

// entryOf makes the log's entry of what the log's bucket holds.
func entryOf(tx *bbolt.Tx, s *shapes, leaf int64, value []byte) (exchange.LogEntry, error) {
	if len(value) > 0 && value[0] == leafAction {
		a, err := decodeAction(leaf, value)
		return a.LogEntry(), err
	}
	r, err := decodeReceipt(tx, s, leaf, value)
	return r.LogEntry(), err
}

// LogSize implements exchange.Ledger.
func (l *Ledger) LogSize(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	_, size, err := l.durable.reached()
	return size, err
}

// Actions implements exchange.Ledger. The cursor is the last one's leaf.
func (l *Ledger) Actions(ctx context.Context, cursor string, limit int) (list []exchange.Action, next string, err error) {
	bound, err := actionsBound(cursor)
	if err != nil {
		return nil, "", err
	}
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, actions, nil)
		for key := s.before(bound); key != nil; key = s.before(key) {
			if len(list) == limit {
				next = strconv.FormatInt(list[limit-1].Leaf, 10)
				return nil
			}
			a, err := decodeAction(leafOf(key), get(tx, log, key))
			if err != nil {
				return err
			}
			list = append(list, a)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing actions: %w", err)
	}
	return list, next, nil
}

func actionsBound(cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	leaf, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || leaf < 0 || leaf>>(8*leafSize) != 0 || strconv.FormatInt(leaf, 10) != cursor {
		return nil, badCursor(cursor)
	}
	return leafKey(leaf), nil
}

// LogHashes implements exchange.Ledger.
func (l *Ledger) LogHashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) (list []tlog.Hash, err error) {
		err = l.view(ctx, func(tx *bbolt.Tx) error {
			list, err = readHashes(tx, indexes)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading hashes of the log: %w", err)
		}
		return list, nil
	})
}

// LogEntries implements exchange.Ledger.
func (l *Ledger) LogEntries(ctx context.Context, from, to int64) ([][]byte, error) {
	if from < 0 || from > to {
		return nil, fmt.Errorf("reading leaves %d to %d of the log: no such range", from, to)
	}
	var list [][]byte
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		if size := logSize(tx); to > size {
			return fmt.Errorf("it has %d", size)
		}
		c := tx.Bucket([]byte(log)).Cursor()
		for key, value := c.Seek(leafKey(from)); int64(len(list)) < to-from; key, value = c.Next() {
			n := from + int64(len(list))
			if !bytes.Equal(key, leafKey(n)) {
				return fmt.Errorf("leaf %d is missing", n)
			}
			e, err := entryOf(tx, l.shapes, n, value)
			if err != nil {
				return err
			}
			list = append(list, e.Bytes())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading leaves %d to %d of the log: %w", from, to, err)
	}
	return list, nil
}
