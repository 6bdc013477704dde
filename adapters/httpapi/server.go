package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"tram/exchange"
)

// Config is what a Server needs.
type Config struct {
	// Exchange does the work.
	Exchange *exchange.Exchange
	// Limits bound what callers may ask; its zero value is good.
	Limits Limits
	// Log gets one line for each request; nil: none is written.
	Log *slog.Logger
	// Metrics takes the server's metrics and is served to operators; nil: a
	// registry of its own.
	Metrics *prometheus.Registry
	// Profile serves profiles of the running program to operators, under
	// /debug/pprof (net/http/pprof). Whoever takes one slows the hub down and sees
	// its insides, never what it holds.
	Profile bool
	// PublicValidator lets anyone have packages validated, within tight limits; else
	// only systems and people may.
	PublicValidator bool
	// Faces are other protocols, served beside /v1.
	Faces []Face
	// Now is time.Now when nil.
	Now func() time.Time
}

// Server is the exchange's face to the network.
type Server struct {
	x        *exchange.Exchange
	limits   Limits
	log      *slog.Logger
	now      func() time.Time
	realm    string
	metrics  *metrics
	registry *prometheus.Registry
	rates    *limiter // of each caller
	failures *limiter // of logging in, by address
	bodies   *room    // for requests with a body
	waits    *room    // for inboxes that wait to fill

	publicValidator bool
	sampleRates     *limiter // of the public's packages to validate, by address
	samples         *room    // for them

	draining context.Context // ends when the server is to shut down
	drain    context.CancelFunc

	public    http.Handler
	operators http.Handler
}

// New checks the configuration and names what is missing.
func New(c Config) (*Server, error) {
	if c.Exchange == nil {
		return nil, errors.New("httpapi: Exchange is not set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	limits := c.Limits.orDefault()
	s := &Server{
		x: c.Exchange, limits: limits, log: c.Log, now: c.Now, realm: realmOf(c.Exchange.Keys().Hub.Code),
		registry: c.Metrics, rates: newLimiter(limits.Rate, limits.Burst), failures: newLimiter(1, limits.Failures),
		bodies: newRoom(limits.Bodies), waits: newRoom(limits.Waits),
	}
	s.publicValidator, s.sampleRates, s.samples = c.PublicValidator, newLimiter(1./samplesPause, samplesBurst), newRoom(mostSamples)
	s.draining, s.drain = context.WithCancel(context.Background())
	var err error
	if s.metrics, err = newMetrics(c.Metrics, c.Exchange, c.Log); err != nil {
		return nil, fmt.Errorf("httpapi: registering metrics: %w", err)
	}
	inside := s.operatorsRoutes()
	if c.Profile {
		inside = append(inside, profileRoutes()...)
	}
	s.public, s.operators = s.engine(s.routes(), c.Faces...), s.engine(inside)
	return s, nil
}

// Handler serves agencies, people and the public.
func (s *Server) Handler() http.Handler { return s.public }

// Operators serves the hub's health and metrics, for a listener that only the
// operators' machines reach.
func (s *Server) Operators() http.Handler { return s.operators }

// Drain makes the server not ready and answers every waiting inbox at once. The
// rest is served until it is shut down.
func (s *Server) Drain() { s.drain() }

// HTTPServer is a server for Handler, with every time-out set that can be set
// without cutting off a long package; those move with its bytes.
func (s *Server) HTTPServer(addr string) *http.Server { return s.server(addr, s.public) }

// OperatorsServer is a server for Operators.
func (s *Server) OperatorsServer(addr string) *http.Server { return s.server(addr, s.operators) }

func (s *Server) server(addr string, h http.Handler) *http.Server {
	server := &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    s.limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // mostly callers that break off
	}
	server.RegisterOnShutdown(s.drain)
	return server
}

// TLSConfig asks clients for a certificate without verifying a chain: a system
// is known by the digest of its certificate, and TLS proves that it has the key.
// The server's own certificate is asked for at each connection, so that it may be
// replaced while the server runs.
func TLSConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: certificate,
		ClientAuth:     tls.RequestClientCert,
		NextProtos:     []string{"h2", "http/1.1"},
	}
}

// engine serves a table of routes, and faces.
func (s *Server) engine(table []route, faces ...Face) http.Handler {
	gin.SetMode(gin.ReleaseMode) // gin's only switch against printing
	e := gin.New()
	e.ContextWithFallback = true
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a redirect would lose a body
	e.RedirectFixedPath = false
	e.RemoveExtraSlash = true    // software of the axis asks for //sendEdoc, and follows no redirect
	_ = e.SetTrustedProxies(nil) // nil cannot be wrong; addresses are the connection's own
	e.Use(s.observe, s.recover, s.guard)
	e.NoRoute(func(c *gin.Context) { s.problem(c, noRoute.With(exchange.Excerpt(c.Request.URL.Path))) })
	e.NoMethod(func(c *gin.Context) {
		s.problem(c, noMethod.With(c.Request.Method, exchange.Excerpt(c.Request.URL.Path)))
	})
	for _, f := range faces {
		for _, r := range f.Routes {
			e.Handle(r.Method, r.Path, s.serveFace(f, r))
		}
	}
	for _, r := range table {
		e.Handle(r.method, r.path, s.serve(r))
		if r.method == http.MethodGet {
			e.Handle(http.MethodHead, r.path, s.serve(r)) // RFC 9110, 9.1
		}
	}
	return e
}
