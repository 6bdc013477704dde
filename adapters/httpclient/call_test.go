package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tram/exchange"
)

// hub starts a server with a client of it that loses no time between attempts.
func hub(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(Config{URL: s.URL, ID: "sys", Secret: "secret", Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// cut ends the connection without an answer.
func cut(t *testing.T, w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_ = conn.Close()
}

func TestRepeat(t *testing.T) {
	get := func(ctx context.Context, c *Client) error { _, err := c.Package(ctx, "p"); return err }
	hold := func(ctx context.Context, c *Client) error { _, err := c.Hold(ctx, "p.1", "why"); return err }
	submit := func(ctx context.Context, c *Client) error {
		_, err := c.do(ctx, call{method: "POST", path: []string{"v1", "packages"}, again: true, body: bytesBody([]byte("<edXML/>"))})
		return err
	}
	pipe := func(ctx context.Context, c *Client) error {
		b, err := newBody(io.MultiReader(strings.NewReader("<edXML/>")), -1)
		if err != nil {
			return err
		}
		_, err = c.do(ctx, call{method: "POST", path: []string{"v1", "packages"}, again: true, body: b})
		return err
	}
	status := func(code int) func(*testing.T, http.ResponseWriter) {
		return func(_ *testing.T, w http.ResponseWriter) { w.WriteHeader(code) }
	}
	for _, c := range []struct {
		name  string
		ask   func(context.Context, *Client) error
		fault func(*testing.T, http.ResponseWriter)
		calls int32 // until the answer, or the end of trying
		ok    bool
	}{
		{"reading, busy twice", get, status(503), 3, true},
		{"reading, too many requests", get, status(429), 3, true},
		{"reading, a proxy that lost the hub", get, status(502), 3, true},
		{"reading, the connection lost", get, cut, 3, true},
		{"reading, an error inside the hub", get, status(500), 1, false},
		{"reading, not there", get, status(404), 1, false},
		{"submitting a file, busy twice", submit, status(503), 3, true},
		{"submitting a file, the connection lost", submit, cut, 3, true},
		{"submitting a pipe, the connection lost", pipe, cut, 1, false},
		{"submitting a pipe, busy", pipe, status(503), 1, false},
		{"holding, busy twice", hold, status(503), 3, true},
		{"holding, the connection lost", hold, cut, 1, false},
		{"holding, a proxy that lost the hub", hold, status(502), 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int32
			client := hub(t, func(w http.ResponseWriter, r *http.Request) {
				sent, _ := io.ReadAll(r.Body) // an end before its time shows as other bytes
				if strings.HasSuffix(r.URL.Path, "/packages") && string(sent) != "<edXML/>" {
					t.Errorf("the hub got %q", sent)
				}
				if calls.Add(1) < 3 {
					c.fault(t, w)
					return
				}
				fmt.Fprint(w, "{}")
			})
			err := c.ask(t.Context(), client)
			if (err == nil) != c.ok {
				t.Errorf("got error %v", err)
			}
			if calls.Load() != c.calls {
				t.Errorf("asked %d times, want %d", calls.Load(), c.calls)
			}
		})
	}
}

func TestRepeatEnds(t *testing.T) {
	t.Run("after the attempts", func(t *testing.T) {
		var calls atomic.Int32
		c := hub(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(503) })
		_, err := c.Package(t.Context(), "p")
		var p *Problem
		if !errors.As(err, &p) || p.Status != 503 || calls.Load() != 5 {
			t.Errorf("got %v after %d calls", err, calls.Load())
		}
	})
	t.Run("when the hub asks for too long a wait", func(t *testing.T) {
		var calls atomic.Int32
		c := hub(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
		})
		_, err := c.Package(t.Context(), "p")
		var p *Problem
		if !errors.As(err, &p) || p.RetryAfter != time.Hour || calls.Load() != 1 {
			t.Errorf("got %v after %d calls", err, calls.Load())
		}
	})
	t.Run("with the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := hub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(503)
			cancel()
		})
		if _, err := c.Package(ctx, "p"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("when the hub's certificate is not believed", func(t *testing.T) {
		s := httptest.NewTLSServer(http.NotFoundHandler())
		defer s.Close()
		s.Config.ErrorLog = nil
		c, err := New(Config{URL: s.URL, Pause: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var first time.Time
	c := hub(t, func(w http.ResponseWriter, _ *http.Request) {
		if first.IsZero() {
			first = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			return
		}
		if gap := time.Since(first); gap < time.Second {
			t.Errorf("asked again after %v, the hub asked for a second", gap)
		}
		fmt.Fprint(w, "{}")
	})
	if _, err := c.Package(t.Context(), "p"); err != nil {
		t.Error(err)
	}
}

func TestProblem(t *testing.T) {
	c := hub(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Language"); got != "en" {
			t.Errorf("asked in %q", got)
		}
		if id, secret, _ := r.BasicAuth(); id != "sys" || secret != "secret" {
			t.Errorf("came as %q with %q", id, secret)
		}
		w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		w.WriteHeader(422)
		fmt.Fprint(w, `{"type":"urn:tram:error:invalid-signature","title":"Invalid signature","status":422,"detail":"sign it again",
			"code":"invalid-signature","rule":"digest-mismatch","path":"/edXML","line":7,"receipt":"0198","instance":"req-1"}`)
	})
	_, err := c.Package(t.Context(), "p")
	var p *Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v", err)
	}
	want := Problem{Type: "urn:tram:error:invalid-signature", Title: "Invalid signature", Status: 422, Detail: "sign it again",
		Code: exchange.InvalidSignature, Rule: "digest-mismatch", Path: "/edXML", Line: 7, Receipt: "0198", Instance: "req-1"}
	if *p != want {
		t.Errorf("got %+v", *p)
	}
	if got, want := p.Error(), "invalid-signature (digest-mismatch): sign it again [/edXML, line 7] (request req-1)"; got != want {
		t.Errorf("reads %q, want %q", got, want)
	}
	if !errors.Is(err, &Problem{Code: exchange.InvalidSignature}) || IsNotFound(err) {
		t.Error("codes are not compared")
	}
}

func TestRedirectionIsNotFollowed(t *testing.T) {
	c := hub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("followed, with the secret")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	_, err := c.Package(t.Context(), "p")
	if err == nil || !strings.Contains(err.Error(), "/elsewhere") {
		t.Errorf("got %v", err)
	}
}

func TestIdentifiersStayInTheirPlace(t *testing.T) {
	var asked string
	c := hub(t, func(w http.ResponseWriter, r *http.Request) { asked = r.URL.EscapedPath(); fmt.Fprint(w, "{}") })
	if _, err := c.Package(t.Context(), "../../users/x?y=1#z"); err != nil {
		t.Fatal(err)
	}
	if want := "/v1/packages/..%2F..%2Fusers%2Fx%3Fy=1%23z"; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	for _, id := range []exchange.PackageID{"", ".", ".."} {
		if _, err := c.Package(t.Context(), id); err == nil {
			t.Errorf("asked for the package %q", id)
		}
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no address", Config{}, "no address"},
		{"no scheme", Config{URL: "hub.example"}, "like https://"},
		{"another scheme", Config{URL: "ftp://hub.example"}, "like https://"},
		{"a secret in the address", Config{URL: "https://me:secret@hub.example"}, "no user"},
		{"a secret without encryption", Config{URL: "http://hub.example", ID: "a", Secret: "b"}, "unencrypted"},
		{"an identifier alone", Config{URL: "https://hub.example", ID: "a"}, "needs its secret"},
		{"a secret on this machine", Config{URL: "http://127.0.0.1:1", ID: "a", Secret: "b"}, ""},
		{"public things without encryption", Config{URL: "http://hub.example"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.config)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
