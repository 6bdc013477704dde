package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"tram/exchange"
)

// Free implements exchange.Ledger: what the disk has left, and no more than the
// file may grow. Free pages inside the file are not counted.
func (l *Ledger) Free(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	dir := filepath.Dir(l.file.path)
	free, err := freeBytes(dir)
	if err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	if l.limit <= 0 {
		return free, nil
	}
	var size int64
	if err := l.view(ctx, func(tx *bbolt.Tx) error { size = tx.Size(); return nil }); err != nil {
		return 0, err
	}
	return max(0, min(free, l.limit-size)), nil
}

// spaceError tells a full disk, or a full file, from what else may be wrong.
func spaceError(err error) error {
	if full(err) || errors.Is(err, berrors.ErrMaxSizeReached) {
		return exchange.NoSpaceError(err)
	}
	return err
}
