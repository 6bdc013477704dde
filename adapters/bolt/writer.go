package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// largestGroup bounds one transaction, so that nobody waits long for strangers.
const largestGroup = 512

// writer is the one goroutine that changes the file.
type writer struct {
	file    *file
	durable *durable
	shapes  *shapes
	journal *journal // of what is written while the file is compacted; nil otherwise
	// accepted is called when packages were accepted, or purged, durably. It must not wait.
	accepted func()
	// transaction is held while the file changes. Check holds it too: bbolt's
	// own check must not run beside a writer.
	transaction sync.Mutex
	ended       chan struct{}
	committed   func(operations int, took time.Duration) // or nil
	// purges counts transactions that purged packages: what was read before one of
	// them ended may have words that are no longer there.
	purges atomic.Int64

	mu      sync.Mutex
	arrived *sync.Cond // waiting or closed changed
	waiting []*operation
	closed  bool
}

// operation is one write: what it is, and how it ended.
type operation struct {
	change
	// aside is done instead of the change, between two transactions.
	aside func() error
	// claimed is set by whoever decides: the writer that takes the operation,
	// or the caller that no longer waits for it.
	claimed atomic.Bool
	done    chan struct{}
	err     error // read after done
}

func startWriter(f *file, d *durable, s *shapes, accepted func(), committed func(int, time.Duration)) *writer {
	w := &writer{file: f, durable: d, shapes: s, ended: make(chan struct{}), accepted: accepted, committed: committed}
	w.arrived = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// do hands a change to the writer and waits for it.
func (w *writer) do(ctx context.Context, c change) (*operation, error) {
	return w.wait(ctx, &operation{change: c, done: make(chan struct{})})
}

// aside has something done while nothing is written, and waits for it.
func (w *writer) aside(do func() error) error {
	_, err := w.wait(context.Background(), &operation{aside: do, done: make(chan struct{})}) // whoever asked cannot leave it half done
	return err
}

// wait hands an operation to the writer and waits for it.
func (w *writer) wait(ctx context.Context, op *operation) (*operation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !w.put(op) {
		return nil, fmt.Errorf("writing: %w", errClosed)
	}
	select {
	case <-op.done:
		return op, op.err
	case <-ctx.Done():
	}
	if op.claimed.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("nothing was written: %w", ctx.Err())
	}
	return nil, fmt.Errorf("the write was under way and may take hold: %w", ctx.Err())
}

func (w *writer) put(op *operation) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.waiting = append(w.waiting, op)
	w.arrived.Signal()
	return true
}

// take waits for operations and claims the next group; none means the end.
func (w *writer) take() []*operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	var group []*operation
	for len(group) == 0 {
		for len(w.waiting) == 0 && !w.closed {
			w.arrived.Wait()
		}
		if w.closed {
			return nil
		}
		n := min(len(w.waiting), largestGroup)
		for _, op := range w.waiting[:n] {
			if op.claimed.CompareAndSwap(false, true) {
				group = append(group, op)
			}
		}
		w.waiting = append(w.waiting[:0:0], w.waiting[n:]...)
	}
	return group
}

func (w *writer) run() {
	defer close(w.ended)
	for group := w.take(); group != nil; group = w.take() {
		changes := slices.DeleteFunc(slices.Clone(group), func(op *operation) bool { return op.aside != nil })
		if len(changes) > 0 {
			w.commit(changes)
		}
		for _, op := range group {
			if op.aside != nil {
				op.err = op.aside()
			}
			close(op.done)
		}
	}
}

// close lets the group under way end and fails what still waits.
func (w *writer) close() {
	w.mu.Lock()
	waiting := w.waiting
	w.closed, w.waiting = true, nil
	w.arrived.Broadcast()
	w.mu.Unlock()
	<-w.ended
	for _, op := range waiting {
		if op.claimed.CompareAndSwap(false, true) {
			op.err = fmt.Errorf("nothing was written: %w", errClosed)
			close(op.done)
		}
	}
}

// errNothing rolls a transaction back that would change nothing.
var errNothing = errors.New("nothing to write")

// commit runs a group in one transaction. If that fails, everyone in it fails,
// also those that were refused: the refusal may rest on a neighbour's change.
func (w *writer) commit(group []*operation) {
	var transaction int
	var size int64
	begun := time.Now()
	accepted, purged := false, false
	var done []noted
	err := w.update(func(tx *bbolt.Tx, number int) error {
		transaction = number
		b, err := newBatch(tx, w.shapes, w.purges.Load())
		if err != nil {
			return err
		}
		b.noting = w.journal != nil
		for _, op := range group {
			op.err = b.run(&op.change)
		}
		size, accepted, purged = b.tree.size, b.accepted, b.purged
		err = b.finish()
		done = b.done
		return err
	})
	if errors.Is(err, errNothing) {
		return
	}
	if err == nil {
		w.journal.note(done)
		w.durable.reach(transaction, size)
		keepUses(group)
		if purged {
			w.purges.Add(1)
		}
		if accepted || purged {
			w.accepted()
		}
		if w.committed != nil {
			w.committed(len(group), time.Since(begun))
		}
		return
	}
	err = fmt.Errorf("writing the ledger: %w", spaceError(err))
	for _, op := range group {
		op.err = err
	}
}

// errPurged refuses what was read before a purge.
var errPurged = errors.New("a package was purged since")

// keepUses tells the shapes that were written that the file has them.
func keepUses(group []*operation) {
	for _, op := range group {
		if op.err != nil || op.again {
			continue
		}
		for _, s := range op.uses {
			s.kept.Store(true)
		}
	}
}

// update is db.Update whose panics are errors, and which stops the ledger when a
// failed commit can be seen all the same.
func (w *writer) update(fn func(tx *bbolt.Tx, number int) error) (err error) {
	w.transaction.Lock()
	defer w.transaction.Unlock()
	before, _, err := w.durable.reached()
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil { // in bbolt's commit: its memory may be torn
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			w.durable.fail(errBroken)
		}
	}()
	err = w.file.update(func(tx *bbolt.Tx, number int) error {
		return guarded(func() error { return fn(tx, number) })
	})
	if err == nil || errors.Is(err, errNothing) {
		return err
	}
	if visible, e := w.visible(); e != nil || visible != before {
		w.durable.fail(errBroken)
	}
	return err
}

// guarded turns a panic of our own code into an error: bbolt then rolls back
// cleanly and the next group is not concerned.
func guarded(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return fn()
}

// visible is the last commit that readers see.
func (w *writer) visible() (transaction int, err error) {
	return w.file.view(func(*bbolt.Tx) error { return nil })
}
