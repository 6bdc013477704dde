package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// withdrawn expects the nth delivery recalled by a package, with its receipt.
func (p *province) withdrawn(id exchange.PackageID, n int, by exchange.PackageID, event exchange.Event) {
	p.Helper()
	d := p.inState(id, n, exchange.Withdrawn)
	e := p.evidence(id, d.ID, event)
	if e.Reason != exchange.WithdrawnBySender || e.Detail != "recalled by package "+string(by) || d.Detail != e.Detail || e.Basis.Method != exchange.BasisSignature {
		p.Errorf("the receipt says %+v, the delivery %q", e, d.Detail)
	}
	_, _, err := p.x.DeliveryContent(p.Context(), system(d.Recipient), d.ID)
	refused(p, err, exchange.Conflict, "final-state")
}

func TestARecallWithdrawsWhatNobodyFetched(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	p.fetch(p.delivery(id, 1))
	queued := p.submit(finance, signed(t, document("1251", health)))

	recall := about(exchange.KindRecall, "1250", health, ward)
	s := p.submit(finance, signed(t, recall))
	p.inState(id, 1, exchange.Consigned)
	p.withdrawn(id, 2, s.Package, exchange.ContentHandoverFailure)
	p.inState(queued.Package, 1, exchange.Queued)

	s = p.submit(finance, signed(t, about(exchange.KindRecall, "1251", health)))
	p.withdrawn(queued.Package, 1, s.Package, exchange.ContentConsignmentFailure)
	p.work()
	page, err := p.x.Inbox(t.Context(), system(health), "", "", 0, 0)
	if err != nil || len(page.Items) != 3 { // the document, and two recalls
		t.Errorf("%d in the inbox, %v", len(page.Items), err)
	}
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerRefused, "đồng ý trả lại"))
}

func TestOnlyTheSenderRecalls(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	theirs := about(exchange.KindRecall, "1250", health)
	theirs.From = p.organ(ward)
	p.refuses(ward, signed(t, theirs), exchange.NotFound, "unknown-target")
	byStatus := status(ward, "13", "1250")
	byStatus.Status.To = ward
	p.refuses(ward, signed(t, byStatus), exchange.NotFound, "unknown-target")
	byStatus.Status.To = finance // "I take finance's document back"
	p.submit(ward, signed(t, byStatus))
	p.inState(id, 1, exchange.Consigned)
}

// TestARecallByStatus goes to all who got the document and did not give it back.
func TestARecallByStatus(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward, commune, school)
	p.fetch(p.delivery(id, 1))
	p.fetch(p.delivery(id, 4))
	p.submit(school, signed(t, func() edxml.Document { d := status(school, "02", "1250"); return d }()))

	recall := status(finance, "13", "1250")
	s := p.submit(finance, signed(t, recall))
	p.inState(id, 1, exchange.Consigned)
	p.withdrawn(id, 2, s.Package, exchange.ContentHandoverFailure)
	p.withdrawn(id, 3, s.Package, exchange.ContentHandoverFailure)
	p.inState(id, 4, exchange.Rejected)
	var got []string
	for _, r := range must(p.ledger.Package(t.Context(), s.Package)).Recipients {
		got = append(got, r.Code)
	}
	if fmt.Sprint(got) != fmt.Sprint([]string{health, ward, commune}) {
		t.Errorf("the recall goes to %v", got)
	}
}

// TestARecallByStatusFromOneRecipient: where ResponseFor names the recipient, the
// recall is meant for it alone.
func TestARecallByStatusFromOneRecipient(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	recall := status(finance, "13", "1250")
	recall.Status.To = ward
	s := p.submit(finance, signed(t, recall))
	p.inState(id, 1, exchange.Consigned)
	p.withdrawn(id, 2, s.Package, exchange.ContentHandoverFailure)
	if r := must(p.ledger.Package(t.Context(), s.Package)).Recipients; len(r) != 1 || r[0].Code != ward {
		t.Errorf("the recall goes to %+v", r)
	}
}

func updateOf(number string, to ...string) edxml.Document {
	d := about(exchange.KindUpdate, number, to...)
	d.Attachments, d.Corrected = document(number).Attachments, true
	return d
}

func TestAnUpdateWithdrawsFromThoseItRemoves(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	update := updateOf("1250", health, commune)
	update.Added, update.Removed = []string{commune}, []string{ward, "H12.99"}
	s := p.submit(finance, signed(t, update))
	p.inState(id, 1, exchange.Consigned)
	p.withdrawn(id, 2, s.Package, exchange.ContentHandoverFailure)
	p.work()
	p.inState(s.Package, 2, exchange.Consigned)

	// Recalled later, the document is withdrawn from who got it by the update too.
	recall := p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health, commune)))
	p.withdrawn(id, 1, recall.Package, exchange.ContentHandoverFailure)
	p.withdrawn(s.Package, 1, recall.Package, exchange.ContentHandoverFailure)
	p.withdrawn(s.Package, 2, recall.Package, exchange.ContentHandoverFailure)
}

func TestAnUpdateThatRemovesNobodyKnownWithdrawsNothing(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	update := updateOf("1250", health, ward)
	update.Removed = []string{"H12.99"}
	p.submit(finance, signed(t, update))
	update = updateOf("1250", health)
	update.Number = "1251" // other content
	p.submit(finance, signed(t, update))
	p.inState(id, 1, exchange.Consigned)
	p.inState(id, 2, exchange.Consigned)
}

func TestAReplacementIsADocumentOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := document("1268", health, ward)
	d.Kind, d.Reason, d.Replaced = exchange.KindReplace, "thay", []edxml.Replaced{{ID: documentID("1250")}}
	s := p.submit(finance, signed(t, d))
	p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure) // nobody fetched the old one
	pkg := must(p.ledger.Package(t.Context(), s.Package))
	if pkg.Kind != exchange.KindReplace || pkg.DocumentID != documentID("1268") || len(pkg.Targets) != 1 || pkg.Targets[0] != documentID("1250") {
		t.Errorf("kept as %+v", pkg)
	}
	p.submit(finance, signed(t, about(exchange.KindRecall, "1268", health))) // it can be recalled like any
	p.inState(s.Package, 2, exchange.Withdrawn)

	d.Number, d.Replaced = "1269", []edxml.Replaced{{ID: documentID("1250")}, {ID: documentID("404")}}
	p.refuses(finance, signed(t, d), exchange.NotFound, "unknown-target")
}

func TestADocumentRecalledTwiceIsWithdrawnOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	s := p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health)))
	again := about(exchange.KindRecall, "1250", health)
	again.Reason = "lần hai"
	if other := p.submit(finance, signed(t, again)); other.Resubmitted {
		t.Error("another recall is taken for the first")
	}
	p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure)
}

// repeating is a format whose packages name their targets twice.
type repeating struct{ exchange.Format }

type repeatingDecoder struct{ exchange.Decoder }

func (r repeating) Decoder() exchange.Decoder { return repeatingDecoder{r.Format.Decoder()} }

func (r repeatingDecoder) Decode(doc *signing.Document) (exchange.Package, error) {
	p, err := r.Decoder.Decode(doc)
	p.Targets = append(p.Targets, p.Targets...)
	return p, err
}

func TestADocumentNamedTwiceIsWithdrawnOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	config := p.config()
	config.Format = repeating{config.Format}
	p.x = must(exchange.New(config))
	s := p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health)))
	p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure)
}

func TestStatusesAreNotedAndRoutedBack(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	first := p.submit(health, signed(t, status(health, "01", "1250")))
	again := status(health, "01", "1250")
	again.Status.Description = "lần hai"
	p.submit(health, signed(t, again))
	p.submit(health, signed(t, status(health, "03", "1250")))
	p.submit(ward, signed(t, status(ward, "02", "1250")))
	p.submit(commune, signed(t, status(commune, "01", "1250"))) // never got it
	p.submit(health, signed(t, status(health, "03", "404")))    // nobody sent it
	p.work()

	d := p.inState(id, 1, exchange.Consigned) // a second axis, beside the state: it was not fetched
	if len(d.Statuses) != 2 || d.Statuses[0].Code != "01" || d.Statuses[0].Package != first.Package || d.Statuses[1].Code != "03" {
		t.Errorf("statuses of %s: %+v", d.Recipient, d.Statuses)
	}
	if d = p.inState(id, 2, exchange.Rejected); len(d.Statuses) != 1 || d.Statuses[0].Code != "02" || d.Statuses[0].Description != "ý kiến" {
		t.Errorf("statuses of %s: %+v", d.Recipient, d.Statuses)
	}
	page, err := p.x.Inbox(t.Context(), system(finance), "", "", 0, 0)
	if err != nil || len(page.Items) != 6 || page.Items[0].Package.Status.DocumentID != documentID("1250") {
		t.Errorf("%d statuses came back, %v", len(page.Items), err)
	}
}

// TestAStatusReachesAnAgencyThatWasClosedSince: a closed code still takes answers
// to what was sent from it.
func TestAStatusReachesAnAgencyThatWasClosedSince(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	d := status(health, "03", "1250")
	d.Status.To = gone
	s := p.submit(health, signed(t, d))
	p.work()
	p.inState(s.Package, 1, exchange.Consigned)
}

// TestANoteOnASettledDelivery keeps its state.
func TestANoteOnASettledDelivery(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.submit(health, signed(t, status(health, "06", "1250")))
	if d = p.inState(id, 1, exchange.HandedOver); len(d.Statuses) != 1 {
		t.Errorf("statuses %+v", d.Statuses)
	}
}

// A meddler changes a delivery each time a package is about to be accepted.
type meddler struct {
	exchange.Ledger
	meddle func()
}

func (m meddler) Accept(ctx context.Context, p exchange.Package, c exchange.Change) (exchange.Receipt, bool, error) {
	m.meddle()
	return m.Ledger.Accept(ctx, p, c)
}

func TestARecallMeetsOtherChanges(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	times, enough := 0, 3
	config := p.config()
	config.Ledger = meddler{p.ledger, func() {
		if times++; times > enough {
			return
		}
		d := p.delivery(id, 1)
		if err := p.ledger.Update(t.Context(), exchange.Change{Deliveries: []exchange.Delivery{d}}); err != nil {
			t.Fatal(err)
		}
	}}
	p.x = must(exchange.New(config))
	s := p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health)))
	p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure)

	id = p.sent("1251", health)
	times, enough = 0, 1000
	recall := signed(t, about(exchange.KindRecall, "1251", health))
	size := must(p.ledger.LogSize(t.Context()))
	_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(recall))
	if e := refused(t, err, exchange.Busy, "busy"); e.Receipt != "" || must(p.ledger.LogSize(t.Context())) != size {
		t.Error("a package that nothing is wrong with was rejected")
	}
	times = enough
	s = p.submit(finance, recall)
	p.withdrawn(id, 1, s.Package, exchange.ContentHandoverFailure)
}

func TestAFetchAndARecallAtTheSameMoment(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for i := range 8 {
		number := fmt.Sprint(i)
		id := p.sent(number, health)
		recall := signed(t, about(exchange.KindRecall, number, health))
		fetched := make(chan bool)
		go func() {
			_, content, err := p.x.DeliveryContent(t.Context(), system(health), exchange.NewDeliveryID(id, 1))
			if err == nil {
				_, _ = io.Copy(io.Discard, content)
				_ = content.Close()
			}
			fetched <- err == nil
		}()
		p.submit(finance, recall)
		if d := p.delivery(id, 1); <-fetched != (d.State == exchange.Consigned) {
			t.Errorf("the delivery is %s, fetched at %v", d.State, d.FetchedAt)
		}
		p.clock.advance(time.Second)
	}
}
