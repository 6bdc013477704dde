package httpapi

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// manyKeys is how many buckets are kept before those that are full again, and
// so say nothing, are thrown away.
const manyKeys = 4096

// A limiter keeps a token bucket for each key.
type limiter struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	sweep   int // the number of buckets at which to look for full ones
}

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, buckets: map[string]*rate.Limiter{}, sweep: manyKeys}
}

// take takes a token from the key's bucket. If there is none it returns the
// whole seconds until there will be.
func (l *limiter) take(key string, now time.Time) (wait int, ok bool) {
	r := l.bucket(key, now).ReserveN(now, 1)
	delay := r.DelayFrom(now)
	if delay <= 0 {
		return 0, true
	}
	r.CancelAt(now)
	return int(math.Ceil(delay.Seconds())), false
}

func (l *limiter) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.buckets[key]; ok {
		return b
	}
	if len(l.buckets) >= l.sweep {
		l.forget(now)
	}
	b := rate.NewLimiter(l.rate, l.burst)
	l.buckets[key] = b
	return b
}

// forget drops full buckets. The next look is at twice of what remains, so that
// looking costs little for each bucket.
func (l *limiter) forget(now time.Time) {
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, key)
		}
	}
	l.sweep = max(manyKeys, 2*len(l.buckets))
}

// room is for a number of things at once. A key gets one more while it holds less
// than is free: alone it may have half, two of them a third each, and there is
// always some for the next who comes (dynamic thresholds: Choudhury and Hahne,
// IEEE/ACM Transactions on Networking 6(2), 1998).
type room struct {
	mu   sync.Mutex
	free int
	held map[string]int
}

func newRoom(n int) *room { return &room{free: n, held: map[string]int{}} }

// take takes one for the key, if it may have one more. It is to be given back.
func (r *room) take(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[key] >= r.free {
		return false
	}
	r.held[key]++
	r.free--
	return true
}

func (r *room) giveBack(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free++
	if r.held[key]--; r.held[key] == 0 {
		delete(r.held, key)
	}
}

// taken is how much is in use.
func (r *room) taken() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, held := range r.held {
		n += held
	}
	return n
}
