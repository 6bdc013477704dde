package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func purge(s *exchangetest.Samples, l *Ledger, id exchange.PackageID) error {
	a := s.Action("purge", string(id))
	return l.Update(context.Background(), exchange.Change{Actions: []exchange.Action{a}, Purges: []exchange.Erasure{{Package: id, At: a.Time, Action: a.ID}}})
}

// postings are how many sets of the search index have a term.
func postings(t *testing.T, l *Ledger, word string) (n int) {
	t.Helper()
	hash := hashOf(exchange.SearchTerm{Kind: 'w', Value: word})
	err := l.view(t.Context(), func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(searchPostings)).ForEach(func(key, _ []byte) error {
			if bytes.Equal(key, postingsKey(leafOf(key[:4]), hash)) {
				n++
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAPurgeLeavesNoWordInTheIndex: in blocks that are written, and in memory.
func TestAPurgeLeavesNoWordInTheIndex(t *testing.T) {
	l, path := newLedgerOfBlocks(t, 8)
	s := exchangetest.NewSamples()
	records := packagesFor(t, l, s, 0, 29)
	waitForIndex(t, l)
	if postings(t, l, "so17") != 1 || postings(t, l, "viec") != 3 || len(l.indexer.snapshot([]uint64{hashOf(exchange.SearchTerm{Kind: 'w', Value: "so27"})}).postings) != 1 {
		t.Fatal("the index has not what is to be taken out of it")
	}
	for _, n := range []int{0, 17, 23, 27} {
		if err := purge(s, l, records[n].Package.ID); err != nil {
			t.Fatal(err)
		}
		now, err := l.Package(t.Context(), records[n].Package.ID)
		if err != nil {
			t.Fatal(err)
		}
		records[n].Package = now
		finds(t, l, records) // however far the index is
	}
	waitForIndex(t, l)
	for _, word := range []string{"so0", "so17", "so23"} {
		if n := postings(t, l, word); n != 0 {
			t.Errorf("%d sets are of %s", n, word)
		}
	}
	for hash, list := range l.indexer.snapshot([]uint64{hashOf(exchange.SearchTerm{Kind: 'w', Value: "so27"})}).postings {
		if len(list) > 0 {
			t.Errorf("%x has %v in memory", hash, list)
		}
	}
	finds(t, l, append(records, packagesFor(t, l, s, 29, 35)...)) // and the block is written
	waitForIndex(t, l)
	if err := errors.Join(l.Check(t.Context()), l.Close()); err != nil {
		t.Error(err)
	}
	if n := postings(t, reopened(t, path), "so27"); n != 0 {
		t.Errorf("%d sets are of what was purged before its block was full", n)
	}
}

// TestPurgeWhileBlocksAreWritten: a block that was read before a purge is not
// written after it.
func TestPurgeWhileBlocksAreWritten(t *testing.T) {
	l, path := newLedgerOfBlocks(t, 4)
	s := exchangetest.NewSamples()
	var use sync.WaitGroup
	for w := range 3 {
		use.Go(func() {
			for i := range 60 {
				p := s.Submission(fmt.Sprint("A", w), fmt.Sprint(w, "-", i), "B")
				p.Subject = fmt.Sprintf("matw%dn%d chung", w, i)
				err := accept(context.Background(), l, s, p)
				if i%2 == 0 && err == nil {
					err = purge(s, l, p.ID)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	use.Go(func() {
		for range 4 {
			if _, err := l.Compact(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	use.Wait()
	waitForIndex(t, l)
	for w := range 3 {
		for i := range 60 {
			found, err := exchangetest.AllFound(t.Context(), l, exchange.Search{All: true, Text: fmt.Sprintf("matw%dn%d", w, i)}, 5)
			if err != nil || len(found) != i%2 {
				t.Errorf("package %d of %d is found %d times: %v", i, w, len(found), err)
			}
		}
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if purged, kept := bytes.Contains(file, []byte("matw1n0 chung")), bytes.Contains(file, []byte("matw1n1 chung")); purged || !kept {
		t.Errorf("the compacted file has words of a purged package: %t, of another: %t", purged, kept)
	}
}

// TestAnIndexReadBeforeAPurgeIsRefused in the same transaction, too.
func TestAnIndexReadBeforeAPurgeIsRefused(t *testing.T) {
	l, _ := newLedgerOfBlocks(t, 4)
	s := exchangetest.NewSamples()
	p := packagesFor(t, l, s, 0, 1)[0].Package
	stale := l.writer.purges.Load()
	part := func(purges int64) change {
		return change{plain: []entry{{searchPostings, postingsKey(9, 9), []byte{0}}}, index: true, purged: purges}
	}
	if err := purge(s, l, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.writer.do(t.Context(), part(stale)); !errors.Is(err, errPurged) {
		t.Errorf("%v, want that a package was purged", err)
	}
	_, err := l.file.view(func(tx *bbolt.Tx) error {
		b, err := newBatch(tx, l.shapes, 7)
		if err != nil {
			return err
		}
		b.purged = true
		now := part(7)
		if _, err := b.check(&now); !errors.Is(err, errPurged) {
			t.Errorf("beside the purge: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCheckNoticesWordsOfWhatWasPurged(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	p := packagesFor(t, l, s, 0, 1)[0].Package
	if err := errors.Join(purge(s, l, p.ID), l.Close()); err != nil {
		t.Fatal(err)
	}
	p.Purged = &exchange.Purge{Action: "x"}
	alter(t, path, func(tx *bbolt.Tx) error {
		value, err := encode(nil, p, packageFields)
		return errors.Join(err, tx.Bucket([]byte(packages)).Put(idKey(p.ID), value))
	})
	if err := reopened(t, path).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "has words") {
		t.Errorf("Check says %v", err)
	}
}
