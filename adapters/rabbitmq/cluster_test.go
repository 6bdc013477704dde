package rabbitmq

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/adapters/rabbitmq/rabbittest"
	"tram/exchange"
)

// Which node of a cluster that is parted goes on, and when it is whole again, is the
// cluster's own business and may take minutes: it is a test to be asked for.
var parted = flag.Bool("parted", false, "also part the leader from its cluster")

// TestTheLeaderIsLostUnderLoad: what was confirmed is handed out, what was not is
// published again as the sweep does, and the hub goes on with the other nodes.
func TestTheLeaderIsLostUnderLoad(t *testing.T) {
	needed(t)
	b, err := rabbittest.Start(3)
	must(t, err)
	t.Cleanup(b.Close)
	for _, harm := range []struct {
		name           string
		lose, giveBack func(n *rabbittest.Node) error
	}{
		{"parted", b.CutOff, b.Heal}, // from the other nodes, with the hub still connected
		{"killed", func(n *rabbittest.Node) error { n.Kill(); return nil }, (*rabbittest.Node).Start},
	} {
		if harm.name == "parted" && !*parted {
			continue
		}
		t.Run(harm.name, func(t *testing.T) {
			leader := loseLeader(t, b, harm.name, harm.lose)
			must(t, harm.giveBack(leader))
			eventually(t, "all nodes together again", 3*time.Minute, func() bool {
				out, err := b.Nodes[0].Control("eval", "length(rabbit_nodes:all_running()).")
				return err == nil && strings.TrimSpace(out) == "3"
			})
		})
	}
}

// loseLeader puts load on the queues of this name and takes away the node that
// leads one of them.
func loseLeader(t *testing.T, b *rabbittest.Broker, name string, lose func(*rabbittest.Node) error) *rabbittest.Node {
	c := Config{URLs: b.URLs(), Name: name}
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
	leader := leaderOf(t, b, name+".jobs", nil)
	before := got.count()
	must(t, lose(leader))
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
	eventually(t, "another leader", 3*time.Minute, func() bool { return leader != leaderOf(t, b, name+".jobs", leader) })
	return leader
}

// leaderOf asks nodes that run and were not lost, until one knows: a cluster that
// has just lost a node may take its time to answer.
func leaderOf(t *testing.T, b *rabbittest.Broker, queue string, lost *rabbittest.Node) *rabbittest.Node {
	t.Helper()
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(queue) + `\s+(\S+)$`)
	var leader *rabbittest.Node
	eventually(t, "a leader of "+queue, 3*time.Minute, func() bool {
		for _, asked := range b.Nodes {
			if asked == lost || !asked.Runs() {
				continue
			}
			out, err := asked.Control("list_queues", "name", "leader")
			if err != nil {
				continue
			}
			m := line.FindStringSubmatch(out)
			i := slices.IndexFunc(b.Nodes, func(n *rabbittest.Node) bool { return m != nil && n.Name == m[1] })
			if i >= 0 {
				leader = b.Nodes[i]
				return true
			}
		}
		return false
	})
	return leader
}
