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
	texts  map[exchange.Event][]string // by recipient where there is a certificate
	random *mathrand.ChaCha8
	at     time.Time
	n      int
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
	p := &province{texts: map[exchange.Event][]string{}, random: mathrand.NewChaCha8([32]byte{1}), at: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
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
	if ack, ok := between(text, `SHA256="`, "</t:Ack"); ok {
		_, encoded, _ := strings.Cut(ack, `">`)
		inner, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			panic(err)
		}
		inner = []byte(p.fresh(string(inner), r, pkg))
		text = strings.Replace(text, ack, exchange.DigestOf(inner).String()+`">`+base64Of(inner), 1)
	}
	r.Raw = []byte(p.fresh(text, r, pkg))
	return r
}

// fresh puts a package's own values into a text.
func (p *province) fresh(text string, r exchange.Receipt, pkg exchange.Package) string {
	old := func(from, to string) string { s, _ := between(text, from, to); return s }
	signature := old("SignatureValue>", "<")
	size := base64.StdEncoding.DecodedLen(len(signature)) - strings.Count(signature, "=")
	certificate, _ := between(text, "<t:CertificateSHA256>", "<")
	sender, recipient := pkg.Sender, pkg.Recipients[0].Code
	pairs := []string{goldenReceipt, string(r.ID), goldenPackage, string(pkg.ID), goldenDocument, pkg.DocumentID,
		">H12.07<", ">" + sender + "<", ">H12.12<", ">" + recipient + "<", "Sở Tài chính tỉnh Cà Mau", pkg.Sender + " " + nameOf(7), "Sở Y tế tỉnh Cà Mau", pkg.Recipients[0].Name,
		"2026-11-20T02:20:35.120Z", pkg.AcceptedAt.UTC().Format(millisLayout), "2026-11-20T02:20:36.120Z", p.time(), "2026-11-20T02:20:37.120Z", p.time(),
		base64Of(digestBytes("package")), base64Of(pkg.Digest[:]), base64Of(digestBytes("pdf")), base64Of(pkg.Attachments[0].Digest[:]),
		"1f0c9a1e-0001", pkg.Attachments[0].ContentID, signature, base64Of(p.bytes(size)), certificate, pkg.Signature.Certificate.String()}
	for i := 0; i < len(pairs); { // an empty old text would stand everywhere
		if pairs[i] == "" {
			pairs = append(pairs[:i], pairs[i+2:]...)
			continue
		}
		i += 2
	}
	return digested(strings.NewReplacer(pairs...).Replace(text))
}

// digested puts the digests of a changed text into its seal.
func digested(text string) string {
	start := strings.LastIndex(text, string(sealStart))
	seal, rest, _ := cutAfter([]byte(text[start:]), sealEnd)
	body, signature := append([]byte(text[:start]), rest...), string(seal)
	put := func(from, to string, by []byte) {
		if old, ok := between(signature, from, to); ok {
			signature = strings.ReplaceAll(signature, old, string(by))
		}
	}
	put(`Id="s-`, `"`, digestsOf(body, nil).sealed)
	put("DigestValue>", "<", digestsOf(body, nil).digest)
	properties := signature[strings.Index(signature, string(propertiesStart)):]
	properties = properties[:strings.Index(properties, string(propertiesEnd))+len(propertiesEnd)]
	_, second, _ := strings.Cut(signature, "</ds:Reference>")
	stale, _ := between(second, "DigestValue>", "<")
	signature = strings.ReplaceAll(signature, stale, string(digestsOf(body, []byte(properties)).properties))
	return text[:start] + signature + string(rest)
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

// write keeps it: accepted, consigned, fetched, handed over.
func (w way) write(l *Ledger, t testing.TB) error {
	ctx := t.Context()
	if _, _, err := l.Accept(ctx, w.pkg, w.accept); err != nil {
		return err
	}
	d := w.accept.Deliveries[0]
	d.Version, d.Attempts = 1, 1
	d, _, err := d.Consign(w.receipts[0].Time)
	if err == nil {
		err = l.Update(ctx, exchange.Change{Deliveries: []exchange.Delivery{d}, Receipts: w.receipts[:1]})
	}
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
