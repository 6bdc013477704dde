package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tram/signing"
)

var sealedAt = time.Date(2026, 11, 20, 9, 20, 31, 999, time.FixedZone("ICT", 7*3600))

// A holder is a key with a chain of two certificates, and the root above them.
type holder struct {
	key   crypto.Signer
	chain []*x509.Certificate
	root  *x509.Certificate
}

// holders has one of each kind of key. They are made once: RSA keys take long.
var holders = sync.OnceValue(func() map[string]holder {
	all := map[string]holder{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		all[name] = newHolder(must(ecdsa.GenerateKey(curve, rand.Reader)))
	}
	for name, bits := range map[string]int{"RSA-2048": 2048, "RSA-3072": 3072} {
		all[name] = newHolder(must(rsa.GenerateKey(rand.Reader, bits)))
	}
	return all
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newHolder(key crypto.Signer) holder {
	rootKey, caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	root := issue(rootKey.Public(), "Gốc thử nghiệm", x509.KeyUsageCertSign, nil, rootKey)
	ca := issue(caKey.Public(), "CA thử nghiệm", x509.KeyUsageCertSign, root, rootKey)
	leaf := issue(key.Public(), "Trạm \"thử\" & <nghiệm>", x509.KeyUsageDigitalSignature, ca, caKey)
	return holder{key, []*x509.Certificate{leaf, ca}, root}
}

// issue makes a certificate; without an issuer it is self-signed.
func issue(public crypto.PublicKey, name string, use x509.KeyUsage, issuer *x509.Certificate, by crypto.Signer) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Tỉnh Ví Dụ"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: use, IsCA: use == x509.KeyUsageCertSign, BasicConstraintsValid: true,
	}
	if issuer == nil {
		issuer = template
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, issuer, public, by))))
}

func (h holder) sealer(t testing.TB) *signing.Sealer {
	t.Helper()
	s, err := signing.NewSealer(h.key, h.chain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// canonicalDocuments are what may come to be sealed, by what is particular to each.
func canonicalDocuments() map[string]string {
	text := string(signing.AppendText(nil, "Sở Y tế <tỉnh> & \"Cà Mau\"\r\n\tđã nhận ]]>"))
	attr := string(signing.AppendAttr(nil, "\"trích\" <dẫn> & 'tab'\t\r\n"))
	return map[string]string{
		"evidence": `<erds:Evidence xmlns:erds="http://uri.etsi.org/19522/v1#" Id="e-1" version="EN319522v1.1.1">` +
			`<erds:EvidenceIdentifier>` + text + `</erds:EvidenceIdentifier><erds:PartInfo note="` + attr + `">` +
			`<ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>` +
			`</erds:PartInfo></erds:Evidence>`,
		"default namespace":                `<Acknowledgement xmlns="urn:example:ack"><Outcome a="` + attr + `">` + text + `</Outcome></Acknowledgement>`,
		"no namespace":                     `<a>` + text + `<b xmlns="urn:b"></b></a>`,
		"empty root":                       `<a></a>`,
		"our prefixes with other meanings": `<ds:a xmlns:ds="urn:x" xmlns:xades="urn:y" xades:b="1"><xades:c></xades:c></ds:a>`,
		"our prefixes with our meanings":   `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><x:Any xmlns:x="http://uri.etsi.org/01903/v1.3.2#"></x:Any></ds:Object>`,
		"a name that begins another":       `<a.b xmlns="urn:x"><a></a></a.b>`,
	}
}

func TestSealedDocumentsAreReadAsSealed(t *testing.T) {
	for kind, h := range holders() {
		t.Run(kind, func(t *testing.T) {
			doc := canonicalDocuments()["evidence"]
			sealed, err := h.sealer(t).Seal([]byte(doc), sealedAt)
			if err != nil {
				t.Fatal(err)
			}
			read, err := signing.Read(bytes.NewReader(sealed), signing.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s := read.Signature
			if !s.Certificate.Equal(h.chain[0]) || len(s.Others) != 1 || !s.Others[0].Equal(h.chain[1]) {
				t.Errorf("certificates are read as %v and %d others", s.Certificate.Subject, len(s.Others))
			}
			if want := sealedAt.Truncate(time.Second); !s.SigningTime.Equal(want) {
				t.Errorf("signing time %v, want %v", s.SigningTime, want)
			}
			if got, want := read.Root.Child("http://uri.etsi.org/19522/v1#", "EvidenceIdentifier").Text, "Sở Y tế <tỉnh> & \"Cà Mau\"\r\n\tđã nhận ]]>"; got != want {
				t.Errorf("text %q, want %q", got, want)
			}
		})
	}
}

func TestSealedDocumentIsTheSameBytesAndCanonical(t *testing.T) {
	xmllint := program(t, "xmllint")
	for name, doc := range canonicalDocuments() {
		if name == "our prefixes with our meanings" {
			continue // the signature then declares ds again, which is allowed but not canonical
		}
		sealed, err := holders()["P-256"].sealer(t).Seal([]byte(doc), sealedAt)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before, rest, _ := bytes.Cut(sealed, []byte("<ds:Signature "))
		_, after, _ := bytes.Cut(rest, []byte("</ds:Signature>"))
		if got := string(before) + string(after); got != doc {
			t.Errorf("%s: without the signature: %s", name, got)
		}
		if got := canonicalised(t, xmllint, sealed); got != string(sealed) {
			t.Errorf("%s: xmllint's canonical form differs:\n%s\n%s", name, got, sealed)
		}
	}
}

func TestSealingWithRSARepeats(t *testing.T) {
	s := holders()["RSA-2048"].sealer(t)
	seal := func(doc string, at time.Time) string {
		sealed, err := s.Seal([]byte(doc), at)
		if err != nil {
			t.Fatal(err)
		}
		return string(sealed)
	}
	first := seal("<a></a>", sealedAt)
	if first != seal("<a></a>", sealedAt.UTC()) {
		t.Error("the same document at the same time is sealed otherwise")
	}
	if first == seal("<a></a>", sealedAt.Add(time.Second)) {
		t.Error("another time makes no difference")
	}
}

func TestSealersAreSharedByGoroutines(t *testing.T) {
	s := holders()["P-256"].sealer(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := s.Seal(fmt.Appendf(nil, "<a>%d</a>", i), sealedAt); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestNoByteOfASealCanChange(t *testing.T) {
	sealed, err := holders()["P-256"].sealer(t).Seal([]byte(canonicalDocuments()["evidence"]), sealedAt)
	if err != nil {
		t.Fatal(err)
	}
	from, to := bytes.Index(sealed, []byte("<ds:KeyInfo>")), bytes.Index(sealed, []byte("<ds:Object>"))
	for i := range sealed {
		if from <= i && i < to {
			continue // not signed: the signed properties name the certificate instead
		}
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if read, err := signing.Read(bytes.NewReader(changed), signing.Options{}); err == nil && read.Signature != nil {
			t.Fatalf("accepted with byte %d changed: %s", i, changed[max(0, i-20):min(len(changed), i+20)])
		}
	}
}

func TestSealRefuses(t *testing.T) {
	signed, err := holders()["P-256"].sealer(t).Seal([]byte("<a></a>"), sealedAt)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, doc, want string }{
		{"nothing", "", "no end tag"},
		{"an empty-element tag", "<a/>", "no end tag"},
		{"a declaration in front", `<?xml version="1.0"?><a></a>`, "not in canonical form"},
		{"a line end after the root", "<a></a>\n", "not in canonical form"},
		{"the end of another element", "<a></b>", "not in canonical form"},
		{"an end tag without a name", "<></>", "not in canonical form"},
		{"attributes out of order", `<a c="1" b="2"></a>`, "reading back"},
		{"a character reference that is no need", "<a>&#65;</a>", "reading back"},
		{"a character that XML forbids", "<a>\x01</a>", "reading back"},
		{"what is signed already", string(signed), "reading back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sealed, err := holders()["P-256"].sealer(t).Seal([]byte(c.doc), sealedAt)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if sealed != nil {
				t.Error("bytes are returned all the same")
			}
		})
	}
}

// signerFunc signs as told and claims the key given.
type signerFunc struct {
	crypto.Signer
	sign func(digest []byte) ([]byte, error)
}

func (s signerFunc) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest)
}

func TestKeysThatSignWrongly(t *testing.T) {
	h, other := holders()["P-256"], must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for _, c := range []struct {
		name string
		sign func([]byte) ([]byte, error)
		want string
	}{
		{"an error", func([]byte) ([]byte, error) { return nil, errors.New("token removed") }, "token removed"},
		{"with another key", func(d []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, other, d) }, "reading back"},
		{"something else", func([]byte) ([]byte, error) { d := sha256.Sum256(nil); return ecdsa.SignASN1(rand.Reader, other, d[:]) }, "reading back"},
		{"not in DER", func(d []byte) ([]byte, error) { return make([]byte, 64), nil }, "ECDSA signature"},
		{"with numbers too large", func(d []byte) ([]byte, error) { return derPoint(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)) }, "does not fit"},
		{"with a zero", func(d []byte) ([]byte, error) { return derPoint(big.NewInt(0), big.NewInt(1)) }, "does not fit"},
		{"with bytes to spare", func(d []byte) ([]byte, error) {
			der, err := ecdsa.SignASN1(rand.Reader, other, d)
			return append(der, 0), err
		}, "does not fit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sealer := holder{key: signerFunc{h.key, c.sign}, chain: h.chain}.sealer(t)
			if _, err := sealer.Seal([]byte("<a></a>"), sealedAt); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestASampleIsVerified lets a key go wrong after its first minutes.
func TestASampleIsVerified(t *testing.T) {
	h, other := holders()["P-256"], must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	by := h.key
	sealer := holder{key: signerFunc{h.key, func(d []byte) ([]byte, error) { return by.Sign(rand.Reader, d, crypto.SHA256) }}, chain: h.chain}.sealer(t)
	seal := func(doc string, after time.Duration) error {
		_, err := sealer.Seal([]byte(doc), sealedAt.Add(after))
		return err
	}
	if err := seal("<a></a>", 0); err != nil {
		t.Fatal(err)
	}
	if err := seal("<a>&#65;</a>", time.Hour); err == nil {
		t.Error("digests are not taken again after the first minutes")
	}
	by = other
	if err := seal("<a></a>", 4*time.Minute); err == nil {
		t.Error("a wrong signature is not noticed in the first minutes")
	}
	noticed := 0
	for range 128 {
		if seal("<a></a>", time.Hour) != nil {
			noticed++
		}
	}
	if noticed != 2 {
		t.Errorf("wrong signatures were noticed %d times in 128, want 2", noticed)
	}
}

func derPoint(r, s *big.Int) ([]byte, error) { return asn1.Marshal(struct{ R, S *big.Int }{r, s}) }

// TestShortECDSANumbers signs until r is shorter than the curve is wide, which
// is so once in 256 times.
func TestShortECDSANumbers(t *testing.T) {
	h := holders()["P-256"]
	short := func(digest []byte) ([]byte, error) {
		for {
			der, err := h.key.Sign(rand.Reader, digest, crypto.SHA256)
			if err != nil || der[3] < 32 { // the length of r, which has no sign octet then
				return der, err
			}
		}
	}
	sealed, err := holder{key: signerFunc{h.key, short}, chain: h.chain}.sealer(t).Seal([]byte("<a></a>"), sealedAt)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "short.xml")
	writeFile(t, file, sealed)
	verifyByXmlsec(t, program(t, "xmlsec1"), h, file)
}

func TestNewSealerRefuses(t *testing.T) {
	p256, rsa2048 := holders()["P-256"], holders()["RSA-2048"]
	alone := func(key crypto.Signer, use x509.KeyUsage) holder {
		return holder{key: key, chain: []*x509.Certificate{issue(key.Public(), "x", use, nil, key)}}
	}
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, c := range []struct {
		name string
		holder
		want string
	}{
		{"no key", holder{chain: p256.chain}, "no key"},
		{"no certificate", holder{key: p256.key}, "no certificate"},
		{"the certificate of another key", holder{key: p256.key, chain: rsa2048.chain}, "does not belong"},
		{"a chain upside down", holder{key: p256.key, chain: []*x509.Certificate{p256.chain[1], p256.chain[0]}}, "does not belong"},
		{"a chain with a gap", holder{key: p256.key, chain: []*x509.Certificate{p256.chain[0], p256.root}}, "not issued by"},
		{"a curve too small", alone(p224, x509.KeyUsageDigitalSignature), "224 bits"},
		{"an RSA key too small", alone(must(rsa.GenerateKey(rand.Reader, 1024)), x509.KeyUsageDigitalSignature), "1024 bits"},
		{"a certificate for something else", alone(p256.key, x509.KeyUsageKeyAgreement), "key usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := signing.NewSealer(c.key, c.chain); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// BenchmarkSeal seals an acceptance of one package with two attachments: 7 kB,
// the certificate included. CPU time is that of all threads, the collector's
// too.
//
//	go test -run '^$' -bench Seal -benchtime 20000x -count 5 ./signing
func BenchmarkSeal(b *testing.B) {
	for _, c := range []struct {
		name, kind string
		later      time.Duration
	}{
		{"P-256", "P-256", time.Hour},
		{"P-256 in the first minutes", "P-256", 0},
		{"RSA-2048", "RSA-2048", time.Hour},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, doc := holders()[c.kind], receipt(b)
			h.chain = h.chain[:1] // as hub init makes it
			s := h.sealer(b)
			sealed, err := s.Seal(doc, sealedAt)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(sealed)))
			b.ReportAllocs()
			began := cpuTime(b)
			for at := sealedAt.Add(c.later); b.Loop(); {
				if _, err := s.Seal(doc, at); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// BenchmarkSealFloor is what no sealing can do without: the digests of the
// document, of what is signed and of what is read back, and one signature.
func BenchmarkSealFloor(b *testing.B) {
	h, doc := holders()["P-256"], receipt(b)
	sealed := sealed(b, string(doc), h)
	b.ReportAllocs()
	began := cpuTime(b)
	for b.Loop() {
		digest := sha256.Sum256(doc)
		_ = sha256.Sum256(sealed)
		if _, err := h.key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
}

// receipt is a real one without its seal.
func receipt(t testing.TB) []byte {
	t.Helper()
	golden, err := os.ReadFile("../testdata/receipts/acceptance.xml")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := bytes.Cut(golden, []byte("<ds:Signature "))
	_, after, found := bytes.Cut(rest, []byte("</ds:Signature>"))
	if !found {
		t.Fatal("the receipt has no seal")
	}
	return append(before, after...)
}

// cpuTime is what the process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
