package exchange

import (
	"context"
	"time"
)

// orphansEvery is how often documents are looked for that statuses came before.
const orphansEvery = time.Minute

// Orphans lists status packages that are about no document that the hub has
// brought to their sender, the oldest first, for people. They were delivered to the
// agency that they name; if the document comes later, they are noted with it.
func (x *Exchange) Orphans(ctx context.Context, by Caller, cursor string, limit int) ([]Package, string, error) {
	if !by.Watches() {
		return nil, "", notPermitted.With(by, Words{"see statuses without a document", "xem trạng thái chưa khớp văn bản"})
	}
	return x.c.Ledger.Orphans(ctx, cursor, limited(limit))
}

// OrphanCount is how many there are.
func (x *Exchange) OrphanCount(ctx context.Context) (int64, error) {
	return x.c.Ledger.OrphanCount(ctx)
}

// SweepOrphans notes statuses with the documents that came after them.
func (x *Exchange) SweepOrphans(ctx context.Context) error {
	for cursor := ""; ; {
		list, next, err := x.c.Ledger.Orphans(ctx, cursor, pageLimit)
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := x.adopt(ctx, p); err != nil && CodeOf(err) != Conflict { // else the next sweep is near
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// adopt notes a status that was parked, if its document is there now.
func (x *Exchange) adopt(ctx context.Context, pkg Package) error {
	change := Change{Matched: []PackageID{pkg.ID}}
	found, err := x.note(ctx, pkg, x.now(), &change)
	if err != nil || !found {
		return err
	}
	if err := x.c.Ledger.Update(ctx, change); err != nil {
		return err
	}
	x.c.Log.InfoContext(ctx, "status matched with its document", "package", pkg.ID, "sender", pkg.Sender)
	return nil
}
