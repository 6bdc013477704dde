package bolt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// province makes packages and receipts as 440 agencies and a hub make them. The
// texts are the golden receipts with an acknowledgement of the exchange's own,
// sealed by real keys: ECDSA P-256 for the hub, RSA-2048 with a certificate for
// each agency. Then every receipt gets identifiers, times, digests and signature
// values of its own, as random as real ones, so that millions can be made.
type province struct {
	texts     map[exchange.Event][]string // by recipient where there is a certificate
	templates map[string]*template
	random    *mathrand.ChaCha8
	at        time.Time
	n         int
}

const agenciesOfProvince = 440

func code(n int) string { return fmt.Sprintf("H12.%d", n+1) }

func nameOf(n int) string { return fmt.Sprintf("Ủy ban nhân dân xã thứ %d tỉnh Cà Mau", n+1) }

func certificateOf(t testing.TB, name string, key any, public any) *x509.Certificate {
	t.Helper()
	draft := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(3, 0, 0),
		Subject:  pkix.Name{CommonName: name, Organization: []string{"Tỉnh Cà Mau"}, Country: []string{"VN"}},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		CRLDistributionPoints: []string{"http://ca.example.vn/crl/ca.crl"}, OCSPServer: []string{"http://ocsp.example.vn"}}
	der, err := x509.CreateCertificate(rand.Reader, draft, draft, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newProvince(t testing.TB) *province {
	t.Helper()
	p := &province{texts: map[exchange.Event][]string{}, templates: map[string]*template{}, random: mathrand.NewChaCha8([32]byte{1}), at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	hubKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := signing.NewSealer(hubKey, []*x509.Certificate{certificateOf(t, "Trạm", hubKey, hubKey.Public())})
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []exchange.Event{exchange.SubmissionAcceptance, exchange.ContentConsignment} {
		p.texts[event] = []string{sealed(t, hub, golden(t, event))}
	}
	handover := golden(t, exchange.ContentHandover)
	for n := range agenciesOfProvince {
		agency, err := signing.NewSealer(key, []*x509.Certificate{certificateOf(t, nameOf(n), key, key.Public())})
		if err != nil {
			t.Fatal(err)
		}
		ack := exchange.NewAcknowledgement(exchange.Package{ID: goldenPackage, DocumentID: goldenDocument, Sender: "H12.07",
			Digest: exchange.DigestOf([]byte("package"))}, code(n), exchange.AnswerAccepted, "", goldenTime)
		raw, err := agency.Seal(ack.Canonical(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`SHA256="[^"]*">[^<]*<`).ReplaceAllString(handover,
			`SHA256="`+exchange.DigestOf(raw).String()+`">`+base64.StdEncoding.EncodeToString(raw)+`<`)
		p.texts[exchange.ContentHandover] = append(p.texts[exchange.ContentHandover], sealed(t, hub, text))
	}
	return p
}

const (
	goldenReceipt  = "0197a1b2-c3d4-7000-8000-000000000001"
	goldenPackage  = "0197a1b2-c3d4-7000-8000-000000000000"
	goldenDocument = "H12.07,2026/11/20,1250/STC-NS"
)

var goldenTime = time.Date(2026, 11, 20, 2, 20, 37, 120_000_000, time.UTC)

// golden is the golden receipt of an event, without its seal.
func golden(t testing.TB, e exchange.Event) string {
	t.Helper()
	name := map[exchange.Event]string{exchange.SubmissionAcceptance: "acceptance", exchange.ContentConsignment: "consignment", exchange.ContentHandover: "handover"}[e]
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "receipts", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(raw), "<ds:Signature ")
	if !found {
		t.Fatal("a golden receipt has no seal")
	}
	return text + "</erds:Evidence>"
}

func sealed(t testing.TB, s *signing.Sealer, text string) string {
	t.Helper()
	raw, err := s.Seal([]byte(text), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (p *province) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = p.random.Read(b) // never fails
	return b
}

func (p *province) id() string {
	p.n++
	p.at = p.at.Add(3 * time.Millisecond)
	b := p.bytes(16)
	ms := uint64(p.at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = 0x70|b[6]&15, 0x80|b[8]&63
	return uuidOf(b)
}

func (p *province) time() string { return p.at.UTC().Format(millisLayout) }

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func between(text, from, to string) (string, bool) {
	_, rest, ok := strings.Cut(text, from)
	part, _, end := strings.Cut(rest, to)
	return part, ok && end
}

// receipt makes one of a package's receipts.
func (p *province) receipt(e exchange.Event, pkg exchange.Package, recipient int) exchange.Receipt {
	texts := p.texts[e]
	text := texts[recipient%len(texts)]
	r := exchange.Receipt{ID: exchange.ReceiptID(p.id()), Event: e, Time: p.at, Package: pkg.ID, System: pkg.System,
		Agencies: []string{pkg.Sender, pkg.Recipients[0].Code}}
	if e != exchange.SubmissionAcceptance {
		r.Delivery, r.System = exchange.NewDeliveryID(pkg.ID, 1), ""
	}
	r.Raw = []byte(p.fresh(text, r, pkg))
	return r
}

// fresh puts a package's own values into a text.
func (p *province) fresh(text string, r exchange.Receipt, pkg exchange.Package) string {
	t := p.templates[text]
	if t == nil {
		t = newTemplate(text)
		p.templates[text] = t
	}
	ack := ""
	if t.within != "" {
		inner := []byte(p.fresh(t.within, r, pkg))
		ack = acknowledged(inner)
	}
	sender, recipient := pkg.Sender, pkg.Recipients[0].Code
	return t.fill(p, []string{string(r.ID), string(pkg.ID), pkg.DocumentID, ">" + sender + "<", ">" + recipient + "<", pkg.Sender + " " + nameOf(7), pkg.Recipients[0].Name,
		pkg.AcceptedAt.UTC().Format(millisLayout), p.time(), p.time(), base64Of(pkg.Digest[:]), base64Of(pkg.Attachments[0].Digest[:]),
		pkg.Attachments[0].ContentID, pkg.Signature.Certificate.String(), ack})
}

func acknowledged(ack []byte) string { return exchange.DigestOf(ack).String() + `">` + base64Of(ack) }

// template is a sealed text cut at what each package has of its own, so that filling
// it in is copying. A part is a text, or which value stands there.
type template struct {
	body, properties, seal []templatePart
	sealAt, propertiesAt   int // before the end of the body, and of the seal
	signature              int // bytes
	within                 string
}

type templatePart struct {
	text  string
	value int // -1: text
}

// What stands in a seal beside the values of fill.
const (
	ofSealed = iota
	ofDigest
	ofProperties
	ofSignature
)

func newTemplate(text string) *template {
	parts := takeApart([]byte(text), deepestWithin, nil)
	signature, _ := between(string(parts.seal), "SignatureValue>", "<")
	certificate, _ := between(text, "<t:CertificateSHA256>", "<")
	t := &template{sealAt: parts.sealAt, propertiesAt: parts.propertiesAt, signature: base64.StdEncoding.DecodedLen(len(signature)) - strings.Count(signature, "=")}
	ack, _ := between(text, `SHA256="`, "</t:Ack")
	if _, encoded, found := strings.Cut(ack, `">`); found {
		within, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			panic(err)
		}
		t.within = string(within)
	}
	t.body = cutAt(string(parts.body), goldenReceipt, goldenPackage, goldenDocument, ">H12.07<", ">H12.12<", "Sở Tài chính tỉnh Cà Mau", "Sở Y tế tỉnh Cà Mau",
		"2026-11-20T02:20:35.120Z", "2026-11-20T02:20:36.120Z", "2026-11-20T02:20:37.120Z", base64Of(digestBytes("package")), base64Of(digestBytes("pdf")), "1f0c9a1e-0001", certificate, ack)
	marks := []string{string([]byte{markSealed}), string([]byte{markDigest}), string([]byte{markProperties}), signature}
	t.properties, t.seal = cutAt(string(parts.properties), marks...), cutAt(string(parts.seal), marks...)
	return t
}

// cutAt cuts a text where the olds stand.
func cutAt(text string, olds ...string) (parts []templatePart) {
	for text != "" {
		at, which := len(text), -1
		for i, old := range olds {
			if n := strings.Index(text, old); old != "" && n >= 0 && n < at {
				at, which = n, i
			}
		}
		parts = append(parts, templatePart{text[:at], -1})
		if text = text[at:]; which >= 0 {
			parts = append(parts, templatePart{"", which})
			text = text[len(olds[which]):]
		}
	}
	return parts
}

func appendFilled(b []byte, parts []templatePart, values []string) []byte {
	for _, p := range parts {
		if p.value >= 0 {
			p.text = values[p.value]
		}
		b = append(b, p.text...)
	}
	return b
}

// fill puts values in, and the digests of the text that this makes into its seal.
func (t *template) fill(p *province, values []string) string {
	body := appendFilled(nil, t.body, values)
	digests := digestsOf(body, nil)
	own := []string{ofSealed: string(digests.sealed), ofDigest: string(digests.digest), ofProperties: "", ofSignature: base64Of(p.bytes(t.signature))}
	properties := appendFilled(nil, t.properties, own)
	own[ofProperties] = string(propertiesDigest(properties, nil))
	seal := appendFilled(nil, t.seal, own)
	at, cut := len(body)-t.sealAt, len(seal)-t.propertiesAt
	return string(slices.Concat(body[:at], seal[:cut], properties, seal[cut:], body[at:]))
}

func digestBytes(s string) []byte { d := exchange.DigestOf([]byte(s)); return d[:] }

// submission is a package of a random agency for another.
func (p *province) submission() (exchange.Package, int) {
	b := p.bytes(8)
	from, to := int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])
	from, to = from%agenciesOfProvince, to%agenciesOfProvince
	id := p.id()
	number := fmt.Sprint(p.n % 5000)
	certificate := exchange.DigestOf([]byte(code(from)))
	return exchange.Package{ID: exchange.PackageID(id), Kind: exchange.KindNew, Sender: code(from), System: "qlvb-" + code(from),
		DocumentID: code(from) + ",2026/11/23," + number + "/" + id[9:18] + "UBND-VP", Number: number, Notation: "UBND-VP", PromulgationDate: "2026/11/23",
		TypeName: "Công văn", Subject: "Về việc báo cáo tình hình thực hiện nhiệm vụ tháng " + number,
		Recipients: []exchange.Recipient{{Code: code(to), Name: nameOf(to)}},
		Digest:     exchange.Digest(p.bytes(32)), Content: exchange.Digest(p.bytes(32)), Size: 11_500,
		Attachments: []exchange.Attachment{{Name: "cong-van-" + number + ".pdf", ContentID: "cid-" + id[24:], ContentType: "application/pdf", Size: 5_321, Digest: exchange.Digest(p.bytes(32))}},
		Signature: &exchange.Signature{Method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Certificate: certificate,
			Subject: "CN=" + nameOf(from) + ",O=Tỉnh Cà Mau,C=VN", Serial: "1784211344591220381", Matched: exchange.MatchedRegistered,
			Revocation: exchange.RevocationFinding{State: exchange.RevocationGood, Certificate: certificate, Source: "http://ca.example.vn/crl/ca.crl",
				CheckedAt: p.at, ThisUpdate: p.at.Truncate(time.Hour), NextUpdate: p.at.Truncate(time.Hour).Add(24 * time.Hour)}},
		AcceptedAt: p.at}, to
}

// way is a package's whole way, ready to be written.
type way struct {
	pkg      exchange.Package
	accept   exchange.Change
	receipts [2]exchange.Receipt // consignment, handover
}

func (p *province) way() way {
	pkg, to := p.submission()
	w := way{pkg: pkg}
	w.accept.Receipts = []exchange.Receipt{p.receipt(exchange.SubmissionAcceptance, pkg, to)}
	w.accept.Deliveries = []exchange.Delivery{{ID: exchange.NewDeliveryID(pkg.ID, 1), Package: pkg.ID, Index: 1, Sender: pkg.Sender,
		Recipient: pkg.Recipients[0].Code, State: exchange.Queued, Next: pkg.AcceptedAt, Deadline: pkg.AcceptedAt.Add(72 * time.Hour), AcceptedAt: pkg.AcceptedAt}}
	w.receipts[0] = p.receipt(exchange.ContentConsignment, pkg, to)
	w.receipts[1] = p.receipt(exchange.ContentHandover, pkg, to)
	return w
}

// begin keeps its beginning: accepted, consigned.
func (w way) begin(l *Ledger, t testing.TB) error {
	if _, _, err := l.Accept(t.Context(), w.pkg, w.accept); err != nil {
		return err
	}
	d := w.accept.Deliveries[0]
	d.Version, d.Attempts = 1, 1
	d, _, err := d.Consign(w.receipts[0].Time)
	if err != nil {
		return err
	}
	return l.Update(t.Context(), exchange.Change{Deliveries: []exchange.Delivery{d}, Receipts: w.receipts[:1]})
}

// write keeps it: accepted, consigned, fetched, handed over.
func (w way) write(l *Ledger, t testing.TB) error {
	ctx := t.Context()
	if err := w.begin(l, t); err != nil {
		return err
	}
	d := w.accept.Deliveries[0]
	d.Version, d.Attempts = 1, 1
	d, _, err := d.Consign(w.receipts[0].Time)
	if err != nil {
		return err
	}
	d.Version++
	d = d.Fetch(w.receipts[1].Time)
	if err := l.Update(ctx, exchange.Change{Deliveries: []exchange.Delivery{d}}); err != nil {
		return err
	}
	d.Version++
	d, _, err = d.Answer(exchange.AnswerAccepted, "", w.receipts[1].Time)
	if err != nil {
		return err
	}
	return l.Update(ctx, exchange.Change{Deliveries: []exchange.Delivery{d}, Receipts: w.receipts[1:]})
}
