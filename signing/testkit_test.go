package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

var update = flag.Bool("update", false, "write the vectors and their missing keys again")

const (
	nsQCVN  = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
	vectors = "../testdata/vectors"
	here    = "@SIGNATURE@" // where a test document's signature goes
)

// judgedAt is when the vectors are judged.
var judgedAt = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// inHeader is where edXML has its signature.
func inHeader() Options {
	return Options{SignatureIn: [][]Name{{{nsQCVN, "edXML"}, {nsQCVN, "edXMLEnvelope"}, {nsQCVN, "edXMLHeader"}}}}
}

// A party can sign.
type party struct {
	key  crypto.Signer
	cert *x509.Certificate
}

// issue makes a certificate as the vectors' parties have them.
type issue struct {
	file  string
	key   func() (crypto.Signer, error)
	by    string // file of the issuer; empty: self-signed
	alter func(*x509.Certificate)
}

func newRSA(bits int) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

func newEC(c elliptic.Curve) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }
}

func newEd() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

var issues = []issue{
	{"ca", newRSA(2048), "", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}},
	{"agency-rsa", newRSA(2048), "ca", nil},
	{"agency-p256", newEC(elliptic.P256()), "ca", nil},
	{"agency-p384", newEC(elliptic.P384()), "ca", nil},
	{"agency-p521", newEC(elliptic.P521()), "ca", nil},
	{"agency-ed25519", newEd, "ca", nil},
	{"other-agency", newRSA(2048), "ca", nil},
	{"stranger", newRSA(2048), "", nil},
	{"weak-rsa", newRSA(1024), "ca", nil},
	{"weak-p224", newEC(elliptic.P224()), "ca", nil},
	{"expired", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) { c.NotAfter = judgedAt.Add(-time.Second) }},
	{"not-yet-valid", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) { c.NotBefore = judgedAt.Add(time.Second) }},
	{"encipherment", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }},
	{"authority", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	}},
	{"critical", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
	}},
	{"tsa", newEC(elliptic.P256()), "ca", func(c *x509.Certificate) {
		c.KeyUsage, c.ExtraExtensions = x509.KeyUsageDigitalSignature, []pkix.Extension{purpose(true, oidTimeStamping)}
	}},
}

// signer loads a party of the vectors. With -update it makes missing ones.
func signer(t testing.TB, file string) party {
	t.Helper()
	path := filepath.Join(vectors, "keys", file+".pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		makeParty(t, file, path)
		data, err = os.ReadFile(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var p party
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			p.cert, err = x509.ParseCertificate(block.Bytes)
		} else {
			var key any
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
			p.key, _ = key.(crypto.Signer)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return p
}

func makeParty(t testing.TB, file, path string) {
	t.Helper()
	for i, is := range issues {
		if is.file != file {
			continue
		}
		key, err := is.key()
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(100 + i)),
			Subject:      pkix.Name{CommonName: file + " (TEST)", Organization: []string{"Example Province"}, Country: []string{"VN"}},
			NotBefore:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			NotAfter:     time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC),
			KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		}
		if is.alter != nil {
			is.alter(c)
		}
		by := party{key, c}
		if is.by != "" {
			by = signer(t, is.by)
		}
		writeParty(t, path, key, c, by)
	}
}

func writeParty(t testing.TB, path string, key crypto.Signer, c *x509.Certificate, by party) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A form says how a test document is signed. The zero form is the accepted one.
type form struct {
	by      party
	certs   []*x509.Certificate // in KeyInfo; default: the signer's
	method  string              // default: by key type, with SHA-256
	info    func(string) string // changes SignedInfo before it is signed: the insider
	object  string              // after KeyInfo
	id      string              // of the Signature
	digest  string              // base64; default: that of the document
	refs    string              // further references
	value   func([]byte) []byte // changes the signature value
	signed  func(string) string // what the canonical SignedInfo is, when it is not as written
	keyInfo string              // instead of the certificates
}

// sign puts a signature where the document says. SignedInfo is written in its
// canonical form, so resign can change and sign it as text. The digest comes
// from goxmldsig's canonicaliser, not from the code under test.
func sign(t testing.TB, document string, f form) string {
	t.Helper()
	if f.by.key == nil {
		f.by = signer(t, "agency-rsa")
	}
	if f.certs == nil {
		f.certs = []*x509.Certificate{f.by.cert}
	}
	if f.method == "" {
		f.method = algRSASHA256
		switch f.by.key.(type) {
		case *ecdsa.PrivateKey:
			f.method = algECDSASHA256
		case ed25519.PrivateKey:
			f.method = algEd25519
		}
	}
	if f.digest == "" {
		f.digest = digestOf(t, strings.Replace(document, here, "", 1))
	}
	info := signedInfoText(f.method, f.digest, f.refs)
	if f.info != nil {
		info = f.info(info)
	}
	canonical := info
	if f.signed != nil {
		canonical = f.signed(info)
	}
	value := rawSignature(t, f.by.key, f.method, canonical)
	if f.value != nil {
		value = f.value(value)
	}
	if f.keyInfo == "" {
		f.keyInfo = keyInfoText(f.certs...)
	}
	id := ""
	if f.id != "" {
		id = ` Id="` + f.id + `"`
	}
	signature := `<ds:Signature xmlns:ds="` + nsDS + `"` + id + `>` + info +
		`<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:SignatureValue>` +
		f.keyInfo + f.object + `</ds:Signature>`
	return strings.Replace(document, here, signature, 1)
}

func keyInfoText(certs ...*x509.Certificate) string {
	text := `<ds:KeyInfo><ds:X509Data>`
	for _, c := range certs {
		text += `<ds:X509Certificate>` + base64.StdEncoding.EncodeToString(c.Raw) + `</ds:X509Certificate>`
	}
	return text + `</ds:X509Data></ds:KeyInfo>`
}

func signedInfoText(method, digest, refs string) string {
	return `<ds:SignedInfo xmlns:ds="` + nsDS + `"><ds:CanonicalizationMethod Algorithm="` + algExcC14N + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + method + `"></ds:SignatureMethod>` + referenceText("", digest) + refs + `</ds:SignedInfo>`
}

func referenceText(uri, digest string) string {
	return `<ds:Reference URI="` + uri + `"><ds:Transforms><ds:Transform Algorithm="` + algEnveloped + `"></ds:Transform>` +
		`<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod><ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference>`
}

// digestOf is the base64 SHA-256 of a text's exclusive canonical form.
func digestOf(t testing.TB, text string) string {
	t.Helper()
	return digestAs(t, text, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""), crypto.SHA256)
}

// digestAs is the base64 digest of a text's canonical form.
func digestAs(t testing.TB, text string, form dsig.Canonicalizer, kind crypto.Hash) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	canonical, err := form.Canonicalize(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	return sumOf(kind, canonical)
}

func sumOf(kind crypto.Hash, b []byte) string {
	h := kind.New()
	h.Write(b)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// rawSignature signs as XML signatures are: RSA, or r and s side by side. It is
// deterministic, so that vectors repeat.
func rawSignature(t testing.TB, key crypto.Signer, method, info string) []byte {
	t.Helper()
	m, ok := methods[method]
	if !ok {
		m = methods[algRSASHA256]
	}
	var value []byte
	var err error
	switch m.scheme {
	case schemeEd25519:
		value, err = key.Sign(nil, []byte(info), crypto.Hash(0))
	case schemePSS:
		value, err = key.Sign(zeros{}, m.digest([]byte(info)), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.hash})
	default:
		value, err = key.Sign(nil, m.digest([]byte(info)), m.hash) // without randomness ECDSA follows RFC 6979
	}
	if err != nil {
		t.Fatal(err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return value
	}
	value, err = fixedWidth(value, (ec.Curve.Params().BitSize+7)/8)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// zeros is salt that repeats.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

var (
	infoPattern  = regexp.MustCompile(`(?s)<ds:SignedInfo.*</ds:SignedInfo>`)
	valuePattern = regexp.MustCompile(`<ds:SignatureValue>.*</ds:SignatureValue>`)
)

// resign changes a signed document's SignedInfo and signs it again.
func resign(t testing.TB, document string, by party, change func(string) string) string {
	t.Helper()
	info := change(infoPattern.FindString(document))
	document = infoPattern.ReplaceAllLiteralString(document, info)
	value := base64.StdEncoding.EncodeToString(rawSignature(t, by.key, algRSASHA256, info))
	return valuePattern.ReplaceAllLiteralString(document, `<ds:SignatureValue>`+value+`</ds:SignatureValue>`)
}

// replace is strings.Replace that must find what it replaces.
func replace(t testing.TB, s, old, with string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("the document does not contain %q", old)
	}
	return strings.Replace(s, old, with, 1)
}

// changing is replace as an argument.
func changing(t testing.TB, old, with string) func(string) string {
	return func(s string) string { return replace(t, s, old, with) }
}

// pkg is a small edXML package, unsigned, with the place for its signature.
func pkg(content string) string {
	return fmt.Sprintf(packageText, content)
}

const packageText = `<?xml version="1.0" encoding="utf-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">
  <edXMLEnvelope>
    <edXMLHeader>
      <MessageHeader>
        <From><OrganId>H12.07</OrganId><OrganName>Sở Tài chính tỉnh Cà Mau</OrganName></From>
        <To><OrganId>H12.12</OrganId><OrganName>Sở Y tế tỉnh Cà Mau</OrganName></To>
        <To><OrganId>H12.40</OrganId><OrganName>UBND phường An Xuyên</OrganName></To>
        <Code><CodeNumber>1250</CodeNumber><CodeNotation>STC-NS</CodeNotation></Code>
        <PromulgationInfo><Place>Cà Mau</Place><PromulgationDate>2026/11/20</PromulgationDate></PromulgationInfo>
        <DocumentType><Type>2</Type><TypeName>Công văn</TypeName></DocumentType>
        <Subject>V/v phân bổ kinh phí quý IV năm 2026</Subject>
        <Content>V/v phân bổ kinh phí quý IV năm 2026</Content>
        <DocumentId>H12.07,2026/11/20,1250/STC-NS</DocumentId>
      </MessageHeader>
      <TraceHeaderList id="trace-1">
        <TraceHeader><OrganId>H12.07</OrganId><Timestamp>2026/11/20 09:20:31</Timestamp></TraceHeader>
        <Bussiness><BussinessDocType>0</BussinessDocType><BussinessDocReason>Văn bản mới</BussinessDocReason><Paper>0</Paper></Bussiness>
      </TraceHeaderList>
      @SIGNATURE@
    </edXMLHeader>
    <edXMLBody><edXMLManifest><Reference><ContentId>c1</ContentId><ContentType>application/pdf</ContentType><AttachmentName>CV_1250.pdf</AttachmentName></Reference></edXMLManifest></edXMLBody>
  </edXMLEnvelope>
  <AttachmentEncoded>
    <Attachment><ContentType>application/pdf</ContentType><ContentId>c1</ContentId><ContentTransferEncoded>%s</ContentTransferEncoded><AttachmentName>CV_1250.pdf</AttachmentName></Attachment>
  </AttachmentEncoded>
</edXML>
`

const pdf = `JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCiUlRU9GCg==`
