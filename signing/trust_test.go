package signing

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// certify issues a certificate for a fresh P-256 key.
func certify(t *testing.T, name string, by *party, alter func(*x509.Certificate)) party {
	t.Helper()
	key, err := newEC(elliptic.P256())()
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(judgedAt.Unix()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    judgedAt.AddDate(-1, 0, 0),
		NotAfter:     judgedAt.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if alter != nil {
		alter(c)
	}
	issuer := party{key, c}
	if by != nil {
		issuer = *by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return party{key, cert}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func TestTrust(t *testing.T) {
	root := certify(t, "root", nil, authority)
	middle := certify(t, "middle", &root, authority)
	leaf := certify(t, "leaf", &middle, nil)
	old := certify(t, "old middle", &root, func(c *x509.Certificate) {
		authority(c)
		c.NotAfter = judgedAt.Add(-time.Hour)
	})
	narrow := certify(t, "narrow middle", &root, func(c *x509.Certificate) {
		authority(c)
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.gov.vn"}, true
	})
	short := certify(t, "short", &root, func(c *x509.Certificate) {
		authority(c)
		c.MaxPathLenZero = true
	})
	below := certify(t, "below short", &short, authority)
	weak := signer(t, "weak-rsa") // a leaf, so nothing it issues counts either
	for _, c := range []struct {
		name   string
		leaf   party
		hints  []*x509.Certificate
		at     time.Time
		want   string
		middle bool // known to the trust
	}{
		{"with the intermediate at hand", leaf, nil, judgedAt, accepted, true},
		{"with the intermediate in the document", leaf, only(middle.cert), judgedAt, accepted, false},
		{"with other certificates beside it", leaf, only(leaf.cert, old.cert, middle.cert), judgedAt, accepted, false},
		{"without the intermediate", leaf, nil, judgedAt, "untrusted-chain", false},
		{"a hint is no root", certify(t, "x", nil, nil), only(root.cert), judgedAt, "untrusted-chain", true},
		{"a stranger's root as a hint", signer(t, "agency-p256"), only(signer(t, "ca").cert), judgedAt, "untrusted-chain", true},
		{"at the last second", leaf, nil, leaf.cert.NotAfter, accepted, true},
		{"a second later", leaf, nil, leaf.cert.NotAfter.Add(time.Second), "certificate-expired", true},
		{"at the first second", leaf, nil, leaf.cert.NotBefore, accepted, true},
		{"a second earlier", leaf, nil, leaf.cert.NotBefore.Add(-time.Second), "certificate-not-yet-valid", true},
		{"below an expired authority", certify(t, "x", &old, nil), only(old.cert), judgedAt, "certificate-expired", true},
		{"for non-repudiation only", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }), nil, judgedAt, accepted, true},
		{"for key agreement only", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), nil, judgedAt, "key-usage", true},
		{"without a key usage", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = 0 }), nil, judgedAt, "key-usage", true},
		{"with an extended usage of its own", certify(t, "x", &middle, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}), nil, judgedAt, accepted, true},
		{"of an authority", middle, nil, judgedAt, "ca-certificate", true},
		{"outside of a name constraint", certify(t, "x", &narrow, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere.example"} }), only(narrow.cert), judgedAt, "certificate-constraint", true},
		{"too long a path", certify(t, "x", &below, nil), only(short.cert, below.cert), judgedAt, "certificate-constraint", true},
		{"with a weak key", weak, nil, judgedAt, "weak-key", true},
		{"issued by what is no authority", certify(t, "x", &leaf, nil), only(leaf.cert, middle.cert), judgedAt, "untrusted-chain", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var known []*x509.Certificate
			if c.middle {
				known = only(middle.cert)
			}
			trust, err := NewTrust(only(root.cert), known)
			if err != nil {
				t.Fatal(err)
			}
			if got := outcome(trust.Check(c.leaf.cert, c.hints, c.at)); got != c.want {
				t.Errorf("is %s, want %s: %v", got, c.want, trust.Check(c.leaf.cert, c.hints, c.at))
			}
		})
	}
}

func TestNewTrustRefuses(t *testing.T) {
	root := certify(t, "root", nil, authority)
	if _, err := NewTrust(nil, only(root.cert)); err == nil {
		t.Error("no roots are taken for some")
	}
	if _, err := NewTrust(only(root.cert), only(certify(t, "leaf", &root, nil).cert)); err == nil {
		t.Error("a leaf is taken for an intermediate")
	}
}

// TestTrustHugeHints: the authorities that a stranger brings cost nothing to
// refuse, however large their keys are.
func TestTrustHugeHints(t *testing.T) {
	huge := hugeKey(t)
	stranger := certify(t, "stranger", nil, nil).cert
	stranger.RawIssuer = huge.RawSubject
	stranger.SignatureAlgorithm = x509.SHA256WithRSA
	stranger.Signature = make([]byte, 300_000/8)
	stranger.Signature[1] = 1
	trust, err := NewTrust(only(signer(t, "ca").cert), nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := outcome(trust.Check(stranger, only(huge), judgedAt)); got != "untrusted-chain" {
		t.Errorf("is %s, want untrusted-chain", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
}
