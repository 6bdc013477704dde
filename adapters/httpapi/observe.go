package httpapi

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// A record is what is known of one request, for its log line and its metrics.
type record struct {
	id       string
	route    string // as in the table; empty where there is none
	caller   string
	received int64
	code     exchange.Code // of a refusal
	rule     string
}

const recordKey = "record"

// recordOf is the request's record, made by observe.
func recordOf(c *gin.Context) *record { return c.MustGet(recordKey).(*record) }

// observe stands round every request: it names it, sets what every answer
// carries, moves the time an answer may take, and writes down how it ended.
func (s *Server) observe(c *gin.Context) {
	begun := time.Now()
	r := &record{id: requestID(c.Request), caller: exchange.Caller{}.String()}
	c.Set(recordKey, r)
	secure(c, r.id)

	w := &patientWriter{ResponseWriter: c.Writer, control: http.NewResponseController(c.Writer), patience: s.limits.Write}
	_ = w.control.SetWriteDeadline(time.Time{}) // of the connection's last answer; servers without deadlines need none
	c.Writer = w
	c.Next()
	w.extend() // for what is written after this, the end of the answer

	status, took := c.Writer.Status(), time.Since(begun)
	s.metrics.observe(r, c.Request.Method, status, took)
	level := slog.LevelInfo
	if r.route == "/healthz" || r.route == "/readyz" || r.route == "/metrics" {
		level = slog.LevelDebug
	}
	line := []slog.Attr{slog.String("request", r.id), slog.String("caller", r.caller), slog.String("address", addressOf(c.Request)),
		slog.String("method", c.Request.Method), slog.String("route", r.route), slog.Int("status", status),
		slog.Int64("received", r.received), slog.Int("sent", max(c.Writer.Size(), 0)), slog.Float64("seconds", took.Seconds())}
	if r.code != "" {
		line = append(line, slog.String("code", string(r.code)), slog.String("rule", r.rule))
	}
	s.log.LogAttrs(c.Request.Context(), level, "request", line...)
}

// secure sets the headers that keep a browser from making anything of an answer
// but data (OWASP REST Security, "Security Headers").
func secure(c *gin.Context, id string) {
	h := c.Writer.Header()
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// requestID is the caller's own identifier of the request if it is fit for a
// log, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return rand.Text()
	}
	for _, b := range []byte(id) {
		letter := 'a' <= b|0x20 && b|0x20 <= 'z'
		if !letter && (b < '0' || b > '9') && b != '-' && b != '_' && b != '.' {
			return rand.Text()
		}
	}
	return id
}

// recover answers for a handler that panicked. If an answer had begun it is
// broken off, so that nobody takes the half for the whole.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler || c.Writer.Written() {
			s.log.ErrorContext(c.Request.Context(), "answer broken off", "request", recordOf(c).id, "cause", fmt.Sprint(cause))
			panic(http.ErrAbortHandler) // net/http's way to break off
		}
		s.problem(c, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		c.Abort()
	}()
	c.Next()
}

// guard refuses what another site's page makes a browser send: a person's
// browser keeps HTTP Basic credentials and adds them.
func (s *Server) guard(c *gin.Context) {
	var protection http.CrossOriginProtection
	if err := protection.Check(c.Request); err != nil {
		s.problem(c, crossOrigin.With())
		c.Abort()
	}
}

// patientWriter gives each piece of an answer its own time to leave.
type patientWriter struct {
	gin.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

func (w *patientWriter) extend() {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience)) // servers without deadlines, in tests, need none
}

func (w *patientWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

func (w *patientWriter) WriteString(s string) (int, error) {
	w.extend()
	return w.ResponseWriter.WriteString(s)
}

// Unwrap lets http.ResponseController through.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
