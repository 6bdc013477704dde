package exchange

import (
	"context"
	"slices"
	"time"
)

// effects adds to the change what accepting the package does to deliveries of
// earlier ones: a status is noted beside the state, and may settle the delivery;
// what a recall takes back and nobody fetched yet is withdrawn, with evidence; who
// has it already is asked to answer.
func (x *Exchange) effects(ctx context.Context, pkg Package, change *Change) error {
	switch {
	case pkg.Kind == KindRecall:
		return x.takeBack(ctx, pkg, pkg.Targets, anyone, change)
	case pkg.Kind == KindUpdate:
		return x.update(ctx, pkg, change)
	case pkg.Kind == KindReplace:
		return x.replace(ctx, pkg, change)
	case pkg.Status != nil && pkg.Status.Code == StatusRecall:
		return x.recallByStatus(ctx, pkg, change)
	case pkg.Status != nil:
		found, err := x.note(ctx, pkg, pkg.AcceptedAt, change)
		if err == nil && !found {
			change.Parked = append(change.Parked, pkg.ID)
		}
		return err
	}
	return nil
}

func anyone(string) bool { return true }

// update takes an updated document back from recipients that the update removes,
// and waits for the answer of those who get the update.
func (x *Exchange) update(ctx context.Context, pkg Package, change *Change) error {
	removed, err := x.canonical(ctx, pkg.Removed)
	if err != nil {
		return err
	}
	if err := x.takeBack(ctx, pkg, pkg.Targets, among(removed), change); err != nil {
		return err
	}
	for _, document := range pkg.Targets {
		sent, err := x.deliveriesOfDocument(ctx, pkg.Sender, document)
		if err != nil {
			return err
		}
		for _, d := range sent {
			if pkg.addresses(d.Recipient) && !d.gaveUp() && !change.touches(d.ID) {
				change.Deliveries = append(change.Deliveries, d.Ask(Request{Kind: KindUpdate, Package: pkg.ID, At: pkg.AcceptedAt}))
			}
		}
	}
	return nil
}

// replace takes the replaced documents back from those recipients for whom they
// are replaced. Where the package names none, these are its own: nobody is left
// without a document.
func (x *Exchange) replace(ctx context.Context, pkg Package, change *Change) error {
	for _, r := range pkg.Replaced {
		from := pkg.addresses
		if len(r.For) > 0 {
			named, err := x.canonical(ctx, r.For)
			if err != nil {
				return err
			}
			from = among(named)
		}
		if err := x.takeBack(ctx, pkg, []string{r.DocumentID}, from, change); err != nil {
			return err
		}
	}
	return nil
}

// recallByStatus is a recall by a status of the sender (13): from all, or from the
// one recipient that it is addressed to.
func (x *Exchange) recallByStatus(ctx context.Context, pkg Package, change *Change) error {
	from := anyone
	if pkg.Status.To != pkg.Sender {
		from = among([]string{pkg.Status.To})
	}
	sent, err := x.meant(ctx, pkg.Sender, *pkg.Status)
	if err != nil {
		return err
	}
	return x.takeBackFrom(ctx, pkg, sent, from, change)
}

func among(list []string) func(string) bool {
	return func(code string) bool { return slices.Contains(list, code) }
}

func (p Package) addresses(code string) bool {
	return slices.ContainsFunc(p.Recipients, func(r Recipient) bool { return r.Code == code })
}

// canonical are the codes of agencies; a code that nobody has is left out: nothing
// was ever sent there.
func (x *Exchange) canonical(ctx context.Context, written []string) (codes []string, err error) {
	for _, as := range written {
		agency, err := x.c.Ledger.Agency(ctx, as)
		if CodeOf(err) == NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		codes = append(codes, agency.Code)
	}
	return codes, nil
}

// takeBack takes the sender's documents back where from says so of the recipient.
func (x *Exchange) takeBack(ctx context.Context, by Package, documents []string, from func(recipient string) bool, change *Change) error {
	for _, document := range documents {
		sent, err := x.deliveriesOfDocument(ctx, by.Sender, document)
		if err != nil {
			return err
		}
		if err := x.takeBackFrom(ctx, by, sent, from, change); err != nil {
			return err
		}
	}
	return nil
}

// takeBackFrom ends those deliveries that nobody fetched yet. Who has the document
// is asked for an answer.
func (x *Exchange) takeBackFrom(ctx context.Context, by Package, sent []Delivery, from func(recipient string) bool, change *Change) error {
	for _, d := range sent {
		if !from(d.Recipient) || d.gaveUp() || change.touches(d.ID) {
			continue
		}
		if d.State != HandedOver && d.FetchedAt.IsZero() {
			if err := x.withdrawOne(ctx, by, d, change); err != nil {
				return err
			}
			continue
		}
		kind := KindRecall
		if by.Kind == KindReplace {
			kind = KindReplace
		}
		change.Deliveries = append(change.Deliveries, d.Ask(Request{Kind: kind, Package: by.ID, At: by.AcceptedAt}))
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
	return x.settleInto(ctx, change, d, event, func(e *Evidence) { e.Basis = basisOf(by.Signature) })
}

// note keeps a status with the deliveries it is about. A delivery that waits for
// its recipient's answer has it by a status 02 to 06. It is false if the hub has
// brought the sender of the status no such document.
func (x *Exchange) note(ctx context.Context, pkg Package, now time.Time, change *Change) (found bool, err error) {
	s := *pkg.Status
	sent, err := x.meant(ctx, s.To, s)
	if err != nil {
		return false, err
	}
	for _, d := range sent {
		if d.Recipient != pkg.Sender {
			continue
		}
		found = true
		if err := x.noteOne(ctx, pkg, d, now, change); err != nil {
			return false, err
		}
	}
	return found, nil
}

func (x *Exchange) noteOne(ctx context.Context, pkg Package, d Delivery, now time.Time, change *Change) error {
	s := pkg.Status
	d, news := d.Note(BusinessStatus{Code: s.Code, Description: s.Description, Package: pkg.ID, At: pkg.AcceptedAt})
	outcome, answers := statusOutcome(s.Code)
	if !answers || !d.settles(outcome) {
		if news {
			change.Deliveries = append(change.Deliveries, d)
		}
		return nil
	}
	settled, event, err := d.Answer(outcome, s.Description, now)
	if err != nil {
		return err
	}
	change.Rechecks = append(change.Rechecks, recheckOf(d.Package, d.ID, pkg.Signature, pkg.Doubtful, now)...)
	return x.settleInto(ctx, change, settled, event, func(e *Evidence) {
		e.Receiver = pkg.System
		e.Basis = basisOf(pkg.Signature)
		e.Basis.Status = StatusBasis{Code: s.Code, Package: pkg.ID, Digest: pkg.Digest}
	})
}

// meant finds the deliveries that a status is about: by the document's identifier
// as it is written, with its date as the standard writes it, or else by the
// document's number and date.
func (x *Exchange) meant(ctx context.Context, sender string, s StatusMessage) ([]Delivery, error) {
	sent, err := x.deliveriesOfDocument(ctx, sender, s.DocumentID)
	if err != nil || len(sent) > 0 {
		return sent, err
	}
	if id := slashed(s.DocumentID); id != s.DocumentID {
		if sent, err = x.deliveriesOfDocument(ctx, sender, id); err != nil || len(sent) > 0 {
			return sent, err
		}
	}
	id, err := x.documentOfNumber(ctx, sender, s.Notation, s.Date)
	if err != nil {
		return nil, err
	}
	return x.deliveriesOfDocument(ctx, sender, id)
}

// documentOfNumber is the identifier of the sender's document with a number and
// notation ("1250/STC-NS") and a date; empty if there is none, or more than one.
func (x *Exchange) documentOfNumber(ctx context.Context, sender, number, date string) (document string, err error) {
	if number == "" || date == "" {
		return "", nil
	}
	q := Search{Text: `"` + number + `"`, Sender: sender, All: true, Limit: pageLimit}
	if q.check() != nil {
		return "", nil // no number that a document has
	}
	for {
		found, cursor, err := x.c.Ledger.Search(ctx, q)
		if err != nil {
			return "", err
		}
		for _, f := range found {
			p := f.Package
			if !p.Exclusive() || p.Number+"/"+p.Notation != number || p.PromulgationDate != date {
				continue
			}
			if document != "" && document != p.DocumentID {
				return "", nil // which of them is not known
			}
			document = p.DocumentID
		}
		if q.Cursor = cursor; cursor == "" {
			return document, nil
		}
	}
}

// deliveriesOfDocument are the deliveries of the packages that brought the
// sender's document: the first, and updates of it, under whatever identifier.
func (x *Exchange) deliveriesOfDocument(ctx context.Context, sender, document string) (all []Delivery, err error) {
	for wanted, i := []string{document}, 0; i < len(wanted); i++ {
		packages, err := x.packagesOfDocument(ctx, sender, wanted[i])
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if !p.Exclusive() && p.Kind != KindUpdate {
				continue
			}
			deliveries, err := x.c.Ledger.DeliveriesOf(ctx, p.ID)
			if err != nil {
				return nil, err
			}
			all = append(all, deliveries...)
			related, err := x.related(ctx, p, deliveries)
			if err != nil {
				return nil, err
			}
			for _, id := range related {
				if !slices.Contains(wanted, id) {
					wanted = append(wanted, id)
				}
			}
		}
	}
	return all, nil
}

// related are the identifiers that a document goes by, beside the package's: of
// what it updates, and of updates to it.
func (x *Exchange) related(ctx context.Context, p Package, deliveries []Delivery) (ids []string, err error) {
	if p.Kind == KindUpdate {
		ids = append(ids, p.Targets...)
	}
	var seen []PackageID
	for _, d := range deliveries {
		for _, r := range d.Requests {
			if r.Kind != KindUpdate || slices.Contains(seen, r.Package) {
				continue
			}
			seen = append(seen, r.Package)
			update, err := x.c.Ledger.Package(ctx, r.Package)
			if err != nil {
				return nil, err
			}
			ids = append(ids, update.DocumentID)
		}
	}
	return ids, nil
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
