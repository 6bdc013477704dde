package signing

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"
)

// TestAChainFoundBeforeIsJudgedByTheTime: what was found before counts while all
// of it is in force, for the same certificates only.
func TestAChainFoundBeforeIsJudgedByTheTime(t *testing.T) {
	root := certify(t, "root", nil, authority)
	middle := certify(t, "middle", &root, func(c *x509.Certificate) {
		authority(c)
		c.NotBefore, c.NotAfter = judgedAt.Add(-time.Hour), judgedAt.Add(time.Hour)
	})
	leaf := certify(t, "leaf", &middle, nil)
	other := certify(t, "other", &root, authority)
	hints := []*x509.Certificate{middle.cert}

	trust, err := NewTrust([]*x509.Certificate{root.cert}, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := trust.Chain(leaf.cert, hints, judgedAt)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(first)
	first[0] = other.cert // the caller's own from here on

	for name, test := range map[string]struct {
		hints []*x509.Certificate
		at    time.Time
		holds bool
	}{
		"again":                              {hints, judgedAt.Add(time.Minute), true},
		"an issuer's end, by the clock skew": {hints, judgedAt.Add(time.Hour + DefaultSkew - time.Second), true},
		"an issuer's time is over":           {hints, judgedAt.Add(time.Hour + DefaultSkew + time.Second), false},
		"an issuer's time has not come":      {hints, judgedAt.Add(-time.Hour - DefaultSkew - time.Second), false},
		"the leaf's time is over":            {hints, judgedAt.AddDate(2, 0, 0), false},
		"without the issuer":                 {nil, judgedAt, false},
		"with another issuer":                {[]*x509.Certificate{other.cert}, judgedAt, false},
	} {
		chain, err := trust.Chain(leaf.cert, test.hints, test.at)
		if (err == nil) != test.holds || test.holds && !slices.EqualFunc(chain, want, (*x509.Certificate).Equal) {
			t.Errorf("%s: %d certificates, %v", name, len(chain), err)
		}
	}

	stranger, err := NewTrust([]*x509.Certificate{other.cert}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Chain(leaf.cert, hints, judgedAt); err == nil {
		t.Error("another trust's chain counts")
	}
}

func TestChainsAtHandAreBounded(t *testing.T) {
	var k chains
	leaf := []*x509.Certificate{{NotAfter: judgedAt}}
	for n := range 2*mostChains + 10 {
		k.keep([32]byte{byte(n), byte(n >> 8)}, leaf)
	}
	if len(k.known) > mostChains {
		t.Errorf("%d chains are at hand", len(k.known))
	}
}

func BenchmarkChain(b *testing.B) {
	root := certify(b, "root", nil, authority)
	leaf := certify(b, "leaf", &root, nil)
	trust, err := NewTrust([]*x509.Certificate{root.cert}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, find := range map[string]func(*x509.Certificate, []*x509.Certificate, time.Time) ([]*x509.Certificate, error){"found": trust.find, "again": trust.Chain} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := find(leaf.cert, nil, judgedAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
