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
		return x.withdraw(ctx, pkg, pkg.Targets, func(string) bool { return true }, change)
	case pkg.Kind == KindUpdate:
		return x.withdrawRemoved(ctx, pkg, change)
	case pkg.Status != nil && pkg.Status.Code == StatusRecall:
		s := pkg.Status
		from := func(recipient string) bool { return s.To == pkg.Sender || s.To == recipient }
		return x.withdraw(ctx, pkg, []string{s.DocumentID}, from, change)
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
	from := func(recipient string) bool { return slices.Contains(removed, recipient) }
	return x.withdraw(ctx, pkg, pkg.Targets, from, change)
}

// withdraw ends those deliveries of the sender's documents that nobody fetched
// yet, where from says so of the recipient.
func (x *Exchange) withdraw(ctx context.Context, by Package, documents []string, from func(recipient string) bool, change *Change) error {
	for _, document := range documents {
		sent, err := x.deliveriesOfDocument(ctx, by.Sender, document)
		if err != nil {
			return err
		}
		for _, d := range sent {
			if !from(d.Recipient) || d.State.Final() || !d.FetchedAt.IsZero() || change.touches(d.ID) {
				continue
			}
			if err := x.withdrawOne(ctx, by, d, change); err != nil {
				return err
			}
		}
	}
	return nil
}

// touches reports whether the change has the delivery already: a recall may name
// a document twice.
func (c Change) touches(id DeliveryID) bool {
	return slices.ContainsFunc(c.Deliveries, func(d Delivery) bool { return d.ID == id })
}

func (x *Exchange) withdrawOne(ctx context.Context, by Package, d Delivery, change *Change) error {
	d, event, err := d.Withdraw(by.AcceptedAt)
	if err != nil {
		return err
	}
	d.Detail = "recalled by package " + string(by.ID)
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	receipt, err := x.attest(ctx, m, d, event, func(e *Evidence) { e.Basis = basisOf(by.Signature) })
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
// sender's document: the first, and updates of it.
func (x *Exchange) deliveriesOfDocument(ctx context.Context, sender, document string) ([]Delivery, error) {
	packages, err := x.packagesOfDocument(ctx, sender, document)
	if err != nil {
		return nil, err
	}
	var all []Delivery
	for _, p := range packages {
		if !p.Exclusive() && p.Kind != KindUpdate {
			continue
		}
		deliveries, err := x.c.Ledger.DeliveriesOf(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, deliveries...)
	}
	return all, nil
}

// packagesOfDocument are the sender's packages with the document's identifier.
func (x *Exchange) packagesOfDocument(ctx context.Context, sender, document string) ([]Package, error) {
	if document == "" {
		return nil, nil
	}
	var all []Package
	for cursor := ""; ; {
		packages, next, err := x.c.Ledger.Packages(ctx, PackageQuery{Sender: sender, DocumentID: document, Cursor: cursor, Limit: 100})
		if err != nil {
			return nil, err
		}
		all = append(all, packages...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}
