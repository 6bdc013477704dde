package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tram/exchange"
)

// metrics are labelled by route, status, code, rule and state: words of the
// program, never of its callers. Agencies' codes, which are the registry's, label
// only those few that wait the longest.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	received prometheus.Counter
	accepted *prometheus.CounterVec
	rejected *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, x *exchange.Exchange, log *slog.Logger) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_http_requests_total",
			Help: "Requests answered, by route and status."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tram_http_request_duration_seconds",
			Help:    "Time from a request's header to the end of its answer. GET /v1/inbox waits as long as it was asked to.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}}, []string{"method", "route"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_http_refusals_total",
			Help: "Requests refused, by code."}, []string{"code"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "tram_http_received_bytes_total",
			Help: "Bytes of bodies taken in."}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_packages_accepted_total",
			Help: "Packages accepted; resubmitted: they had been accepted before, and got the first receipt again."}, []string{"resubmitted"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tram_packages_refused_total",
			Help: "Packages refused, by code and rule. Rules appear with their first refusal."}, []string{"code", "rule"}),
	}
	for _, again := range []string{"false", "true"} {
		m.accepted.WithLabelValues(again)
	}
	for code := range answers {
		m.refusals.WithLabelValues(string(code)) // there from the start, so that a first one shows as a rise
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.refusals, m.received, m.accepted, m.rejected, &ledgerGauges{x, log}, &queueGauges{x},
		collectors.NewBuildInfoCollector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) observe(r *record, method string, status int, took time.Duration) {
	route := r.route
	if route == "" {
		route, method = "none", "any" // both are the caller's words here
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
	m.received.Add(float64(r.received))
	if route == submitRoute && method == http.MethodPost {
		m.submitted(r, status)
	}
}

// submitted counts how a submission ended; a caller that left before is neither.
func (m *metrics) submitted(r *record, status int) {
	switch {
	case r.code != "":
		m.rejected.WithLabelValues(string(r.code), r.rule).Inc()
	case status == http.StatusCreated || status == http.StatusOK:
		m.accepted.WithLabelValues(strconv.FormatBool(status == http.StatusOK)).Inc()
	}
}

// ledgerGauges are counted when they are read, not kept in step.
type ledgerGauges struct {
	x   *exchange.Exchange
	log *slog.Logger
}

var (
	deliveriesGauge = prometheus.NewDesc("tram_deliveries", "Deliveries in the ledger, by state.", []string{"state"}, nil)
	leavesGauge     = prometheus.NewDesc("tram_log_leaves", "Leaves of the log.", nil, nil)
	unstampedGauge  = prometheus.NewDesc("tram_timestamps_pending", "Receipts that wait for a time-stamp.", nil, nil)
	oldestGauge     = prometheus.NewDesc("tram_timestamps_oldest_seconds", "How long the oldest of them waits.", nil, nil)
	stampedCounter  = prometheus.NewDesc("tram_timestamps_total", "Time-stamps got from the authority since the hub began, by outcome.", []string{"outcome"}, nil)
	termGauge       = prometheus.NewDesc("tram_certificate_left_seconds", "Time until the first of a kind ends, in whole days: of certificates, and of lists of revoked ones.", []string{"kind"}, nil)
	doubtfulGauge   = prometheus.NewDesc("tram_doubtful_signatures", "Signatures accepted while nothing was known of their certificates' revocation, and still to be asked about.", nil, nil)
	waitingGauge    = prometheus.NewDesc("tram_oldest_delivery_seconds", "How long ago the oldest delivery in an open state was accepted; 0 if there is none.", []string{"state"}, nil)
	recipientGauge  = prometheus.NewDesc("tram_recipient_oldest_delivery_seconds", "The same of the recipients that wait the longest, at most ten in each state.", []string{"state", "recipient"}, nil)
	orphansGauge    = prometheus.NewDesc("tram_orphan_statuses", "Statuses on documents that the hub has not brought to their sender.", nil, nil)
	alertsGauge     = prometheus.NewDesc("tram_alerts", "Alerts that nobody has acknowledged, by kind.", []string{"kind"}, nil)
	relayUpGauge    = prometheus.NewDesc("tram_relay_up", "Whether the last call to another axis went well: 1 or 0.", []string{"axis"}, nil)
	relayQueueGauge = prometheus.NewDesc("tram_relay_queued", "Deliveries that wait to be taken by another axis.", []string{"axis"}, nil)
	relayAsideGauge = prometheus.NewDesc("tram_relay_refused", "Parcels of another axis that could not be taken in, and are tried again later.", []string{"axis"}, nil)
	readyGauge      = prometheus.NewDesc("tram_ready", "Whether packages can be taken in: 1 or 0.", nil, nil)
)

// scrapeTime is how long the ledger may take to be counted.
const scrapeTime = 5 * time.Second

func (g *ledgerGauges) Describe(to chan<- *prometheus.Desc) {
	to <- deliveriesGauge
	to <- leavesGauge
	to <- unstampedGauge
	to <- oldestGauge
	to <- stampedCounter
	to <- termGauge
	to <- doubtfulGauge
	to <- waitingGauge
	to <- recipientGauge
	to <- orphansGauge
	to <- alertsGauge
	to <- relayUpGauge
	to <- relayQueueGauge
	to <- relayAsideGauge
	to <- readyGauge
}

func (g *ledgerGauges) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	counts, err := g.x.Counts(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "counting deliveries for the metrics", "err", err)
	}
	for _, state := range exchange.States {
		if err == nil {
			to <- prometheus.MustNewConstMetric(deliveriesGauge, prometheus.GaugeValue, float64(counts[state]), string(state))
		}
	}
	leaves, err := g.x.LogSize(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "reading the log's size for the metrics", "err", err)
	} else {
		to <- prometheus.MustNewConstMetric(leavesGauge, prometheus.GaugeValue, float64(leaves))
	}
	g.collectRelays(ctx, to)
	if orphans, err := g.x.OrphanCount(ctx); err != nil {
		g.log.ErrorContext(ctx, "counting statuses without a document for the metrics", "err", err)
	} else {
		to <- prometheus.MustNewConstMetric(orphansGauge, prometheus.GaugeValue, float64(orphans))
	}
	for kind, n := range g.x.AlertCounts() {
		to <- prometheus.MustNewConstMetric(alertsGauge, prometheus.GaugeValue, float64(n), string(kind))
	}
	g.collectWaiting(ctx, to)
	g.collectStamps(ctx, to)
	g.terms(ctx, to)
	ready := 1.0
	if err := g.x.Ready(ctx); err != nil {
		ready = 0
	}
	to <- prometheus.MustNewConstMetric(readyGauge, prometheus.GaugeValue, ready)
}

// collectRelays tells how it stands with other axes.
func (g *ledgerGauges) collectRelays(ctx context.Context, to chan<- prometheus.Metric) {
	list, err := g.x.RelayStates(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "looking at relays for the metrics", "err", err)
		return
	}
	for _, v := range list {
		up := 0.0
		if v.Up() {
			up = 1
		}
		to <- prometheus.MustNewConstMetric(relayUpGauge, prometheus.GaugeValue, up, v.Name)
		to <- prometheus.MustNewConstMetric(relayQueueGauge, prometheus.GaugeValue, float64(v.Queued), v.Name)
		to <- prometheus.MustNewConstMetric(relayAsideGauge, prometheus.GaugeValue, float64(len(v.Aside)), v.Name)
	}
}

// mostRecipients is how many recipients are named in each state.
const mostRecipients = 10

// collectWaiting tells how long open deliveries wait, and whose.
func (g *ledgerGauges) collectWaiting(ctx context.Context, to chan<- prometheus.Metric) {
	for _, state := range exchange.States {
		if state.Final() {
			continue
		}
		list, err := g.x.Oldest(ctx, state, mostRecipients)
		if err != nil {
			g.log.ErrorContext(ctx, "looking for the oldest deliveries for the metrics", "err", err)
			return
		}
		oldest := 0.0
		for _, d := range list {
			age := max(0, time.Since(d.AcceptedAt).Seconds())
			oldest = max(oldest, age)
			to <- prometheus.MustNewConstMetric(recipientGauge, prometheus.GaugeValue, age, string(state), d.Recipient)
		}
		to <- prometheus.MustNewConstMetric(waitingGauge, prometheus.GaugeValue, oldest, string(state))
	}
}

// collectStamps tells how time-stamping goes, where the hub does it or something
// waits for it from a time when it did.
func (g *ledgerGauges) collectStamps(ctx context.Context, to chan<- prometheus.Metric) {
	r, err := g.x.StampReport(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "counting time-stamps for the metrics", "err", err)
		return
	}
	if !r.Configured && r.Pending == 0 {
		return
	}
	oldest := 0.0
	if !r.Oldest.IsZero() {
		oldest = max(0, time.Since(r.Oldest).Seconds())
	}
	to <- prometheus.MustNewConstMetric(unstampedGauge, prometheus.GaugeValue, float64(r.Pending))
	to <- prometheus.MustNewConstMetric(oldestGauge, prometheus.GaugeValue, oldest)
	to <- prometheus.MustNewConstMetric(stampedCounter, prometheus.CounterValue, float64(r.Stamped), "kept")
	to <- prometheus.MustNewConstMetric(stampedCounter, prometheus.CounterValue, float64(r.Failed), "failed")
}

// terms tells what ends first, and what is still doubtful.
func (g *ledgerGauges) terms(ctx context.Context, to chan<- prometheus.Metric) {
	soonest, err := g.x.SoonestTerms(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "looking for what ends first for the metrics", "err", err)
	}
	for kind, days := range soonest {
		if err == nil {
			to <- prometheus.MustNewConstMetric(termGauge, prometheus.GaugeValue, float64(days)*24*3600, string(kind))
		}
	}
	doubtful, err := g.x.DoubtfulSignatures(ctx)
	if err != nil {
		g.log.ErrorContext(ctx, "counting doubtful signatures for the metrics", "err", err)
		return
	}
	to <- prometheus.MustNewConstMetric(doubtfulGauge, prometheus.GaugeValue, float64(doubtful))
}

// scrape serves the registry.
func (s *Server) scrape(c *gin.Context, _ exchange.Caller) error {
	promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Timeout: 2 * scrapeTime}).ServeHTTP(c.Writer, c.Request)
	return nil
}
