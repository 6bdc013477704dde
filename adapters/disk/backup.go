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
func (v *Vault) Backup(ctx context.Context, dir string) (exchange.Copied, error) {
	copied, err := v.backup(ctx, dir)
	if err != nil {
		return exchange.Copied{}, fmt.Errorf("backing up the vault to %s: %w", dir, err)
	}
	return copied, nil
}

func (v *Vault) backup(ctx context.Context, dir string) (copied exchange.Copied, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return copied, err
	}
	if err := makeShards(dir); err != nil {
		return copied, err
	}
	if err := os.Mkdir(filepath.Join(dir, incoming), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return copied, err
	}
	changed := map[string]bool{dir: true}
	err = eachKept(ctx, v.dir, func(d exchange.Digest) error {
		size, added, err := v.backupOne(dir, d)
		if err != nil || size < 0 {
			return err
		}
		copied.Contents, copied.Bytes = copied.Contents+1, copied.Bytes+size
		if added {
			copied.New, copied.NewBytes = copied.New+1, copied.NewBytes+size
			changed[filepath.Dir(keptPath(dir, d))] = true
		}
		return nil
	})
	for path := range changed {
		err = errors.Join(err, syncPath(path))
	}
	return copied, err
}

// backupOne returns the content's size, -1 for one that is no longer there.
func (v *Vault) backupOne(dir string, d exchange.Digest) (size int64, added bool, err error) {
	from, to := v.path(d), keptPath(dir, d)
	source, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, false, nil // swept meanwhile: nobody refers to it
	}
	if err != nil {
		return 0, false, err
	}
	size = source.Size()
	there, err := os.Stat(to)
	if err == nil && there.Size() == size {
		return size, false, nil
	}
	if err == nil {
		return 0, false, fmt.Errorf("%s has %d bytes and the vault's file has %d: one is damaged; compare both with their name, which is their SHA-256",
			to, there.Size(), size)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, false, err
	}
	if err := os.Link(from, to); err == nil {
		return size, true, nil
	}
	return size, true, copyFile(from, to, filepath.Join(dir, incoming)) // another file system, or one without links
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
