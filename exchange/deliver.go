package exchange

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// sweepEvery is how often the ledger is asked what is due.
const sweepEvery = time.Second

// vaultSweepEvery is how often leftovers are looked for in the vault, and how
// old they must be: younger ones may be on their way into the ledger.
const vaultSweepEvery = time.Hour

// termsEvery is how often the log tells of what ends soon.
const termsEvery = 24 * time.Hour

// spaceEvery is how often the log tells that space is short.
const spaceEvery = 10 * time.Minute

// sweepLimit is how many deliveries of one recipient a sweep tells the queue of.
const sweepLimit = 200

// errNotReached says that an attempt was made and the agency took no notice.
var errNotReached = errors.New("the agency was not reached")

// Run delivers until ctx ends: it works on what the queue hands out, and sweeps
// what is due. It returns when all workers have returned.
func (x *Exchange) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := x.recogniseKey(ctx); err != nil && ctx.Err() == nil {
		x.c.Log.WarnContext(ctx, "the sealing key is taken for a new one", "err", err)
	}
	var sweeps sync.WaitGroup
	sweeps.Go(func() { x.every(ctx, sweepEvery, "sweep", x.Sweep) })
	sweeps.Go(func() { x.every(ctx, sweepEvery, "sweep of what is to be asked again", x.SweepRevocation) })
	sweeps.Go(func() { x.every(ctx, scanEvery, "scanning what waits for it", x.SweepScans) })
	sweeps.Go(func() { x.every(ctx, termsEvery, "looking for what ends soon", x.warnOfTerms) })
	sweeps.Go(func() { x.every(ctx, vaultSweepEvery, "sweep of the vault", x.SweepVault) })
	sweeps.Go(func() { x.every(ctx, retentionEvery, "erasing what need not be kept", x.SweepRetention) })
	sweeps.Go(func() { x.every(ctx, orphansEvery, "matching statuses with documents", x.SweepOrphans) })
	sweeps.Go(func() { x.every(ctx, alertsEvery, "looking for what is overdue", x.SweepAlerts) })
	sweeps.Go(func() { x.every(ctx, spaceEvery, "looking for space", x.watchSpace) })
	sweeps.Go(func() { x.stampReceipts(ctx) })
	for name, r := range x.relays {
		sweeps.Go(func() {
			x.every(ctx, r.Poll, "asking another axis", func(ctx context.Context) error { return x.pollAndTell(ctx, name) })
		})
	}
	err := x.c.Queue.Consume(ctx, x.attempt)
	stop()
	sweeps.Wait()
	return err
}

// attempt delivers for the queue. What goes wrong is told here: to the queue it
// is one more job done.
func (x *Exchange) attempt(ctx context.Context, id DeliveryID) error {
	err := x.Deliver(ctx, id)
	if CodeOf(err) == Internal && !errors.Is(err, errNotReached) && ctx.Err() == nil {
		x.c.Log.ErrorContext(ctx, "delivery not attempted", "delivery", id, "err", err)
	}
	return err
}

// every does something at once and then again and again, until ctx ends.
func (x *Exchange) every(ctx context.Context, wait time.Duration, what string, do func(context.Context) error) {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			x.c.Log.ErrorContext(ctx, what, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep tells the queue what is due: deliveries whose time for an attempt, or
// whose deadline, has come.
func (x *Exchange) Sweep(ctx context.Context) error {
	due, err := x.c.Ledger.Due(ctx, x.now(), sweepLimit)
	if err != nil || len(due) == 0 {
		return err
	}
	jobs := make([]Job, len(due))
	for i, d := range due {
		jobs[i] = jobOf(d)
	}
	err = x.c.Queue.Publish(ctx, jobs...)
	if CodeOf(err) == Busy {
		return nil // the queue's own log tells of that, once; the next sweep is a second away
	}
	return err
}

// SweepVault removes what a crash or a refusal left behind in the vault: drafts,
// and bytes that no package has.
func (x *Exchange) SweepVault(ctx context.Context) error {
	return x.c.Vault.Sweep(ctx, vaultSweepEvery, func(d Digest) (bool, error) { return x.c.Ledger.HoldsContent(ctx, d) })
}

// Deliver attends to one delivery: it is failed if its deadline has passed, and
// consigned if it is queued and due. Anything else is left as it is, so that a
// job may come twice.
func (x *Exchange) Deliver(ctx context.Context, id DeliveryID) error {
	d, err := x.c.Ledger.Delivery(ctx, id)
	if err != nil {
		return err
	}
	now := x.now()
	if d.State.Final() || now.Before(d.DueAt()) {
		return nil
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	if !now.Before(d.Deadline) {
		return x.expire(ctx, m, d, now)
	}
	if m.recipient.Mode == Relayed {
		return x.relayOn(ctx, m, now)
	}
	if m.recipient.Mode == Push {
		if d, err = x.announce(ctx, m, d, now); err != nil {
			return err
		}
	}
	return x.consign(ctx, m, d)
}

// announce makes one attempt to reach an agency that asked to be told. The
// attempt is written down before it is made.
func (x *Exchange) announce(ctx context.Context, m matter, d Delivery, now time.Time) (Delivery, error) {
	d, err := d.BeginAttempt(now, x.c.Retry, x.jitter())
	if err != nil {
		return d, err
	}
	if err := x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d}}); err != nil {
		return d, err
	}
	d.Version++
	failed := x.c.Courier.Send(ctx, m.recipient, d, m.pkg)
	if failed == nil {
		return d, nil
	}
	x.c.Log.WarnContext(ctx, "agency not reached", "delivery", d.ID, "recipient", d.Recipient, "attempt", d.Attempts, "next", d.Next, "err", failed)
	if err := x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d.AttemptFailed(failed.Error())}}); err != nil {
		return d, err
	}
	return d, fmt.Errorf("%w: %w", errNotReached, failed)
}

// consign puts a queued delivery into the inbox. What was noted of it meanwhile
// does not stand against that; what moved it on does.
func (x *Exchange) consign(ctx context.Context, m matter, d Delivery) error {
	for attempt := 1; ; attempt++ {
		consigned, event, err := d.Consign(x.now())
		if err != nil {
			return err
		}
		err = x.settle(ctx, m, consigned, event)
		if err == nil {
			x.ring(ctx, d.Recipient)
		}
		if CodeOf(err) != Conflict || attempt == mostTries {
			return err
		}
		if d, err = x.c.Ledger.Delivery(ctx, d.ID); err != nil || d.State != Queued {
			return err
		}
	}
}

func (x *Exchange) expire(ctx context.Context, m matter, d Delivery, now time.Time) error {
	d, event, err := d.Expire(now)
	if err != nil {
		return err
	}
	return x.settle(ctx, m, d, event)
}

// settle keeps a delivery's new state with the receipt that attests to it. If
// the delivery was changed meanwhile nothing is kept; the sweep comes again if
// there is still something to do.
func (x *Exchange) settle(ctx context.Context, m matter, d Delivery, event Event, actions ...Action) error {
	if _, err := x.commit(ctx, Change{Actions: actions}, m, d, event, func(*Evidence) {}); err != nil {
		return err
	}
	x.c.Log.InfoContext(ctx, "delivery settled", "delivery", d.ID, "state", d.State, "attempts", d.Attempts, "reason", d.Reason)
	return nil
}

// commit keeps a change with a delivery's new state, and the receipt of that.
func (x *Exchange) commit(ctx context.Context, change Change, m matter, d Delivery, event Event, fill func(*Evidence)) (Receipt, error) {
	if err := x.attestInto(ctx, &change, m, d, event, fill); err != nil {
		return Receipt{}, err
	}
	err := x.c.Ledger.Update(ctx, change)
	return change.Receipts[0], err
}
