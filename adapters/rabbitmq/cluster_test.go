package rabbitmq

import (
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"tram/adapters/rabbitmq/rabbittest"
	"tram/exchange"
)

// TestTheLeaderIsKilledUnderLoad: what was confirmed is handed out, what was not
// is published again as the sweep does, and the hub goes on with the other nodes.
func TestTheLeaderIsKilledUnderLoad(t *testing.T) {
	needed(t)
	b, err := rabbittest.Start(3)
	must(t, err)
	t.Cleanup(b.Close)
	c := Config{URLs: b.URLs(), Name: "load"}
	q := open(t, c)
	var got seen
	consume(t, q, got.add)

	const publishers, size = 4, 20 // each publishes windows of so many jobs
	var mu sync.Mutex
	confirmed := map[exchange.DeliveryID]bool{}
	var longest time.Duration
	var load sync.WaitGroup
	enough := make(chan struct{})
	publish := func(p, w int) {
		jobs := make([]exchange.Job, size)
		for i := range jobs {
			jobs[i] = job(fmt.Sprintf("R%d-%d", p, i), w)
		}
		began := time.Now()
		for q.Publish(t.Context(), jobs...) != nil && t.Context().Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		longest = max(longest, time.Since(began))
		for _, j := range jobs {
			confirmed[j.Delivery] = true
		}
	}
	for p := range publishers {
		load.Go(func() {
			for w := 0; ; w++ {
				select {
				case <-enough:
					return
				default:
					publish(p, w)
				}
			}
		})
	}
	leader := leaderOf(t, b, "load.jobs")
	before := got.count()
	leader.Kill()
	eventually(t, "jobs go on", 60*time.Second, func() bool { return got.count() > before+2000 })
	close(enough)
	load.Wait()
	eventually(t, "all that was confirmed", 60*time.Second, func() bool { return got.count() == len(confirmed) })
	for id := range confirmed {
		if got.of(id) == 0 {
			t.Errorf("job %s was confirmed and not handed out", id)
		}
	}
	s := q.Watch(t.Context())
	t.Logf("%d jobs confirmed, longest wait of a publisher %s, %d nacked, %d redelivered, %d reconnects", len(confirmed), longest, s.Nacked, s.Redelivered, s.Reconnects)
	if leader == leaderOf(t, b, "load.jobs") {
		t.Error("the killed node still leads: the test tests nothing")
	}
}

// leaderOf asks a node that runs.
func leaderOf(t *testing.T, b *rabbittest.Broker, queue string) *rabbittest.Node {
	t.Helper()
	for _, asked := range b.Nodes {
		if !asked.Runs() {
			continue
		}
		out, err := asked.Control("list_queues", "name", "leader")
		must(t, err)
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(queue) + `\s+(\S+)$`).FindStringSubmatch(out)
		for _, n := range b.Nodes {
			if m != nil && n.Name == m[1] {
				return n
			}
		}
		t.Fatalf("no leader of %s in\n%s", queue, out)
	}
	t.Fatal("no node runs")
	return nil
}
