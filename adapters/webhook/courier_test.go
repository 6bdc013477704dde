package webhook_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tram/adapters/webhook"
	"tram/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newCourier(t *testing.T, c webhook.Config) *webhook.Courier {
	t.Helper()
	if c.Key == nil {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Key = key
	}
	c.Hub = "truc.example"
	courier, err := webhook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(courier.Close)
	return courier
}

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, []*x509.Certificate) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, []*x509.Certificate{server.Certificate()}
}

var (
	delivery = exchange.Delivery{ID: "0198-aa.2", Package: "0198-aa", Sender: "H12.01", Recipient: "H12.07"}
	parcel   = exchange.Package{ID: "0198-aa", Kind: exchange.KindNew, Sender: "H12.01", DocumentID: "H12.01-2026-1",
		Number: "1250", Notation: "STC-NS", Subject: "Dự toán <ngân sách> năm 2027", Priority: 2,
		Digest: exchange.DigestOf([]byte("x")), Size: 11500, AcceptedAt: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
)

func agencyAt(url string) exchange.Agency {
	return exchange.Agency{Code: "H12.07", Mode: exchange.Push, Webhook: url}
}

func TestAnnouncementIsSignedAndTheSameInEveryAttempt(t *testing.T) {
	type request struct {
		header http.Header
		body   []byte
	}
	requests := make(chan request, 2)
	server, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r.Header.Clone(), body}
		w.WriteHeader(http.StatusAccepted)
	})
	clock := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	courier := newCourier(t, webhook.Config{Allow: loopback, Roots: roots, Now: func() time.Time { return clock }})

	if err := courier.Send(t.Context(), agencyAt(server.URL), delivery, parcel); err != nil {
		t.Fatal(err)
	}
	first := <-requests
	clock = clock.Add(time.Hour)
	if err := courier.Send(t.Context(), agencyAt(server.URL), delivery, parcel); err != nil {
		t.Fatal(err)
	}
	second := <-requests

	var got webhook.Announcement
	if err := json.Unmarshal(first.body, &got); err != nil {
		t.Fatal(err)
	}
	want := webhook.Announcement{Type: "delivery.consigned", Delivery: "0198-aa.2", Package: "0198-aa", Kind: "new",
		Sender: "H12.01", Recipient: "H12.07", DocumentID: "H12.01-2026-1", Number: "1250", Notation: "STC-NS",
		Subject: "Dự toán <ngân sách> năm 2027", Urgent: true, Digest: parcel.Digest, Size: 11500, Time: parcel.AcceptedAt, Hub: "truc.example"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announcement (-want +got):\n%s", diff)
	}

	verifyByHand(t, courier.PublicKey(), first.header, first.body)
	if err := webhook.Verify(courier.PublicKey(), second.header, second.body, clock); err != nil {
		t.Errorf("the second attempt does not verify: %v", err)
	}
	if a, b := first.header.Get("webhook-id"), second.header.Get("webhook-id"); a != b || strings.Contains(a, ".") {
		t.Errorf("webhook-id %q, then %q", a, b)
	}
	if first.header.Get("webhook-timestamp") == second.header.Get("webhook-timestamp") {
		t.Error("the second attempt repeats the first one's timestamp")
	}
}

// verifyByHand does what a receiver that knows only Standard Webhooks does.
func verifyByHand(t *testing.T, public string, h http.Header, body []byte) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Get("webhook-signature"), "v1a,"))
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	if !ed25519.Verify(key, []byte(content), signature) {
		t.Errorf("the signature %s does not hold", h.Get("webhook-signature"))
	}
}

func TestVerifyRefuses(t *testing.T) {
	received := make(chan http.Header, 1)
	var body []byte
	server, roots := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		received <- r.Header.Clone()
	})
	courier := newCourier(t, webhook.Config{Allow: loopback, Roots: roots})
	if err := courier.Send(t.Context(), agencyAt(server.URL), delivery, parcel); err != nil {
		t.Fatal(err)
	}
	header := <-received
	other := newCourier(t, webhook.Config{})
	with := func(name, value string) http.Header {
		h := header.Clone()
		h.Set(name, value)
		return h
	}
	old := header.Get("webhook-signature")

	for _, tt := range []struct {
		name   string
		key    string
		header http.Header
		body   []byte
		after  time.Duration
		refuse bool
	}{
		{"as it came", courier.PublicKey(), header, body, 0, false},
		{"beside another key's signature", courier.PublicKey(), with("webhook-signature", "v1a,"+base64.StdEncoding.EncodeToString(make([]byte, 64))+" "+old), body, 0, false},
		{"another body", courier.PublicKey(), header, append([]byte(" "), body...), 0, true},
		{"another identifier", courier.PublicKey(), with("webhook-id", "dlv_0198-aa_3"), body, 0, true},
		{"another time", courier.PublicKey(), with("webhook-timestamp", fmt.Sprint(time.Now().Unix()-5)), body, 0, true},
		{"an hour later", courier.PublicKey(), header, body, time.Hour, true},
		{"an hour too early", courier.PublicKey(), header, body, -time.Hour, true},
		{"another hub's key", other.PublicKey(), header, body, 0, true},
		{"the shared-secret scheme", courier.PublicKey(), with("webhook-signature", strings.Replace(old, "v1a,", "v1,", 1)), body, 0, true},
		{"no signature", courier.PublicKey(), with("webhook-signature", ""), body, 0, true},
		{"no identifier", courier.PublicKey(), with("webhook-id", ""), body, 0, true},
		{"a key that is none", "whpk_AAAA", header, body, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := webhook.Verify(tt.key, tt.header, tt.body, time.Now().Add(tt.after))
			if (err != nil) != tt.refuse {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	target := make(chan string, 1)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		rule   string // empty: taken
		says   string
	}{
		{"taken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "", ""},
		{"taken, with a long answer", func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		}, "", ""},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			target <- r.URL.Path
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "webhook-redirect", "307"},
		{"an error of the other side", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "SECRET of the recipient", http.StatusInternalServerError)
		}, "webhook-status", "500"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, "webhook-status", "410"},
		{"asked to come later", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "webhook-later", "120 seconds"},
		{"no HTTP at all", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("SMTP ready\r\n"))
				_ = conn.Close()
			}
		}, "webhook-unreachable", "could not be reached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(tt.answer)
			server.EnableHTTP2 = false
			server.StartTLS()
			t.Cleanup(server.Close)
			courier := newCourier(t, webhook.Config{Allow: loopback, Roots: []*x509.Certificate{server.Certificate()}})
			check(t, courier.Send(t.Context(), agencyAt(server.URL+"/hook"), delivery, parcel), tt.rule, tt.says)
		})
	}
	if first := <-target; first != "/hook" || len(target) != 0 {
		t.Errorf("the redirect was followed from %s", first)
	}
}

// check compares an error with the rule it should be by, and looks for what an
// error's words must never hold.
func check(t *testing.T, err error, rule, says string) {
	t.Helper()
	if rule == "" {
		if err != nil {
			t.Errorf("not taken: %v", err)
		}
		return
	}
	var e *exchange.Error
	if !errors.As(err, &e) || e.Rule.Name != rule || e.Code() != exchange.Unreachable {
		t.Fatalf("got %v, want rule %s of code unreachable", err, rule)
	}
	for _, lang := range []string{"en", "vi"} {
		text := e.Text(lang)
		if strings.Contains(text, "%!") || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "SECRET") {
			t.Errorf("the words in %s are %q", lang, text)
		}
	}
	if !strings.Contains(e.Text("en"), says) {
		t.Errorf("the words %q lack %q", e.Text("en"), says)
	}
}

func TestTimeOut(t *testing.T) {
	done := make(chan struct{})
	server, roots := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(done) })
	courier := newCourier(t, webhook.Config{Allow: loopback, Roots: roots, Timeout: 200 * time.Millisecond})
	begun := time.Now()
	check(t, courier.Send(t.Context(), agencyAt(server.URL), delivery, parcel), "webhook-timeout", "in time")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("gave up after %s", took)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := courier.Send(ctx, agencyAt(server.URL), delivery, parcel); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestWhereItMayCall(t *testing.T) {
	called := make(chan struct{}, 16)
	server, roots := serve(t, func(http.ResponseWriter, *http.Request) { called <- struct{}{} })
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
	t.Cleanup(plain.Close)
	port := func() string { u, _ := url.Parse(server.URL); return u.Port() }()
	prefixes := func(all ...string) (list []netip.Prefix) {
		for _, one := range all {
			list = append(list, netip.MustParsePrefix(one))
		}
		return list
	}

	for _, tt := range []struct {
		name    string
		config  webhook.Config
		webhook string
		rule    string
	}{
		{"loopback, configured", webhook.Config{Allow: loopback, Roots: roots}, server.URL, ""},
		{"loopback, by default", webhook.Config{Roots: roots}, server.URL, "webhook-address"},
		{"loopback, under a list of everything", webhook.Config{Roots: roots, Allow: prefixes("0.0.0.0/0", "::/0")}, server.URL, "webhook-address"},
		{"loopback, resolved from a name", webhook.Config{Roots: roots}, "https://localhost:" + port, "webhook-address"},
		{"loopback, mapped into IPv6", webhook.Config{Roots: roots}, "https://[::ffff:127.0.0.1]:" + port, "webhook-address"},
		{"the unspecified address", webhook.Config{Allow: loopback, Roots: roots}, "https://0.0.0.0:" + port, "webhook-address"},
		{"the metadata service", webhook.Config{Allow: prefixes("0.0.0.0/0")}, "https://169.254.169.254/latest", "webhook-address"},
		{"a network that is not listed", webhook.Config{Allow: prefixes("10.1.0.0/16")}, "https://10.2.0.1/", "webhook-address"},
		{"a certificate of an unknown issuer", webhook.Config{Allow: loopback}, server.URL, "webhook-tls"},
		{"plain HTTP, by default", webhook.Config{Allow: loopback}, plain.URL, "webhook-url"},
		{"plain HTTP, configured", webhook.Config{Allow: loopback, Plain: true}, plain.URL, ""},
		{"TLS asked of a plain server", webhook.Config{Allow: loopback}, strings.Replace(plain.URL, "http:", "https:", 1), "webhook-unreachable"},
		{"credentials in the URL", webhook.Config{Allow: loopback, Roots: roots}, strings.Replace(server.URL, "//", "//a:b@", 1), "webhook-url"},
		{"a file", webhook.Config{Allow: loopback}, "file:///etc/passwd", "webhook-url"},
		{"no webhook", webhook.Config{}, "", "webhook-missing"},
		{"nobody listens", webhook.Config{Allow: loopback}, "https://127.0.0.1:1/", "webhook-unreachable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			courier := newCourier(t, tt.config)
			check(t, courier.Send(t.Context(), agencyAt(tt.webhook), delivery, parcel), tt.rule, "")
			if taken := len(called) > 0; taken != (tt.rule == "") {
				t.Errorf("the server was called: %v", taken)
			}
			for len(called) > 0 {
				<-called
			}
		})
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.New(webhook.Config{Key: key}); err == nil || !strings.Contains(err.Error(), "Hub") {
		t.Errorf("without the hub's code: %v", err)
	}
	if _, err := webhook.New(webhook.Config{Hub: "truc.example"}); err == nil || !strings.Contains(err.Error(), "Key") {
		t.Errorf("without a key: %v", err)
	}
}
