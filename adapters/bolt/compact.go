package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

const (
	// compactStep is how many bytes are copied in one transaction of the new file.
	compactStep = 16 << 20
	// lastRound is how many bytes of the journal may be left for the moment in
	// which nobody writes.
	lastRound = 1 << 20
	// mostRounds bounds how often the rest of the journal is gone through before
	// that, where writing is faster than copying.
	mostRounds = 20
)

// Compact implements exchange.Ledger. What is read at one moment is copied into a
// new file; what is written meanwhile is noted in a journal beside, and repeated
// there; then, between two groups of writes, the new file takes the old one's
// place. It needs as much disk as the ledger holds, and the ledger cannot reuse
// freed pages while it lasts. If it is cut off, the ledger is as it was, and what
// is left over is removed when it is opened.
func (l *Ledger) Compact(ctx context.Context) (c exchange.Compacted, err error) {
	if err := l.longRead(ctx); err != nil {
		return c, err
	}
	defer l.longReadEnds()
	if c.Before, err = l.size(); err == nil {
		err = l.compact(ctx)
	}
	if err == nil {
		c.After, err = l.size()
	}
	if err != nil {
		return c, fmt.Errorf("compacting the ledger: %w", err)
	}
	return c, nil
}

func (l *Ledger) size() (int64, error) {
	info, err := os.Stat(l.file.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (l *Ledger) compact(ctx context.Context) (err error) {
	path := l.file.beside("compact")
	removeLeftovers(l.file)
	next, err := l.options.open(path, os.OpenFile)
	if err != nil {
		return err
	}
	next.NoSync = true // until all is there
	placed := false
	defer func() {
		if !placed {
			err = errors.Join(err, next.Close())
		}
		removeLeftovers(l.file)
	}()
	journal, err := l.copyTo(ctx, next)
	if journal != nil {
		defer func() {
			_ = l.writer.aside(func() error { l.writer.journal = nil; return nil }) // a closed ledger notes nothing
			err = errors.Join(err, journal.close())
		}()
	}
	if err != nil {
		return err
	}
	for round := 0; round < mostRounds && journal.left() > lastRound; round++ {
		if err := journal.repeat(ctx, next); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.writer.aside(func() error {
		l.writer.transaction.Lock()
		defer l.writer.transaction.Unlock()
		if err := errors.Join(l.writer.journal.err, journal.repeat(ctx, next)); err != nil {
			return err
		}
		l.writer.journal = nil
		next.NoSync = false
		if err := next.Sync(); err != nil {
			return err
		}
		reached, _, err := l.durable.reached()
		if err != nil {
			return err
		}
		old, err := l.file.exchange(next, reached)
		if err != nil {
			return err
		}
		placed = true
		if err := syncDir(filepath.Dir(path)); err != nil {
			l.durable.fail(errBroken) // nobody can tell which of the two a crash would leave
			return errors.Join(err, old.Close())
		}
		return old.Close()
	})
}

// copyTo copies what the ledger holds at one moment, from which on the journal
// notes what is written.
func (l *Ledger) copyTo(ctx context.Context, next *bbolt.DB) (*journal, error) {
	j, err := newJournal(l.file.beside("journal"))
	if err != nil {
		return nil, err
	}
	var tx *bbolt.Tx
	err = l.writer.aside(func() (err error) {
		if tx, err = l.file.db.Begin(false); err == nil {
			l.writer.journal = j
		}
		return err
	})
	if err != nil {
		return j, err
	}
	copied := copyBuckets(ctx, next, tx)
	return j, errors.Join(copied, tx.Rollback())
}

func copyBuckets(ctx context.Context, next *bbolt.DB, from *bbolt.Tx) error {
	full := filling()
	return from.ForEach(func(name []byte, b *bbolt.Bucket) error {
		fill, known := full[string(name)]
		if !known {
			fill = 0.8 // most of what comes is put between what is there
		}
		c := b.Cursor()
		for key, value := c.First(); ; {
			err := next.Update(func(tx *bbolt.Tx) error {
				to, err := tx.CreateBucketIfNotExists(name)
				if err != nil {
					return err
				}
				to.FillPercent = fill
				for size := 0; key != nil && size < compactStep; key, value = c.Next() {
					if err := to.Put(key, value); err != nil {
						return err
					}
					size += len(key) + len(value)
				}
				return ctx.Err()
			})
			if err != nil || key == nil {
				return err
			}
		}
	})
}

// removeLeftovers removes what a compaction that was cut off has left.
func removeLeftovers(f *file) {
	for _, what := range []string{"compact", "journal"} {
		_ = os.Remove(f.beside(what)) // mostly there is none; one that stays is overwritten
	}
}

// longRead is taken by what reads the whole file: one at a time, since the file
// grows meanwhile.
func (l *Ledger) longRead(ctx context.Context) error {
	select {
	case l.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Ledger) longReadEnds() { <-l.reading }

var _ exchange.Ledger = (*Ledger)(nil)
