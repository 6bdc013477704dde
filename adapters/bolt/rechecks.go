package bolt

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// Recheck implements exchange.Ledger.
func (l *Ledger) Recheck(ctx context.Context, id string) (exchange.Recheck, error) {
	return find[exchange.Recheck](ctx, l, rechecks, []byte(id), "recheck", id)
}

// RechecksDue implements exchange.Ledger.
func (l *Ledger) RechecksDue(ctx context.Context, at time.Time, limit int) (list []exchange.Recheck, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		last := timeKey(at)
		c := tx.Bucket([]byte(rechecksDue)).Cursor()
		for key, id := c.First(); key != nil && len(list) < limitOf(limit); key, id = c.Next() {
			if bytes.Compare(key[:timeSize], last) > 0 {
				return nil
			}
			var r exchange.Recheck
			if err := loadFound(tx, rechecks, id, "recheck", string(id), &r); err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing what is to be asked again: %w", err)
	}
	return list, nil
}

// RechecksOpen implements exchange.Ledger.
func (l *Ledger) RechecksOpen(ctx context.Context) (n int64, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(rechecksDue)).Cursor()
		for key, _ := c.First(); key != nil; key, _ = c.Next() {
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("counting what is to be asked again: %w", err)
	}
	return n, nil
}
