package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
	"tram/signing/pdftest"
)

// withPDFs is a document with PDF files instead of its attachment.
func withPDFs(number string, files ...[]byte) edxml.Document {
	d := document(number, health)
	d.Attachments = nil
	for i, file := range files {
		d.Attachments = append(d.Attachments, edxml.Attachment{Name: strings.Repeat("a", i+1) + ".pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(file)), nil
		}})
	}
	return d
}

func signedPDF(by string) []byte {
	h := holders()[by]
	return pdftest.Sign(pdftest.Document("Cong van", 0), pdftest.Form{CMS: pdftest.Signer{Key: h.key, Cert: h.chain[0], Bag: h.chain, Time: start}.CMS})
}

// unreadable is a format that cannot read attachments again.
type unreadable struct{ exchange.Format }

func (unreadable) Files(func() (io.ReadCloser, error), []exchange.Attachment, func(int) io.WriteCloser) error {
	return errors.New("the disk is away")
}

// counting counts how often attachments are read again.
type counting struct {
	exchange.Format
	n *int
}

func (c counting) Files(open func() (io.ReadCloser, error), list []exchange.Attachment, begin func(int) io.WriteCloser) error {
	*c.n++
	return c.Format.Files(open, list, begin)
}

func TestPDFSignaturesAreTold(t *testing.T) {
	t.Parallel()
	p, readings := newProvince(t), 0
	c := p.config()
	c.Format = counting{c.Format, &readings}
	p.x = must(exchange.New(c))
	told := func(d edxml.Document) (exchange.Submission, exchange.Package) {
		t.Helper()
		done := p.submit(finance, signed(t, d))
		return done, must(p.x.Package(t.Context(), auditor, done.Package)).Package
	}

	plain, _ := told(withPDFs("1250", pdftest.Document("Cong van", 0)))
	if e := evidenceOf(t, plain.Receipt.Raw); e.PDFs != nil || readings != 0 {
		t.Errorf("a file without signatures: %+v, read again %d times", e.PDFs, readings)
	}

	good := signedPDF(finance)
	done, pkg := told(withPDFs("1251", pdftest.Document("Cong van", 0), good))
	if readings != 1 {
		t.Errorf("read again %d times", readings)
	}
	found := pkg.Attachments[1].Signatures
	if len(found) != 1 || found[0].State != signing.PDFValid || !found[0].Whole || found[0].Signer == "" || !found[0].At.Equal(start) || pkg.Attachments[0].Signatures != nil {
		t.Fatalf("%+v", pkg.Attachments)
	}
	if e := evidenceOf(t, done.Receipt.Raw); len(e.PDFs) != 1 || e.PDFs[0].Part != 3 || e.PDFs[0].PDFSummary != (exchange.PDFSummary{Count: 1, State: signing.PDFValid, Whole: true}) {
		t.Errorf("the receipt says %+v", e.PDFs)
	}

	many := good
	for range 9 {
		many = pdftest.Sign(many, pdftest.Form{CMS: pdftest.Signer{Key: holders()[finance].key, Cert: holders()[finance].chain[0], Time: start}.CMS})
	}
	done, pkg = told(withPDFs("1252", many))
	if e := evidenceOf(t, done.Receipt.Raw); len(pkg.Attachments[0].Signatures) != 10 || e.PDFs[0].Count != 10 || len(e.PDFs[0].Signatures) != 8 {
		t.Errorf("of ten signatures the record has %d, the receipt %+v", len(pkg.Attachments[0].Signatures), e.PDFs)
	}

	if _, err := p.x.Purge(t.Context(), administrator, done.Package, "không được lưu ở đây"); err != nil {
		t.Fatal(err)
	}
	pkg = must(p.x.Package(t.Context(), auditor, done.Package)).Package
	if s := pkg.Attachments[0].Signatures[0]; s.Signer != "" || s.State != signing.PDFValid {
		t.Errorf("purged: %+v", s)
	}
}

// TestPDFSignaturesThatCannotBeRead do not keep a package from being accepted.
func TestPDFSignaturesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	c := p.config()
	c.Format = unreadable{c.Format}
	p.x = must(exchange.New(c))
	done := p.submit(finance, signed(t, withPDFs("1250", signedPDF(finance))))
	e := evidenceOf(t, done.Receipt.Raw)
	if len(e.PDFs) != 1 || e.PDFs[0].State != signing.PDFUnsupported || e.PDFs[0].Signatures[0].Why != "not-read" {
		t.Errorf("the receipt says %+v", e.PDFs)
	}
}
