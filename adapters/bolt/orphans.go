package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

func (c *change) orphan(list *[]entry, id exchange.PackageID) error {
	if err := checkName("package", string(id)); err != nil {
		return err
	}
	e := entry{orphans, idKey(id), nil}
	if err := c.once(e, "package", string(id)); err != nil {
		return err
	}
	*list = append(*list, e)
	return nil
}

// checkMatched refuses to match what is not parked: somebody else did.
func (b *batch) checkMatched(c *change) error {
	for _, e := range c.matched {
		if get(b.tx, orphans, e.key) == nil {
			return exchange.ConflictError("package", string(idOf[exchange.PackageID](e.key)))
		}
	}
	return nil
}

func (b *batch) park(c *change) {
	for _, e := range c.parked {
		b.put(e)
		b.counts[orphans]++
	}
	for _, e := range c.matched {
		b.delete(e)
		b.counts[orphans]--
	}
}

// Orphans implements exchange.Ledger. The cursor is the last one's identifier.
func (l *Ledger) Orphans(ctx context.Context, cursor string, limit int) (list []exchange.Package, next string, err error) {
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		s := newStream(tx, orphans, nil)
		var from []byte
		if cursor != "" {
			from = idKey(exchange.PackageID(cursor))
		}
		for key, _ := s.from(from); key != nil; key, _ = s.from(bytes.Clone(key)) {
			if len(list) == limit {
				next = string(list[limit-1].ID)
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
		return nil, "", fmt.Errorf("listing statuses without a document: %w", err)
	}
	return list, next, nil
}

// OrphanCount implements exchange.Ledger. The number is kept in the transactions
// that change it.
func (l *Ledger) OrphanCount(ctx context.Context) (n int64, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		n, err = count(tx, orphans)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting statuses without a document: %w", err)
	}
	return n, nil
}

// orphans holds them against their packages.
func (c *checker) orphans() {
	err := c.tx.Bucket([]byte(orphans)).ForEach(func(key, value []byte) error {
		c.expected[orphans]++
		p, err := pkg(c.tx, c.shapes, key)
		if err != nil || p.Status == nil || len(value) > 0 {
			c.problem("%s: %q is not a status package alone (%w)", orphans, key, err)
		}
		return nil
	})
	if err != nil {
		c.problem("reading %s: %w", orphans, err)
	}
	if n, err := count(c.tx, orphans); err != nil || n != int64(c.expected[orphans]) {
		c.problem("%d statuses are without a document, counted were %d (%v)", c.expected[orphans], n, err)
	}
}
