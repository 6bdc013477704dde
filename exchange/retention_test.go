package exchange_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"tram/exchange"
)

// TestRetention: bytes go when their time is over and their deliveries have ended;
// what happened to them can be proved as before.
func TestRetention(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	c := p.config()
	c.Retention, c.Deadline = 30*24*time.Hour, 60*24*time.Hour // longer than what is kept: open deliveries show
	p.x = must(exchange.New(c))

	answered := p.sent("1250", health)
	p.acknowledge(p.delivery(answered, 1), p.answer(p.delivery(answered, 1), exchange.AnswerAccepted, ""))
	open := p.sent("1251", health)
	before := must(p.ledger.Receipts(t.Context(), answered))
	whole := must(p.ledger.Package(t.Context(), answered))

	sweep := func() {
		t.Helper()
		if err := p.x.SweepRetention(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.clock.advance(29 * 24 * time.Hour)
	sweep()
	p.contentOf(answered, true)

	p.clock.advance(2 * 24 * time.Hour)
	young := p.sent("1252", health)
	sweep()
	size := must(p.ledger.LogSize(t.Context()))
	sweep() // nothing is left to do
	if n := must(p.ledger.LogSize(t.Context())); n != size {
		t.Errorf("a second sweep left %d leaves", n-size)
	}
	p.contentOf(answered, false)
	p.contentOf(open, true)
	p.contentOf(young, true)
	if leaf := p.lastLeaf(); leaf.Event != "erase" || leaf.Actor != "hub" || leaf.Object != "retention" {
		t.Errorf("the last leaf is %+v", leaf)
	}
	if _, err := p.vault.Open(t.Context(), whole.Digest); exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("the bytes are there still: %v", err)
	}
	_, _, err := p.x.PackageContent(t.Context(), system(finance), answered)
	refused(t, err, exchange.NotFound, "content-erased")
	_, _, err = p.x.DeliveryContent(t.Context(), system(health), exchange.NewDeliveryID(answered, 1))
	refused(t, err, exchange.NotFound, "content-erased")
	view := must(p.x.Package(t.Context(), operator, answered))
	if view.Erased == nil || view.Package.Subject != whole.Subject {
		t.Errorf("%+v", view)
	}

	after := must(p.ledger.Receipts(t.Context(), answered))
	if len(after) != len(before) {
		t.Fatalf("%d receipts, want %d", len(after), len(before))
	}
	for i, r := range after {
		if !bytes.Equal(r.Raw, before[i].Raw) {
			t.Errorf("receipt %s has changed", r.ID)
		}
	}
	again := p.submit(finance, signed(t, document("1250", health)))
	if !again.Resubmitted || again.Receipt.ID != before[0].ID {
		t.Errorf("a resubmission gets %s, %t", again.Receipt.ID, again.Resubmitted)
	}
	p.contentOf(answered, false)
}

func (p *province) contentOf(id exchange.PackageID, want bool) {
	p.Helper()
	_, c, err := p.x.PackageContent(p.Context(), system(finance), id)
	if err == nil {
		err = c.Close()
	}
	if !want && exchange.CodeOf(err) == exchange.NotFound {
		return
	}
	if err != nil || !want {
		p.Errorf("content of %s: %v, want it there: %t", id, errors.Join(err), want)
	}
}
