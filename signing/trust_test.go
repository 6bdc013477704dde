package signing

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"
)

// certify issues a certificate for a fresh P-256 key.
func certify(t testing.TB, name string, by *party, alter func(*x509.Certificate)) party {
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

// onlyBelow is a constraint to directory names below one (RFC 5280, 4.2.1.10).
func onlyBelow(t *testing.T, name pkix.Name) []byte {
	t.Helper()
	sequence, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	base := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: sequence}
	der, err := asn1.Marshal(struct {
		Permitted []struct{ Base asn1.RawValue } `asn1:"tag:0"`
	}{[]struct{ Base asn1.RawValue }{{base}}})
	if err != nil {
		t.Fatal(err)
	}
	return der
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
	expiring := func(at time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { authority(c); c.NotAfter = at }
	}
	ending := certify(t, "ending", &root, expiring(judgedAt.Add(-DefaultSkew)))
	ended := certify(t, "ended", &root, expiring(judgedAt.Add(-DefaultSkew-time.Second)))
	beginning := certify(t, "beginning", &root, func(c *x509.Certificate) { authority(c); c.NotBefore = judgedAt.Add(DefaultSkew) })
	without := certify(t, "without", &root, func(c *x509.Certificate) {
		authority(c)
		c.ExcludedEmailAddresses = []string{"elsewhere.example"}
		c.ExcludedIPRanges = []*net.IPNet{{IP: net.IP{192, 0, 2, 0}, Mask: net.CIDRMask(24, 32)}}
	})
	constrained := func(critical bool, value []byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			authority(c)
			c.ExtraExtensions = []pkix.Extension{{Id: oidNameConstraints, Critical: critical, Value: value}}
		}
	}
	directory := certify(t, "directory", &root, constrained(true, onlyBelow(t, pkix.Name{Organization: []string{"Tỉnh Ví Dụ"}})))
	lax := certify(t, "lax", &root, constrained(false, onlyBelow(t, pkix.Name{Organization: []string{"Tỉnh Ví Dụ"}})))
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
		{"as late as clocks may differ", leaf, nil, leaf.cert.NotAfter.Add(DefaultSkew), accepted, true},
		{"a second later", leaf, nil, leaf.cert.NotAfter.Add(DefaultSkew + time.Second), "certificate-expired", true},
		{"at the first second", leaf, nil, leaf.cert.NotBefore, accepted, true},
		{"as early as clocks may differ", leaf, nil, leaf.cert.NotBefore.Add(-DefaultSkew), accepted, true},
		{"a second earlier", leaf, nil, leaf.cert.NotBefore.Add(-DefaultSkew - time.Second), "certificate-not-yet-valid", true},
		{"below an authority that expired within the clocks' difference", certify(t, "x", &ending, nil), only(ending.cert), judgedAt, accepted, true},
		{"below one that expired a second before", certify(t, "x", &ended, nil), only(ended.cert), judgedAt, "certificate-expired", true},
		{"below one that begins within it", certify(t, "x", &beginning, nil), only(beginning.cert), judgedAt, accepted, true},
		{"below an expired authority", certify(t, "x", &old, nil), only(old.cert), judgedAt, "certificate-expired", true},
		{"for non-repudiation only", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }), nil, judgedAt, accepted, true},
		{"for key agreement only", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), nil, judgedAt, "key-usage", true},
		{"without a key usage", certify(t, "x", &middle, func(c *x509.Certificate) { c.KeyUsage = 0 }), nil, judgedAt, "key-usage", true},
		{"with an extended usage of its own", certify(t, "x", &middle, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}), nil, judgedAt, accepted, true},
		{"of an authority", middle, nil, judgedAt, "ca-certificate", true},
		{"by DNS inside of a name constraint", certify(t, "x", &narrow, func(c *x509.Certificate) { c.DNSNames = []string{"stc.example.gov.vn"} }), only(narrow.cert), judgedAt, accepted, true},
		{"below names that are excluded", certify(t, "x", &without, func(c *x509.Certificate) { c.EmailAddresses = []string{"an@elsewhere.example"} }), only(without.cert), judgedAt, "certificate-constraint", true},
		{"below a constraint of addresses", certify(t, "x", &without, func(c *x509.Certificate) { c.IPAddresses = []net.IP{{192, 0, 2, 1}} }), only(without.cert), judgedAt, "certificate-constraint", true},
		{"below a constraint of directory names", certify(t, "x", &directory, nil), only(directory.cert), judgedAt, "certificate-constraint", true},
		{"below one that is not critical, as it has to be", certify(t, "x", &lax, nil), only(lax.cert), judgedAt, "certificate-constraint", true},
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

// TestChain: what the chain is made of is what revocation is asked about.
func TestChain(t *testing.T) {
	root := certify(t, "root", nil, authority)
	middle := certify(t, "middle", &root, authority)
	leaf := certify(t, "leaf", &middle, nil)
	trust, err := NewTrust(only(root.cert), nil)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := trust.Chain(leaf.cert, only(certify(t, "beside", &root, authority).cert, middle.cert), judgedAt)
	if err != nil || !slices.EqualFunc(chain, only(leaf.cert, middle.cert, root.cert), (*x509.Certificate).Equal) {
		t.Errorf("the chain is %v, %v", chain, err)
	}
	if chain, err = trust.Chain(leaf.cert, nil, judgedAt); chain != nil || outcome(err) != "untrusted-chain" {
		t.Errorf("without the intermediate it is %v, %v", chain, err)
	}
	trust.Skew = 0
	if _, err = trust.Chain(leaf.cert, only(middle.cert), leaf.cert.NotAfter.Add(time.Second)); outcome(err) != "certificate-expired" {
		t.Errorf("clocks that must not differ: %v", err)
	}
}
