package exchangetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"tram/exchange"
)

// Samples makes packages, and what their acceptance writes, for tests of stores:
// well-formed as far as a store looks, without XML and signatures. It may be
// used by several goroutines.
type Samples struct {
	n     atomic.Int64
	start time.Time
}

// NewSamples begins at a fixed time.
func NewSamples() *Samples {
	return &Samples{start: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
}

// Later is samples that begin so much later, and share no identifier with those
// made before.
func (s *Samples) Later(d time.Duration) *Samples { return &Samples{start: s.start.Add(d)} }

// id is like a UUID of version 7: later is greater.
func (s *Samples) id() (string, time.Time) {
	n := s.n.Add(1)
	at := s.start.Add(time.Duration(n) * time.Millisecond)
	ms := at.UnixMilli()
	return fmt.Sprintf("%08x-%04x-7000-8000-%012x", ms>>16, ms&0xffff, n), at
}

// Submission is a new package from sender to recipients with content of its own.
func (s *Samples) Submission(sender, document string, recipients ...string) exchange.Package {
	id, at := s.id()
	p := exchange.Package{ID: exchange.PackageID(id), Kind: exchange.KindNew, Sender: sender, System: "qlvb",
		DocumentID: document, Subject: "Về việc " + id, Size: 11_500,
		Digest: exchange.DigestOf([]byte("bytes " + id)), Content: exchange.DigestOf([]byte("content " + id)), AcceptedAt: at}
	for _, r := range recipients {
		p.Recipients = append(p.Recipients, exchange.Recipient{Code: r})
	}
	return p
}

// Again is a resubmission of p: other bytes, for KeyInfo is not signed, of the
// same content.
func (s *Samples) Again(p exchange.Package) exchange.Package {
	id, at := s.id()
	p.ID, p.AcceptedAt, p.Digest = exchange.PackageID(id), at, exchange.DigestOf([]byte("bytes "+id))
	return p
}

// Acceptance is what the acceptance of p writes: its receipt, and a queued
// delivery for each recipient.
func (s *Samples) Acceptance(p exchange.Package) exchange.Change {
	c := exchange.Change{Receipts: []exchange.Receipt{s.Evidence(exchange.SubmissionAcceptance, p.ID, "")}}
	for i, r := range p.Recipients {
		c.Deliveries = append(c.Deliveries, exchange.Delivery{ID: exchange.NewDeliveryID(p.ID, i+1), Package: p.ID, Index: i + 1,
			Sender: p.Sender, Recipient: r.Code, Priority: p.Priority, State: exchange.Queued, Next: p.AcceptedAt,
			Deadline: p.AcceptedAt.Add(72 * time.Hour), AcceptedAt: p.AcceptedAt})
	}
	return c
}

// Evidence is a receipt with a document that is not sealed.
func (s *Samples) Evidence(e exchange.Event, p exchange.PackageID, d exchange.DeliveryID) exchange.Receipt {
	id, at := s.id()
	return exchange.Receipt{ID: exchange.ReceiptID(id), Event: e, Time: at, Package: p, Delivery: d,
		Raw: fmt.Appendf(nil, "<Evidence Id=%q Event=%q/>", id, e)}
}

// Action is an operator's action.
func (s *Samples) Action(verb, object string) exchange.Action {
	id, at := s.id()
	return exchange.Action{ID: id, Time: at, Actor: "user:an", Verb: verb, Object: object, Reason: "theo yêu cầu"}
}

// Consign is the change that puts a delivery into the recipient's inbox.
func (s *Samples) Consign(d exchange.Delivery) (exchange.Change, error) {
	_, at := s.id()
	d, event, err := d.Consign(at)
	return exchange.Change{Deliveries: []exchange.Delivery{d},
		Receipts: []exchange.Receipt{s.Evidence(event, d.Package, d.ID)}}, err
}

// Answer is the change by which the recipient's answer settles a delivery.
func (s *Samples) Answer(d exchange.Delivery, o exchange.Outcome) (exchange.Change, error) {
	_, at := s.id()
	d, event, err := d.Answer(o, "sai thẩm quyền", at)
	return exchange.Change{Deliveries: []exchange.Delivery{d},
		Receipts: []exchange.Receipt{s.Evidence(event, d.Package, d.ID)}}, err
}
