package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// Names of findings on packages.
const (
	packageRefused          = "package-refused"            // not a package that a hub may carry, changed after it was signed, or signed in a way that does not count
	packageUnsigned         = "package-unsigned"           // nothing shows whose package it is
	signerUntrusted         = "signer-untrusted"           // the signer's certificate does not lead to the authorities given, or was not in force
	certificateUnregistered = "certificate-not-registered" // signed with another certificate than those given
)

// verifiedPackage is what became of one package.
type verifiedPackage struct {
	File      string          `json:"file"`
	OK        bool            `json:"ok"`
	Size      int64           `json:"size,omitempty"`
	SHA256    exchange.Digest `json:"sha256,omitzero"`
	Says      *packageOut     `json:"says,omitempty"`
	Signature *signatureOut   `json:"signature,omitempty"`
	// Judged is set when the certificate's chain was asked for.
	Judged   *judgement `json:"judged,omitempty"`
	Findings []Finding  `json:"findings"`
}

// packageOut is what a package says, for programs.
type packageOut struct {
	Kind        exchange.Kind         `json:"kind"`
	Document    string                `json:"document,omitempty"`
	Subject     string                `json:"subject,omitempty"`
	Sender      string                `json:"sender"`
	Recipients  []partyOut            `json:"recipients"`
	Attachments []exchange.Attachment `json:"attachments"`
	Warnings    []string              `json:"warnings,omitempty"`
}

// signatureOut is what a signature that holds says.
type signatureOut struct {
	Subject     string          `json:"subject"`
	Issuer      string          `json:"issuer"`
	Certificate exchange.Digest `json:"certificate"`
	NotBefore   time.Time       `json:"notBefore"`
	NotAfter    time.Time       `json:"notAfter"`
	Method      string          `json:"method"`
	SHA1        bool            `json:"sha1,omitempty"` // it rests on SHA-1
	SignedInfo  exchange.Digest `json:"signedInfo"`
	// Claimed is the signer's own word; zero if it says nothing.
	Claimed time.Time `json:"claimed,omitzero"`
}

// judgement is of a certificate: at which time, and why that one.
type judgement struct {
	At    time.Time `json:"at"`
	Basis atBasis   `json:"basis"`
	OK    bool      `json:"ok"`
}

// atBasis is where the time came from at which a certificate was judged.
type atBasis string

const (
	atGiven   atBasis = "given"      // by --at
	atClaimed atBasis = "claimed"    // by the signer, in the signature
	atReceipt atBasis = "receipt"    // by the receipt that the certificate sealed
	atStamp   atBasis = "time-stamp" // by the authority of a time-stamp on the receipt's seal
	atNow     atBasis = "now"
)

// judgedAt is the time at which to judge the signer's certificate. The signer's
// own word comes before the clock: a package is looked at years later, too.
func judgedAt(given, claimed time.Time) judgement {
	switch {
	case !given.IsZero():
		return judgement{At: given, Basis: atGiven}
	case !claimed.IsZero():
		return judgement{At: claimed, Basis: atClaimed}
	}
	return judgement{At: time.Now().Truncate(time.Second), Basis: atNow}
}

// looksLikePackage says whether a file has the root of a package; unclear is what
// to say if the root cannot be read.
func looksLikePackage(file string, unclear bool) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	root, err := signing.RootName(f)
	if err != nil && refused(err) {
		return unclear, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", file, err)
	}
	return strings.HasPrefix(strings.ToLower(root.Local), "edxml"), nil
}

// verifyPackage checks one package in one pass. The error is of reading files;
// what does not hold is in the result.
func (v verifier) verifyPackage(file string) (verifiedPackage, error) {
	p := verifiedPackage{File: file, Findings: []Finding{}}
	f, size, err := openSized(file)
	if err != nil {
		return p, err
	}
	defer f.Close()
	decoder := edxml.New(limitsFor(size)).Decoder()
	bar := v.progress("verifying "+file, size)
	options := decoder.Options()
	options.SHA1 = v.options.sha1
	doc, err := signing.Read(bar.Reader(f), options)
	bar.End()
	if err != nil && !refused(err) {
		return p, fmt.Errorf("reading %s: %w", file, err)
	}
	if err != nil {
		p.Findings = append(p.Findings, finding(packageRefused, "%s", inWords(err, "en")))
		return p, nil
	}
	p.Size, p.SHA256 = doc.Size, doc.Digest
	p.says(decoder, doc)
	p.signed(doc.Signature)
	if v.trust != nil && doc.Signature != nil {
		p.judge(v.trust, doc.Signature, judgedAt(v.at, doc.Signature.SigningTime))
	}
	p.OK = len(p.Findings) == 0
	return p, nil
}

func openSized(file string) (*os.File, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// limitsFor lets a file of any size be read: an auditor's patience is no danger to
// others. What is kept in memory stays bounded.
func limitsFor(size int64) edxml.Options {
	const slack = 1 << 20
	return edxml.Options{Document: signing.Limits{Bytes: max(size+slack, 1<<30)}, Total: max(size, 1<<30)}
}

// refused says whether an error is of what was read, not of reading.
func refused(err error) bool {
	var form *exchange.Error
	var signature *signing.Error
	return errors.As(err, &form) || errors.As(err, &signature)
}

// refusal is why a document is refused, and where.
type refusal struct {
	rule, path, text string
	line             int
}

// refusalIn reads an error; of one that is no refusal there is its text alone.
func refusalIn(err error, lang string) refusal {
	var form *exchange.Error
	var signature *signing.Error
	switch {
	case errors.As(err, &form):
		return refusal{form.Rule.Name, form.Path, form.Text(lang), form.Line}
	case errors.As(err, &signature):
		return refusal{string(signature.Rule), signature.Path, signature.Text(lang), signature.Line}
	}
	return refusal{text: err.Error()}
}

// inWords says why a document is refused, and where.
func inWords(err error, lang string) string {
	r := refusalIn(err, lang)
	var b strings.Builder
	b.WriteString(r.rule)
	if r.line > 0 {
		fmt.Fprintf(&b, phrase(lang, " at line %d", " tại dòng %d"), r.line)
	}
	if r.path != "" {
		fmt.Fprintf(&b, phrase(lang, " in %s", " trong %s"), r.path)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	return b.String() + r.text
}

// says reads the package as a hub does.
func (p *verifiedPackage) says(decoder exchange.Decoder, doc *signing.Document) {
	content, err := decoder.Decode(doc)
	if err != nil {
		p.Findings = append(p.Findings, finding(packageRefused, "%s", inWords(err, "en")))
		return
	}
	out := packageOut{Kind: content.Kind, Document: content.DocumentID, Subject: content.Subject, Sender: content.SenderAs,
		Recipients: []partyOut{}, Attachments: []exchange.Attachment{}, Warnings: content.Warnings}
	for _, r := range content.Recipients {
		out.Recipients = append(out.Recipients, partyOut{r.As, r.Name})
	}
	out.Attachments = append(out.Attachments, content.Attachments...)
	p.Says = &out
}

func (p *verifiedPackage) signed(s *signing.Signature) {
	if s == nil {
		p.Findings = append(p.Findings, finding(packageUnsigned, "the package carries no signature: nothing shows whose it is, nor that it was not changed"))
		return
	}
	c := s.Certificate
	p.Signature = &signatureOut{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Certificate: exchange.DigestOf(c.Raw),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Method: s.Method, SHA1: s.SHA1, SignedInfo: s.SignedInfo, Claimed: s.SigningTime}
}

func (p *verifiedPackage) judge(trust *signing.Trust, s *signing.Signature, j judgement) {
	p.Judged = &j
	err := trust.Check(s.Certificate, s.Others, j.At)
	if err != nil {
		p.Findings = append(p.Findings, finding(signerUntrusted, "%s (%s)", inWords(err, "en"), j.in("en")))
	}
	j.OK = err == nil
}

// in says in a language at which time the certificate was judged.
func (j judgement) in(lang string) string {
	words := phrase(lang, "judged now, %s", "xét tại thời điểm hiện tại, %s")
	switch j.Basis {
	case atGiven:
		words = phrase(lang, "judged at the time given, %s", "xét tại thời điểm được nêu, %s")
	case atClaimed:
		words = phrase(lang, "judged at the time that the signer claims, %s", "xét tại thời điểm người ký tự khai, %s")
	case atReceipt:
		words = phrase(lang, "judged at the receipt's own time, %s", "xét tại thời điểm ghi trong biên nhận, %s")
	case atStamp:
		words = phrase(lang, "judged at the time of the time-stamp, %s", "xét tại thời điểm ghi trên dấu thời gian, %s")
	}
	return fmt.Sprintf(words, moment(j.At))
}

// phrase chooses between English and Vietnamese words.
func phrase(lang, en, vi string) string { return exchange.Words{En: en, Vi: vi}.In(lang) }

// explain says what a package is and who signed it, in words.
func (p verifiedPackage) explain(b *strings.Builder, c colours) {
	fmt.Fprintf(b, "%s: %s\n", p.File, c.verdict(p.OK))
	if s := p.Says; s != nil {
		line(b, "Package", "%s, document %s", s.Kind, orDash(s.Document))
		line(b, "Subject", "%s", orDash(s.Subject))
		line(b, "From", "%s", s.Sender)
		for _, r := range s.Recipients {
			line(b, "To", "%s", strings.TrimPrefix(r.Name+" ("+r.Code+")", " "))
		}
		for _, a := range s.Attachments {
			line(b, "Attachment", "%s (%s, %d bytes), SHA-256 %s", a.Name, a.ContentType, a.Size, a.Digest)
		}
	}
	if p.Size > 0 {
		line(b, "Bytes", "%d, SHA-256 %s", p.Size, p.SHA256)
	}
	if s := p.Signature; s != nil {
		line(b, "Signed by", "%s (certificate SHA-256 %s, issued by %s)", s.Subject, s.Certificate, s.Issuer)
		line(b, "", "with %s", shortURI(s.Method))
		if s.SHA1 {
			line(b, "", "rests on SHA-1, which others could have made fit another content")
		}
		if !s.Claimed.IsZero() {
			line(b, "", "at %s, as the signer claims", moment(s.Claimed))
		}
		p.standing(b)
	}
	for _, f := range p.Findings {
		fmt.Fprintf(b, "  %s %s\n", c.bad("✗"), oneLine(f.String()))
	}
	if !p.OK {
		fmt.Fprintf(b, "    \"auditor explain %s\" shows every step\n", p.File)
	}
}

// standing says what is known of the certificate.
func (p verifiedPackage) standing(b *strings.Builder) {
	switch {
	case p.Judged == nil:
		line(b, "Certificate", "not judged: name the authorities that it must lead to with --trust")
	case p.Judged.OK:
		line(b, "Certificate", "leads to the authorities given; %s", p.Judged.in("en"))
	}
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// parseMoment reads a time as people write it: RFC 3339, or a day, which begins
// in Vietnam. An empty one is no time.
func parseMoment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, s, exchange.Vietnam)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day, such as 2026-11-20, nor a time with a zone, such as 2026-11-20T09:20:31+07:00", s)
	}
	return t, nil
}
