package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func newLedger(t testing.TB, o Options) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l, path
}

func accept(ctx context.Context, l *Ledger, s *exchangetest.Samples, p exchange.Package) error {
	_, _, err := l.Accept(ctx, p, s.Acceptance(p))
	return err
}

// alter changes the file behind the ledger's back.
func alter(t *testing.T, path string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCreateAndOpenRefuse(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	withFormat := func(name, format string) string {
		path := filepath.Join(dir, name)
		if err := Create(path); err != nil {
			t.Fatal(err)
		}
		alter(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(meta)).Put([]byte("format"), []byte(format)) })
		return path
	}
	other := filepath.Join(dir, "other")
	alter(t, other, func(*bbolt.Tx) error { return nil })
	_, used := newLedger(t, Options{})
	opening := func(path string) error {
		l, err := Open(path, Options{})
		if err == nil {
			_ = l.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		err  error
		word string
	}{
		"creating over a ledger":       {Create(used), "file exists"},
		"creating over a file":         {Create(file("text", "x")), "file exists"},
		"creating without a directory": {Create(filepath.Join(dir, "no", "ledger")), "no such"},
		"opening what is not there":    {opening(filepath.Join(dir, "missing")), `"hub init"`},
		"opening an empty file":        {opening(file("empty", "")), "not a ledger"},
		"opening a text":               {opening(file("long", strings.Repeat("text ", 10_000))), "not a ledger"},
		"opening another bbolt file":   {opening(other), "not a ledger"},
		"opening a newer format":       {opening(withFormat("newer", "2")), "format 2"},
		"opening a format of no sense": {opening(withFormat("odd", "x")), "not a number"},
		"opening a ledger in use":      {opening(used), "already in use by a running hub"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.word) {
			t.Errorf("%s: %v, want a word on %s", name, c.err, c.word)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("opening made a file")
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("creating left %v (%v)", left, err)
	}
	for _, path := range []string{used} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestABackupIsALedger(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 50 {
		if err := accept(t.Context(), l, s, s.Submission("A", fmt.Sprint(n), "B", "C")); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Backup(t.Context(), f), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "later", "B")); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }() // only read
	size, err := b.LogSize(t.Context())
	if err := errors.Join(err, b.Check(t.Context())); err != nil || size != 50 {
		t.Errorf("the backup has %d leaves, want 50: %v", size, err)
	}
}

func TestAfterCloseEverythingFailsClearly(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := l.Counts(t.Context())
	_, hashErr := l.LogHashes(t.Context()).ReadHashes([]int64{0})
	for name, err := range map[string]error{
		"accept": accept(t.Context(), l, s, s.Submission("A", "d", "B")),
		"read":   readErr, "hashes": hashErr, "check": l.Check(t.Context()),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v, want that the ledger is closed", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// put hands an acceptance to the writer, and does not wait.
func put(t *testing.T, l *Ledger, s *exchangetest.Samples, document string) *operation {
	t.Helper()
	p := s.Submission("A", document, "B")
	c, err := prepare(s.Acceptance(p))
	if err == nil {
		err = c.accept(p)
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
			c, err := prepare(s.Acceptance(p))
			if err := errors.Join(err, c.accept(p)); err != nil {
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
	if kept--; err == nil || exchange.CodeOf(err) != exchange.Internal {
		t.Fatalf("a full ledger took %d packages: %v", kept, err)
	}
	if n, err := l.LogSize(t.Context()); n != int64(kept) || err != nil {
		t.Errorf("%d leaves, want %d: %v", n, kept, err)
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
	err := l.writer.update(func(*bbolt.Tx) error { return lost })
	if !errors.Is(err, lost) {
		t.Fatal(err)
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "d1", "B")); err != nil {
		t.Errorf("after a failure that left no trace: %v", err)
	}
	before, size, _ := l.durable.reached()
	l.durable.reach(before-1, size) // as if the last commit's sync had failed …
	if err := l.writer.update(func(*bbolt.Tx) error { return lost }); !errors.Is(err, lost) {
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

func TestCheckNoticesDamage(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 3 {
		p := s.Submission("H12.01", fmt.Sprint(n), "H12.02", "H12.03")
		if err := accept(t.Context(), l, s, p); err != nil {
			t.Fatal(err)
		}
		d, err := l.Delivery(t.Context(), exchange.NewDeliveryID(p.ID, 1))
		if err != nil {
			t.Fatal(err)
		}
		for _, move := range []func(exchange.Delivery) (exchange.Change, error){s.Consign,
			func(d exchange.Delivery) (exchange.Change, error) { return s.Answer(d, exchange.AnswerAccepted) }}[:n%3] {
			c, err := move(d)
			if err := errors.Join(err, l.Update(t.Context(), c)); err != nil {
				t.Fatal(err)
			}
			if d, err = l.Delivery(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := l.Update(t.Context(), exchange.Change{Actions: []exchange.Action{s.Action("put", "x")},
		Agencies: []exchange.Agency{{Code: "H12.01", Aliases: []exchange.Alias{{Code: "old"}}, Certificates: []exchange.Certificate{{SHA256: exchange.Digest{1}}}}},
		Systems:  []exchange.System{{ID: "s", Certificates: []exchange.Digest{{2}}}}, Users: []exchange.User{{ID: "u"}}})
	if err := errors.Join(err, l.Check(t.Context()), l.Close()); err != nil {
		t.Fatal(err)
	}
	for _, name := range buckets() {
		if name == meta {
			continue
		}
		for damage, do := range map[string]func(*bbolt.Bucket, []byte, []byte) error{
			"an entry is lost": func(b *bbolt.Bucket, key, _ []byte) error { return b.Delete(key) },
			"an entry is invented": func(b *bbolt.Bucket, key, value []byte) error {
				return b.Put(append([]byte("~"), key...), value)
			},
			"a value is changed": func(b *bbolt.Bucket, key, value []byte) error {
				return b.Put(key, append([]byte("1"), value...))
			},
		} {
			if name == users && damage == "an entry is lost" || name == counts && damage == "an entry is invented" {
				continue // nothing else speaks of a user, and a count of no state says nothing
			}
			if err := damaged(t, path, name, do); err == nil {
				t.Errorf("%s: %s and Check says nothing", name, damage)
			}
		}
	}
}

// damaged is what Check says of a copy of the ledger with its first entry in a
// bucket damaged.
func damaged(t *testing.T, path, bucket string, do func(b *bbolt.Bucket, key, value []byte) error) error {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(copied, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	alter(t, copied, func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		key, value := b.Cursor().First()
		if key == nil {
			t.Fatalf("%s is empty: the test lacks something", bucket)
		}
		return do(b, append([]byte{}, key...), append([]byte{}, value...))
	})
	l, err := Open(copied, Options{})
	if err != nil {
		return err
	}
	return errors.Join(l.Check(t.Context()), l.Close())
}

func TestALongSearchComesInPieces(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 40 { // A to B and C to D in turn: A to D is never true
		p := s.Submission([]string{"A", "C"}[n%2], fmt.Sprint(n), []string{"B", "D"}[n%2])
		if n == 7 {
			p.Recipients[0].Code = "B" // but C to B is, once
		}
		if err := accept(t.Context(), l, s, p); err != nil {
			t.Fatal(err)
		}
	}
	found, pieces := 0, 0
	var bound []byte
	for cursor := "first"; cursor != ""; pieces++ {
		err := l.view(t.Context(), func(tx *bbolt.Tx) error {
			streams, steps := deliveryStreams(tx, exchange.DeliveryQuery{Sender: "C", Recipient: "B"}), 3
			key, ok := streams.before(bound, &steps)
			cursor = ""
			if key != nil {
				cursor = string(deliveryID(key))
			}
			if ok && key != nil {
				found++
			}
			bound = append([]byte{}, key...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found != 1 || pieces < 5 {
		t.Errorf("found %d in %d pieces, want 1 in several", found, pieces)
	}
}
