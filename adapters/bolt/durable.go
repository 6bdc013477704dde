package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	errClosed = errors.New("the ledger is closed")
	errBroken = errors.New("the ledger cannot tell whether its last write is on the disk; check the disk, then start the hub again")
)

// durable is how much of the file is synced.
type durable struct {
	mu          sync.Mutex
	transaction int
	size        int64 // leaves
	err         error // why nothing more will be synced
	changed     chan struct{}
}

func newDurable(transaction int, size int64) *durable {
	return &durable{transaction: transaction, size: size, changed: make(chan struct{})}
}

// reach tells that a transaction is synced, and how many leaves the log has now.
func (d *durable) reach(transaction int, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.transaction, d.size = transaction, size
	close(d.changed)
	d.changed = make(chan struct{})
}

// fail tells that nothing later than what was reached will ever be.
func (d *durable) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *durable) reached() (transaction int, size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.transaction, d.size, d.err
}

// wait returns when the transaction is synced.
func (d *durable) wait(ctx context.Context, transaction int) error {
	for {
		d.mu.Lock()
		synced, err, changed := d.transaction >= transaction, d.err, d.changed
		d.mu.Unlock()
		if synced {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// view reads. bbolt writes its meta page, which makes a commit visible, just
// before the sync that makes it durable; if fn saw such a commit, view returns
// when it is synced. What fn keeps must be copied.
func (l *Ledger) view(ctx context.Context, fn func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	seen, err := l.file.view(fn)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return fmt.Errorf("reading: %w", errClosed)
	}
	if err != nil {
		return err
	}
	return l.durable.wait(ctx, seen)
}
