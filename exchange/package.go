package exchange

import (
	"strings"
	"time"

	"tram/signing"
)

// PackageID identifies a package: a UUID version 7, so that later is greater.
type PackageID string

// Kind is what a package is for (edXML BussinessDocType, and status messages).
type Kind string

// The kinds.
const (
	KindNew     Kind = "new"
	KindRecall  Kind = "recall"
	KindUpdate  Kind = "update"
	KindReplace Kind = "replace"
	KindStatus  Kind = "status"
)

// Kinds are all kinds.
var Kinds = []Kind{KindNew, KindRecall, KindUpdate, KindReplace, KindStatus}

// Package is one signed document as it came, and what the hub read in it. Only
// what the signature covers is read.
type Package struct {
	ID   PackageID `json:"id"`
	Kind Kind      `json:"kind"`
	// Sender is the sender's canonical code, SenderAs the form it wrote.
	Sender   string `json:"sender"`
	SenderAs string `json:"senderAs,omitempty"`
	// System is the system that submitted it.
	System string `json:"system"`
	// DocumentID is the sender's own identifier of the document; empty for
	// status packages.
	DocumentID string `json:"documentId,omitempty"`
	// Number and Notation, for example "1250" and "STC-NS".
	Number           string `json:"number,omitempty"`
	Notation         string `json:"notation,omitempty"`
	PromulgationDate string `json:"promulgationDate,omitempty"` // yyyy/MM/dd
	TypeName         string `json:"typeName,omitempty"`
	Subject          string `json:"subject,omitempty"`
	// Priority is 0 to 4; from 1 on the package goes before others.
	Priority   int         `json:"priority,omitempty"`
	Recipients []Recipient `json:"recipients"`
	// Unknown are recipients as written that no agency was found for, where the
	// package was taken in for the others.
	Unknown []Recipient `json:"unknown,omitempty"`
	// Targets are the documents that a recall, an update or a replacement is
	// about.
	Targets []string `json:"targets,omitempty"`
	// Added and Removed are recipients that an update adds or removes.
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	// Replaced says for whom a replacement replaces its targets.
	Replaced []Replaced     `json:"replaced,omitempty"`
	Status   *StatusMessage `json:"status,omitempty"`
	// Digest is of the bytes as they came; it is their name in the vault.
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"`
	// Content recognises a resubmission: the digest of the canonical
	// SignedInfo, or of the bytes where there is no signature. KeyInfo is not
	// signed and may differ.
	Content     Digest       `json:"content"`
	Attachments []Attachment `json:"attachments,omitempty"`
	Signature   *Signature   `json:"signature,omitempty"`
	// Warnings are departures that were let pass, by rule name.
	Warnings   []string  `json:"warnings,omitempty"`
	AcceptedAt time.Time `json:"acceptedAt"`
	// Scan is what the malware scanner said before it was accepted; nil: there was
	// none.
	Scan *Scan `json:"scan,omitempty"`
	// Purged is there if the package was purged; it has no words then.
	Purged *Purge `json:"purged,omitempty"`
	// Doubtful is the chain of its certificate, DER, leaf first, if it is accepted
	// while nothing is known of its revocation.
	Doubtful [][]byte `json:"-"`
	// Strangers are its agencies that live at another axis and are not in the
	// directory yet.
	Strangers []Agency `json:"-"`
	// SenderPlace is where the sender stands in the document.
	SenderPlace Place `json:"-"`
	// TargetPlace is where the first target stands in the document.
	TargetPlace Place `json:"-"`
}

// Replaced is a document that another takes the place of.
type Replaced struct {
	DocumentID string `json:"documentId"`
	// For are the recipients, as written, for whom it does; none: those of the new
	// document.
	For []string `json:"for,omitempty"`
}

// Place is an element of a document: its path and the line of its start tag.
type Place struct {
	Path string
	Line int
}

// Recipient is an agency that a package is addressed to.
type Recipient struct {
	Code string `json:"code"`           // canonical
	As   string `json:"as,omitempty"`   // as written in the package
	Name string `json:"name,omitempty"` // as written in the package
	// Place is where it stands in the document.
	Place Place `json:"-"`
}

// Attachment is a file inside a package.
type Attachment struct {
	Name        string `json:"name"`
	ContentID   string `json:"contentId"`
	ContentType string `json:"contentType"`
	// Size and Digest are of the decoded bytes, unzipped where the format
	// wraps a file into a ZIP.
	Size   int64  `json:"size"`
	Digest Digest `json:"digest"`
	// Detected is the media type that the bytes show; empty where that is
	// ContentType, or nobody looked.
	Detected string `json:"detected,omitempty"`
	// Flags are what receivers should know before they open it: FlagProgram,
	// FlagType, FlagMacros.
	Flags []string `json:"flags,omitempty"`
	// Signatures are those inside of it, if it is a PDF file.
	Signatures []PDFSignature `json:"signatures,omitempty"`
	// Ranges are what such signatures say that they cover.
	Ranges []signing.ByteRange `json:"-"`
}

// What is found in attachments.
const (
	FlagProgram = "program" // it is a program or a script, by its name
	FlagType    = "type"    // its content is not what its name says
	FlagMacros  = "macros"  // it has macros
)

// Signature is what a package's verified signature says.
type Signature struct {
	Method      string `json:"method"`
	Certificate Digest `json:"certificate"`
	Subject     string `json:"subject"`
	Serial      string `json:"serial"`
	// SHA1Until is set when the signature rests on SHA-1: the end of the exception
	// under which the sender was allowed that.
	SHA1Until time.Time `json:"sha1Until,omitzero"`
	// Matched says how the certificate was found to be the agency's:
	// MatchedRegistered, MatchedSubject or MatchedUpstream.
	Matched string `json:"matched,omitempty"`
	// Revocation is what was known of its revocation when it was accepted.
	Revocation RevocationFinding `json:"revocation,omitzero"`
}

// SignatureOf keeps what a verified signature says; nil for none. The serial
// number is decimal, as in X509IssuerSerial (XML Signature 1.1, 4.5.4.1).
func SignatureOf(s *signing.Signature) *Signature {
	if s == nil {
		return nil
	}
	return &Signature{Method: s.Method, Certificate: DigestOf(s.Certificate.Raw),
		Subject: s.Certificate.Subject.String(), Serial: s.Certificate.SerialNumber.String()}
}

// StatusMessage is the business status that a status package reports on a
// document of its recipient (the national standard's codes).
type StatusMessage struct {
	Code string `json:"code"` // two digits
	// To is the agency that sent the document: canonical, and as written.
	To          string `json:"to"`
	ToAs        string `json:"toAs,omitempty"`
	DocumentID  string `json:"documentId,omitempty"`
	Notation    string `json:"notation,omitempty"` // "1250/STC-NS"
	Date        string `json:"date,omitempty"`     // yyyy/MM/dd
	Description string `json:"description,omitempty"`
	Timestamp   string `json:"timestamp,omitempty"` // yyyy/MM/dd HH:mm:ss, UTC+7
	Place       Place  `json:"-"`
}

// Exclusive reports whether the sender may use the document's identifier only
// once for this kind: recalls and updates repeat the identifier of the document
// they are about, status packages have none.
func (p Package) Exclusive() bool { return p.Kind == KindNew || p.Kind == KindReplace }

// Urgent reports whether the package goes before others.
func (p Package) Urgent() bool { return p.Priority > 0 }

// Writes is a recipient's code as the package has it.
func (p Package) Writes(code string) string {
	for _, r := range p.Recipients {
		if r.Code == code && r.As != "" {
			return r.As
		}
	}
	return code
}

// FullNumber is the document's number and notation as people write it, for example
// "1250/STC-NS"; of a status, those of the document that it is about.
func (p Package) FullNumber() string {
	if p.Status != nil {
		return p.Status.Notation
	}
	return strings.Trim(p.Number+"/"+p.Notation, "/")
}
