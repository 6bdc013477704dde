package exchange

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// mostBroken is how many parcels one after the other may fail to come before the
// axis is left alone until the next poll.
const mostBroken = 3

// Poll asks another axis what waits there, takes it in, and looks what became of
// what was sent.
func (x *Exchange) Poll(ctx context.Context, upstream string) error {
	r := x.relays[upstream]
	if r == nil {
		return NotFoundError("upstream", upstream)
	}
	err := x.poll(ctx, r)
	if ctx.Err() == nil {
		r.heard(err, x.now())
	}
	return err
}

// pollAndTell logs when an axis stops answering, and when it does again.
func (x *Exchange) pollAndTell(ctx context.Context, upstream string) error {
	r := x.relays[upstream]
	before := r.view().Up()
	err := x.Poll(ctx, upstream)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the hub is stopping
	}
	switch {
	case err != nil && (before || r.view().PolledAt.IsZero()):
		x.c.Log.WarnContext(ctx, "another axis does not answer well", "upstream", upstream, "err", err)
	case err == nil && !before:
		x.c.Log.InfoContext(ctx, "another axis answers again", "upstream", upstream)
	}
	return nil
}

func (x *Exchange) poll(ctx context.Context, r *relay) error {
	for _, statuses := range []bool{false, true} {
		waiting, err := r.Relay.Waiting(ctx, statuses)
		if err != nil {
			return err
		}
		if err := x.takeAll(ctx, r, waiting); err != nil {
			return err
		}
	}
	for _, statuses := range []bool{false, true} {
		if err := x.follow(ctx, r, statuses); err != nil {
			return err
		}
	}
	return nil
}

// takeAll takes in what waits. What cannot be taken in keeps nothing else back.
func (x *Exchange) takeAll(ctx context.Context, r *relay, waiting []Parcel) error {
	broken := 0
	for _, p := range waiting {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !r.wants(p, x.now()) {
			continue
		}
		err := x.takeIn(ctx, r, p)
		if err == nil {
			broken = 0
			continue
		}
		x.c.Log.WarnContext(ctx, "parcel of another axis not taken in", "upstream", r.Name, "identifier", p.ID, "from", p.From, "err", err)
		if CodeOf(err) == Busy {
			return err // it is this hub that cannot now
		}
		r.setAside(p, err.Error(), x.now(), brokenPause)
		if broken++; broken == mostBroken {
			return err
		}
	}
	return nil
}

// takeIn takes one parcel in and says so. The error is of what may go better later;
// a refusal is told to the axis, and to the operators.
func (x *Exchange) takeIn(ctx context.Context, r *relay, p Parcel) error {
	content, err := r.Relay.Fetch(ctx, p.ID)
	if CodeOf(err) == Refused { // listed, and not there
		x.aside(ctx, r, p, err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // the reading tells
	source := &coming{Reader: content}
	_, err = x.Submit(ctx, r.caller(), source)
	if source.err != nil {
		return source.err
	}
	if err == nil {
		if err = r.Relay.Done(ctx, p.ID); err == nil {
			r.took(p.ID)
		}
		return err // taken in; the next poll finds the same again, and marks it
	}
	var refused *Error
	if !errors.As(err, &refused) || refused.Code() == Busy {
		return err
	}
	x.aside(ctx, r, p, refused)
	return r.Relay.Fail(ctx, p.ID)
}

func (x *Exchange) aside(ctx context.Context, r *relay, p Parcel, why error) {
	r.setAside(p, why.Error(), x.now(), refusedPause)
	x.c.Log.WarnContext(ctx, "parcel of another axis refused", "upstream", r.Name, "identifier", p.ID, "from", p.From, "err", why)
}

// coming is a content that may break off: it is not the sender's fault then.
type coming struct {
	io.Reader
	err error
}

func (c *coming) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
		err = TruncatedError(err)
	}
	return n, err
}

// follow looks what became, at the axis, of what was relayed. Where the recipient's
// software has taken it over, that hands it over, on the axis's word.
func (x *Exchange) follow(ctx context.Context, r *relay, statuses bool) error {
	rows, err := r.Relay.Sent(ctx, statuses, x.now().Add(-x.c.Deadline-24*time.Hour))
	if err != nil {
		return err
	}
	open := map[string]map[string]Delivery{} // by recipient and identifier
	for _, row := range rows {
		if row.State != MailDone && row.State != MailFail && !row.Undelivered {
			continue
		}
		a, err := x.c.Ledger.Agency(ctx, row.To)
		if CodeOf(err) == NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if open[a.Code] == nil {
			if open[a.Code], err = x.relayedTo(ctx, r.Name, a.Code); err != nil {
				return err
			}
		}
		if d, found := open[a.Code][row.ID]; found {
			if err := x.progress(ctx, r, d, row); err != nil && CodeOf(err) != Conflict { // else the next poll is near
				return err
			}
		}
	}
	return nil
}

// relayedTo are the deliveries to an agency that wait for an answer from the axis,
// by the axis's identifiers.
func (x *Exchange) relayedTo(ctx context.Context, upstream, agency string) (map[string]Delivery, error) {
	open := map[string]Delivery{}
	err := x.eachDelivery(ctx, DeliveryQuery{State: Consigned, Recipient: agency}, func(d Delivery) error {
		if d.Upstream == upstream {
			open[d.UpstreamID] = d
		}
		return nil
	})
	return open, err
}

func (x *Exchange) progress(ctx context.Context, r *relay, d Delivery, row Progress) error {
	now := x.now()
	var event Event
	switch {
	case row.Undelivered:
		var err error
		if d, event, err = d.Undelivered(row.Words, now); err != nil {
			return err
		}
	case row.State == MailDone:
		outcome, words := AnswerAccepted, ""
		if refused, found := strings.CutPrefix(row.Words, StatusRefused); found {
			outcome, words = AnswerRefused, strings.TrimLeft(refused, ": ")
		}
		var err error
		if d, event, err = d.Answer(outcome, words, now); err != nil {
			return err
		}
	case !d.TroubleAt.IsZero():
		return nil
	default: // its software could not take it in; it is open still
		d.TroubleAt, d.Detail = now, row.Words
		return x.c.Ledger.Update(ctx, Change{Deliveries: []Delivery{d}})
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return err
	}
	if _, err := x.commit(ctx, Change{}, m, d, event, onTheWordOf(r.caller().System)); err != nil {
		return err
	}
	x.c.Log.InfoContext(ctx, "delivery settled on another axis's word", "delivery", d.ID, "upstream", r.Name, "state", d.State)
	return nil
}
