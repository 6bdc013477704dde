package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// defaultLimit is how many entries a list has if nobody says.
const defaultLimit = 100

func limitOf(n int) int {
	if n < 1 {
		return defaultLimit
	}
	return n
}

// find reads one entry.
func find[T any](ctx context.Context, l *Ledger, bucket string, key []byte, what, id string) (T, error) {
	var v T
	err := l.view(ctx, func(tx *bbolt.Tx) error { return loadFound(tx, bucket, key, what, id, &v) })
	if err != nil {
		var none T
		return none, fmt.Errorf("reading %s: %w", what, err)
	}
	return v, nil
}

func loadFound(tx *bbolt.Tx, bucket string, key []byte, what, id string, v any) error {
	if len(key) == 0 {
		return exchange.NotFoundError(what, id)
	}
	found, err := load(tx, bucket, key, v)
	if err == nil && !found {
		return exchange.NotFoundError(what, id)
	}
	return err
}

// FirstReceipt implements exchange.Ledger.
func (l *Ledger) FirstReceipt(ctx context.Context, p exchange.Package) (r exchange.Receipt, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		first := get(tx, documents, contentKey(p))
		if first == nil {
			return exchange.NotFoundError("package", string(p.ID))
		}
		r, err = receipt(tx, idOf[exchange.ReceiptID](first))
		return err
	})
	if err != nil {
		return exchange.Receipt{}, fmt.Errorf("looking for an earlier submission: %w", err)
	}
	return r, nil
}

// Package implements exchange.Ledger.
func (l *Ledger) Package(ctx context.Context, id exchange.PackageID) (exchange.Package, error) {
	return find[exchange.Package](ctx, l, packages, idKey(id), "package", string(id))
}

// HoldsContent implements exchange.Ledger.
func (l *Ledger) HoldsContent(ctx context.Context, d exchange.Digest) (held bool, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket([]byte(contents)).Cursor().Seek(d[:])
		held = bytes.HasPrefix(key, d[:])
		return nil
	})
	return held, err
}

// Packages implements exchange.Ledger.
func (l *Ledger) Packages(ctx context.Context, q exchange.PackageQuery) (list []exchange.Package, cursor string, err error) {
	if q.DocumentID != "" && q.Sender == "" {
		return nil, "", exchange.InvalidError("two agencies may use the same document identifier; give the sender too",
			"mã định danh văn bản chỉ có nghĩa đối với từng cơ quan gửi; hãy ghi thêm cơ quan gửi (sender)")
	}
	limit, bound := limitOf(q.Limit), []byte(nil)
	if q.Cursor != "" {
		bound = idKey(exchange.PackageID(q.Cursor))
	}
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := packageStream(tx, q)
		for key := s.before(bound); key != nil; key = s.before(key) {
			if len(list) == limit {
				cursor = string(list[limit-1].ID)
				return nil
			}
			var p exchange.Package
			if err := loadFound(tx, packages, key, "package", idOf[string](key), &p); err != nil {
				return err
			}
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing packages: %w", err)
	}
	return list, cursor, nil
}

func packageStream(tx *bbolt.Tx, q exchange.PackageQuery) stream {
	switch {
	case q.DocumentID != "":
		return newStream(tx, documents, under(q.Sender, q.DocumentID, "p"))
	case q.Sender != "":
		return newStream(tx, senders, under(q.Sender))
	}
	return newStream(tx, packages, nil)
}

// Receipt implements exchange.Ledger.
func (l *Ledger) Receipt(ctx context.Context, id exchange.ReceiptID) (r exchange.Receipt, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		if id == "" {
			return exchange.NotFoundError("receipt", "")
		}
		r, err = receipt(tx, id)
		return err
	})
	if err != nil {
		return exchange.Receipt{}, fmt.Errorf("reading a receipt: %w", err)
	}
	return r, nil
}

// Receipts implements exchange.Ledger.
func (l *Ledger) Receipts(ctx context.Context, id exchange.PackageID) ([]exchange.Receipt, error) {
	var list []exchange.Receipt
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, packageReceipts, idKey(id))
		for leaf, value := s.from(nil); leaf != nil; leaf, value = s.from(bytes.Clone(leaf)) {
			r, err := receipt(tx, idOf[exchange.ReceiptID](value))
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the receipts of package %s: %w", id, err)
	}
	return list, nil
}

// Unstamped implements exchange.Ledger. The cursor is the last one's identifier.
func (l *Ledger) Unstamped(ctx context.Context, cursor string, limit int) (list []exchange.Receipt, next string, err error) {
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, unstamped, nil)
		var from []byte
		if cursor != "" {
			from = idKey(exchange.ReceiptID(cursor))
		}
		for key, _ := s.from(from); key != nil; key, _ = s.from(bytes.Clone(key)) {
			if len(list) == limit {
				next = string(list[limit-1].ID)
				return nil
			}
			r, err := receipt(tx, idOf[exchange.ReceiptID](key))
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("listing receipts without time-stamps: %w", err)
	}
	return list, next, nil
}

// UnstampedCount implements exchange.Ledger. The number is kept in the
// transactions that change it.
func (l *Ledger) UnstampedCount(ctx context.Context) (n int64, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		n, err = count(tx, unstamped)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting receipts without time-stamps: %w", err)
	}
	return n, nil
}

// TimeStamp implements exchange.Ledger.
func (l *Ledger) TimeStamp(ctx context.Context, id exchange.ReceiptID) (token []byte, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		if id != "" {
			token = bytes.Clone(get(tx, timeStamps, idKey(id)))
		}
		if token == nil {
			return exchange.NotFoundError("receipt", string(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a time-stamp: %w", err)
	}
	return token, nil
}
