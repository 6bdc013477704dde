package revocation

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

// numbered is a list with that number, dated that much after base.
func numbered(n int64, after time.Duration) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.Number, l.ThisUpdate, l.NextUpdate = big.NewInt(n), base.Add(after), base.Add(after+24*time.Hour)
	}
}

// TestOneFetchForAll: a thousand checks of packages that come at once, and those
// after them, cost one request.
func TestOneFetchForAll(t *testing.T) {
	w := newWorld(t)
	list := w.crl(w.ca, nil)
	w.handle("/ca.crl", func(rw http.ResponseWriter, _ *http.Request) {
		time.Sleep(50 * time.Millisecond)
		_, _ = rw.Write(list)
	})
	s := w.service(nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got := outcomeOf(w.check(s)); got != "good" {
				t.Error(got)
			}
		})
	}
	all.Wait()
	for range 1000 {
		w.expect(s, "good")
	}
	if n := w.asked.Load(); n != 2 { // the agency's list and the authority's own
		t.Errorf("%d requests were made", n)
	}
}

// TestOutageAndRestart: a kept list serves until its NextUpdate though the server
// is gone and the hub was started again, and a revoked certificate stays revoked.
func TestOutageAndRestart(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	in := func(c *Config) { c.Dir = dir }
	other := w.agency("/ca.crl", "")
	w.serve("/ca.crl", w.crl(w.ca, nil, revoked(other.cert, ocsp.KeyCompromise)))
	s := w.service(in)
	w.expect(s, "good")
	s.Close()

	w.handle("/ca.crl", nil)
	w.handle("/root.crl", nil)
	w.pass(23 * time.Hour)
	s = w.service(in)
	w.expect(s, "good")
	if f := s.Check(t.Context(), []*x509.Certificate{other.cert, w.ca.cert, w.root.cert}, w.clock()); outcomeOf(f) != "revoked: keyCompromise" {
		t.Errorf("is %+v", f)
	}
	s.Close()

	w.pass(2 * time.Hour)
	s = w.service(in)
	w.expect(s, "unknown: http-status")
	f := s.Check(t.Context(), []*x509.Certificate{other.cert, w.ca.cert, w.root.cert}, w.clock())
	if outcomeOf(f) != "revoked: keyCompromise" {
		t.Errorf("a stale list no longer condemns: %+v", f)
	}
	s.Close()

	// A damaged file is as if there were none.
	files, _ := filepath.Glob(filepath.Join(dir, "*.crl"))
	if len(files) != 2 {
		t.Fatalf("kept are %q", files)
	}
	for _, file := range files {
		if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.serve("/root.crl", w.crl(w.root, nil))
	w.expect(w.service(in), "good")
}

// TestHoldOfAStaleList: a hold may have been lifted since.
func TestHoldOfAStaleList(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.CertificateHold)))
	s := w.service(nil)
	w.expect(s, "revoked: certificateHold")
	w.serve("/root.crl", w.crl(w.root, numbered(11, 24*time.Hour)))
	w.pass(25 * time.Hour)
	w.expect(s, "unknown: crl-stale")
}

// TestRollback: an older list is refused in the same process and after a restart;
// what the right one said still counts.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	in := func(c *Config) { c.Dir, c.Refresh = dir, time.Minute }
	old := w.crl(w.ca, numbered(10, -time.Hour))
	lowered := w.crl(w.ca, numbered(10, 0))
	right := w.crl(w.ca, numbered(11, -time.Minute), revoked(w.leaf.cert, ocsp.KeyCompromise))
	backdated := w.crl(w.ca, numbered(12, -time.Hour))

	w.serve("/ca.crl", right)
	s := w.service(in)
	w.expect(s, "revoked: keyCompromise")
	for name, list := range map[string][]byte{"an older list": old, "a lower number": lowered, "an earlier date": backdated} {
		w.serve("/ca.crl", list)
		if err := s.only("/ca.crl").fetch(t.Context()); err == nil || reasonOf(err) != exchange.CRLRollback {
			t.Errorf("%s is %v", name, err)
		}
		w.expect(s, "revoked: keyCompromise")
	}
	s.Close()

	w.serve("/ca.crl", old)
	s = w.service(in)
	w.expect(s, "revoked: keyCompromise")
	if err := s.only("/ca.crl").fetch(t.Context()); err == nil || reasonOf(err) != exchange.CRLRollback {
		t.Errorf("after a restart it is %v", err)
	}
	w.serve("/ca.crl", w.crl(w.ca, numbered(12, 0)))
	if err := s.only("/ca.crl").fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.expect(s, "good")
}

// only is the CRL source whose location ends so.
func (s *Service) only(end string) *crl {
	for _, c := range s.listed() {
		if strings.HasSuffix(c.location, end) {
			return c
		}
	}
	return nil
}

// TestTimes: a list counts from thisUpdate to nextUpdate, give or take the skew.
func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		from, to   time.Duration
		want, late string // and once more, after it was refused
	}{
		{"in force", -time.Hour, time.Hour, "good", "good"},
		{"just over, within the skew", -time.Hour, -4 * time.Minute, "good", "good"},
		{"over", -time.Hour, -6 * time.Minute, "unknown: crl-stale", "unknown: crl-stale"},
		{"to come, within the skew", 4 * time.Minute, time.Hour, "good", "good"},
		{"to come", 6 * time.Minute, time.Hour, "unknown: crl-not-yet-valid", "unknown: crl-not-yet-valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.serve("/ca.crl", w.crl(w.ca, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = base.Add(tt.from), base.Add(tt.to) }))
			s := w.service(nil)
			w.expect(s, tt.want)
			w.expect(s, tt.late)
		})
	}
	t.Run("to come, and then the right one", func(t *testing.T) {
		w := newWorld(t)
		w.serve("/ca.crl", w.crl(w.ca, numbered(12, time.Hour)))
		s := w.service(nil)
		w.expect(s, "unknown: crl-not-yet-valid")
		w.serve("/ca.crl", w.crl(w.ca, numbered(11, 0)))
		w.pass(firstBackoff)
		w.expect(s, "good") // the one to come does not make it a rollback
	})
	t.Run("without an end", func(t *testing.T) {
		w := newWorld(t)
		w.serve("/ca.crl", endless(t, w.ca))
		w.expect(w.service(nil), "unknown: crl-no-next-update")
	})
}

// TestHostileServers: what a server, or someone on the way, may do to keep the
// hub busy or lead it elsewhere. Each is over in time.
func TestHostileServers(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.crl")
	w := newWorld(t)
	if err := os.WriteFile(secret, w.crl(w.ca, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	list := w.crl(w.ca, nil)
	w.serve("/moved.crl", list)
	to := func(target string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, target, http.StatusFound) }
	}
	write := func(rw http.ResponseWriter, chunk []byte) bool {
		_, err := rw.Write(chunk)
		rw.(http.Flusher).Flush()
		return err == nil
	}
	for _, tt := range []struct {
		name  string
		serve http.HandlerFunc
		want  string
	}{
		{"redirects", to("/moved.crl"), "good"},
		{"redirects to a file", to("file://" + secret), "unknown: redirect"},
		{"redirects to another scheme", to("gopher://127.0.0.1/ca.crl"), "unknown: redirect"},
		{"redirects in a circle", to("/ca.crl"), "unknown: redirect"},
		{"redirects to a name and password", to("http://a:b@127.0.0.1/"), "unknown: redirect"},
		{"redirects to the machine's neighbourhood", to("http://169.254.169.254/latest/meta-data"), "unknown: address-not-allowed"},
		{"too large", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 100_001)) }, "unknown: too-large"},
		{"endless", func(rw http.ResponseWriter, _ *http.Request) {
			for write(rw, make([]byte, 4096)) {
			}
		}, "unknown: too-large"},
		{"slow", func(rw http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(list) && write(rw, list[i:i+1]); i++ {
				select {
				case <-time.After(20 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
		}, "unknown: timeout"},
		{"silent", silent, "unknown: timeout"},
		{"compressed", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write([]byte{0x1f, 0x8b, 8, 0})
		}, "unknown: crl-malformed"},
		{"cut off", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "5000")
			_, _ = rw.Write(list)
		}, "unknown: unreachable"},
		{"not found", http.NotFound, "unknown: http-status"},
		{"a list of nothing", func(http.ResponseWriter, *http.Request) {}, "unknown: crl-malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.handle("/ca.crl", tt.serve)
			s := w.service(func(c *Config) {
				c.CRLSize = 100_000
				if tt.want == "unknown: timeout" {
					c.Timeout, c.FetchTimeout = time.Second, 700*time.Millisecond
				}
			})
			began := time.Now()
			w.expect(s, tt.want)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if left, _ := filepath.Glob(filepath.Join(s.c.Dir, incoming+"*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// TestDownIsNotWaitedFor: while a server is known to be down, packages do not
// wait for it, and it is asked ever less often; once it is back, it is used.
func TestDownIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.handle("/ca.crl", silent)
	s := w.service(func(c *Config) { c.FetchTimeout = time.Second })
	w.expect(s, "unknown: timeout")
	asked := w.asked.Load()
	began := time.Now()
	for range 100 {
		w.expect(s, "unknown: timeout")
	}
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("100 packages waited %v", took)
	}
	if n := w.asked.Load(); n != asked {
		t.Errorf("%d requests more", n-asked)
	}
	w.handle("/ca.crl", http.NotFound)
	var waits []time.Duration
	for range 9 {
		source := s.only("/ca.crl")
		waits = append(waits, source.state().NextAttempt.Sub(w.clock()))
		w.pass(waits[len(waits)-1])
		w.expect(s, "unknown: http-status")
	}
	if waits[0] != firstBackoff || waits[1] != 2*firstBackoff || waits[8] != mostBackoff {
		t.Errorf("the waits are %v", waits)
	}
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.expect(s, "unknown: http-status")
	w.pass(mostBackoff)
	w.expect(s, "good")
}

// TestRefreshedAhead: nobody waits for the list that follows, and it is fetched
// while a tenth of the first one's life is left.
func TestRefreshedAhead(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file.crl")
	write := func(n int64, after time.Duration, entries ...x509.RevocationListEntry) {
		t.Helper()
		if err := os.WriteFile(file, w.crl(w.ca, numbered(n, after), entries...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(10, 0)
	w.serve("/root.crl", w.crl(w.root, numbered(10, 0)))
	s := w.service(func(c *Config) {
		c.Refresh = 48 * time.Hour
		c.Issuers = []Issuer{{Certificate: w.ca.cert, CRLs: []string{file}}}
	})
	eventually(t, "the configured list is there before anyone asks", func() bool {
		return len(s.Sources()) == 1 && s.Sources()[0].Entries == 0 && s.Sources()[0].Number == "10"
	})
	w.expect(s, "good")

	write(11, 0, revoked(w.leaf.cert, ocsp.Superseded)) // the operator lays down the next
	w.pass(fileInterval)
	eventually(t, "the file is read again", func() bool { return outcomeOf(w.check(s)) == "revoked: superseded" })

	due := s.only("/root.crl").state().NextAttempt
	if ahead := base.Add(24 * time.Hour).Sub(due); ahead < 2*time.Hour || ahead > 3*time.Hour {
		t.Errorf("the next fetch is %v before NextUpdate", ahead)
	}
	w.serve("/root.crl", w.crl(w.root, numbered(11, 21*time.Hour)))
	w.pass(due.Sub(w.clock()))
	eventually(t, "the list is fetched though nobody asks", func() bool { return s.only("/root.crl").state().Number == "11" })
}

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Fatalf("it never happens that %s", what)
}

// TestNothingNew: a server that has the same list need not send it again.
func TestNothingNew(t *testing.T) {
	w := newWorld(t)
	list := w.crl(w.ca, nil)
	sent := 0
	w.handle("/ca.crl", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Last-Modified", "Wed, 25 Nov 2026 09:00:00 GMT")
		if r.Header.Get("If-Modified-Since") == "Wed, 25 Nov 2026 09:00:00 GMT" {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		_, _ = rw.Write(list)
	})
	s := w.service(nil)
	w.expect(s, "good")
	for range 2 {
		if err := s.only("/ca.crl").fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sent != 1 {
		t.Errorf("it was sent %d times", sent)
	}
	w.pass(25 * time.Hour)
	w.serve("/root.crl", w.crl(w.root, numbered(11, 25*time.Hour)))
	w.expect(s, "unknown: crl-stale")
}

// TestOneURLTwoIssuers: an authority that names another's URL spoils only its own.
func TestOneURLTwoIssuers(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil))
	other := certify(t, "other authority", &w.root, func(c *x509.Certificate) {
		authority(c)
		c.CRLDistributionPoints = []string{w.server.URL + "/root.crl"}
	})
	stray := certify(t, "stray", &other, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{w.server.URL + "/ca.crl"} })
	s := w.service(nil)
	f := s.Check(t.Context(), []*x509.Certificate{stray.cert, other.cert, w.root.cert}, w.clock())
	if outcomeOf(f) != "unknown: crl-issuer" {
		t.Errorf("is %+v", f)
	}
	w.expect(s, "good")
}

// TestClose leaves nothing running, and checks still answer.
func TestClose(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", w.crl(w.ca, nil))
	s := w.service(nil)
	w.expect(s, "good")
	quiet := httptest.NewServer(http.HandlerFunc(silent))
	defer quiet.Close()
	late := certify(t, "late", &w.ca, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{quiet.URL} })
	done := make(chan exchange.RevocationFinding)
	go func() { done <- s.Check(t.Context(), []*x509.Certificate{late.cert, w.ca.cert}, base) }()
	eventually(t, "the silent server is asked", func() bool { return s.only(quiet.URL) != nil })
	before := time.Now()
	s.Close()
	s.Close()
	if f := <-done; f.State != exchange.RevocationUnknown {
		t.Errorf("is %+v", f)
	}
	if took := time.Since(before); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
	w.expect(s, "good")
	stack := make([]byte, 1<<20)
	if running := string(stack[:runtime.Stack(stack, true)]); strings.Contains(running, "revocation.(*crl).fetch") || strings.Contains(running, "keepFresh") {
		t.Errorf("still running:\n%s", running)
	}
}

// TestCrashedFetch: what a crash left incomplete is removed, what was kept stays.
func TestCrashedFetch(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	for _, name := range []string{incoming + "1", "kept.crl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.service(func(c *Config) { c.Dir = dir })
	there, err := os.ReadDir(dir)
	if err != nil || len(there) != 1 || there[0].Name() != "kept.crl" {
		t.Errorf("there are %v, %v", there, err)
	}
}
