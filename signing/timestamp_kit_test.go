package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"
)

// stampedAt is when the test authority's tokens are made.
var stampedAt = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// A stamper is a time-stamp authority for tests: it writes tokens, and wrong ones,
// byte by byte, sharing no code with what reads them.
type stamper struct {
	key   crypto.Signer
	cert  *x509.Certificate
	inter *x509.Certificate
	root  *x509.Certificate
}

func (s stamper) trust(t testing.TB) *Trust {
	t.Helper()
	trust, err := NewTrust(only(s.root), nil)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// purpose is an extended key usage as an extension of its own, critical or not.
func purpose(critical bool, ids ...asn1.ObjectIdentifier) pkix.Extension {
	value, err := asn1.Marshal(ids)
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: critical, Value: value}
}

var (
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidServerAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidUnknownUse   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3}
)

// newStamper makes an authority with a chain of three. alter may change its
// certificate.
func newStamper(key crypto.Signer, alter func(*x509.Certificate)) stamper {
	return newStamperBelow(key, func(*x509.Certificate) {}, alter)
}

// newStamperBelow changes the certificate of the authority above, too.
func newStamperBelow(key crypto.Signer, above, alter func(*x509.Certificate)) stamper {
	rootKey, interKey := testKey(), testKey()
	root := certificateFor(rootKey.Public(), "TSA root", nil, rootKey, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	inter := certificateFor(interKey.Public(), "TSA CA", root, rootKey, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		above(c)
	})
	cert := certificateFor(key.Public(), "TSA", inter, interKey, func(c *x509.Certificate) {
		c.KeyUsage, c.SubjectKeyId = x509.KeyUsageDigitalSignature, []byte{1, 2, 3, 4}
		c.ExtraExtensions = []pkix.Extension{purpose(true, oidTimeStamping)}
		if alter != nil {
			alter(c)
		}
	})
	return stamper{key, cert, inter, root}
}

func testKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func certificateFor(public crypto.PublicKey, name string, issuer *x509.Certificate, by crypto.Signer, alter func(*x509.Certificate)) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name, Country: []string{"VN"}}, BasicConstraintsValid: true,
		NotBefore: stampedAt.AddDate(-1, 0, 0), NotAfter: stampedAt.AddDate(1, 0, 0)}
	alter(c)
	if issuer == nil {
		issuer = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, issuer, public, by)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return cert
}

// stamperOf is the authority that most tests ask.
var stamperOf = sync.OnceValue(func() stamper { return newStamper(testKey(), nil) })

// vectorStamper is the authority of the vectors. Its tokens repeat.
func vectorStamper(t testing.TB) stamper {
	t.Helper()
	p, ca := signer(t, "tsa"), signer(t, "ca")
	return stamper{p.key, p.cert, ca.cert, ca.cert}
}

// tlv writes one value of DER.
func tlv(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	raw, err := asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: content})
	if err != nil {
		panic(err)
	}
	return raw
}

func sequence(parts ...[]byte) []byte       { return tlv(0x30, parts...) }
func setOf(parts ...[]byte) []byte          { slices.SortFunc(parts, bytes.Compare); return tlv(0x31, parts...) }
func tagged(n byte, parts ...[]byte) []byte { return tlv(0xA0|n, parts...) }
func octetString(b []byte) []byte           { return tlv(0x04, b) }
func cmsAttribute(id asn1.ObjectIdentifier, values ...[]byte) []byte {
	return sequence(marshal(id), setOf(values...))
}
func hashName(id asn1.ObjectIdentifier) []byte {
	return sequence(marshal(id), marshal(asn1.NullRawValue))
}

func marshal(v any) []byte {
	raw, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// A tokenForm says how a token is made; newToken fills in the right one.
type tokenForm struct {
	version  int
	kind     asn1.ObjectIdentifier // of the encapsulated content
	policy   asn1.ObjectIdentifier
	imprint  []byte // MessageImprint
	genTime  string
	more     []byte // of the TSTInfo, after genTime
	bag      []*x509.Certificate
	rawBag   []byte // instead, if there is one
	lists    []byte // revocation lists
	signerV  int
	sid      []byte
	digest   []byte // AlgorithmIdentifier of the signer's digest
	hash     crypto.Hash
	typeAttr []byte // attributes; nil: left out
	sumAttr  func(content []byte) []byte
	essAttr  []byte
	attrs    [][]byte // further ones
	unsorted bool
	method   []byte
	sign     func(attrs []byte) []byte
	unsigned []byte
	signers  int
	after    []byte // behind the token
}

// newToken is a right token over data, not yet written.
func (s stamper) newToken(data []byte) *tokenForm {
	sum, ess := sha256.Sum256(data), sha256.Sum256(s.cert.Raw)
	f := &tokenForm{version: 3, kind: oidTSTInfo, policy: asn1.ObjectIdentifier{1, 2, 3, 4, 1},
		imprint: sequence(hashName(oidSHA256), octetString(sum[:])), genTime: stampedAt.Format("20060102150405Z"),
		bag: []*x509.Certificate{s.inter, s.cert}, signerV: 1,
		sid:    sequence(s.cert.RawIssuer, marshal(s.cert.SerialNumber)),
		digest: hashName(oidSHA256), hash: crypto.SHA256,
		typeAttr: cmsAttribute(oidContentType, marshal(oidTSTInfo)),
		essAttr:  cmsAttribute(oidSigningCertV2, sequence(sequence(sequence(octetString(ess[:]))))),
		method:   sequence(marshal(oidECDSASHA256)), signers: 1}
	if _, ok := s.key.(*rsa.PrivateKey); ok {
		f.method = hashName(oidRSA)
	}
	f.sumAttr = func(content []byte) []byte {
		return cmsAttribute(oidMessageDigest, octetString(hashOf(f.hash, content)))
	}
	f.sign = func(attrs []byte) []byte { return s.signature(f.hash, f.hash, attrs) }
	return f
}

func hashOf(hash crypto.Hash, b []byte) []byte {
	h := hash.New()
	h.Write(b)
	return h.Sum(nil)
}

func (s stamper) signature(hash crypto.Hash, o crypto.SignerOpts, b []byte) []byte {
	digest := b
	if _, ok := s.key.(ed25519.PrivateKey); !ok {
		digest = hashOf(hash, b)
	}
	random := io.Reader(nil) // without it ECDSA repeats (RFC 6979)
	if _, ok := s.key.(*ecdsa.PrivateKey); !ok {
		random = rand.Reader
	}
	value, err := s.key.Sign(random, digest, o)
	if err != nil {
		panic(err)
	}
	return value
}

// write makes the token.
func (f *tokenForm) write() []byte {
	content := sequence(marshal(1), marshal(f.policy), f.imprint, marshal(4711), tlv(asn1.TagGeneralizedTime, []byte(f.genTime)), f.more)
	return f.around(content, content)
}

// around makes a token of one content that is signed as if it were another.
func (f *tokenForm) around(content, signed []byte) []byte {
	list := [][]byte{f.typeAttr, f.sumAttr(signed), f.essAttr}
	list = append(slices.DeleteFunc(list, func(b []byte) bool { return b == nil }), f.attrs...)
	slices.SortFunc(list, bytes.Compare)
	if f.unsorted {
		slices.Reverse(list)
	}
	attrs := bytes.Join(list, nil)
	signer := sequence(marshal(f.signerV), f.sid, f.digest, tagged(0, attrs), f.method,
		octetString(f.sign(tlv(0x31, attrs))), f.unsigned)
	bag := f.rawBag
	for _, c := range f.bag {
		bag = append(bag, c.Raw...)
	}
	if bag != nil {
		bag = tagged(0, bag)
	}
	data := sequence(marshal(f.version), tlv(0x31, f.digest), sequence(marshal(f.kind), tagged(0, octetString(content))),
		bag, f.lists, tlv(0x31, bytes.Repeat(signer, f.signers)))
	return append(sequence(marshal(oidSignedData), tagged(0, data)), f.after...)
}
