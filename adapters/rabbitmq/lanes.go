package rabbitmq

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

// message is a job as it came. It is settled on the channel that brought it.
type message struct {
	id  exchange.DeliveryID
	on  amqp.Acknowledger
	tag uint64
}

func (m message) done() { _ = m.on.Ack(m.tag, false) } // if the channel is gone, the job comes again

// lanes sort jobs by recipient and make the calls.
type lanes struct {
	ctx      context.Context // of the calls
	deliver  func(context.Context, exchange.DeliveryID) error
	inFlight int
	window   int
	known    *known
	counts   *counts

	mu     sync.Mutex
	by     map[string]*lane             // recipients with jobs or calls
	held   map[exchange.DeliveryID]bool // waiting or in a call
	ended  int                          // calls since relieve looked last
	closed bool
	calls  sync.WaitGroup
}

// lane is what waits for one recipient.
type lane struct {
	urgent, others []message
	workers        int
}

func (l *lane) waiting() int { return len(l.urgent) + len(l.others) }

// take puts a job into its lane. One that is there already is done with: when
// the first has ended the ledger tells whether there is more to do.
func (l *lanes) take(m message, recipient string, urgent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.held[m.id] {
		defer m.done()
		return
	}
	l.held[m.id] = true
	in := l.by[recipient]
	if in == nil {
		in = &lane{}
		l.by[recipient] = in
	}
	if urgent {
		in.urgent = append(in.urgent, m)
	} else {
		in.others = append(in.others, m)
	}
	if in.workers < l.inFlight {
		in.workers++
		l.calls.Add(1) // never beside Wait: close comes first
		go l.work(recipient, in)
	}
}

// work makes calls until its lane is empty.
func (l *lanes) work(recipient string, in *lane) {
	defer l.calls.Done()
	for m, ok := l.next(recipient, in, ""); ok; m, ok = l.next(recipient, in, m.id) {
		l.settle(m, l.deliver(l.ctx, m.id))
	}
}

// next forgets what has ended and takes the next job. Without one the worker
// leaves, and the last one takes the lane away.
func (l *lanes) next(recipient string, in *lane, ended exchange.DeliveryID) (message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ended != "" {
		l.ended++
		delete(l.held, ended)
	}
	if !l.closed && in.waiting() > 0 {
		return in.first(), true
	}
	if in.workers--; in.workers == 0 {
		delete(l.by, recipient)
	}
	return message{}, false
}

func (l *lane) first() message {
	list := &l.urgent
	if len(*list) == 0 {
		list = &l.others
	}
	m := (*list)[0]
	(*list)[0] = message{} // or its memory would live as long as the list
	*list = (*list)[1:]
	return m
}

// again is the wait before a failed job is repeated, so that it does not spin.
const again = 100 * time.Millisecond

// settle tells the broker how a call ended. What has a code the ledger knows of,
// with a time of its own for the next attempt. What ends with the hub stays the
// broker's, and comes again.
func (l *lanes) settle(m message, err error) {
	switch {
	case err != nil && l.ctx.Err() != nil:
	case exchange.CodeOf(err) == exchange.Internal:
		pause(l.ctx, again)
		_ = m.on.Reject(m.tag, true) // as with done
	default:
		l.known.forget(m.id) // first: who hears of the end may publish it anew
		m.done()
	}
}

// relieve makes room where the window is full and hardly moves, so that no
// recipient waits for another: long lanes give up what came last.
func (l *lanes) relieve() {
	var given []message
	defer func() {
		for _, m := range given {
			l.counts.givenUp.Add(1)
			l.known.putAside(m.id, time.Now().Add(aside))
			m.done()
		}
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	moved := l.ended
	l.ended = 0
	if len(l.held) < l.window*3/4 || moved > len(l.held)/4 {
		return
	}
	share := l.window / 2 / len(l.by)
	for _, in := range l.by {
		for _, list := range []*[]message{&in.others, &in.urgent} {
			excess := min(in.waiting()-share, len(*list))
			if excess <= 0 {
				continue
			}
			keep := len(*list) - excess
			given = append(given, (*list)[keep:]...)
			*list = append([]message{}, (*list)[:keep]...)
		}
	}
	for _, m := range given {
		delete(l.held, m.id)
	}
}

// lost forgets what waits: the channel that brought it is gone, and the broker
// hands it out again.
func (l *lanes) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.by {
		for _, m := range append(in.urgent, in.others...) {
			delete(l.held, m.id)
		}
		in.urgent, in.others = nil, nil
	}
}

// close lets no call begin any more, and waits for those under way.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.calls.Wait()
}

func (l *lanes) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}
