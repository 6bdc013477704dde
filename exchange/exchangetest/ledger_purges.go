package exchangetest

import (
	"pgregory.net/rapid"

	"tram/exchange"
)

// purging is a change that purges packages, and the action that did it.
func (s *Samples) purging(list ...exchange.Package) exchange.Change {
	a := s.Action("purge", "package")
	c := exchange.Change{Actions: []exchange.Action{a}}
	for _, p := range list {
		c.Purges = append(c.Purges, exchange.Erasure{Package: p.ID, At: a.Time, Action: a.ID})
	}
	return c
}

// purgedBy is what a package is after a change.
func purgedBy(c exchange.Change, p exchange.Package) exchange.Package {
	return p.Purge(exchange.Purge{At: c.Purges[0].At, Action: c.Purges[0].Action})
}

// wordy is a package with all the words that one can have.
func (s *Samples) wordy(document string) exchange.Package {
	p := s.Submission("H12.01", document, "H12.02", "H12.03")
	p.Number, p.Notation, p.PromulgationDate, p.TypeName, p.Subject = "77", "KHO-SG", "2026/11/20", "Công điện", "Về việc kho số chín"
	p.Signature = &exchange.Signature{Method: "rsa", Subject: "CN=Sở Tài chính", Serial: "7", Certificate: exchange.Digest{3}}
	p.Attachments = []exchange.Attachment{{Name: "Sơ đồ kho.pdf", ContentID: "cid-1", ContentType: "application/pdf", Size: 3, Digest: exchange.Digest{1, 2}}}
	p.Scan = &exchange.Scan{State: exchange.ScanFound, Found: []string{"Sơ đồ kho.pdf: Test"}, At: p.AcceptedAt}
	return p
}

func (t *ledgerTest) purges() {
	var all []exchange.Package
	for _, document := range []string{"d0", "d1", "d2"} {
		p := t.wordy(document)
		t.mustAccept(p)
		all = append(all, p)
	}
	status := t.Submission("H12.02", "", "H12.01")
	status.Kind = exchange.KindStatus
	status.Status = &exchange.StatusMessage{Code: "03", To: "H12.01", DocumentID: "d1", Notation: "77/KHO-SG", Date: "2026/11/20", Description: "đã xem sơ đồ"}
	t.mustAccept(status)
	all = append(all, status)
	t.consign(all[1])
	receipts := must2(t.Receipts(t.Context(), all[1].ID))

	t.mustUpdate(t.erasing(all[2]), nil) // one that was erased before is purged too
	c := t.purging(all[1], all[2], all[3])
	t.mustUpdate(c, nil)
	t.mustBePurged(c, all)
	for _, again := range []exchange.Change{t.purging(all[1]), t.purging(all[0], all[0]), t.purging(all[0], all[1]), t.purging(exchange.Package{ID: "0197a1b2-0000-7000-8000-000000000000"})} {
		if err := t.Update(t.Context(), again); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("purging %v: %v, want a conflict", again.Purges, err)
		}
	}
	t.mustBePurged(c, all)
	t.Ledger = t.open()
	t.mustBePurged(c, all)
	t.equal("the receipts", must2(t.Receipts(t.Context(), all[1].ID)), receipts)
	again := t.Again(all[1])
	first, before, err := t.Accept(t.Context(), again, t.Acceptance(again))
	if err != nil || !before || first.ID != receipts[0].ID {
		t.Errorf("a resubmission of what was purged gets %s, %t, %v", first.ID, before, err)
	}
}

// mustBePurged expects the packages but the first to be what the purge leaves.
func (t *ledgerTest) mustBePurged(c exchange.Change, all []exchange.Package) {
	t.Helper()
	t.equal("a package beside", must2(t.Package(t.Context(), all[0].ID)), all[0])
	for _, p := range all[1:] {
		t.equal("a purged package", must2(t.Package(t.Context(), p.ID)), purgedBy(c, p))
		t.equal("whether content is held", must2(t.HoldsContent(t.Context(), p.Digest)), false)
		if _, err := t.Erasure(t.Context(), p.ID); err != nil {
			t.Errorf("a purged package was not erased: %v", err)
		}
	}
	for _, text := range []string{"kho", "KHO-SG", "77", "công điện", `"77/KHO-SG"`, "xem"} {
		var found []exchange.PackageID
		for _, f := range must2(AllFound(t.Context(), t.Ledger, exchange.Search{All: true, Text: text}, 10)) {
			found = append(found, f.Package.ID)
		}
		want := []exchange.PackageID{all[0].ID}
		if text == "xem" {
			want = nil
		}
		t.equal("what is found by "+text, found, want)
	}
	for _, text := range []string{"d1", string(all[1].ID), all[1].Digest.String()} {
		if found := must2(AllFound(t.Context(), t.Ledger, exchange.Search{All: true, Text: text, Sender: "H12.01"}, 10)); len(found) != 1 {
			t.Errorf("%q finds %d packages, want the purged one", text, len(found))
		}
	}
}

// purge purges a package, sometimes one that was purged before.
func (m *model) purge(r *rapid.T) {
	if len(m.packages) == 0 {
		r.Skip("no package yet")
	}
	n := rapid.IntRange(0, len(m.packages)-1).Draw(r, "package")
	c := m.purging(m.packages[n])
	err := m.ledger.Update(m.test.Context(), c)
	if m.packages[n].Purged != nil {
		if exchange.CodeOf(err) != exchange.Conflict {
			r.Fatalf("purging again: %v, want a conflict", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	m.packages[n] = purgedBy(c, m.packages[n])
	m.leaves = append(m.leaves, c.Entries()...)
}
