package bolt

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// blocksOf makes the blocks of a new ledger's search index small.
func blocksOf(t *testing.T, path string, size int) {
	t.Helper()
	alter(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(meta)).Put([]byte("block"), strconv.AppendInt(nil, int64(size), 10))
	})
}

// newLedgerOfBlocks is newLedger with small blocks.
func newLedgerOfBlocks(t *testing.T, size int) (*Ledger, string) {
	t.Helper()
	l, path := newLedger(t, Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	blocksOf(t, path, size)
	return reopened(t, path), path
}

func reopened(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the test may have closed it
	return l
}

// waitForIndex waits until all full blocks are written.
func waitForIndex(t testing.TB, l *Ledger) {
	t.Helper()
	for {
		missing := false
		err := l.view(t.Context(), func(tx *bbolt.Tx) error {
			block, err := blockSize(tx)
			s := l.indexer.snapshot(nil)
			missing = s.block*int64(block)+int64(s.size) < numbered(tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !missing {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestSetsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		most := rapid.SampledFrom([]uint64{1, 3, 9, 300, 20_000}).Draw(r, "step")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
		var list []uint16
		for n := random.Uint64N(most); n < largestBlock; n += 1 + random.Uint64N(most) {
			list = append(list, uint16(n))
		}
		value := encodeSet(list)
		var s set
		if err := s.decode(value); err != nil || len(value) > setBytes {
			r.Fatalf("%d bytes: %v", len(value), err)
		}
		var got []uint16
		for n := s.below(largestBlock); n >= 0; n = s.below(n) {
			got = append(got, uint16(n))
		}
		slices.Reverse(got)
		if !slices.Equal(got, list) {
			r.Fatalf("wrote %v, read %v", list, got)
		}
		if len(value) > 0 && len(value) < setBytes {
			if err := s.decode(append(value, 0xff)); err == nil {
				r.Fatal("a set that is cut short was taken")
			}
		}
	})
}

func TestRangesOfASet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from, to := rapid.IntRange(0, largestBlock).Draw(r, "from"), rapid.IntRange(0, largestBlock).Draw(r, "to")
		var s set
		s.addRange(from, to)
		n := 0
		for m := s.below(largestBlock); m >= 0; m = s.below(m) {
			if n++; m < from || m >= to {
				r.Fatalf("%d is in [%d,%d)", m, from, to)
			}
		}
		if n != max(to-from, 0) {
			r.Fatalf("[%d,%d) has %d members", from, to, n)
		}
	})
}

// packagesFor accepts packages with a word that all have, one that every third has, and
// one of their own.
func packagesFor(t *testing.T, l *Ledger, s *exchangetest.Samples, from, to int) (list []exchangetest.Record) {
	t.Helper()
	for i := from; i < to; i++ {
		p := s.Submission(fmt.Sprint("A", i%2), fmt.Sprint("d", i), fmt.Sprint("B", i%3))
		p.Subject = fmt.Sprintf("Về việc số%d %s", i, []string{"chung", "chung", "riêng"}[i%3])
		c := s.Acceptance(p)
		if _, _, err := l.Accept(t.Context(), p, c); err != nil {
			t.Fatal(err)
		}
		c.Deliveries[0].Version = 1
		list = append(list, exchangetest.Record{Package: p, Deliveries: c.Deliveries, Receipts: []exchange.ReceiptID{c.Receipts[0].ID}})
	}
	return list
}

func someSearches() []exchange.Search {
	return []exchange.Search{{All: true}, {All: true, Text: "riêng"}, {All: true, Text: "rieng viec"}, {All: true, Text: "riêng chung"}, {All: true, Text: "số17"},
		{All: true, Text: "d17"}, {All: true, Sender: "A1", Recipient: "B2"}, {All: true, State: exchange.Queued, Text: "chung"}, {Of: []string{"A0"}}, {Of: []string{"B0"}}}
}

// finds compares searches with a scan of all records.
func finds(t *testing.T, l *Ledger, records []exchangetest.Record) {
	t.Helper()
	for _, q := range someSearches() {
		got, err := exchangetest.AllFound(t.Context(), l, q, 7)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, exchangetest.Scan(records, q), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%+v (-got +want):\n%s", q, d)
		}
	}
}

func emptied(tx *bbolt.Tx, bucket string) error {
	err := tx.DeleteBucket([]byte(bucket))
	if err == nil {
		_, err = tx.CreateBucket([]byte(bucket))
	}
	return err
}

func TestABlockHalfWrittenIsWrittenAgain(t *testing.T) {
	for name, damage := range map[string]func(tx *bbolt.Tx) error{
		"nothing": func(*bbolt.Tx) error { return nil },
		"the last block's end": func(tx *bbolt.Tx) error {
			key, _ := tx.Bucket([]byte(searchPostings)).Cursor().Last()
			return errors.Join(tx.Bucket([]byte(searchPostings)).Delete(key), tx.Bucket([]byte(searchBlocks)).Delete(leafKey(written(tx)-1)))
		},
		"all of the index": func(tx *bbolt.Tx) error {
			return errors.Join(emptied(tx, searchPostings), emptied(tx, searchBlocks))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, path := newLedgerOfBlocks(t, 8)
			s := exchangetest.NewSamples()
			records := packagesFor(t, l, s, 0, 30)
			waitForIndex(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			alter(t, path, damage)
			l = reopened(t, path)
			finds(t, l, records) // however far the index is
			waitForIndex(t, l)
			finds(t, l, records)
			finds(t, l, append(records, packagesFor(t, l, s.Later(time.Hour), 30, 35)...))
			if err := l.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatTheIndexHasNotReachedIsFound(t *testing.T) {
	l, _ := newLedgerOfBlocks(t, 8)
	s := exchangetest.NewSamples()
	records := packagesFor(t, l, s, 0, 12)
	waitForIndex(t, l)
	l.indexer.close()
	records = append(records, packagesFor(t, l, s, 12, 42)...)
	finds(t, l, records)
	l.indexer.ended = make(chan struct{}) // for Close
	l.indexer.start()
	waitForIndex(t, l)
	finds(t, l, records)
}

// TestAPageIsBoundedWork makes a search go on in pieces where little of what it
// looks at matches.
func TestAPageIsBoundedWork(t *testing.T) {
	l, _ := newLedgerOfBlocks(t, 8)
	packagesFor(t, l, exchangetest.NewSamples(), 0, 40)
	waitForIndex(t, l)
	q := exchange.Search{All: true, Text: `"việc số3"`}
	pieces, found := 0, 0
	for first := true; first || q.Cursor != ""; first = false {
		s, err := newSearch(q)
		if err != nil {
			t.Fatal(err)
		}
		s.clauses, s.looks = nil, 3*costOfReading // as if the index told nothing
		if err := l.search(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		q.Cursor = s.cursor
		found += len(s.found)
		pieces++
	}
	if pieces < 40/3 || pieces > 40/3+2 || found != 1 {
		t.Errorf("%d packages in %d pieces, want one in about %d", found, pieces, 40/3)
	}
}

// TestANumberIsLookedUpWithItsNotation: of a year's documents many have each of the
// words of "7/STC-NS", and one has them together.
func TestANumberIsLookedUpWithItsNotation(t *testing.T) {
	l, _ := newLedgerOfBlocks(t, 16)
	s := exchangetest.NewSamples()
	for i := range 40 {
		p := s.Submission("A", fmt.Sprint("d", i), "B")
		p.Number, p.Notation, p.Subject = fmt.Sprint(100+i), "STC-NS", "Về việc 7 điểm"
		if i == 3 {
			p.Number = "7"
		}
		if _, _, err := l.Accept(t.Context(), p, s.Acceptance(p)); err != nil {
			t.Fatal(err)
		}
	}
	waitForIndex(t, l) // two blocks are written, one is in memory
	for text, want := range map[string]int{"7/STC-NS": 1, `"việc 7"`: 40, `"viec 7"`: 40, `"7 điểm"`: 40, `"7 diem"`: 40, `"7 điêm"`: 0, "7/NS": 0, "STC-7": 0, "139/STC": 1} {
		s, err := newSearch(exchange.Search{All: true, Text: text, Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		err = l.search(t.Context(), s)
		if looked := (mostLooks - s.looks) / costOfReading; err != nil || len(s.found) != want || looked != want {
			t.Errorf("%s: found %d, looked at %d: %v; want %d", text, len(s.found), looked, err, want)
		}
	}
}

func TestWhatIsAcceptedIsFoundAtOnce(t *testing.T) {
	l, _ := newLedgerOfBlocks(t, 16)
	s := exchangetest.NewSamples()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 4)
	for w := range 4 {
		go func() {
			var err error
			for i := 0; i < 60 && err == nil; i++ {
				p := s.Submission("A", fmt.Sprint(w, "-", i), "B")
				p.Subject = fmt.Sprintf("riêng w%dn%d", w, i)
				if err = accept(ctx, l, s, p); err != nil {
					break
				}
				var found []exchange.Found
				found, _, err = l.Search(ctx, exchange.Search{All: true, Text: p.Subject})
				if err == nil && (len(found) != 1 || found[0].Package.ID != p.ID) {
					err = fmt.Errorf("%q found %v", p.Subject, found)
				}
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
