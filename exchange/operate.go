package exchange

import (
	"context"
	"strings"
)

// Hold takes a delivery out of its recipient's sight until it is released.
func (x *Exchange) Hold(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "hold", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Hold(reason)
		return d, "", err
	})
}

// Release puts a held delivery back to where it was.
func (x *Exchange) Release(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "release", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Release(x.now())
		return d, "", err
	})
}

// Retry makes a queued delivery's next attempt due now.
func (x *Exchange) Retry(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "retry", id, reason, func(d Delivery) (Delivery, Event, error) {
		d, err := d.Retry(x.now())
		return d, "", err
	})
}

// Cancel fails an open delivery; sender and recipient get the receipt of it.
func (x *Exchange) Cancel(ctx context.Context, by Caller, id DeliveryID, reason string) (Delivery, error) {
	return x.operate(ctx, by, "cancel", id, reason, func(d Delivery) (Delivery, Event, error) {
		return d.Cancel(reason, x.now())
	})
}

// operate changes a delivery at an operator's word. The action is a leaf of the
// log, in the transaction that carries it out.
func (x *Exchange) operate(ctx context.Context, by Caller, verb string, id DeliveryID, reason string,
	change func(Delivery) (Delivery, Event, error)) (Delivery, error) {
	if !by.Operates() {
		return Delivery{}, notPermitted.With(by, deeds[verb])
	}
	if err := needsReason(reason); err != nil {
		return Delivery{}, err
	}
	for attempt := 1; ; attempt++ {
		d, err := x.c.Ledger.Delivery(ctx, id)
		if err != nil {
			return Delivery{}, err
		}
		d, event, err := change(d)
		if err != nil {
			return Delivery{}, err
		}
		action, err := x.action(by, verb, string(id), reason, nil)
		if err != nil {
			return Delivery{}, err
		}
		err = x.keep(ctx, d, event, action)
		if CodeOf(err) == Conflict && attempt < mostTries {
			continue // a worker, or its recipient, changed the delivery meanwhile
		}
		if err != nil {
			return Delivery{}, err
		}
		d.Version++
		x.afterwards(ctx, d)
		return d, nil
	}
}

func needsReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return InvalidError("give a reason: it stays on record", "hãy ghi lý do (reason); lý do được lưu vào hồ sơ")
	}
	return nil
}

// keep writes what was done to a delivery, with a receipt if that is an event.
func (x *Exchange) keep(ctx context.Context, d Delivery, event Event, action Action) error {
	if event == "" {
		return x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d}, Actions: []Action{action}})
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	return x.settle(ctx, m, d, event, action)
}

// afterwards tells those whom a change of a delivery concerns.
func (x *Exchange) afterwards(ctx context.Context, d Delivery) {
	if d.State == Consigned {
		x.bells.ring(d.Recipient)
	}
	if d.State != Queued {
		return
	}
	if err := x.c.Queue.Publish(ctx, jobOf(d)); err != nil {
		x.c.Log.WarnContext(ctx, "queue did not hear of a delivery; the sweep will tell it", "delivery", d.ID, "err", err)
	}
}

// Compact gives back the space that the ledger no longer needs, while the hub
// works. That it was asked for is a leaf of the log.
func (x *Exchange) Compact(ctx context.Context, by Caller) (Compacted, error) {
	if err := x.register(ctx, by, "compact", "ledger", nil, func(*Change) {}); err != nil {
		return Compacted{}, err
	}
	return x.c.Ledger.Compact(ctx)
}

// action is what a person does, as it goes on record: in words that JSON gives
// back as they are, or its leaf could not be made of it again. entry is the
// registry entry as it becomes, if one changes.
func (x *Exchange) action(by Caller, verb, object, reason string, entry any) (Action, error) {
	return x.actionOf(by.String(), verb, object, reason, entry)
}

// actionOf is an action of anyone, or of the hub itself.
func (x *Exchange) actionOf(actor, verb, object, reason string, entry any) (Action, error) {
	now := x.now()
	id, err := x.newID(now)
	if err != nil {
		return Action{}, err
	}
	a := Action{ID: id, Time: now, Actor: actor, Verb: verb, Object: strings.ToValidUTF8(object, "\ufffd"),
		Reason: strings.ToValidUTF8(reason, "\ufffd")}
	if entry != nil {
		a.Entry = digestOfJSON(entry)
	}
	return a, nil
}
