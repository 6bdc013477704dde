package signing

import (
	"crypto/x509"
	"io"
	"time"
)

// Options say how a document is to be read. The zero value reads a document
// whose signature, if any, is the last child of the root.
type Options struct {
	Limits Limits

	// Stream, when not nil, is asked at every element start. If it returns a
	// writer, the element's character data goes there piece by piece instead of
	// into Element.Text; such an element may hold text only. The writer must not
	// keep the pieces. Its error ends the read and is returned; a *Error without
	// a place is given the element's. A writer that is an io.Closer is closed at
	// the end tag, its error likewise ending the read; it is not closed when the
	// read ends before.
	Stream func(*Element) io.Writer

	// SignatureIn lists where, besides last in the root, the one ds:Signature
	// may stand: as a child of the element reached by these names, from the root.
	SignatureIn [][]Name

	// NoDigest leaves Document.Digest zero, for callers who have the digest of
	// the bytes already: taking it is near half of the work on a large document.
	NoDigest bool

	// Again reads the same document once more, from its beginning, for what one
	// reading cannot digest: other canonical forms and digests than exclusive and
	// SHA-256, and attachments. It is called once at most, after the first reading,
	// and the result is closed. Unless NoDigest is set, the second reading must have
	// the bytes of the first; else the caller answers for that. Without Again a
	// reader that can seek is read again; of any other such signatures are refused.
	Again func() (io.ReadCloser, error)

	// Part finds what a reference means that is neither to the document nor into it:
	// an attachment. It is called after the document has been read. Without Part
	// such references are refused.
	Part func(root *Element, uri string) (Part, bool)

	// SHA1 lets a signature rest on SHA-1. Signature.SHA1 says if one does; whether
	// its signer may is for the caller to decide.
	SHA1 bool

	scanOnly bool // ours: a signature is looked for, not verified
	elements bool // ours: a signature is elements like any other
}

// Part is an attachment: an element whose text is base64.
type Part struct {
	Element *Element
	// Decode returns a writer that decodes what it is given and passes it on. Its
	// errors, and that of Close at the text's end, end the reading.
	Decode func(to io.Writer) io.WriteCloser
}

// SignedPart is an attachment that a reference of its own covers.
type SignedPart struct {
	URI     string   // of the reference, as written
	Element *Element // whose content it is
	Decoded bool     // the digest is of the decoded content; else of the base64 text
}

// Document is what a reading leaves.
type Document struct {
	Root      *Element
	Size      int64
	Digest    [32]byte   // SHA-256 of the bytes as they came
	Signature *Signature // nil: no signature
}

// Signature is a signature that holds: mathematics and shape, not trust.
type Signature struct {
	Method           string              // SignatureMethod
	Canonicalization string              // CanonicalizationMethod, of SignedInfo
	DigestMethod     string              // of the document's reference
	SHA1             bool                // the method or a digest is SHA-1
	SignedInfo       [32]byte            // SHA-256 of the canonical SignedInfo: the key for recognising a resubmission
	Value            []byte              // SignatureValue
	Parts            []SignedPart        // attachments with references of their own
	Certificate      *x509.Certificate   // the one whose key verified the signature
	Others           []*x509.Certificate // further certificates from KeyInfo: hints for chain building only
	SigningTime      time.Time           // claimed by the signer in XAdES signed properties, else zero
	Line             int

	// Stamped is the SignatureValue in exclusive canonical form: the data that a
	// time-stamp on the signature is over (EN 319 132-1, 5.3).
	Stamped []byte
	// TimeStamps are the RFC 3161 tokens, DER, that the signature carries. They
	// are read and are over Stamped; whether they hold is Trust.CheckTimeStamp's
	// to say. Nothing signs them: anyone may have added one, or taken it away.
	TimeStamps [][]byte
}

// Scan reads a document as Read does, but looks at no signature: one that is there
// is elements like any other, and none of what was read may be relied on. It is
// for explaining what else is wrong with a document whose signature does not hold.
func Scan(r io.Reader, o Options) (*Document, error) {
	o.scanOnly, o.elements = true, true
	return Read(r, o)
}

// Read scans one document in constant memory, verifying its signature if it has
// one. One pass is enough for what the first reading digests: exclusive canonical
// form and SHA-256; a signature that asks for anything else, or covers attachments
// by references of their own, is read for a second time (Options.Again).
//
// What a signature says of itself is verified when it ends, wherever it stands, so
// that one that cannot hold ends the reading before a long body is read. On error
// nothing read may be used. Read verifies mathematics and shape, not trust: that
// is Trust.Check.
func Read(r io.Reader, o Options) (*Document, error) {
	s := newScanner(r, o)
	defer s.release()
	if err := s.document(); err != nil {
		return nil, err
	}
	d := &Document{Root: s.root, Size: s.size}
	if s.raw != nil {
		s.raw.Sum(d.Digest[:0])
	}
	v := s.sig.check
	if v == nil {
		return d, nil
	}
	sig, err := v.finish(s.canon.sum(), func() error { return v.readAgain(r, o, d) })
	if err != nil {
		return nil, err
	}
	d.Signature = sig
	return d, nil
}
