package exchangetest

import (
	"context"
	"fmt"

	"tram/exchange"
)

func allOrphans(ctx context.Context, l exchange.Ledger, limit int) (all []exchange.Package, err error) {
	for cursor := ""; ; {
		list, next, err := l.Orphans(ctx, cursor, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

func (t *ledgerTest) parked(what string, want ...exchange.Package) {
	t.Helper()
	for _, limit := range []int{1, 2, 100} {
		list, err := allOrphans(t.Context(), t.Ledger, limit)
		t.equal(what, must(t, list, err), want)
	}
	n, err := t.OrphanCount(t.Context())
	t.equal(what+", counted", must(t, n, err), int64(len(want)))
}

func (t *ledgerTest) orphans() {
	t.parked("nothing")
	t.mustAccept(t.Submission("H12.01", "d", "H12.02"))
	var all []exchange.Package
	for n := range 5 {
		p := t.Submission("H12.02", "", "H12.01")
		p.Kind, p.Status = exchange.KindStatus, &exchange.StatusMessage{Code: "03", To: "H12.01", DocumentID: fmt.Sprint("d", n)}
		c := t.Acceptance(p)
		c.Parked = []exchange.PackageID{p.ID}
		if _, again, err := t.Accept(t.Context(), p, c); err != nil || again {
			t.Fatalf("accepting a status: again %t, %v", again, err)
		}
		all = append(all, p)
	}
	t.parked("all", all...)

	t.mustUpdate(exchange.Change{Matched: []exchange.PackageID{all[1].ID, all[3].ID}}, nil)
	t.parked("what is left", all[0], all[2], all[4])
	for _, ids := range [][]exchange.PackageID{{all[0].ID, all[1].ID}, {all[0].ID, all[0].ID}} {
		if err := t.Update(t.Context(), exchange.Change{Matched: ids}); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("matching %v: %v, want a conflict", ids, err)
		}
	}
	t.Ledger = t.open()
	t.parked("what is left after a restart", all[0], all[2], all[4])
	t.mustUpdate(exchange.Change{Matched: []exchange.PackageID{all[0].ID, all[2].ID, all[4].ID}}, nil)
	t.parked("nothing is left")
}
