package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // to be refused
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

var stampedData = []byte("the canonical form of a signature's value")

// tokenCases are tokens over stampedData and what must become of them. They are
// made by the authority of the tests unless the case makes one of its own.
type tokenCase struct {
	name   string
	change func(f *tokenForm)
	want   string
}

func tokenCases(t testing.TB, s stamper) []tokenCase {
	t.Helper()
	ess := func(id asn1.ObjectIdentifier, value []byte) func(*tokenForm) {
		return func(f *tokenForm) { f.essAttr = cmsAttribute(id, value) }
	}
	essSum := func(sum []byte, before, after []byte) []byte {
		return sequence(sequence(sequence(before, octetString(sum), after)))
	}
	own, other := sha256.Sum256(s.cert.Raw), sha256.Sum256(s.inter.Raw)
	own512 := sha512.Sum512(s.cert.Raw)
	own1 := sha1.Sum(s.cert.Raw) //nolint:gosec // to be refused
	issuerSerial := func(issuer []byte, serial *big.Int) []byte {
		return sequence(sequence(tagged(4, issuer)), marshal(serial))
	}
	forger := testKey()
	forged := certificateFor(forger.Public(), "TSA CA", nil, forger, func(c *x509.Certificate) { c.IsCA = true })
	twin := certificateFor(testKey().Public(), "TSA", forged, forger, func(c *x509.Certificate) {
		c.SerialNumber, c.KeyUsage = s.cert.SerialNumber, x509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{purpose(true, oidTimeStamping)}
	})
	imprint := func(hash asn1.ObjectIdentifier, sum []byte) func(*tokenForm) {
		return func(f *tokenForm) { f.imprint = sequence(hashName(hash), octetString(sum)) }
	}
	sum1, sum384, sum512 := sha1.Sum(stampedData), sha512.Sum384(stampedData), sha512.Sum512(stampedData) //nolint:gosec // to be refused
	oidSHA1, oidList := asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 9}
	otherSum := sha256.Sum256([]byte("the value of another signature"))
	extension := func(critical bool) []byte {
		return tagged(1, sequence(marshal(oidList), marshal(critical), octetString(nil)))
	}
	plainExtension := tagged(1, sequence(marshal(oidList), octetString(nil)))
	return []tokenCase{
		{"as it should be", func(*tokenForm) {}, accepted},
		{"signer by key identifier", func(f *tokenForm) { f.signerV, f.sid = 3, tlv(0x80, s.cert.SubjectKeyId) }, accepted},
		{"imprint of SHA-384", imprint(oidSHA384, sum384[:]), accepted},
		{"imprint of SHA-512", imprint(oidSHA512, sum512[:]), accepted},
		{"certificate named by SHA-512", ess(oidSigningCertV2, essSum(own512[:], hashName(oidSHA512), nil)), accepted},
		{"certificate named with issuer and serial number", ess(oidSigningCertV2, essSum(own[:], nil, issuerSerial(s.cert.RawIssuer, s.cert.SerialNumber))), accepted},
		{"accuracy, ordering, nonce, name and an extension", func(f *tokenForm) {
			f.more = bytes.Join([][]byte{sequence(marshal(1), tlv(0x80, []byte{0x01, 0xF4}), tlv(0x81, []byte{100})), marshal(true), marshal(42),
				tagged(0, tagged(4, s.cert.RawSubject)), plainExtension}, nil)
		}, accepted},
		{"a fraction of a second", func(f *tokenForm) { f.genTime = "20261125080000.25Z" }, accepted},
		{"the forged twin first in the bag", func(f *tokenForm) { f.bag = []*x509.Certificate{twin, s.inter, s.cert} }, accepted},
		{"a further signed attribute", func(f *tokenForm) { f.attrs = [][]byte{cmsAttribute(oidList, marshal(1))} }, accepted},

		// what it is over
		{"of another signature", imprint(oidSHA256, otherSum[:]), "timestamp-imprint"},
		{"imprint of SHA-1", imprint(oidSHA1, sum1[:]), "timestamp-algorithm"},
		{"imprint of the wrong length", imprint(oidSHA512, sum384[:]), "timestamp-imprint"},

		// form
		{"trailing bytes", func(f *tokenForm) { f.after = []byte{0} }, "timestamp-form"},
		{"another content type", func(f *tokenForm) { f.kind = oidSignedData }, "timestamp-form"},
		{"content type attribute of another", func(f *tokenForm) { f.typeAttr = cmsAttribute(oidContentType, marshal(oidSignedData)) }, "timestamp-form"},
		{"no content type attribute", func(f *tokenForm) { f.typeAttr = nil }, "timestamp-form"},
		{"no message digest attribute", func(f *tokenForm) { f.sumAttr = func([]byte) []byte { return nil } }, "timestamp-form"},
		{"an attribute twice", func(f *tokenForm) { f.attrs = [][]byte{cmsAttribute(oidMessageDigest, octetString(own[:]))} }, "timestamp-form"},
		{"two message digests in one attribute", func(f *tokenForm) {
			f.sumAttr = func(b []byte) []byte {
				return cmsAttribute(oidMessageDigest, octetString(hashOf(f.hash, b)), octetString(own[:]))
			}
		}, "timestamp-form"},
		{"attributes out of order", func(f *tokenForm) { f.unsorted = true }, "timestamp-form"},
		{"two signers", func(f *tokenForm) { f.signers = 2 }, "timestamp-form"},
		{"no signer", func(f *tokenForm) { f.signers = 0 }, "timestamp-form"},
		{"version 1", func(f *tokenForm) { f.version = 1 }, "timestamp-form"},
		{"signer of version 3 by name", func(f *tokenForm) { f.signerV = 3 }, "timestamp-form"},
		{"an unsigned attribute", func(f *tokenForm) { f.unsigned = tagged(1, cmsAttribute(oidList, octetString([]byte("noise")))) }, "timestamp-form"},
		{"revocation lists", func(f *tokenForm) { f.lists = tagged(1, sequence()) }, "timestamp-form"},
		{"no certificate in the bag but noise", func(f *tokenForm) { f.rawBag = sequence(octetString([]byte("noise"))) }, "timestamp-form"},
		{"an attribute certificate in the bag", func(f *tokenForm) { f.rawBag = tagged(2, octetString(nil)) }, "timestamp-form"},
		{"a bag of eleven", func(f *tokenForm) {
			f.bag = nil
			for range 11 {
				f.bag = append(f.bag, s.cert)
			}
		}, "timestamp-form"},
		{"a critical extension", func(f *tokenForm) { f.more = extension(true) }, "timestamp-form"},
		{"ordering false, written out", func(f *tokenForm) { f.more = marshal(false) }, "timestamp-form"},
		{"a time with a zone", func(f *tokenForm) { f.genTime = "20261125150000+0700" }, "timestamp-form"},
		{"a time with trailing zeros", func(f *tokenForm) { f.genTime = "20261125080000.250Z" }, "timestamp-form"},
		{"a time without seconds", func(f *tokenForm) { f.genTime = "202611250800Z" }, "timestamp-form"},
		{"a thirteenth month", func(f *tokenForm) { f.genTime = "20261325080000Z" }, "timestamp-form"},
		{"a thousand milliseconds of accuracy", func(f *tokenForm) { f.more = sequence(tlv(0x80, []byte{0x03, 0xE8})) }, "timestamp-form"},
		{"something after the statement", func(f *tokenForm) { f.more = octetString(nil) }, "timestamp-form"},

		// which certificate
		{"no certificate named", func(f *tokenForm) { f.essAttr = nil }, "timestamp-certificate"},
		{"the certificate named by SHA-1", ess(oidSigningCert, essSum(own1[:], nil, nil)), "timestamp-algorithm"},
		{"the certificate named by SHA-1 in the new way", ess(oidSigningCertV2, essSum(own1[:], hashName(oidSHA1), nil)), "timestamp-algorithm"},
		{"another certificate named", ess(oidSigningCertV2, essSum(other[:], nil, nil)), "timestamp-certificate"},
		{"a certificate of another issuer named", ess(oidSigningCertV2, essSum(own[:], nil, issuerSerial(s.root.RawSubject, s.cert.SerialNumber))), "timestamp-certificate"},
		{"a certificate of another serial number named", ess(oidSigningCertV2, essSum(own[:], nil, issuerSerial(s.cert.RawIssuer, big.NewInt(7)))), "timestamp-certificate"},
		{"the signer's name is another's", func(f *tokenForm) { f.sid = sequence(s.cert.RawIssuer, marshal(7)) }, "timestamp-certificate"},
		{"the signer's key identifier is another's", func(f *tokenForm) { f.signerV, f.sid = 3, tlv(0x80, []byte{9}) }, "timestamp-certificate"},
		{"no certificate", func(f *tokenForm) { f.bag = nil }, "timestamp-certificate"},
		{"the twin instead of the certificate", func(f *tokenForm) { f.bag = []*x509.Certificate{twin, s.inter} }, "timestamp-certificate"},

		// mathematics
		{"message digest of something else", func(f *tokenForm) {
			f.sumAttr = func([]byte) []byte { return cmsAttribute(oidMessageDigest, octetString(own[:])) }
		}, "timestamp-signature"},
		{"signed by another key", func(f *tokenForm) {
			f.sign = func(attrs []byte) []byte {
				return stamper{key: testKey()}.signature(crypto.SHA256, crypto.SHA256, attrs)
			}
		}, "timestamp-signature"},
		{"the attributes signed with their tag in the token", func(f *tokenForm) {
			right := f.sign
			f.sign = func(attrs []byte) []byte { return right(append([]byte{0xA0}, attrs[1:]...)) }
		}, "timestamp-signature"},
		{"no signature", func(f *tokenForm) { f.sign = func([]byte) []byte { return nil } }, "timestamp-signature"},
		{"a digest of SHA-1", func(f *tokenForm) { f.digest, f.hash = hashName(oidSHA1), crypto.SHA1 }, "timestamp-algorithm"},
		{"an algorithm of another digest", func(f *tokenForm) { f.method = sequence(marshal(oidECDSASHA384)) }, "timestamp-algorithm"},
		{"an algorithm of another key", func(f *tokenForm) { f.method = hashName(oidRSA) }, "timestamp-signature"},
		{"an algorithm nobody knows", func(f *tokenForm) { f.method = sequence(marshal(oidList)) }, "timestamp-algorithm"},

		// when
		{"before the certificate", func(f *tokenForm) { f.genTime = s.cert.NotBefore.Add(-time.Second).Format("20060102150405Z") }, "timestamp-untrusted"},
		{"after the certificate", func(f *tokenForm) { f.genTime = s.cert.NotAfter.Add(time.Second).Format("20060102150405Z") }, "timestamp-untrusted"},
		{"without the intermediate", func(f *tokenForm) { f.bag = []*x509.Certificate{s.cert} }, "timestamp-untrusted"},
	}
}

func TestTimeStampTokens(t *testing.T) {
	s := stamperOf()
	covered := map[string]bool{}
	for _, c := range append(tokenCases(t, s), tokenCase{want: "timestamp-purpose"}) {
		covered[c.want] = true
		if c.change == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			f := s.newToken(stampedData)
			c.change(f)
			_, err := s.trust(t).CheckTimeStamp(f.write(), stampedData)
			if got := outcome(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
	for _, r := range []Rule{TimeStampRefused, TimeStampNonce, TimeStampPolicy} { // of answers, below
		covered[string(r)] = true
	}
	for _, r := range Rules() {
		if strings.HasPrefix(string(r), "timestamp-") && !covered[string(r)] {
			t.Errorf("no token is refused by %s", r)
		}
	}
}

// TestTimeStampAuthorities makes authorities that are wrong in one thing.
func TestTimeStampAuthorities(t *testing.T) {
	use := func(critical bool, ids ...asn1.ObjectIdentifier) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{purpose(critical, ids...)} }
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		key   crypto.Signer
		alter func(*x509.Certificate)
		want  string
	}{
		{"as it should be", testKey(), nil, accepted},
		{"nonRepudiation", testKey(), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }, accepted},
		{"no purpose", testKey(), func(c *x509.Certificate) { c.ExtraExtensions = nil }, "timestamp-purpose"},
		{"a purpose that is not critical", testKey(), use(false, oidTimeStamping), "timestamp-purpose"},
		{"another purpose", testKey(), use(true, oidServerAuth), "timestamp-purpose"},
		{"a second purpose", testKey(), use(true, oidTimeStamping, oidServerAuth), "timestamp-purpose"},
		{"a second purpose nobody knows", testKey(), use(true, oidTimeStamping, oidUnknownUse), "timestamp-purpose"},
		{"no key usage", testKey(), func(c *x509.Certificate) { c.KeyUsage = 0 }, "timestamp-purpose"},
		{"a key for certificates", testKey(), func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, "timestamp-purpose"},
		{"an authority over others", testKey(), func(c *x509.Certificate) { c.IsCA = true }, "timestamp-purpose"},
		{"a weak key", weak, nil, "timestamp-untrusted"},
		{"a critical extension", testKey(), func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidUnknownUse, Critical: true, Value: []byte{5, 0}})
		}, "timestamp-untrusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStamper(c.key, c.alter)
			_, err := s.trust(t).CheckTimeStamp(s.newToken(stampedData).write(), stampedData)
			if got := outcome(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
	for name, above := range map[string]func(*x509.Certificate){
		"below an authority for servers": func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"below one that had expired":     func(c *x509.Certificate) { c.NotAfter = stampedAt.Add(-time.Second) },
		"below one not yet in force":     func(c *x509.Certificate) { c.NotBefore = stampedAt.Add(time.Second) },
		"below one that is no authority": func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStamperBelow(testKey(), above, nil)
			_, err := s.trust(t).CheckTimeStamp(s.newToken(stampedData).write(), stampedData)
			if got := outcome(err); got != "timestamp-untrusted" {
				t.Errorf("%s (%v)", got, err)
			}
		})
	}
	t.Run("another root", func(t *testing.T) {
		_, err := stamperOf().trust(t).CheckTimeStamp(newStamper(testKey(), nil).newToken(stampedData).write(), stampedData)
		if got := outcome(err); got != "timestamp-untrusted" {
			t.Errorf("%s (%v)", got, err)
		}
	})
}

func TestTimeStampKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pss := func(outer, mask asn1.ObjectIdentifier, salt int) []byte {
		return sequence(marshal(oidRSAPSS), sequence(tagged(0, hashName(outer)), tagged(1, sequence(marshal(oidMGF1), hashName(mask))), tagged(2, marshal(salt))))
	}
	withPSS := func(method []byte) func(stamper, *tokenForm) {
		return func(s stamper, f *tokenForm) {
			f.method = method
			f.sign = func(attrs []byte) []byte {
				return s.signature(crypto.SHA256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, attrs)
			}
		}
	}
	sha512Digest := func(method []byte) func(stamper, *tokenForm) {
		return func(_ stamper, f *tokenForm) { f.digest, f.hash, f.method = hashName(oidSHA512), crypto.SHA512, method }
	}
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		change func(stamper, *tokenForm)
		want   string
	}{
		{"RSA", rsaKey, nil, accepted},
		{"RSA, named with its digest", rsaKey, func(_ stamper, f *tokenForm) { f.method = hashName(oidRSAWithSHA256) }, accepted},
		{"RSA, SHA-512", rsaKey, sha512Digest(hashName(oidRSAWithSHA512)), accepted},
		{"RSA-PSS", rsaKey, withPSS(pss(oidSHA256, oidSHA256, 32)), accepted},
		{"RSA-PSS with a short salt", rsaKey, withPSS(pss(oidSHA256, oidSHA256, 20)), "timestamp-algorithm"},
		{"RSA-PSS with another mask", rsaKey, withPSS(pss(oidSHA256, oidSHA512, 32)), "timestamp-algorithm"},
		{"RSA-PSS with the parameters of SHA-1", rsaKey, withPSS(sequence(marshal(oidRSAPSS), sequence())), "timestamp-algorithm"},
		{"P-384, SHA-384", p384, func(_ stamper, f *tokenForm) {
			f.digest, f.hash, f.method = hashName(oidSHA384), crypto.SHA384, sequence(marshal(oidECDSASHA384))
		}, accepted},
		{"Ed25519", edKey, sha512Digest(sequence(marshal(oidEd25519))), accepted},
		{"Ed25519 with SHA-256", edKey, func(_ stamper, f *tokenForm) { f.method = sequence(marshal(oidEd25519)) }, "timestamp-algorithm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStamper(c.key, nil)
			f := s.newToken(stampedData)
			if c.change != nil {
				c.change(s, f)
			}
			if _, ok := c.key.(ed25519.PrivateKey); ok {
				f.sign = func(attrs []byte) []byte { return s.signature(0, crypto.Hash(0), attrs) }
			}
			_, err := s.trust(t).CheckTimeStamp(f.write(), stampedData)
			if got := outcome(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestWhatATokenSays(t *testing.T) {
	s := stamperOf()
	f := s.newToken(stampedData)
	f.genTime = "20261125080000.25Z"
	f.more = bytes.Join([][]byte{sequence(marshal(1), tlv(0x80, []byte{0x01, 0xF4}), tlv(0x81, []byte{100})), marshal(true)}, nil)
	said, err := s.trust(t).CheckTimeStamp(f.write(), stampedData)
	if err != nil {
		t.Fatal(err)
	}
	if !said.Time.Equal(stampedAt.Add(250*time.Millisecond)) || said.Accuracy != 1500*time.Millisecond+100*time.Microsecond || !said.Ordering ||
		said.Policy != "1.2.3.4.1" || said.Serial.Int64() != 4711 || said.Hash != crypto.SHA256 || !said.Authority.Equal(s.cert) {
		t.Errorf("says %+v", said)
	}
}

// TestTokenInBER gives lengths another form: DER has one.
func TestTokenInBER(t *testing.T) {
	s := stamperOf()
	token := s.newToken(stampedData).write()
	if token[0] != 0x30 || token[1] != 0x82 {
		t.Fatalf("the token begins with %x", token[:4])
	}
	for name, ber := range map[string][]byte{
		"indefinite length": append(append([]byte{0x30, 0x80}, token[4:]...), 0, 0),
		"a longer length":   append([]byte{0x30, 0x83, 0}, token[2:]...),
		"cut":               token[:len(token)-1],
		"empty":             {},
		"too long":          make([]byte, maxTimeStamp+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.trust(t).CheckTimeStamp(ber, stampedData)
			if got := outcome(err); got != "timestamp-form" {
				t.Errorf("%s (%v)", got, err)
			}
		})
	}
}

// TestNothingIsLeftOver puts one value more into every structure of a token, which
// encoding/asn1 would pass over, and takes the last one out of each.
func TestNothingIsLeftOver(t *testing.T) {
	s := stamperOf()
	token := s.newToken(stampedData).write()
	tried := 0
	for _, changed := range alterations(t, token) {
		if _, err := s.trust(t).CheckTimeStamp(changed, stampedData); err == nil {
			t.Errorf("accepted: %x", changed)
		}
		tried++
	}
	if tried < 100 {
		t.Errorf("only %d alterations were tried", tried)
	}
}

// alterations are all ways to have one structure of a value end with a NULL more,
// or with its last value missing.
func alterations(t *testing.T, value []byte) [][]byte {
	t.Helper()
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(value, &v); err != nil {
		t.Fatal(err)
	}
	if !v.IsCompound {
		return nil
	}
	var parts [][]byte
	for rest := v.Bytes; len(rest) > 0; {
		var part asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &part); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part.FullBytes)
	}
	with := func(parts [][]byte) []byte { return tlv(value[0], parts...) }
	all := [][]byte{with(append(slices.Clone(parts), marshal(asn1.NullRawValue)))}
	if null := marshal(asn1.NullRawValue); len(parts) > 0 && !bytes.Equal(parts[len(parts)-1], null) { // a digest may have it or not (RFC 5754, 2)
		all = append(all, with(parts[:len(parts)-1]))
	}
	for i, part := range parts {
		for _, changed := range alterations(t, part) {
			other := slices.Clone(parts)
			other[i] = changed
			all = append(all, with(other))
		}
	}
	return all
}

func TestAnswersOfAnAuthority(t *testing.T) {
	s := stamperOf()
	q := TimeStampRequest{Digest: sha256.Sum256(stampedData), Nonce: big.NewInt(1 << 40), Policy: asn1.ObjectIdentifier{1, 2, 3, 4, 1}}
	token := func(change func(f *tokenForm)) []byte {
		f := s.newToken(stampedData)
		f.more = marshal(q.Nonce)
		change(f)
		return f.write()
	}
	right := token(func(*tokenForm) {})
	status := func(n int, more ...[]byte) []byte { return sequence(append([][]byte{marshal(n)}, more...)...) }
	failure := func(bit int) []byte {
		b := asn1.BitString{Bytes: make([]byte, bit/8+1), BitLength: bit + 1}
		b.Bytes[bit/8] |= 0x80 >> (bit % 8)
		return sequence(status(2, sequence(tlv(asn1.TagUTF8String, []byte("no"))), marshal(b)))
	}
	for _, c := range []struct {
		name   string
		answer []byte
		want   string
		says   string
	}{
		{"granted", sequence(status(0), right), accepted, ""},
		{"granted with modifications", sequence(status(1), right), accepted, ""},
		{"bad algorithm", failure(0), "timestamp-refused", "badAlg"},
		{"bad request", failure(2), "timestamp-refused", "badRequest"},
		{"bad format", failure(5), "timestamp-refused", "badDataFormat"},
		{"no time", failure(14), "timestamp-refused", "timeNotAvailable"},
		{"another policy is served", failure(15), "timestamp-refused", "unacceptedPolicy"},
		{"extensions are not served", failure(16), "timestamp-refused", "unacceptedExtension"},
		{"no information", failure(17), "timestamp-refused", "addInfoNotAvailable"},
		{"a failure", failure(25), "timestamp-refused", "systemFailure"},
		{"rejected without a reason", sequence(status(2)), "timestamp-refused", "status 2"},
		{"rejected, with a token all the same", sequence(status(2), right), "timestamp-refused", "status 2"},
		{"a negative status", sequence(status(-1), right), "timestamp-refused", "status -1"},
		{"granted without a token", sequence(status(0)), "timestamp-form", ""},
		{"something behind", append(sequence(status(0), right), 0), "timestamp-form", ""},
		{"something behind the token", sequence(status(0), right, marshal(1)), "timestamp-form", ""},
		{"no answer", nil, "timestamp-form", ""},
		{"a web page", []byte("<html>"), "timestamp-form", ""},
		{"too long", make([]byte, maxTimeStamp+1), "timestamp-form", ""},
		{"another nonce", sequence(status(0), token(func(f *tokenForm) { f.more = marshal(7) })), "timestamp-nonce", ""},
		{"no nonce", sequence(status(0), token(func(f *tokenForm) { f.more = nil })), "timestamp-nonce", ""},
		{"another policy", sequence(status(0), token(func(f *tokenForm) { f.policy = asn1.ObjectIdentifier{1, 2, 3, 4, 2} })), "timestamp-policy", "1.2.3.4.2"},
		{"over something else", sequence(status(0), token(func(f *tokenForm) {
			f.imprint = sequence(hashName(oidSHA256), octetString(hashOf(crypto.SHA256, []byte("else"))))
		})), "timestamp-imprint", ""},
		{"over it by another digest", sequence(status(0), token(func(f *tokenForm) {
			f.imprint = sequence(hashName(oidSHA512), octetString(hashOf(crypto.SHA512, stampedData)))
		})), "timestamp-imprint", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := q.Token(c.answer)
			if outcome(err) != c.want || (err == nil && !bytes.Equal(got, right)) || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// FuzzTimeStamp: no token makes the reader panic, and what a changed token says,
// if it is still accepted, is what the authority signed.
func FuzzTimeStamp(f *testing.F) {
	s := vectorStamper(f) // the same in every process that fuzzes
	q := TimeStampRequest{Digest: sha256.Sum256(stampedData), Nonce: big.NewInt(42)}
	for _, c := range tokenCases(f, s) {
		form := s.newToken(stampedData)
		c.change(form)
		f.Add(form.write())
	}
	trust := s.trust(f)
	signed, err := parseTimeStamp(s.newToken(stampedData).write())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		if _, err := q.Token(token); err != nil && !errors.As(err, new(*Error)) {
			t.Fatalf("refused without a rule: %v", err)
		}
		said, err := trust.CheckTimeStamp(token, stampedData)
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("refused without a rule: %v", err)
			}
			return
		}
		// The fuzzer has no key: it can only have kept a signed statement.
		p, err := parseTimeStamp(token)
		if err != nil || !said.Authority.Equal(s.cert) || len(p.content) < len(signed.content) {
			t.Fatalf("accepted: %+v, %v", said, err)
		}
	})
}
