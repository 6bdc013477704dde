package main

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"tram/adapters/rabbitmq/rabbittest"
)

// needsBroker skips a test where there is no RabbitMQ, except in CI.
func needsBroker(t *testing.T) *rabbittest.Broker {
	t.Helper()
	if !rabbittest.Installed() {
		if os.Getenv("CI") == "true" {
			t.Fatal("rabbitmq-server is not installed, and CI must have it")
		}
		t.Skip("rabbitmq-server is not installed")
	}
	b, err := rabbittest.Start(1)
	must(t, err)
	t.Cleanup(b.Close)
	return b
}

// withQueue is the one line that switches a broker on.
func withQueue(url string) func(string) string {
	return setting("\ndelivery:\n", "\nqueue: "+url+"\ndelivery:\n")
}

func withoutQueue(yaml string) string {
	head, rest, _ := strings.Cut(yaml, "\nqueue: ")
	_, rest, _ = strings.Cut(rest, "\n")
	return head + "\n" + rest
}

// TestFromQueueToQueueUnderFire runs a hub under load on its own queue, then on a
// broker, then on its own again, and kills both of them meanwhile. Every delivery
// comes to its end, with its receipts, and the broker still has jobs when nobody
// wants them any more.
func TestFromQueueToQueueUnderFire(t *testing.T) {
	b := needsBroker(t)
	broker := b.Nodes[0]
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	wait := func() { time.Sleep(500*time.Millisecond + time.Duration(dice.Int64N(int64(time.Second)))) }

	c := newChapter(t, buildWithFaults(t), seed, &report{Faults: map[string]int{}}, nil)
	s, rest := c.s, restOf(c.s)
	rest.slack += 4 * len(liars())
	c.l.begin()
	defer c.l.stop() // also if it is broken off
	wait()
	s.kill()
	s.configure(withQueue(b.URLs()[0]))
	s.start()
	wait()
	if n := s.metric("tram_queue_confirmed_total"); n == 0 {
		t.Error("nothing went through the broker: the test tests nothing")
	}
	s.kill()
	s.start()
	wait()
	broker.Kill()
	wait()
	if body, err := get("http://" + s.operators + "/readyz"); err != nil || body != "ready, degraded: queue-unreachable\n" {
		t.Errorf("without its broker the hub says %q, %v", body, err)
	}
	s.kill()
	s.start() // without a broker
	wait()
	must(t, broker.Start())
	eventually(t, "the broker is used again", func() bool { return s.metric("tram_queue_up") == 1 && s.metric("tram_queue_confirmed_total") > 0 })
	wait()
	broker.Pause()
	wait()
	s.kill()
	broker.Resume()
	s.configure(withoutQueue)
	s.start()
	wait()
	c.end(rest)
}

// TestABrokerThatIsOfNoUse is told at the start, and by hub check, with what to do.
func TestABrokerThatIsOfNoUse(t *testing.T) {
	b := needsBroker(t)
	s := newSite(t, withQueue(strings.Replace(b.URLs()[0], rabbittest.Password, "wrong-secret", 1)))
	out, errOut, code := s.hub("serve", "--config", s.config())
	if code != exitUsage || !strings.Contains(errOut, "queue-refused") || strings.Contains(out+errOut, "wrong-secret") {
		t.Errorf("hub serve with a wrong password: %d %s%s", code, out, errOut)
	}
	if out, _, code := s.hub("check", "--config", s.config()); code != exitFailed || !strings.Contains(out, "queue-refused") || strings.Contains(out, "wrong-secret") {
		t.Errorf("hub check with a wrong password: %d %s", code, out)
	}
	s.configure(withoutQueue, withQueue(b.URLs()[0]))
	if out, _, _ := s.hub("check", "--config", s.config()); !strings.Contains(out, "has the exchanges and queues") {
		t.Errorf("hub check: %s", out)
	}
	if out := s.mustHub("queue", "--config", s.config()); !strings.Contains(out, "tram.jobs") || !strings.Contains(out, "no dead letters") {
		t.Errorf("hub queue: %s", out)
	}
	s.configure(withoutQueue, withQueue(`{urls: ["`+b.URLs()[0]+`"], name: province}`))
	if out := s.mustHub("queue", "--config", s.config()); !strings.Contains(out, "province.urgent") {
		t.Errorf("hub queue, with another name: %s", out)
	}
	b.Nodes[0].Kill()
	if out, _, code := s.hub("check", "--config", s.config()); code != exitFailed || !strings.Contains(out, "nothing is lost") {
		t.Errorf("hub check without a broker: %d %s", code, out)
	}
	s.configure(withoutQueue)
	if _, errOut, code := s.hub("queue", "--config", s.config()); code != exitUsage || !strings.Contains(errOut, "in its own process") {
		t.Errorf("hub queue without one: %d %s", code, errOut)
	}
}
