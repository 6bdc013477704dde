package exchangetest

import (
	"context"
	"fmt"

	"tram/exchange"
)

// waiting is a change whose receipts wait for time-stamps.
func waiting(c exchange.Change) exchange.Change {
	for i := range c.Receipts {
		c.Receipts[i].TimeStamp = exchange.TimeStampPending
	}
	return c
}

func stamping(receipts ...exchange.ReceiptID) exchange.Change {
	var c exchange.Change
	for _, id := range receipts {
		c.TimeStamps = append(c.TimeStamps, exchange.StampedReceipt{Receipt: id, Token: []byte("token of " + id)})
	}
	return c
}

func allUnstamped(ctx context.Context, l exchange.Ledger, limit int) (all []exchange.Receipt, err error) {
	for cursor := ""; ; {
		list, next, err := l.Unstamped(ctx, cursor, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

func receiptID(r exchange.Receipt) string { return string(r.ID) }

// wait expects these receipts to wait for time-stamps, in this order.
func (t *ledgerTest) wait(want ...exchange.Receipt) {
	t.Helper()
	for _, limit := range []int{1, 3, 100} {
		list, err := allUnstamped(t.Context(), t.Ledger, limit)
		t.equal(fmt.Sprint("what waits for a time-stamp, by ", limit), must(t, list, err), want)
	}
	n, err := t.UnstampedCount(t.Context())
	t.equal("how many wait", must(t, n, err), int64(len(want)))
}

func (t *ledgerTest) timeStamps() {
	t.wait()
	t.mustAccept(t.Submission("H12.01", "d0", "H12.02")) // of a time without time-stamps
	var receipts []exchange.Receipt
	for n := range 5 {
		p := t.Submission("H12.01", fmt.Sprint("d", n+1), "H12.02")
		c := waiting(t.Acceptance(p))
		r, _, err := t.Accept(t.Context(), p, c)
		receipts = append(receipts, must(t, r, err))
	}
	refused := t.Evidence(exchange.SubmissionRejection, "", "") // of no package
	t.mustUpdate(waiting(exchange.Change{Receipts: []exchange.Receipt{refused}}), nil)
	refused, err := t.Receipt(t.Context(), refused.ID)
	receipts = append(receipts, must(t, refused, err))
	t.wait(receipts...)
	t.Ledger = t.open()
	t.wait(receipts...)

	size, err := t.LogSize(t.Context())
	size = must(t, size, err)
	t.mustUpdate(stamping(receipts[3].ID, receipts[0].ID), nil)
	t.wait(receipts[1], receipts[2], receipts[4], receipts[5])
	got, err := t.Receipt(t.Context(), receipts[3].ID)
	want := receipts[3]
	want.TimeStamp = exchange.TimeStampKept
	t.equal("a receipt with a time-stamp, its document unchanged", must(t, got, err), want)
	token, err := t.TimeStamp(t.Context(), receipts[3].ID)
	t.equal("its time-stamp", string(must(t, token, err)), "token of "+string(receipts[3].ID))
	after, err := t.LogSize(t.Context())
	t.equal("the log's size after a time-stamp", must(t, after, err), size)
	t.stampsRefused(receipts)

	t.Ledger = t.open()
	t.wait(receipts[1], receipts[2], receipts[4], receipts[5])
	token, err = t.TimeStamp(t.Context(), receipts[0].ID)
	t.equal("a time-stamp after a restart", string(must(t, token, err)), "token of "+string(receipts[0].ID))
}

// stampsRefused expects whole changes to be refused for one time-stamp in them:
// receipts[1] waits, receipts[3] has its own, the first of the log never waited.
func (t *ledgerTest) stampsRefused(receipts []exchange.Receipt) {
	t.Helper()
	before := t.snapshot()
	list, _, err := t.Packages(t.Context(), exchange.PackageQuery{Sender: "H12.01", DocumentID: "d0", Limit: 1})
	never, err := t.Receipts(t.Context(), must(t, list, err)[0].ID)
	never = must(t, never, err)
	for name, other := range map[string]exchange.ReceiptID{"that has one": receipts[3].ID, "that does not wait": never[0].ID,
		"that is not there": "x", "named twice": receipts[1].ID} {
		c := stamping(receipts[1].ID, other)
		c.Actions = []exchange.Action{t.Action("hold", "x")}
		if err := t.Update(t.Context(), c); exchange.CodeOf(err) != exchange.Conflict {
			t.Errorf("a time-stamp for a receipt %s: %v, want a conflict", name, err)
		}
	}
	_, err = t.TimeStamp(t.Context(), receipts[1].ID)
	t.code(err, exchange.NotFound)
	_, err = t.TimeStamp(t.Context(), "")
	t.code(err, exchange.NotFound)
	t.unchanged(before)
}
