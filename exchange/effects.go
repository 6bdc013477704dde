package exchange

import (
	"context"
	"slices"
)

// effects adds to the change what accepting the package does to deliveries of
// earlier ones: a status is noted beside the state; a recall withdraws what
// nobody fetched yet, with evidence.
func (x *Exchange) effects(ctx context.Context, pkg Package, change *Change) error {
	switch {
	case pkg.Kind == KindRecall:
		return x.withdraw(ctx, pkg, pkg.Targets, nil, change)
	case pkg.Kind == KindUpdate && len(pkg.Removed) > 0:
		return x.withdrawRemoved(ctx, pkg, change)
	case pkg.Status != nil && pkg.Status.Code == StatusRecall && pkg.Status.To == pkg.Sender:
		return x.withdraw(ctx, pkg, []string{pkg.Status.DocumentID}, nil, change)
	case pkg.Status != nil:
		return x.note(ctx, pkg, change)
	}
	return nil
}

// withdrawRemoved withdraws an updated document from recipients that the update
// removes.
func (x *Exchange) withdrawRemoved(ctx context.Context, pkg Package, change *Change) error {
	var removed []string
	for _, as := range pkg.Removed {
		agency, err := x.c.Ledger.Agency(ctx, as)
		if CodeOf(err) == NotFound {
			continue // never got anything under that code
		}
		if err != nil {
			return err
		}
		removed = append(removed, agency.Code)
	}
	return x.withdraw(ctx, pkg, pkg.Targets, removed, change)
}

// withdraw ends the deliveries of the sender's documents that nobody fetched
// yet; only those to the recipients, if any are given.
func (x *Exchange) withdraw(ctx context.Context, by Package, documents, recipients []string, change *Change) error {
	for _, document := range documents {
		sent, err := x.deliveriesOfDocument(ctx, by.Sender, document)
		if err != nil {
			return err
		}
		for _, d := range sent {
			if len(recipients) > 0 && !slices.Contains(recipients, d.Recipient) {
				continue
			}
			if d.State.Final() || !d.FetchedAt.IsZero() {
				continue
			}
			if err := x.withdrawOne(ctx, by, d, change); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Exchange) withdrawOne(ctx context.Context, by Package, d Delivery, change *Change) error {
	d, event, err := d.Withdraw(by.AcceptedAt)
	if err != nil {
		return err
	}
	receipt, err := x.attest(ctx, d, event, func(e *Evidence) {
		e.Detail = "recalled by package " + string(by.ID)
		e.Basis = basisOf(by.Signature)
	})
	if err != nil {
		return err
	}
	change.Deliveries = append(change.Deliveries, d)
	change.Receipts = append(change.Receipts, receipt)
	return nil
}

// note keeps a status with the delivery it is about, if there is one: statuses
// on documents that the hub did not carry are delivered all the same.
func (x *Exchange) note(ctx context.Context, pkg Package, change *Change) error {
	s := pkg.Status
	sent, err := x.deliveriesOfDocument(ctx, s.To, s.DocumentID)
	if err != nil {
		return err
	}
	for _, d := range sent {
		if d.Recipient != pkg.Sender {
			continue
		}
		noted := d.Note(BusinessStatus{Code: s.Code, Description: s.Description, Package: pkg.ID, At: pkg.AcceptedAt})
		if len(noted.Statuses) > len(d.Statuses) {
			change.Deliveries = append(change.Deliveries, noted)
		}
	}
	return nil
}

// deliveriesOfDocument are the deliveries of the packages that brought the
// sender's document.
func (x *Exchange) deliveriesOfDocument(ctx context.Context, sender, document string) ([]Delivery, error) {
	if document == "" {
		return nil, nil
	}
	var all []Delivery
	for cursor := ""; ; {
		packages, next, err := x.c.Ledger.Packages(ctx, PackageQuery{Sender: sender, DocumentID: document, Cursor: cursor, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if !p.Exclusive() {
				continue
			}
			deliveries, err := x.c.Ledger.DeliveriesOf(ctx, p.ID)
			if err != nil {
				return nil, err
			}
			all = append(all, deliveries...)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}
