package exchange_test

import (
	"bytes"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// provinceAtOnce consigns packages to up to two agencies as it accepts them.
func provinceAtOnce(t testing.TB, vault string) *province {
	t.Helper()
	p := provinceOn(t, vault)
	p.atOnce = 2
	p.x = must(exchange.New(p.config()))
	return p
}

func TestConsignedAtOnce(t *testing.T) {
	t.Parallel()
	p := provinceAtOnce(t, newVault(t))
	waiting := make(chan exchange.InboxPage, 1)
	go func() {
		page, _ := p.x.Inbox(t.Context(), system(health), "", "", 0, time.Minute) // an error leaves the page empty
		waiting <- page
	}()
	body := signed(t, document("1250", health, commune))
	s := p.submit(finance, body)
	d := p.inState(s.Package, 1, exchange.Consigned)
	p.inState(s.Package, 2, exchange.Queued) // to be told first
	if page := <-waiting; len(page.Items) != 1 || page.Items[0].Delivery.ID != d.ID {
		t.Errorf("who waited for the inbox got %+v", page.Items)
	}
	consigned := p.evidence(s.Package, d.ID, exchange.ContentConsignment)
	if len(consigned.Recipients) != 1 || consigned.Recipients[0].Code != health || consigned.Basis.Method != exchange.BasisHub || !consigned.Time.Equal(start) {
		t.Errorf("the consignment says %+v", consigned)
	}
	if s.Receipt.Event != exchange.SubmissionAcceptance {
		t.Errorf("the sender got a receipt of %s", s.Receipt.Event)
	}
	p.work()
	if n := len(must(p.ledger.Receipts(t.Context(), s.Package))); n != 3 {
		t.Errorf("%d receipts, want an acceptance and two consignments", n)
	}
	p.again(system(finance), body, s)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.inState(s.Package, 1, exchange.HandedOver)
}

func TestManyAreConsignedByWorkers(t *testing.T) {
	t.Parallel()
	p := provinceAtOnce(t, newVault(t))
	s := p.submit(finance, signed(t, document("1250", health, ward, school)))
	p.inState(s.Package, 1, exchange.Queued)
	p.work()
	p.inState(s.Package, 3, exchange.Consigned)
}

// TestFaultsOfASubmissionConsignedAtOnce: there is one package, in the inbox once.
func TestFaultsOfASubmissionConsignedAtOnce(t *testing.T) {
	t.Parallel()
	vault := newVault(t)
	exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
		p := provinceAtOnce(t, vault)
		body := signed(p, document("1250", health, ward))
		_, err := p.faulty(f).Submit(p.Context(), system(finance), bytes.NewReader(body))
		injected(p, err)
		p.x = must(exchange.New(p.config()))
		s := p.submit(finance, body)
		if pkg := p.one("1250"); pkg.ID != s.Package {
			p.Errorf("package %s, the receipt is of %s", pkg.ID, s.Package)
		}
		p.inState(s.Package, 1, exchange.Consigned)
		p.inState(s.Package, 2, exchange.Consigned)
		if n := len(must(p.ledger.Receipts(p.Context(), s.Package))); n != 3 {
			p.Errorf("%d receipts, want an acceptance and two consignments", n)
		}
	})
}
