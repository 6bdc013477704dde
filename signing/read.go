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
	Method       string              // SignatureMethod
	DigestMethod string              // of the document's reference
	SignedInfo   [32]byte            // SHA-256 of the canonical SignedInfo: the key for recognising a resubmission
	Certificate  *x509.Certificate   // the one whose key verified the signature
	Others       []*x509.Certificate // further certificates from KeyInfo: hints for chain building only
	SigningTime  time.Time           // claimed by the signer in XAdES signed properties, else zero
	Line         int
}

// Read scans one document in a single pass and constant memory, verifying its
// signature if it has one. On error nothing read may be used. It verifies
// mathematics and shape, not trust: that is Trust.Check.
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
	if s.sig.el == nil {
		return d, nil
	}
	v := verification{el: s.sig.el, root: s.root, digest: s.canon.sum(), limits: s.lim, scan: &s.sig}
	sig, err := v.run()
	if err != nil {
		return nil, err
	}
	d.Signature = sig
	return d, nil
}
