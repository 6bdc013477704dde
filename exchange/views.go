package exchange

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// PackageView is a package with its deliveries.
type PackageView struct {
	Package    Package    `json:"package"`
	Deliveries []Delivery `json:"deliveries"`
	// Recheck is there if the package was accepted while nothing was known of its
	// certificate's revocation; without the chain.
	Recheck *Recheck `json:"recheck,omitempty"`
	// Erased is there if the package's bytes were erased.
	Erased *Erasure `json:"erased,omitempty"`
}

// Package shows a package to its sender and to people, with all deliveries; to
// a recipient with its own only.
func (x *Exchange) Package(ctx context.Context, by Caller, id PackageID) (PackageView, error) {
	p, err := x.c.Ledger.Package(ctx, id)
	if err != nil {
		return PackageView{}, err
	}
	deliveries, err := x.c.Ledger.DeliveriesOf(ctx, id)
	if err != nil {
		return PackageView{}, err
	}
	erased, err := x.erasureOf(ctx, id)
	if err != nil {
		return PackageView{}, err
	}
	if by.Watches() || by.Speaks(p.Sender) {
		r, err := x.recheckShown(ctx, p)
		return PackageView{Package: p, Deliveries: deliveries, Recheck: r, Erased: erased}, err
	}
	own := slices.DeleteFunc(deliveries, func(d Delivery) bool { return !by.Speaks(d.Recipient) || d.ConsignedAt.IsZero() })
	if len(own) == 0 {
		return PackageView{}, NotFoundError("package", string(id))
	}
	for i := range own {
		own[i] = own[i].forRecipient()
	}
	return PackageView{Package: forRecipient(p), Deliveries: own, Erased: erased}, nil
}

// erasureOf is nil for a package that has its bytes.
func (x *Exchange) erasureOf(ctx context.Context, id PackageID) (*Erasure, error) {
	e, err := x.c.Ledger.Erasure(ctx, id)
	if CodeOf(err) == NotFound {
		return nil, nil
	}
	return &e, err
}

func (x *Exchange) recheckShown(ctx context.Context, p Package) (*Recheck, error) {
	if p.Signature == nil || p.Signature.Revocation.State != RevocationUnknown {
		return nil, nil
	}
	r, err := x.c.Ledger.Recheck(ctx, string(p.ID))
	if err != nil {
		return nil, err
	}
	r.Chain = nil
	return &r, nil
}

// RevocationView is how the hub finds out about revocation, for people.
type RevocationView struct {
	// Policy is empty if nobody asks.
	Policy RevocationPolicy `json:"policy,omitempty"`
	// Doubtful is how many signatures were accepted while nothing was known and
	// are still to be asked about; Oldest are those that have waited longest.
	Doubtful int64              `json:"doubtful"`
	Oldest   []Recheck          `json:"oldest"`
	Sources  []RevocationSource `json:"sources"`
}

// oldestShown is how many of those that wait are shown.
const oldestShown = 20

// Revocation shows how the hub finds out about revocation.
func (x *Exchange) Revocation(ctx context.Context, by Caller) (RevocationView, error) {
	if !by.Watches() {
		return RevocationView{}, notPermitted.With(by, Words{"see how revocation is asked about", "xem tình hình tra cứu thu hồi"})
	}
	v := RevocationView{Oldest: []Recheck{}, Sources: []RevocationSource{}}
	if x.c.Revocation != nil {
		v.Policy = x.c.RevocationPolicy
	}
	if sources, ok := x.c.Revocation.(RevocationSources); ok {
		v.Sources = append(v.Sources, sources.Sources()...)
	}
	var err error
	if v.Doubtful, err = x.c.Ledger.RechecksOpen(ctx); err != nil {
		return v, err
	}
	open, err := x.c.Ledger.RechecksDue(ctx, endOfTime, oldestShown)
	for _, r := range open {
		r.Chain = nil
		v.Oldest = append(v.Oldest, r)
	}
	return v, err
}

// endOfTime is later than whatever is due.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Packages lists packages, newest first: any for people, their senders' for
// systems.
func (x *Exchange) Packages(ctx context.Context, by Caller, q PackageQuery) ([]Package, string, error) {
	if err := x.makeCanonical(ctx, &q.Sender); err != nil {
		return nil, "", err
	}
	if q.Sender == "" {
		var err error
		if q.Sender, err = x.onlyAgency(ctx, by); err != nil {
			return nil, "", err
		}
	}
	if !by.Watches() && !by.Speaks(q.Sender) {
		return nil, "", notPermitted.With(by, ofAgency("list packages", "xem danh sách gói tin", q.Sender))
	}
	if q.DocumentID != "" && q.Sender == "" {
		return nil, "", InvalidError("two agencies may use the same document identifier; give the sender too",
			"mã định danh văn bản chỉ có nghĩa đối với từng cơ quan gửi; hãy ghi thêm cơ quan gửi (sender)")
	}
	q.Limit = limited(q.Limit)
	return x.c.Ledger.Packages(ctx, q)
}

// Delivery shows one delivery to its sender, its recipient and to people.
func (x *Exchange) Delivery(ctx context.Context, by Caller, id DeliveryID) (InboxItem, error) {
	d, err := x.c.Ledger.Delivery(ctx, id)
	if err != nil {
		return InboxItem{}, err
	}
	p, err := x.c.Ledger.Package(ctx, d.Package)
	if err != nil {
		return InboxItem{}, err
	}
	if by.Watches() || by.Speaks(d.Sender) {
		return InboxItem{Delivery: d, Package: p}, nil
	}
	if !by.Speaks(d.Recipient) || d.ConsignedAt.IsZero() {
		return InboxItem{}, NotFoundError("delivery", string(id))
	}
	return InboxItem{Delivery: d.forRecipient(), Package: forRecipient(p)}, nil
}

// Deliveries lists deliveries, newest first: any for people; for systems those
// to or from one of their agencies.
func (x *Exchange) Deliveries(ctx context.Context, by Caller, q DeliveryQuery) ([]Delivery, string, error) {
	if err := x.makeCanonical(ctx, &q.Sender, &q.Recipient); err != nil {
		return nil, "", err
	}
	if !by.Watches() && !by.Speaks(q.Sender) && !by.Speaks(q.Recipient) {
		return nil, "", notPermitted.With(by, ofAgency("list deliveries", "xem danh sách lượt chuyển", cmp.Or(q.Sender, q.Recipient)))
	}
	if q.State != "" && !slices.Contains(States, q.State) {
		return nil, "", InvalidError("there is no state %q; give one of: %s", "không có trạng thái %q; hãy dùng một trong: %s", q.State, listed(States))
	}
	q.Limit = limited(q.Limit)
	list, cursor, err := x.c.Ledger.Deliveries(ctx, q)
	if by.Watches() || by.Speaks(q.Sender) {
		return list, cursor, err
	}
	onTheWay := func(d Delivery) bool { return d.ConsignedAt.IsZero() } // not the recipient's to see yet
	list = slices.DeleteFunc(list, onTheWay)
	for i := range list {
		list[i] = list[i].forRecipient()
	}
	return list, cursor, err
}

// makeCanonical replaces the codes that are given by those that their agencies
// are kept under. A code that nobody has stays.
func (x *Exchange) makeCanonical(ctx context.Context, codes ...*string) error {
	for _, code := range codes {
		if *code == "" {
			continue
		}
		a, err := x.c.Ledger.Agency(ctx, *code)
		if CodeOf(err) == NotFound {
			continue
		}
		if err != nil {
			return err
		}
		*code = a.Code
	}
	return nil
}

// ofAgency is what a caller may not do with one agency's, or all agencies'.
func ofAgency(en, vi, code string) Words {
	if code == "" {
		return Words{en + " of all agencies", vi + " của tất cả cơ quan"}
	}
	return Words{en + " of agency " + code, vi + " của cơ quan " + code}
}

// PackageContent gives the sender its package back, byte for byte.
func (x *Exchange) PackageContent(ctx context.Context, by Caller, id PackageID) (Package, Content, error) {
	p, err := x.c.Ledger.Package(ctx, id)
	if err != nil {
		return Package{}, nil, err
	}
	if !by.Speaks(p.Sender) {
		return Package{}, nil, NotFoundError("package", string(id))
	}
	content, err := x.content(ctx, p)
	return p, content, err
}

// DeliveryContent gives the recipient the package as it came. The first fetch
// is noted before the first byte leaves: from then on the sender can no longer
// withdraw it unseen. Content stays there after the answer.
func (x *Exchange) DeliveryContent(ctx context.Context, by Caller, id DeliveryID) (Package, Content, error) {
	for attempt := 1; ; attempt++ {
		d, err := x.recipients(ctx, by, id)
		if err != nil {
			return Package{}, nil, err
		}
		if err := d.readable(); err != nil {
			return Package{}, nil, x.orPurged(ctx, d, err)
		}
		if d.FetchedAt.IsZero() {
			err := x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d.Fetch(x.now())}})
			if CodeOf(err) == Conflict && attempt < mostTries {
				continue
			}
			if err != nil {
				return Package{}, nil, err
			}
		}
		p, err := x.c.Ledger.Package(ctx, d.Package)
		if err != nil {
			return Package{}, nil, err
		}
		content, err := x.content(ctx, p)
		return p, content, err
	}
}

// orPurged is why a delivery cannot be read: most of all because its package was
// purged.
func (x *Exchange) orPurged(ctx context.Context, d Delivery, err error) error {
	p, e := x.c.Ledger.Package(ctx, d.Package)
	if e != nil || p.Purged == nil {
		return err
	}
	_, err = x.content(ctx, p)
	return err
}

// readable says why the recipient may not have the content, or nil.
func (d Delivery) readable() error {
	switch d.State {
	case Consigned, HandedOver, Rejected:
		return nil
	case Held:
		return heldDelivery.With(d.ID)
	case Queued:
		return NotFoundError("delivery", string(d.ID)) // not in the inbox yet
	}
	return finalState.With(d.ID, d.State)
}

// Receipts are a package's receipts that the caller may read, in the order of
// the log.
func (x *Exchange) Receipts(ctx context.Context, by Caller, id PackageID) ([]Receipt, error) {
	all, err := x.c.Ledger.Receipts(ctx, id)
	if err != nil {
		return nil, err
	}
	mine := slices.DeleteFunc(all, func(r Receipt) bool { return !r.readableBy(by) })
	if len(mine) == 0 {
		return nil, NotFoundError("package", string(id))
	}
	return mine, nil
}

// Receipt is one receipt, if the caller may read it.
func (x *Exchange) Receipt(ctx context.Context, by Caller, id ReceiptID) (Receipt, error) {
	r, err := x.c.Ledger.Receipt(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	if !r.readableBy(by) {
		return Receipt{}, NotFoundError("receipt", string(id))
	}
	return r, nil
}

// Actions lists what operators and administrators did, newest first, for people:
// the log has the digests of actions, this is what they are of.
func (x *Exchange) Actions(ctx context.Context, by Caller, cursor string, limit int) ([]Action, string, error) {
	if !by.Watches() {
		return nil, "", notPermitted.With(by, Words{"see what people did", "xem nhật ký thao tác"})
	}
	return x.c.Ledger.Actions(ctx, cursor, limited(limit))
}

func (r Receipt) readableBy(by Caller) bool {
	return by.Watches() || (by.System != nil && by.System.ID == r.System) || slices.ContainsFunc(r.Agencies, by.Speaks)
}

// eachDelivery goes through the deliveries that a query selects.
func (x *Exchange) eachDelivery(ctx context.Context, q DeliveryQuery, do func(Delivery) error) error {
	for q.Limit = pageLimit; ; {
		list, next, err := x.c.Ledger.Deliveries(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := do(d); err != nil {
				return err
			}
		}
		if q.Cursor = next; next == "" {
			return nil
		}
	}
}
