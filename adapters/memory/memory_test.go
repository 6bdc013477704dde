package memory

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQueue(t *testing.T) {
	exchangetest.TestQueue(t, func(*testing.T) exchange.Queue { return New(Options{}) })
}

func job(recipient string, n int, urgent bool) exchange.Job {
	return exchange.Job{Delivery: exchange.DeliveryID(fmt.Sprint(recipient, ".", n)), Recipient: recipient, Urgent: urgent}
}

// consume runs in a bubble until the returned end is called.
func consume(t *testing.T, q *Queue, deliver func(context.Context, exchange.DeliveryID) error) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := q.Consume(ctx, deliver); err != nil {
			t.Error(err)
		}
	}()
	return func() { cancel(); <-ended }
}

func TestLaneHasSoManyCallsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{InFlight: 3})
		var calls atomic.Int32
		release := make(chan struct{})
		end := consume(t, q, func(context.Context, exchange.DeliveryID) error {
			calls.Add(1)
			<-release
			return nil
		})
		for n := range 10 {
			if err := q.Publish(t.Context(), job("R", n, false)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := calls.Load(); n != 3 {
			t.Errorf("%d calls at once, want 3", n)
		}
		close(release)
		synctest.Wait()
		if n := calls.Load(); n != 10 || len(q.lanes) != 0 || len(q.known) != 0 {
			t.Errorf("%d calls, %d lanes, %d known; want 10, none, none", n, len(q.lanes), len(q.known))
		}
		end()
	})
}

func TestUrgentFirstThenOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{InFlight: 1})
		for n := range 6 {
			if err := q.Publish(t.Context(), job("R", n, n%2 == 1)); err != nil {
				t.Fatal(err)
			}
		}
		var got string
		end := consume(t, q, func(_ context.Context, id exchange.DeliveryID) error {
			got += string(id) + " "
			return nil
		})
		synctest.Wait()
		end()
		if want := "R.1 R.3 R.5 R.0 R.2 R.4 "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestWhatALaneCannotTakeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{Waiting: 4})
		for n := range 10 {
			if err := q.Publish(t.Context(), job("R", n, true), job("S", n, false), job("S", n, false)); err != nil {
				t.Fatal(err)
			}
		}
		if len(q.known) != 8 {
			t.Errorf("%d jobs are kept, want 4 in each lane", len(q.known))
		}
		var calls atomic.Int32
		end := consume(t, q, func(context.Context, exchange.DeliveryID) error { calls.Add(1); return nil })
		synctest.Wait()
		// The sweep publishes again what was dropped, and now there is room.
		if err := q.Publish(t.Context(), job("R", 9, true)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		end()
		if n := calls.Load(); n != 9 {
			t.Errorf("%d calls, want 9", n)
		}
	})
}

func TestAJobUnderWayIsDroppedAndTakenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{})
		var calls atomic.Int32
		end := consume(t, q, func(context.Context, exchange.DeliveryID) error {
			calls.Add(1)
			time.Sleep(time.Minute)
			return nil
		})
		for range 3 {
			if err := q.Publish(t.Context(), job("R", 1, false)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		if err := q.Publish(t.Context(), job("R", 1, false)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := calls.Load(); n != 2 {
			t.Errorf("%d calls after the sweep, want 2", n)
		}
		end()
	})
}

func TestASecondConsumerIsRefusedAndANewOneGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Options{InFlight: 1})
		var first, second atomic.Int32
		end := consume(t, q, func(ctx context.Context, _ exchange.DeliveryID) error {
			first.Add(1)
			<-ctx.Done()
			time.Sleep(time.Second) // a slow end
			return ctx.Err()
		})
		synctest.Wait()
		if err := q.Consume(t.Context(), nil); err == nil {
			t.Error("a second consumer was taken")
		}
		for n := range 3 {
			if err := q.Publish(t.Context(), job("R", n, false)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		go end()
		time.Sleep(time.Millisecond) // the first consumer's call is still ending
		end2 := consume(t, q, func(context.Context, exchange.DeliveryID) error { second.Add(1); return nil })
		time.Sleep(time.Minute)
		end2()
		if first.Load() != 1 || second.Load() != 2 {
			t.Errorf("%d and %d calls, want 1 and 2", first.Load(), second.Load())
		}
	})
}

func TestPublishHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := New(Options{})
	if err := q.Publish(ctx, job("R", 1, false)); err == nil || len(q.known) != 0 {
		t.Errorf("published with a context that had ended: %v", err)
	}
}
