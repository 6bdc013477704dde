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

// shares keep one key from holding all of what all keys have together.
type shares struct {
	most int // of one key

	mu   sync.Mutex
	held map[string]int
}

func newShares(most int) *shares { return &shares{most: most, held: map[string]int{}} }

// take takes one for the key, if its share is not used up. It is to be given
// back.
func (s *shares) take(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] >= s.most {
		return false
	}
	s.held[key]++
	return true
}

func (s *shares) giveBack(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key]--; s.held[key] == 0 {
		delete(s.held, key)
	}
}
