package exchange

import (
	"context"
	"io"

	"tram/signing"
)

// Acknowledge settles a delivery by its recipient's signed answer and returns
// the receipt of it: ContentHandover or ConsignmentRejection, with the answer
// inside. The same answer again returns the first receipt, and true.
func (x *Exchange) Acknowledge(ctx context.Context, by Caller, id DeliveryID, body io.Reader) (Receipt, bool, error) {
	d, err := x.recipients(ctx, by, id)
	if err != nil {
		return Receipt{}, false, err
	}
	ack, doc, err := ParseAcknowledgement(body)
	if err != nil {
		return Receipt{}, false, err
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return Receipt{}, false, err
	}
	if err := m.answers(ack, d); err != nil {
		return Receipt{}, false, err
	}
	for attempt := 1; ; attempt++ {
		receipt, before, err := x.answer(ctx, by, ack, doc.Signature, m, d)
		if CodeOf(err) != Conflict || attempt == mostTries {
			return receipt, before, err
		}
		again, rerr := x.c.Ledger.Delivery(ctx, id)
		if rerr != nil {
			return Receipt{}, false, rerr
		}
		if again.Version == d.Version {
			return Receipt{}, false, err // the conflict is with the state, not with another request
		}
		d = again
	}
}

// recipients is the delivery, if the caller is a system of its recipient. One
// that comes for a delivery while it is still being told of it has taken notice:
// the delivery is consigned to it then.
func (x *Exchange) recipients(ctx context.Context, by Caller, id DeliveryID) (Delivery, error) {
	d, err := x.c.Ledger.Delivery(ctx, id)
	if err != nil {
		return Delivery{}, err
	}
	if !by.Speaks(d.Recipient) {
		return Delivery{}, NotFoundError("delivery", string(id))
	}
	if d.State != Queued || d.Attempts == 0 {
		return d, nil
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return Delivery{}, err
	}
	if err := x.consign(ctx, m, d); err != nil {
		return Delivery{}, err
	}
	return x.c.Ledger.Delivery(ctx, id)
}

// answers holds an acknowledgement to the delivery it is sent for.
func (m matter) answers(ack Acknowledgement, d Delivery) error {
	for _, about := range []struct{ what, said, is string }{
		{"package", string(ack.Package), string(m.pkg.ID)},
		{"document", ack.DocumentID, m.pkg.DocumentID},
		{"digest", ack.Digest.String(), m.pkg.Digest.String()},
		{"sender", m.sender.canonical(ack.Sender), d.Sender},
		{"recipient", m.recipient.canonical(ack.Recipient), d.Recipient},
	} {
		if about.said != about.is {
			return ackMismatch.With(noun(about.what), about.said, about.is)
		}
	}
	return nil
}

// answerSigned holds an acknowledgement's signature to the recipient. A chain is
// returned if nothing is known of its revocation and it counts all the same.
func (x *Exchange) answerSigned(ctx context.Context, ack Acknowledgement, s *signing.Signature, recipient Agency) (doubtful [][]byte, err error) {
	if s == nil && recipient.Signs() {
		return nil, ackUnsigned.With(recipient.Code)
	}
	if s == nil {
		return nil, nil
	}
	now := x.now()
	by, err := x.signedBy(ctx, recipient, s, now)
	if err != nil {
		return nil, err
	}
	return x.rely(ctx, ack.Signature, by, s, now)
}

func (x *Exchange) answer(ctx context.Context, by Caller, ack Acknowledgement, s *signing.Signature, m matter, d Delivery) (Receipt, bool, error) {
	// As with packages, an answer that was given before is not judged again: the
	// certificate may have expired since, and nothing changes.
	if d.State == HandedOver || d.State == Rejected {
		return x.answeredBefore(ctx, ack.Outcome, d)
	}
	if d.State == Held {
		return Receipt{}, false, heldDelivery.With(d.ID)
	}
	doubtful, err := x.answerSigned(ctx, ack, s, m.recipient)
	if err != nil {
		return Receipt{}, false, err
	}
	settled, event, err := d.Answer(ack.Outcome, ack.Reason, x.now())
	if err != nil {
		return Receipt{}, false, err
	}
	change := Change{Rechecks: recheckOf(d.Package, d.ID, ack.Signature, doubtful, settled.SettledAt)}
	receipt, err := x.commit(ctx, change, m, settled, event, func(e *Evidence) {
		e.Receiver = by.System.ID
		e.Basis = basisOf(ack.Signature)
		e.Acknowledgement = ack.Raw
	})
	if err != nil {
		return Receipt{}, false, err
	}
	x.c.Log.InfoContext(ctx, "delivery settled", "delivery", d.ID, "state", settled.State, "attempts", d.Attempts)
	return receipt, false, nil
}

// answeredBefore is the receipt of the answer that was given already, if this
// one says the same.
func (x *Exchange) answeredBefore(ctx context.Context, outcome Outcome, d Delivery) (Receipt, bool, error) {
	want, given := HandedOver, AnswerAccepted
	if outcome == AnswerRefused {
		want = Rejected
	}
	if d.State == Rejected {
		given = AnswerRefused
	}
	if d.State != want {
		return Receipt{}, false, otherAnswer.With(d.ID, given)
	}
	receipts, err := x.c.Ledger.Receipts(ctx, d.Package)
	if err != nil {
		return Receipt{}, false, err
	}
	for _, r := range receipts {
		if r.Delivery == d.ID && (r.Event == ContentHandover || r.Event == ConsignmentRejection) {
			return r, true, nil
		}
	}
	return Receipt{}, false, NotFoundError("receipt", string(d.ID))
}
