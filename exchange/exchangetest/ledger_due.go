package exchangetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tram/exchange"
)

// byRecipient parts deliveries, and keeps their order.
func byRecipient(list []exchange.Delivery) map[string][]exchange.Delivery {
	parts := map[string][]exchange.Delivery{}
	for _, d := range list {
		parts[d.Recipient] = append(parts[d.Recipient], d)
	}
	return parts
}

func (t *ledgerTest) due() {
	all := t.someDeliveries()
	far := t.start.Add(1000 * time.Hour)
	for _, at := range []time.Time{t.start, all[20].DueAt(), all[20].DueAt().Add(-1), all[30].Deadline, far} {
		want := slices.DeleteFunc(slices.Clone(all), func(d exchange.Delivery) bool {
			return d.DueAt().IsZero() || d.DueAt().After(at)
		})
		got, err := t.Due(t.Context(), at, 1000)
		whole := byRecipient(must(t, got, err))
		t.longestFirst(at, whole)
		for _, limit := range []int{1, 2, 5} {
			few, err := t.Due(t.Context(), at, limit)
			t.someOf(fmt.Sprintf("due at %v, at most %d of each", at, limit), byRecipient(must(t, few, err)), whole, limit)
		}
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		t.equal(fmt.Sprintf("due at %v", at), got, want)
	}
	t.duePutOff(far)
}

func (t *ledgerTest) longestFirst(at time.Time, due map[string][]exchange.Delivery) {
	t.Helper()
	for recipient, list := range due {
		if !slices.IsSortedFunc(list, func(a, b exchange.Delivery) int { return a.DueAt().Compare(b.DueAt()) }) {
			t.Errorf("due to %s at %v: not the longest due first: %v", recipient, at, ids(list, deliveryID))
		}
	}
}

// someOf expects of each recipient the first that are due, as many as the limit
// lets through; among those due since the same moment any will do.
func (t *ledgerTest) someOf(what string, few, whole map[string][]exchange.Delivery, limit int) {
	t.Helper()
	t.equal("recipients "+what, slices.Sorted(maps.Keys(few)), slices.Sorted(maps.Keys(whole)))
	for recipient, list := range whole {
		list = list[:min(limit, len(list))]
		times := func(d exchange.Delivery) string { return d.DueAt().UTC().String() }
		t.equal(recipient+" "+what, ids(few[recipient], times), ids(list, times))
	}
}

func (t *ledgerTest) duePutOff(far time.Time) {
	all := must2(t.Due(t.Context(), far, 1000))
	all[0].Deadline = far.Add(time.Hour)
	if all[0].State == exchange.Queued {
		all[0].Next = all[0].Deadline
	}
	t.mustUpdate(exchange.Change{Deliveries: all[:1]}, nil)
	if got := must2(t.Due(t.Context(), far, 1000)); len(got) != len(all)-1 {
		t.Errorf("%d due after one was put off, want %d", len(got), len(all)-1)
	}
}

// dueOfMany: one recipient cannot be reached and has thousands due, longer than
// anything of those before and after it in the order of codes.
func (t *ledgerTest) dueOfMany() {
	const dead, limit = 2000, 50
	errs := together(dead, func(n int) error {
		p := t.Submission("H12.01", fmt.Sprint("dead ", n), "H12.50")
		_, _, err := t.Accept(t.Context(), p, t.Acceptance(p))
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for n, recipient := range []string{"H12.49", "H12.5", "H12.500", "H12.51", "H12.500"} {
		t.mustAccept(t.Submission("H12.01", fmt.Sprint("d", n), recipient))
	}
	due := byRecipient(must2(t.Due(t.Context(), t.start.Add(time.Hour), limit)))
	for recipient, want := range map[string]int{"H12.49": 1, "H12.5": 1, "H12.50": limit, "H12.500": 2, "H12.51": 1} {
		if len(due[recipient]) != want {
			t.Errorf("%d due to %s, want %d", len(due[recipient]), recipient, want)
		}
	}
	t.longestFirst(t.start, due)
	seen := map[exchange.DeliveryID]bool{}
	for _, d := range due["H12.50"] { // as an attempt that failed does
		seen[d.ID] = true
		d.Next = t.start.Add(2 * time.Hour)
		t.mustUpdate(exchange.Change{Deliveries: []exchange.Delivery{d}}, nil)
	}
	next := byRecipient(must2(t.Due(t.Context(), t.start.Add(time.Hour), limit)))["H12.50"]
	if len(next) != limit || slices.ContainsFunc(next, func(d exchange.Delivery) bool { return seen[d.ID] }) {
		t.Errorf("after %d were put off, %d others are due, want %d: %v", limit, len(next), limit, ids(next, deliveryID))
	}
}
