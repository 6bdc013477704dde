package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// outgoing is a delivery on its way to another axis, with what it is about.
type outgoing struct {
	d Delivery
	m matter
}

// relayOn hands a package over to the axis that its recipient lives at: once for
// all of its recipients there. Attempts are counted before. If the hub dies behind
// the axis's answer the package is sent again, and the axis knows it.
func (x *Exchange) relayOn(ctx context.Context, m matter, now time.Time) error {
	r := x.relays[m.recipient.Upstream]
	if r == nil {
		r = &relay{Upstream: Upstream{Name: m.recipient.Upstream}, sending: map[PackageID]bool{}}
	}
	if !r.enter(m.pkg.ID, now) {
		return nil // the sweep repeats it
	}
	defer r.leave(m.pkg.ID)
	group, err := x.beginRelay(ctx, m, now)
	if err != nil || len(group) == 0 {
		return err
	}
	id, failed := x.handOn(ctx, r, group)
	if ctx.Err() != nil {
		return ctx.Err() // the hub is stopping; nothing is known
	}
	if failed == nil {
		r.went(true, "", x.now(), 0)
		return x.settleRelay(ctx, group, func(d Delivery) (Delivery, Event, error) { return d.Relayed(id, x.now()) })
	}
	detail := failed.Error()
	if CodeOf(failed) == Refused {
		return x.settleRelay(ctx, group, func(d Delivery) (Delivery, Event, error) { return d.RelayRefused(detail, x.now()) })
	}
	if !errors.Is(failed, errInLine) {
		r.went(false, detail, x.now(), x.c.Retry.First)
	}
	return x.notRelayed(ctx, group, failed)
}

// errInLine says that a package waits for an earlier one.
var errInLine = errors.New("an earlier package about the same document is on its way to the same axis")

// beginRelay counts the attempt for all recipients of the package at the axis that
// still wait for it. From here on it may have left the hub: it counts as fetched.
func (x *Exchange) beginRelay(ctx context.Context, first matter, now time.Time) ([]outgoing, error) {
	deliveries, err := x.c.Ledger.DeliveriesOf(ctx, first.pkg.ID)
	if err != nil {
		return nil, err
	}
	var group []outgoing
	var change Change
	jitter := x.jitter()
	for _, d := range deliveries {
		if d.State != Queued || !now.Before(d.Deadline) {
			continue
		}
		recipient, err := x.c.Ledger.Agency(ctx, d.Recipient)
		if err != nil {
			return nil, err
		}
		if recipient.Mode != Relayed || recipient.Upstream != first.recipient.Upstream {
			continue
		}
		if d, err = d.BeginAttempt(now, x.c.Retry, jitter); err != nil {
			return nil, err
		}
		d = d.Fetch(now)
		d.Upstream = recipient.Upstream
		change.Deliveries = append(change.Deliveries, d)
		d.Version++
		group = append(group, outgoing{d, matter{first.pkg, first.sender, recipient}})
	}
	if len(group) == 0 {
		return nil, nil // others were quicker
	}
	return group, x.c.Ledger.Update(ctx, change)
}

// handOn sends the package.
func (x *Exchange) handOn(ctx context.Context, r *relay, group []outgoing) (string, error) {
	if r.Relay == nil {
		return "", fmt.Errorf("axis %s is not configured", r.Name)
	}
	pkg := group[0].m.pkg
	if err := x.inLine(ctx, pkg); err != nil {
		return "", err
	}
	to := make([]string, 0, len(group))
	for _, o := range group {
		to = append(to, pkg.Writes(o.d.Recipient))
	}
	content, err := x.content(ctx, pkg)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }() // only read
	return r.Relay.Send(ctx, pkg, to, content)
}

// inLine lets a recall, an update or a replacement wait for the document that it is
// about, if that has not reached the axis yet.
func (x *Exchange) inLine(ctx context.Context, pkg Package) error {
	for _, document := range pkg.Targets {
		sent, err := x.deliveriesOfDocument(ctx, pkg.Sender, document)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(sent, func(d Delivery) bool { return d.State == Queued && d.Package < pkg.ID && pkg.addresses(d.Recipient) }) {
			return errInLine
		}
	}
	return nil
}

// settleRelay keeps what the axis said, for all of the group that still wait for it.
func (x *Exchange) settleRelay(ctx context.Context, group []outgoing, step func(Delivery) (Delivery, Event, error)) error {
	for attempt := 1; ; attempt++ {
		var change Change
		for _, o := range group {
			if o.d.State != Queued {
				continue // an operator, or a recall, was quicker
			}
			d, event, err := step(o.d)
			if err != nil {
				return err
			}
			if err := x.attestInto(ctx, &change, o.m, d, event, func(*Evidence) {}); err != nil {
				return err
			}
		}
		if len(change.Deliveries) == 0 {
			return nil
		}
		err := x.c.Ledger.Update(ctx, change)
		if err == nil {
			last := change.Deliveries[0]
			x.c.Log.InfoContext(ctx, "package relayed", "package", last.Package, "upstream", last.Upstream, "recipients", len(change.Deliveries),
				"state", last.State, "identifier", last.UpstreamID, "reason", last.Reason)
		}
		if CodeOf(err) != Conflict || attempt == mostTries {
			return err
		}
		if err := x.reread(ctx, group); err != nil {
			return err
		}
	}
}

// notRelayed keeps what went wrong; the deliveries wait for their next attempt.
func (x *Exchange) notRelayed(ctx context.Context, group []outgoing, failed error) error {
	x.c.Log.WarnContext(ctx, "axis not reached", "package", group[0].d.Package, "upstream", group[0].d.Upstream, "attempt", group[0].d.Attempts,
		"next", group[0].d.Next, "err", failed)
	var change Change
	for _, o := range group {
		change.Deliveries = append(change.Deliveries, o.d.AttemptFailed(failed.Error()))
	}
	if err := x.c.Ledger.Update(ctx, change); err != nil && CodeOf(err) != Conflict { // it is a note
		return err
	}
	return fmt.Errorf("%w: %w", errNotReached, failed)
}

func (x *Exchange) reread(ctx context.Context, group []outgoing) (err error) {
	for i := range group {
		if group[i].d, err = x.c.Ledger.Delivery(ctx, group[i].d.ID); err != nil {
			return err
		}
	}
	return nil
}
