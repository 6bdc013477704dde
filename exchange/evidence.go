package exchange

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"tram/signing"
)

// Namespaces of receipts.
const (
	nsEvidence = "http://uri.etsi.org/19522/v1#"
	nsSAML     = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsDsig     = "http://www.w3.org/2000/09/xmldsig#"
	nsTram     = "urn:tram:evidence:1"

	uriSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

	evidenceVersion = "EN319522v1.1.1"
	attrIdentifier  = "http://eidas.europa.eu/attributes/legalperson/LegalPersonIdentifier"
	attrLegalName   = "http://eidas.europa.eu/attributes/legalperson/LegalName"
	// SchemeAgency and SchemeSystem say what a party's Identifier is.
	SchemeAgency = "urn:tram:agency"
	SchemeSystem = "urn:tram:system"

	timeLayout = "2006-01-02T15:04:05.000Z"
)

// Evidence is what a receipt says: the part of ETSI EN 319 522-3 (5.2.2) that
// the hub uses.
type Evidence struct {
	ID        ReceiptID
	Event     Event
	Reason    Code
	Detail    string
	Time      time.Time
	Hub       Hub
	Sender    Party
	Submitter string // the system that submitted
	// Recipients are all recipients of the package in its order, or the one
	// that the receipt is about.
	Recipients []Party
	Receiver   string // the system that answered for the recipient
	SubmitTime time.Time
	// RefersTo is the place, from 1, in Recipients of the one that the receipt
	// is about; 0 if it is about all.
	RefersTo   int
	Package    PackageID
	DocumentID string
	// Parts are the package itself, then its attachments, decoded.
	Parts    []Part
	Delivery DeliveryID
	// Upstream is the axis that the delivery was handed to, or was to be, and
	// UpstreamID what that axis calls the package; empty for the hub's own agencies.
	Upstream   string
	UpstreamID string
	Basis      Basis
	// Scan is what a malware scanner said when the package was accepted; nil: none
	// was asked, or the receipt is of something else.
	Scan *Scan
	// PDFs are what was found of signatures inside PDF files when the package was
	// accepted.
	PDFs []PDFFinding
	// Acknowledgement is the recipient's signed answer, as it came.
	Acknowledgement []byte
}

// Party is an agency, or a system where no agency is known.
type Party struct {
	Scheme string // SchemeAgency or SchemeSystem
	Code   string
	Name   string
}

// Part is one piece of content that a receipt is bound to.
type Part struct {
	Identifier  string
	ContentType string
	Digest      Digest
}

// Basis says what the hub relied on: a verified signature, or the word of an
// authenticated system.
type Basis struct {
	Method      string // BasisSignature, BasisSystem or BasisHub
	Algorithm   string // SignatureMethod URI
	Certificate Digest
	Subject     string
	// SHA1Until is the end of the exception under which a signature that rests on
	// SHA-1 was let pass; zero where none was needed.
	SHA1Until time.Time
	// Matched says how the certificate was found to be the agency's; empty where
	// there is none, and in receipts of hubs that did not say.
	Matched string
	// Revocation is what was known of the certificate's revocation when the hub
	// acted; no state: it was not asked about.
	Revocation RevocationFinding
	// Status is the status package that answered for the recipient, where no
	// acknowledgement did.
	Status StatusBasis
	// Later is what was found out after that, if nothing was known then.
	Later RevocationFinding
}

// StatusBasis is a status package that settled a delivery. Whoever signed it, or
// sent it, named the document; the digest of its content is not covered by that.
type StatusBasis struct {
	Code    string // two digits
	Package PackageID
	Digest  Digest // of the status package
}

const (
	// MatchedRegistered is a certificate that is registered for the agency.
	MatchedRegistered = "registered"
	// MatchedSubject is one that a subject rule of the agency fits.
	MatchedSubject = "subject-rule"
	// MatchedUpstream is one that a trusted authority issued, and that nobody here
	// has: that it is the agency's is the word of the axis the package came from.
	MatchedUpstream = "upstream"
)

const (
	// BasisSignature is an XML signature by a certificate of the agency.
	BasisSignature = "xml-signature"
	// BasisSystem is the system's word: the agency's policy lets its authenticated system speak for it.
	BasisSystem = "authenticated-system"
	// BasisHub is the hub's own record, where nobody else acts (a deadline passed).
	BasisHub = "hub-record"
)

func basisOf(s *Signature) Basis {
	if s == nil {
		return Basis{Method: BasisSystem}
	}
	return Basis{Method: BasisSignature, Algorithm: s.Method, Certificate: s.Certificate, Subject: s.Subject, SHA1Until: s.SHA1Until,
		Matched: s.Matched, Revocation: s.Revocation}
}

// Canonical is the evidence's document in exclusive canonical form (C14N 1.0),
// without a seal, so that sealing it is hashing it.
func (e Evidence) Canonical() []byte {
	w := xmlWriter{b: make([]byte, 0, 2048)}
	w.open("erds:Evidence", "xmlns:erds", nsEvidence, "Id", "e-"+string(e.ID), "version", evidenceVersion)
	w.leaf("erds:EvidenceIdentifier", string(e.ID))
	w.leaf("erds:ERDSEventId", e.Event.URI())
	if e.Reason != "" {
		w.open("erds:EventReasons")
		w.open("erds:EventReason")
		w.leaf("erds:Code", e.Reason.URI())
		if e.Detail != "" {
			w.leaf("erds:Details", e.Detail)
		}
		w.close(2)
	}
	w.leaf("erds:EventTime", e.Time.UTC().Format(timeLayout))
	w.open("erds:EvidenceIssuerPolicyID")
	w.leaf("erds:PolicyID", e.Hub.Policy)
	w.close(1)
	w.open("erds:EvidenceIssuerDetails")
	w.identity(e.Hub.Code, e.Hub.Name)
	w.close(1)
	w.party("erds:SenderDetails", e.Sender)
	if e.Submitter != "" {
		w.party("erds:SenderDelegateDetails", Party{Scheme: SchemeSystem, Code: e.Submitter})
	}
	for _, r := range e.Recipients {
		w.party("erds:RecipientDetails", r)
	}
	if len(e.Recipients) == 0 { // the schema wants one, a rejected submission may have none
		w.open("erds:RecipientDetails")
		w.close(1)
	}
	if e.Receiver != "" {
		w.open("erds:RecipientsDelegateDetails")
		w.leaf("erds:Identifier", e.Receiver, "IdentifierSchemeName", SchemeSystem)
		w.leaf("erds:DelegatingRecipients", strconv.Itoa(max(e.RefersTo, 1)))
		w.close(1)
	}
	if !e.SubmitTime.IsZero() {
		w.leaf("erds:SubmissionTime", e.SubmitTime.UTC().Format(timeLayout))
	}
	if e.RefersTo > 0 {
		w.leaf("erds:EvidenceRefersToRecipient", strconv.Itoa(e.RefersTo))
	}
	if e.Package != "" {
		w.leaf("erds:MessageIdentifier", string(e.Package))
	}
	e.content(&w)
	if e.Upstream != "" {
		w.leaf("erds:ForwardedToExternalSystem", e.Upstream)
	}
	e.transaction(&w)
	w.close(1)
	return w.b
}

func (e Evidence) content(w *xmlWriter) {
	if len(e.Parts) == 0 {
		return
	}
	w.open("erds:UserContentInfo")
	if e.DocumentID != "" {
		w.leaf("erds:AppLayerIdentifier", e.DocumentID)
	}
	w.leaf("erds:ComposingParts", strconv.Itoa(len(e.Parts)))
	w.open("erds:PartsInfo")
	for _, p := range e.Parts {
		w.open("erds:PartInfo")
		w.leaf("erds:Identifier", p.Identifier)
		w.leaf("erds:ContentType", p.ContentType)
		w.leaf("ds:DigestMethod", "", "xmlns:ds", nsDsig, "Algorithm", uriSHA256)
		w.leaf("ds:DigestValue", base64.StdEncoding.EncodeToString(p.Digest[:]), "xmlns:ds", nsDsig)
		w.close(1)
	}
	w.close(2)
}

func (e Evidence) transaction(w *xmlWriter) {
	w.open("erds:TransactionLogInformation")
	w.open("erds:TransactionLog")
	if e.Delivery != "" {
		w.leaf("t:Delivery", string(e.Delivery), "xmlns:t", nsTram)
	}
	if e.UpstreamID != "" {
		w.leaf("t:ForwardedAs", e.UpstreamID, "xmlns:t", nsTram)
	}
	w.open("t:Basis", "xmlns:t", nsTram)
	w.leaf("t:Method", e.Basis.Method)
	if e.Basis.Algorithm != "" {
		w.leaf("t:Algorithm", e.Basis.Algorithm)
	}
	if !e.Basis.Certificate.IsZero() {
		w.leaf("t:CertificateSHA256", e.Basis.Certificate.String())
	}
	if e.Basis.Subject != "" {
		w.leaf("t:Subject", e.Basis.Subject)
	}
	if !e.Basis.SHA1Until.IsZero() {
		w.leaf("t:Exception", "", "Rule", string(signing.SHA1), "Until", e.Basis.SHA1Until.UTC().Format(timeLayout))
	}
	if e.Basis.Matched != "" {
		w.leaf("t:Matched", e.Basis.Matched)
	}
	if s := e.Basis.Status; s.Code != "" {
		w.leaf("t:Status", s.Code, "CoversContent", "false", "Package", string(s.Package), "SHA256", s.Digest.String())
	}
	w.revocation("t:Revocation", e.Basis.Revocation)
	w.revocation("t:LaterRevocation", e.Basis.Later)
	w.close(1)
	w.scan(e.Scan)
	w.pdfs(e.PDFs)
	if len(e.Acknowledgement) > 0 {
		d := DigestOf(e.Acknowledgement)
		w.leaf("t:Acknowledgement", base64.StdEncoding.EncodeToString(e.Acknowledgement),
			"xmlns:t", nsTram, "SHA256", d.String())
	}
	w.close(2)
}

// revocation writes what was known at one time; nothing if it was not asked.
func (w *xmlWriter) revocation(element string, f RevocationFinding) {
	if f.State == "" {
		return
	}
	w.open(element)
	w.leaf("t:State", string(f.State))
	if !f.Certificate.IsZero() {
		w.leaf("t:CertificateSHA256", f.Certificate.String())
	}
	if f.Source != "" {
		w.leaf("t:Source", f.Source)
	}
	for _, at := range []struct {
		local string
		time  time.Time
	}{{"t:CheckedAt", f.CheckedAt}, {"t:ThisUpdate", f.ThisUpdate}, {"t:NextUpdate", f.NextUpdate}, {"t:RevokedAt", f.RevokedAt}} {
		if !at.time.IsZero() {
			w.leaf(at.local, at.time.UTC().Format(timeLayout))
		}
	}
	if f.Reason != "" {
		w.leaf("t:Reason", f.Reason)
	}
	w.close(1)
}

func (w *xmlWriter) scan(s *Scan) {
	if s == nil {
		return
	}
	w.open("t:Scan", "xmlns:t", nsTram)
	w.leaf("t:State", string(s.State))
	for _, name := range s.Found {
		w.leaf("t:Found", name)
	}
	if s.Engine != "" {
		w.leaf("t:Engine", s.Engine)
	}
	w.leaf("t:ScannedAt", s.At.UTC().Format(timeLayout))
	w.close(1)
}

func (w *xmlWriter) pdfs(list []PDFFinding) {
	for _, f := range list {
		attrs := []string{"xmlns:t", nsTram, "Count", strconv.Itoa(f.Count), "Part", strconv.Itoa(f.Part)}
		if f.State != "" {
			attrs = append(attrs, "State", string(f.State))
		}
		w.open("t:PDFSignatures", append(attrs, "Whole", strconv.FormatBool(f.Whole))...)
		for _, s := range f.Signatures {
			w.pdf(s)
		}
		w.close(1)
	}
}

func (w *xmlWriter) pdf(s PDFSignature) {
	var attrs []string
	if !s.At.IsZero() {
		attrs = append(attrs, "At", s.At.UTC().Format(timeLayout))
	}
	if s.Stamped {
		attrs = append(attrs, "Stamped", "true")
	}
	attrs = append(attrs, "State", string(s.State))
	if s.TimeStamp {
		attrs = append(attrs, "TimeStamp", "true")
	}
	attrs = append(attrs, "Whole", strconv.FormatBool(s.Whole))
	if s.Why != "" {
		attrs = append(attrs, "Why", s.Why)
	}
	w.leaf("t:Signature", s.Signer, attrs...)
}

// identity is a legal person (eIDAS SAML attribute profile, 2.2).
func (w *xmlWriter) identity(code, name string) {
	w.open("erds:Identity")
	for _, a := range [][2]string{{attrIdentifier, code}, {attrLegalName, name}} {
		if a[1] == "" {
			continue
		}
		w.open("saml:Attribute", "xmlns:saml", nsSAML, "Name", a[0])
		w.leaf("saml:AttributeValue", a[1])
		w.close(1)
	}
	w.close(1)
}

func (w *xmlWriter) party(element string, p Party) {
	w.open(element)
	if p.Name != "" {
		w.identity(p.Code, p.Name)
	}
	w.leaf("erds:Identifier", p.Code, "IdentifierSchemeName", p.Scheme)
	w.close(1)
}

// ParseReceipt reads a receipt and verifies its seal's mathematics. Whether the
// certificate that sealed it is the hub's is for the caller to decide.
func ParseReceipt(raw []byte) (Receipt, Evidence, *signing.Document, error) {
	doc, err := signing.Read(bytes.NewReader(raw), signing.Options{Limits: signing.Limits{Bytes: MaxReceipt}})
	if err != nil {
		return Receipt{}, Evidence{}, nil, refusal(err)
	}
	if doc.Root.Name != (signing.Name{Space: nsEvidence, Local: "Evidence"}) {
		return Receipt{}, Evidence{}, nil, fmt.Errorf("the document is a {%s}%s, not an Evidence of %s", doc.Root.Space, doc.Root.Local, nsEvidence)
	}
	if doc.Signature == nil {
		return Receipt{}, Evidence{}, nil, fmt.Errorf("the receipt has no seal")
	}
	e, err := parseEvidence(doc.Root)
	if err != nil {
		return Receipt{}, Evidence{}, nil, err
	}
	sealed, token := signing.WithoutTimeStamp(raw)
	r := Receipt{ID: e.ID, Event: e.Event, Time: e.Time, Package: e.Package, Delivery: e.Delivery, Reason: e.Reason, Raw: sealed}
	if token != nil {
		r.TimeStamp = TimeStampKept
	}
	return r, e, doc, nil
}

// MaxReceipt bounds a receipt's bytes: an acceptance naming 10,000 recipients
// and an embedded acknowledgement fit.
const MaxReceipt = 16 << 20
