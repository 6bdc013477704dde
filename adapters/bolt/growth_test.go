package bolt

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var (
	manyDeliveries = flag.Int("deliveries", 2_000, "how many deliveries TestGrowth writes; one million takes some 2.5 GB of disk")
	writersAtOnce  = flag.Int("writers", 128, "how many of TestGrowth's deliveries are under way at once")
)

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestGrowth writes deliveries' whole ways and holds what they take against bounds,
// so that no change makes the ledger larger unnoticed. With -v it prints what each part takes, and the CPU
// time of writing, at each tenth of the way; and at the first and the last, how the
// ledger does beside a new one, and how soon it answers.
func TestGrowth(t *testing.T) {
	p := newProvince(t)
	l, path := newLedger(t, Options{})
	l.file.db.NoSync = *manyDeliveries > 100_000 // size and CPU are asked for, not the disk
	step := max(*manyDeliveries/10, 1)
	var some []way
	beside := 0 // deliveries that were written for comparison
	for done := 0; done < *manyDeliveries; {
		var spent, took time.Duration
		from, _, _ := l.durable.reached()
		for n := 0; n < step; n += 2_000 {
			ways := make([]way, min(2_000, step-n))
			for i := range ways {
				ways[i] = p.way()
			}
			before, start := cpu(), time.Now()
			writeAll(t, l, ways)
			spent += cpu() - before
			took += time.Since(start)
			done += len(ways)
			if n%max(step/10/2_000*2_000, 2_000) == 0 {
				some = append(some, ways[0])
			}
		}
		to, _, _ := l.durable.reached()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%9d deliveries: %.0f bytes of file each, %v of CPU a cycle, %.0f cycles/s, %.1f writes a commit", done, float64(info.Size())/float64(done),
			(spent / time.Duration(step)).Round(time.Microsecond), float64(step)/took.Seconds(), float64(4*step)/float64(to-from))
		if done == step || done >= *manyDeliveries {
			beside += sideBySide(t, p, l, done) + answers(t, p, l, some)
		}
	}
	delivery, receipt := sizes(t, l, *manyDeliveries+beside)
	// The certificates of 440 agencies count for more the fewer deliveries there are.
	if most := 2_500 + 1_400_000/float64(*manyDeliveries+beside); delivery > most || receipt > 400 {
		t.Errorf("a delivery takes %.0f bytes, at most %.0f are allowed; a receipt %.0f, 400", delivery, most, receipt)
	}
	start := time.Now()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	closed := time.Now()
	l, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %v, opened in %v", closed.Sub(start).Round(time.Millisecond), time.Since(closed).Round(time.Millisecond))
	if *manyDeliveries <= 100_000 {
		if err := l.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func writeAll(t *testing.T, l *Ledger, ways []way) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range *writersAtOnce {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(len(ways)); n = next.Add(1) {
				if err := ways[n-1].write(l, t); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// sizes prints what the buckets take for each delivery and returns the whole, and
// what a receipt takes with its record.
func sizes(t *testing.T, l *Ledger, deliveries int) (whole, receipt float64) {
	t.Helper()
	type line struct {
		size float64
		text string
	}
	var lines []line
	_, err := l.file.view(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			s := tx.Bucket([]byte(name)).Stats()
			size := float64(s.LeafAlloc+s.BranchAlloc) / float64(deliveries)
			whole += size
			lines = append(lines, line{size, fmt.Sprintf("%-20s %7.1f bytes a delivery, %8d entries, pages filled to %2d %%", name, size, s.KeyN,
				100*s.LeafInuse/max(s.LeafAlloc, 1))})
		}
		receipts := 0
		return tx.Bucket([]byte(log)).ForEach(func(_, value []byte) error {
			receipts++
			receipt += (float64(len(value)) - receipt) / float64(receipts)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(lines, func(a, b line) int { return int(1e6 * (b.size - a.size)) })
	for _, l := range lines {
		t.Log(l.text)
	}
	t.Logf("in all %.0f bytes a delivery; a receipt with its record has %.0f", whole, receipt)
	return whole, receipt
}
