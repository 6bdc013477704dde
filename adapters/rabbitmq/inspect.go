package rabbitmq

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

// Depth is how much is in a queue.
type Depth struct {
	Queue     string `json:"queue"`
	Ready     int    `json:"ready"` // without what hubs have taken and not yet settled
	Consumers int    `json:"consumers"`
}

// DeadLetter is a job that the broker gave up. The ledger has its delivery as
// due all the same: it is a diagnosis, not a loss.
type DeadLetter struct {
	Delivery  exchange.DeliveryID `json:"delivery"`
	Recipient string              `json:"recipient"`
	Queue     string              `json:"queue"`
	Reason    string              `json:"reason"` // the broker's: delivery_limit, rejected
	Attempts  int64               `json:"attempts"`
	At        time.Time           `json:"at,omitzero"`
}

// Inspection is what the broker says of itself and of its queues.
type Inspection struct {
	Node    string       `json:"node"`
	Version string       `json:"version"`
	TLS     bool         `json:"tls"`
	Queues  []Depth      `json:"queues"`
	Dead    []DeadLetter `json:"dead"` // the oldest first
}

// Inspect connects, checks the topology, and looks. It needs no running hub.
// most is how many dead letters are listed.
func Inspect(ctx context.Context, c Config, most int) (Inspection, error) {
	q, err := newQueue(c)
	if err != nil {
		return Inspection{}, err
	}
	l, err := q.connect(ctx, looking)
	if err != nil {
		return Inspection{}, err
	}
	defer l.end()
	version, _ := l.Properties["version"].(string)
	i := Inspection{Node: l.node.address, Version: version, TLS: l.node.tls != nil, Queues: []Depth{}, Dead: []DeadLetter{}}
	if i.Queues, err = q.lookAt(l); err != nil {
		return i, err
	}
	err = q.deadLetters(l, most, func(d amqp.Delivery) error { // ungot when the channel closes
		i.Dead = append(i.Dead, deadLetter(d))
		return nil
	})
	return i, err
}

func (q *Queue) lookAt(l *link) ([]Depth, error) {
	ch, err := l.Channel()
	if err != nil {
		return nil, err
	}
	list := []Depth{}
	for _, name := range q.c.queues() {
		state, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			return nil, fmt.Errorf("looking at queue %s: %w", name, q.explained(err, l.node.address))
		}
		list = append(list, Depth{name, state.Messages, state.Consumers})
	}
	return list, ch.Close()
}

// deadLetters gets dead letters one after the other, until there is none.
func (q *Queue) deadLetters(l *link, most int, each func(amqp.Delivery) error) error {
	ch, err := l.Channel()
	if err != nil {
		return err
	}
	for range most {
		d, there, err := ch.Get(q.c.dead(), false)
		if err != nil {
			return fmt.Errorf("getting dead letters: %w", err)
		}
		if !there {
			break
		}
		if err := each(d); err != nil {
			return err
		}
	}
	return ch.Close()
}

// deadLetter reads what the broker notes of a dead letter: its latest death first.
func deadLetter(d amqp.Delivery) DeadLetter {
	letter := DeadLetter{Delivery: exchange.DeliveryID(d.MessageId), Recipient: string(d.Body[:min(len(d.Body), 200)])}
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		return letter
	}
	death, _ := deaths[0].(amqp.Table)
	letter.Queue, _ = death["queue"].(string)
	letter.Reason, _ = death["reason"].(string)
	letter.At, _ = death["time"].(time.Time)
	letter.Attempts, _ = d.Headers["x-delivery-count"].(int64)
	return letter
}

// Bury takes dead letters away, up to most, and returns those. The deliveries are
// in the ledger: what is due of them is published again in any case.
func Bury(ctx context.Context, c Config, most int) ([]DeadLetter, error) {
	buried := []DeadLetter{}
	err := emptied(ctx, c, most, func(_ *Queue, d amqp.Delivery) error {
		buried = append(buried, deadLetter(d))
		return d.Ack(false)
	})
	return buried, err
}

// Requeue publishes dead letters again, up to most, and returns those. Each is
// taken away when the broker has confirmed its new life.
func Requeue(ctx context.Context, c Config, most int) ([]DeadLetter, error) {
	requeued := []DeadLetter{}
	q, err := New(ctx, c)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	err = emptied(ctx, c, most, func(looked *Queue, d amqp.Delivery) error {
		letter := deadLetter(d)
		if letter.Delivery == "" {
			return d.Ack(false) // nothing of ours, and so nothing to be published
		}
		job := exchange.Job{Delivery: letter.Delivery, Recipient: letter.Recipient, Urgent: letter.Queue == looked.c.urgent()}
		if err := q.eventually(ctx, job); err != nil {
			return err
		}
		requeued = append(requeued, letter)
		return d.Ack(false)
	})
	return requeued, err
}

// eventually publishes when the connection, which New does not wait for, is there.
func (q *Queue) eventually(ctx context.Context, job exchange.Job) error {
	ctx, cancel := context.WithTimeout(ctx, 2*q.c.Patience)
	defer cancel()
	for {
		err := q.Publish(ctx, job)
		if err == nil || ctx.Err() != nil || exchange.CodeOf(err) != exchange.Busy {
			return err
		}
		pause(ctx, firstWait)
	}
}

func emptied(ctx context.Context, c Config, most int, each func(*Queue, amqp.Delivery) error) error {
	q, err := newQueue(c)
	if err != nil {
		return err
	}
	l, err := q.connect(ctx, looking)
	if err != nil {
		return err
	}
	defer l.end()
	return q.deadLetters(l, most, func(d amqp.Delivery) error { return each(q, d) })
}

// Watch implements exchange.WatchedQueue.
func (q *Queue) Watch(context.Context) exchange.QueueState {
	s := exchange.QueueState{
		Published: q.counts.published.Load(), Confirmed: q.counts.confirmed.Load(), Nacked: q.counts.nacked.Load(),
		Redelivered: q.counts.redelivered.Load(), GivenUp: q.counts.givenUp.Load(), Known: q.known.count(), Unconfirmed: int(q.unsure.Load()), Confirmation: q.latency.read(),
	}
	if l := q.lanes.Load(); l != nil {
		s.Held = l.count()
	}
	q.health.mu.Lock()
	s.Reconnects = q.health.reconnects
	q.health.mu.Unlock()
	if err := q.health.problem(); err != nil {
		s.Problem = err
		return s
	}
	if d := q.depths.Load(); d != nil {
		s.Depths = *d
	}
	return s
}

// measureEvery is how often the broker is asked how much is in its queues.
const measureEvery = 5 * time.Second

// measure keeps the queues' depths at hand while the link holds: a scrape must
// not wait for a broker.
func (q *Queue) measure(ctx context.Context, l *link) {
	defer q.depths.Store(nil)
	for ctx.Err() == nil {
		list, err := q.lookAt(l)
		if err != nil {
			return
		}
		depths := map[string]int{}
		for _, d := range list {
			depths[d.Queue] = d.Ready
		}
		q.depths.Store(&depths)
		pause(ctx, measureEvery)
	}
}
