package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// fixedWorld has the same keys, numbers and times in every process, so that what
// one signed is good in the others.
func fixedWorld(f *testing.F) (w *world, responder party) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	w = &world{t: f, now: now}
	fixed := func(n byte, name string, by *party, alter func(*x509.Certificate)) party {
		scalar := make([]byte, 32)
		scalar[31] = n
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			f.Fatal(err)
		}
		return certifyKey(f, name, key, by, func(c *x509.Certificate) {
			c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(int64(n)), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)
			alter(c)
		})
	}
	w.ca = fixed(1, "authority", nil, authority)
	w.leaf = fixed(2, "agency", &w.ca, func(*x509.Certificate) {})
	return w, fixed(3, "responder", &w.ca, unchecked)
}

// FuzzResponse: whatever a responder sends, reading it ends, and nothing that it
// did not sign acquits.
func FuzzResponse(f *testing.F) {
	w, responder := fixedWorld(f)
	nonce := make([]byte, nonceSize)
	r := w.reply()
	r.nonce = nonce
	r.status, r.revokedAt, r.reason = ocsp.Revoked, w.now.Add(-time.Hour), ocsp.KeyCompromise
	f.Add(r.der())
	r.by, r.with = responder, []*x509.Certificate{responder.cert}
	f.Add(r.der())
	f.Add(ocsp.TryLaterErrorResponse)
	q := question{cert: w.leaf.cert, issuer: w.ca.cert, nonce: nonce, now: w.now, skew: 5 * time.Minute,
		checked: func(*x509.Certificate) error { return nil }}
	if _, err := q.read(r.der()); err != nil {
		f.Fatal(err) // the seeds must be good
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		a, err := q.read(der)
		if err == nil && !a.revoked {
			t.Fatalf("a revoked certificate is good by %x", der)
		}
		if err != nil && reasonOf(err) == "store" {
			t.Fatalf("no reason is given: %v", err)
		}
	})
}

// FuzzList: whatever a server sends for a CRL, reading it ends, and nothing that
// its issuer did not sign counts.
func FuzzList(f *testing.F) {
	w, _ := fixedWorld(f)
	f.Add(w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.KeyCompromise)))
	f.Add(listOf(f, w.ca, []*big.Int{w.leaf.cert.SerialNumber, big.NewInt(-1)}))
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := readList(text, w.ca.cert)
		if err == nil && !l.find(w.leaf.cert.SerialNumber).revoked {
			t.Fatalf("a revoked certificate is not listed by %x", text)
		}
		if err != nil && reasonOf(err) == "store" {
			t.Fatalf("no reason is given: %v", err)
		}
	})
}

// FuzzListContent goes behind the signature: what an authority itself may get
// wrong is refused or read, without a panic.
func FuzzListContent(f *testing.F) {
	w, _ := fixedWorld(f)
	good := must(splitList(w.crl(w.ca, nil, revoked(w.leaf.cert, ocsp.KeyCompromise))))
	f.Add([]byte(good.entries), point(flag(1), flag(4)).Value)
	f.Add([]byte(good.entries), point(at("http://ca.example/")).Value)
	f.Fuzz(func(_ *testing.T, entries, scoped []byte) {
		l := list{}
		if l.readEntries(entries) == nil {
			l.find(w.leaf.cert.SerialNumber)
		}
		if l.scope.read(scoped) == nil {
			_ = l.scope.covers(w.leaf.cert)
		}
		_, _ = invalidity(scoped)
	})
}
