package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// FinalEvents are what the one final receipt of a delivery in this state may
// attest to; none for open states.
func (s State) FinalEvents() []Event {
	switch s {
	case HandedOver:
		return []Event{ContentHandover}
	case Rejected:
		return []Event{ConsignmentRejection}
	case Failed:
		return []Event{ContentConsignmentFailure, ContentHandoverFailure, AcceptanceRejectionExpiry, RelayRejection, RelayFailure}
	case Withdrawn:
		return []Event{ContentConsignmentFailure, ContentHandoverFailure}
	}
	return nil
}

// VerifySeal verifies a receipt against the hub's published sealing certificates.
func VerifySeal(raw []byte, seals []PublishedSeal) (Receipt, error) {
	r, _, doc, err := ParseReceipt(raw)
	if err != nil {
		return Receipt{}, err
	}
	if !slices.ContainsFunc(seals, func(p PublishedSeal) bool {
		return p.Certificate.Equal(doc.Signature.Certificate) && p.Covers(r.Time)
	}) {
		return Receipt{}, fmt.Errorf("sealed with %q, which the hub does not publish for %s", doc.Signature.Certificate.Subject, r.Time)
	}
	return r, nil
}

// CheckReceipts reads all packages with their deliveries and receipts, in little
// memory, and reports the first thing that does not hold:
//
//   - every package has exactly one receipt of its acceptance,
//   - every delivery that was consigned has exactly one receipt of that,
//   - every delivery in a final state has exactly one final receipt, of an event
//     that fits the state, and no other has one,
//   - receipt returns nil for each of their receipts.
func CheckReceipts(ctx context.Context, l Ledger, receipt func(Receipt) error) error {
	return EachPackage(ctx, l, func(p Package) error {
		receipts, err := l.Receipts(ctx, p.ID)
		if err != nil {
			return err
		}
		deliveries, err := l.DeliveriesOf(ctx, p.ID)
		if err != nil {
			return err
		}
		about := map[DeliveryID][]Event{}
		for _, r := range receipts {
			if err := receipt(r); err != nil {
				return fmt.Errorf("receipt %s, %s: %w", r.ID, r.Event, err)
			}
			if r.Event != RevocationEstablished { // moves nothing on
				about[r.Delivery] = append(about[r.Delivery], r.Event)
			}
		}
		if events := about[""]; len(events) != 1 || events[0] != SubmissionAcceptance {
			return fmt.Errorf("package %s was accepted with the receipts %v", p.ID, events)
		}
		if len(deliveries) != len(p.Recipients) {
			return fmt.Errorf("package %s has %d recipients and %d deliveries", p.ID, len(p.Recipients), len(deliveries))
		}
		for _, d := range deliveries {
			if err := attested(d, about[d.ID]); err != nil {
				return err
			}
		}
		return nil
	})
}

// attested holds a delivery's state against the events of its receipts.
func attested(d Delivery, events []Event) error {
	final := slices.DeleteFunc(slices.Clone(events), Event.Consigns)
	consigned := len(events) - len(final)
	allowed := d.State.FinalEvents()
	switch {
	case consigned > 1 || (consigned == 1) != !d.ConsignedAt.IsZero(),
		len(allowed) == 0 && len(final) > 0,
		len(allowed) > 0 && (len(final) != 1 || !slices.Contains(allowed, final[0])):
		return fmt.Errorf("delivery %s is %s with the receipts %v", d.ID, d.State, events)
	}
	return nil
}

// EachPackage visits all packages, from the newest to the oldest.
func EachPackage(ctx context.Context, l Ledger, do func(Package) error) error {
	for cursor := ""; ; {
		packages, next, err := l.Packages(ctx, PackageQuery{Cursor: cursor, Limit: 200})
		for _, p := range packages {
			if err = errors.Join(err, ctx.Err()); err != nil {
				break
			}
			err = do(p)
		}
		if err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
