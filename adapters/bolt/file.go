package bolt

import (
	"os"
	"path/filepath"
	"sync"

	"go.etcd.io/bbolt"
)

// file is the bbolt file under a ledger, which Compact exchanges for another. Its
// transactions are numbered on from one file to the next.
type file struct {
	mu   sync.RWMutex // held while reading, and to exchange it
	db   *bbolt.DB
	base int // what is added to bbolt's own numbers
	path string
}

func newFile(db *bbolt.DB) *file { return &file{db: db, path: db.Path()} }

// view reads, and returns the number of the transaction that was seen.
func (f *file) view(fn func(tx *bbolt.Tx) error) (seen int, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	err = f.db.View(func(tx *bbolt.Tx) error {
		seen = f.base + tx.ID()
		return fn(tx)
	})
	return seen, err
}

// update writes. Only the writer calls it, which also is the one that exchanges
// the file.
func (f *file) update(fn func(tx *bbolt.Tx, number int) error) error {
	return f.db.Update(func(tx *bbolt.Tx) error { return fn(tx, f.base+tx.ID()) })
}

// exchange goes on in another file, which holds the same as this one and has its
// path from now on. The writer calls it, between two transactions.
func (f *file) exchange(next *bbolt.DB, reached int) (old *bbolt.DB, err error) {
	var number int
	if err := next.View(func(tx *bbolt.Tx) error { number = tx.ID(); return nil }); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Rename(next.Path(), f.path); err != nil {
		return nil, err
	}
	old, f.db, f.base = f.db, next, reached-number
	return old, nil
}

func (f *file) close() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.db.Close()
}

// beside is the name of a file that a ledger needs for a while.
func (f *file) beside(what string) string {
	return filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+"."+what)
}
