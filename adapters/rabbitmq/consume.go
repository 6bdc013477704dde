package rabbitmq

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

var errConsumed = errors.New("rabbitmq: the queue is already being consumed")

// Consume implements exchange.Queue. There is one consumer at a time; other hubs
// may consume beside it. Ending with its context is no error.
func (q *Queue) Consume(ctx context.Context, deliver func(context.Context, exchange.DeliveryID) error) error {
	if !q.consumer.CompareAndSwap(false, true) {
		return errConsumed
	}
	defer q.consumer.Store(false)
	l := &lanes{ctx: ctx, deliver: deliver, inFlight: q.c.InFlight, window: q.c.Prefetch, known: q.known, counts: &q.counts,
		by: map[string]*lane{}, held: map[exchange.DeliveryID]bool{}}
	q.lanes.Store(l)
	defer q.lanes.Store(nil)
	defer l.close() // where the last connection was lost before
	q.keep(ctx, consuming, func(ctx context.Context, on *link) error { return q.take(ctx, on, l) })
	return nil
}

// take fills the lanes while the link holds. At the end of ctx it waits for the
// calls, so that the link is still there for what they have to say.
func (q *Queue) take(ctx context.Context, on *link, l *lanes) error {
	urgent, err := q.subscribe(on, q.c.urgent())
	if err != nil {
		return err
	}
	others, err := q.subscribe(on, q.c.others())
	if err != nil {
		return err
	}
	defer l.lost()
	relief := time.NewTicker(time.Second)
	defer relief.Stop()
	for {
		var d amqp.Delivery
		var open, express bool
		select {
		case <-ctx.Done():
			l.close()
			return nil
		case <-relief.C:
			l.relieve()
			continue
		case d, open = <-urgent:
			express = true
		case d, open = <-others:
		}
		if !open {
			return q.subscriptionEnded(on)
		}
		q.hand(l, d, express)
	}
}

// subscriptionEnded says why: the link, or a queue that was deleted.
func (q *Queue) subscriptionEnded(on *link) error {
	select {
	case err := <-on.closed:
		return closedWith(err)
	case <-time.After(time.Second):
		return errors.New("a queue is gone, or its channel was closed")
	}
}

func (q *Queue) subscribe(on *link, name string) (<-chan amqp.Delivery, error) {
	ch, err := on.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(q.c.Prefetch, 0, false); err != nil {
		return nil, err
	}
	jobs, err := ch.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		return nil, q.explained(err, on.node.address)
	}
	return jobs, nil
}

// hand puts a job into its lane. What is no job of ours is a dead letter at once.
func (q *Queue) hand(l *lanes, d amqp.Delivery, urgent bool) {
	if d.Redelivered {
		q.counts.redelivered.Add(1)
	}
	if d.MessageId == "" || len(d.Body) == 0 || len(d.Body) > 1024 {
		_ = d.Reject(false) // if the channel is gone, it comes again
		return
	}
	l.take(message{exchange.DeliveryID(d.MessageId), d.Acknowledger, d.DeliveryTag}, string(d.Body), urgent)
}
