package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tram/exchange"
)

// measured puts what the exchange does to its ports into metrics. It stands
// round them, so that neither side counts anything.
type measured struct {
	steps     *prometheus.HistogramVec
	waits     *prometheus.HistogramVec
	receipts  *prometheus.CounterVec
	announced *prometheus.CounterVec
	scans     *prometheus.CounterVec
	commits   prometheus.Histogram
	groups    prometheus.Histogram
}

// The steps of a package's way that are timed.
const (
	stepReceive   = "receive"   // from the first byte until the package is admitted: reading, signature, rules
	stepKeep      = "keep"      // its bytes onto the disk
	stepAccept    = "accept"    // its acceptance into the ledger
	stepUpdate    = "update"    // any other write to the ledger
	stepAnnounce  = "announce"  // telling a recipient's system
	stepTimeStamp = "timestamp" // a time-stamp from the authority
)

func newMeasured(r prometheus.Registerer) (*measured, error) {
	m := &measured{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tram_step_duration_seconds",
			Help:    "How long each step takes: receive (reading, signature, rules), keep (bytes onto the disk), accept and update (into the ledger), announce, timestamp.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"step"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tram_delivery_duration_seconds",
			Help:    "From a package's acceptance to each receipt of a delivery, by its event.",
			Buckets: []float64{.1, .5, 1, 5, 30, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600, 168 * 3600, 720 * 3600}}, []string{"event"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_receipts_total",
			Help: "Receipts issued, by event."}, []string{"event"}),
		announced: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_announcements_total",
			Help: "Attempts to announce a delivery to a recipient's system, by outcome."}, []string{"outcome"}),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_scans_total",
			Help: "Contents that were scanned for malware, by verdict; none: the scanner gave no verdict; too-long: more than it takes."}, []string{"verdict"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tram_ledger_commit_seconds",
			Help:    "How long a transaction of the ledger takes until it is on the disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		groups: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tram_ledger_commit_operations",
			Help: "How many writes share a transaction of the ledger.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}}),
	}
	for _, step := range []string{stepReceive, stepKeep, stepAccept, stepUpdate, stepAnnounce, stepTimeStamp} {
		m.steps.WithLabelValues(step)
	}
	for _, event := range []exchange.Event{exchange.SubmissionAcceptance, exchange.SubmissionRejection, exchange.ContentConsignment, exchange.ContentConsignmentFailure,
		exchange.ContentHandover, exchange.ContentHandoverFailure, exchange.ConsignmentRejection, exchange.AcceptanceRejectionExpiry,
		exchange.RelayAcceptance, exchange.RelayRejection, exchange.RelayFailure, exchange.RevocationEstablished} {
		m.receipts.WithLabelValues(string(event))
	}
	for _, outcome := range []string{"taken", "failed"} {
		m.announced.WithLabelValues(outcome)
	}
	for _, verdict := range []string{"clean", "found", "none", "too-long"} {
		m.scans.WithLabelValues(verdict)
	}
	for _, c := range []prometheus.Collector{m.steps, m.waits, m.receipts, m.announced, m.scans, m.commits, m.groups} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *measured) took(step string, begun time.Time) {
	m.steps.WithLabelValues(step).Observe(time.Since(begun).Seconds())
}

// committed is a bolt.Options' Committed.
func (m *measured) committed(operations int, took time.Duration) {
	m.commits.Observe(took.Seconds())
	m.groups.Observe(float64(operations))
}

// issued counts the receipts of a change that is kept.
func (m *measured) issued(c exchange.Change) {
	for _, r := range c.Receipts {
		m.receipts.WithLabelValues(string(r.Event)).Inc()
		for _, d := range c.Deliveries {
			if d.ID == r.Delivery {
				m.waits.WithLabelValues(string(r.Event)).Observe(r.Time.Sub(d.AcceptedAt).Seconds())
			}
		}
	}
}

type measuredLedger struct {
	exchange.Ledger
	m *measured
}

func (l measuredLedger) Accept(ctx context.Context, p exchange.Package, c exchange.Change) (exchange.Receipt, bool, error) {
	begun := time.Now()
	r, again, err := l.Ledger.Accept(ctx, p, c)
	l.m.took(stepAccept, begun)
	if err == nil && !again {
		l.m.issued(c)
	}
	return r, again, err
}

func (l measuredLedger) Update(ctx context.Context, c exchange.Change) error {
	begun := time.Now()
	err := l.Ledger.Update(ctx, c)
	l.m.took(stepUpdate, begun)
	if err == nil {
		l.m.issued(c)
	}
	return err
}

type measuredVault struct {
	exchange.Vault
	m *measured
}

func (v measuredVault) Create(ctx context.Context) (exchange.Draft, error) {
	d, err := v.Vault.Create(ctx)
	if err != nil {
		return nil, err
	}
	return &measuredDraft{Draft: d, m: v.m, begun: time.Now()}, nil
}

type measuredDraft struct {
	exchange.Draft
	m     *measured
	begun time.Time
}

func (d *measuredDraft) Keep() (exchange.Digest, error) {
	d.m.took(stepReceive, d.begun)
	begun := time.Now()
	digest, err := d.Draft.Keep()
	d.m.took(stepKeep, begun)
	return digest, err
}

type measuredCourier struct {
	exchange.Courier
	m *measured
}

func (c measuredCourier) Send(ctx context.Context, to exchange.Agency, d exchange.Delivery, p exchange.Package) error {
	begun := time.Now()
	err := c.Courier.Send(ctx, to, d, p)
	c.m.took(stepAnnounce, begun)
	outcome := "taken"
	if err != nil {
		outcome = "failed"
	}
	c.m.announced.WithLabelValues(outcome).Inc()
	return err
}

type measuredStamper struct {
	exchange.TimeStamper
	m *measured
}

func (s measuredStamper) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	begun := time.Now()
	defer s.m.took(stepTimeStamp, begun)
	return s.TimeStamper.Stamp(ctx, data)
}

// stamper is the time-stamper with its time taken; none stays none.
func (m *measured) stamper(s exchange.TimeStamper) exchange.TimeStamper {
	if s == nil {
		return nil
	}
	return measuredStamper{s, m}
}

// hostGauges are of the files and the process, read when they are asked for.
type hostGauges struct {
	cfg    config
	vault  exchange.Vault
	reload *reloaded
	log    *slog.Logger
}

var (
	ledgerBytes = prometheus.NewDesc("tram_ledger_file_bytes", "Size of the ledger's file.", nil, nil)
	vaultFree   = prometheus.NewDesc("tram_vault_free_bytes", "Bytes that can still be kept for packages.", nil, nil)
	vaultInodes = prometheus.NewDesc("tram_vault_free_inodes", "Files that can still be made for packages; absent where the file system has no bound.", nil, nil)
	reloadBad   = prometheus.NewDesc("tram_reload_failed", "Whether the last reload of keys and certificates failed: 1 or 0.", nil, nil)
	buildInfo   = prometheus.NewDesc("tram_build_info", "The program: 1, with its version.", []string{"version", "goversion"}, nil)
)

func (g *hostGauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ledgerBytes, vaultFree, vaultInodes, reloadBad, buildInfo} {
		to <- d
	}
}

func (g *hostGauges) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx := context.Background()
	if info, err := os.Stat(g.cfg.Ledger); err != nil {
		g.log.ErrorContext(ctx, "reading the ledger's size for the metrics", "err", err)
	} else {
		gauge(ledgerBytes, float64(info.Size()))
	}
	if free, err := g.vault.Free(ctx); err != nil {
		g.log.ErrorContext(ctx, "reading the vault's free space for the metrics", "err", err)
	} else {
		gauge(vaultFree, float64(free))
	}
	if files, bounded := freeInodes(g.cfg.Vault); bounded {
		gauge(vaultInodes, float64(files))
	}
	bad := 0.0
	if g.reload.bad.Load() {
		bad = 1
	}
	gauge(reloadBad, bad)
	goversion := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goversion = info.GoVersion
	}
	gauge(buildInfo, 1, version(), goversion)
}
