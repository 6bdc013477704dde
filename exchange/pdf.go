package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"time"

	"tram/signing"
)

// PDFSignature is what was found of a signature inside a PDF file when its package
// was accepted. It is information: it decides nothing.
type PDFSignature struct {
	State signing.PDFState `json:"state"`
	// Why it is not valid, in a word: see signing.PDFSignature.
	Why string `json:"why,omitempty"`
	// Signer is the common name of the certificate, shortened; only of a signature
	// that holds, and proven only if it is valid.
	Signer string `json:"signer,omitempty"`
	// At is when it was signed, by a time-stamp if Stamped, else as the signer claims.
	At      time.Time `json:"at,omitzero"`
	Stamped bool      `json:"stamped,omitempty"`
	// TimeStamp: it is a document time-stamp, which is nobody's signature.
	TimeStamp bool `json:"timeStamp,omitempty"`
	// Whole: nothing was appended to the file after it.
	Whole bool `json:"whole"`
}

// PDFSummary is what the signatures inside a file come to.
type PDFSummary struct {
	Count int              // signatures; document time-stamps aside
	State signing.PDFState // of the worst; empty: there is none
	// Whole: one that holds, or a time-stamp, covers the file to its end. Else the
	// file was changed after it was signed.
	Whole bool
}

func (s PDFSummary) String() string {
	text := fmt.Sprintf("%d signatures, %s", s.Count, s.State)
	switch s.Count {
	case 0:
		return "time-stamped, not signed"
	case 1:
		text = fmt.Sprint("1 signature, ", s.State)
	}
	if !s.Whole && s.State != signing.PDFInvalid {
		text += "; the file was changed later"
	}
	return text
}

func (s PDFSignature) String() string {
	text := string(s.State)
	if s.TimeStamp {
		text = "time-stamp, " + text
	}
	if s.Why != "" {
		text += " (" + s.Why + ")"
	}
	if s.Signer != "" {
		text += ": " + s.Signer
	}
	if !s.At.IsZero() {
		text += ", " + s.At.In(Vietnam).Format(time.DateTime)
		if !s.Stamped {
			text += " as it claims"
		}
	}
	return text
}

// Sound reports whether a file is signed, all signatures are valid, and nothing was
// appended later.
func (s PDFSummary) Sound() bool { return s.State == signing.PDFValid && s.Whole }

// PDFSummaryOf sums up the signatures inside one file.
func PDFSummaryOf(list []PDFSignature) PDFSummary {
	var s PDFSummary
	rank := func(state signing.PDFState) int { return slices.Index(signing.PDFStates, state) }
	for _, one := range list {
		s.Whole = s.Whole || one.Whole && (one.State == signing.PDFValid || one.State == signing.PDFUntrusted)
		if one.TimeStamp {
			continue
		}
		if s.Count++; rank(one.State) > rank(s.State) {
			s.State = one.State
		}
	}
	return s
}

// pdfSigned reports whether a PDF file in the package is soundly signed.
func (p Package) pdfSigned() bool {
	return slices.ContainsFunc(p.Attachments, func(a Attachment) bool { return PDFSummaryOf(a.Signatures).Sound() })
}

const (
	// mostPDFSignatures bounds what one package makes the hub verify.
	mostPDFSignatures = 256
	// pdfNotRead is why nothing is known of a signature that is there.
	pdfNotRead = "not-read"
	// longestSigner is how many characters of a signer's name are kept.
	longestSigner = 100
)

// verifyPDFs finds out what the signatures inside the package's PDF files are worth.
// Only files in which the decoder saw one are read again.
func (x *Exchange) verifyPDFs(ctx context.Context, pkg *Package, open func() (io.ReadCloser, error)) {
	files, left, now := map[int]*signing.PDF{}, mostPDFSignatures, x.now()
	for i, a := range pkg.Attachments {
		if len(a.Ranges) > 0 {
			files[i] = signing.NewPDF(a.Size, a.Ranges, left, x.c.Trust, now)
			left = max(left-len(a.Ranges), 0)
		}
	}
	for {
		reading := map[int]*signing.PDF{}
		for i, f := range files {
			if f.Next() {
				reading[i] = f
			}
		}
		if len(reading) == 0 {
			break
		}
		err := x.c.Format.Files(open, pkg.Attachments, func(n int) io.WriteCloser {
			if f := reading[n]; f != nil {
				return f
			}
			return nil
		})
		if err != nil { // all else was well when the package came
			x.c.Log.ErrorContext(ctx, "signatures in PDF files not verified", "sender", pkg.Sender, "document", pkg.DocumentID, "err", err)
			break
		}
	}
	for i, f := range files {
		for _, s := range f.Signatures() {
			pkg.Attachments[i].Signatures = append(pkg.Attachments[i].Signatures, pdfSignatureOf(s))
		}
	}
}

func pdfSignatureOf(s signing.PDFSignature) PDFSignature {
	one := PDFSignature{State: s.State, Why: s.Why, At: s.Time.Truncate(time.Millisecond), Stamped: s.Stamped, TimeStamp: s.TimeStamp, Whole: s.Whole}
	if one.State == "" {
		one.State, one.Why = signing.PDFUnsupported, pdfNotRead
	}
	if s.Signer != nil {
		one.Signer = nameOf(s.Signer)
	}
	return one
}

// nameOf is whom a certificate is for, in one short line.
func nameOf(c *x509.Certificate) string {
	name := []rune(plain(cmp.Or(c.Subject.CommonName, c.Subject.String())))
	for i, r := range name {
		if r < ' ' {
			name[i] = ' '
		}
	}
	return string(name[:min(len(name), longestSigner)])
}

// PDFFinding is what a receipt says of the signatures inside one part.
type PDFFinding struct {
	Part int // its place in Parts, from 1
	PDFSummary
	// Signatures are the first of them, and of document time-stamps.
	Signatures []PDFSignature
}

// mostPDFsTold is how many signatures of a file a receipt names.
const mostPDFsTold = 8

// pdfFindings are those of the package's attachments, which stand in Parts after the
// package itself.
func pdfFindings(p Package) (list []PDFFinding) {
	for i, a := range p.Attachments {
		if len(a.Signatures) > 0 {
			list = append(list, PDFFinding{i + 2, PDFSummaryOf(a.Signatures), a.Signatures[:min(len(a.Signatures), mostPDFsTold)]})
		}
	}
	return list
}
