package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tram/exchange"
)

// Sweep implements exchange.Vault. Removals are not synced: what a crash brings
// back goes with the next sweep.
func (v *Vault) Sweep(ctx context.Context, age time.Duration, used func(exchange.Digest) (bool, error)) error {
	v.sweeping.Lock()
	defer v.sweeping.Unlock()
	v.pins.begin()
	defer v.pins.end()
	err := v.sweepDrafts()
	if err == nil {
		err = v.sweepKept(ctx, v.now().Add(-age), used)
	}
	if err != nil {
		return fmt.Errorf("sweeping the vault: %w", err)
	}
	return nil
}

// sweepDrafts removes drafts of processes that are gone.
func (v *Vault) sweepDrafts() error {
	drafts, err := os.ReadDir(filepath.Join(v.dir, incoming))
	if err != nil {
		return err
	}
	for _, f := range drafts {
		if _, live := v.live.Load(f.Name()); live {
			continue
		}
		err := os.Remove(filepath.Join(v.dir, incoming, f.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have been kept just now
			return err
		}
	}
	return nil
}

func (v *Vault) sweepKept(ctx context.Context, before time.Time, used func(exchange.Digest) (bool, error)) error {
	return eachKept(ctx, v.dir, func(d exchange.Digest) error {
		if old, err := olderThan(v.path(d), before); !old || err != nil {
			return err
		}
		if needed, err := used(d); needed || err != nil {
			return err
		}
		return v.remove(d, before)
	})
}

// Remove implements exchange.Vault. As with Sweep, a crash may bring it back.
func (v *Vault) Remove(ctx context.Context, d exchange.Digest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.removing.Lock()
	defer v.removing.Unlock()
	if err := os.Remove(v.path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing content %s: %w", d, err)
	}
	return nil
}

// remove looks at the age again: the same bytes may have been kept anew while
// used was asked.
func (v *Vault) remove(d exchange.Digest, before time.Time) error {
	v.removing.Lock()
	defer v.removing.Unlock()
	if v.pins.spares(d) {
		return nil
	}
	if old, err := olderThan(v.path(d), before); !old || err != nil {
		return err
	}
	return os.Remove(v.path(d))
}

// olderThan is false for what is gone.
func olderThan(path string, before time.Time) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return info.ModTime().Before(before), nil
}

// eachKept visits what a vault's directory keeps. Files that are not named like
// contents are not ours, and stay.
func eachKept(ctx context.Context, dir string, do func(exchange.Digest) error) error {
	for n := range 256 {
		shard := shardName(byte(n))
		files, err := os.ReadDir(filepath.Join(dir, shard))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			digest, err := exchange.ParseDigest(shard + f.Name())
			if err != nil || digest.String() != shard+f.Name() {
				continue
			}
			if err := do(digest); err != nil {
				return err
			}
		}
	}
	return nil
}
