package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/adapters/rabbitmq/rabbittest"
	"tram/exchange"
	"tram/exchange/exchangetest"
)

// single is a broker of one node for all tests that do it no harm, or mend it.
var single = sync.OnceValues(func() (*rabbittest.Broker, error) { return rabbittest.Start(1) })

func TestMain(m *testing.M) {
	code := m.Run()
	if rabbittest.Installed() {
		if b, err := single(); err == nil {
			b.Close()
		}
	}
	os.Exit(code)
}

// broker is that one. Without RabbitMQ the test is skipped, except in CI.
func broker(t testing.TB) *rabbittest.Broker {
	t.Helper()
	needed(t)
	b, err := single()
	must(t, err)
	return b
}

func needed(t testing.TB) {
	t.Helper()
	switch {
	case rabbittest.Installed():
	case os.Getenv("CI") != "":
		t.Fatal("rabbitmq-server is not installed, and CI must have it")
	default:
		t.Skip("rabbitmq-server is not installed")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var names atomic.Int64

// config is for a test's own exchanges and queues, which are deleted at its end.
func config(t testing.TB, b *rabbittest.Broker) Config {
	t.Helper()
	c := Config{URLs: b.URLs(), Name: fmt.Sprint("test", names.Add(1))}.withDefaults()
	t.Cleanup(func() {
		conn, err := amqp.Dial(b.URLs()[0])
		if err != nil {
			return // the test left no broker behind
		}
		defer conn.Close()
		ch, err := conn.Channel()
		must(t, err)
		for _, name := range c.queues() {
			_, err = ch.QueueDelete(name, false, false, false)
			must(t, err)
		}
		must(t, errors.Join(ch.ExchangeDelete(c.exchange(), false, false), ch.ExchangeDelete(c.dead(), false, false)))
	})
	return c
}

func open(t testing.TB, c Config) *Queue {
	t.Helper()
	q, err := New(t.Context(), c)
	must(t, err)
	t.Cleanup(q.Close)
	return q
}

func job(recipient string, n int) exchange.Job {
	return exchange.Job{Delivery: exchange.DeliveryID(fmt.Sprintf("%s-%06d.1", recipient, n)), Recipient: recipient}
}

func eventually(t testing.TB, what string, within time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("not within %s: %s", within, what)
}

// seen collects what was handed out.
type seen struct {
	mu    sync.Mutex
	times map[exchange.DeliveryID]int
}

func (s *seen) add(_ context.Context, id exchange.DeliveryID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[exchange.DeliveryID]int{}
	}
	s.times[id]++
	return nil
}

func (s *seen) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.times) }

func (s *seen) of(id exchange.DeliveryID) int { s.mu.Lock(); defer s.mu.Unlock(); return s.times[id] }

// consume runs until the test or the returned end ends it.
func consume(t testing.TB, q *Queue, deliver func(context.Context, exchange.DeliveryID) error) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, deliver) }()
	end = sync.OnceFunc(func() { cancel(); must(t, <-ended) })
	t.Cleanup(end)
	return end
}

func TestQueue(t *testing.T) {
	b := broker(t)
	exchangetest.TestQueue(t, func(t *testing.T) exchange.Queue { return open(t, config(t, b)) })
}

func TestAnotherTopologyIsRefusedByName(t *testing.T) {
	b := broker(t)
	c := config(t, b)
	open(t, c).Close()
	c.DeliveryLimit = 3
	_, err := New(t.Context(), c)
	if exchange.CodeOf(err) != exchange.Conflict || !strings.Contains(err.Error(), "x-delivery-limit") || !strings.Contains(err.Error(), "queue-topology") {
		t.Errorf("a queue with another delivery limit: %v", err)
	}
}

func TestWrongCredentialsAreRefusedAndNotShown(t *testing.T) {
	b := broker(t)
	for name, c := range map[string]Config{
		"password":         {URLs: b.URLs(), Password: "not-the-password"},
		"virtual host":     {URLs: []string{b.URLs()[0] + "/elsewhere"}},
		"user from a file": {URLs: []string{"amqp://" + b.Nodes[0].Address}, User: "nobody", Password: "hidden-secret"},
	} {
		_, err := New(t.Context(), c)
		if exchange.CodeOf(err) != exchange.NotPermitted {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, secret := range []string{rabbittest.Password, "not-the-password", "hidden-secret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows a password: %v", name, err)
			}
		}
	}
}

func TestAUserWithoutPermissionIsTold(t *testing.T) {
	b := broker(t)
	_, err := b.Nodes[0].Control("add_user", "reader", "reader-password")
	must(t, err)
	_, err = b.Nodes[0].Control("set_permissions", "reader", "", "", ".*")
	must(t, err)
	_, err = New(t.Context(), Config{URLs: b.URLs(), User: "reader", Password: "reader-password", Name: "forbidden"})
	if exchange.CodeOf(err) != exchange.NotPermitted || !strings.Contains(err.Error(), "configure") {
		t.Errorf("a user who may not configure: %v", err)
	}
}

func TestBadURLsAreNotShown(t *testing.T) {
	for _, url := range []string{"amqp://hub:sec ret@host", "http://hub:secret@host", "amqp://hub:secret@host:port", "amqp://hub:secret@host?heartbeat=1"} {
		_, err := New(t.Context(), Config{URLs: []string{url}})
		if err == nil || strings.Contains(err.Error(), "ret@") {
			t.Errorf("%v", err)
		}
	}
}

// TestAFailingJobBecomesADeadLetter, and can be given another life.
func TestAFailingJobBecomesADeadLetter(t *testing.T) {
	c := config(t, broker(t))
	c.DeliveryLimit = 2
	q := open(t, c)
	var calls atomic.Int64
	var good seen
	end := consume(t, q, func(ctx context.Context, id exchange.DeliveryID) error {
		if id == job("Bad", 1).Delivery {
			calls.Add(1)
			return errors.New("the ledger is broken")
		}
		return good.add(ctx, id)
	})
	urgent := job("Bad", 1)
	urgent.Urgent = true
	must(t, q.Publish(t.Context(), urgent, job("Good", 1), job("Bad", 2)))
	eventually(t, "a dead letter", 20*time.Second, func() bool {
		i, err := Inspect(t.Context(), c, 10)
		must(t, err)
		return len(i.Dead) == 1
	})
	i, err := Inspect(t.Context(), c, 10) // looking at it does not take it away
	must(t, err)
	letter := i.Dead[0]
	if letter.Delivery != urgent.Delivery || letter.Recipient != "Bad" || letter.Queue != c.urgent() || letter.Reason != "delivery_limit" || letter.At.IsZero() {
		t.Errorf("dead letter %+v", letter)
	}
	if n := calls.Load(); n != 3 || good.of(job("Good", 1).Delivery) != 1 || good.of(job("Bad", 2).Delivery) != 1 {
		t.Errorf("%d calls for the failing job, want 3; others: %v", n, good.times)
	}
	end()
	again, err := Requeue(t.Context(), c, 10)
	must(t, err)
	var second seen
	consume(t, q, second.add)
	eventually(t, "the requeued job", 10*time.Second, func() bool { return second.of(urgent.Delivery) == 1 })
	if left, err := Inspect(t.Context(), c, 10); err != nil || len(left.Dead) != 0 || len(again) != 1 {
		t.Errorf("after requeueing %d: %+v, %v", len(again), left, err)
	}
}

func TestWhatIsNoJobOfOursIsADeadLetter(t *testing.T) {
	c := config(t, broker(t))
	consume(t, open(t, c), (&seen{}).add)
	conn, err := amqp.Dial(c.URLs[0])
	must(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.Publish(c.exchange(), othersKey, false, false, amqp.Publishing{Body: []byte("hello")}))
	var buried []DeadLetter
	eventually(t, "the stranger is a dead letter", 10*time.Second, func() bool {
		buried, err = Bury(t.Context(), c, 10)
		must(t, err)
		return len(buried) == 1
	})
	if buried[0].Reason != "rejected" {
		t.Errorf("buried %+v", buried[0])
	}
	if i, err := Inspect(t.Context(), c, 10); err != nil || len(i.Dead) != 0 {
		t.Errorf("after burying: %+v, %v", i.Dead, err)
	}
}

// TestTheSweepDoesNotFillASlowBroker: what is published each second is in the
// broker once, until it is done.
func TestTheSweepDoesNotFillASlowBroker(t *testing.T) {
	c := config(t, broker(t))
	c.Known = 150
	q := open(t, c)
	var jobs []exchange.Job
	for n := range 100 {
		jobs = append(jobs, job("R", n))
	}
	for range 20 {
		must(t, q.Publish(t.Context(), jobs...))
	}
	if n := q.Watch(t.Context()).Published; n != 100 {
		t.Errorf("%d jobs were published, want 100", n)
	}
	for n := range 100 {
		jobs = append(jobs, job("S", n))
	}
	if err := q.Publish(t.Context(), jobs...); exchange.CodeOf(err) != exchange.Busy {
		t.Errorf("more than is remembered: %v", err)
	}
	if n := q.Watch(t.Context()).Confirmed; n != 150 {
		t.Errorf("%d jobs were published, want 150", n)
	}
	var got seen
	consume(t, q, got.add)
	eventually(t, "all that was published", 10*time.Second, func() bool { return got.count() == 150 })
	eventually(t, "done jobs are forgotten", 10*time.Second, func() bool { return q.known.count() == 0 })
	must(t, q.Publish(t.Context(), jobs[0]))
	eventually(t, "a job that is due again", 10*time.Second, func() bool { return got.of(jobs[0].Delivery) == 2 })
}

func TestAFullQueueIsBusy(t *testing.T) {
	c := config(t, broker(t))
	c.MaxLength, c.Window = 20, 10
	q := open(t, c)
	var jobs []exchange.Job
	for n := range 1000 {
		jobs = append(jobs, job("R", n))
	}
	if err := q.Publish(t.Context(), jobs...); exchange.CodeOf(err) != exchange.Busy {
		t.Errorf("1000 jobs into a queue for 20: %v", err)
	}
	i, err := Inspect(t.Context(), c, 0)
	must(t, err)
	if n := i.Queues[1].Ready; n < 20 || n > 200 { // the broker lets some in until word of the length is round
		t.Errorf("%d jobs in a queue for 20", n)
	}
	var got seen
	consume(t, q, got.add)
	eventually(t, "all, as the sweep repeats them", 40*time.Second, func() bool {
		_ = q.Publish(t.Context(), jobs...) // busy or not
		return got.count() == 1000
	})
}

// TestAnAgencyThatHangsDelaysNoOther though it has more jobs than the window.
func TestAnAgencyThatHangsDelaysNoOther(t *testing.T) {
	c := config(t, broker(t))
	c.Prefetch = 100
	q := open(t, c)
	release := make(chan struct{})
	var got seen
	consume(t, q, func(ctx context.Context, id exchange.DeliveryID) error {
		if strings.HasPrefix(string(id), "Dead") {
			<-release
		}
		return got.add(ctx, id)
	})
	defer close(release)
	var jobs []exchange.Job
	for n := range 300 {
		jobs = append(jobs, job("Dead", n))
	}
	for n := range 50 {
		jobs = append(jobs, job(fmt.Sprint("R", n%5), n))
	}
	must(t, q.Publish(t.Context(), jobs...))
	eventually(t, "the others' jobs behind 300 of an agency that hangs", 15*time.Second, func() bool { return got.count() == 50 })
	if n := q.Watch(t.Context()).GivenUp; n == 0 {
		t.Error("the window was never full: the test tests nothing")
	}
}

func TestABrokerOnItsKneesIsBusyAtOnce(t *testing.T) {
	b := broker(t)
	q := open(t, config(t, b))
	_, err := b.Nodes[0].Control("set_vm_memory_high_watermark", "0.0001")
	must(t, err)
	mend := sync.OnceFunc(func() {
		_, err := b.Nodes[0].Control("set_vm_memory_high_watermark", "absolute", "512MB")
		must(t, err)
	})
	defer mend()
	var said error
	n := 0
	eventually(t, "the alarm", 10*time.Second, func() bool {
		n++
		said = q.Publish(t.Context(), job("R", n))
		return said != nil
	})
	if exchange.CodeOf(said) != exchange.Busy || !strings.Contains(said.Error(), "queue-blocked") {
		t.Errorf("a broker without memory: %v", said)
	}
	began := time.Now()
	if err := q.Publish(t.Context(), job("R", 0)); err == nil || time.Since(began) > time.Second {
		t.Errorf("publishing meanwhile: %v after %s", err, time.Since(began))
	}
	if problem := q.health.problem(); problem == nil {
		t.Error("the problem is not told")
	}
	mend()
	eventually(t, "jobs are taken again", 20*time.Second, func() bool { return q.Publish(t.Context(), job("R", 0)) == nil })
}

// TestABrokerThatStandsStill keeps its connections open and says nothing.
func TestABrokerThatStandsStill(t *testing.T) {
	b := broker(t)
	c := config(t, b)
	c.Patience = time.Second
	q := open(t, c)
	var got seen
	consume(t, q, got.add)
	must(t, q.Publish(t.Context(), job("R", 0)))
	b.Nodes[0].Pause()
	defer b.Nodes[0].Resume()
	began := time.Now()
	var errs []error
	var mu sync.Mutex
	var callers sync.WaitGroup
	for n := range 20 {
		callers.Go(func() {
			err := q.Publish(t.Context(), job("R", n+1))
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	callers.Wait()
	if slices.ContainsFunc(errs, func(err error) bool { return exchange.CodeOf(err) != exchange.Busy }) || time.Since(began) > 4*time.Second {
		t.Errorf("publishing to a broker that stands still: %v after %s", errs, time.Since(began))
	}
	eventually(t, "the hub has noticed", 10*time.Second, func() bool {
		began := time.Now()
		return q.Publish(t.Context(), job("R", 99)) != nil && time.Since(began) < 100*time.Millisecond
	})
	b.Nodes[0].Resume()
	eventually(t, "jobs are taken again", 20*time.Second, func() bool { return q.Publish(t.Context(), job("R", 100)) == nil })
	eventually(t, "and handed out", 20*time.Second, func() bool { return got.of(job("R", 100).Delivery) > 0 })
}

// TestABrokerThatIsStartedAgain has what was confirmed before.
func TestABrokerThatIsStartedAgain(t *testing.T) {
	b := broker(t)
	q := open(t, config(t, b))
	var jobs []exchange.Job
	for n := range 500 {
		jobs = append(jobs, job(fmt.Sprint("R", n%7), n))
	}
	// RabbitMQ 3.10 forgets what is in a queue that was declared less than some
	// seconds before a crash.
	time.Sleep(6 * time.Second)
	must(t, q.Publish(t.Context(), jobs...))
	b.Nodes[0].Kill()
	if err := q.Publish(t.Context(), job("S", 0)); exchange.CodeOf(err) != exchange.Busy {
		t.Errorf("publishing without a broker: %v", err)
	}
	var got seen
	consume(t, q, got.add) // the broker is away: it waits
	must(t, b.Nodes[0].Start())
	eventually(t, "all jobs of before", 30*time.Second, func() bool { return got.count() == 500 })
	eventually(t, "new jobs", 20*time.Second, func() bool { return q.Publish(t.Context(), job("S", 0)) == nil })
	if n := q.Watch(t.Context()).Reconnects; n == 0 {
		t.Error("no reconnection is counted")
	}
}

func TestTheHubStartsWithoutABroker(t *testing.T) {
	q := open(t, Config{URLs: []string{"amqp://127.0.0.1:1"}, Patience: time.Second})
	began := time.Now()
	if err := q.Publish(t.Context(), job("R", 1)); exchange.CodeOf(err) != exchange.Busy || time.Since(began) > time.Second {
		t.Errorf("publishing without a broker: %v after %s", err, time.Since(began))
	}
	if problem := q.Watch(t.Context()).Problem; exchange.CodeOf(problem) != exchange.Busy {
		t.Errorf("the problem told is %v", problem)
	}
}
