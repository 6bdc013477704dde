package exchange

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tram/signing"
)

// parseEvidence reads what canonical writes.
func parseEvidence(root *signing.Element) (Evidence, error) {
	p := evidenceParser{root: root}
	e := Evidence{
		ID:         ReceiptID(p.text("EvidenceIdentifier")),
		Event:      eventOf(p.text("ERDSEventId")),
		Reason:     Code(strings.TrimPrefix(p.text("EventReasons", "EventReason", "Code"), Code("").URI())),
		Detail:     p.text("EventReasons", "EventReason", "Details"),
		Time:       p.time("EventTime"),
		Submitter:  p.text("SenderDelegateDetails", "Identifier"),
		Receiver:   p.text("RecipientsDelegateDetails", "Identifier"),
		Package:    PackageID(p.text("MessageIdentifier")),
		DocumentID: p.text("UserContentInfo", "AppLayerIdentifier"),
		Upstream:   p.text("ForwardedToExternalSystem"),
	}
	e.Hub = Hub{Policy: p.text("EvidenceIssuerPolicyID", "PolicyID")}
	e.Hub.Code, e.Hub.Name = identity(p.at("EvidenceIssuerDetails"))
	e.Sender = party(p.at("SenderDetails"))
	for _, r := range root.All(nsEvidence, "RecipientDetails") {
		if q := party(r); q.Code != "" {
			e.Recipients = append(e.Recipients, q)
		}
	}
	if p.at("SubmissionTime") != nil {
		e.SubmitTime = p.time("SubmissionTime")
	}
	if n := p.text("EvidenceRefersToRecipient"); n != "" {
		e.RefersTo = p.number(n)
	}
	e.Parts = p.parts()
	p.transaction(&e)
	if p.err == nil && (e.ID == "" || e.Event == "") {
		p.err = fmt.Errorf("the receipt has no EvidenceIdentifier or ERDSEventId")
	}
	return e, p.err
}

// evidenceParser keeps the first error.
type evidenceParser struct {
	root *signing.Element
	err  error
}

func (p *evidenceParser) at(path ...string) *signing.Element {
	el := p.root
	for _, local := range path {
		el = el.Child(nsEvidence, local)
	}
	return el
}

func (p *evidenceParser) text(path ...string) string { return p.at(path...).Value() }

func (p *evidenceParser) fail(what string, err error) {
	if p.err == nil && err != nil {
		p.err = fmt.Errorf("reading the receipt's %s: %w", what, err)
	}
}

func (p *evidenceParser) time(path ...string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, p.text(path...))
	p.fail(path[len(path)-1], err)
	return t.UTC()
}

func (p *evidenceParser) number(s string) int {
	n, err := strconv.Atoi(s)
	p.fail("number", err)
	return n
}

func (p *evidenceParser) parts() []Part {
	var parts []Part
	for _, el := range p.at("UserContentInfo", "PartsInfo").All(nsEvidence, "PartInfo") {
		part := Part{Identifier: el.Child(nsEvidence, "Identifier").Value(), ContentType: el.Child(nsEvidence, "ContentType").Value()}
		if m, _ := el.Child(nsDsig, "DigestMethod").Attr("", "Algorithm"); m != uriSHA256 {
			p.fail("DigestMethod", fmt.Errorf("%q is not SHA-256", m))
		}
		d, err := base64.StdEncoding.DecodeString(el.Child(nsDsig, "DigestValue").Value())
		if err == nil && len(d) != len(part.Digest) {
			err = fmt.Errorf("it has %d bytes", len(d))
		}
		p.fail("DigestValue", err)
		copy(part.Digest[:], d)
		parts = append(parts, part)
	}
	return parts
}

func (p *evidenceParser) transaction(e *Evidence) {
	log := p.at("TransactionLogInformation", "TransactionLog")
	e.Delivery = DeliveryID(log.Child(nsTram, "Delivery").Value())
	e.UpstreamID = log.Child(nsTram, "ForwardedAs").Value()
	basis := log.Child(nsTram, "Basis")
	e.Basis = Basis{Method: basis.Child(nsTram, "Method").Value(), Algorithm: basis.Child(nsTram, "Algorithm").Value(),
		Subject: basis.Child(nsTram, "Subject").Value(), Matched: basis.Child(nsTram, "Matched").Value(),
		Revocation: p.revocation(basis.Child(nsTram, "Revocation")), Later: p.revocation(basis.Child(nsTram, "LaterRevocation"))}
	if c := basis.Child(nsTram, "CertificateSHA256").Value(); c != "" {
		d, err := ParseDigest(c)
		p.fail("CertificateSHA256", err)
		e.Basis.Certificate = d
	}
	if s := basis.Child(nsTram, "Status"); s != nil {
		e.Basis.Status = p.status(s)
	}
	if x := basis.Child(nsTram, "Exception"); x != nil {
		e.Basis.SHA1Until = p.exception(x)
	}
	e.Scan = p.scan(log.Child(nsTram, "Scan"))
	for _, el := range log.All(nsTram, "PDFSignatures") {
		e.PDFs = append(e.PDFs, p.pdfs(el))
	}
	ack := log.Child(nsTram, "Acknowledgement")
	if ack == nil {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(ack.Value())
	if sum, _ := ack.Attr("", "SHA256"); err == nil && sum != DigestOf(raw).String() {
		err = fmt.Errorf("its digest is not %q", sum)
	}
	p.fail("Acknowledgement", err)
	e.Acknowledgement = raw
}

// exception reads what was let pass, and until when it may be.
func (p *evidenceParser) exception(el *signing.Element) time.Time {
	rule, _ := el.Attr("", "Rule")
	until, _ := el.Attr("", "Until")
	at, err := time.Parse(time.RFC3339Nano, until)
	if err == nil && rule != string(signing.SHA1) {
		err = fmt.Errorf("%q is no rule with exceptions", rule)
	}
	p.fail("Exception", err)
	return at.UTC()
}

// revocation reads what was known at one time; nothing if el is not there.
func (p *evidenceParser) revocation(el *signing.Element) RevocationFinding {
	if el == nil {
		return RevocationFinding{}
	}
	text := func(local string) string { return el.Child(nsTram, local).Value() }
	at := func(local string) time.Time {
		if text(local) == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339Nano, text(local))
		p.fail(local, err)
		return t.UTC()
	}
	f := RevocationFinding{State: RevocationState(text("State")), Source: text("Source"), Reason: text("Reason"),
		CheckedAt: at("CheckedAt"), ThisUpdate: at("ThisUpdate"), NextUpdate: at("NextUpdate"), RevokedAt: at("RevokedAt")}
	if c := text("CertificateSHA256"); c != "" {
		d, err := ParseDigest(c)
		p.fail("CertificateSHA256", err)
		f.Certificate = d
	}
	if !slices.Contains([]RevocationState{RevocationGood, RevocationRevoked, RevocationUnknown}, f.State) {
		p.fail("Revocation", fmt.Errorf("there is no state %q", f.State))
	}
	return f
}

func (p *evidenceParser) scan(el *signing.Element) *Scan {
	if el == nil {
		return nil
	}
	s := &Scan{State: ScanState(el.Child(nsTram, "State").Value()), Engine: el.Child(nsTram, "Engine").Value()}
	for _, found := range el.All(nsTram, "Found") {
		s.Found = append(s.Found, found.Value())
	}
	at, err := time.Parse(time.RFC3339Nano, el.Child(nsTram, "ScannedAt").Value())
	if err == nil && !slices.Contains([]ScanState{ScanClean, ScanFound, ScanPending, ScanTooLong}, s.State) {
		err = fmt.Errorf("there is no state %q", s.State)
	}
	p.fail("Scan", err)
	s.At = at.UTC()
	return s
}

func (p *evidenceParser) pdfs(el *signing.Element) PDFFinding {
	attr := func(el *signing.Element, name string) string { v, _ := el.Attr("", name); return v }
	state := func(s string) signing.PDFState {
		if s != "" && !slices.Contains(signing.PDFStates, signing.PDFState(s)) {
			p.fail("PDFSignatures", fmt.Errorf("there is no state %q", s))
		}
		return signing.PDFState(s)
	}
	f := PDFFinding{Part: p.number(attr(el, "Part")), PDFSummary: PDFSummary{Count: p.number(attr(el, "Count")),
		State: state(attr(el, "State")), Whole: attr(el, "Whole") == "true"}}
	for _, one := range el.All(nsTram, "Signature") {
		s := PDFSignature{State: state(attr(one, "State")), Why: attr(one, "Why"), Signer: one.Value(), Stamped: attr(one, "Stamped") == "true",
			TimeStamp: attr(one, "TimeStamp") == "true", Whole: attr(one, "Whole") == "true"}
		if at := attr(one, "At"); at != "" {
			t, err := time.Parse(time.RFC3339Nano, at)
			p.fail("PDFSignatures", err)
			s.At = t.UTC()
		}
		f.Signatures = append(f.Signatures, s)
	}
	return f
}

func party(el *signing.Element) Party {
	id := el.Child(nsEvidence, "Identifier")
	scheme := ""
	if id != nil {
		scheme, _ = id.Attr("", "IdentifierSchemeName")
	}
	_, name := identity(el)
	return Party{Scheme: scheme, Code: id.Value(), Name: name}
}

func identity(el *signing.Element) (code, name string) {
	for _, a := range el.Child(nsEvidence, "Identity").All(nsSAML, "Attribute") {
		value := a.Child(nsSAML, "AttributeValue").Value()
		switch n, _ := a.Attr("", "Name"); n {
		case attrIdentifier:
			code = value
		case attrLegalName:
			name = value
		}
	}
	return code, name
}

// status reads which status package a receipt rests on.
func (p *evidenceParser) status(at *signing.Element) StatusBasis {
	id, _ := at.Attr("", "Package")
	sum, _ := at.Attr("", "SHA256")
	covers, _ := at.Attr("", "CoversContent")
	d, err := ParseDigest(sum)
	if err == nil && covers != "false" {
		err = fmt.Errorf("a status does not cover the content, and this one says %q", covers)
	}
	p.fail("Status", err)
	return StatusBasis{Code: at.Value(), Package: PackageID(id), Digest: d}
}
