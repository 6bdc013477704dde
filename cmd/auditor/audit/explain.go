package audit

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tram/exchange"
)

func (p *program) printVerification(result verification) error {
	if p.json {
		return p.printJSON(result)
	}
	var b strings.Builder
	for i, text := range result.text {
		if i > 0 {
			b.WriteByte('\n')
		}
		text(&b, p.colour())
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

// explain says what a receipt attests to, in words.
func (v verified) explain(b *strings.Builder, c colours) {
	fmt.Fprintf(b, "%s: %s\n", v.File, c.verdict(v.OK))
	if v.Says != nil {
		v.attests(b)
		v.restsOn(b)
	}
	for _, f := range v.Findings {
		fmt.Fprintf(b, "  %s %s\n", c.bad("✗"), oneLine(f.String()))
	}
}

func (v verified) attests(b *strings.Builder) {
	e := v.evidence
	line(b, "Event", "%s: %s", e.Event, wordsOf(e.Event))
	line(b, "When", "%s", moment(e.Time))
	line(b, "Hub", "%s (%s)", e.Hub.Name, e.Hub.Code)
	line(b, "From", "%s", who(e.Sender))
	if e.Submitter != "" {
		line(b, "", "submitted by system %s", e.Submitter)
	}
	for _, r := range e.Recipients {
		line(b, "To", "%s", who(r))
	}
	if e.Receiver != "" {
		line(b, "", "answered through system %s", e.Receiver)
	}
	if e.Upstream != "" {
		line(b, "Axis", "%s", strings.TrimSuffix(e.Upstream+", which calls it "+e.UpstreamID, ", which calls it "))
	}
	if e.Package != "" {
		line(b, "Package", "%s", e.Package)
	}
	if e.DocumentID != "" {
		line(b, "Document", "%s", e.DocumentID)
	}
	if !e.SubmitTime.IsZero() {
		line(b, "", "submitted %s", moment(e.SubmitTime))
	}
	if e.Reason != "" {
		line(b, "Reason", "%s", strings.TrimSuffix(string(e.Reason)+": "+e.Detail, ": "))
	}
	for _, p := range e.Parts {
		line(b, "Content", "%s (%s), SHA-256 %s", p.Identifier, p.ContentType, p.Digest)
	}
	for _, f := range e.PDFs {
		line(b, "In the PDF", "content %d: %s", f.Part, f.PDFSummary)
		for _, s := range f.Signatures {
			line(b, "", "%s", s)
		}
	}
}

func (v verified) restsOn(b *strings.Builder) {
	line(b, "Rests on", "%s", basis(v.evidence.Basis))
	if s := v.evidence.Basis.Status; s.Code != "" {
		line(b, "", "status %s of the recipient, in package %s (SHA-256 %s): it names the document, and does not cover the digest of its content",
			s.Code, s.Package, s.Digest)
	}
	if m := v.evidence.Basis.Matched; m != "" {
		line(b, "", "the certificate was the agency's: %s", matched(m))
	}
	if f := v.evidence.Basis.Revocation; f.State != "" {
		line(b, "Revocation", "%s", revocationWords(f, v.evidence.Basis.Certificate))
	}
	if f := v.evidence.Basis.Later; f.State != "" {
		line(b, "Later", "%s", revocationWords(f, v.evidence.Basis.Certificate))
	}
	if a := v.Answer; a != nil {
		line(b, "", "the answer of %s of %s: %s", a.Recipient, moment(a.Time), strings.TrimSuffix(string(a.Outcome)+", "+a.Reason, ", "))
	}
	line(b, "Sealed by", "%s (certificate SHA-256 %s)", v.Seal.Subject, v.Seal.Certificate)
	if v.Stamp != nil {
		line(b, "Existed at", "%s", v.Stamp)
	}
	if v.Log != nil {
		line(b, "In the log", "%s, leaf %d of %d, root %s", v.Log.Origin, v.Log.Leaf, v.Log.Size, v.Log.Root)
	}
	if m := v.PackageMatches; m != nil && *m {
		line(b, "Compared", "the package given is the one the receipt is about, byte for byte")
	}
}

func line(b *strings.Builder, name, format string, args ...any) {
	fmt.Fprintf(b, "  %-11s %s\n", name, oneLine(fmt.Sprintf(format, args...)))
}

// oneLine keeps what a document says from drawing on the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}

// moment is a time as the law counts it: in Vietnam, and in UTC.
func moment(t time.Time) string {
	local := t.In(exchange.Vietnam)
	return fmt.Sprintf("%s (%s)", local.Format("2006-01-02 15:04:05.000 UTC+7"), t.UTC().Format(time.RFC3339))
}

func who(p exchange.Party) string {
	if p.Scheme == exchange.SchemeSystem {
		return "system " + p.Code
	}
	if p.Name == "" {
		return p.Code
	}
	return p.Name + " (" + p.Code + ")"
}

// wordsOf says what an event means for those it is about.
func wordsOf(e exchange.Event) string {
	switch e {
	case exchange.SubmissionAcceptance:
		return "the hub took the package in and answers for it from here on"
	case exchange.SubmissionRejection:
		return "the hub refused what was submitted and did not carry it"
	case exchange.ContentConsignment:
		return "the package was put at the recipient's disposal"
	case exchange.ContentConsignmentFailure:
		return "the package could not be put at the recipient's disposal"
	case exchange.ContentHandover:
		return "the recipient has the package and accepted it"
	case exchange.ContentHandoverFailure:
		return "the package was at the recipient's disposal and was not handed over"
	case exchange.ConsignmentRejection:
		return "the recipient refused the package"
	case exchange.AcceptanceRejectionExpiry:
		return "the recipient neither accepted nor refused the package in time"
	case exchange.RelayAcceptance:
		return "the axis that the recipient lives at took the package on"
	case exchange.RelayRejection:
		return "the axis that the recipient lives at does not take the package on"
	case exchange.RelayFailure:
		return "the axis that the recipient lives at could not be reached in time"
	case exchange.RevocationEstablished:
		return "what was not known of a certificate's revocation when its signature was accepted is known now"
	}
	return "an event that this program does not know"
}

func basis(b exchange.Basis) string {
	switch b.Method {
	case exchange.BasisSignature:
		words := fmt.Sprintf("an XML signature by %s (certificate SHA-256 %s, %s), which the hub verified", b.Subject, b.Certificate, shortURI(b.Algorithm))
		if !b.SHA1Until.IsZero() {
			words += "; it rests on SHA-1, which the hub let pass for this sender until " + moment(b.SHA1Until)
		}
		return words
	case exchange.BasisSystem:
		return "the word of the authenticated system: there was no signature"
	case exchange.BasisHub:
		return "the hub's own record: nobody else took part"
	}
	return "something that this program does not know: " + b.Method
}

func matched(how string) string {
	switch how {
	case exchange.MatchedRegistered:
		return "it was registered for it"
	case exchange.MatchedSubject:
		return "a subject rule of the agency took it"
	case exchange.MatchedUpstream:
		return "a trusted authority issued it, and whose it is was the word of the axis that the package came from"
	}
	return "in a way that this program does not know: " + how
}

// revocationWords says what was known of a certificate's revocation at one time.
func revocationWords(f exchange.RevocationFinding, leaf exchange.Digest) string {
	whose := "the certificate"
	if !f.Certificate.IsZero() && f.Certificate != leaf {
		whose = "an authority's certificate (SHA-256 " + f.Certificate.String() + ")"
	}
	var text string
	switch f.State {
	case exchange.RevocationGood:
		text = "not revoked"
		if !f.RevokedAt.IsZero() {
			text = whose + " was not revoked yet: it was at " + moment(f.RevokedAt)
		}
	case exchange.RevocationRevoked:
		text = whose + " had been revoked"
		if !f.RevokedAt.IsZero() {
			text += " at " + moment(f.RevokedAt)
		}
	case exchange.RevocationUnknown:
		text = "nothing was known of " + whose
	}
	if f.Reason != "" {
		text += " (" + f.Reason + ")"
	}
	text += ", asked at " + moment(f.CheckedAt)
	if f.Source != "" {
		text += ", of " + f.Source
	}
	if !f.ThisUpdate.IsZero() {
		text += ", which is of " + moment(f.ThisUpdate)
	}
	return text
}

func shortURI(s string) string { return s[strings.LastIndexAny(s, "#/")+1:] }
