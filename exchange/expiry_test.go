package exchange_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tram/exchange"
)

// sources are authorities that show their lists.
type sources struct {
	authorities
	list []exchange.RevocationSource
}

func (s *sources) Sources() []exchange.RevocationSource { return s.list }

func TestWhatEndsFirst(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	ending := func(days int) *x509.Certificate {
		return certify(authority(), "kết thúc", func(c *x509.Certificate) { c.NotAfter = start.AddDate(0, 0, days) }).chain[0]
	}
	soon, long := ending(10), ending(400)
	put := func(code string, change func(*exchange.Agency)) {
		a := must(p.ledger.Agency(t.Context(), code))
		change(&a)
		must(p.x.PutAgency(t.Context(), administrator, a))
	}
	put(health, func(a *exchange.Agency) { a.Certificates = []exchange.Certificate{{DER: soon.Raw}} })
	put(ward, func(a *exchange.Agency) {
		a.Certificates = []exchange.Certificate{{DER: ending(20).Raw}, {DER: long.Raw}}
	})
	put(commune, func(a *exchange.Agency) {
		a.Certificates = []exchange.Certificate{{DER: ending(30).Raw}}
		a.SubjectRules = []exchange.SubjectRule{rule(t, "CN=xã")}
	})
	put(school, func(a *exchange.Agency) {
		a.Certificates = []exchange.Certificate{{DER: ending(401).Raw, Until: start.AddDate(0, 0, 40)}, {DER: ending(2).Raw, Until: start}}
	})
	put(gone, func(a *exchange.Agency) { a.Certificates = []exchange.Certificate{{DER: ending(1).Raw}} })
	put(finance, func(a *exchange.Agency) { a.Certificates = a.Certificates[:1] })

	s := &sources{list: []exchange.RevocationSource{{Kind: "crl", URL: "http://ca.example/a.crl", Issuer: "CN=ca", NextUpdate: start.Add(-time.Hour)},
		{Kind: "crl", URL: "http://ca.example/none.crl", Issuer: "CN=ca"}, {Kind: "ocsp", URL: "http://ocsp.example", Issuer: "CN=ca", NextUpdate: start}}}
	c := p.config()
	c.Revocation = s
	c.Known = func() []exchange.Known {
		return []exchange.Known{{Kind: exchange.TermSealing, Certificate: ending(-1)}, {Kind: exchange.TermRoot, Certificate: long}}
	}
	x := must(exchange.New(c))

	if _, err := x.Terms(t.Context(), system(finance), time.Hour); exchange.CodeOf(err) != exchange.NotPermitted {
		t.Errorf("an agency's system sees all: %v", err)
	}
	list, err := x.Terms(t.Context(), auditor, 60*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, term := range list {
		text := string(term.Kind) + " " + term.Agency + term.URL
		if term.Replaced {
			text += " replaced"
		}
		got = append(got, strings.TrimSpace(text))
	}
	want := []string{"sealing", "crl http://ca.example/a.crl", "agency " + health, "agency " + ward + " replaced", "agency " + commune + " replaced", "agency " + school}
	if !slices.Equal(got, want) {
		t.Errorf("what ends is %q, want %q", got, want)
	}
	for i, days := range []int{-1, -1, 10, 20, 30, 40} {
		if list[i].DaysLeft != days {
			t.Errorf("%s has %d days left, want %d", got[i], list[i].DaysLeft, days)
		}
	}
	if list[2].SHA256 != exchange.DigestOf(soon.Raw) || !list[2].Until.Equal(soon.NotAfter) {
		t.Errorf("the certificate is told as %+v", list[2])
	}
	soonest, err := x.SoonestTerms(t.Context())
	if err != nil || soonest[exchange.TermAgency] != 10 || soonest[exchange.TermRoot] != 400 || soonest[exchange.TermCRL] != -1 || len(soonest) != 4 {
		t.Errorf("the soonest are %v, %v", soonest, err)
	}
}

// TestWhatEndsIsLoggedEachDay: only what somebody has to do something about.
func TestWhatEndsIsLoggedEachDay(t *testing.T) {
	template() // not in the bubble
	synctest.Test(t, func(t *testing.T) {
		p := newProvince(t)
		a := must(p.ledger.Agency(t.Context(), finance)) // two certificates, one of which ends in an hour
		a.Certificates = a.Certificates[1:]
		must(p.x.PutAgency(t.Context(), administrator, a))
		var log lockedBuffer
		c := p.config()
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
		x := must(exchange.New(c))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- x.Run(ctx) }()
		for day := 1; day <= 3; day++ {
			synctest.Wait()
			if n := log.count(t, "ends soon", finance); n != day {
				t.Errorf("on day %d it was logged %d times", day, n)
			}
			if n := log.count(t, "ends soon", health); n != 0 {
				t.Errorf("what ends in many years is logged %d times", n)
			}
			time.Sleep(24 * time.Hour)
		}
		stop()
		<-done
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// count is how many lines say this of an agency.
func (b *lockedBuffer) count(t *testing.T, message, agency string) int {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for line := range bytes.Lines(b.Bytes()) {
		var entry struct{ Msg, Agency string }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == message && entry.Agency == agency {
			n++
		}
	}
	return n
}
