package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tram/exchange"
)

var (
	campaign       = flag.Duration("campaign", 20*time.Second, "how long to do a hub harm, under load")
	campaignSeed   = flag.Uint64("campaign.seed", 0, "first state of chance, which repeats a chapter's schedule; 0: the time")
	campaignReport = flag.String("campaign.report", "", "write what came of it to this file, JSON")
)

// report is what came of a campaign.
type report struct {
	Seed     uint64         `json:"seed"`
	Took     string         `json:"took"`
	Chapters int            `json:"chapters"`
	Rounds   int            `json:"rounds"`
	Kills    int            `json:"kills"`
	Audits   int            `json:"audits"`
	Faults   map[string]int `json:"faults"`
	Clients  tally          `json:"clients"`
	Findings []string       `json:"findings"`
}

// TestCampaign does a hub under load all the harm on the list, in chapters: each
// is a new hub and a new province, meets every fault in an order that its seed
// decides, and ends with an audit of everything. In a long campaign every second
// hub has a message broker, which is harmed too. A chapter is repeated by
// -campaign.seed, as far as processes that run at once can be.
func TestCampaign(t *testing.T) {
	t.Parallel()
	r := &report{Seed: *campaignSeed, Faults: map[string]int{}, Findings: []string{}}
	if r.Seed == 0 {
		r.Seed = uint64(time.Now().UnixNano())
	}
	program := buildWithFaults(t)
	broker := newBroker(t)
	began := time.Now()
	for seed := r.Seed; r.Chapters == 0 || time.Since(began) < *campaign; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { newChapter(t, program, seed, r, broker.of(seed)).run(began.Add(*campaign)) })
		r.Chapters++
		r.Took = time.Since(began).Round(time.Second).String()
		r.write(t)
	}
	t.Logf("%d rounds in %d chapters, %s: %d kills, %d audits, faults %v; %d packages accepted, %d submitted again, %d answers, %d checkpoints, %d steered, %d answers of the hub lost, %d times no space; %d findings",
		r.Rounds, r.Chapters, r.Took, r.Kills, r.Audits, r.Faults, r.Clients.Packages, r.Clients.Resubmissions, r.Clients.Answers, r.Clients.Checkpoints,
		r.Clients.Steered, r.Clients.Lost, r.Clients.Full, len(r.Findings))
	if r.Kills < 3 || r.Clients.Packages < 20 || r.Clients.Answers < 20 || r.Clients.Lost == 0 {
		t.Error("this was no load to speak of")
	}
}

func (r *report) write(t *testing.T) {
	if *campaignReport == "" {
		return
	}
	text, err := json.MarshalIndent(r, "", "  ")
	must(t, err)
	must(t, os.WriteFile(*campaignReport, append(text, '\n'), 0o600))
}

var withFaults = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tram-faults-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "hub")
	c := exec.Command("go", "build", "-tags", "nomsgpack faults", "-o", path, "tram/cmd/hub")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the hub: %w\n%s", err, out)
	}
	return path, nil
})

// buildWithFaults builds the hub whose clock can be made wrong.
func buildWithFaults(t *testing.T) string {
	t.Helper()
	path, err := withFaults()
	must(t, err)
	return path
}

// chapter is one hub and what becomes of it.
type chapter struct {
	t    *testing.T
	s    *site
	l    *load
	dice *rand.Rand
	r    *report
	// wrong is how wrong the hub's clock is.
	wrong time.Duration
	// broker is what hands out work; nil: the hub itself.
	broker *brokered
	// small is where the hub's own small file system is; "" if this machine does
	// not let us make one.
	small string
}

const campaignDeadline = 48 * time.Hour

func newChapter(t *testing.T, program string, seed uint64, r *report, broker *brokered) *chapter {
	c := &chapter{t: t, r: r, broker: broker, dice: rand.New(rand.NewPCG(seed, 0))}
	parent := t.TempDir()
	c.small = mountSmall(t, parent)
	c.s = &site{t: t, dir: filepath.Join(parent, "hub"), program: program, born: time.Now().AddDate(0, -2, 0),
		env: []string{"TRAM_FAULTS_CLOCK=" + filepath.Join(parent, "clock")}}
	c.setClock(time.Until(c.s.born)) // the hub's keys are as old as the agencies'
	changes := []func(string) string{setting("deadline: 168h", "deadline: "+campaignDeadline.String()), setting("retry_first: 30s", "retry_first: 1s"),
		setting("  package: 1GiB", "  package: 1GiB\n  reserve: 1MiB"),
		setting("  key: keys/webhook.key", "  key: keys/webhook.key\n  allow: [\"127.0.0.0/8\"]\n  roots: trust/roots.pem")}
	if broker != nil {
		changes = append(changes, broker.queue(seed))
	}
	c.s.create(changes...)
	c.setClock(0)
	c.s.start()
	c.l = newLoad(t, c.s, seed)
	return c
}

// setClock makes the hub's clock wrong, in one step: the file appears whole.
func (c *chapter) setClock(wrong time.Duration) {
	c.wrong = wrong
	file := filepath.Join(filepath.Dir(c.s.dir), "clock")
	must(c.t, os.WriteFile(file+".new", []byte(wrong.String()), 0o600))
	must(c.t, os.Rename(file+".new", file))
}

// run goes through every fault until the time is over, and at least once.
func (c *chapter) run(until time.Time) {
	rest := restOf(c.s)
	rest.slack += 4 * len(liars()) // to each a connection that the hub keeps for later
	c.l.begin()
	defer func() { // also if it was broken off
		c.l.stop()
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		c.r.Findings = append(c.r.Findings, c.l.problems...)
		c.r.Clients.add(c.l.counts)
	}()
	for pass := 0; pass < 3 && (pass == 0 || time.Now().Before(until)) && !c.t.Failed(); pass++ {
		c.round(c.faults())
	}
	c.end(rest)
}

func (c *chapter) faults() []fault {
	if c.broker == nil {
		return faults()
	}
	return append(faults(), brokerFaults()...)
}

func (c *chapter) round(list []fault) {
	var plan []fault
	for _, f := range list {
		often := f.often
		if *campaign <= time.Minute {
			often = (often + 1) / 2
		}
		for range often {
			plan = append(plan, f)
		}
	}
	c.dice.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for n, f := range plan {
		if c.t.Failed() {
			return
		}
		pause(c.t.Context(), c.some(400*time.Millisecond))
		f.do(c)
		c.r.Rounds++
		c.r.Faults[f.name]++
		c.l.glance(c.dice)
		if c.t.Failed() {
			c.t.Logf("after fault %d, %s", n+1, f.name)
		}
		if c.dice.IntN(10) == 0 {
			c.kill()
			c.audit()
			c.s.start()
		}
	}
}

// some is a random time up to d.
func (c *chapter) some(d time.Duration) time.Duration { return time.Duration(c.dice.Int64N(int64(d))) }

func (c *chapter) kill() {
	c.s.kill()
	c.r.Kills++
	c.l.counts.Drafts += len(c.s.drafts())
}

// audit holds what a hub that does not run left behind to all notes.
func (c *chapter) audit() {
	c.r.Audits++
	for _, err := range auditOf(c.t.Context(), c.s.dir, c.l.notes()) {
		c.l.problem("%v", err)
	}
}

// end lets everything that was begun come to its end: what got no answer is
// submitted again, and the deadline of all that nobody answers comes.
func (c *chapter) end(rest rest) {
	l := c.l
	l.stopSend()
	l.sends.Wait()
	for _, document := range l.pending() {
		if !l.submit(l.working, document) {
			l.problem("%s cannot be submitted to a hub that runs", document)
		}
	}
	l.stop()
	l.workers.Wait()
	c.setClock(c.wrong + 2*mostWrong + 2*campaignDeadline)
	patience := 30 * time.Second
	if c.broker != nil {
		patience = 3 * time.Minute // a job that a broker lost is published again after one
	}
	began := time.Now()
	for left := c.open(); left > 0; left = c.open() {
		if time.Since(began) > patience {
			l.problem("%d deliveries reach no final state", left)
			break
		}
		pause(c.t.Context(), 100*time.Millisecond)
	}
	for _, m := range append(l.senders, l.recipients...) {
		m.hub.Close()
	}
	rest.again(c.t)
	for document := range l.accepted {
		l.submit(c.t.Context(), document) // compares the receipts
	}
	c.s.stop()
	c.audit()
	healthy(c.t, c.s)
}

func (c *chapter) open() (n int) {
	for _, state := range []exchange.State{exchange.Queued, exchange.Held, exchange.Consigned} {
		n += c.s.metric(fmt.Sprintf("tram_deliveries{state=%q}", state))
	}
	return n
}
