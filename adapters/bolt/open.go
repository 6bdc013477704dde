package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// format is the number of the file's format that this package reads and writes.
const format = 6

// lockTimeout is how long Open waits for another process to let go.
const lockTimeout = time.Second

// Options are what may be set for an open ledger; the zero value will do.
type Options struct {
	// Limit is the most bytes that the file may grow to, so that it cannot fill
	// the disk; 0 is none. Writes that would exceed it fail, all else goes on.
	Limit int64
	// Space is how much of the address space to reserve for the file. A file
	// that outgrows it stays right, but then a write waits for open reads. 0 is
	// 64 GiB, or 1 GiB on 32-bit machines; no memory or disk is used by it. Where
	// the process may not have so much, it does without.
	Space int
	// Committed hears of each transaction that was written: of how many
	// operations, and how long it took until it was on the disk. It must not
	// wait. nil: nobody is told.
	Committed func(operations int, took time.Duration)
}

func (o Options) space() int {
	if o.Space > 0 {
		return o.Space
	}
	return int(min(uint64(64<<30), uint64(math.MaxInt)/2))
}

// Create makes an empty ledger. The file must not exist, so that nothing is
// lost by a mistaken path; it appears whole or not at all.
func Create(path string) error {
	if err := create(path); err != nil {
		return fmt.Errorf("creating ledger %s: %w", path, err)
	}
	return nil
}

func create(path string) error {
	draft, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // a name nobody refers to
	if err := draft.Close(); err != nil {
		return err
	}
	if err := makeBuckets(draft.Name()); err != nil {
		return err
	}
	if err := os.Link(draft.Name(), path); err != nil { // refuses an existing file
		return err
	}
	return syncDir(filepath.Dir(path))
}

func makeBuckets(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		if err := putBlockSize(tx); err != nil {
			return err
		}
		return tx.Bucket([]byte(meta)).Put([]byte("format"), strconv.AppendInt(nil, format, 10))
	})
	return errors.Join(err, db.Close())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Ledger is an exchange.Ledger in one file.
type Ledger struct {
	file    *file
	options Options
	reading chan struct{} // one who reads the whole file
	durable *durable
	shapes  *shapes
	writer  *writer
	indexer *indexer
	limit   int64 // bytes of the file; 0: none
}

// ErrInUse is in Open's error when another process has the ledger open.
var ErrInUse = berrors.ErrTimeout

// Open opens a ledger that Create made. It never creates one, so that a mistyped
// path cannot start a second, empty record.
func Open(path string, o Options) (*Ledger, error) {
	db, err := o.open(path, openExisting)
	if err != nil {
		return nil, openError(path, err)
	}
	at, err := sound(func() (state, error) { return readState(db) })
	if errors.Is(err, berrors.ErrInvalid) {
		return nil, errors.Join(openError(path, err), db.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening ledger %s: %w", path, err), db.Close())
	}
	l := &Ledger{file: newFile(db), options: o, reading: make(chan struct{}, 1), durable: newDurable(at.transaction, at.leaves), shapes: at.shapes, limit: o.Limit}
	removeLeftovers(l.file)
	l.indexer = newIndexer(l, at.blocks, at.block)
	l.writer = startWriter(l.file, l.durable, l.shapes, l.indexer.wake, o.Committed)
	l.indexer.start()
	return l, nil
}

// open opens a bbolt file, with as much address space as there is.
func (o Options) open(path string, file func(string, int, os.FileMode) (*os.File, error)) (*bbolt.DB, error) {
	reserving := func(space int) (*bbolt.DB, error) {
		return sound(func() (*bbolt.DB, error) { return bbolt.Open(path, 0o600, o.bbolt(space, file)) })
	}
	db, err := reserving(o.space())
	if errors.Is(err, syscall.ENOMEM) { // it is limited (RLIMIT_AS)
		return reserving(0)
	}
	return db, err
}

// sound turns what bbolt panics with on a damaged file into an error.
func sound[T any](read func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", berrors.ErrInvalid, r)
		}
	}()
	return read()
}

func (o Options) bbolt(space int, open func(string, int, os.FileMode) (*os.File, error)) *bbolt.Options {
	return &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: space,
		MaxSize:         int(o.Limit),
		NoStatistics:    true,
		OpenFile:        open,
	}
}

var errEmpty = errors.New("the file is empty")

// openExisting takes away what lets bbolt make a new file.
func openExisting(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = errEmpty
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf(`ledger %s does not exist; check the path, or create it with "hub init": %w`, path, err)
	case errors.Is(err, ErrInUse):
		return fmt.Errorf("ledger %s is already in use by a running hub; ask that hub, or stop it first: %w", path, err)
	case errors.Is(err, errEmpty), errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%s is not a ledger, or is damaged; check the path, or restore a backup: %w", path, err)
	}
	return fmt.Errorf("opening ledger %s: %w", path, err)
}

// state is what is on the disk when the ledger is opened.
type state struct {
	transaction    int
	leaves, blocks int64
	block          int // packages in a block
	shapes         *shapes
}

// readState checks the format, and finds what is on the disk.
func readState(db *bbolt.DB) (at state, err error) {
	// A process that was killed may have left a commit that is written but not
	// synced. It is whole, so it is kept: from here on it is on the disk.
	if err := db.Sync(); err != nil {
		return at, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		at.transaction = tx.ID()
		if err := checkFormat(tx); err != nil {
			return err
		}
		for _, name := range buckets() {
			if tx.Bucket([]byte(name)) == nil {
				return fmt.Errorf("it has no %q; restore a backup", name)
			}
		}
		at.leaves, at.blocks = logSize(tx), written(tx)
		at.block, err = blockSize(tx)
		if err != nil {
			return err
		}
		at.shapes, err = loadShapes(tx)
		return err
	})
	return at, err
}

func checkFormat(tx *bbolt.Tx) error {
	b := tx.Bucket([]byte(meta))
	if b == nil {
		return errors.New("it is a bbolt file, but not a ledger; check the path")
	}
	text := string(b.Get([]byte("format")))
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("its format %q is not a number; restore a backup", text)
	}
	if n < format {
		return fmt.Errorf("it has format %d, of a program that was never released, and this program knows format %d; "+
			"export what is needed with the program that wrote it, and begin a new ledger with \"hub init\"", n, format)
	}
	if n > format {
		return fmt.Errorf("it has format %d and this program knows format %d; "+
			"use the version of the hub that wrote it, or a newer one", n, format)
	}
	return nil
}

// Close ends the ledger: writes under way are finished, those that still wait
// fail, and so does everything later.
func (l *Ledger) Close() error {
	l.indexer.close()
	l.writer.close()
	if err := l.file.close(); err != nil {
		return fmt.Errorf("closing the ledger: %w", err)
	}
	return nil
}

// Backup writes a consistent copy, which is a ledger that Open opens. w must be
// local and fast, a file: the copy is one long read, during which the ledger
// grows instead of reusing space. Send it elsewhere afterwards.
func (l *Ledger) Backup(ctx context.Context, w io.Writer) (leaves int64, err error) {
	if err := l.longRead(ctx); err != nil {
		return 0, err
	}
	defer l.longReadEnds()
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		leaves = logSize(tx)
		_, err := tx.WriteTo(&stoppable{ctx, w})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("backing up the ledger: %w", err)
	}
	return leaves, nil
}

// stoppable is a writer that fails when its context has ended.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s *stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(p)
}
