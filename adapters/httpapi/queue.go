package httpapi

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"tram/exchange"
)

// readiness tells of a queue that is not well: packages are taken in all the
// same, and wait in the ledger.
func (s *Server) readiness(ctx context.Context) string {
	state, _ := s.x.QueueState(ctx)
	if problem, ok := errors.AsType[*exchange.Error](state.Problem); ok {
		return "ready, degraded: " + problem.Rule.Name + "\n"
	}
	return "ready\n"
}

// queueGauges are there where the queue is outside the process. They are read
// when they are scraped.
type queueGauges struct{ x *exchange.Exchange }

var (
	queueUp          = prometheus.NewDesc("tram_queue_up", "Whether the message broker hands out jobs and takes them: 1 or 0.", nil, nil)
	queuePublished   = prometheus.NewDesc("tram_queue_published_total", "Jobs published.", nil, nil)
	queueConfirmed   = prometheus.NewDesc("tram_queue_confirmed_total", "Jobs that the broker confirmed.", nil, nil)
	queueNacked      = prometheus.NewDesc("tram_queue_nacked_total", "Jobs that the broker refused, and was given again or by the next sweep.", nil, nil)
	queueRedelivered = prometheus.NewDesc("tram_queue_redelivered_total", "Jobs that the broker handed out again.", nil, nil)
	queueGivenUp     = prometheus.NewDesc("tram_queue_given_up_total", "Jobs that made room for those of other recipients; the sweep brings them back.", nil, nil)
	queueReconnects  = prometheus.NewDesc("tram_queue_reconnects_total", "Connections to the broker made again.", nil, nil)
	queueKnown       = prometheus.NewDesc("tram_queue_known", "Jobs published and not yet done.", nil, nil)
	queueUnconfirmed = prometheus.NewDesc("tram_queue_unconfirmed", "Jobs that wait for the broker's confirmation.", nil, nil)
	queueHeld        = prometheus.NewDesc("tram_queue_held", "Jobs taken from the broker, waiting or in a call.", nil, nil)
	queueDepth       = prometheus.NewDesc("tram_queue_depth", "Jobs in the broker that nobody has taken, by queue.", []string{"queue"}, nil)
	queueSeconds     = prometheus.NewDesc("tram_queue_confirm_seconds", "Time until the broker confirmed what was published together.", nil, nil)
)

func (g *queueGauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueUp, queuePublished, queueConfirmed, queueNacked, queueRedelivered, queueGivenUp,
		queueReconnects, queueKnown, queueUnconfirmed, queueHeld, queueDepth, queueSeconds} {
		to <- d
	}
}

func (g *queueGauges) Collect(to chan<- prometheus.Metric) {
	s, watched := g.x.QueueState(context.Background())
	if !watched {
		return
	}
	up := 1.0
	if s.Problem != nil {
		up = 0
	}
	for desc, v := range map[*prometheus.Desc]float64{queueUp: up, queueKnown: float64(s.Known), queueHeld: float64(s.Held), queueUnconfirmed: float64(s.Unconfirmed)} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v)
	}
	for desc, v := range map[*prometheus.Desc]uint64{queuePublished: s.Published, queueConfirmed: s.Confirmed, queueNacked: s.Nacked,
		queueRedelivered: s.Redelivered, queueGivenUp: s.GivenUp, queueReconnects: s.Reconnects} {
		to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(v))
	}
	for name, n := range s.Depths {
		to <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(n), name)
	}
	to <- prometheus.MustNewConstHistogram(queueSeconds, s.Confirmation.Count, s.Confirmation.Sum, s.Confirmation.Buckets)
}
