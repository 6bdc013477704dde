package exchange

import (
	"context"
	"slices"
	"time"
)

// Purge says that a package was purged: of what it held nothing is left. What
// proves that it was here stays: who sent it to whom and when, its identifiers and
// digests, its receipts and their places in the log.
type Purge struct {
	At time.Time `json:"at"`
	// Action is the identifier of the action, in the log, that purged it.
	Action string `json:"action"`
}

// Purge is the package without its words. Its receipts name none of them, so they
// can be read as before.
func (p Package) Purge(by Purge) Package {
	p.Number, p.Notation, p.PromulgationDate, p.TypeName, p.Subject = "", "", "", "", ""
	p.Attachments = slices.Clone(p.Attachments)
	for i := range p.Attachments {
		p.Attachments[i].Name = ""
		p.Attachments[i].Signatures = slices.Clone(p.Attachments[i].Signatures)
		for j := range p.Attachments[i].Signatures {
			p.Attachments[i].Signatures[j].Signer = ""
		}
	}
	if p.Status != nil {
		s := *p.Status
		s.Notation, s.Date, s.Description = "", "", ""
		p.Status = &s
	}
	if p.Scan != nil {
		s := *p.Scan
		s.Found = nil // names of attachments
		p.Scan = &s
	}
	p.Purged = &by
	return p
}

// Purged is what purging a package came to.
type Purged struct {
	Package PackageID `json:"package"`
	Purge
	// Ended are the deliveries that it ended: nobody had fetched them. Those that
	// were consigned showed the subject in an inbox.
	Ended []Delivery `json:"ended"`
	// Had are the deliveries whose recipients have the package, or another axis: they
	// are to be told.
	Had []Delivery `json:"had"`
	// Related are other packages about the document, which may hold the same: its
	// updates and recalls, the statuses on it.
	Related []PackageID `json:"related"`
}

// Purge takes what a package held out of the hub, if it should never have come
// here: its bytes at once, its words from the record and from what is searched.
// Deliveries that nobody fetched end, with their receipts; what recipients have
// they may answer still. Purging again changes nothing.
//
// Space of the ledger's file that held the words is given back by Compact only, and
// backups from before have all of it.
func (x *Exchange) Purge(ctx context.Context, by Caller, id PackageID, reason string) (Purged, error) {
	if !by.Administers() {
		return Purged{}, notPermitted.With(by, deeds["purge"])
	}
	if err := needsReason(reason); err != nil {
		return Purged{}, err
	}
	for attempt := 1; ; attempt++ {
		err := x.purge(ctx, by, id, reason)
		if CodeOf(err) == Conflict && attempt < mostTries {
			continue // a worker, or a recipient, changed a delivery meanwhile
		}
		if err != nil {
			return Purged{}, err
		}
		return x.purged(ctx, id)
	}
}

func (x *Exchange) purge(ctx context.Context, by Caller, id PackageID, reason string) error {
	p, err := x.c.Ledger.Package(ctx, id)
	if err != nil {
		return err
	}
	if p.Purged == nil {
		if err := x.purgeRecord(ctx, by, p, reason); err != nil {
			return err
		}
	}
	return x.forget(ctx, p.Digest) // also when a crash came between, and it is purged again
}

func (x *Exchange) purgeRecord(ctx context.Context, by Caller, p Package, reason string) error {
	action, err := x.action(by, "purge", string(p.ID), reason, nil)
	if err != nil {
		return err
	}
	change := Change{Actions: []Action{action}, Purges: []Erasure{{Package: p.ID, At: action.Time, Action: action.ID}}}
	deliveries, err := x.c.Ledger.DeliveriesOf(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		if err := x.purgeDelivery(ctx, d, action, &change); err != nil {
			return err
		}
	}
	if err := x.unnote(ctx, p, &change); err != nil {
		return err
	}
	if err := x.c.Ledger.Update(ctx, change); err != nil {
		return err
	}
	x.c.Log.InfoContext(ctx, "package purged", "package", p.ID, "action", action.ID, "ended", len(change.Receipts))
	return nil
}

// purgeDelivery ends a delivery that nobody fetched. The receipt names the action,
// not its reason: that is the administrators' own.
func (x *Exchange) purgeDelivery(ctx context.Context, d Delivery, action Action, change *Change) error {
	if d.State.Final() {
		return nil
	}
	if d.had() {
		if d.Quarantine != "" {
			d.Detail = "" // what was found, with names of attachments
			change.Deliveries = append(change.Deliveries, d)
		}
		return nil
	}
	d, event, err := d.Purge(purgedBy(action.ID), action.Time)
	if err != nil {
		return err
	}
	return x.settleInto(ctx, change, d, event, func(*Evidence) {})
}

// had reports whether the recipient has the package, or another axis took it on.
func (d Delivery) had() bool {
	return !d.FetchedAt.IsZero() || d.State == HandedOver || d.State == Rejected || d.UpstreamID != ""
}

func purgedBy(action string) string { return "purged by action " + action }

// unnote takes the words of a status that is purged from where they were noted.
func (x *Exchange) unnote(ctx context.Context, p Package, change *Change) error {
	if p.Status == nil || p.Status.Description == "" {
		return nil
	}
	about, err := x.meant(ctx, p.Status.To, *p.Status)
	if err != nil {
		return err
	}
	for _, d := range about {
		n := slices.IndexFunc(d.Statuses, func(s BusinessStatus) bool { return s.Package == p.ID })
		if n < 0 || change.touches(d.ID) {
			continue
		}
		d.Statuses = slices.Clone(d.Statuses)
		d.Statuses[n].Description = ""
		if d.Detail == p.Status.Description {
			d.Detail = ""
		}
		change.Deliveries = append(change.Deliveries, d)
	}
	return nil
}

// purged is what purging the package came to, now or before.
func (x *Exchange) purged(ctx context.Context, id PackageID) (Purged, error) {
	p, err := x.c.Ledger.Package(ctx, id)
	if err != nil {
		return Purged{}, err
	}
	deliveries, err := x.c.Ledger.DeliveriesOf(ctx, id)
	if err != nil {
		return Purged{}, err
	}
	done := Purged{Package: id, Purge: *p.Purged, Ended: []Delivery{}, Had: []Delivery{}, Related: []PackageID{}}
	relate := func(other PackageID) {
		if other != "" && other != id && !slices.Contains(done.Related, other) {
			done.Related = append(done.Related, other)
		}
	}
	for _, d := range deliveries {
		switch {
		case d.Detail == purgedBy(p.Purged.Action):
			done.Ended = append(done.Ended, d)
		case d.had():
			done.Had = append(done.Had, d)
		}
		for _, s := range d.Statuses {
			relate(s.Package)
		}
		for _, r := range d.Requests {
			relate(r.Package)
		}
	}
	for _, document := range append([]string{p.DocumentID}, p.Targets...) {
		others, err := x.packagesOfDocument(ctx, p.Sender, document)
		if err != nil {
			return Purged{}, err
		}
		for _, other := range others {
			relate(other.ID)
		}
	}
	return done, nil
}
