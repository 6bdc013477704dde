package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// again submits and expects the first receipt, byte for byte.
func (p *province) again(from exchange.Caller, body []byte, first exchange.Submission) {
	p.Helper()
	got, err := p.x.Submit(p.Context(), from, bytes.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if !got.Resubmitted || got.Package != first.Package || !bytes.Equal(got.Receipt.Raw, first.Receipt.Raw) || got.Receipt.Leaf != first.Receipt.Leaf {
		p.Errorf("submitted again: package %s, receipt %s, resubmitted %v; first %s, %s", got.Package, got.Receipt.ID, got.Resubmitted, first.Package, first.Receipt.ID)
	}
}

// otherBytes is the package with another KeyInfo, which no signature covers.
func otherBytes(t testing.TB, body []byte) []byte {
	t.Helper()
	from, to := bytes.Index(body, []byte("<X509SubjectName>")), bytes.Index(body, []byte("</X509SubjectName>"))
	if from < 0 || to < from {
		t.Fatal("the package's KeyInfo names no subject")
	}
	return append(append(bytes.Clone(body[:from]), "<X509SubjectName>CN=khác"...), body[to:]...)
}

func TestResubmission(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health, ward))
	first := p.submit(finance, body)
	size := must(p.ledger.LogSize(t.Context()))

	p.again(system(finance), body, first)
	p.again(system(finance), otherBytes(t, body), first)
	p.again(system("H12.99", finance), body, first)
	p.work()
	p.clock.advance(8 * 24 * time.Hour)
	p.work()
	p.again(system(finance), body, first)

	a := must(p.ledger.Agency(t.Context(), health))
	a.Closed = p.clock.Now()
	if _, err := p.x.PutAgency(t.Context(), administrator, a); err != nil {
		t.Fatal(err)
	}
	p.again(system(finance), body, first)
	packages, _, err := p.ledger.Packages(t.Context(), exchange.PackageQuery{})
	if err != nil || len(packages) != 1 {
		t.Errorf("%d packages, %v", len(packages), err)
	}
	if now := must(p.ledger.LogSize(t.Context())); now != size+5 { // two consignments, two expiries, the agency
		t.Errorf("the log grew from %d to %d", size, now)
	}
	if n := p.contents(); n != 1 {
		t.Errorf("%d contents are kept, want 1", n)
	}
}

func TestResubmissionAfterTheCertificateHasExpired(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health), "short")
	first := p.submit(finance, body)
	p.clock.advance(2 * time.Hour)
	_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signed(t, document("1251", health), "short")))
	refused(t, err, exchange.Untrusted, "certificate-expired")
	p.again(system(finance), body, first)
}

// TestResubmissionOfEveryKind uses an alias, a status without DocumentId, and
// what is not signed.
func TestResubmissionOfEveryKind(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1250", health)
	alias := document("1", health)
	alias.From.Code = "000.00.07.H12"
	update := about(exchange.KindUpdate, "1250", health)
	update.Attachments = document("x").Attachments
	replacement := document("2", health)
	replacement.Kind, replacement.Reason, replacement.Replaced = exchange.KindReplace, "thay", []edxml.Replaced{{ID: documentID("1250")}}
	fromSchool := document("3", health)
	fromSchool.From = p.organ(school)
	for name, c := range map[string]struct {
		from string
		body []byte
	}{
		"from an alias": {finance, signed(t, alias)},
		"an update":     {finance, signed(t, update)},
		"a replacement": {finance, signed(t, replacement)},
		"a recall":      {finance, signed(t, about(exchange.KindRecall, "1250", health))},
		"a status":      {health, signed(t, status(health, "03", "1250"))},
		"not signed":    {school, unsigned(t, fromSchool)},
	} {
		first := p.submit(c.from, c.body)
		if first.Resubmitted {
			t.Errorf("%s: taken for another", name)
		}
		p.again(system(c.from), c.body, first)
	}
}

func TestNewContentUnderAUsedIdentifierIsADuplicate(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	first := p.submit(finance, signed(t, document("1250", health)))
	other := document("1250", health, ward)
	kept := p.contents()
	e := p.refuses(finance, signed(t, other), exchange.Duplicate, "duplicate-document")
	if !strings.Contains(e.Text("en"), string(first.Package)) {
		t.Errorf("does not say which package was first: %s", e.Text("en"))
	}
	other.Kind, other.ID, other.Reason, other.Replaced = exchange.KindReplace, documentID("1250"), "thay", []edxml.Replaced{{ID: documentID("1250")}}
	p.refuses(finance, signed(t, other), exchange.Duplicate, "duplicate-document")
	if now := p.contents(); now != kept {
		t.Errorf("%d contents are kept after refusals, %d before", now, kept)
	}
	// Another sender may use the same identifier.
	theirs := document("1250", health)
	theirs.From, theirs.ID = p.organ(ward), documentID("1250")
	p.submit(ward, signed(t, theirs))
}

// contents counts what the vault keeps.
func (p *province) contents() int {
	p.Helper()
	n := 0
	err := filepath.WalkDir(p.vaultAt, func(_ string, f os.DirEntry, err error) error {
		if err == nil && !f.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// refuses submits and expects a refusal, attested to by a SubmissionRejection
// that the system may read.
func (p *province) refuses(from string, body []byte, code exchange.Code, rule string) *exchange.Error {
	p.Helper()
	_, err := p.x.Submit(p.Context(), system(from), bytes.NewReader(body))
	e := refused(p, err, code, rule)
	if e.Receipt == "" {
		p.Fatal("the refusal has no receipt")
	}
	r, err := p.x.Receipt(p.Context(), system(from), e.Receipt)
	if err != nil {
		p.Fatal(err)
	}
	_, says, _, err := exchange.ParseReceipt(r.Raw)
	if err != nil || says.Event != exchange.SubmissionRejection || says.Reason != code || says.Package != "" || says.Submitter != "sys-"+from || says.Basis.Method != exchange.BasisHub {
		p.Fatalf("the rejection says %+v, %v", says, err)
	}
	if len(says.Parts) > 0 && says.Parts[0].Digest != exchange.DigestOf(body) {
		p.Error("the rejection is bound to other bytes")
	}
	return e
}

func lineOf(body []byte, passage string) int {
	i := bytes.Index(body, []byte(passage))
	if i < 0 {
		return -1
	}
	return bytes.Count(body[:i], []byte("\n")) + 1
}

func TestSubmissionsRefused(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	from := func(code string) edxml.Document { d := document("1", health); d.From.Code = code; return d }
	broken := bytes.Replace(signed(t, document("1", health)), []byte("kinh phí"), []byte("kinh phi"), 1)
	const header = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
	const sender, signature = header + "/From/OrganId", "Signature"
	recall := about(exchange.KindRecall, "404", health)
	closedTo := document("1", "000.00.77.H12")
	closedTo.From.Code = health
	for _, c := range []struct {
		name, system string
		body         []byte
		code         exchange.Code
		rule, path   string
		at           string // in the element whose line is given
	}{
		{"no such sender", finance, signed(t, from("H12.99")), exchange.UnknownAgency, "unknown-sender", sender, "OrganId>H12.99"},
		{"a sender that the system does not speak for", finance, signed(t, from(ward)), exchange.NotPermitted, "system-not-for-agency", sender, "OrganId>H12.40"},
		{"a sender that was closed", gone, signed(t, from(gone)), exchange.UnknownAgency, "closed-agency", sender, "OrganId>H12.60"},
		{"a sender's code that was closed", finance, signed(t, from("000.00.77.H12")), exchange.UnknownAgency, "closed-code", sender, "OrganId>000.00.77.H12"},
		{"a sender's code that is not in use yet", finance, signed(t, from("000.00.78.H12")), exchange.UnknownAgency, "code-not-yet-valid", sender, "OrganId>000.00.78.H12"},
		{"no such recipient", finance, signed(t, document("1", health, "H12.99")), exchange.UnknownAgency, "unknown-recipient", header + "/To[2]/OrganId", "OrganId>H12.99"},
		{"a recipient that was closed", finance, signed(t, document("1", gone)), exchange.UnknownAgency, "closed-agency", header + "/To/OrganId", "OrganId>H12.60"},
		{"a recipient's code that was closed", health, signed(t, closedTo), exchange.UnknownAgency, "closed-code", header + "/To/OrganId", "OrganId>000.00.77.H12"},
		{"not signed", finance, unsigned(t, document("1", health)), exchange.InvalidSignature, "signature-required", sender, "OrganId>H12.07"},
		{"signed by another agency", finance, signed(t, document("1", health), ward), exchange.NotPermitted, "signer-not-sender", signature, "<Signature"},
		{"signed with a certificate not registered", finance, signed(t, document("1", health), "unregistered"), exchange.Untrusted, "certificate-not-registered", signature, "<Signature"},
		{"signed outside the trusted roots", finance, signed(t, document("1", health), "stranger"), exchange.Untrusted, "untrusted-chain", signature, "<Signature"},
		{"signed badly by one who need not sign", school, signed(t, from(school), ward), exchange.NotPermitted, "signer-not-sender", signature, "<Signature"},
		{"changed after it was signed", finance, broken, exchange.InvalidSignature, "digest-mismatch", "/edXML/edXMLEnvelope/edXMLHeader/Signature", "<Signature"},
		{"a recall of what was never sent", finance, signed(t, recall), exchange.NotFound, "unknown-target", "/edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness/DocumentId", "<edXML:BussinessDocReason"},
		{"no XML", finance, []byte("%PDF-1.4"), exchange.Malformed, "text-outside-root", "", "%PDF"},
		{"a DOCTYPE", finance, []byte("<?xml version=\"1.0\"?>\n<!DOCTYPE a []>\n<a/>"), exchange.Harmful, "doctype", "", "<!DOCTYPE"},
		{"another format", finance, []byte("<a/>"), exchange.Malformed, "not-edxml", "/a", "<a/>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if t.Failed() || c.system == "" {
				t.Skip()
			}
			p := *p
			p.TB = t
			e := p.refuses(c.system, c.body, c.code, c.rule)
			line := lineOf(c.body, c.at)
			if c.rule == "unknown-target" {
				line++ // the element after it
			}
			if !strings.HasPrefix(e.Path, c.path) || (c.path == "") != (e.Path == "") || e.Line != line {
				t.Errorf("at %s, line %d; want %s, line %d", e.Path, e.Line, c.path, line)
			}
		})
	}
	if n := p.contents(); n != 0 {
		t.Errorf("%d contents are kept of what was refused", n)
	}
	packages, _, err := p.ledger.Packages(t.Context(), exchange.PackageQuery{})
	if err != nil || len(packages) != 0 {
		t.Errorf("%d packages, %v", len(packages), err)
	}
}

func TestWhoMaySubmit(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for _, by := range []exchange.Caller{{}, administrator, operator, auditor} {
		_, err := p.x.Submit(t.Context(), by, bytes.NewReader(signed(t, document("1", health))))
		if e := refused(t, err, exchange.NotPermitted, "not-permitted"); e.Receipt != "" {
			t.Error("a receipt for one who is no system")
		}
	}
}

// TestWhatIsNoRefusalGetsNoReceipt: it says nothing about the package.
func TestWhatIsNoRefusalGetsNoReceipt(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1", health))
	size := must(p.ledger.LogSize(t.Context()))
	cut := errors.New("connection reset")
	for name, r := range map[string]io.Reader{
		"the body ends early":  &endsWith{bytes.NewReader(body[:len(body)/2]), exchange.TruncatedError(io.ErrUnexpectedEOF)},
		"the connection ends":  &endsWith{bytes.NewReader(body[:len(body)/2]), cut},
		"the hub is too busy":  &endsWith{bytes.NewReader(nil), exchange.BusyError(3)},
		"the connection fails": &endsWith{bytes.NewReader(nil), cut},
	} {
		_, err := p.x.Submit(t.Context(), system(finance), r)
		var e *exchange.Error
		if err == nil || errors.As(err, &e) && e.Receipt != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := must(p.ledger.LogSize(t.Context())); now != size {
		t.Errorf("the log grew from %d to %d", size, now)
	}
	p.submit(finance, body)
}

// endsWith is a reader that fails at its end.
type endsWith struct {
	r   io.Reader
	err error
}

func (e *endsWith) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	if err == io.EOF {
		err = e.err
	}
	return n, err
}

func TestSignaturesIfPresent(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	d := document("1", health)
	d.From = p.organ(school)
	s := p.submit(school, unsigned(t, d))
	if b := p.evidence(s.Package, "", exchange.SubmissionAcceptance).Basis; b != (exchange.Basis{Method: exchange.BasisSystem}) {
		t.Errorf("not signed, the acceptance rests on %+v", b)
	}
	d.Number = "2"
	s = p.submit(school, signed(t, d))
	if b := p.evidence(s.Package, "", exchange.SubmissionAcceptance).Basis; b.Method != exchange.BasisSignature {
		t.Errorf("signed, the acceptance rests on %+v", b)
	}
	toSchool := p.sent("3", school)
	delivery := p.delivery(toSchool, 1)
	pkg := must(p.ledger.Package(t.Context(), toSchool))
	p.acknowledge(delivery, exchange.NewAcknowledgement(pkg, school, exchange.AnswerAccepted, "", p.clock.Now()).Canonical())
	if b := p.evidence(toSchool, delivery.ID, exchange.ContentHandover).Basis; b != (exchange.Basis{Method: exchange.BasisSystem}) {
		t.Errorf("not signed, the handover rests on %+v", b)
	}
}

func TestRecipientsAreResolvedOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	s := p.submit(finance, signed(t, document("1", "000.00.12.H12", ward, health)))
	pkg := must(p.ledger.Package(t.Context(), s.Package))
	if len(pkg.Recipients) != 2 || pkg.Recipients[0].Code != health || pkg.Recipients[0].As != "000.00.12.H12" || pkg.Recipients[1].Code != ward {
		t.Errorf("recipients %+v", pkg.Recipients)
	}
	p.work()
	if page, err := p.x.Inbox(t.Context(), system(health), "000.00.12.H12", "", 0, 0); err != nil || len(page.Items) != 1 {
		t.Errorf("the inbox by another of its codes: %v, %v", page.Items, err)
	}
}
