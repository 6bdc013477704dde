package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tram/exchange"
)

// acks notes what a channel was told.
type acks struct {
	mu   sync.Mutex
	told []string
}

func (a *acks) note(what string, tag uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, fmt.Sprint(what, " ", tag))
	return nil
}

func (a *acks) list() []string { a.mu.Lock(); defer a.mu.Unlock(); return slices.Clone(a.told) }

func (a *acks) Ack(tag uint64, _ bool) error { return a.note("ack", tag) }
func (a *acks) Nack(tag uint64, _, _ bool) error {
	return a.note("nack", tag) // which 4.3 does not count: nobody may call it
}
func (a *acks) Reject(tag uint64, requeue bool) error {
	return a.note(fmt.Sprint("reject ", requeue), tag)
}

func newLanes(ctx context.Context, window int, deliver func(context.Context, exchange.DeliveryID) error) *lanes {
	return &lanes{ctx: ctx, deliver: deliver, inFlight: 1, window: window, known: newKnown(100), counts: &counts{},
		by: map[string]*lane{}, held: map[exchange.DeliveryID]bool{}}
}

// TestHowACallEnds: what the ledger knows of is done with, what nobody foresaw is
// counted, what ends with the hub is left to the broker.
func TestHowACallEnds(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		ends bool
		want []string
	}{
		"done":                          {nil, false, []string{"ack 7"}},
		"the agency is not reached":     {fmt.Errorf("not reached: %w", exchange.BusyError(3)), false, []string{"ack 7"}},
		"the ledger fails":              {errors.New("disk full"), false, []string{"reject true 7"}},
		"the hub ends":                  {context.Canceled, true, nil},
		"the hub ends, and it was done": {nil, true, []string{"ack 7"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var a acks
				l := newLanes(ctx, 10, func(context.Context, exchange.DeliveryID) error {
					if c.ends {
						cancel()
					}
					return c.err
				})
				l.take(message{"D.1", &a, 7}, "R", false)
				synctest.Wait()
				time.Sleep(again)
				l.close()
				if !slices.Equal(a.list(), c.want) || len(l.held) != 0 || len(l.by) != 0 {
					t.Errorf("the broker was told %v, want %v; %d jobs and %d lanes are left", a.told, c.want, len(l.held), len(l.by))
				}
			})
		})
	}
}

func TestLanesKeepOrderAndTakeAJobOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a acks
		var order []exchange.DeliveryID
		l := newLanes(t.Context(), 10, func(_ context.Context, id exchange.DeliveryID) error {
			time.Sleep(time.Second)
			order = append(order, id)
			return nil
		})
		for i, id := range []exchange.DeliveryID{"1", "2", "3", "urgent", "2", "1"} {
			l.take(message{id, &a, uint64(i)}, "R", id == "urgent")
			synctest.Wait() // the first is in its call
		}
		if want := []string{"ack 4", "ack 5"}; !slices.Equal(a.list(), want) {
			t.Errorf("of those that came twice the broker was told %v, want %v", a.list(), want)
		}
		time.Sleep(time.Minute)
		l.close()
		if want := []exchange.DeliveryID{"1", "urgent", "2", "3"}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// TestAFullWindowIsRelieved where it hardly moves, and there only.
func TestAFullWindowIsRelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a acks
		release := make(chan struct{})
		l := newLanes(t.Context(), 40, func(context.Context, exchange.DeliveryID) error { <-release; return nil })
		for n := range 35 {
			l.take(message{exchange.DeliveryID(fmt.Sprint("dead", n)), &a, uint64(n)}, "Dead", n < 5)
		}
		for n := range 5 {
			l.take(message{exchange.DeliveryID(fmt.Sprint("slow", n)), &a, uint64(100 + n)}, "Slow", false)
		}
		synctest.Wait()
		l.ended = 30 // it has moved
		l.relieve()
		if len(a.list()) != 0 {
			t.Fatalf("a window that moves gave up %d jobs", len(a.list()))
		}
		l.relieve()
		// Two lanes share half of the window: ten each, and one in a call.
		if dead, slow := l.by["Dead"], l.by["Slow"]; dead.waiting() != 10 || len(dead.urgent) != 4 || slow.waiting() != 4 || len(l.held) != 16 || len(a.list()) != 24 {
			t.Errorf("%d (%d urgent) and %d wait, %d are held, %d given up", dead.waiting(), len(dead.urgent), slow.waiting(), len(l.held), len(a.list()))
		}
		if given := []exchange.Job{{Delivery: "dead34"}, {Delivery: "dead1"}}; l.known.count() != 24 {
			t.Errorf("%d are put aside", l.known.count())
		} else if fresh, _ := l.known.admit(given, time.Now(), time.Minute); len(fresh) != 1 || fresh[0].Delivery != "dead1" {
			t.Errorf("published at once: %v", fresh)
		} else if fresh, _ := l.known.admit(given[:1], time.Now().Add(aside), time.Minute); len(fresh) != 1 {
			t.Error("a job that was given up is not published again later")
		}
		close(release)
		l.close()
	})
}

func TestWhatALostConnectionBroughtIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old, renewed acks
		release := make(chan struct{})
		l := newLanes(t.Context(), 40, func(context.Context, exchange.DeliveryID) error { <-release; return nil })
		for n := range uint64(3) {
			l.take(message{exchange.DeliveryID(fmt.Sprint(n)), &old, n}, "R", false)
		}
		synctest.Wait()
		l.lost()
		for n := range uint64(3) { // the broker hands all of them out again
			l.take(message{exchange.DeliveryID(fmt.Sprint(n)), &renewed, n}, "R", false)
		}
		close(release)
		synctest.Wait()
		slices.Sort(renewed.told)
		if want := []string{"ack 0", "ack 1", "ack 2"}; !slices.Equal(renewed.told, want) || !slices.Equal(old.told, want[:1]) {
			t.Errorf("the new channel was told %v, the old one %v", renewed.told, old.told)
		}
		l.close()
	})
}
