// Package disk keeps packages' bytes as files, named by their digest.
//
//	incoming/      drafts that have grown beyond memory, or are about to be kept
//	00/ … ff/      what is kept: the file of digest abcdef… is ab/cdef…
//
// Promises, beside those of exchange.Vault:
//
//   - When Keep returns, the file is synced, and so is its name. A name is never
//     given to bytes that are not synced.
//   - What is kept is not written again. Keeping the same bytes finds them, and
//     compares the length.
//   - A draft of up to 64 KiB stays in memory until Keep: what is refused never
//     touches the disk.
//   - Sweep does not remove what is being kept at the same moment, nor what a draft
//     has kept that is not discarded yet, whatever the clock says.
//   - One process uses the directory; the lock of the ledger sees to that.
//
// Files have mode 0600 and directories 0700. It cannot notice a file that was
// changed behind its back, except by its length: read and digest it for that.
package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tram/exchange"
)

const incoming = "incoming"

// memoryDraft is how much of a draft stays in memory.
const memoryDraft = 64 << 10

// Options are what may be set for an open vault; the zero value will do.
type Options struct {
	// Now is the clock that tells what is old; time.Now when nil.
	Now func() time.Time
}

// Vault is an exchange.Vault in a directory.
type Vault struct {
	dir    string
	now    func() time.Time
	shards [256]*os.File // open, to be synced
	root   *os.File

	// removing is held by Sweep while it removes a file, and shared by Keep from
	// looking for a file until it is named and looks new.
	removing sync.RWMutex

	pins     pins
	sweeping sync.Mutex // one sweep at a time

	// process makes drafts' names differ from those of earlier processes.
	process string
	drafts  atomic.Int64
	live    sync.Map  // names of drafts of this process
	buffers sync.Pool // of *[]byte
}

// Create makes an empty vault in a directory that does not exist or is empty.
func Create(dir string) error {
	if err := create(dir); err != nil {
		return fmt.Errorf("creating vault %s: %w", dir, err)
	}
	return nil
}

func create(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("the directory is not empty (%s); choose another", there[0].Name())
	}
	if err := makeShards(dir); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, incoming), 0o700); err != nil { // last: it tells a vault
		return err
	}
	return errors.Join(syncPath(dir), syncPath(filepath.Dir(dir)))
}

func makeShards(dir string) error {
	for n := range 256 {
		if err := os.Mkdir(filepath.Join(dir, shardName(byte(n))), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// Open opens a vault that Create made. It never creates one, so that a mistyped
// path cannot start a second, empty vault.
func Open(dir string, o Options) (*Vault, error) {
	v := &Vault{dir: dir, now: o.Now, process: rand.Text()}
	if v.now == nil {
		v.now = time.Now
	}
	v.buffers.New = func() any {
		b := make([]byte, 0, memoryDraft)
		return &b
	}
	if err := v.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening vault %s: %w", dir, err), v.Close())
	}
	return v, nil
}

func (v *Vault) open() error {
	_, err := os.Stat(filepath.Join(v.dir, incoming))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(`there is none; check the path, or create it with "hub init": %w`, err)
	}
	if err != nil {
		return err
	}
	// Some ways of copying leave out empty directories. All names are synced
	// once, so that Keep needs to sync none but its own.
	if err := makeShards(v.dir); err != nil {
		return err
	}
	if v.root, err = os.Open(v.dir); err != nil {
		return err
	}
	for n := range v.shards {
		if v.shards[n], err = os.Open(filepath.Join(v.dir, shardName(byte(n)))); err != nil {
			return err
		}
	}
	return v.root.Sync()
}

// Close lets the directories go. Drafts and contents stay usable only as far as
// they need none.
func (v *Vault) Close() error {
	var errs []error
	for _, f := range append(v.shards[:], v.root) {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func shardName(b byte) string { return fmt.Sprintf("%02x", b) }

func (v *Vault) path(d exchange.Digest) string { return keptPath(v.dir, d) }

func keptPath(dir string, d exchange.Digest) string {
	name := d.String()
	return filepath.Join(dir, name[:2], name[2:])
}

// Open implements exchange.Vault. The content is an *os.File.
func (v *Vault) Open(ctx context.Context, d exchange.Digest) (exchange.Content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(v.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exchange.NotFoundError("content", d.String())
	}
	if err != nil {
		return nil, fmt.Errorf("opening content %s: %w", d, err)
	}
	return f, nil
}

// Free implements exchange.Vault.
func (v *Vault) Free(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := freeBytes(v.dir)
	if err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", v.dir, err)
	}
	return n, nil
}

// spaceError tells a full disk from what else may be wrong.
func spaceError(err error) error {
	if full(err) {
		return exchange.NoSpaceError(err)
	}
	return err
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
