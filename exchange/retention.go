package exchange

import (
	"context"
	"fmt"
	"time"
)

// Erasure says that a package's bytes were erased: what the hub knows of it, its
// deliveries, its receipts and their places in the log stay.
type Erasure struct {
	Package PackageID `json:"package"`
	At      time.Time `json:"at"`
	// Action is the identifier of the action, in the log, that erased them.
	Action string `json:"action"`
}

const (
	// retentionEvery is how often packages are looked for whose time is over.
	retentionEvery = time.Hour
	// retentionLimit is how many are erased in one transaction, by one action.
	retentionLimit = 500
	// retentionActor is who erases by policy.
	retentionActor = "hub"
)

// SweepRetention erases the bytes of packages that were accepted longer ago than
// Config.Retention and whose deliveries are all final. One action of the log tells
// of many: its entry is the digest of their identifiers, in order, as JSON. The
// bytes go after that is durable; what a crash leaves is removed by SweepVault.
func (x *Exchange) SweepRetention(ctx context.Context) error {
	if x.c.Retention <= 0 {
		return nil
	}
	before := x.now().Add(-x.c.Retention)
	for cursor := ""; ; {
		list, next, err := x.c.Ledger.Erasable(ctx, before, cursor, retentionLimit)
		if err != nil {
			return err
		}
		if list, err = x.ended(ctx, list); err != nil {
			return err
		}
		if err := x.erase(ctx, before, list); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// ended are those packages whose deliveries are all final.
func (x *Exchange) ended(ctx context.Context, list []Package) ([]Package, error) {
	var over []Package
	for _, p := range list {
		deliveries, err := x.c.Ledger.DeliveriesOf(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		open := false
		for _, d := range deliveries {
			open = open || !d.State.Final()
		}
		if !open {
			over = append(over, p)
		}
	}
	return over, nil
}

func (x *Exchange) erase(ctx context.Context, before time.Time, list []Package) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]PackageID, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	action, err := x.actionOf(retentionActor, "erase", "retention",
		fmt.Sprintf("content of %d packages accepted before %s", len(list), before.Format(time.RFC3339)), ids)
	if err != nil {
		return err
	}
	change := Change{Actions: []Action{action}}
	for _, id := range ids {
		change.Erasures = append(change.Erasures, Erasure{Package: id, At: action.Time, Action: action.ID})
	}
	if err := x.c.Ledger.Update(ctx, change); err != nil {
		return err
	}
	x.c.Log.InfoContext(ctx, "content erased by policy", "packages", len(list), "action", action.ID)
	for _, p := range list {
		if err := x.forget(ctx, p.Digest); err != nil {
			return err
		}
	}
	return nil
}

// forget removes bytes unless another package has the same. None can come to have
// them: equal bytes are of the same sender and document, so they are a
// resubmission, which keeps nothing.
func (x *Exchange) forget(ctx context.Context, d Digest) error {
	held, err := x.c.Ledger.HoldsContent(ctx, d)
	if held || err != nil {
		return err
	}
	return x.c.Vault.Remove(ctx, d)
}

// content opens a package's bytes. Those of one that was purged are not read, also
// where a crash left them.
func (x *Exchange) content(ctx context.Context, p Package) (Content, error) {
	if p.Purged != nil {
		return nil, contentPurged.With(p.ID, p.Purged.At.Format(time.DateOnly))
	}
	c, err := x.c.Vault.Open(ctx, p.Digest)
	if CodeOf(err) != NotFound {
		return c, err
	}
	if now, e := x.c.Ledger.Package(ctx, p.ID); e == nil && now.Purged != nil { // since it was read
		return x.content(ctx, now)
	}
	erased, e := x.c.Ledger.Erasure(ctx, p.ID)
	if e != nil {
		return nil, err // the bytes are missing, and nobody erased them
	}
	return nil, contentErased.With(p.ID, erased.At.Format(time.DateOnly))
}
