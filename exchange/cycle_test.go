package exchange_test

import (
	"bytes"
	"testing"
	"time"

	"tram/exchange"
)

// TestTheWayOfOnePackage submits, consigns, fetches and acknowledges.
func TestTheWayOfOnePackage(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health, ward))
	s := p.submit(finance, body)
	if s.Resubmitted || s.Receipt.Event != exchange.SubmissionAcceptance || s.Receipt.Package != s.Package {
		t.Fatalf("submitted: %+v", s)
	}
	accepted := p.evidence(s.Package, "", exchange.SubmissionAcceptance)
	if accepted.DocumentID != documentID("1250") || accepted.Sender.Code != finance || len(accepted.Recipients) != 2 || accepted.Submitter != "sys-H12.07" {
		t.Errorf("the acceptance says %+v", accepted)
	}
	if len(accepted.Parts) != 2 || accepted.Parts[0].Digest != exchange.DigestOf(body) || accepted.Parts[1].Digest != exchange.DigestOf([]byte("%PDF-1.4 1250")) {
		t.Errorf("the acceptance is bound to %+v", accepted.Parts)
	}
	if b := accepted.Basis; b.Method != exchange.BasisSignature || b.Certificate != exchange.DigestOf(holders()[finance].chain[0].Raw) {
		t.Errorf("the acceptance rests on %+v", b)
	}

	d := p.inState(s.Package, 1, exchange.Queued)
	if page, err := p.x.Inbox(t.Context(), system(health), "", "", 0, 0); err != nil || len(page.Items) != 0 {
		t.Errorf("in the inbox before it is consigned: %v, %v", page.Items, err)
	}
	_, _, err := p.x.DeliveryContent(t.Context(), system(health), d.ID)
	refused(t, err, exchange.NotFound, "not-found")

	p.clock.advance(time.Second)
	p.work()
	page, err := p.x.Inbox(t.Context(), system(health), "", "", 0, 0)
	if err != nil || len(page.Items) != 1 || page.Items[0].Delivery.ID != d.ID || page.Items[0].Package.Subject != "V/v phân bổ kinh phí" {
		t.Fatalf("inbox %+v, %v", page, err)
	}
	consigned := p.evidence(s.Package, d.ID, exchange.ContentConsignment)
	if len(consigned.Recipients) != 1 || consigned.Recipients[0].Code != health || consigned.RefersTo != 1 || consigned.Basis.Method != exchange.BasisHub {
		t.Errorf("the consignment says %+v", consigned)
	}
	if !consigned.Time.Equal(start.Add(time.Second)) || !consigned.SubmitTime.Equal(start) {
		t.Errorf("consigned at %v, submitted at %v", consigned.Time, consigned.SubmitTime)
	}

	d = p.delivery(s.Package, 1)
	if got := p.fetch(d); !bytes.Equal(got, body) {
		t.Error("other bytes than were submitted")
	}
	if p.delivery(s.Package, 1).FetchedAt.IsZero() {
		t.Error("the fetch is not noted")
	}

	ack := p.answer(d, exchange.AnswerAccepted, "")
	first := p.acknowledge(d, ack)
	p.inState(s.Package, 1, exchange.HandedOver)
	p.inState(s.Package, 2, exchange.Consigned)
	handed := p.evidence(s.Package, d.ID, exchange.ContentHandover)
	if !bytes.Equal(handed.Acknowledgement, ack) || handed.Receiver != "sys-H12.12" || handed.Basis.Certificate != exchange.DigestOf(holders()[health].chain[0].Raw) {
		t.Errorf("the handover says %+v", handed)
	}

	again, before, err := p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerAccepted, "")))
	if err != nil || !before || !bytes.Equal(again.Raw, first.Raw) {
		t.Errorf("answered again: %v, %s, %v", before, again.ID, err)
	}
	_, _, err = p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerRefused, "nhầm")))
	refused(t, err, exchange.Conflict, "other-answer")
	if got := p.fetch(d); !bytes.Equal(got, body) {
		t.Error("the content is gone after the answer")
	}
}

func TestRefusedByTheRecipient(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := p.delivery(id, 1)
	body := p.answer(d, exchange.AnswerRefused, "gửi nhầm cơ quan")
	p.acknowledge(d, body)
	d = p.inState(id, 1, exchange.Rejected)
	e := p.evidence(id, d.ID, exchange.ConsignmentRejection)
	if e.Reason != exchange.Refused || e.Detail != "gửi nhầm cơ quan" || !bytes.Equal(e.Acknowledgement, body) {
		t.Errorf("the refusal says %+v", e)
	}
	_, before, err := p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(body))
	if err != nil || !before {
		t.Errorf("refused again: %v, %v", before, err)
	}
	_, _, err = p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerAccepted, "")))
	refused(t, err, exchange.Conflict, "other-answer")
}

// TestTheSameAnswerCountsAfterTheCertificateHasExpired: the first receipt is
// returned whatever has changed since.
func TestTheSameAnswerCountsAfterTheCertificateHasExpired(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	h := holders()["short"]
	pkg := document("7", finance)
	pkg.From = p.organ(health)
	s := p.submit(health, signed(t, pkg))
	p.work()
	d := p.delivery(s.Package, 1)
	body := p.answer(d, exchange.AnswerAccepted, "", "short")
	first := p.acknowledge(d, body)
	p.clock.advance(2 * time.Hour)
	if !h.chain[0].NotAfter.Before(p.clock.Now()) {
		t.Fatal("the certificate has not expired")
	}
	again, before, err := p.x.Acknowledge(t.Context(), system(finance), d.ID, bytes.NewReader(body))
	if err != nil || !before || !bytes.Equal(again.Raw, first.Raw) {
		t.Errorf("answered again: %v, %v", before, err)
	}
}

func TestAcknowledgementsRefused(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	d := p.delivery(id, 1)
	pkg := must(p.ledger.Package(t.Context(), id))
	sealed := func(change func(*exchange.Acknowledgement)) []byte {
		a := exchange.NewAcknowledgement(pkg, health, exchange.AnswerAccepted, "", p.clock.Now())
		change(&a)
		return must(p.sealer(health).Seal(a.Canonical(), a.Time))
	}
	for _, c := range []struct {
		name string
		body []byte
		code exchange.Code
		rule string
	}{
		{"about another package", sealed(func(a *exchange.Acknowledgement) { a.Package = "x" }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"about another document", sealed(func(a *exchange.Acknowledgement) { a.DocumentID = "x" }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"without the document", sealed(func(a *exchange.Acknowledgement) { a.DocumentID = "" }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"about other bytes", sealed(func(a *exchange.Acknowledgement) { a.Digest = exchange.DigestOf(nil) }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"of another sender", sealed(func(a *exchange.Acknowledgement) { a.Sender = ward }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"of another recipient", sealed(func(a *exchange.Acknowledgement) { a.Recipient = ward }), exchange.InvalidAcknowledgement, "acknowledgement-mismatch"},
		{"signed by another recipient", p.answer(d, exchange.AnswerAccepted, "", ward), exchange.NotPermitted, "signer-not-sender"},
		{"signed by the sender", p.answer(d, exchange.AnswerAccepted, "", finance), exchange.NotPermitted, "signer-not-sender"},
		{"signed by nobody known", p.answer(d, exchange.AnswerAccepted, "", "unregistered"), exchange.Untrusted, "certificate-not-registered"},
		{"signed outside the trusted roots", p.answer(d, exchange.AnswerAccepted, "", "stranger"), exchange.Untrusted, "untrusted-chain"},
		{"not signed", exchange.NewAcknowledgement(pkg, health, exchange.AnswerAccepted, "", start).Canonical(), exchange.InvalidAcknowledgement, "acknowledgement-unsigned"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(c.body))
			refused(t, err, c.code, c.rule)
		})
	}
	p.inState(id, 1, exchange.Consigned)

	body := sealed(func(a *exchange.Acknowledgement) { a.Recipient = "000.00.12.H12" })
	_, _, err := p.x.Acknowledge(t.Context(), system(ward), d.ID, bytes.NewReader(body))
	refused(t, err, exchange.NotFound, "not-found")
	_, _, err = p.x.Acknowledge(t.Context(), operator, d.ID, bytes.NewReader(body))
	refused(t, err, exchange.NotFound, "not-found")
	p.acknowledge(d, body) // by another of its codes
	p.inState(id, 1, exchange.HandedOver)
}

// TestStatusPackagesAreAcknowledged: they have no DocumentId.
func TestStatusPackagesAreAcknowledged(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1250", health)
	s := p.submit(health, signed(t, status(health, "03", "1250")))
	p.work()
	d := p.inState(s.Package, 1, exchange.Consigned)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.inState(s.Package, 1, exchange.HandedOver)
}
