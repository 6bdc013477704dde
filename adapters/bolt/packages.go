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
		first, _, err := firstOf(tx, l.shapes, p)
		if err != nil {
			return err
		}
		if first == nil {
			return exchange.NotFoundError("package", string(p.ID))
		}
		r, err = receiptAt(tx, l.shapes, leafOf(first))
		return err
	})
	if err != nil {
		return exchange.Receipt{}, fmt.Errorf("looking for an earlier submission: %w", err)
	}
	return r, nil
}

// Package implements exchange.Ledger.
func (l *Ledger) Package(ctx context.Context, id exchange.PackageID) (exchange.Package, error) {
	var p exchange.Package
	err := l.view(ctx, func(tx *bbolt.Tx) (err error) {
		p, err = pkg(tx, l.shapes, idKey(id))
		return err
	})
	if err != nil {
		return exchange.Package{}, fmt.Errorf("reading package: %w", err)
	}
	return p, nil
}

func pkg(tx *bbolt.Tx, s *shapes, key []byte) (exchange.Package, error) {
	value := get(tx, packages, key)
	if value == nil {
		return exchange.Package{}, exchange.NotFoundError("package", idOf[string](key))
	}
	return decodePackage(s, key, value)
}

// HoldsContent implements exchange.Ledger.
func (l *Ledger) HoldsContent(ctx context.Context, d exchange.Digest) (held bool, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket([]byte(contents)).Cursor().Seek(d[:halfDigest])
		held = bytes.HasPrefix(key, d[:halfDigest])
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
		before, err := packagesBefore(tx, q)
		if err != nil {
			return err
		}
		for key := before(bound); key != nil; key = before(key) {
			if len(list) == limit {
				cursor = string(list[limit-1].ID)
				return nil
			}
			p, err := pkg(tx, l.shapes, key)
			if err != nil {
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

// packagesBefore finds the newest package older than one.
func packagesBefore(tx *bbolt.Tx, q exchange.PackageQuery) (before func(key []byte) []byte, err error) {
	switch {
	case q.DocumentID != "":
		p := exchange.Package{Sender: q.Sender, DocumentID: q.DocumentID}
		_, own, err := ownerOf(tx, p)
		also := newStream(tx, documents, documentKey(p, alsoPackage))
		return func(key []byte) []byte {
			other := also.before(key)
			if own != nil && (key == nil || bytes.Compare(own, key) < 0) && bytes.Compare(own, other) > 0 {
				return own
			}
			return other
		}, err
	case q.Sender != "":
		return newStream(tx, senders, under(q.Sender)).before, nil
	}
	return newStream(tx, packages, nil).before, nil
}

// Receipt implements exchange.Ledger.
func (l *Ledger) Receipt(ctx context.Context, id exchange.ReceiptID) (r exchange.Receipt, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		if id == "" {
			return exchange.NotFoundError("receipt", "")
		}
		r, err = receipt(tx, l.shapes, id)
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
		for _, leaf := range packageLeaves(get(tx, packageReceipts, idKey(id))).leaves() {
			r, err := receiptAt(tx, l.shapes, leaf)
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
		for key, leaf := s.from(from); key != nil; key, leaf = s.from(bytes.Clone(key)) {
			if len(list) == limit {
				next = string(list[limit-1].ID)
				return nil
			}
			r, err := receiptAt(tx, l.shapes, leafOf(leaf))
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
