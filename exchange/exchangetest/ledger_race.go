package exchangetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// together runs n calls at once and returns their errors.
func together(n int, do func(n int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func (t *ledgerTest) raceResubmit() {
	p := t.Submission("H12.01", "d1", "H12.02")
	var fresh atomic.Int32
	var got sync.Map
	errs := together(16, func(int) error {
		q := t.Again(p)
		r, again, err := t.Accept(t.Context(), q, t.Acceptance(q))
		if !again {
			fresh.Add(1)
		}
		got.Store(string(r.ID)+string(r.Raw), true)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	receipts := 0
	got.Range(func(any, any) bool { receipts++; return true })
	if fresh.Load() != 1 || receipts != 1 {
		t.Errorf("%d were taken as new with %d different receipts, want one", fresh.Load(), receipts)
	}
	if list := must2(allPackages(t.Context(), t.Ledger, exchange.PackageQuery{}, 100)); len(list) != 1 {
		t.Errorf("%d packages, want 1", len(list))
	}
	if leaves := t.checkLog(); len(leaves) != 1 {
		t.Errorf("%d leaves, want 1", len(leaves))
	}
}

func (t *ledgerTest) raceDuplicate() {
	errs := together(16, func(int) error {
		p := t.Submission("H12.01", "d1", "H12.02")
		_, _, err := t.Accept(t.Context(), p, t.Acceptance(p))
		return err
	})
	t.oneOf(errs, exchange.Duplicate)
	t.checkLog()
}

func (t *ledgerTest) raceVersions() {
	p := t.Submission("H12.01", "d1", "H12.02")
	t.mustAccept(p)
	d := t.consign(p)[0]
	errs := together(16, func(n int) error {
		outcome := []exchange.Outcome{exchange.AnswerAccepted, exchange.AnswerRefused}[n%2]
		c, err := t.Answer(d, outcome)
		return errors.Join(err, t.Update(t.Context(), c))
	})
	t.oneOf(errs, exchange.Conflict)
	if leaves := t.checkLog(); len(leaves) != 3 {
		t.Errorf("%d leaves, want 3: accepted, consigned, one answer", len(leaves))
	}
}

// oneOf expects one success and the code for all others.
func (t *ledgerTest) oneOf(errs []error, code exchange.Code) {
	t.Helper()
	kept := 0
	for _, err := range errs {
		if err == nil {
			kept++
			continue
		}
		t.code(err, code)
	}
	if kept != 1 {
		t.Errorf("%d succeeded, want 1", kept)
	}
}

func (t *ledgerTest) raceRefused() {
	p := t.Submission("H12.01", "d", "H12.02")
	t.mustAccept(p)
	stale := t.deliveriesOf(p)
	stale[0].Version = 7
	errs := together(60, func(n int) error {
		switch n % 3 {
		case 0:
			return t.Update(t.Context(), exchange.Change{Deliveries: stale, Actions: []exchange.Action{t.Action("refused", "x")}})
		case 1:
			q := t.Submission("H12.01", "d", "H12.02")
			_, _, err := t.Accept(t.Context(), q, t.Acceptance(q))
			return err
		}
		q := t.Submission("H12.01", fmt.Sprint("d", n), "H12.02", "H12.03")
		_, _, err := t.Accept(t.Context(), q, t.Acceptance(q))
		return err
	})
	for n, err := range errs {
		t.code(err, []exchange.Code{exchange.Conflict, exchange.Duplicate, ""}[n%3])
	}
	if leaves := t.checkLog(); len(leaves) != 21 {
		t.Errorf("%d leaves, want 21", len(leaves))
	}
	if n := must2(t.Counts(t.Context()))[exchange.Queued]; n != 41 {
		t.Errorf("%d queued, want 41", n)
	}
}

func (t *ledgerTest) raceReaders() {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		errs := together(8, func(w int) error {
			for n := range 12 {
				p := t.Submission(fmt.Sprint("S", w), fmt.Sprint("d", n), "H12.02", "H12.03", "H12.04")
				if _, _, err := t.Accept(t.Context(), p, t.Acceptance(p)); err != nil {
					return err
				}
				// Read your own write.
				if _, err := t.Package(t.Context(), p.ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		wg.Go(func() { t.watch(stop) })
	}
	wg.Wait()
	if leaves := t.checkLog(); len(leaves) != 96 {
		t.Errorf("%d leaves, want 96", len(leaves))
	}
}

// watch reads while others write: each package with all its deliveries and its
// receipt, whose leaf is in the log; a log that only grows.
func (t *ledgerTest) watch(stop <-chan struct{}) {
	last := int64(0)
	for {
		size, err := t.LogSize(t.Context())
		if err != nil || size < last {
			t.Errorf("the log had %d leaves and has %d (%v)", last, size, err)
		}
		last = size
		if _, err := tlog.TreeHash(size, t.LogHashes(t.Context())); err != nil {
			t.Errorf("the root of %d leaves: %v", size, err)
		}
		list, _, err := t.Packages(t.Context(), exchange.PackageQuery{Limit: 3})
		if err != nil {
			t.Error(err)
		}
		for _, p := range list {
			deliveries := must2(t.DeliveriesOf(t.Context(), p.ID))
			receipts := must2(t.Receipts(t.Context(), p.ID))
			if len(deliveries) != 3 || len(receipts) != 1 {
				t.Errorf("package %s is seen with %d deliveries and %d receipts", p.ID, len(deliveries), len(receipts))
				continue
			}
			leaf, err := t.LogEntries(t.Context(), receipts[0].Leaf, receipts[0].Leaf+1)
			if err != nil || string(leaf[0]) != string(receipts[0].LogEntry().Bytes()) {
				t.Errorf("the leaf of receipt %s: %q, %v", receipts[0].ID, leaf, err)
			}
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
