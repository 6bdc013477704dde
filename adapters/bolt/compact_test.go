package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// TestCompactWhileInUse: writers and readers go on while the file is exchanged
// under them, again and again; nothing is lost, and nothing is seen before it is
// kept.
func TestCompactWhileInUse(t *testing.T) {
	l, path := newLedger(t, Options{})
	ctx, stop := context.WithCancel(t.Context())
	var use sync.WaitGroup
	var kept [4]atomic.Int64
	for w := range kept {
		s := exchangetest.NewSamples().Later(time.Duration(w) * time.Hour)
		use.Go(func() {
			for ctx.Err() == nil {
				n := kept[w].Load()
				p := s.Submission(fmt.Sprint("A", w), fmt.Sprint(n), "B")
				if err := accept(t.Context(), l, s, p); err != nil {
					t.Errorf("accepting: %v", err)
					return
				}
				if _, err := l.Package(t.Context(), p.ID); err != nil {
					t.Errorf("what was accepted is not there: %v", err)
					return
				}
				kept[w].Add(1)
			}
		})
	}
	var backup bytes.Buffer
	for range 5 {
		if _, err := l.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Backup(t.Context(), &backup); err != nil {
		t.Error(err)
	}
	stop()
	use.Wait()
	if err := errors.Join(l.Check(t.Context()), l.Close()); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var want int64
	for w := range kept {
		want += kept[w].Load()
	}
	if n, err := l.LogSize(t.Context()); n != want || err != nil {
		t.Errorf("%d leaves, want %d: %v", n, want, err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	onlyLedger(t, path)
}

func onlyLedger(t *testing.T, path string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("beside the ledger are %v, %v", files, err)
	}
}

func TestCompactGivesSpaceBack(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	if err := accept(t.Context(), l, s, s.Submission("A", "d1", "B")); err != nil {
		t.Fatal(err)
	}
	for _, value := range [][]byte{make([]byte, 64<<20), nil} { // written, and given up
		err := l.file.db.Update(func(tx *bbolt.Tx) error {
			if value == nil {
				return tx.Bucket([]byte(meta)).Delete([]byte("padding"))
			}
			return tx.Bucket([]byte(meta)).Put([]byte("padding"), value)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := l.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.After > c.Before/3 || info.Size() != c.After {
		t.Errorf("%+v, and the file has %d", c, info.Size())
	}
	if err := accept(t.Context(), l, s, s.Submission("A", "d2", "B")); err != nil {
		t.Error(err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCompactCutOff: a compaction that ends early leaves the ledger as it was.
func TestCompactCutOff(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	if err := accept(t.Context(), l, s, s.Submission("A", "d1", "B")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.compact(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context has ended", err)
	}
	onlyLedger(t, path)
	if err := accept(t.Context(), l, s, s.Submission("A", "d2", "B")); err != nil {
		t.Error(err)
	}
	if l.writer.journal != nil {
		t.Error("what is written is still noted")
	}
	for _, what := range []string{"compact", "journal"} { // as a crash would leave them
		if err := os.WriteFile(l.file.beside(what), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Compact(t.Context()); err == nil {
		t.Error("a closed ledger was compacted")
	}
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	onlyLedger(t, path)
	if _, err := Open(path, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one opens it: %v", err)
	}
	if _, err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one opens the compacted file: %v", err)
	}
	if p, _, err := l.Packages(t.Context(), exchange.PackageQuery{}); len(p) != 2 || err != nil {
		t.Errorf("%d packages, %v", len(p), err)
	}
}

// TestJournalRepeats: what was put and deleted, in its order.
func TestJournalRepeats(t *testing.T) {
	l, _ := newLedger(t, Options{})
	j, err := newJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	big := bytes.Repeat([]byte("b"), 100_000)
	for n := range 300 { // more than one transaction
		j.note([]noted{{wasPut, entry{meta, fmt.Append(nil, n), big}}, {wasPut, entry{meta, []byte("last"), fmt.Append(nil, n)}}})
	}
	j.note([]noted{{wasDeleted, entry{bucket: meta, key: []byte("7")}}})
	if err := j.repeat(t.Context(), l.file.db); err != nil || j.left() != 0 {
		t.Fatalf("%d bytes are left, %v", j.left(), err)
	}
	_, err = l.file.view(func(tx *bbolt.Tx) error {
		if v := get(tx, meta, []byte("last")); string(v) != "299" {
			t.Errorf("last is %q", v)
		}
		if get(tx, meta, []byte("7")) != nil || !bytes.Equal(get(tx, meta, []byte("299")), big) {
			t.Error("not what was noted")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
