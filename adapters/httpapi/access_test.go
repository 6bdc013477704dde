package httpapi_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"tram/adapters/httpapi"
	"tram/exchange"
)

func TestWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	header := func(value string) map[string]string { return map[string]string{"Authorization": value} }
	for _, tt := range []struct {
		name, as string
		header   map[string]string
		status   int
		rule     string
	}{
		{"a system", "he-thong-01", nil, 200, ""},
		{"a person", "user:chi", nil, 200, ""},
		{"nobody", "", nil, 401, "no-credentials"},
		{"a system with a wrong secret", "", header(basic("he-thong-01", "x")), 401, "bad-credentials"},
		{"a system without a secret", "", header(basic("he-thong-01", "")), 401, "bad-credentials"},
		{"a system that is not there", "", header(basic("khong-co", "x")), 401, "bad-credentials"},
		{"a person with a wrong secret", "", header(basic("user:an", "x")), 401, "bad-credentials"},
		{"a person under a system's name", "", header(basic("an", w.secrets["user:an"])), 401, "bad-credentials"},
		{"a system under a person's name", "", header(basic("user:he-thong-01", w.secrets["he-thong-01"])), 401, "bad-credentials"},
		{"a system called user", "", header(basic("user", "x")), 401, "bad-credentials"},
		{"disabled", "he-thong-tat", nil, 403, "disabled"},
		{"a token", "", header("Bearer x"), 401, "no-credentials"},
		{"what is no base64", "", header("Basic ?"), 401, "no-credentials"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.want(tt.status, w.do(request{method: http.MethodGet, path: "/v1/agencies", as: tt.as, header: tt.header}))
			if tt.rule == "" {
				return
			}
			if p := a.problem(t); p.Rule != tt.rule {
				t.Errorf("rule %s", p.Rule)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); (challenge != "") != (tt.status == 401) {
				t.Errorf("WWW-Authenticate: %s", challenge)
			}
		})
	}
}

// tlsClient speaks TLS to the hub, with a client certificate if one is given.
func (w *world) tlsClient(certificates ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(w.ca.cert)
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: newContract(w.t, transport), Timeout: 10 * time.Second}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	stranger := w.leaf("stranger")
	for _, tt := range []struct {
		name         string
		certificates []tls.Certificate
		as           string
		status       int
		rule         string
	}{
		{"registered", []tls.Certificate{w.keys["client"].tls()}, "", 200, ""},
		{"registered, beside another system's secret", []tls.Certificate{w.keys["client"].tls()}, "he-thong-07", 200, ""},
		{"registered and expired", []tls.Certificate{w.keys["old client"].tls()}, "", 401, "client-certificate-expired"},
		{"registered and expired, with a secret", []tls.Certificate{w.keys["old client"].tls()}, "he-thong-01", 200, ""},
		{"a stranger's", []tls.Certificate{stranger.tls()}, "", 401, "bad-credentials"},
		{"a stranger's, with a secret", []tls.Certificate{stranger.tls()}, "he-thong-01", 200, ""},
		{"an agency's signing certificate", []tls.Certificate{w.keys["H12.01"].tls()}, "", 401, "bad-credentials"},
		{"none", nil, "", 401, "no-credentials"},
		{"none, with a secret", nil, "he-thong-01", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.client = w.tlsClient(tt.certificates...)
			a := w.want(tt.status, w.do(request{method: http.MethodGet, path: "/v1/packages?sender=H12.01", as: tt.as, url: w.tlsURL}))
			if a.ProtoMajor != 2 {
				t.Errorf("spoken over %s", a.Proto)
			}
			if a.Header.Get("Strict-Transport-Security") == "" {
				t.Error("no Strict-Transport-Security")
			}
			if tt.rule != "" && a.problem(t).Rule != tt.rule {
				t.Errorf("rule %s", a.problem(t).Rule)
			}
		})
	}
	w.client = w.tlsClient(w.keys["client"].tls())
	body := w.signed()
	w.want(http.StatusCreated, w.do(request{method: http.MethodPost, path: "/v1/packages", url: w.tlsURL, body: bytes.NewReader(body),
		header: map[string]string{"Content-Type": "application/xml"}}))
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} // what is refused here is the version
	conn, err := tls.Dial("tcp", strings.TrimPrefix(w.tlsURL, "https://"), old)
	if err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was taken")
	}
}

func TestAskingTooOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Rate: 0.01, Burst: 3})
	for range 3 {
		w.want(http.StatusOK, w.get("he-thong-01", "/v1/inbox"))
	}
	a := w.want(http.StatusTooManyRequests, w.get("he-thong-01", "/v1/inbox"))
	if p := a.problem(t); p.Code != "busy" || p.Rule != "rate-limited" || a.Header.Get("Retry-After") != "100" {
		t.Errorf("%+v, %v", p, a.Header)
	}
	w.want(http.StatusOK, w.get("he-thong-07", "/v1/inbox")) // another is not held up
	for range 3 {
		w.want(http.StatusOK, w.get("", "/v1/keys"))
	}
	w.want(http.StatusTooManyRequests, w.get("", "/v1/keys"))
}

func TestFailingToLogInTooOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Failures: 3})
	wrong := request{method: http.MethodGet, path: "/v1/inbox", header: map[string]string{"Authorization": basic("he-thong-01", "x")}}
	for range 3 {
		w.want(http.StatusUnauthorized, w.do(wrong))
	}
	a := w.want(http.StatusTooManyRequests, w.do(wrong))
	if p := a.problem(t); p.Rule != "too-many-failures" || a.Header.Get("Retry-After") != "1" {
		t.Errorf("%+v, %v", p, a.Header)
	}
	w.want(http.StatusOK, w.get("he-thong-01", "/v1/inbox")) // of the same address, and right
}

func TestOtherSitesPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	from := func(method, path, site string) answer {
		return w.do(request{method: method, path: path, as: "user:an", header: map[string]string{"Sec-Fetch-Site": site}})
	}
	p := w.want(http.StatusForbidden, from(http.MethodPost, "/v1/users/an/secret", "cross-site")).problem(t)
	if p.Rule != "cross-origin" {
		t.Errorf("%+v", p)
	}
	w.want(http.StatusOK, from(http.MethodPost, "/v1/users/an/secret", "none"))
	a := w.want(http.StatusOK, w.get("", "/v1/keys"))
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "", "Strict-Transport-Security": ""} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWaitingForAnInbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{Write: 200 * time.Millisecond}) // a wait is longer than a piece of an answer may take
	w.submitted(w.signed())
	w.consigned("he-thong-07", "")

	begun := time.Now()
	var page exchange.InboxPage
	w.want(http.StatusOK, w.get("he-thong-20", "/v1/inbox?wait=600ms")).into(t, &page)
	if took := time.Since(begun); took < 600*time.Millisecond || len(page.Items) != 0 {
		t.Errorf("after %s, %d items", took, len(page.Items))
	}

	came := make(chan exchange.InboxPage, 1)
	go func() {
		var page exchange.InboxPage
		a := w.get("he-thong-30", "/v1/inbox?wait=10")
		if err := json.Unmarshal(a.body, &page); err != nil {
			t.Error(err)
		}
		came <- page
	}()
	time.Sleep(100 * time.Millisecond)
	w.submitted(w.sign(w.document(toCode("H12.30")), "H12.01"))
	select {
	case page := <-came:
		if len(page.Items) != 1 {
			t.Errorf("%d items", len(page.Items))
		}
	case <-time.After(10 * time.Second):
		t.Error("the waiting agency heard nothing")
	}
}

func TestDraining(t *testing.T) {
	w := newWorld(t, httpapi.Limits{})
	answered := make(chan answer, 1)
	go func() { answered <- w.get("he-thong-07", "/v1/inbox?wait=60s") }()
	for deadline := time.Now().Add(5 * time.Second); !w.waiting(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	w.server.Drain()
	select {
	case a := <-answered:
		var page exchange.InboxPage
		w.want(http.StatusOK, a).into(t, &page)
	case <-time.After(5 * time.Second):
		t.Fatal("the waiting caller was not answered")
	}
	w.want(http.StatusServiceUnavailable, w.get("", "/readyz"))
	w.want(http.StatusOK, w.get("", "/healthz"))
	w.want(http.StatusCreated, w.xml("he-thong-01", "/v1/packages", w.signed())) // what comes still is done
	begun := time.Now()
	w.get("he-thong-20", "/v1/inbox?wait=60s")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("a new caller waited %s", took)
	}
}

// TestTooManyWaits: callers share what may wait at once, and one who may not is
// told when to come back; without wait it gets its answer.
func TestTooManyWaits(t *testing.T) {
	w := newWorld(t, httpapi.Limits{Waits: 2})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.waitFor(ctx, "he-thong-07") // it is cut off
	}()
	for deadline := time.Now().Add(5 * time.Second); !w.waiting(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	a := w.want(http.StatusServiceUnavailable, w.get("he-thong-07", "/v1/inbox?wait=1s"))
	if p := a.problem(t); p.Rule != "too-many-waits" || a.Header.Get("Retry-After") == "" {
		t.Errorf("%+v, %v", p, a.Header)
	}
	w.want(http.StatusOK, w.get("he-thong-07", "/v1/inbox"))
	w.want(http.StatusOK, w.get("he-thong-20", "/v1/inbox?wait=10ms")) // another one has its own share
	cancel()
	<-done
	for deadline := time.Now().Add(5 * time.Second); w.waiting(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it waits for a caller that has gone")
		}
	}
	w.want(http.StatusOK, w.get("he-thong-07", "/v1/inbox?wait=10ms"))
}

// waitFor asks for an inbox until ctx ends.
func (w *world) waitFor(ctx context.Context, as string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/inbox?wait=60s", nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(as, w.secrets[as])
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// waiting reports whether an inbox's handler is at work: a goroutine of the
// exchange's stands in Inbox.
func (w *world) waiting() bool { return strings.Contains(goroutines(), "exchange.(*Exchange).Inbox") }

func TestShutdownAnswersWhoWaits(t *testing.T) {
	w := newWorld(t, httpapi.Limits{})
	s := w.server.HTTPServer("")
	url := "http://" + w.serve(s, nil)
	answered := make(chan int, 1)
	go func() {
		answered <- w.do(request{method: http.MethodGet, path: "/v1/inbox?wait=60s", as: "he-thong-07", url: url}).StatusCode
	}()
	for deadline := time.Now().Add(5 * time.Second); !w.waiting() && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		continue
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("shutting down: %v", err)
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("who waited was answered %d", status)
	}
}

func TestRequestsAreLoggedOnceAndWithoutContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.signed()
	w.want(http.StatusCreated, w.do(request{method: http.MethodPost, path: "/v1/packages", as: "he-thong-01", body: bytes.NewReader(body),
		header: map[string]string{"Content-Type": "application/xml", "X-Request-Id": "submit-1"}}))
	w.want(http.StatusNotFound, w.do(request{method: http.MethodGet, path: "/v1/packages/x?", as: "user:chi", header: map[string]string{"X-Request-Id": "look-1"}}))
	forged := w.do(request{method: http.MethodGet, path: "/v1/keys", header: map[string]string{"X-Request-Id": "a\" b"}})
	if forged.Header.Get("X-Request-Id") == "a\" b" {
		t.Error("an identifier unfit for a log was taken")
	}
	line := w.logged(t, "submit-1")
	for key, want := range map[string]any{"caller": "system:he-thong-01", "method": "POST", "route": "/v1/packages", "status": 201.0,
		"received": float64(len(body)), "address": "127.0.0.1"} {
		if line[key] != want {
			t.Errorf("%s is %v, not %v", key, line[key], want)
		}
	}
	if line := w.logged(t, "look-1"); line["code"] != "not-found" || line["rule"] != "not-found" || line["caller"] != "user:chi" {
		t.Errorf("%v", line)
	}
	logs := w.logs.String()
	for _, secret := range []string{"liên thông", "Nguyễn Văn A", "SignatureValue", w.secrets["he-thong-01"], w.secrets["user:chi"]} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// logged is the one line on a request.
func (w *world) logged(t *testing.T, id string) map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(w.logs.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v["msg"] == "request" && v["request"] == id {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines on request %s", len(found), id)
	}
	return found[0]
}

func TestInternalErrorsSayNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	id := w.submitted(w.signed())
	if err := w.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	a := w.want(http.StatusInternalServerError, w.do(request{method: http.MethodGet, path: "/v1/packages/" + id, as: "user:chi",
		header: map[string]string{"X-Request-Id": "broken-1", "Accept-Language": "vi"}}))
	p := a.problem(t)
	if p.Code != "internal" || p.Instance != "broken-1" || strings.Contains(p.Detail, "closed") || strings.Contains(p.Detail, "ledger") {
		t.Errorf("%+v", p)
	}
	if logs := w.logs.String(); !strings.Contains(logs, `"msg":"request failed"`) || !strings.Contains(logs, "closed") {
		t.Error("the cause is not in the log")
	}
	w.want(http.StatusOK, w.do(request{method: http.MethodGet, path: "/metrics", url: w.opsURL}))
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpapi.Limits{})
	body := w.signed()
	w.submitted(body)
	w.xml("he-thong-01", "/v1/packages", body)
	w.xml("he-thong-01", "/v1/packages", []byte("<not-a-package>"))
	w.consigned("he-thong-07", "")
	w.get("he-thong-01", "/v1/packages/x")
	w.get("", "/wp-login.php")
	text := string(w.want(http.StatusOK, w.do(request{method: http.MethodGet, path: "/metrics", url: w.opsURL})).body)
	for _, line := range []string{
		`tram_http_requests_total{method="POST",route="/v1/packages",status="201"} 1`,
		`tram_http_requests_total{method="any",route="none",status="404"} 1`,
		`tram_http_request_duration_seconds_count{method="POST",route="/v1/packages"} 3`,
		`tram_http_refusals_total{code="not-found"} 2`,
		`tram_http_refusals_total{code="harmful"} 0`,
		fmt.Sprintf(`tram_http_received_bytes_total %d`, 2*len(body)+len("<not-a-package>")),
		`tram_packages_accepted_total{resubmitted="false"} 1`,
		`tram_packages_accepted_total{resubmitted="true"} 1`,
		`tram_packages_refused_total{code="malformed",rule="`,
		`tram_oldest_delivery_seconds{state="queued"} 0`,
		`tram_recipient_oldest_delivery_seconds{recipient="H12.07",state="consigned"} `,
		`tram_deliveries{state="consigned"} 1`,
		`tram_deliveries{state="failed"} 0`,
		`tram_log_leaves 3`,
		`tram_doubtful_signatures 0`,
		`tram_certificate_left_seconds{kind="agency"} `,
		`tram_ready 1`,
		`go_build_info{`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no line %s", line)
		}
	}
	// Those who wait the longest are named, by the registry's code; nobody else is.
	text = regexp.MustCompile(`(?m)^tram_recipient_oldest_delivery_seconds\{recipient="H12\.07",state="consigned"\} .*\n`).ReplaceAllString(text, "")
	for _, never := range []string{"he-thong", "H12", "127.0.0.1", "wp-login"} {
		if strings.Contains(text, never) {
			t.Errorf("the metrics hold %q", never)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := httpapi.New(httpapi.Config{}); err == nil || !strings.Contains(err.Error(), "Exchange") {
		t.Errorf("without an exchange: %v", err)
	}
}
