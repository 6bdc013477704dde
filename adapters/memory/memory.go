// Package memory tells workers of the same process which deliveries to attempt.
//
// Promises, beside those of exchange.Queue:
//
//   - Each recipient has a lane of its own with a few calls at once. A lane that
//     stands still delays no other, and costs nothing while it is empty.
//   - In a lane, urgent jobs go first, and the oldest first among equals.
//   - A delivery is in the queue once. Published again while it waits, or while
//     a call is under way, it is dropped; so is what a full lane cannot take.
//     Both are lost on purpose: the ledger still has the delivery as due, and the
//     sweep publishes it again. What is published early is so also taken once.
//   - Jobs published while nobody consumes wait for the next Consume.
//   - Nothing survives the process; the sweep fills the queue after a start.
package memory

import (
	"context"
	"errors"
	"sync"

	"tram/exchange"
)

// Options bound the queue; zero fields mean the default.
type Options struct {
	// InFlight is how many deliveries to one recipient are attempted at once: 4.
	InFlight int
	// Waiting is how many jobs of one recipient are kept: 1000.
	Waiting int
}

func (o Options) withDefaults() Options {
	if o.InFlight < 1 {
		o.InFlight = 4
	}
	if o.Waiting < 1 {
		o.Waiting = 1000
	}
	return o
}

// Queue is an exchange.Queue in memory.
type Queue struct {
	options Options

	mu       sync.Mutex
	lanes    map[string]*lane             // those with jobs or calls
	known    map[exchange.DeliveryID]bool // waiting or in a call
	consumer *consumer                    // nil while nobody consumes
}

// consumer is one Consume that is under way.
type consumer struct {
	ctx     context.Context
	deliver func(context.Context, exchange.DeliveryID) error
	calls   sync.WaitGroup
}

// lane is what waits for one recipient.
type lane struct {
	urgent, others []exchange.DeliveryID
	workers        int
}

// New returns an empty queue.
func New(o Options) *Queue {
	return &Queue{options: o.withDefaults(), lanes: map[string]*lane{}, known: map[exchange.DeliveryID]bool{}}
}

// Publish implements exchange.Queue. It never waits.
func (q *Queue) Publish(ctx context.Context, jobs ...exchange.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range jobs {
		q.add(j)
	}
	return nil
}

func (q *Queue) add(j exchange.Job) {
	l := q.lanes[j.Recipient]
	if q.known[j.Delivery] || l != nil && l.waiting() >= q.options.Waiting {
		return
	}
	if l == nil {
		l = &lane{}
		q.lanes[j.Recipient] = l
	}
	q.known[j.Delivery] = true
	if j.Urgent {
		l.urgent = append(l.urgent, j.Delivery)
	} else {
		l.others = append(l.others, j.Delivery)
	}
	q.staff(j.Recipient, l)
}

// staff starts workers for what waits in a lane.
func (q *Queue) staff(recipient string, l *lane) {
	c := q.consumer
	if c == nil || c.ctx.Err() != nil {
		return
	}
	for n := l.waiting(); n > 0 && l.workers < q.options.InFlight; n-- {
		l.workers++
		c.calls.Add(1) // never beside Wait: Consume takes q.consumer away first
		go q.work(c, recipient, l)
	}
}

// errConsumed says that there is one consumer already.
var errConsumed = errors.New("the queue is already being consumed")

// Consume implements exchange.Queue. There is one consumer at a time. Ending with
// its context is no error; what still waits stays for the next consumer.
func (q *Queue) Consume(ctx context.Context, deliver func(context.Context, exchange.DeliveryID) error) error {
	c := &consumer{ctx: ctx, deliver: deliver}
	if err := q.start(c); err != nil {
		return err
	}
	<-ctx.Done()
	q.mu.Lock()
	q.consumer = nil
	q.mu.Unlock()
	c.calls.Wait()
	return nil
}

func (q *Queue) start(c *consumer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.consumer != nil {
		return errConsumed
	}
	q.consumer = c
	for recipient, l := range q.lanes {
		q.staff(recipient, l)
	}
	return nil
}

// work makes calls until its lane is empty.
func (q *Queue) work(c *consumer, recipient string, l *lane) {
	defer c.calls.Done()
	for id, ok := q.next(c, recipient, l, ""); ok; id, ok = q.next(c, recipient, l, id) {
		_ = c.deliver(c.ctx, id) // the ledger knows how it ended; the sweep repeats what is due
	}
}

// next forgets what is done and takes the next job. Without one, the worker
// leaves, and the last one takes the lane away.
func (q *Queue) next(c *consumer, recipient string, l *lane, done exchange.DeliveryID) (exchange.DeliveryID, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.known, done)
	if c.ctx.Err() == nil && l.waiting() > 0 {
		return l.take(), true
	}
	l.workers--
	if l.workers == 0 && l.waiting() == 0 {
		delete(q.lanes, recipient)
	}
	q.staff(recipient, l) // for the next consumer, if this one has ended
	return "", false
}

func (l *lane) waiting() int { return len(l.urgent) + len(l.others) }

func (l *lane) take() exchange.DeliveryID {
	list := &l.urgent
	if len(*list) == 0 {
		list = &l.others
	}
	id := (*list)[0]
	(*list)[0] = "" // or its memory would live as long as the list
	*list = (*list)[1:]
	return id
}
