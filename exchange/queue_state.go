package exchange

import "context"

// QueueState is how a queue outside the process stands, for operators. Counts
// are since the hub began.
type QueueState struct {
	Problem error // why it does not work now; nil: it does

	Published, Confirmed uint64 // jobs
	Nacked               uint64 // jobs that the broker said no to, and that were given to it again
	Redelivered          uint64 // jobs that came again
	GivenUp              uint64 // jobs that made room for other recipients'; the sweep brings them back
	Reconnects           uint64

	Known        int            // jobs published and not yet done
	Unconfirmed  int            // jobs that wait for the broker's confirmation
	Held         int            // jobs taken from the broker, waiting or in a call
	Confirmation Histogram      // seconds until the broker confirmed
	Depths       map[string]int // jobs in each queue that nobody has taken; nil: not known
}

// Histogram has cumulative counts by upper bound, as Prometheus has them.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64
}

// WatchedQueue is a Queue that can tell how it stands.
type WatchedQueue interface {
	Queue
	Watch(ctx context.Context) QueueState
}

// QueueState tells how the queue stands; false if it is the process's own, which
// cannot fail.
func (x *Exchange) QueueState(ctx context.Context) (QueueState, bool) {
	if q, ok := x.c.Queue.(WatchedQueue); ok {
		return q.Watch(ctx), true
	}
	return QueueState{}, false
}
