package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"tram/exchange"
)

// Backup implements exchange.Vault. The directory becomes a vault itself, which
// Open opens. On the same file system its files are hard links, which take no
// space and save from a deletion, not from a broken disk; elsewhere they are
// copies. Everything is synced when Backup returns.
func (v *Vault) Backup(ctx context.Context, dir string) error {
	if err := v.backup(ctx, dir); err != nil {
		return fmt.Errorf("backing up the vault to %s: %w", dir, err)
	}
	return nil
}

func (v *Vault) backup(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o700); err != nil {
		return err
	}
	if err := makeShards(dir); err != nil {
		return err
	}
	changed := map[string]bool{dir: true}
	err := eachKept(ctx, v.dir, func(d exchange.Digest) error {
		added, err := v.backupOne(dir, d)
		if added {
			changed[filepath.Dir(keptPath(dir, d))] = true
		}
		return err
	})
	for path := range changed {
		err = errors.Join(err, syncPath(path))
	}
	return err
}

func (v *Vault) backupOne(dir string, d exchange.Digest) (added bool, err error) {
	from, to := v.path(d), keptPath(dir, d)
	source, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // swept meanwhile: nobody refers to it
	}
	if err != nil {
		return false, err
	}
	there, err := os.Stat(to)
	if err == nil && there.Size() == source.Size() {
		return false, nil
	}
	if err == nil {
		return false, fmt.Errorf("%s has %d bytes and the vault's file has %d: one is damaged; compare both with their name, which is their SHA-256",
			to, there.Size(), source.Size())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := os.Link(from, to); err == nil {
		return true, nil
	}
	return true, copyFile(from, to, filepath.Join(dir, incoming)) // another file system, or one without links
}

// copyFile copies through a draft, so that the name never stands for less than
// all bytes.
func copyFile(from, to, drafts string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	out, err := os.CreateTemp(drafts, "backup-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}
