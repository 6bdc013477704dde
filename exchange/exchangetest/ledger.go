package exchangetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tram/exchange"
)

// CreateLedger makes an empty ledger, and returns what opens it: each call closes
// the one opened before and opens the ledger again, as a restart does. The last
// one is closed at the test's end.
type CreateLedger func(t *testing.T) (open func() exchange.Ledger)

// TestLedger holds a ledger against its contract.
func TestLedger(t *testing.T, create CreateLedger) {
	for name, test := range map[string]func(*ledgerTest){
		"a package is accepted with all that belongs to it":       (*ledgerTest).accept,
		"a resubmission gets the first receipt":                   (*ledgerTest).resubmit,
		"a used identifier with other content is a duplicate":     (*ledgerTest).duplicate,
		"kinds that are not exclusive repeat an identifier":       (*ledgerTest).notExclusive,
		"an acceptance is kept whole or not at all":               (*ledgerTest).acceptAllOrNothing,
		"a change to another version is a conflict":               (*ledgerTest).versions,
		"an update is kept whole or not at all":                   (*ledgerTest).updateAllOrNothing,
		"what is not there is not found":                          (*ledgerTest).notFound,
		"nothing is shared with the caller":                       (*ledgerTest).copies,
		"a reopened ledger holds the same":                        (*ledgerTest).reopen,
		"packages are listed from the newest":                     (*ledgerTest).packages,
		"deliveries are listed by every question":                 (*ledgerTest).deliveries,
		"an inbox shows urgent ones first, then the oldest":       (*ledgerTest).inbox,
		"what is due is listed by its time":                       (*ledgerTest).due,
		"a recipient with thousands due does not hide another":    (*ledgerTest).dueOfMany,
		"packages are found by all that is known of them":         (*ledgerTest).search,
		"the oldest of each recipient is found":                   (*ledgerTest).oldest,
		"states are counted":                                      (*ledgerTest).counts,
		"agencies are found by code, alias and certificate":       (*ledgerTest).agencies,
		"codes and certificates belong to one agency":             (*ledgerTest).taken,
		"codes move from one agency to another":                   (*ledgerTest).moved,
		"agencies are found by attributes of their rules":         (*ledgerTest).subjects,
		"what is open to be asked again is listed by its time":    (*ledgerTest).rechecks,
		"what is asked again is kept whole or not at all":         (*ledgerTest).recheckVersions,
		"systems and users are kept":                              (*ledgerTest).systems,
		"receipts and actions are leaves in their order":          (*ledgerTest).log,
		"receipts wait for time-stamps until they have them":      (*ledgerTest).timeStamps,
		"erased packages hold no content and stay on record":      (*ledgerTest).erasures,
		"purged packages have no words and stay on record":        (*ledgerTest).purges,
		"statuses without a document are parked until they match": (*ledgerTest).orphans,
		"actions are listed from the newest, with their leaves":   (*ledgerTest).actions,
		"proofs of the log hold for a second implementation":      (*ledgerTest).proofs,
		"of many equal submissions one is accepted":               (*ledgerTest).raceResubmit,
		"of many with one identifier one is accepted":             (*ledgerTest).raceDuplicate,
		"of many changes to one version one is kept":              (*ledgerTest).raceVersions,
		"refused writes do not disturb those beside them":         (*ledgerTest).raceRefused,
		"readers see whole writes and only durable leaves":        (*ledgerTest).raceReaders,
		"a context that has ended ends the call":                  (*ledgerTest).cancelled,
		"a backup is written while the ledger is in use":          (*ledgerTest).backup,
		"many recipients are kept at once":                        (*ledgerTest).broadcast,
		"deadlines, states and names may be anything well-formed": (*ledgerTest).oddValues,
	} {
		t.Run(name, func(t *testing.T) {
			open := create(t)
			test(&ledgerTest{T: t, open: open, Ledger: open(), Samples: NewSamples()})
		})
	}
	t.Run("any sequence of writes agrees with a simple model", func(t *testing.T) { testModel(t, create) })
}

// ledgerTest is one test with its ledger.
type ledgerTest struct {
	*testing.T
	exchange.Ledger
	*Samples
	open func() exchange.Ledger
}

// equal compares as the ledger may keep it: times by their instant, empty lists
// like missing ones.
func (t *ledgerTest) equal(what string, got, want any) {
	t.Helper()
	if diff := diff(got, want); diff != "" {
		t.Errorf("%s (-got +want):\n%s", what, diff)
	}
}

func diff(got, want any) string { return cmp.Diff(got, want, cmpopts.EquateEmpty()) }

func (t *ledgerTest) code(err error, want exchange.Code) {
	t.Helper()
	if got := exchange.CodeOf(err); got != want {
		t.Errorf("got code %q (%v), want %q", got, err, want)
	}
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustAccept accepts a package and returns it with its change.
func (t *ledgerTest) mustAccept(p exchange.Package) exchange.Change {
	t.Helper()
	c := t.Acceptance(p)
	r, again, err := t.Accept(t.Context(), p, c)
	if err != nil || again {
		t.Fatalf("accepting %s: again %v, %v", p.ID, again, err)
	}
	if r.ID != c.Receipts[0].ID || !bytes.Equal(r.Raw, c.Receipts[0].Raw) {
		t.Fatalf("accepting %s returned receipt %s, want %s", p.ID, r.ID, c.Receipts[0].ID)
	}
	return c
}

func (t *ledgerTest) mustUpdate(c exchange.Change, err error) {
	t.Helper()
	if err == nil {
		err = t.Update(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Receipts {
		kept, err := t.Receipt(t.Context(), r.ID)
		t.equal("receipt "+string(r.ID), must(t, kept, err), r)
	}
}

func (t *ledgerTest) deliveriesOf(p exchange.Package) []exchange.Delivery {
	t.Helper()
	list, err := t.DeliveriesOf(t.Context(), p.ID)
	return must(t, list, err)
}

// consign moves every delivery of a package into its inbox.
func (t *ledgerTest) consign(p exchange.Package) []exchange.Delivery {
	t.Helper()
	for _, d := range t.deliveriesOf(p) {
		t.mustUpdate(t.Consign(d))
	}
	return t.deliveriesOf(p)
}

// snapshot is all that a ledger tells, to find out whether anything changed.
type snapshot struct {
	Packages   []exchange.Package
	Deliveries []exchange.Delivery
	Receipts   []exchange.Receipt
	Unstamped  []exchange.Receipt
	Agencies   []exchange.Agency
	Systems    []exchange.System
	Users      []exchange.User
	Actions    []exchange.Action
	Counts     map[exchange.State]int64
	Leaves     []string
}

func (t *ledgerTest) snapshot() snapshot {
	t.Helper()
	s, err := takeSnapshot(t.Context(), t.Ledger)
	return must(t, s, err)
}

func (t *ledgerTest) unchanged(before snapshot) {
	t.Helper()
	t.equal("the ledger after what should write nothing", t.snapshot(), before)
}

func (t *ledgerTest) accept() {
	p := t.Submission("H12.01", "d1", "H12.02", "H12.03")
	c := t.mustAccept(p)
	got, err := t.Package(t.Context(), p.ID)
	t.equal("package", must(t, got, err), p)
	for i := range c.Deliveries {
		c.Deliveries[i].Version = 1
	}
	list, err := t.DeliveriesOf(t.Context(), p.ID)
	t.equal("deliveries", must(t, list, err), c.Deliveries)
	receipts, err := t.Receipts(t.Context(), p.ID)
	t.equal("receipts", must(t, receipts, err), c.Receipts)
	first, err := t.FirstReceipt(t.Context(), t.Again(p))
	t.equal("first receipt", must(t, first, err), c.Receipts[0])
	r, err := t.Receipt(t.Context(), c.Receipts[0].ID)
	t.equal("receipt", must(t, r, err), c.Receipts[0])
}

func (t *ledgerTest) resubmit() {
	p := t.Submission("H12.01", "d1", "H12.02")
	first := t.mustAccept(p).Receipts[0]
	t.mustAccept(t.Submission("H12.01", "d2", "H12.02"))
	before := t.snapshot()
	again := t.Again(p)
	r, known, err := t.Accept(t.Context(), again, t.Acceptance(again))
	if !known {
		t.Errorf("a resubmission was taken for a new package")
	}
	t.equal("the receipt of a resubmission", must(t, r, err), first)
	t.unchanged(before)
	t.Ledger = t.open()
	r, known, err = t.Accept(t.Context(), again, t.Acceptance(again))
	if !known {
		t.Errorf("a resubmission after a restart was taken for a new package")
	}
	t.equal("the receipt of a resubmission after a restart", must(t, r, err), first)
}

func (t *ledgerTest) duplicate() {
	p := t.Submission("H12.01", "d1", "H12.02")
	t.mustAccept(p)
	before := t.snapshot()
	other := t.Submission("H12.01", "d1", "H12.02")
	for _, kind := range []exchange.Kind{exchange.KindNew, exchange.KindReplace} {
		other.Kind = kind
		_, _, err := t.Accept(t.Context(), other, t.Acceptance(other))
		t.code(err, exchange.Duplicate)
		var e *exchange.Error
		if errors.As(err, &e) && !slices.Contains(e.Args, any(p.ID)) {
			t.Errorf("the refusal %v does not name the first package %s", err, p.ID)
		}
	}
	_, err := t.FirstReceipt(t.Context(), other)
	t.code(err, exchange.NotFound)
	t.unchanged(before)
	t.mustAccept(t.Submission("H12.09", "d1", "H12.02")) // another sender's own d1
}

func (t *ledgerTest) notExclusive() {
	t.mustAccept(t.Submission("H12.01", "d1", "H12.02"))
	for _, kind := range []exchange.Kind{exchange.KindRecall, exchange.KindUpdate, exchange.KindUpdate} {
		p := t.Submission("H12.01", "d1", "H12.02")
		p.Kind = kind
		t.mustAccept(p)
	}
	for range 3 {
		p := t.Submission("H12.01", "", "H12.02")
		p.Kind = exchange.KindStatus
		t.mustAccept(p)
		first, err := t.FirstReceipt(t.Context(), p)
		first = must(t, first, err)
		again := t.Again(p)
		r, known, err := t.Accept(t.Context(), again, t.Acceptance(again))
		if !known {
			t.Errorf("a repeated status was taken for a new one")
		}
		t.equal("the receipt of a repeated status", must(t, r, err), first)
	}
}

func (t *ledgerTest) acceptAllOrNothing() {
	p := t.Submission("H12.01", "d1", "H12.02")
	first := t.mustAccept(p)
	before := t.snapshot()
	for name, change := range map[string]func(*exchange.Package, *exchange.Change){
		"a known package":      func(q *exchange.Package, _ *exchange.Change) { q.ID = p.ID },
		"a known receipt":      func(_ *exchange.Package, c *exchange.Change) { c.Receipts[0].ID = first.Receipts[0].ID },
		"a known delivery":     func(_ *exchange.Package, c *exchange.Change) { c.Deliveries = first.Deliveries },
		"a delivery's version": func(_ *exchange.Package, c *exchange.Change) { c.Deliveries[1].Version = 1 },
		"a delivery twice":     func(_ *exchange.Package, c *exchange.Change) { c.Deliveries[1] = c.Deliveries[0] },
		"a receipt twice":      func(_ *exchange.Package, c *exchange.Change) { c.Receipts = append(c.Receipts, c.Receipts[0]) },
	} {
		q := t.Submission("H12.01", "d2", "H12.02", "H12.03")
		c := t.Acceptance(q)
		change(&q, &c)
		if _, _, err := t.Accept(t.Context(), q, c); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	t.unchanged(before)
}
