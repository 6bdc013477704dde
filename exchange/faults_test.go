package exchange_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// eachFault runs once for every call that a run makes to the ports, failing it
// before its work or after it. faults is the hub whose ports fail; repair opens
// the ledger again, as it is found after a crash, with a hub without faults.
func eachFault(t *testing.T, run func(p *province, faults *exchange.Exchange, repair func())) {
	t.Helper()
	vault := newVault(t)
	exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
		p := provinceOn(t, vault)
		run(p, p.faulty(f), func() {
			p.close()
			p.open()
			p.x = must(exchange.New(p.config()))
		})
	})
}

func (p *province) faulty(f *exchangetest.Faults) *exchange.Exchange {
	config := p.config()
	config.Ledger, config.Vault = f.Ledger(p.ledger), f.Vault(p.vault)
	config.Queue, config.Courier = f.Queue(p.queue), f.Courier(p.courier)
	return must(exchange.New(config))
}

// injected fails the test if an error is any other than the one injected.
func injected(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, exchangetest.ErrInjected) {
		t.Errorf("%v, want the fault injected or nothing", err)
	}
}

// one expects the sender's document to be one package.
func (p *province) one(number string) exchange.Package {
	p.Helper()
	list, _, err := p.ledger.Packages(p.Context(), exchange.PackageQuery{Sender: finance, DocumentID: documentID(number)})
	if err != nil || len(list) != 1 {
		p.Fatalf("the document is %d packages, %v", len(list), err)
	}
	return list[0]
}

// deliverAll delivers until nothing is left to do, over the time that it takes.
func (p *province) deliverAll(id exchange.PackageID) {
	p.Helper()
	for range 4 {
		p.work()
		p.clock.advance(time.Hour)
	}
	for _, d := range must(p.ledger.DeliveriesOf(p.Context(), id)) {
		if d.State == exchange.Queued {
			p.Errorf("delivery %s is still queued, attempts %d: %s", d.ID, d.Attempts, d.Detail)
		}
	}
}

// TestFaultsOfASubmission: the sender submits again, and there is one package.
func TestFaultsOfASubmission(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		body := signed(p, document("1250", health, ward))
		first, err := faults.Submit(p.Context(), system(finance), bytes.NewReader(body))
		injected(p, err)
		repair()
		again := p.submit(finance, otherBytes(p, body))
		if err == nil && (!again.Resubmitted || !bytes.Equal(again.Receipt.Raw, first.Receipt.Raw)) {
			p.Error("what was accepted was accepted again")
		}
		pkg := p.one("1250")
		if pkg.ID != again.Package {
			p.Errorf("package %s, the receipt is of %s", pkg.ID, again.Package)
		}
		p.deliverAll(pkg.ID)
		p.inState(pkg.ID, 1, exchange.Consigned)
		p.inState(pkg.ID, 2, exchange.Consigned)
	})
}

// TestFaultsOfAResubmission: nothing is added by it.
func TestFaultsOfAResubmission(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		body := signed(p, document("1250", health))
		first := p.submit(finance, body)
		got, err := faults.Submit(p.Context(), system(finance), bytes.NewReader(body))
		injected(p, err)
		if err == nil && !bytes.Equal(got.Receipt.Raw, first.Receipt.Raw) {
			p.Error("another receipt")
		}
		repair()
		p.again(system(finance), body, first)
		p.one("1250")
	})
}

// TestFaultsOfARefusal: it is refused again, and nothing of it is kept.
func TestFaultsOfARefusal(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		body := signed(p, document("1250", health), ward)
		_, err := faults.Submit(p.Context(), system(finance), bytes.NewReader(body))
		if err == nil {
			p.Fatal("accepted")
		}
		repair()
		p.refuses(finance, body, exchange.NotPermitted, "signer-not-sender")
		if n := p.contents(); n != 0 {
			p.Errorf("%d contents are kept", n)
		}
	})
}

// TestFaultsOfADelivery: to one agency that pulls and one that is told. It is not
// told of a delivery twice within the time that the attempt reserved.
func TestFaultsOfADelivery(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		s := p.submit(finance, signed(p, document("1250", health, commune)))
		injected(p, faults.Sweep(p.Context()))
		for n := range 2 {
			injected(p, faults.Deliver(p.Context(), exchange.NewDeliveryID(s.Package, n+1)))
		}
		repair()
		made := p.courier.attempts()
		p.work()
		if d := p.delivery(s.Package, 2); p.courier.attempts() > max(made, 1) || d.Attempts < p.courier.attempts() {
			p.Errorf("%d attempts made, %d counted", p.courier.attempts(), d.Attempts)
		}
		p.deliverAll(s.Package)
		p.inState(s.Package, 1, exchange.Consigned)
		p.inState(s.Package, 2, exchange.Consigned)
		if n := p.courier.attempts(); n < 1 || n > 2 {
			p.Errorf("told %d times", n)
		}
	})
}

// TestFaultsOfAnAnswer: the recipient fetches and answers again, by another of its
// codes.
func TestFaultsOfAnAnswer(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		id := p.sent("1250", health)
		d := p.delivery(id, 1)
		pkg := must(p.ledger.Package(p.Context(), id))
		a := exchange.NewAcknowledgement(pkg, "000.00.12.H12", exchange.AnswerRefused, "lý do", p.clock.Now())
		body := must(p.sealer(health).Seal(a.Canonical(), a.Time))
		_, content, err := faults.DeliveryContent(p.Context(), system(health), d.ID)
		injected(p, err)
		if err == nil {
			_ = content.Close()
		}
		first, _, err := faults.Acknowledge(p.Context(), system(health), d.ID, bytes.NewReader(body))
		injected(p, err)
		repair()
		p.fetch(d)
		again := p.acknowledge(d, body)
		if err == nil && !bytes.Equal(first.Raw, again.Raw) {
			p.Error("two receipts of one answer")
		}
		p.inState(id, 1, exchange.Rejected)
	})
}

// TestFaultsOfARecall: the sender recalls again, and all is withdrawn once.
func TestFaultsOfARecall(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		id := p.sent("1250", health, ward)
		p.fetch(p.delivery(id, 2))
		recall := signed(p, about(exchange.KindRecall, "1250", health, ward))
		_, err := faults.Submit(p.Context(), system(finance), bytes.NewReader(recall))
		injected(p, err)
		repair()
		s := p.submit(finance, recall)
		p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure)
		p.inState(id, 2, exchange.Consigned)
	})
}

// TestFaultsOfADeadline and of an operator's word: the negative receipt comes once.
func TestFaultsOfADeadline(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		id := p.sent("1250", health, ward)
		_, err := faults.Cancel(p.Context(), operator, exchange.NewDeliveryID(id, 2), "theo yêu cầu")
		injected(p, err)
		p.clock.advance(8 * 24 * time.Hour)
		injected(p, faults.Sweep(p.Context()))
		injected(p, faults.Deliver(p.Context(), exchange.NewDeliveryID(id, 1)))
		repair()
		p.work()
		p.inState(id, 1, exchange.Failed)
		p.inState(id, 2, exchange.Failed)
		p.evidence(id, exchange.NewDeliveryID(id, 1), exchange.AcceptanceRejectionExpiry)
		receipts := must(p.ledger.Receipts(p.Context(), id))
		if n := len(receipts); n != 5 {
			p.Errorf("%d receipts: %s", n, fmt.Sprint(receipts[n-1].Event))
		}
	})
}
