package rabbitmq

import (
	"sync"
	"time"

	"tram/exchange"
)

// health is how connections stand.
type health struct {
	mu         sync.Mutex
	links      map[string]linkHealth // by purpose
	blockedBy  string                // why the broker takes nothing; empty: it does
	reconnects uint64
}

type linkHealth struct {
	node   string // empty: not connected
	before bool   // it was connected once
	err    error  // of the last attempt
	since  time.Time
}

func (h *health) connected(purpose, node string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links == nil {
		h.links = map[string]linkHealth{}
	}
	if h.links[purpose].before {
		h.reconnects++
	}
	h.links[purpose] = linkHealth{node: node, before: true, since: time.Now()}
}

// lost notes that there is no connection, and reports whether that is news.
func (h *health) lost(purpose string, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.links == nil {
		h.links = map[string]linkHealth{}
	}
	l := h.links[purpose]
	news := l.err == nil || err != nil && lasting(l.err) != lasting(err)
	if l.err == nil {
		l.since = time.Now()
	}
	if err == nil {
		err = errClosed
	}
	l.node, l.err = "", err
	h.links[purpose] = l
	return news
}

// reason says why a purpose has no connection; nil if it has.
func (h *health) reason(purpose string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.links[purpose]
	if l.node != "" {
		return nil
	}
	if lasting(l.err) {
		return l.err
	}
	refusal := away.With()
	refusal.Err = l.err
	return refusal
}

func (h *health) block(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.blockedBy = reason
}

func (h *health) blocked() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.blockedBy
}

// problem is what an operator should know now; nil if all is well.
func (h *health) problem() error {
	if reason := h.blocked(); reason != "" {
		return blocked.With(reason)
	}
	if err := h.reason(publishing); err != nil {
		return err
	}
	return h.reason(consuming)
}

// buckets are the upper bounds of confirmations' times, in seconds.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// latency is a histogram of how long windows waited for their confirmation.
type latency struct {
	mu sync.Mutex
	h  exchange.Histogram
}

func (l *latency) observe(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.h.Buckets == nil {
		l.h.Buckets = map[float64]uint64{}
	}
	l.h.Count++
	l.h.Sum += d.Seconds()
	for _, b := range buckets {
		if d.Seconds() <= b {
			l.h.Buckets[b]++
		} else {
			l.h.Buckets[b] += 0 // there from the start
		}
	}
}

func (l *latency) read() exchange.Histogram {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.h
	h.Buckets = map[float64]uint64{}
	for b, n := range l.h.Buckets {
		h.Buckets[b] = n
	}
	return h
}
