package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

// tries is how often a window is published that the broker says no to: enough
// for the election of a queue's leader.
const tries = 6

// errNacked ends a channel on which the broker said no. A channel whose first
// job met a leader's election is told no for ever (seen with 3.10.8), so no
// channel is used again after that.
var errNacked = errors.New("the broker refused a job")

// outlet is a channel for publishing; over ends it with its cause.
type outlet struct {
	ctx     context.Context
	over    context.CancelCauseFunc
	ch      *amqp.Channel
	returns chan amqp.Return // of all jobs that found no queue; never full
}

func (q *Queue) openOutlet(ctx context.Context, l *link) (*outlet, error) {
	ch, err := l.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	o := &outlet{ch: ch, returns: ch.NotifyReturn(make(chan amqp.Return, 2*q.c.Window))}
	o.ctx, o.over = context.WithCancelCause(ctx)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() { // ends with the channel, which ends with the link at the latest
		if err := <-closed; err != nil {
			o.over(err)
		}
		o.over(errClosed)
	}()
	return o, nil
}

var errClosed = errors.New("the channel was closed")

// supply keeps an outlet open while the link holds, and the broker takes jobs.
func (q *Queue) supply(ctx context.Context, l *link) error {
	blocks := l.NotifyBlocked(make(chan amqp.Blocking, 16))
	q.health.block("") // a new connection is told anew
	defer q.out.Store(nil)
	measuring, enough := context.WithCancel(ctx)
	defer enough()
	go q.measure(measuring, l) // what it waits for ends with the link
	var o *outlet
	for {
		if o == nil && q.health.blocked() == "" {
			var err error
			if o, err = q.openOutlet(ctx, l); err != nil {
				return err
			}
			q.out.Store(o)
		}
		var over <-chan struct{}
		if o != nil {
			over = o.ctx.Done()
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-l.closed:
			return closedWith(err)
		case b, open := <-blocks:
			if !open {
				return closedWith(<-l.closed)
			}
			q.block(ctx, b, o)
		case <-over:
			q.out.Store(nil)
			if cause := context.Cause(o.ctx); !errors.Is(cause, errNacked) && exchange.CodeOf(cause) == exchange.Internal {
				return cause
			}
			_ = o.ch.Close() // if it cannot be, the link ends
			o = nil
		}
	}
}

func closedWith(err *amqp.Error) error {
	if err == nil {
		return errClosed
	}
	return err
}

// block notes that the broker takes nothing, or does again, and lets nobody wait
// for it.
func (q *Queue) block(ctx context.Context, b amqp.Blocking, o *outlet) {
	if !b.Active {
		q.health.block("")
		q.c.Log.InfoContext(ctx, "broker takes jobs again")
		return
	}
	q.health.block(b.Reason)
	q.c.Log.WarnContext(ctx, "broker takes no jobs", "reason", b.Reason)
	if o != nil {
		o.over(blocked.With(b.Reason))
	}
}

// Publish implements exchange.Queue.
func (q *Queue) Publish(ctx context.Context, jobs ...exchange.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := q.absent(); err != nil {
		return err
	}
	fresh, left := q.known.admit(jobs, time.Now(), q.c.Repeat)
	for window := range slices.Chunk(fresh, q.c.Window) {
		if err := q.publishWindow(ctx, window); err != nil {
			q.forget(fresh) // those that are in the broker already may come twice
			return err
		}
		fresh = fresh[len(window):]
	}
	if left > 0 {
		return full.With(q.known.count())
	}
	return nil
}

func (q *Queue) forget(jobs []exchange.Job) {
	for _, j := range jobs {
		q.known.forget(j.Delivery)
	}
}

// absent says why nothing can be published now.
func (q *Queue) absent() error {
	if reason := q.health.blocked(); reason != "" {
		return blocked.With(reason)
	}
	if q.out.Load() != nil {
		return nil
	}
	return q.health.reason(publishing)
}

// publishWindow returns when the broker has confirmed all jobs. What it refuses
// it is given again, on other channels.
func (q *Queue) publishWindow(ctx context.Context, jobs []exchange.Job) error {
	wait := 25 * time.Millisecond
	for try := 1; ; try++ {
		left, err := q.send(ctx, jobs)
		if err == nil {
			return nil
		}
		if again := errors.Is(err, errNacked) || errors.Is(err, errClosed); !again || try == tries || ctx.Err() != nil {
			return q.said(err, len(left))
		}
		jobs = left
		pause(ctx, wait)
		wait *= 2
	}
}

// said gives the end of an outlet its rule.
func (q *Queue) said(err error, left int) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), exchange.CodeOf(err) != exchange.Internal:
		return err
	case errors.Is(err, errNacked):
		return unconfirmed.With(left)
	}
	refusal := away.With()
	refusal.Err = err
	return refusal
}

// send publishes on one channel and returns what was not confirmed, with the
// reason. While the broker's last word was silence, one window at a time finds
// out whether it speaks again, and the others do not wait for that.
func (q *Queue) send(ctx context.Context, jobs []exchange.Job) ([]exchange.Job, error) {
	if q.silent.Load() {
		if !q.trial.TryLock() {
			return jobs, unconfirmed.With(len(jobs))
		}
		defer q.trial.Unlock()
	}
	if err := q.window.Acquire(ctx, int64(len(jobs))); err != nil {
		return jobs, err
	}
	defer q.window.Release(int64(len(jobs)))
	q.unsure.Add(int64(len(jobs)))
	defer q.unsure.Add(-int64(len(jobs)))
	o := q.out.Load()
	if o == nil {
		return jobs, errClosed
	}
	began := time.Now()
	sent, err := q.write(o, jobs)
	if err == nil {
		err = o.await(ctx, sent, q.c.Patience)
	}
	if silence, ok := errors.AsType[*exchange.Error](err); ok && silence.Rule.Name == unconfirmed.Name {
		q.silent.Store(true)
		o.over(errSilent)
	}
	left := make([]exchange.Job, 0)
	for i, j := range jobs {
		if i >= len(sent) || !sent[i].Acked() {
			left = append(left, j)
		}
	}
	q.counts.confirmed.Add(uint64(len(jobs) - len(left)))
	if len(left) == 0 && err == nil {
		q.silent.Store(false)
		q.latency.observe(time.Since(began))
		return nil, nil
	}
	if err == nil {
		q.counts.nacked.Add(uint64(len(left)))
		err = errNacked
		o.over(err)
	}
	return left, err
}

// errSilent ends a connection that confirms nothing.
var errSilent = errors.New("the broker does not confirm jobs")

func (q *Queue) write(o *outlet, jobs []exchange.Job) ([]*amqp.DeferredConfirmation, error) {
	sent := make([]*amqp.DeferredConfirmation, 0, len(jobs))
	for _, j := range jobs {
		key := othersKey
		if j.Urgent {
			key = urgentKey
		}
		c, err := o.ch.PublishWithDeferredConfirm(q.c.exchange(), key, true, false, amqp.Publishing{
			MessageId: string(j.Delivery), ContentType: "text/plain", Body: []byte(j.Recipient), DeliveryMode: amqp.Persistent,
		})
		if err != nil {
			o.over(err)
			return sent, err
		}
		sent = append(sent, c)
		q.counts.published.Add(1)
	}
	return sent, nil
}

// await waits until the broker has said yes or no to everything. A job that found
// no queue was returned before it was confirmed.
func (o *outlet) await(ctx context.Context, sent []*amqp.DeferredConfirmation, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for i, c := range sent {
		select {
		case <-c.Done():
		case <-o.ctx.Done():
			return context.Cause(o.ctx)
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return unconfirmed.With(len(sent) - i)
		}
	}
	if len(o.returns) > 0 {
		err := errors.New("a queue is gone")
		o.over(err)
		return err
	}
	return nil
}
