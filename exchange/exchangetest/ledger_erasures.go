package exchangetest

import (
	"context"
	"time"

	"tram/exchange"
)

func allErasable(ctx context.Context, l exchange.Ledger, before time.Time, limit int) (all []exchange.Package, err error) {
	for cursor := ""; ; {
		list, next, err := l.Erasable(ctx, before, cursor, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// erasing is a change that erases packages, and the action that did it.
func (s *Samples) erasing(list ...exchange.Package) exchange.Change {
	a := s.Action("erase", "retention")
	c := exchange.Change{Actions: []exchange.Action{a}}
	for _, p := range list {
		c.Erasures = append(c.Erasures, exchange.Erasure{Package: p.ID, At: a.Time, Action: a.ID})
	}
	return c
}

func (t *ledgerTest) erasable(what string, before time.Time, want ...exchange.Package) {
	t.Helper()
	for _, limit := range []int{1, 2, 100} {
		list, err := allErasable(t.Context(), t.Ledger, before, limit)
		t.equal(what, must(t, list, err), want)
	}
}

func (t *ledgerTest) erasures() {
	far := time.Now().Add(100 * 365 * 24 * time.Hour)
	t.erasable("nothing", far)
	var all []exchange.Package
	for _, document := range []string{"d0", "d1", "d2", "d3", "d4"} {
		p := t.Submission("H12.01", document, "H12.02")
		t.mustAccept(p)
		all = append(all, p)
	}
	t.erasable("all", far, all...)
	t.erasable("those before the third", all[2].AcceptedAt, all[:2]...)

	first := t.erasing(all[1], all[3])
	t.mustUpdate(first, nil)
	t.erasable("what is left", far, all[0], all[2], all[4])
	for i, p := range all {
		erased := i == 1 || i == 3
		held, err := t.HoldsContent(t.Context(), p.Digest)
		t.equal("whether content is held", must(t, held, err), !erased)
		e, err := t.Erasure(t.Context(), p.ID)
		if erased {
			t.equal("the erasure", must(t, e, err), exchange.Erasure{Package: p.ID, At: first.Actions[0].Time, Action: first.Actions[0].ID})
		} else if exchange.CodeOf(err) != exchange.NotFound {
			t.Errorf("the erasure of a package that has its bytes: %v", err)
		}
		got, err := t.Package(t.Context(), p.ID)
		t.equal("the package", must(t, got, err), p)
	}

	// Nothing is erased twice, or that is not there; all or nothing.
	size, err := t.LogSize(t.Context())
	size = must(t, size, err)
	for _, c := range []exchange.Change{t.erasing(all[0], all[1]), t.erasing(all[0], all[0]), t.erasing(exchange.Package{ID: "0197a1b2-0000-7000-8000-000000000000"})} {
		if err := t.Update(t.Context(), c); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("erasing %v: %v, want a conflict", c.Erasures, err)
		}
	}
	now, err := t.LogSize(t.Context())
	t.equal("the size of the log", must(t, now, err), size)
	t.erasable("what is left", far, all[0], all[2], all[4])

	t.mustUpdate(t.erasing(all[0]), nil)
	t.Ledger = t.open()
	t.erasable("what is left after a restart", far, all[2], all[4])
	t.mustUpdate(t.erasing(all[2], all[4]), nil)
	t.erasable("nothing is left", far)
	p := t.Submission("H12.01", "d5", "H12.02")
	t.mustAccept(p)
	t.erasable("what came then", far, p)
	again := t.Submission("H12.01", "d1", "H12.02") // a resubmission of what was erased
	again.Content, again.Kind = all[1].Content, all[1].Kind
	r, err := t.FirstReceipt(t.Context(), again)
	t.equal("the receipt of a resubmission", must(t, r, err).Package, all[1].ID)
}
