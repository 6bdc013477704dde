package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// Options are what a run may be told. Zero fields are the scenario's own.
type Options struct {
	Scenario string
	Pairs    int           // of agencies that send and answer at once
	Packages int           // to send
	Duration time.Duration // to send for, instead
	Rate     float64       // packages in a second, come what may; 0: each pair sends when it is done
	Speedup  float64       // province: how much faster than the clock the day goes
	Profile  string        // file that the profile of the hub's CPU time goes to
	// Say tells people what is going on.
	Say func(format string, args ...any)
}

// bench is one run.
type bench struct {
	site     *Site
	scenario Scenario
	o        Options
	hub      *hub
	admin    *httpclient.Client
	letters  *letters
	times    *times
	seals    []exchange.PublishedSeal

	accepted atomic.Int64 // packages
	settled  atomic.Int64 // deliveries
	receipts atomic.Int64 // that came
	verified atomic.Int64 // of them
	numbers  atomic.Int64 // of documents
}

// A load is a scenario made ready: its packages are signed. It returns what it
// sent, in the scenario's unit.
type load func(ctx context.Context) (done int, err error)

// A Scenario is a kind of load.
type Scenario struct {
	Name, Help string
	defaults   Options
	unit       string // of what is counted
	size       int64  // of its packages, about; 0: they differ
	prepare    func(b *bench, ctx context.Context) (load, error)
}

// Scenarios are all that there are.
var Scenarios = []Scenario{
	{"small", "packages of 11.5 kB, each to one agency", Options{Pairs: 32, Packages: 3000}, "cycle", 11_500, (*bench).prepareCycles},
	{"typical", "packages of 1.5 MB with two PDF files", Options{Pairs: 16, Packages: 300}, "cycle", 1_500_000, (*bench).prepareCycles},
	{"large", "packages of 100 MB", Options{Pairs: 2, Packages: 6}, "cycle", 100_000_000, (*bench).prepareCycles},
	{"broadcast", "one package to 440 agencies at once", Options{Pairs: 32, Packages: 5}, "package", 11_500, (*bench).prepareBroadcast},
	{"resubmit", "every package five times: three at once, two later", Options{Pairs: 16, Packages: 500}, "package", 11_500, (*bench).prepareResubmit},
	{"province", "a day of 440 agencies: all sizes, 1 to 440 recipients, statuses, replies, and every agency asking on the full minute",
		Options{Packages: 300, Speedup: 600}, "delivery", 0, (*bench).prepareProvince},
}

// ScenarioOf finds a scenario.
func ScenarioOf(name string) (Scenario, bool) {
	for _, s := range Scenarios {
		if s.Name == name {
			return s, true
		}
	}
	return Scenario{}, false
}

func (o Options) or(d Options) Options {
	if o.Packages == 0 && o.Duration == 0 {
		o.Packages = d.Packages
	}
	if o.Pairs == 0 {
		o.Pairs = d.Pairs
	}
	if o.Speedup == 0 {
		o.Speedup = d.Speedup
	}
	return o
}

// words say how the load comes.
func (o Options) words(s Scenario) string {
	switch {
	case s.Name == "province":
		return fmt.Sprintf("a day's documents of 440 agencies over HTTPS, %.4g times faster than the clock, with the same dice each time", o.speed())
	case o.Rate > 0:
		return fmt.Sprintf("%d pairs of agencies over HTTPS; %.4g packages begin each second, and times count from when each was to begin", o.Pairs, o.Rate)
	case s.Name == "broadcast":
		return fmt.Sprintf("one package after the other over HTTPS; %d agencies answer at once", o.Pairs)
	}
	return fmt.Sprintf("%d pairs of agencies over HTTPS; each pair begins when it is done", o.Pairs)
}

// speed is how much faster than the clock the province's day goes.
func (o Options) speed() float64 {
	if o.Duration > 0 {
		return workingDay.Seconds() / o.Duration.Seconds()
	}
	return o.Speedup
}

// Run serves the site's hub, puts the scenario's load on it and reports.
func Run(ctx context.Context, site *Site, o Options) (r *Report, err error) {
	s, known := ScenarioOf(o.Scenario)
	if !known {
		return nil, fmt.Errorf("there is no scenario %q", o.Scenario)
	}
	o = o.or(s.defaults)
	if 2*o.Pairs > len(site.Agencies) {
		return nil, fmt.Errorf("%d pairs are more than %d agencies are good for", o.Pairs, len(site.Agencies))
	}
	b := &bench{site: site, scenario: s, o: o, times: newTimes()}
	o.Say("measuring what this machine can do at best")
	r = &Report{Scenario: s.Name, Unit: s.unit, Load: o.words(s), Pairs: o.Pairs, Rate: o.Rate, Cores: runtime.GOMAXPROCS(0), Processor: processor(), Seeded: site.Seeded}
	if r.Floor, err = MeasureFloor(site.Dir); err != nil {
		return nil, fmt.Errorf("measuring the floor: %w", err)
	}
	r.Floor.cycle(s.size)
	if b.letters, err = newLetters(site.Dir, time.Now()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.letters.close()) }()
	o.Say("starting the hub")
	if b.hub, err = site.start(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.hub.stop()) }()
	r.StartMillis = millis(b.hub.started)
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	defer b.admin.Close()
	o.Say("signing packages, and warming up")
	load, err := s.prepare(b, ctx)
	if err != nil {
		return nil, fmt.Errorf("making ready: %w", err)
	}
	r.Signed, r.SigningSeconds = int(b.letters.made.Load()), b.letters.took.Seconds()
	if r.Signed > 0 {
		r.PackageBytes = b.letters.end.Load() / int64(r.Signed)
	}
	o.Say("the load is on")
	if err := b.measure(ctx, load, r); err != nil {
		return nil, err
	}
	if site.Seeded > 0 {
		o.Say("asking the ledger")
		if r.Lists, err = b.lists(ctx); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// connect makes the administrator's client and keeps what the hub publishes.
func (b *bench) connect(ctx context.Context) (err error) {
	b.admin, err = httpclient.New(httpclient.Config{URL: "https://" + b.site.Address, ID: "user:" + b.site.Admin.ID, Secret: b.site.Admin.Secret,
		Roots: b.site.Roots, UserAgent: "tram-bench"})
	if err != nil {
		return err
	}
	keys, err := b.admin.Keys(ctx)
	if err != nil {
		return err
	}
	b.seals, err = keys.Seals()
	return err
}

// measure puts the load on between two looks at all that is measured.
func (b *bench) measure(ctx context.Context, load load, r *Report) error {
	b.times = newTimes() // without those of warming up
	b.accepted.Store(0)
	b.settled.Store(0)
	b.receipts.Store(0)
	b.verified.Store(0)
	before, err := b.observe(ctx)
	if err != nil {
		return err
	}
	pid := strconv.Itoa(b.hub.command.Process.Pid)
	memory := watchMemory(ctx, pid)
	profiling := startProfile(ctx, b.site.Operators)
	began := time.Now()
	done, err := load(ctx)
	elapsed := time.Since(began)
	profiling.stop()
	if err != nil {
		return errors.Join(err, b.said())
	}
	after, err := b.observe(ctx)
	if err != nil {
		return err
	}
	m := memory()
	r.Done, r.Seconds, r.Deliveries = done, elapsed.Seconds(), int(b.settled.Load())
	r.PerSecond = float64(done) / elapsed.Seconds()
	r.Steps = b.times.steps()
	per := func(d time.Duration) float64 { return micros(d) / float64(max(done, 1)) }
	spent, own := after.hub.since(before.hub), after.own.since(before.own)
	r.Hub = HubUse{UserMicros: per(spent.user), SystemMicros: per(spent.system), CPUMicros: per(spent.cpu()),
		Cores: spent.cpu().Seconds() / elapsed.Seconds(), MemoryPeak: m.peak, MemoryEnd: m.now,
		WrittenBytes: spent.written / int64(max(done, 1)), LedgerBytes: (after.ledger - before.ledger) / int64(max(done, 1)),
		VaultBytes: (after.vault - before.vault) / int64(max(done, 1)), LedgerFile: after.ledger}
	r.GeneratorMicros = per(own.cpu())
	r.OtherCores = max((after.all-before.all-spent.cpu()-own.cpu()).Seconds()/elapsed.Seconds(), 0)
	if r.Hub.Parts, err = profiling.parts(r.Hub.CPUMicros, b.o.Profile); err != nil {
		return err
	}
	return b.check(ctx, before, after, r)
}

// state is all that is measured, at one time.
type state struct {
	hub, own      usage
	all           time.Duration // CPU time of all processes
	ledger, vault int64
	deliveries    map[exchange.State]int64
	tree          tlog.Tree
}

func (b *bench) observe(ctx context.Context) (s state, err error) {
	if s.hub, err = usageOf(strconv.Itoa(b.hub.command.Process.Pid)); err != nil {
		return s, err
	}
	if s.own, err = usageOf("self"); err != nil {
		return s, err
	}
	if s.all, err = machineUsage(); err != nil {
		return s, err
	}
	if s.ledger, err = sizeOf(b.site.Ledger); err != nil {
		return s, err
	}
	if s.vault, err = sizeOf(b.site.Vault); err != nil {
		return s, err
	}
	if s.deliveries, err = b.deliveries(ctx); err != nil {
		return s, err
	}
	s.tree, err = b.tree(ctx)
	return s, err
}

// said is the end of what the hub said, for one who has to find out.
func (b *bench) said() error {
	text, err := os.ReadFile(b.hub.log.Name())
	if err != nil {
		return err
	}
	return fmt.Errorf("the hub's log ends with:\n%s", text[max(0, len(text)-2000):])
}
