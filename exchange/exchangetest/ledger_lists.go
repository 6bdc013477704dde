package exchangetest

import (
	"context"
	"fmt"
	"slices"

	"tram/exchange"
)

// page reads a whole list by pages of some size. It gives up where a cursor
// never ends.
func page[T any](limit int, read func(cursor string, limit int) ([]T, string, error)) ([]T, error) {
	var all []T
	cursor := ""
	for range 100_000 {
		list, next, err := read(cursor, limit)
		if err != nil {
			return nil, err
		}
		if len(list) > limit {
			return nil, fmt.Errorf("a page of %d entries, at most %d were asked for", len(list), limit)
		}
		all = append(all, list...)
		if next == "" {
			return all, nil
		}
		cursor = next
	}
	return nil, fmt.Errorf("the list does not end: %d entries so far", len(all))
}

func allPackages(ctx context.Context, l exchange.Ledger, q exchange.PackageQuery, limit int) ([]exchange.Package, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Package, string, error) {
		q.Cursor, q.Limit = cursor, limit
		return l.Packages(ctx, q)
	})
}

func allDeliveries(ctx context.Context, l exchange.Ledger, q exchange.DeliveryQuery, limit int) ([]exchange.Delivery, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Delivery, string, error) {
		q.Cursor, q.Limit = cursor, limit
		return l.Deliveries(ctx, q)
	})
}

func allInbox(ctx context.Context, l exchange.Ledger, agency string, limit int) ([]exchange.Delivery, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Delivery, string, error) {
		return l.Inbox(ctx, agency, cursor, limit)
	})
}

func allAgencies(ctx context.Context, l exchange.Ledger, limit int) ([]exchange.Agency, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Agency, string, error) {
		return l.Agencies(ctx, cursor, limit)
	})
}

func allActions(ctx context.Context, l exchange.Ledger, limit int) ([]exchange.Action, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Action, string, error) {
		return l.Actions(ctx, cursor, limit)
	})
}

func takeSnapshot(ctx context.Context, l exchange.Ledger) (s snapshot, err error) {
	steps := []func() error{
		func() error { s.Packages, err = allPackages(ctx, l, exchange.PackageQuery{}, 7); return err },
		func() error { s.Deliveries, err = allDeliveries(ctx, l, exchange.DeliveryQuery{}, 7); return err },
		func() error { s.Agencies, err = allAgencies(ctx, l, 7); return err },
		func() error { s.Systems, err = l.Systems(ctx); return err },
		func() error { s.Users, err = l.Users(ctx); return err },
		func() error { s.Actions, err = allActions(ctx, l, 7); return err },
		func() error { s.Unstamped, err = allUnstamped(ctx, l, 7); return err },
		func() error { s.Counts, err = l.Counts(ctx); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return s, err
		}
	}
	for _, p := range s.Packages {
		receipts, err := l.Receipts(ctx, p.ID)
		if err != nil {
			return s, err
		}
		s.Receipts = append(s.Receipts, receipts...)
	}
	size, err := l.LogSize(ctx)
	if err != nil {
		return s, err
	}
	leaves, err := l.LogEntries(ctx, 0, size)
	for _, leaf := range leaves {
		s.Leaves = append(s.Leaves, string(leaf))
	}
	return s, err
}

func ids[T any](list []T, id func(T) string) []string {
	var names []string
	for _, v := range list {
		names = append(names, id(v))
	}
	return names
}

func deliveryID(d exchange.Delivery) string { return string(d.ID) }

func (t *ledgerTest) packages() {
	var all []exchange.Package
	for n := range 23 {
		p := t.Submission(fmt.Sprintf("H12.0%d", n%3), fmt.Sprintf("d%d", n%5), "H12.09")
		p.Kind = exchange.KindUpdate
		t.mustAccept(p)
		all = append(all, p)
	}
	slices.Reverse(all)
	for _, q := range []exchange.PackageQuery{{}, {Sender: "H12.01"}, {Sender: "H12"}, {Sender: "H12.01", DocumentID: "d2"},
		{Sender: "H12.01", DocumentID: "d"}, {Sender: "H12.07"}} {
		want := slices.DeleteFunc(slices.Clone(all), func(p exchange.Package) bool {
			return q.Sender != "" && p.Sender != q.Sender || q.DocumentID != "" && p.DocumentID != q.DocumentID
		})
		for _, limit := range []int{1, 4, 23, 100} {
			got, err := allPackages(t.Context(), t.Ledger, q, limit)
			t.equal(fmt.Sprintf("%+v by %d", q, limit), must(t, got, err), want)
		}
	}
	list, cursor, err := t.Packages(t.Context(), exchange.PackageQuery{Limit: 23})
	if len(list) != 23 || cursor != "" || err != nil {
		t.Errorf("a page that holds all has %d entries, cursor %q, %v; want no cursor", len(list), cursor, err)
	}
}

// someDeliveries leaves deliveries of all senders, recipients and states.
func (t *ledgerTest) someDeliveries() []exchange.Delivery {
	var all []exchange.Delivery
	for n := range 24 {
		p := t.Submission(fmt.Sprintf("H12.0%d", n%3), fmt.Sprint("d", n), fmt.Sprintf("H12.1%d", n%4), "H12.1")
		p.Priority = n % 2
		t.mustAccept(p)
		for i, d := range t.deliveriesOf(p) {
			t.step(d, (n+i)%5)
		}
		all = append(all, t.deliveriesOf(p)...)
	}
	return all
}

// step brings a queued delivery to one of five states.
func (t *ledgerTest) step(d exchange.Delivery, to int) {
	t.Helper()
	switch to {
	case 1:
		held, err := d.Hold("kiểm tra")
		t.mustUpdate(exchange.Change{Deliveries: []exchange.Delivery{held}, Actions: []exchange.Action{t.Action("hold", string(d.ID))}}, err)
	case 2:
		t.mustUpdate(t.Consign(d))
	case 3, 4:
		t.mustUpdate(t.Consign(d))
		d = must2(t.Delivery(t.Context(), d.ID))
		t.mustUpdate(t.Answer(d, map[int]exchange.Outcome{3: exchange.AnswerAccepted, 4: exchange.AnswerRefused}[to]))
	}
}

func (t *ledgerTest) deliveries() {
	all := t.someDeliveries()
	for _, q := range deliveryQueries() {
		want := slices.DeleteFunc(slices.Clone(all), func(d exchange.Delivery) bool { return !matches(d, q) })
		slices.SortFunc(want, byID)
		for _, limit := range []int{1, 3, 100} {
			got, err := allDeliveries(t.Context(), t.Ledger, q, limit)
			if !newestFirst(must(t, got, err)) {
				t.Errorf("%+v by %d: not from the newest to the oldest: %v", q, limit, ids(got, deliveryID))
			}
			slices.SortFunc(got, byID) // within a package any order will do
			t.equal(fmt.Sprintf("%+v by %d", q, limit), got, want)
		}
	}
}

func deliveryQueries() []exchange.DeliveryQuery {
	var list []exchange.DeliveryQuery
	for _, state := range append([]exchange.State{"", "no-state"}, exchange.States...) {
		for _, sender := range []string{"", "H12.01", "H12.0", "H12.09"} {
			for _, recipient := range []string{"", "H12.1", "H12.12", "H12.09"} {
				list = append(list, exchange.DeliveryQuery{State: state, Sender: sender, Recipient: recipient})
			}
		}
	}
	return list
}

func matches(d exchange.Delivery, q exchange.DeliveryQuery) bool {
	return (q.State == "" || d.State == q.State) && (q.Sender == "" || d.Sender == q.Sender) &&
		(q.Recipient == "" || d.Recipient == q.Recipient)
}

func byID(a, b exchange.Delivery) int {
	return slices.Compare([]string{string(a.ID)}, []string{string(b.ID)})
}

func newestFirst(list []exchange.Delivery) bool {
	return slices.IsSortedFunc(list, func(a, b exchange.Delivery) int { return b.AcceptedAt.Compare(a.AcceptedAt) })
}

func (t *ledgerTest) inbox() {
	all := t.someDeliveries()
	for _, agency := range []string{"H12.1", "H12.11", "H12.12", "H12", "H12.99"} {
		want := slices.DeleteFunc(slices.Clone(all), func(d exchange.Delivery) bool {
			return d.Recipient != agency || d.State != exchange.Consigned
		})
		slices.SortStableFunc(want, func(a, b exchange.Delivery) int { // all are in the order of acceptance
			return min(b.Priority, 1) - min(a.Priority, 1)
		})
		for _, limit := range []int{1, 2, 100} {
			got, err := allInbox(t.Context(), t.Ledger, agency, limit)
			t.equal(fmt.Sprintf("inbox of %s by %d", agency, limit), ids(must(t, got, err), deliveryID), ids(want, deliveryID))
		}
	}
	for _, d := range must2(allInbox(t.Context(), t.Ledger, "H12.1", 100)) {
		t.mustUpdate(t.Answer(d, exchange.AnswerAccepted))
	}
	if left := must2(allInbox(t.Context(), t.Ledger, "H12.1", 100)); len(left) != 0 {
		t.Errorf("%d answered deliveries are still in the inbox", len(left))
	}
	if _, _, err := t.Inbox(t.Context(), "H12.1", "no cursor", 5); err == nil {
		t.Errorf("a cursor that is none was taken")
	}
}

func (t *ledgerTest) counts() {
	want := map[exchange.State]int64{}
	for _, d := range t.someDeliveries() {
		want[d.State]++
	}
	for _, reopened := range []bool{false, true} {
		if reopened {
			t.Ledger = t.open()
		}
		got, err := t.Counts(t.Context())
		must(t, got, err)
		for _, s := range exchange.States {
			if got[s] != want[s] {
				t.Errorf("reopened %v: %d %s, want %d", reopened, got[s], s, want[s])
			}
		}
	}
}
