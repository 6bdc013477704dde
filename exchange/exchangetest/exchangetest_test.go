package exchangetest_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/exchange"
	"tram/exchange/exchangetest"
)

type stores struct {
	dir    string
	ledger *bolt.Ledger
	vault  *disk.Vault
}

func newStores(t *testing.T) *stores {
	t.Helper()
	s := &stores{dir: t.TempDir()}
	if err := errors.Join(bolt.Create(filepath.Join(s.dir, "ledger")), disk.Create(filepath.Join(s.dir, "vault"))); err != nil {
		t.Fatal(err)
	}
	s.open(t)
	t.Cleanup(func() {
		if err := errors.Join(s.ledger.Close(), s.vault.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *stores) open(t *testing.T) {
	t.Helper()
	var err, vaultErr error
	s.ledger, err = bolt.Open(filepath.Join(s.dir, "ledger"), bolt.Options{})
	s.vault, vaultErr = disk.Open(filepath.Join(s.dir, "vault"), disk.Options{})
	if err := errors.Join(err, vaultErr); err != nil {
		t.Fatal(err)
	}
}

// submit is the outline of what the exchange does with a package.
func submit(ctx context.Context, l exchange.Ledger, v exchange.Vault, s *exchangetest.Samples, p exchange.Package) error {
	d, err := v.Create(ctx)
	if err != nil {
		return err
	}
	defer d.Discard()
	b := []byte("bytes of " + p.DocumentID)
	if _, err := d.Write(b); err != nil {
		return err
	}
	if p.Digest, err = d.Keep(); err != nil {
		return err
	}
	p.Size = int64(len(b))
	_, _, err = l.Accept(ctx, p, s.Acceptance(p))
	return err
}

// consign and answer do what is left to do, so that both can be repeated.
func consign(ctx context.Context, l exchange.Ledger, s *exchangetest.Samples, id exchange.PackageID) error {
	return each(ctx, l, id, exchange.Queued, s.Consign)
}

func answer(ctx context.Context, l exchange.Ledger, s *exchangetest.Samples, id exchange.PackageID) error {
	return each(ctx, l, id, exchange.Consigned, func(d exchange.Delivery) (exchange.Change, error) {
		return s.Answer(d, []exchange.Outcome{exchange.AnswerAccepted, exchange.AnswerRefused}[d.Index%2])
	})
}

func each(ctx context.Context, l exchange.Ledger, id exchange.PackageID, in exchange.State,
	move func(exchange.Delivery) (exchange.Change, error)) error {
	deliveries, err := l.DeliveriesOf(ctx, id)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		if d.State != in {
			continue
		}
		c, err := move(d)
		if err == nil {
			err = l.Update(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEachFaultOfASubmission(t *testing.T) {
	var seen []string
	exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
		ctx, s, st := t.Context(), exchangetest.NewSamples(), newStores(t)
		p := s.Submission("H12.01", "d1", "H12.02", "H12.03")
		l, v := f.Ledger(st.ledger), f.Vault(st.vault)
		err := submit(ctx, l, v, s, p)
		if err == nil {
			err = consign(ctx, l, s, p.ID)
		}
		if err != nil && !errors.Is(err, exchangetest.ErrInjected) {
			t.Fatal(err)
		}
		seen = f.Calls()
		if err := errors.Join(st.ledger.Close(), st.vault.Close()); err != nil {
			t.Fatal(err)
		}
		st.open(t)
		again := s.Again(p)
		if err := submit(ctx, st.ledger, st.vault, s, again); err != nil {
			t.Fatal(err)
		}
		first, err := st.ledger.FirstReceipt(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(consign(ctx, st.ledger, s, first.Package), answer(ctx, st.ledger, s, first.Package)); err != nil {
			t.Fatal(err)
		}
		if err := exchangetest.Check(ctx, st.ledger, st.vault, nil); err != nil {
			t.Error(err)
		}
		if n, _ := st.ledger.LogSize(ctx); n != 5 {
			t.Errorf("the log has %d leaves, want 5: accepted, twice consigned, twice answered", n)
		}
	})
	want := []string{"Vault.Create", "Draft.Write", "Draft.Keep", "Ledger.Accept", "Ledger.DeliveriesOf", "Ledger.Update", "Ledger.Update"}
	if !slices.Equal(seen, want) { // the last run fails after the last call
		t.Errorf("calls: %v, want %v", seen, want)
	}
}

func TestFaultsFailOneCallOnOneSide(t *testing.T) {
	ctx, s := t.Context(), exchangetest.NewSamples()
	for _, when := range []exchangetest.When{exchangetest.Before, exchangetest.After} {
		st := newStores(t)
		f := exchangetest.NewFaults(2, when)
		l := f.Ledger(st.ledger)
		if err := submit(ctx, l, st.vault, s, s.Submission("A", "d1", "B")); err != nil {
			t.Fatal(err)
		}
		p := s.Submission("A", "d2", "B")
		if err := submit(ctx, l, st.vault, s, p); !errors.Is(err, exchangetest.ErrInjected) || exchange.CodeOf(err) != exchange.Internal {
			t.Errorf("%s: %v", when, err)
		}
		_, err := l.Package(ctx, p.ID)
		if kept := err == nil; kept != (when == exchangetest.After) || !f.Happened() {
			t.Errorf("failed %s its work: kept %v (%v)", when, kept, err)
		}
	}
}

// altered is a ledger that tells something wrong.
type altered struct {
	exchange.Ledger
	receipts func([]exchange.Receipt) []exchange.Receipt
	entries  func([][]byte) [][]byte
	counts   func(map[exchange.State]int64)
	inbox    func([]exchange.Delivery) []exchange.Delivery
	due      func([]exchange.Delivery) []exchange.Delivery
	packages func([]exchange.Package)
	of       func([]exchange.Delivery) []exchange.Delivery
	actions  func([]exchange.Action) []exchange.Action
}

func (a altered) Actions(ctx context.Context, cursor string, limit int) ([]exchange.Action, string, error) {
	list, next, err := a.Ledger.Actions(ctx, cursor, limit)
	if a.actions != nil {
		list = a.actions(list)
	}
	return list, next, err
}

func (a altered) Receipts(ctx context.Context, id exchange.PackageID) ([]exchange.Receipt, error) {
	list, err := a.Ledger.Receipts(ctx, id)
	if a.receipts != nil {
		list = a.receipts(list)
	}
	return list, err
}

func (a altered) LogEntries(ctx context.Context, from, to int64) ([][]byte, error) {
	list, err := a.Ledger.LogEntries(ctx, from, to)
	if a.entries != nil {
		list = a.entries(list)
	}
	return list, err
}

func (a altered) Counts(ctx context.Context) (map[exchange.State]int64, error) {
	m, err := a.Ledger.Counts(ctx)
	if a.counts != nil {
		a.counts(m)
	}
	return m, err
}

func (a altered) Inbox(ctx context.Context, agency, cursor string, limit int) ([]exchange.Delivery, string, error) {
	list, next, err := a.Ledger.Inbox(ctx, agency, cursor, limit)
	if a.inbox != nil {
		list = a.inbox(list)
	}
	return list, next, err
}

func (a altered) Due(ctx context.Context, at time.Time, limit int) ([]exchange.Delivery, error) {
	list, err := a.Ledger.Due(ctx, at, limit)
	if a.due != nil {
		list = a.due(list)
	}
	return list, err
}

func (a altered) Packages(ctx context.Context, q exchange.PackageQuery) ([]exchange.Package, string, error) {
	list, next, err := a.Ledger.Packages(ctx, q)
	if a.packages != nil {
		a.packages(list)
	}
	return list, next, err
}

func (a altered) DeliveriesOf(ctx context.Context, id exchange.PackageID) ([]exchange.Delivery, error) {
	list, err := a.Ledger.DeliveriesOf(ctx, id)
	if a.of != nil {
		list = a.of(list)
	}
	return list, err
}

func without(e exchange.Event) func([]exchange.Receipt) []exchange.Receipt {
	return func(list []exchange.Receipt) []exchange.Receipt {
		return slices.DeleteFunc(list, func(r exchange.Receipt) bool { return r.Event == e })
	}
}

func twice(e exchange.Event) func([]exchange.Receipt) []exchange.Receipt {
	return func(list []exchange.Receipt) []exchange.Receipt {
		for _, r := range list {
			if r.Event == e {
				return append(list, r)
			}
		}
		return list
	}
}

func TestCheckNoticesWhatIsWrong(t *testing.T) {
	ctx, s, st := t.Context(), exchangetest.NewSamples(), newStores(t)
	var last exchange.Package
	for _, d := range []string{"d1", "d2", "d3"} {
		last = s.Submission("H12.01", d, "H12.02", "H12.03")
		if err := errors.Join(submit(ctx, st.ledger, st.vault, s, last), consign(ctx, st.ledger, s, last.ID)); err != nil {
			t.Fatal(err)
		}
		if d == "d1" {
			if err := answer(ctx, st.ledger, s, last.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	refusal := exchange.Change{Receipts: []exchange.Receipt{s.Evidence(exchange.SubmissionRejection, "", "")},
		Actions: []exchange.Action{s.Action("hold", "x")}}
	if err := st.ledger.Update(ctx, refusal); err != nil {
		t.Fatal(err)
	}
	sealed := 0
	verify := func(raw []byte) error { sealed++; return nil }
	if err := exchangetest.Check(ctx, st.ledger, st.vault, verify); err != nil || sealed != 12 {
		t.Fatalf("with nothing wrong, and %d receipts verified: %v", sealed, err)
	}
	drop := func(list []exchange.Delivery) []exchange.Delivery { return list[:max(0, len(list)-1)] }
	oldest := func(list []exchange.Delivery) []exchange.Delivery { // as if the limit were of all recipients together
		if len(list) == 2 {
			list = list[:1]
		}
		return list
	}
	for word, a := range map[string]altered{
		"receipts of its acceptance":                                 {receipts: without(exchange.SubmissionAcceptance)},
		"2 receipts of its acceptance":                               {receipts: twice(exchange.SubmissionAcceptance)},
		"with 0 receipts of that":                                    {receipts: without(exchange.ContentConsignment)},
		"with final receipts []":                                     {receipts: without(exchange.ContentHandover)},
		"final receipts [ConsignmentRejection ConsignmentRejection]": {receipts: twice(exchange.ConsignmentRejection)},
		"the root of the log":                                        {entries: func(l [][]byte) [][]byte { l[3] = []byte("{}"); return l }},
		"leaves and says":                                            {entries: func(l [][]byte) [][]byte { return l[1:] }},
		"are counted as consigned":                                   {counts: func(m map[exchange.State]int64) { m[exchange.Consigned]++ }},
		"the inbox of":                                               {inbox: drop},
		"are listed as due":                                          {due: drop},
		"the first is listed as due":                                 {due: oldest},
		"the bytes of package":                                       {packages: func(l []exchange.Package) { l[0].Digest[3]++ }},
		"bytes with digest":                                          {packages: func(l []exchange.Package) { l[0].Size++ }},
		"recipients and":                                             {of: drop},
		"is not the one to recipient":                                {of: func(l []exchange.Delivery) []exchange.Delivery { l[0].Recipient = "x"; return l }},
		"the action of leaf 12 is not listed":                        {actions: func([]exchange.Action) []exchange.Action { return nil }},
		"and action":                                                 {actions: func(l []exchange.Action) []exchange.Action { l[0].Reason = "x"; return l }},
		"leaf 12 is recorded twice":                                  {actions: func(l []exchange.Action) []exchange.Action { return append(l, l[0]) }},
		"and receipt":                                                {receipts: func(l []exchange.Receipt) []exchange.Receipt { l[0].Raw = []byte("x"); return l }},
	} {
		a.Ledger = st.ledger
		if err := exchangetest.Check(ctx, a, st.vault, nil); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("want a word on %q, got: %v", word, err)
		}
	}
	broken := errors.New("broken seal")
	if err := exchangetest.Check(ctx, st.ledger, st.vault, func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("a broken seal: %v", err)
	}
}
