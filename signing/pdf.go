package signing

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"fmt"
	"hash"
	"slices"
	"time"
)

// PDFState is what a signature in a PDF file came to.
type PDFState string

// The states, the worst last.
const (
	PDFValid       PDFState = "valid"       // it holds, and its certificate leads to a trusted root
	PDFUntrusted   PDFState = "untrusted"   // it holds, and its certificate does not count
	PDFWeak        PDFState = "weak"        // it rests on SHA-1, MD5 or a weak key; nobody verified it
	PDFUnsupported PDFState = "unsupported" // of a kind that is not verified, or not to be read
	PDFInvalid     PDFState = "invalid"     // it does not hold, or not for this file
)

// PDFStates are all states, the worst last.
var PDFStates = []PDFState{PDFValid, PDFUntrusted, PDFWeak, PDFUnsupported, PDFInvalid}

// A PDFSignature is what was found of one signature in a PDF file.
type PDFSignature struct {
	State PDFState
	// Why it is not valid: a Rule of this package, or one of the words below.
	Why string
	// TimeStamp: it is a document time-stamp, and nobody's signature.
	TimeStamp bool
	// Whole: it covers the file to its last byte. What was appended later, it does
	// not cover.
	Whole bool
	// Signer is the certificate whose key signed; nil if it is not valid or
	// untrusted. Of one that is not valid the names are whatever its maker wrote.
	Signer *x509.Certificate
	// Time is when it was signed: by a time-stamp on it, else as the signer claims;
	// zero: not said.
	Time    time.Time
	Stamped bool // Time is a time-stamp's
}

// Why a signature in a PDF file is not valid, beside the rules for all signatures.
const (
	pdfRange       = "byte-range"           // it does not cover the file from its beginning with one gap
	pdfContents    = "contents"             // the gap holds anything but Contents and its padding
	pdfForm        = "cms"                  // Contents is not a CMS SignedData of one signer
	pdfSubFilter   = "sub-filter"           // it is of a kind that is not verified
	pdfNoAttrs     = "no-signed-attributes" // what is signed is not said
	pdfCertificate = "certificate-missing"  // it does not carry the signer's certificate
	pdfTooMany     = "too-many"             // there are more signatures than are looked at
	pdfTooLarge    = "too-large"            // Contents is longer than is read
	pdfTooMuch     = "too-much"             // the signatures cover more, in all, than is digested
	pdfAlgorithm   = string(AlgorithmNotAllowed)
)

// What one file may ask for, beside the number of its signatures.
const (
	maxContents    = 512 << 10 // bytes of Contents, two for each of CMS
	maxAllContents = 4 << 20   // of all
	maxCovered     = 4         // times the file, behind the gaps
)

// PDF verifies the signatures in one PDF file, which is written to it from its first
// byte to its last and closed: once, or again if Next asks for it. Signatures are
// rarely over other digests than SHA-256, and only these are taken at first.
// Revocation is not asked about. Memory does not grow with the file.
type PDF struct {
	size  int64
	trust *Trust
	now   time.Time
	list  []*pdfSignature

	// Of the reading under way.
	at     int64
	hash   crypto.Hash
	sum    hash.Hash       // of all up to the last gap
	active []*pdfSignature // by gap
}

// pdfSignature is a signature on its way to its finding.
type pdfSignature struct {
	PDFSignature
	covers ByteRange
	done   bool
	none   bool        // there is no signature in the gap after all
	hash   crypto.Hash // that it needs; 0: not known yet

	sum                     hash.Hash // of what it covers, so far
	before, contents, after []byte    // the gap, and the dictionary round it
}

// NewPDF starts on a file of so many bytes, in which PDFRanges found these ranges;
// none but the first most are looked at. Certificates are judged by trust, as of now
// at the latest.
func NewPDF(size int64, ranges []ByteRange, most int, trust *Trust, now time.Time) *PDF {
	p := &PDF{size: size, trust: trust, now: now}
	var contents, covered int64
	for i, r := range ranges {
		s := &pdfSignature{covers: r}
		p.list = append(p.list, s)
		if i >= min(most, MaxPDFSignatures) {
			s.is(PDFUnsupported, pdfTooMany)
			break
		}
		if !r.plausible(size) {
			s.is(PDFInvalid, pdfRange)
			continue
		}
		from, to := r.gap()
		contents += min(to-from, maxContents)
		covered += r[3]
		switch {
		case to-from > maxContents || contents > maxAllContents:
			s.is(PDFUnsupported, pdfTooLarge)
		case covered/maxCovered > size:
			s.is(PDFUnsupported, pdfTooMuch)
		}
	}
	return p
}

func (s *pdfSignature) is(state PDFState, why string) {
	s.State, s.Why, s.done = state, why, true
}

// Next begins a reading of the file, if one is needed.
func (p *PDF) Next() bool {
	p.active, p.at = nil, 0
	for _, s := range p.list {
		if s.done {
			continue
		}
		if len(p.active) == 0 {
			p.hash = cmp.Or(s.hash, crypto.SHA256)
		}
		if s.hash == 0 || s.hash == p.hash {
			p.active = append(p.active, s)
		}
	}
	if len(p.active) == 0 {
		return false
	}
	slices.SortStableFunc(p.active, func(a, b *pdfSignature) int { return cmp.Compare(a.covers[1], b.covers[1]) })
	p.sum = p.hash.New()
	return true
}

// Write never fails.
func (p *PDF) Write(b []byte) (int, error) {
	at := p.at
	for _, s := range p.active {
		from, _ := s.covers.gap()
		if s.sum != nil || from > at+int64(len(b)) {
			continue
		}
		p.sum.Write(cut(b, at, p.at, from))
		p.at, s.sum = max(p.at, from), clone(p.sum)
	}
	if last, _ := p.active[len(p.active)-1].covers.gap(); last > at {
		p.sum.Write(cut(b, at, p.at, last))
	}
	p.at = at + int64(len(b))
	for _, s := range p.active {
		from, to := s.covers.gap()
		s.before = append(s.before, cut(b, at, from-dictionaryReach, from)...)
		s.contents = append(s.contents, cut(b, at, from, to)...)
		s.after = append(s.after, cut(b, at, to, to+dictionaryReach)...)
		if covered := cut(b, at, to, s.covers.end()); len(covered) > 0 {
			s.sum.Write(covered)
		}
	}
	return len(b), nil
}

// cut is what of b, which stands at an offset, lies between two others.
func cut(b []byte, at, from, to int64) []byte {
	from, to = max(from-at, 0), min(to-at, int64(len(b)))
	if from >= to {
		return nil
	}
	return b[from:to]
}

// clone goes on from where a hash is. Those of the standard library can.
func clone(h hash.Hash) hash.Hash {
	c, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // none of ours fails
	}
	return c
}

// Close ends the reading. The error is that the file is not what it was.
func (p *PDF) Close() error {
	if p.at != p.size {
		return fmt.Errorf("the file has %d bytes of the %d that it had", p.at, p.size)
	}
	for _, s := range p.active {
		s.Whole = s.covers.end() == p.size
		p.judge(s)
		s.sum, s.before, s.contents, s.after = nil, nil, nil, nil
	}
	p.active, p.sum = nil, nil
	return nil
}

// Signatures are the findings, once Next asks for no more: in the order in which
// they end. Two that stand in the same gap are one signature with two ranges, and
// the better counts.
func (p *PDF) Signatures() []PDFSignature {
	list := slices.Clone(p.list)
	slices.SortStableFunc(list, func(a, b *pdfSignature) int {
		return cmp.Compare(slices.Index(PDFStates, a.State), slices.Index(PDFStates, b.State))
	})
	var kept []*pdfSignature
	for _, s := range list {
		if !s.none && !slices.ContainsFunc(kept, s.shares) {
			kept = append(kept, s)
		}
	}
	slices.SortStableFunc(kept, func(a, b *pdfSignature) int { return cmp.Compare(a.covers.end(), b.covers.end()) })
	found := make([]PDFSignature, 0, len(kept))
	for _, s := range kept {
		found = append(found, s.PDFSignature)
	}
	return found
}

// shares reports whether two gaps have bytes in common.
func (s *pdfSignature) shares(o *pdfSignature) bool {
	from, to := s.covers.gap()
	oFrom, oTo := o.covers.gap()
	return from < oTo && oFrom < to
}
