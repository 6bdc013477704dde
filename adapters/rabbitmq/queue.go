package rabbitmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"tram/exchange"
)

// What connections are for. Each has its own: a broker that is short of memory
// stops reading from those that publish.
const (
	publishing = "publishing"
	consuming  = "consuming"
	looking    = "looking"
)

// Queue is an exchange.Queue on RabbitMQ.
type Queue struct {
	c      Config
	nodes  []node
	known  *known
	health health

	out    atomic.Pointer[outlet] // nil while there is none
	window *semaphore.Weighted    // of jobs that wait for their confirmation
	unsure atomic.Int64           // how many those are
	silent atomic.Bool            // the broker's last word was none
	trial  sync.Mutex             // held by who finds out whether it speaks again

	consumer atomic.Bool
	lanes    atomic.Pointer[lanes] // of the one consumer
	counts   counts
	latency  latency
	depths   atomic.Pointer[map[string]int]

	stop  context.CancelFunc
	ended sync.WaitGroup
}

// counts are since the hub began.
type counts struct {
	published, confirmed, nacked, redelivered, givenUp atomic.Uint64
}

// New connects, and declares the topology. A broker that cannot be reached is no
// error: it is tried again and again until Close. One that refuses the user, or
// has another topology, is.
func New(ctx context.Context, c Config) (*Queue, error) {
	q, err := newQueue(c)
	if err != nil {
		return nil, err
	}
	c = q.c
	l, err := q.connect(ctx, looking)
	if err == nil {
		l.end()
	} else if lasting(err) {
		return nil, err
	}
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	q.stop = stop
	q.ended.Go(func() { q.keep(working, publishing, q.supply) })
	for end := time.Now().Add(c.Patience); err == nil && q.out.Load() == nil && time.Now().Before(end); {
		pause(ctx, 5*time.Millisecond)
	}
	return q, nil
}

func newQueue(c Config) (*Queue, error) {
	c = c.withDefaults()
	nodes, err := c.nodes()
	if err != nil {
		return nil, err
	}
	if c.Prefetch > 65535 {
		return nil, fmt.Errorf("rabbitmq: Prefetch is %d, more than 65535", c.Prefetch)
	}
	return &Queue{c: c, nodes: nodes, known: newKnown(c.Known), window: semaphore.NewWeighted(int64(c.Window))}, nil
}

// Close ends publishing. Consume ends with its own context.
func (q *Queue) Close() {
	q.stop()
	q.ended.Wait()
}

var _ exchange.WatchedQueue = (*Queue)(nil)
