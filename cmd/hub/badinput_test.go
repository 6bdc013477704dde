package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// A problem is an answer that refuses, as it comes over the line.
type problem struct {
	Type, Title, Detail, Instance, Code, Rule, Path, Receipt string
	Status, Line                                             int
	language                                                 string
}

// places are where an elementary mistake stands in the test's letters.
const (
	header   = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
	fromCode = header + "/From/OrganId"
	toCode   = header + "/To/OrganId"
)

// clumsy is a hub and everyone who sends it something wrong.
type clumsy struct {
	s                                     *site
	sender, other, expired, newcomer, off *member
	to                                    string
	http                                  *http.Client
}

func newClumsy(t *testing.T) clumsy {
	t.Helper()
	s := newSite(t, setting("bodies: 256", "bodies: 256\n  patience: 1s")).start()
	c := clumsy{s: s, sender: s.join("H12.07"), other: s.join("H12.08"), expired: s.join("H12.09"), newcomer: s.join("H12.10"), off: s.join("H12.11"), to: s.join("H12.12").code}
	s.join("H12.13", func(a *exchange.Agency) {
		a.Aliases = []exchange.Alias{{Code: "000.00.13.H12", Until: time.Now().Add(-time.Hour)}}
	})
	s.join("H12.14", func(a *exchange.Agency) { a.Closed = time.Now().Add(-time.Hour) })

	template := certificateTemplate("Expired", "Example Province", time.Now().AddDate(-20, 0, 0), 10)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	var err error
	c.expired.certificate, err = s.authority.issue(template, c.expired.key.Public())
	must(t, err)
	c.newcomer.certificate, err = s.authority.signing("Not registered", "Example Province", c.newcomer.key.Public(), time.Now())
	must(t, err)
	_, err = s.admin.PutSystem(t.Context(), exchange.System{ID: "off", Name: "off", Agencies: []string{c.off.code}})
	must(t, err)
	c.off.system = "off"
	c.off.secret, err = s.admin.IssueSystemSecret(t.Context(), "off")
	must(t, err)
	off, err := s.admin.System(t.Context(), "off")
	must(t, err)
	off.Disabled = true
	_, err = s.admin.PutSystem(t.Context(), off)
	must(t, err)

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c.http = &http.Client{Transport: transport}
	return c
}

// post submits a body by hand.
func (c clumsy) post(t *testing.T, m *member, language string, headers map[string]string, body io.Reader, size int64) problem {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+c.s.address+"/v1/packages", io.NopCloser(body))
	must(t, err)
	req.ContentLength = size
	req.SetBasicAuth(m.system, m.secret)
	req.Header.Set("Accept-Language", language)
	req.Header.Set("Content-Type", "application/xml")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	must(t, err)
	return readProblem(t, resp)
}

func readProblem(t *testing.T, resp *http.Response) problem {
	t.Helper()
	defer resp.Body.Close()
	var p problem
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("the answer is %s %s, no problem: %.300s", resp.Status, resp.Header.Get("Content-Type"), text)
	}
	must(t, json.Unmarshal(text, &p))
	p.language = resp.Header.Get("Content-Language")
	if p.Status != resp.StatusCode || p.Instance == "" || p.Instance != resp.Header.Get("X-Request-Id") || p.Type != "urn:tram:error:"+p.Code {
		t.Errorf("the problem and its answer disagree: %+v, %s, request %s", p, resp.Status, resp.Header.Get("X-Request-Id"))
	}
	return p
}

// vietnamese is what only Vietnamese words have.
var vietnamese = regexp.MustCompile(`[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]`)

// inBothLanguages sees that a problem is told in the language asked for.
func inBothLanguages(t *testing.T, vi, en problem) {
	t.Helper()
	if vi.language != "vi" || en.language != "en" || vi.Detail == en.Detail || vi.Title == en.Title {
		t.Errorf("not in both languages: %q (%s), %q (%s)", vi.Detail, vi.language, en.Detail, en.language)
	}
	if !vietnamese.MatchString(vi.Title) || !vietnamese.MatchString(vi.Detail) || vietnamese.MatchString(en.Title+en.Detail) {
		t.Errorf("the words are of the other language: %s: %s; %s: %s", vi.Title, vi.Detail, en.Title, en.Detail)
	}
}

// TestBadInput sends what goes wrong every day. Each is answered with a code, a
// rule, the place if there is one, and words in the sender's language; nothing
// is kept.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := newClumsy(t)
	letter := c.sender.letter(1, 200, c.to)
	good := c.sender.signed(t, letter)
	changed := func(change func(*edxml.Document)) []byte {
		d := c.sender.letter(1, 200, c.to)
		change(&d)
		return c.sender.signed(t, d)
	}
	toOther := func(code string) []byte { return changed(func(d *edxml.Document) { d.To[0].Code = code }) }
	as := func(m *member) []byte { return m.signed(t, m.letter(1, 200, c.to)) }
	stranger := &member{system: "stranger", secret: c.sender.secret}
	wrong := &member{system: c.sender.system, secret: "wrong"}

	for _, b := range []struct {
		name    string
		by      *member
		body    []byte
		headers map[string]string
		status  int
		code    exchange.Code
		rule    string
		path    string
		line    int
	}{
		{"not called XML", c.sender, good, map[string]string{"Content-Type": "text/plain"}, 415, exchange.Malformed, "unsupported-media-type", "", 0},
		{"in another character set", c.sender, good, map[string]string{"Content-Type": "application/xml; charset=utf-16"}, 415, exchange.Malformed, "unsupported-media-type", "", 0},
		{"as a form", c.sender, good, map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 415, exchange.Malformed, "multipart-body", "", 0},
		{"compressed", c.sender, good, map[string]string{"Content-Encoding": "gzip"}, 415, exchange.Malformed, "content-encoding", "", 0},
		{"cut off", c.sender, good[:len(good)/2], nil, 400, exchange.Malformed, "truncated", "*", -1},
		{"empty", c.sender, nil, nil, 400, exchange.Malformed, "truncated", "", -1},
		{"changed after signing", c.sender, spliced(t, good, "thử nghiệm", "giả mạo"), nil, 422, exchange.InvalidSignature, "digest-mismatch", "*", -1},
		{"a tag not closed", c.sender, spliced(t, good, "</edXML:Subject>", "</edXML:Sujet>"), nil, 400, exchange.Malformed, "mismatched-tag", header + "/Subject", lineOf(good, "<edXML:Subject>")},
		{"unknown sender", c.sender, changed(func(d *edxml.Document) { d.From.Code = "H12.99" }), nil, 404, exchange.UnknownAgency, "unknown-sender", fromCode, lineOf(good, "<edXML:From>") + 1},
		{"another agency's name", c.sender, as(c.other), nil, 403, exchange.NotPermitted, "system-not-for-agency", fromCode, lineOf(good, "<edXML:From>") + 1},
		{"unknown recipient", c.sender, toOther("H12.98"), nil, 404, exchange.UnknownAgency, "unknown-recipient", toCode, lineOf(good, "<edXML:To>") + 1},
		{"second recipient unknown", c.sender, changed(func(d *edxml.Document) { d.To = append(d.To, edxml.Organ{Code: "H12.98", Name: "?"}) }), nil,
			404, exchange.UnknownAgency, "unknown-recipient", header + "/To[2]/OrganId", lineOf(good, "</edXML:To>") + 2},
		{"a code that is closed", c.sender, toOther("000.00.13.H12"), nil, 404, exchange.UnknownAgency, "closed-code", toCode, lineOf(good, "<edXML:To>") + 1},
		{"an agency that is closed", c.sender, toOther("H12.14"), nil, 404, exchange.UnknownAgency, "closed-agency", toCode, lineOf(good, "<edXML:To>") + 1},
		{"no agency's code", c.sender, spliced(t, unsigned(t, letter), ">"+c.to+"<", ">So Y te<"), nil, 400, exchange.Malformed, "agency-code", toCode, lineOf(good, "<edXML:To>") + 1},
		{"not signed", c.sender, unsigned(t, letter), nil, 422, exchange.InvalidSignature, "signature-required", fromCode, lineOf(good, "<edXML:From>") + 1},
		{"signed with an expired certificate", c.expired, as(c.expired), nil, 403, exchange.Untrusted, "certificate-expired", "*", -1},
		{"signed with a certificate nobody registered", c.newcomer, as(c.newcomer), nil, 403, exchange.Untrusted, "certificate-not-registered", "*", -1},
		{"signed with another agency's certificate", c.sender, c.other.sign(t, unsigned(t, letter)), nil, 403, exchange.NotPermitted, "signer-not-sender", "*", -1},
		{"wrong secret", wrong, good, nil, 401, exchange.Unauthenticated, "bad-credentials", "", 0},
		{"unknown system", stranger, good, nil, 401, exchange.Unauthenticated, "bad-credentials", "", 0},
		{"a system that was shut out", c.off, as(c.off), nil, 403, exchange.NotPermitted, "disabled", "", 0},
		{"a person, not a system", &member{system: "user:admin", secret: adminSecret(t, c.s)}, good, nil, 403, exchange.NotPermitted, "other-caller", "", 0},
	} {
		t.Run(b.name, func(t *testing.T) {
			vi := c.post(t, b.by, "vi-VN, vi;q=0.9, en;q=0.5", b.headers, bytes.NewReader(b.body), int64(len(b.body)))
			en := c.post(t, b.by, "en-US", b.headers, bytes.NewReader(b.body), int64(len(b.body)))
			inBothLanguages(t, vi, en)
			for _, p := range []problem{vi, en} {
				if p.Status != b.status || p.Code != string(b.code) || p.Rule != b.rule {
					t.Errorf("refused with %d %s (%s), want %d %s (%s): %s", p.Status, p.Code, p.Rule, b.status, b.code, b.rule, p.Detail)
				}
				placed(t, p, b.path, b.line)
			}
			if b.by == c.sender && b.headers == nil && en.Receipt == "" {
				t.Error("no receipt attests to the refusal")
			}
		})
	}
	nothingKept(t, c.s)
}

// placed compares a problem's place. A path of "*" may be any, a line of -1 any
// but none.
func placed(t *testing.T, p problem, path string, line int) {
	t.Helper()
	if path != "*" && p.Path != path {
		t.Errorf("placed at %q, want %q", p.Path, path)
	}
	if (line >= 0 && p.Line != line) || (line < 0 && p.Line == 0) {
		t.Errorf("placed on line %d, want %d", p.Line, line)
	}
}

// lineOf is the line that a text stands on.
func lineOf(document []byte, text string) int {
	before, _, _ := bytes.Cut(document, []byte(text))
	return 1 + bytes.Count(before, []byte("\n"))
}

func adminSecret(t *testing.T, s *site) string {
	t.Helper()
	secret, err := readSecret(s.path("admin.secret"))
	must(t, err)
	return secret
}

// raw sends a request over a connection of its own and ends sending.
func (c clumsy) raw(t *testing.T, length string, body []byte) problem {
	t.Helper()
	conn, err := tls.Dial("tcp", c.s.address, &tls.Config{RootCAs: c.s.roots, NextProtos: []string{"http/1.1"}})
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	req, err := http.NewRequest(http.MethodPost, "https://"+c.s.address+"/v1/packages", nil)
	must(t, err)
	req.SetBasicAuth(c.sender.system, c.sender.secret)
	_, err = fmt.Fprintf(conn, "POST /v1/packages HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/xml\r\n%s\r\n\r\n",
		c.s.address, req.Header.Get("Authorization"), length)
	must(t, err)
	_, _ = conn.Write(body) // the hub may have heard enough already
	_ = conn.CloseWrite()   // likewise
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	must(t, err)
	return readProblem(t, resp)
}

// TestBodiesThatLie announces one length and sends another.
func TestBodiesThatLie(t *testing.T) {
	t.Parallel()
	c := newClumsy(t)
	good := c.sender.signed(t, c.sender.letter(1, 200, c.to))
	for _, b := range []struct {
		name, length string
		body         []byte
		rule         string
	}{
		{"more announced than sent", fmt.Sprintf("Content-Length: %d", len(good)+100), good, "truncated-body"},
		{"far more announced than sent", fmt.Sprintf("Content-Length: %d", 1<<29), good[:1000], "truncated-body"},
		{"less announced than sent", fmt.Sprintf("Content-Length: %d", len(good)/2), good, "truncated"},
		{"chunks without an end", "Transfer-Encoding: chunked", fmt.Appendf(nil, "%x\r\n%s\r\n", len(good), good), "truncated-body"},
		{"a chunk that is cut", "Transfer-Encoding: chunked", fmt.Appendf(nil, "%x\r\n%s", len(good)+1, good), "truncated-body"},
		{"chunks that are none", "Transfer-Encoding: chunked", good, "truncated-body"},
	} {
		t.Run(b.name, func(t *testing.T) {
			if p := c.raw(t, b.length, b.body); p.Status != 400 || p.Code != string(exchange.Malformed) || p.Rule != b.rule {
				t.Errorf("refused with %d %s (%s), want %s: %s", p.Status, p.Code, p.Rule, b.rule, p.Detail)
			}
		})
	}
	nothingKept(t, c.s)
}

// TestSlowBody sends a byte now and then, for ever.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	c := newClumsy(t)
	quiet := restOf(c.s)
	for _, language := range []string{"vi", "en"} {
		began := time.Now()
		p := c.post(t, c.sender, language, nil, &dripping{text: "<edXML xmlns='http://www.mic.gov.vn/TBT/QCVN_102_2016'>"}, -1)
		if p.Status != http.StatusRequestTimeout || p.Rule != "slow-body" || p.language != language {
			t.Errorf("refused with %d (%s) in %s: %s", p.Status, p.Rule, p.language, p.Detail)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the hub waited %s for a body that was given 1s", took)
		}
	}
	nothingKept(t, c.s)
	c.http.CloseIdleConnections()
	quiet.again(t)
}

// dripping is a body that comes byte by byte.
type dripping struct {
	text string
	at   int
}

func (d *dripping) Read(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	p[0] = ' '
	if d.at < len(d.text) {
		p[0] = d.text[d.at]
		d.at++
	}
	return 1, nil
}

// TestTwoGigabytes sends more than the hub takes, announced and not. The hub
// refuses it without holding it.
func TestTwoGigabytes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it moves a gigabyte")
	}
	c := newClumsy(t)
	_, err := c.sender.submit(t.Context(), c.sender.signed(t, c.sender.letter(1, 1<<20, c.to))) // warms it up
	must(t, err)
	kept := len(c.s.kept())

	p := c.post(t, c.sender, "en", nil, huge(), 2<<30)
	if p.Status != http.StatusRequestEntityTooLarge || p.Rule != "body-too-large" {
		t.Errorf("announced, it is refused with %d (%s): %s", p.Status, p.Rule, p.Detail)
	}
	before, peak := c.s.memory(), int64(0)
	done := make(chan problem)
	go func() { done <- c.post(t, c.sender, "vi", nil, huge(), -1) }()
	for waiting := true; waiting; {
		select {
		case p = <-done:
			waiting = false
		case <-time.After(20 * time.Millisecond):
			peak = max(peak, c.s.memory())
		}
	}
	if p.Status != http.StatusRequestEntityTooLarge || p.Code != string(exchange.TooLarge) || !vietnamese.MatchString(p.Detail) {
		t.Errorf("it is refused with %d %s (%s): %s", p.Status, p.Code, p.Rule, p.Detail)
	}
	t.Logf("%d MiB before, %d MiB at most", before>>20, peak>>20)
	if grown := peak - before; grown > 32<<20 && !raced() {
		t.Errorf("the hub's memory grew by %d MiB", grown>>20)
	}
	eventually(t, "the draft is gone", func() bool { return len(c.s.kept()) == kept })
}

// huge is a package with an attachment of two gigabytes.
func huge() io.Reader {
	return bodyOf(`<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"><AttachmentEncoded><Attachment><ContentTransferEncoded>`,
		repeated{strings.Repeat("QUJD", 256), 2 << 20})
}
