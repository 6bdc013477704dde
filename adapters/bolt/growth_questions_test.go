package bolt

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// sideBySide writes to the ledger and to a new one in turn, so that what the machine
// does beside hits both, and prints the medians. Both are synced.
func sideBySide(t *testing.T, p *province, l *Ledger, deliveries int) (written int) {
	t.Helper()
	small, _ := newLedger(t, Options{})
	defer small.Close()
	before := l.file.db.NoSync
	l.file.db.NoSync = false
	defer func() { l.file.db.NoSync = before }()
	if err := l.file.db.Sync(); err != nil { // what was written without
		t.Fatal(err)
	}
	const rounds = 7
	each := min(1_000, *manyDeliveries/20)
	var rate, spent [2][]float64
	for range rounds {
		for i, to := range []*Ledger{small, l} {
			ways := make([]way, each)
			for n := range ways {
				ways[n] = p.way()
			}
			used, start := cpu(), time.Now()
			writeAll(t, to, ways)
			rate[i] = append(rate[i], float64(each)/time.Since(start).Seconds())
			spent[i] = append(spent[i], float64((cpu()-used).Microseconds())/float64(each))
		}
	}
	for i := range rate {
		slices.Sort(rate[i])
		slices.Sort(spent[i])
	}
	const mid = rounds / 2
	t.Logf("side by side, synced: a new ledger takes %.0f deliveries/s at %.0f µs of CPU each, this one of %d takes %.0f at %.0f",
		rate[0][mid], spent[0][mid], deliveries, rate[1][mid], spent[1][mid])
	return rounds * each
}

// answers asks what systems, operators and auditors ask and prints how long the
// answers take. some are deliveries from all of the ledger.
func answers(t *testing.T, p *province, l *Ledger, some []way) (written int) {
	t.Helper()
	start := time.Now()
	waitForIndex(t, l)
	t.Logf("the search index is there after %v", time.Since(start).Round(time.Millisecond))
	open := make([]way, min(2_000, *manyDeliveries/10))
	for n := range open {
		open[n] = p.way()
		if err := open[n].begin(l, t); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	search := func(q func(w way) exchange.Search) func(way) error {
		return func(w way) error {
			s := q(w)
			s.All, s.Limit = true, 50
			_, _, err := l.Search(ctx, s)
			return err
		}
	}
	list := func(q func(w way) exchange.DeliveryQuery) func(way) error {
		return func(w way) error {
			q := q(w)
			q.Limit = 50
			_, _, err := l.Deliveries(ctx, q)
			return err
		}
	}
	text := func(of func(w way) string) func(way) error {
		return search(func(w way) exchange.Search { return exchange.Search{Text: of(w)} })
	}
	to := func(w way) string { return w.pkg.Recipients[0].Code }
	for _, q := range []struct {
		name string
		ask  func(w way) error
	}{
		{"an inbox of 100", func(w way) error { _, _, err := l.Inbox(ctx, to(w), "", 100); return err }},
		{"what is due", func(way) error { _, err := l.Due(ctx, p.at, 200); return err }},
		{"a delivery", func(w way) error { _, err := l.Delivery(ctx, w.accept.Deliveries[0].ID); return err }},
		{"a receipt", func(w way) error { _, err := l.Receipt(ctx, w.receipts[1].ID); return err }},
		{"a receipt that there is not", func(w way) error {
			_, err := l.Receipt(ctx, w.receipts[1].ID[:35]+"x")
			return ignoreNotFound(err)
		}},
		{"a package's receipts", func(w way) error { _, err := l.Receipts(ctx, w.pkg.ID); return err }},
		{"a resubmission", func(w way) error { _, err := l.FirstReceipt(ctx, w.pkg); return err }},
		{"a proof from the log", func(w way) error { return proveFirst(ctx, l, w) }},
		{"deliveries of a sender", list(func(w way) exchange.DeliveryQuery { return exchange.DeliveryQuery{Sender: w.pkg.Sender} })},
		{"deliveries from one to another", list(func(w way) exchange.DeliveryQuery {
			return exchange.DeliveryQuery{Sender: w.pkg.Sender, Recipient: to(w)}
		})},
		{"handed over by one", list(func(w way) exchange.DeliveryQuery {
			return exchange.DeliveryQuery{Sender: w.pkg.Sender, State: exchange.HandedOver}
		})},
		{"refused", list(func(way) exchange.DeliveryQuery { return exchange.DeliveryQuery{State: exchange.Rejected} })},
		{"search: a word that all have", text(func(way) string { return "nhiệm" })},
		{"search: a phrase", text(func(way) string { return `"tình hình thực hiện" nhiệm vụ` })},
		{"search: a number", text(func(w way) string { return w.pkg.Number })},
		{"search: a word and a number", text(func(w way) string { return "cong van " + w.pkg.Number })},
		{"search: a word nobody wrote", text(func(way) string { return "tuyệtchủng" })},
		{"search: a phrase that never comes", text(func(way) string { return `"thực nhiệm"` })},
		{"search: a document", text(func(w way) string { return w.pkg.DocumentID })},
		{"search: a receipt", text(func(w way) string { return string(w.receipts[0].ID) })},
		{"search: an attachment's digest", text(func(w way) string { return w.pkg.Attachments[0].Digest.String() })},
		{"search: from one to another", search(func(w way) exchange.Search { return exchange.Search{Sender: w.pkg.Sender, Recipient: to(w)} })},
		{"search: refused", search(func(way) exchange.Search { return exchange.Search{State: exchange.Rejected} })},
		{"search: handed over, with a number", search(func(w way) exchange.Search {
			return exchange.Search{State: exchange.HandedOver, Text: w.pkg.Number}
		})},
		{"search: to one, in a minute", search(func(w way) exchange.Search {
			return exchange.Search{Recipient: to(w), From: w.pkg.AcceptedAt, To: w.pkg.AcceptedAt.Add(time.Minute)}
		})},
		{"search: before all", search(func(way) exchange.Search { return exchange.Search{To: some[0].pkg.AcceptedAt.AddDate(-1, 0, 0)} })},
	} {
		var took []time.Duration
		for _, w := range some {
			start := time.Now()
			if err := q.ask(w); err != nil {
				t.Errorf("%s: %v", q.name, err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		t.Logf("%-36s median %9.3f ms, worst %9.3f ms", q.name, ms(took[len(took)/2]), ms(took[len(took)-1]))
	}
	return len(open)
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func ignoreNotFound(err error) error {
	if exchange.CodeOf(err) == exchange.NotFound {
		return nil
	}
	return err
}

// proveFirst makes the proof that the receipt of a package's acceptance is in the log.
func proveFirst(ctx context.Context, l *Ledger, w way) error {
	r, err := l.FirstReceipt(ctx, w.pkg)
	if err != nil {
		return err
	}
	size, err := l.LogSize(ctx)
	if err != nil {
		return err
	}
	_, err = tlog.ProveRecord(size, r.Leaf, l.LogHashes(ctx))
	return err
}
