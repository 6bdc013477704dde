package rabbitmq

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"tram/exchange"
)

// BenchmarkQueue publishes, has confirmed and consumes: an operation is one job.
// cpu-µs/job is this process's processor time, without the broker's.
func BenchmarkQueue(b *testing.B) {
	for _, size := range []int{1, 20, 512} {
		b.Run(fmt.Sprintf("windows of %d", size), func(b *testing.B) { benchmark(b, size) })
	}
}

func benchmark(b *testing.B, size int) {
	q := open(b, config(b, broker(b)))
	var done atomic.Int64
	consume(b, q, func(context.Context, exchange.DeliveryID) error { done.Add(1); return nil })
	before := processor(b)
	b.ResetTimer()
	jobs := make([]exchange.Job, 0, size)
	for n := range b.N {
		if jobs = append(jobs, job(fmt.Sprint("R", n%440), n)); len(jobs) == size || n == b.N-1 {
			must(b, q.Publish(b.Context(), jobs...))
			jobs = jobs[:0]
		}
	}
	for done.Load() < int64(b.N) {
		time.Sleep(100 * time.Microsecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu-µs/job")
}

func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestCostOfQueues measures what two quorum queues for each of 440 agencies would
// cost. It asks nothing of the broker, so it runs only when TRAM_MEASURE is set.
func TestCostOfQueues(t *testing.T) {
	if os.Getenv("TRAM_MEASURE") == "" {
		t.Skip("a measurement: set TRAM_MEASURE")
	}
	b := broker(t)
	memory := func() string {
		out, err := b.Nodes[0].Control("eval", `erlang:garbage_collect(), [erlang:garbage_collect(P) || P <- processes()], {erlang:memory(total) div 1024, erlang:system_info(process_count)}.`)
		must(t, err)
		return strings.TrimSpace(out)
	}
	conn, err := amqp.Dial(b.URLs()[0])
	must(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(t, err)
	t.Logf("before: KiB and processes %s", memory())
	began := time.Now()
	for n := range 880 {
		_, err := ch.QueueDeclare(fmt.Sprint("cost.", n), true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum})
		must(t, err)
	}
	t.Logf("880 queues declared in %s: KiB and processes %s", time.Since(began), memory())
	began = time.Now()
	b.Nodes[0].Stop()
	must(t, b.Nodes[0].Start())
	t.Logf("stopped and started again in %s", time.Since(began))
	conn, err = amqp.Dial(b.URLs()[0])
	must(t, err)
	defer conn.Close()
	ch, err = conn.Channel()
	must(t, err)
	for n := range 880 {
		_, err := ch.QueueDelete(fmt.Sprint("cost.", n), false, false, false)
		must(t, err)
	}
}
