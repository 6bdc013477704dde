package bench

import (
	"math"
	"slices"
	"sync"
	"time"
)

// The steps that are timed.
const (
	stepSubmit      = "submit"         // from when it was to begin to its receipt
	stepArrive      = "arrive"         // from the receipt until the recipient sees it in its inbox
	stepInbox       = "inbox"          // one look into the inbox
	stepFetch       = "fetch"          // the content, whole
	stepAcknowledge = "acknowledge"    // the signed answer, to its receipt
	stepCycle       = "whole cycle"    // from when it was to begin to the receipt of the answer
	stepAgain       = "submit again"   // a resubmission
	stepConsigned   = "in all inboxes" // from when a broadcast was to begin, by the hub's record
	stepAnswered    = "all answered"   // from then until the last recipient's answer has its receipt
)

var stepOrder = []string{stepSubmit, stepAgain, stepArrive, stepInbox, stepFetch, stepAcknowledge, stepCycle, stepConsigned, stepAnswered}

// times are the latencies of all steps.
type times struct {
	mu sync.Mutex
	of map[string][]time.Duration
}

func newTimes() *times { return &times{of: map[string][]time.Duration{}} }

func (t *times) add(step string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[step] = append(t.of[step], d)
}

// Step is how long one step took: milliseconds.
type Step struct {
	Name string  `json:"name"`
	N    int     `json:"count"`
	P50  float64 `json:"p50Millis"`
	P99  float64 `json:"p99Millis"`
	P999 float64 `json:"p999Millis"`
	Max  float64 `json:"maxMillis"`
}

func (t *times) steps() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Step
	for _, name := range stepOrder {
		all := t.of[name]
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		// The least time that so many of all do not exceed.
		at := func(q float64) float64 { return millis(all[max(int(math.Ceil(q*float64(len(all))))-1, 0)]) }
		list = append(list, Step{name, len(all), at(0.5), at(0.99), at(0.999), millis(all[len(all)-1])})
	}
	return list
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
