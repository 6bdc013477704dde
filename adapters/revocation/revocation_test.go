package revocation

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

// TestSourcesAndOrder: which source decides.
func TestSourcesAndOrder(t *testing.T) {
	revokedList := func(w *world) { w.serve("/ca.crl", w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.KeyCompromise))) }
	cleanList := func(w *world) { w.serve("/ca.crl", w.crl(w.ca, nil)) }
	noList := func(w *world) { w.handle("/ca.crl", http.NotFound) }
	goodAnswer := func(w *world) { w.answer("/ocsp", nil) }
	revokedAnswer := func(w *world) {
		w.answer("/ocsp", func(r *reply) { r.status, r.revokedAt, r.reason = ocsp.Revoked, base, ocsp.Superseded })
	}
	noAnswer := func(w *world) { w.serve("/ocsp", ocsp.TryLaterErrorResponse) }
	for _, tt := range []struct {
		name      string
		crl, ocsp string // of the certificate
		prefer    string
		list      func(*world)
		answer    func(*world)
		want      string
		from      string // path of the deciding source
	}{
		{"the CRL first, by default", "/ca.crl", "/ocsp", "", cleanList, revokedAnswer, "good", "/ca.crl"},
		{"the responder first", "/ca.crl", "/ocsp", PreferOCSP, cleanList, revokedAnswer, "revoked: superseded", "/ocsp"},
		{"the responder, as there is no CRL to be had", "/ca.crl", "/ocsp", PreferCRL, noList, revokedAnswer, "revoked: superseded", "/ocsp"},
		{"the CRL, as the responder does not answer", "/ca.crl", "/ocsp", PreferOCSP, revokedList, noAnswer, "revoked: keyCompromise", "/ca.crl"},
		{"neither answers", "/ca.crl", "/ocsp", "", noList, noAnswer, "unknown: http-status", "/ca.crl"},
		{"neither answers, the responder first", "/ca.crl", "/ocsp", PreferOCSP, noList, noAnswer, "unknown: ocsp-try-later", "/ocsp"},
		{"the only one", "", "/ocsp", "", noList, goodAnswer, "good", "/ocsp"},
		{"none", "", "", "", cleanList, goodAnswer, "unknown: no-source", "."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.leaf = w.agency(tt.crl, tt.ocsp)
			tt.list(w)
			tt.answer(w)
			f := w.expect(w.service(func(c *Config) { c.Prefer = tt.prefer }), tt.want)
			if u, err := url.Parse(f.Source); err != nil || path.Clean(u.Path) != tt.from {
				t.Errorf("by %q, want %s", f.Source, tt.from)
			}
			if f.Certificate != exchange.DigestOf(w.leaf.cert.Raw) || !f.CheckedAt.Equal(w.clock()) {
				t.Errorf("is %+v", f)
			}
		})
	}
}

// TestWorstOfTheChain: an authority's revocation condemns what it certified, and
// the root is not asked about.
func TestWorstOfTheChain(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil))
	s := w.service(nil)
	w.expect(s, "good")
	if n := w.asked.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}

	w.serve("/root.crl", w.crl(w.root, nil, revoked(w.ca.cert, ocsp.CACompromise)))
	f := w.expect(w.service(nil), "revoked: cACompromise")
	if f.Certificate != exchange.DigestOf(w.ca.cert.Raw) || !f.RevokedAt.Equal(base.Add(-time.Hour)) {
		t.Errorf("is %+v", f)
	}
	w.handle("/ca.crl", http.NotFound) // the leaf unknown, its issuer revoked
	w.expect(w.service(nil), "revoked: cACompromise")
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.handle("/root.crl", http.NotFound)
	w.expect(w.service(nil), "unknown: http-status")

	if f := s.Check(t.Context(), nil, base); outcomeOf(f) != "unknown: no-chain" {
		t.Errorf("no chain is %+v", f)
	}
	if f := s.Check(t.Context(), []*x509.Certificate{w.root.cert}, base); outcomeOf(f) != "good" {
		t.Errorf("a root alone is %+v", f)
	}
}

// TestAt: the moment asked about decides, not the moment of asking.
func TestAt(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.KeyCompromise))) // an hour ago
	s := w.service(nil)
	for moment, want := range map[time.Duration]string{
		-2 * time.Hour:             "good: keyCompromise",
		-time.Hour - time.Second:   "good: keyCompromise",
		-time.Hour:                 "revoked: keyCompromise",
		0:                          "revoked: keyCompromise",
		1000 * 24 * time.Hour:      "revoked: keyCompromise",
		-time.Hour + 1*time.Second: "revoked: keyCompromise",
	} {
		if got := outcomeOf(s.Check(t.Context(), w.chain(), base.Add(moment))); got != want {
			t.Errorf("at %v it is %q, want %q", moment, got, want)
		}
	}
}

// TestNoSourceAllowed, where the operator says so; a source that does not answer
// is another matter.
func TestNoSourceAllowed(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "")
	allow := func(c *Config) { c.AllowNoSource = true }
	w.expect(w.service(allow), "good: no-source")
	w.leaf = w.agency("/ca.crl", "")
	w.expect(w.service(allow), "unknown: http-status")
	w.leaf = certify(t, "agency", &w.ca, func(c *x509.Certificate) {
		c.CRLDistributionPoints = []string{"ldap://127.0.0.1/cn=ca?certificateRevocationList", "file:///etc/passwd"}
	})
	w.expect(w.service(nil), "unknown: no-source")
}

// TestConfiguredIssuer: what the operator names is asked, and nothing that the
// certificates name.
func TestConfiguredIssuer(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("/elsewhere.crl", "/elsewhere")
	w.serve("/mirror.crl", w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.Superseded)))
	s := w.service(func(c *Config) {
		c.Issuers = []Issuer{{Certificate: w.ca.cert, CRLs: []string{w.server.URL + "/mirror.crl"}, OCSP: []string{w.server.URL + "/ocsp"}}}
	})
	w.expect(s, "revoked: superseded")
	for _, source := range s.Sources() {
		if strings.Contains(source.URL, "elsewhere") {
			t.Errorf("%s was asked", source.URL)
		}
	}
	w.answer("/ocsp", nil)
	s = w.service(func(c *Config) {
		c.Issuers = []Issuer{{Certificate: w.ca.cert, OCSP: []string{w.server.URL + "/ocsp"}}}
	})
	w.expect(s, "good")
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]Config{
		"no directory":              {},
		"a strange preference":      {Dir: t.TempDir(), Prefer: "both"},
		"an issuer that is nobody":  {Dir: t.TempDir(), Issuers: []Issuer{{}}},
		"a CRL by LDAP":             {Dir: t.TempDir(), Issuers: []Issuer{{Certificate: w.ca.cert, CRLs: []string{"ldap://ca.example/"}}}},
		"a CRL by file URL":         {Dir: t.TempDir(), Issuers: []Issuer{{Certificate: w.ca.cert, CRLs: []string{"file:///ca.crl"}}}},
		"a responder without a URL": {Dir: t.TempDir(), Issuers: []Issuer{{Certificate: w.ca.cert, OCSP: []string{"ca.example"}}}},
		"a directory that is a file": {Dir: func() string {
			return "/dev/null"
		}()},
	} {
		if s, err := New(c); err == nil {
			s.Close()
			t.Errorf("%s is taken", name)
		}
	}
}

// TestAnswersAreRemembered as long as they count, and no longer than configured;
// those who ask at once share a question.
func TestAnswersAreRemembered(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp")
	w.serve("/root.crl", w.crl(w.root, func(l *x509.RevocationList) { l.NextUpdate = base.Add(100 * time.Hour) }))
	w.answer("/ocsp", func(r *reply) { r.nextUpdate = r.thisUpdate.Add(48 * time.Hour) })
	s := w.service(func(c *Config) { c.ResponseAge = 2 * time.Hour })
	w.expect(s, "good")
	before := w.asked.Load()
	w.pass(2 * time.Hour)
	w.expect(s, "good")
	if n := w.asked.Load() - before; n > 1 { // a CRL's refresh
		t.Errorf("%d questions within the age", n)
	}
	w.pass(time.Minute)
	w.answer("/ocsp", func(r *reply) { r.status, r.revokedAt = ocsp.Revoked, base })
	w.expect(s, "revoked: unspecified")
}

// TestResponderDown: no package waits for a responder that is known to be down;
// what it said before still counts.
func TestResponderDown(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp")
	w.answer("/ocsp", nil)
	s := w.service(func(c *Config) { c.Timeout = time.Second })
	w.expect(s, "good")
	known := w.leaf
	w.leaf = w.agency("", "/ocsp")
	w.handle("/ocsp", silent)
	w.expect(s, "unknown: timeout")
	asked := w.asked.Load()
	for range 50 {
		w.expect(s, "unknown: timeout")
	}
	if n := w.asked.Load(); n != asked {
		t.Errorf("%d requests more", n-asked)
	}
	w.leaf = w.agency("", "/ocsp") // of whom nobody asked
	w.expect(s, "unknown: timeout")
	if n := w.asked.Load(); n != asked {
		t.Errorf("%d requests more for another certificate", n-asked)
	}
	other := w.leaf
	w.leaf = known
	w.expect(s, "good")
	w.leaf = other
	w.answer("/ocsp", nil)
	w.pass(firstBackoff)
	w.expect(s, "good")
}

// TestGet asks by GET: without a nonce, so that caches can answer and with what
// they answered others, or with one.
func TestGet(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp/")
	var question []byte
	foreign := []byte("of another's question")
	posts := w.server.Config.Handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		encoded, found := strings.CutPrefix(r.URL.Path, "/ocsp/")
		if !found || r.Method != http.MethodGet {
			posts.ServeHTTP(rw, r)
			return
		}
		question, _ = base64.StdEncoding.DecodeString(encoded)
		reply := w.reply()
		reply.nonce = foreign
		_, _ = rw.Write(reply.der())
	})
	w.expect(w.service(func(c *Config) { c.Get = true }), "good")
	parsed, err := ocsp.ParseRequest(question)
	if err != nil || parsed.SerialNumber.Cmp(w.leaf.cert.SerialNumber) != 0 {
		t.Errorf("the question is %+v, %v", parsed, err)
	}
	w.expect(w.service(func(c *Config) { c.Get, c.Nonce = true, true }), "unknown: ocsp-nonce")
	if len(nonceOf(t, question)) != nonceSize {
		t.Errorf("the question is %x", question)
	}
}

// TestStore: a list that cannot be kept is not used, as it could not be told from
// an older one after a restart.
func TestStore(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil))
	s := w.service(nil)
	if err := os.RemoveAll(s.c.Dir); err != nil {
		t.Fatal(err)
	}
	w.expect(s, "unknown: store")
}

// TestTooManySources: certificates can make the hub remember only so much.
func TestTooManySources(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("/ca.crl", "/ocsp")
	w.serve("/ca.crl", w.crl(w.ca, nil))
	s := w.service(nil)
	for i := range mostPlaces {
		s.crlAt(place{fmt.Sprintf("http://ca.example/%d.crl", i), "x"}, w.ca.cert)
		s.responderAt(place{fmt.Sprintf("http://ca.example/%d", i), "x"}, w.ca.cert)
	}
	w.expect(s, "unknown: too-many-sources")
}

// TestContext: a check ends with its caller's patience, and the fetch goes on for
// the next.
func TestContext(t *testing.T) {
	w := newWorld(t)
	list, release := w.crl(w.ca, nil), make(chan struct{})
	w.handle("/ca.crl", func(rw http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			_, _ = rw.Write(list)
		case <-r.Context().Done():
		}
	})
	s := w.service(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if f := s.Check(ctx, w.chain(), base); outcomeOf(f) != "unknown: timeout" {
		t.Errorf("is %+v", f)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
	close(release)
	eventually(t, "the fetch that went on is of use", func() bool { return outcomeOf(w.check(s)) == "good" })
	if n := w.asked.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestGuard(t *testing.T) {
	wan := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		name    string
		allow   []netip.Prefix
		address string
		allowed bool
	}{
		{"an authority, by default", nil, "203.0.113.9", true},
		{"on the wide network, by default", nil, "10.1.2.3", true},
		{"IPv6, by default", nil, "2001:db8::9", true},
		{"loopback, by default", nil, "127.0.0.1", false},
		{"loopback, mapped", nil, "::ffff:127.0.0.1", false},
		{"loopback, listed", loopback, "127.0.0.1", true},
		{"beside a listed network", wan, "203.0.113.9", false},
		{"in it", wan, "10.1.2.3", true},
		{"link-local", nil, "169.254.10.1", false},
		{"link-local, listed", []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")}, "169.254.169.254", false},
		{"IPv6 link-local with a zone", nil, "fe80::1%eth0", false},
		{"the metadata service, through NAT64", nil, "64:ff9b::a9fe:a9fe", false},
		{"the metadata service, through 6to4", nil, "2002:a9fe:a9fe::1", false},
		{"the metadata service over IPv6", nil, "fd00:ec2::254", false},
		{"Azure's", nil, "168.63.129.16", false},
		{"multicast", nil, "224.0.0.1", false},
		{"this network", nil, "0.0.0.0", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (guard{tt.allow}).allows(netip.MustParseAddr(tt.address)); got != tt.allowed {
				t.Errorf("allows(%s) = %v", tt.address, got)
			}
		})
	}
	if err := (guard{}).control("tcp", "ca.example:80", nil); err == nil {
		t.Error("a name went past the guard unresolved")
	}
}

// TestLoopbackIsNotCalled unless it is allowed, whatever a certificate names.
func TestLoopbackIsNotCalled(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.expect(w.service(func(c *Config) { c.Allow = nil }), "unknown: address-not-allowed")
	if n := w.asked.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}
