package exchangetest

import (
	"fmt"
	"slices"
	"time"

	"tram/exchange"
)

// Doubt is what an acceptance of p writes if nothing is known of its
// certificate's revocation.
func (s *Samples) Doubt(p exchange.Package) exchange.Recheck {
	unknown := exchange.RevocationFinding{State: exchange.RevocationUnknown, Source: "http://ca.example/crl", CheckedAt: p.AcceptedAt, Reason: "no answer"}
	return exchange.Recheck{ID: string(p.ID), Package: p.ID, At: p.AcceptedAt, Next: p.AcceptedAt, Chain: [][]byte{{1, 2}, {3}},
		Signature: exchange.Signature{Method: "urn:x", Certificate: exchange.Digest{1}, Subject: "CN=x", Matched: exchange.MatchedRegistered, Revocation: unknown}}
}

// Establish is the change by which something is known in the end.
func (s *Samples) Establish(r exchange.Recheck, state exchange.RevocationState) exchange.Change {
	_, at := s.id()
	r.Known, r.Next, r.Chain = exchange.RevocationFinding{State: state, CheckedAt: at, ThisUpdate: at}, time.Time{}, nil
	return exchange.Change{Rechecks: []exchange.Recheck{r}, Receipts: []exchange.Receipt{s.Evidence(exchange.RevocationEstablished, r.Package, r.Delivery)}}
}

// unknown accepts a package with nothing known of its certificate's revocation.
func (t *ledgerTest) unknown(document string) exchange.Recheck {
	t.Helper()
	p := t.Submission("H12.01", document, "H12.02")
	c, r := t.Acceptance(p), t.Doubt(p)
	c.Rechecks = []exchange.Recheck{r}
	if _, again, err := t.Accept(t.Context(), p, c); err != nil || again {
		t.Fatalf("accepting %s: again %v, %v", p.ID, again, err)
	}
	r.Version = 1
	got, err := t.Ledger.Recheck(t.Context(), r.ID)
	t.equal("what is to be asked again", must(t, got, err), r)
	return r
}

func (t *ledgerTest) dueRechecks(what string, at time.Time, limit int, want ...exchange.Recheck) {
	t.Helper()
	list, err := t.RechecksDue(t.Context(), at, limit)
	t.equal(what, must(t, list, err), want)
}

func (t *ledgerTest) rechecks() {
	far := t.start.Add(1000 * time.Hour)
	var all []exchange.Recheck
	for n := range 5 {
		all = append(all, t.unknown(fmt.Sprint("d", n)))
	}
	t.dueRechecks("all", far, 100, all...)
	t.dueRechecks("the longest due", far, 2, all[:2]...)
	t.dueRechecks("by the third's time", all[2].Next, 100, all[:3]...)
	t.dueRechecks("before the third's time", all[2].Next.Add(-1), 100, all[:2]...)

	all[0].Tries, all[0].Next = 1, far // asked in vain
	t.mustUpdate(exchange.Change{Rechecks: all[:1]}, nil)
	all[0].Version++
	t.dueRechecks("after the first was put off", far, 100, append(slices.Clone(all[1:]), all[0])...)

	t.mustUpdate(t.Establish(all[1], exchange.RevocationGood), nil)
	t.mustUpdate(t.Establish(all[2], exchange.RevocationRevoked), nil)
	open := []exchange.Recheck{all[3], all[4], all[0]}
	t.dueRechecks("those still open", far, 100, open...)
	n, err := t.RechecksOpen(t.Context())
	t.equal("how many are open", must(t, n, err), int64(3))
	known, err := t.Ledger.Recheck(t.Context(), all[2].ID)
	if must(t, known, err).Known.State != exchange.RevocationRevoked || known.Open() || known.Version != 2 {
		t.Errorf("what is known is kept as %+v", known)
	}
	t.Ledger = t.open()
	t.dueRechecks("those still open after a restart", far, 100, open...)
	_, err = t.Ledger.Recheck(t.Context(), "none")
	t.code(err, exchange.NotFound)
}

func (t *ledgerTest) recheckVersions() {
	r := t.unknown("d1")
	before := t.snapshot()
	stale := r
	stale.Version = 0
	p := t.Submission("H12.01", "d2", "H12.02")
	for name, c := range map[string]exchange.Change{
		"another version": t.Establish(stale, exchange.RevocationGood),
		"twice at once":   {Rechecks: []exchange.Recheck{r, r}, Receipts: []exchange.Receipt{t.Evidence(exchange.RevocationEstablished, r.Package, "")}},
	} {
		if err := t.Update(t.Context(), c); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	c := t.Acceptance(p)
	c.Rechecks = []exchange.Recheck{stale} // of another package, there already
	if _, _, err := t.Accept(t.Context(), p, c); exchange.CodeOf(err) != exchange.Conflict {
		t.Errorf("an acceptance with what is there already: %v", err)
	}
	t.unchanged(before)
	got, err := t.Ledger.Recheck(t.Context(), r.ID)
	t.equal("what is to be asked again", must(t, got, err), r)
	t.dueRechecks("due", r.Next, 100, r)

	again := t.Again(must2(t.Package(t.Context(), r.Package))) // a resubmission adds nothing
	c = t.Acceptance(again)
	c.Rechecks = []exchange.Recheck{t.Doubt(again)}
	if _, known, err := t.Accept(t.Context(), again, c); err != nil || !known {
		t.Errorf("a resubmission: %v, %v", known, err)
	}
	t.dueRechecks("due after a resubmission", r.Next.Add(time.Hour), 100, r)
}

func (t *ledgerTest) subjects() {
	rule := func(pairs ...string) exchange.SubjectRule {
		var r exchange.SubjectRule
		for i := 0; i < len(pairs); i += 2 {
			r.Subject = append(r.Subject, exchange.Attribute{Type: pairs[i], Value: pairs[i+1]})
		}
		return r
	}
	agencies := []exchange.Agency{
		{Code: "A", SubjectRules: []exchange.SubjectRule{rule("O", "Sở", "SERIALNUMBER", "1"), rule("SERIALNUMBER", "1", "C", "VN")}},
		{Code: "B", SubjectRules: []exchange.SubjectRule{rule("O", "Sở")}},
		{Code: "C", SubjectRules: []exchange.SubjectRule{rule("O", "Sở"), rule("O", "Sở Y tế")}},
		{Code: "D"},
	}
	t.mustUpdate(exchange.Change{Agencies: agencies}, nil)
	found := func(attributes ...exchange.Attribute) []string {
		list, err := t.AgenciesBySubject(t.Context(), attributes)
		codes := ids(must(t, list, err), func(a exchange.Agency) string { return a.Code })
		slices.Sort(codes)
		return codes
	}
	serial, office, part := exchange.Attribute{Type: "SERIALNUMBER", Value: "1"}, exchange.Attribute{Type: "O", Value: "Sở"}, exchange.Attribute{Type: "O", Value: "Sở Y"}
	t.equal("by serial number", found(serial), []string{"A"})
	t.equal("by organisation", found(office), []string{"B", "C"})
	t.equal("by both", found(office, serial, exchange.Attribute{Type: "O", Value: "Sở Y tế"}), []string{"A", "B", "C"})
	t.equal("by a part of a value", found(part, exchange.Attribute{Type: "SERIALNUMBER"}), []string{})
	t.equal("by nothing", found(), []string{})
	got, err := t.AgenciesBySubject(t.Context(), []exchange.Attribute{serial})
	agencies[0].Version = 1
	t.equal("the agency as it is kept", must(t, got, err), agencies[:1])

	agencies[0].SubjectRules = agencies[0].SubjectRules[:0]
	t.mustUpdate(exchange.Change{Agencies: agencies[:1]}, nil)
	t.equal("after its rules were dropped", found(serial), []string{})
	t.Ledger = t.open()
	t.equal("after a restart", found(office), []string{"B", "C"})
}
