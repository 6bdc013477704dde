package rabbitmq

import (
	"sync"
	"time"

	"tram/exchange"
)

// aside is how long a job that was given up undone is not published again.
const aside = 10 * time.Second

// known are the jobs that were published and not yet done, each until a time: a
// broker may lose a job, and another hub may have done it.
type known struct {
	mu    sync.Mutex
	most  int
	until map[exchange.DeliveryID]time.Time
	swept time.Time // when those whose time is over were last looked for
}

func newKnown(most int) *known {
	return &known{most: most, until: map[exchange.DeliveryID]time.Time{}}
}

// admit notes and returns the jobs to publish; left out is how many there was no
// room for.
func (k *known) admit(jobs []exchange.Job, now time.Time, repeat time.Duration) (fresh []exchange.Job, left int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(now)
	for _, j := range jobs {
		until, there := k.until[j.Delivery]
		switch {
		case there && now.Before(until):
		case !there && len(k.until) >= k.most:
			left++
		default:
			k.until[j.Delivery] = now.Add(repeat)
			fresh = append(fresh, j)
		}
	}
	return fresh, left
}

// sweep forgets those whose time is over, at most once a second.
func (k *known) sweep(now time.Time) {
	if now.Sub(k.swept) < time.Second {
		return
	}
	k.swept = now
	for id, until := range k.until {
		if !now.Before(until) {
			delete(k.until, id)
		}
	}
}

// forget makes jobs new again.
func (k *known) forget(ids ...exchange.DeliveryID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		delete(k.until, id)
	}
}

// putAside keeps jobs that were given up from coming back at once.
func (k *known) putAside(id exchange.DeliveryID, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until[id] = until
}

func (k *known) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.until)
}
