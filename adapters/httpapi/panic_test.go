package httpapi

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"tram/exchange"
)

// faulty serves handlers that fail in ways that ours must not.
func faulty(t *testing.T, logs io.Writer, h handler) *httptest.Server {
	t.Helper()
	m, err := newMetrics(prometheus.NewRegistry(), &exchange.Exchange{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{x: &exchange.Exchange{}, limits: Limits{}.orDefault(), log: slog.New(slog.NewJSONHandler(logs, nil)), now: time.Now,
		metrics: m, rates: newLimiter(1, 10)}
	server := httptest.NewServer(s.engine([]route{{http.MethodGet, "/", public, noBody, h}}))
	t.Cleanup(server.Close)
	return server
}

func TestPanicIsAProblem(t *testing.T) {
	var logs bytes.Buffer
	server := faulty(t, &logs, func(*gin.Context, exchange.Caller) error { panic("secret detail") })
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // read whole
	if err != nil || resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), `"internal"`) {
		t.Errorf("%d, %s, %v", resp.StatusCode, body, err)
	}
	if strings.Contains(string(body), "secret") || strings.Contains(string(body), ".go") {
		t.Errorf("the answer shows the hub's inside: %s", body)
	}
	if !strings.Contains(logs.String(), "secret detail") || !strings.Contains(logs.String(), "panic_test.go") {
		t.Errorf("the log does not say where: %s", logs.String())
	}
	if strings.Count(logs.String(), `"msg":"request"`) != 1 {
		t.Errorf("the request is not logged once: %s", logs.String())
	}
}

func TestPanicInTheMiddleOfAnAnswerBreaksItOff(t *testing.T) {
	var logs bytes.Buffer
	server := faulty(t, &logs, func(c *gin.Context, _ exchange.Caller) error {
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString("half of a receipt") // the panic is what counts
		c.Writer.Flush()
		panic("broken")
	})
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		return // broken off before it was seen
	}
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q was taken for a whole answer", body)
	}
	_ = resp.Body.Close() // broken off
}

func TestLimiterForgets(t *testing.T) {
	l := newLimiter(1, 2)
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for range 2 {
		if _, ok := l.take("busy", now); !ok {
			t.Fatal("refused within its burst")
		}
	}
	if wait, ok := l.take("busy", now); ok || wait != 1 {
		t.Errorf("beyond its burst: %d, %v", wait, ok)
	}
	for i := range 3 * manyKeys {
		l.take(time.Duration(i).String(), now.Add(time.Duration(i-3*manyKeys)*time.Second))
	}
	if len(l.buckets) > 2*manyKeys {
		t.Errorf("%d buckets are kept", len(l.buckets))
	}
	if _, ok := l.take("busy", now); ok {
		t.Error("an empty bucket was forgotten")
	}
	if _, ok := l.take("busy", now.Add(time.Second)); !ok {
		t.Error("a second later there is still none")
	}
}
