package bolt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// put hands an acceptance to the writer, and does not wait.
func put(t *testing.T, l *Ledger, s *exchangetest.Samples, document string) *operation {
	t.Helper()
	p := s.Submission("A", document, "B")
	c, err := l.prepare(s.Acceptance(p), &p)
	if err == nil {
		err = c.accept(l.shapes, p)
	}
	op := &operation{change: c, done: make(chan struct{})}
	if err != nil || !l.writer.put(op) {
		t.Fatal("not put", err)
	}
	return op
}

// stall keeps the writer in the middle of a group until release is called: what
// is written meanwhile waits.
func stall(t *testing.T, l *Ledger, s *exchangetest.Samples) (taken *operation, release func()) {
	t.Helper()
	l.writer.transaction.Lock()
	taken = put(t, l, s, "taken")
	for end := time.Now().Add(10 * time.Second); !taken.claimed.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the writer does not take what it is given")
		}
	}
	return taken, l.writer.transaction.Unlock
}

func TestCloseFinishesTheGroupAndFailsTheRest(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	taken, release := stall(t, l, s)
	waiting := put(t, l, s, "waiting")
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	<-waitClosed(l.writer)
	release()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	<-taken.done
	<-waiting.done
	if taken.err != nil || !errors.Is(waiting.err, errClosed) {
		t.Errorf("the one under way: %v; the one that waited: %v", taken.err, waiting.err)
	}
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // only read
	if n, err := l.LogSize(t.Context()); n != 1 {
		t.Errorf("%d leaves, want that of the one under way: %v", n, err)
	}
}

func waitClosed(w *writer) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for closed := false; !closed; time.Sleep(time.Millisecond) {
			w.mu.Lock()
			closed = w.closed
			w.mu.Unlock()
		}
	}()
	return done
}

func TestWaitingIsCancellable(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	taken, release := stall(t, l, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p := s.Submission("A", "cancelled", "B")
	if err := accept(ctx, l, s, p); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("waiting: %v", err)
	}
	release()
	<-taken.done
	if err := accept(t.Context(), l, s, s.Submission("A", "d", "B")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Package(t.Context(), p.ID); exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("what was cancelled while it waited was written: %v", err)
	}
}

func TestWhatWaitsIsOneGroup(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	before, _, _ := l.durable.reached()
	_, release := stall(t, l, s)
	var group []*operation
	for n := range 100 {
		group = append(group, put(t, l, s, fmt.Sprint(n)))
	}
	release()
	for _, op := range group {
		if <-op.done; op.err != nil {
			t.Error(op.err)
		}
	}
	if now, size, err := l.durable.reached(); now-before != 2 || size != 101 {
		t.Errorf("%d transactions for %d leaves, want 2 for 101: %v", now-before, size, err)
	}
}

func TestAFailedTransactionFailsItsGroupOnly(t *testing.T) {
	for name, poison := range map[string]func(*operation){
		"a panic":               func(op *operation) { op.leaves = nil }, // as if the code were wrong: an index out of range
		"a put that is refused": func(op *operation) { op.plain = append(op.plain, entry{packages, nil, nil}) },
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newLedger(t, Options{})
			s := exchangetest.NewSamples()
			taken, release := stall(t, l, s)
			good := put(t, l, s, "good")
			p := s.Submission("A", "bad", "B")
			c, err := l.prepare(s.Acceptance(p), &p)
			if err := errors.Join(err, c.accept(l.shapes, p)); err != nil {
				t.Fatal(err)
			}
			bad := &operation{change: c, done: make(chan struct{})}
			poison(bad)
			l.writer.put(bad)
			release()
			<-bad.done
			<-good.done
			if taken.err != nil || good.err == nil || bad.err == nil {
				t.Errorf("the group before: %v; beside the bad one: %v; the bad one: %v", taken.err, good.err, bad.err)
			}
			if err := accept(t.Context(), l, s, s.Submission("A", "good", "B")); err != nil {
				t.Errorf("after it: %v", err)
			}
			if n, _ := l.LogSize(t.Context()); n != 2 {
				t.Errorf("%d leaves, want 2", n)
			}
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAFullLedgerGoesOnReading(t *testing.T) {
	l, _ := newLedger(t, Options{Limit: 1 << 20})
	s := exchangetest.NewSamples()
	kept := 0
	var err error
	for ; kept < 10_000 && err == nil; kept++ {
		p := s.Submission("A", fmt.Sprint(kept), "B")
		c := s.Acceptance(p)
		c.Receipts[0].Raw = make([]byte, 8000)
		_, _, err = l.Accept(t.Context(), p, c)
	}
	if kept--; err == nil || exchange.CodeOf(err) != exchange.Busy {
		t.Fatalf("a full ledger took %d packages: %v", kept, err)
	}
	if n, err := l.LogSize(t.Context()); n != int64(kept) || err != nil {
		t.Errorf("%d leaves, want %d: %v", n, kept, err)
	}
	if free, err := l.Free(t.Context()); free > 128<<10 || err != nil {
		t.Errorf("%d bytes are left in a full file, %v", free, err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnsyncedIsNotShown looks at the moment between bbolt's meta page and its
// sync, made longer: a commit that readers see and that is not yet reported as
// durable.
func TestUnsyncedIsNotShown(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	p := s.Submission("A", "d", "B")
	before, _, _ := l.durable.reached()
	if err := accept(t.Context(), l, s, p); err != nil {
		t.Fatal(err)
	}
	now, _, _ := l.durable.reached()
	l.durable.reach(before, 0) // as if the sync had not returned

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Package(ctx, p.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read of what is not synced: %v, want that it waits", err)
	}
	if _, err := l.LogEntries(ctx, 0, 1); err == nil {
		t.Error("a leaf that is not synced was read")
	}
	if n, err := l.LogSize(t.Context()); n != 0 || err != nil {
		t.Errorf("%d leaves are durable, want none: %v", n, err)
	}
	read := make(chan error)
	go func() {
		_, err := l.Package(context.Background(), p.ID)
		read <- err
	}()
	l.durable.reach(now, 1)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// TestAfterAnUncertainSyncAllIsRefused: a commit that readers see has failed.
func TestAfterAnUncertainSyncAllIsRefused(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	lost := errors.New("input/output error")
	err := l.writer.update(func(*bbolt.Tx, int) error { return lost })
	if !errors.Is(err, lost) {
		t.Fatal(err)
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "d1", "B")); err != nil {
		t.Errorf("after a failure that left no trace: %v", err)
	}
	before, size, _ := l.durable.reached()
	l.durable.reach(before-1, size) // as if the last commit's sync had failed …
	if err := l.writer.update(func(*bbolt.Tx, int) error { return lost }); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "d2", "B")); !errors.Is(err, errBroken) {
		t.Errorf("a write after an uncertain sync: %v", err)
	}
	if _, err := l.Counts(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("a read after an uncertain sync: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // only read
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
