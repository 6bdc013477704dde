package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// MailState is where a delivery stands in the words of the older protocols, for
// the software that fetches it. It says nothing of what people do with the document.
type MailState string

// The states of mail.
const (
	MailInitial    MailState = "initial"    // waits to be fetched
	MailProcessing MailState = "processing" // fetched, not yet said to be done
	MailDone       MailState = "done"       // answered
	MailFail       MailState = "fail"       // its software could not take it in, or it ended otherwise
)

// MailState is where the delivery stands for its recipient's software.
func (d Delivery) MailState() MailState {
	switch {
	case d.State == HandedOver || d.State == Rejected:
		return MailDone
	case d.State.Final() || !d.TroubleAt.IsZero():
		return MailFail
	case !d.FetchedAt.IsZero():
		return MailProcessing
	}
	return MailInitial
}

// MailQuery selects what came to an agency's system, or was sent by it.
type MailQuery struct {
	// Statuses selects status packages, else all others are.
	Statuses bool
	// From (included) and To (excluded) are when packages were accepted; zero means
	// open. Without both, what came is what is not done yet.
	From, To time.Time
	// Skip leaves out so many from the oldest, Limit bounds how many are listed; 0:
	// as many as there may be.
	Skip, Limit int
}

func (q MailQuery) dated() bool { return !q.From.IsZero() || !q.To.IsZero() }

func (q MailQuery) holds(at time.Time) bool {
	return !at.Before(q.From) && (q.To.IsZero() || at.Before(q.To))
}

// mailForms are how software of the older protocols writes the days and moments of
// a list, and how much time each stands for. The list is never written.
var mailForms = []struct {
	layout string
	span   time.Duration
}{
	{"2006/01/02", 24 * time.Hour}, {"2006-01-02", 24 * time.Hour}, {"02/01/2006", 24 * time.Hour},
	{"2006/01/02 15:04:05", time.Second}, {"2006-01-02 15:04:05", time.Second}, {"02/01/2006 15:04:05", time.Second},
}

// ParseMailTime reads a day or a moment as software of the older protocols writes
// it, and says how much time it stands for: a day, or a second.
func ParseMailTime(text string) (at time.Time, span time.Duration, ok bool) {
	for _, f := range mailForms {
		if at, err := time.ParseInLocation(f.layout, text, Vietnam); err == nil {
			return at, f.span, true
		}
	}
	return time.Time{}, 0, false
}

const (
	// mostMail is how many entries a list of the older protocols has at most: they
	// have no pages. What is done makes room for what comes after.
	mostMail = 10_000
	// mailLookBack is how far back a list goes that names no time.
	mailLookBack = 90 * 24 * time.Hour
)

// Received lists what came to the caller's agencies, from the oldest to the
// newest, urgent ones first: what is not done yet, or whatever came in a time.
func (x *Exchange) Received(ctx context.Context, by Caller, q MailQuery) ([]InboxItem, error) {
	if by.System == nil {
		return nil, notPermitted.With(by, Words{"list what came", "xem danh sách văn bản đến"})
	}
	var all []InboxItem
	for _, agency := range by.System.Agencies {
		pages := func(cursor string) ([]Delivery, string, error) {
			return x.c.Ledger.Inbox(ctx, agency, cursor, pageLimit)
		}
		if q.dated() {
			pages = x.deliveriesSince(ctx, DeliveryQuery{Recipient: agency}, q.From)
		}
		took := func(d Delivery) bool { return !d.ConsignedAt.IsZero() && q.holds(d.AcceptedAt) && d.readable() == nil }
		list, err := x.mail(ctx, q, pages, took)
		if err != nil {
			return nil, err
		}
		for i := range list {
			list[i].Package = forRecipient(list[i].Package)
		}
		all = append(all, list...)
	}
	return q.page(all), nil
}

// Sent lists the deliveries of what the caller's agencies sent, from the oldest to
// the newest: in a time, or in the last 90 days.
func (x *Exchange) Sent(ctx context.Context, by Caller, q MailQuery) ([]InboxItem, error) {
	if by.System == nil {
		return nil, notPermitted.With(by, Words{"list what was sent", "xem danh sách văn bản đi"})
	}
	if !q.dated() {
		q.From = x.now().Add(-mailLookBack)
	}
	var all []InboxItem
	for _, agency := range by.System.Agencies {
		took := func(d Delivery) bool { return q.holds(d.AcceptedAt) }
		list, err := x.mail(ctx, q, x.deliveriesSince(ctx, DeliveryQuery{Sender: agency}, q.From), took)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return q.page(all), nil
}

// deliveriesSince are the pages of deliveries, newest first, down to a time.
func (x *Exchange) deliveriesSince(ctx context.Context, q DeliveryQuery, from time.Time) func(cursor string) ([]Delivery, string, error) {
	return func(cursor string) ([]Delivery, string, error) {
		q.Cursor, q.Limit = cursor, pageLimit
		list, next, err := x.c.Ledger.Deliveries(ctx, q)
		if n := len(list); n > 0 && list[n-1].AcceptedAt.Before(from) {
			next = "" // all that follows is older
		}
		return list, next, err
	}
}

// mail gathers deliveries of the kind with their packages.
func (x *Exchange) mail(ctx context.Context, q MailQuery, pages func(cursor string) ([]Delivery, string, error), took func(Delivery) bool) ([]InboxItem, error) {
	var all []InboxItem
	for cursor := ""; ; {
		list, next, err := pages(cursor)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if !took(d) {
				continue
			}
			p, err := x.c.Ledger.Package(ctx, d.Package)
			if err != nil {
				return nil, err
			}
			if (p.Kind == KindStatus) == q.Statuses {
				all = append(all, InboxItem{Delivery: d, Package: p})
			}
		}
		if cursor = next; cursor == "" || (!q.dated() && len(all) >= q.Skip+mostMail) {
			return all, nil
		}
	}
}

// page puts the list into its order and cuts out what is asked for.
func (q MailQuery) page(all []InboxItem) []InboxItem {
	slices.SortStableFunc(all, func(a, b InboxItem) int {
		if a.Delivery.Urgent() != b.Delivery.Urgent() && !q.dated() {
			return cmp.Compare(b.Delivery.Priority, a.Delivery.Priority)
		}
		return cmp.Or(a.Delivery.AcceptedAt.Compare(b.Delivery.AcceptedAt), cmp.Compare(a.Delivery.ID, b.Delivery.ID))
	})
	limit := mostMail
	if q.Limit > 0 {
		limit = min(q.Limit, mostMail)
	}
	all = all[min(max(q.Skip, 0), len(all)):]
	return all[:min(limit, len(all))]
}

// DocumentContent gives the package with a docId to its recipient, as
// DeliveryContent does, or back to its sender.
func (x *Exchange) DocumentContent(ctx context.Context, by Caller, docID string) (Package, Content, error) {
	p, place, err := ParseDocID(docID)
	if err != nil {
		return Package{}, nil, err
	}
	if place == 0 {
		return x.PackageContent(ctx, by, p)
	}
	return x.DeliveryContent(ctx, by, NewDeliveryID(p, place))
}

// TakeOver settles a delivery on the word of its recipient's system, which has no
// way to sign an acknowledgement: it is handed over, and the receipt says that it
// rests on the authenticated system alone. The same word again returns the first
// receipt, and true. Software says it of what was refused, too: that stays as it is,
// and there is no receipt.
func (x *Exchange) TakeOver(ctx context.Context, by Caller, docID string) (Receipt, bool, error) {
	p, place, err := ParseDocID(docID)
	if err != nil {
		return Receipt{}, false, err
	}
	for attempt := 1; ; attempt++ {
		d, err := x.recipients(ctx, by, NewDeliveryID(p, place))
		if err != nil {
			return Receipt{}, false, err
		}
		receipt, before, err := x.takeOver(ctx, by, d)
		if !isChanged(err) || attempt == mostTries {
			return receipt, before, err
		}
	}
}

func (x *Exchange) takeOver(ctx context.Context, by Caller, d Delivery) (Receipt, bool, error) {
	if d.State == HandedOver {
		return x.answeredBefore(ctx, AnswerAccepted, d)
	}
	if d.State == Rejected {
		return Receipt{}, true, nil
	}
	if d.State == Held {
		return Receipt{}, false, heldDelivery.With(d.ID)
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return Receipt{}, false, err
	}
	now := x.now()
	settled, event, err := d.Fetch(now).Answer(AnswerAccepted, "", now) // who took it over has it
	if err != nil {
		return Receipt{}, false, err
	}
	receipt, err := x.commit(ctx, Change{}, m, settled, event, onTheWordOf(by.System))
	if err != nil {
		return Receipt{}, false, err
	}
	x.c.Log.InfoContext(ctx, "delivery settled on its system's word", "delivery", d.ID, "state", settled.State)
	return receipt, false, nil
}

// onTheWordOf fills a receipt that rests on an authenticated system alone.
func onTheWordOf(s *System) func(*Evidence) {
	return func(e *Evidence) { e.Receiver, e.Basis = s.ID, Basis{Method: BasisSystem} }
}

// ReportTrouble notes that the recipient's software could not take a package in.
// The delivery stays open, is told of to operators, and may be fetched again.
func (x *Exchange) ReportTrouble(ctx context.Context, by Caller, docID string) error {
	p, place, err := ParseDocID(docID)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		d, err := x.recipients(ctx, by, NewDeliveryID(p, place))
		if err != nil {
			return err
		}
		if err := d.in(Consigned); err != nil || !d.TroubleAt.IsZero() {
			return err
		}
		d.TroubleAt = x.now()
		err = x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d}})
		if !isChanged(err) || attempt == mostTries {
			if err == nil {
				x.c.Log.WarnContext(ctx, "a recipient's software could not take a package in", "delivery", d.ID, "system", by.System.ID)
			}
			return err
		}
	}
}

// isChanged reports whether another request changed the entry meanwhile.
func isChanged(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Rule.Name == changedMeanwhile.Name
}
