package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"tram/exchange"
)

// Create implements exchange.Vault.
func (v *Vault) Create(ctx context.Context) (exchange.Draft, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &draft{vault: v, hash: sha256.New(), buffer: v.buffers.Get().(*[]byte)}, nil
}

// draft is a package on its way: digested as it is written, in memory first.
type draft struct {
	vault  *Vault
	hash   hash.Hash
	size   int64
	buffer *[]byte  // what is not in the file yet; nil once ended
	file   *os.File // nil while all is in memory
	named  bool     // the file has left incoming
	err    error    // of the first write that failed
	kept   exchange.Digest
	pinned exchange.Digest // until it is discarded
}

var errEnded = errors.New("the draft was kept or discarded before")

// Write implements io.Writer.
func (d *draft) Write(p []byte) (int, error) {
	if d.buffer == nil {
		return 0, errEnded
	}
	if d.err != nil {
		return 0, d.err
	}
	if err := d.write(p); err != nil {
		d.err = fmt.Errorf("writing a draft: %w", spaceError(err))
		return 0, d.err
	}
	_, _ = d.hash.Write(p) // a hash.Hash returns no error
	d.size += int64(len(p))
	return len(p), nil
}

func (d *draft) write(p []byte) error {
	if len(*d.buffer)+len(p) <= memoryDraft {
		*d.buffer = append(*d.buffer, p...)
		return nil
	}
	if err := d.spill(); err != nil {
		return err
	}
	if len(p) <= memoryDraft/2 {
		*d.buffer = append(*d.buffer, p...)
		return nil
	}
	_, err := d.file.Write(p)
	return err
}

// spill writes what is in memory to the file.
func (d *draft) spill() error {
	if err := d.create(); err != nil {
		return err
	}
	_, err := d.file.Write(*d.buffer)
	*d.buffer = (*d.buffer)[:0]
	return err
}

func (d *draft) create() (err error) {
	if d.file != nil {
		return nil
	}
	name := d.vault.process + "-" + strconv.FormatInt(d.vault.drafts.Add(1), 36)
	d.vault.live.Store(name, true) // before it exists: Sweep removes what is not live
	d.file, err = os.OpenFile(filepath.Join(d.vault.dir, incoming, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		d.vault.live.Delete(name)
	}
	return err
}

// Digest implements exchange.Draft.
func (d *draft) Digest() exchange.Digest { return exchange.Digest(d.hash.Sum(nil)) }

// Again implements exchange.Draft.
func (d *draft) Again() (io.ReadCloser, error) {
	switch {
	case d.buffer == nil:
		return nil, errEnded
	case d.err != nil:
		return nil, d.err
	case d.file == nil:
		return io.NopCloser(bytes.NewReader(*d.buffer)), nil
	}
	if err := d.spill(); err != nil {
		d.err = fmt.Errorf("writing a draft: %w", spaceError(err))
		return nil, d.err
	}
	return io.NopCloser(io.NewSectionReader(d.file, 0, d.size)), nil
}

// Keep implements exchange.Draft. After an error the draft can only be discarded.
func (d *draft) Keep() (exchange.Digest, error) {
	if !d.kept.IsZero() {
		return d.kept, nil
	}
	if d.buffer == nil {
		return exchange.Digest{}, errEnded
	}
	if d.err != nil {
		return exchange.Digest{}, d.err
	}
	digest := d.Digest()
	d.pinned = digest
	d.vault.pins.pin(digest)
	if d.err = d.keep(digest); d.err != nil {
		d.err = fmt.Errorf("keeping content %s: %w", digest, spaceError(d.err))
		return exchange.Digest{}, d.err
	}
	d.kept = digest
	d.end()
	return digest, nil
}

func (d *draft) keep(digest exchange.Digest) error {
	// Content that is there already is rare: it is seen once it is synced in vain.
	if err := d.sync(); err != nil {
		return err
	}
	var err error
	if d.named, err = d.vault.name(d.file.Name(), digest, d.size); err != nil {
		return err
	}
	// Also if the file was there: whoever named it may not have synced yet.
	// The move out of incoming needs no sync: if a crash undoes it, only a draft
	// comes back.
	return d.vault.shards[digest[0]].Sync()
}

func (d *draft) sync() error {
	if err := d.spill(); err != nil {
		return err
	}
	return d.file.Sync()
}

// name gives a synced file its name, unless another has come first. Two that
// come at the very same moment replace equal bytes by equal bytes.
func (v *Vault) name(file string, digest exchange.Digest, size int64) (bool, error) {
	v.removing.RLock()
	defer v.removing.RUnlock()
	there, err := v.renew(digest, size)
	if there || err != nil {
		return false, err
	}
	if err := os.Rename(file, v.path(digest)); err != nil {
		return false, err
	}
	return true, nil
}

// renew reports whether the digest is kept already, and makes it look new then,
// so that Sweep gives its package the time to enter the ledger again.
func (v *Vault) renew(digest exchange.Digest, size int64) (bool, error) {
	path := v.path(digest)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Size() != size {
		return false, fmt.Errorf("%s has %d bytes and should have %d: the vault is damaged; restore it from a backup",
			path, info.Size(), size)
	}
	now := v.now()
	return true, os.Chtimes(path, now, now)
}

// Discard implements exchange.Draft.
func (d *draft) Discard() {
	if !d.pinned.IsZero() {
		d.vault.pins.unpin(d.pinned)
		d.pinned = exchange.Digest{}
	}
	if d.buffer == nil {
		return
	}
	d.end()
}

// end gives back what the draft holds. A file still in incoming goes.
func (d *draft) end() {
	*d.buffer = (*d.buffer)[:0]
	d.vault.buffers.Put(d.buffer)
	d.buffer = nil
	if d.file == nil {
		return
	}
	// The bytes were synced if they matter, and Sweep removes what stays behind.
	_ = d.file.Close()
	if !d.named {
		_ = os.Remove(d.file.Name())
	}
	d.vault.live.Delete(filepath.Base(d.file.Name()))
}
