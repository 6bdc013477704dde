package exchange

import (
	"context"
	"fmt"
	"time"
)

// issue seals the evidence: a receipt that is not kept yet.
func (x *Exchange) issue(ctx context.Context, e Evidence) (Receipt, error) {
	id, err := x.newID(e.Time)
	if err != nil {
		return Receipt{}, err
	}
	e.ID, e.Hub = ReceiptID(id), x.c.Hub
	raw, err := x.seal(e)
	if err != nil {
		// Nothing is wrong with what was asked for: a token may be out, and is put
		// back.
		x.c.Log.ErrorContext(ctx, "receipt not sealed", "receipt", id, "event", e.Event, "err", err)
		refused := cannotSeal.With(sealingPause)
		refused.Err = fmt.Errorf("sealing receipt %s: %w", id, err)
		return Receipt{}, refused
	}
	r := Receipt{ID: e.ID, Event: e.Event, Time: e.Time, Package: e.Package, Delivery: e.Delivery,
		Reason: e.Reason, Raw: raw}
	if x.c.TimeStamper != nil {
		r.TimeStamp = TimeStampPending
	}
	return r, nil
}

// sealingPause is how many seconds callers are asked to wait when receipts cannot
// be sealed.
const sealingPause = 30

// seal seals the evidence by the key of its time.
func (x *Exchange) seal(e Evidence) ([]byte, error) {
	sealer, err := x.sealer(e.Time)
	if err != nil {
		return nil, err
	}
	return sealer.Seal(e.Canonical(), e.Time)
}

// EvidenceOf is what every receipt about a package says of it. Its ID, the hub and
// the parties are still missing.
func EvidenceOf(pkg Package, event Event, now time.Time) Evidence {
	e := Evidence{Event: event, Time: now, Package: pkg.ID, DocumentID: pkg.DocumentID,
		Submitter: pkg.System, SubmitTime: pkg.AcceptedAt, Basis: basisOf(pkg.Signature)}
	if pkg.Digest.IsZero() {
		return e // refused before it was read
	}
	e.Parts = append(e.Parts, Part{Identifier: "package", ContentType: "application/xml", Digest: pkg.Digest})
	for _, a := range pkg.Attachments {
		e.Parts = append(e.Parts, Part{Identifier: a.ContentID, ContentType: a.ContentType, Digest: a.Digest})
	}
	return e
}

// matter is what a delivery is about: the package, and the agencies on its two
// sides. It is read once for all that is done with the delivery at a time.
type matter struct {
	pkg               Package
	sender, recipient Agency
}

func (x *Exchange) matterOf(ctx context.Context, d Delivery) (m matter, err error) {
	if m.pkg, err = x.c.Ledger.Package(ctx, d.Package); err != nil {
		return matter{}, err
	}
	if m.sender, err = x.c.Ledger.Agency(ctx, d.Sender); err != nil {
		return matter{}, err
	}
	if m.recipient, err = x.c.Ledger.Agency(ctx, d.Recipient); err != nil {
		return matter{}, err
	}
	return m, nil
}

// attest issues the receipt of what happened to a delivery. It names this
// recipient only.
func (x *Exchange) attest(ctx context.Context, m matter, d Delivery, event Event, fill func(*Evidence)) (Receipt, error) {
	at := d.SettledAt
	if event.Consigns() {
		at = d.ConsignedAt
	}
	e := EvidenceOf(m.pkg, event, at)
	e.Sender, e.Recipients, e.RefersTo = partyOf(m.sender), []Party{partyOf(m.recipient)}, 1
	e.Delivery, e.Reason, e.Detail = d.ID, d.Reason, d.Detail
	e.Upstream, e.UpstreamID = d.Upstream, d.UpstreamID
	e.Basis = Basis{Method: BasisHub}
	fill(&e)
	receipt, err := x.issue(ctx, e)
	receipt.Agencies = []string{d.Sender, d.Recipient}
	return receipt, err
}

// attestInto adds a delivery's new state to a change, with the receipt of it.
func (x *Exchange) attestInto(ctx context.Context, change *Change, m matter, d Delivery, event Event, fill func(*Evidence)) error {
	receipt, err := x.attest(ctx, m, d, event, fill)
	if err != nil {
		return err
	}
	change.Deliveries = append(change.Deliveries, d)
	change.Receipts = append(change.Receipts, receipt)
	return nil
}

// settleInto is attestInto for a delivery of which nothing else was read yet.
func (x *Exchange) settleInto(ctx context.Context, change *Change, d Delivery, event Event, fill func(*Evidence)) error {
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	return x.attestInto(ctx, change, m, d, event, fill)
}

func partyOf(a Agency) Party { return Party{Scheme: SchemeAgency, Code: a.Code, Name: a.Name} }
