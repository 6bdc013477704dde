package exchangetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tram/exchange"
)

// patience is how long a queue may take for what must happen; a test that
// passes does not wait for it.
const patience = 10 * time.Second

// TestQueue holds a queue against its contract. create makes an empty queue.
// What a queue may do, lose or repeat a job, no test forbids; but a queue that
// is left in peace must not lose any.
func TestQueue(t *testing.T, create func(t *testing.T) exchange.Queue) {
	for name, test := range map[string]func(*queueTest){
		"every job is handed over":                     (*queueTest).all,
		"jobs published before consuming are kept":     (*queueTest).before,
		"publishing does not wait for deliveries":      (*queueTest).publishing,
		"a recipient that hangs delays no other":       (*queueTest).hanging,
		"several jobs are handed over at a time":       (*queueTest).several,
		"urgent jobs of a recipient go first":          (*queueTest).urgent,
		"a job is not given to two calls at once":      (*queueTest).once,
		"a failed job does not stop the others":        (*queueTest).failing,
		"consuming ends when all calls have returned":  (*queueTest).end,
		"jobs that were not taken can be taken later":  (*queueTest).later,
		"many publish while jobs are being handed out": (*queueTest).race,
	} {
		t.Run(name, func(t *testing.T) { test(&queueTest{T: t, Queue: create(t)}) })
	}
}

type queueTest struct {
	*testing.T
	exchange.Queue
}

func job(recipient string, n int) exchange.Job {
	return exchange.Job{Delivery: exchange.DeliveryID(fmt.Sprintf("%s-%03d.1", recipient, n)), Recipient: recipient}
}

func (t *queueTest) publish(jobs ...exchange.Job) {
	t.Helper()
	if err := t.Publish(t.Context(), jobs...); err != nil {
		t.Fatal(err)
	}
}

// consume starts consuming. The returned end stops it and waits for that.
func (t *queueTest) consume(deliver func(context.Context, exchange.DeliveryID) error) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- t.Consume(ctx, deliver) }()
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("consuming ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("consuming does not end")
		}
	})
}

// seen collects what was handed over.
type seen struct {
	mu   sync.Mutex
	list []exchange.DeliveryID
}

func (s *seen) add(_ context.Context, id exchange.DeliveryID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, id)
	return nil
}

func (s *seen) all() []exchange.DeliveryID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// await waits until a condition holds.
func (t *queueTest) await(what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

func (t *queueTest) all() {
	var got seen
	defer t.consume(got.add)()
	var want []exchange.DeliveryID
	for n := range 200 {
		j := job(fmt.Sprint("R", n%7), n)
		t.publish(j)
		want = append(want, j.Delivery)
	}
	t.complete(&got, want)
}

func (t *queueTest) complete(got *seen, want []exchange.DeliveryID) {
	t.Helper()
	slices.Sort(want)
	t.await(fmt.Sprintf("%d jobs handed over", len(want)), func() bool {
		list := got.all()
		slices.Sort(list)
		return slices.Equal(slices.Compact(list), want)
	})
}

func (t *queueTest) before() {
	var want []exchange.DeliveryID
	for n := range 50 {
		j := job(fmt.Sprint("R", n%3), n)
		t.publish(j)
		want = append(want, j.Delivery)
	}
	var got seen
	defer t.consume(got.add)()
	t.complete(&got, want)
}

func (t *queueTest) publishing() {
	release := make(chan struct{})
	defer t.consume(func(context.Context, exchange.DeliveryID) error { <-release; return nil })()
	defer close(release)
	for n := range 100 {
		t.publish(job("R", n))
	}
}

func (t *queueTest) hanging() {
	release := make(chan struct{})
	var got seen
	end := t.consume(func(ctx context.Context, id exchange.DeliveryID) error {
		if id[0] == 'D' {
			<-release
			return nil
		}
		return got.add(ctx, id)
	})
	defer end()
	defer close(release)
	for n := range 50 {
		t.publish(job("Dead", n))
	}
	var want []exchange.DeliveryID
	for n := range 50 {
		j := job(fmt.Sprint("R", n%5), n)
		t.publish(j)
		want = append(want, j.Delivery)
	}
	t.complete(&got, want)
}

func (t *queueTest) several() {
	var mu sync.Mutex
	running, most := 0, 0
	release := make(chan struct{})
	end := t.consume(func(context.Context, exchange.DeliveryID) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		<-release
		return nil
	})
	defer end()
	defer close(release)
	for n := range 8 {
		t.publish(job(fmt.Sprint("R", n), n))
	}
	t.await("eight recipients at a time", func() bool { mu.Lock(); defer mu.Unlock(); return most == 8 })
}

func (t *queueTest) urgent() {
	for n := range 40 {
		j := job("R", n)
		j.Urgent = n >= 30
		t.publish(j)
	}
	var got seen
	defer t.consume(func(ctx context.Context, id exchange.DeliveryID) error {
		defer time.Sleep(20 * time.Millisecond) // or all is done before a broker has sent the urgent ones
		return got.add(ctx, id)
	})()
	t.await("all jobs", func() bool { return len(got.all()) >= 40 })
	// Several go out at a time, so the order is not exact.
	for place, id := range got.all() {
		if id >= "R-030.1" && place >= 20 {
			t.Errorf("urgent job %s came at place %d", id, place)
		}
	}
}

func (t *queueTest) once() {
	var mu sync.Mutex
	running := map[exchange.DeliveryID]int{}
	calls := 0
	end := t.consume(func(_ context.Context, id exchange.DeliveryID) error {
		mu.Lock()
		calls++
		running[id]++
		if running[id] > 1 {
			t.Errorf("job %s was given to %d calls at once", id, running[id])
		}
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		running[id]--
		mu.Unlock()
		return nil
	})
	defer end()
	for range 50 {
		t.publish(job("R", 1), job("R", 2), job("S", 3), job("R", 1))
		time.Sleep(200 * time.Microsecond)
	}
	t.await("calls", func() bool { mu.Lock(); defer mu.Unlock(); return calls >= 3 })
}

func (t *queueTest) failing() {
	var got seen
	defer t.consume(func(ctx context.Context, id exchange.DeliveryID) error {
		_ = got.add(ctx, id) // it returns nil
		return fmt.Errorf("agency unreachable")
	})()
	var want []exchange.DeliveryID
	for n := range 20 {
		j := job("R", n)
		t.publish(j)
		want = append(want, j.Delivery)
	}
	t.complete(&got, want)
}

func (t *queueTest) end() {
	var mu sync.Mutex
	started, returned := 0, 0
	for n := range 100 {
		t.publish(job(fmt.Sprint("R", n%3), n))
	}
	end := t.consume(func(ctx context.Context, _ exchange.DeliveryID) error {
		mu.Lock()
		started++
		mu.Unlock()
		<-ctx.Done()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		returned++
		return ctx.Err()
	})
	t.await("calls", func() bool { mu.Lock(); defer mu.Unlock(); return started >= 3 })
	end()
	mu.Lock()
	defer mu.Unlock()
	if started != returned {
		t.Errorf("consuming ended while %d of %d calls were under way", started-returned, started)
	}
}

func (t *queueTest) later() {
	var first seen
	end := t.consume(first.add)
	t.publish(job("R", 0))
	t.complete(&first, []exchange.DeliveryID{job("R", 0).Delivery})
	end()
	var want []exchange.DeliveryID
	for n := range 10 {
		j := job("R", n)
		t.publish(j)
		want = append(want, j.Delivery)
	}
	if n := len(first.all()); n != 1 {
		t.Errorf("%d jobs were handed over to a consumer that had ended", n-1)
	}
	var second seen
	defer t.consume(second.add)()
	t.complete(&second, want)
}

func (t *queueTest) race() {
	var got seen
	defer t.consume(got.add)()
	var mu sync.Mutex
	var want []exchange.DeliveryID
	errs := together(8, func(w int) error {
		for n := range 100 {
			j := job(fmt.Sprintf("R%d-%d", w, n%5), n)
			j.Urgent = n%3 == 0
			mu.Lock()
			want = append(want, j.Delivery)
			mu.Unlock()
			if err := t.Publish(t.Context(), j); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	t.complete(&got, want)
}
