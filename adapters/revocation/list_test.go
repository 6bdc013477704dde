package revocation

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// point is an issuing distribution point (RFC 5280, 5.2.5) as a CRL has it.
func point(content ...[]byte) pkix.Extension {
	value := must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: bytes.Join(content, nil)}))
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: value}
}

func flag(tag int) []byte {
	return must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: tag, Bytes: []byte{0xff}}))
}

// at is the name of a distribution point.
func at(urls ...string) []byte {
	var names []byte
	for _, url := range urls {
		names = append(names, must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 6, Bytes: []byte(url)}))...)
	}
	full := must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: names}))
	return must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: full}))
}

func extension(last int, critical bool, value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, last}, Critical: critical, Value: value}
}

// TestLists is the catalogue of what a CRL may be.
func TestLists(t *testing.T) {
	w := newWorld(t)
	ca := certifyKey(t, "issuing authority", rsaKey(t, 2048), &w.root, authority)
	leaf := certify(t, "agency", &ca, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://ca.example/a.crl"} })
	namesake := certify(t, "issuing authority", &w.root, authority)
	// A namesake that claims the issuer's key identifier: only the signature tells.
	imposter := certify(t, "issuing authority", &w.root, func(c *x509.Certificate) {
		authority(c)
		c.SubjectKeyId = ca.cert.SubjectKeyId
	})
	alias := certifyKey(t, "another name", ca.key, &w.root, authority)
	when := func(d time.Duration) []byte { return must(asn1.MarshalWithParams(base.Add(d), "generalized")) }
	entry := func(reason int, d time.Duration, extensions ...pkix.Extension) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: leaf.cert.SerialNumber, RevocationTime: base.Add(d), ReasonCode: reason, ExtraExtensions: extensions}
	}
	with := func(extensions ...pkix.Extension) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ExtraExtensions = extensions }
	}
	lists := func(entries ...x509.RevocationListEntry) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.RevokedCertificateEntries = entries }
	}
	const hour = time.Hour

	for _, tt := range []struct {
		name  string
		by    party
		alter func(*x509.RevocationList)
		want  string
	}{
		{"empty", ca, nil, "good"},
		{"with others", ca, lists(revoked(w.ca.cert, 1), revoked(w.root.cert, 1)), "good"},
		{"with the certificate", ca, lists(revoked(w.ca.cert, 1), entry(ocsp.Superseded, -hour)), "revoked: superseded"},
		{"for no reason", ca, lists(entry(0, -hour)), "revoked: unspecified"},
		{"revoked since", ca, lists(entry(ocsp.KeyCompromise, hour)), "good: keyCompromise"},
		{"revoked at that very second", ca, lists(entry(0, 0)), "revoked: unspecified"},
		{"noticed since, lost before", ca, lists(entry(ocsp.KeyCompromise, hour, extension(24, false, when(-hour)))), "revoked: keyCompromise"},
		{"noticed and lost since", ca, lists(entry(ocsp.KeyCompromise, 2*hour, extension(24, false, when(hour)))), "good: keyCompromise"},
		{"on hold", ca, lists(entry(ocsp.CertificateHold, -hour)), "revoked: certificateHold"},
		{"a hold was lifted", ca, lists(entry(ocsp.RemoveFromCRL, -hour)), "good"},
		{"a hold that became final", ca, lists(entry(ocsp.CertificateHold, -2*hour), entry(ocsp.KeyCompromise, -hour)), "revoked: keyCompromise"},
		{"twice", ca, lists(entry(ocsp.KeyCompromise, -hour), entry(ocsp.Superseded, hour)), "revoked: keyCompromise"},
		{"an entry with an extension that does not matter", ca, lists(entry(1, -hour, extension(99, false, asn1.NullBytes))), "revoked: keyCompromise"},
		{"an entry with one that may", ca, lists(entry(1, -hour, extension(99, true, asn1.NullBytes))), "unknown: crl-extension"},
		{"an entry of another issuer", ca, lists(entry(1, -hour, extension(29, true, asn1.NullBytes))), "unknown: crl-indirect"},
		{"another certificate's entry with a critical extension", ca, func(l *x509.RevocationList) {
			e := revoked(w.root.cert, 1)
			e.ExtraExtensions = []pkix.Extension{extension(99, true, asn1.NullBytes)}
			l.RevokedCertificateEntries = []x509.RevocationListEntry{e}
		}, "unknown: crl-extension"},

		{"of another authority", w.root, nil, "unknown: crl-issuer"},
		{"of a namesake", namesake, nil, "unknown: crl-issuer"},
		{"of the issuer's key under another name", alias, nil, "unknown: crl-issuer"},
		{"of an imposter", imposter, nil, "unknown: crl-signature"},
		{"signed with SHA-1", ca, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.SHA1WithRSA }, "unknown: crl-algorithm"},
		{"signed with RSA-PSS", ca, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.SHA256WithRSAPSS }, "good"},

		{"for users", ca, with(point(flag(1))), "good"},
		{"for authorities", ca, with(point(flag(2))), "unknown: crl-scope"},
		{"for attributes", ca, with(point(flag(5))), "unknown: crl-scope"},
		{"for some reasons", ca, with(point([]byte{0x83, 2, 7, 0x80})), "unknown: crl-some-reasons"},
		{"indirect", ca, with(point(flag(4))), "unknown: crl-indirect"},
		{"delta", ca, with(extension(27, true, []byte{2, 1, 1})), "unknown: crl-delta"},
		{"for the certificate's distribution point", ca, with(point(at("http://ca.example/b.crl", "http://ca.example/a.crl"))), "good"},
		{"for another", ca, with(point(at("http://ca.example/b.crl"))), "unknown: crl-scope"},
		{"for one that is named by the issuer only", ca, with(point([]byte{0xa0, 2, 0xa1, 0})), "unknown: crl-scope"},
		{"with a broken distribution point", ca, with(point([]byte{0x81, 2, 0, 0})), "unknown: crl-malformed"},
		{"with an extension that may matter", ca, with(extension(99, true, asn1.NullBytes)), "unknown: crl-extension"},
		{"with one that does not", ca, with(extension(46, false, asn1.NullBytes)), "good"},
		{"with an extension twice", ca, with(point(flag(1)), point(flag(1))), "unknown: crl-malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judged(w.crl(tt.by, tt.alter), leaf.cert, ca.cert); got != tt.want {
				t.Errorf("is %q, want %q", got, tt.want)
			}
		})
	}
}

// judged is what a CRL says of a certificate at base.
func judged(text []byte, cert, issuer *x509.Certificate) string {
	l, err := readList(text, issuer)
	if err == nil {
		err = l.scope.covers(cert)
	}
	if err != nil {
		return "unknown: " + reasonOf(err)
	}
	return outcomeOf(l.find(cert.SerialNumber).at(base))
}

// TestListForms: DER and PEM, and what is neither.
func TestListForms(t *testing.T) {
	w := newWorld(t)
	der := w.crl(w.ca, nil, revoked(w.leaf.cert, 1))
	armoured := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for name, text := range map[string][]byte{"DER": der, "PEM": armoured} {
		if got := judged(text, w.leaf.cert, w.ca.cert); got != "revoked: keyCompromise" {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name, text := range map[string][]byte{
		"nothing":         nil,
		"a page":          []byte("<html>404</html>"),
		"a certificate":   w.ca.cert.Raw,
		"PEM of another":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.cert.Raw}),
		"half PEM":        armoured[:len(armoured)/2],
		"a byte too many": append(bytes.Clone(der), 0),
	} {
		if got := judged(text, w.leaf.cert, w.ca.cert); got != "unknown: crl-malformed" {
			t.Errorf("%s is %q", name, got)
		}
	}
	for i := range der { // no cut and no changed byte is accepted, and none panics
		if got := judged(der[:i], w.leaf.cert, w.ca.cert); got != "unknown: crl-malformed" {
			t.Fatalf("cut after %d bytes it is %q", i, got)
		}
		changed := bytes.Clone(der)
		changed[i] ^= 0x20
		if _, err := readList(changed, w.ca.cert); err == nil {
			t.Fatalf("changed at %d it is accepted", i)
		}
	}
}

// TestListAuthority: who may not sign lists signs none that count.
func TestListAuthority(t *testing.T) {
	w := newWorld(t)
	for name, alter := range map[string]func(*x509.Certificate){
		"certificates only": func(c *x509.Certificate) { authority(c); c.KeyUsage = x509.KeyUsageCertSign },
		"no authority":      func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign },
	} {
		p := certify(t, "authority", &w.root, alter)
		signer := p
		able := *p.cert // crypto/x509 would not sign otherwise
		able.IsCA, able.KeyUsage = true, x509.KeyUsageCRLSign
		if able.SubjectKeyId == nil {
			able.SubjectKeyId = []byte{1}
		}
		signer.cert = &able
		if got := judged(w.crl(signer, nil), w.leaf.cert, p.cert); got != "unknown: crl-usage" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestScopeOfAuthorities: a list for users tells nothing of an authority.
func TestScopeOfAuthorities(t *testing.T) {
	w := newWorld(t)
	for want, list := range map[string][]byte{
		"unknown: crl-scope": w.crl(w.root, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{point(flag(1))} }),
		"good":               w.crl(w.root, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{point(flag(2))} }),
	} {
		if got := judged(list, w.ca.cert, w.root.cert); got != want {
			t.Errorf("is %q, want %q", got, want)
		}
	}
}

// TestSerials: numbers of every size are told apart.
func TestSerials(t *testing.T) {
	w := newWorld(t)
	long := new(big.Int).Lsh(big.NewInt(1), 159)
	numbers := []*big.Int{big.NewInt(1), big.NewInt(0x80), big.NewInt(256), new(big.Int).Sub(long, big.NewInt(1)),
		new(big.Int).Lsh(long, 1), new(big.Int).Lsh(long, 80), big.NewInt(-1), big.NewInt(-128)}
	for i, n := range numbers {
		l, err := readList(listOf(t, w.ca, []*big.Int{n}), w.ca.cert)
		if err != nil {
			t.Fatal(err)
		}
		for j, other := range numbers {
			if got := l.find(other).revoked; got != (i == j) {
				t.Errorf("a list of %v lists %v: %v", n, other, got)
			}
		}
	}
}

// TestExpiredAndUnlisted: silence about an expired certificate means nothing,
// unless the list says that it keeps such entries.
func TestExpiredAndUnlisted(t *testing.T) {
	w := newWorld(t)
	w.leaf = certify(t, "agency", &w.ca, func(c *x509.Certificate) {
		c.NotAfter = base.Add(time.Hour)
		c.CRLDistributionPoints = []string{w.server.URL + "/ca.crl"}
	})
	s := w.service(func(c *Config) { c.Skew = time.Second })
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.expect(s, "good")
	w.pass(2 * time.Hour)
	w.expect(s, "good") // the list is of before
	kept := func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{extension(60, false, must(asn1.MarshalWithParams(base.Add(-time.Hour), "generalized")))}
	}
	for _, tt := range []struct {
		want  string
		alter func(*x509.RevocationList)
	}{{"unknown: certificate-expired", nil}, {"good", kept}} {
		w.serve("/ca.crl", w.crl(w.ca, tt.alter))
		w.expect(w.service(nil), tt.want)
	}
}
