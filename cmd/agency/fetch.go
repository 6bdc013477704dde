package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

// fetching is one run of fetch.
type fetching struct {
	hub     *httpclient.Client
	dir     string
	extract bool
	trust   *signing.Trust
}

func (p *program) fetch() *cobra.Command {
	var f fetching
	c := &cobra.Command{
		Use:   "fetch [DELIVERY…]",
		Short: "Fetch deliveries, verify them and unpack their files",
		Long: `fetch gets deliveries into a directory, everything in the inbox if none is named, each as DELIVERY.edxml, byte for byte as the
sender signed it. A download that broke off goes on where it stopped.

It verifies that the bytes have the digest of the delivery and that the sender's
signature holds; with trust in the settings, also that the signer's certificate
leads to them. What does not hold ends with exit code 1 and is not unpacked.

With --extract the attachments are unpacked into DELIVERY.files/. Names that would
lead elsewhere are refused, and nothing is overwritten.

Fetching does not answer: look at the document, then use "agency ack".`,
		Example: `  agency fetch --dir in --extract 0198f2c4-5b6a-7c3d-8e9f-0a1b2c3d4e5f.1
  agency fetch --dir in`,
		RunE: func(c *cobra.Command, args []string) error { return p.runFetch(c.Context(), f, args) },
	}
	c.Flags().StringVar(&f.dir, "dir", ".", "`directory` to put them into")
	c.Flags().BoolVar(&f.extract, "extract", false, "unpack attachments")
	return c
}

func (p *program) runFetch(ctx context.Context, f fetching, ids []string) error {
	var err error
	if f.trust, err = p.trust(); err != nil {
		return err
	}
	if f.hub, err = p.client(); err != nil {
		return err
	}
	defer f.hub.Close()
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	if len(ids) == 0 {
		items, err := p.wholeInbox(ctx, f.hub, 0)
		if err != nil {
			return err
		}
		for _, item := range items {
			ids = append(ids, string(item.Delivery.ID))
		}
	}
	return p.each(ids, func(id string) (any, func(io.Writer), error) {
		r, err := f.fetch(ctx, exchange.DeliveryID(id))
		return r, r.print, err
	})
}

// fetched is what was got.
type fetched struct {
	Delivery exchange.DeliveryID `json:"delivery"`
	File     string              `json:"file"`
	SHA256   exchange.Digest     `json:"sha256"`
	Sender   string              `json:"sender"`
	Document string              `json:"document,omitempty"`
	Subject  string              `json:"subject,omitempty"`
	// Signature is absent if the sender did not sign.
	Signature *fetchedSignature `json:"signature,omitempty"`
	Files     []string          `json:"files,omitempty"`
	// PDFs are what the hub found of signatures inside PDF files.
	PDFs []fetchedPDF `json:"pdfs,omitempty"`
}

// fetchedPDF is a PDF file with signatures in it.
type fetchedPDF struct {
	Name       string                  `json:"name"`
	Signatures []exchange.PDFSignature `json:"signatures"`
}

// fetchedSignature is who signed, and what is known of it.
type fetchedSignature struct {
	Subject     string          `json:"subject"`
	Issuer      string          `json:"issuer"`
	Certificate exchange.Digest `json:"certificate"`
	// Trusted is absent if the settings trust no authority.
	Trusted *bool `json:"trusted,omitempty"`
	// Registered tells whether the hub's directory has the certificate for
	// the sender.
	Registered bool `json:"registered"`
	// SHA1 tells that the signature rests on SHA-1, which the hub lets pass for
	// agencies with old software only.
	SHA1 bool `json:"sha1,omitempty"`
}

func (f fetched) print(w io.Writer) {
	fmt.Fprintf(w, "%s\tfrom %s\t%s\n", f.File, f.Sender, oneLine(f.Subject))
	switch s := f.Signature; {
	case s == nil:
		fmt.Fprintf(w, "\tnot signed: the hub's receipt rests on the word of the sender's system\n")
	case s.Trusted == nil:
		fmt.Fprintf(w, "\tsigned by %s; set trust to check who stands behind the certificate\n", oneLine(s.Subject))
	default:
		fmt.Fprintf(w, "\tsigned by %s, whose certificate leads to an authority you trust\n", oneLine(s.Subject))
	}
	if f.Signature != nil && f.Signature.SHA1 {
		fmt.Fprintf(w, "\tits signature rests on SHA-1, which is no longer safe: the hub lets that pass for this sender until a date\n")
	}
	if f.Signature != nil && !f.Signature.Registered {
		fmt.Fprintf(w, "\tthe hub's directory does not name this certificate for %s\n", f.Sender)
	}
	for _, pdf := range f.PDFs {
		fmt.Fprintf(w, "\tthe hub found in %s: %s\n", oneLine(pdf.Name), exchange.PDFSummaryOf(pdf.Signatures))
		for _, s := range pdf.Signatures {
			fmt.Fprintf(w, "\t  %s\n", oneLine(s.String()))
		}
	}
	for _, name := range f.Files {
		fmt.Fprintf(w, "\t%s\n", name)
	}
}

// plainName is an identifier of the hub that names a file and no path.
var plainName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,99}$`)

// fileName is what a delivery's files are called.
func fileName(id exchange.DeliveryID) (string, error) {
	if !plainName.MatchString(string(id)) {
		return "", usagef("%q is not a delivery's identifier; see agency inbox", id)
	}
	return string(id), nil
}

func (f fetching) fetch(ctx context.Context, id exchange.DeliveryID) (fetched, error) {
	base, err := fileName(id)
	if err != nil {
		return fetched{}, err
	}
	item, err := f.hub.Delivery(ctx, id)
	if err != nil {
		return fetched{}, err
	}
	file := filepath.Join(f.dir, base+".edxml")
	if err := f.download(ctx, item, file); err != nil {
		return fetched{}, err
	}
	about, err := json.MarshalIndent(item, "", "  ")
	if err != nil {
		return fetched{}, err
	}
	if err := writeBytes(filepath.Join(f.dir, base+".json"), true, 0o644, append(about, '\n')); err != nil {
		return fetched{}, err
	}
	r := fetched{Delivery: id, File: file, SHA256: item.Package.Digest, Sender: item.Package.Sender,
		Document: document(item.Package), Subject: item.Package.Subject}
	for _, a := range item.Package.Attachments {
		if len(a.Signatures) > 0 {
			r.PDFs = append(r.PDFs, fetchedPDF{a.Name, a.Signatures})
		}
	}
	pkg, err := f.verify(ctx, file, &r)
	if err != nil {
		return r, fmt.Errorf("%s does not hold: %w", file, err)
	}
	if f.extract {
		r.Files, err = extract(file, filepath.Join(f.dir, base+".files"), pkg.Attachments)
	}
	return r, err
}

// download gets the content, unless it is there already.
func (f fetching) download(ctx context.Context, item exchange.InboxItem, file string) error {
	if there, err := os.Open(file); err == nil {
		digest, _, err := digestOf(there)
		_ = there.Close() // it was only read
		if err == nil && digest == item.Package.Digest {
			return nil
		}
	}
	return f.hub.FetchFile(ctx, item, file)
}

// verify reads the package as its recipient's own software will.
func (f fetching) verify(ctx context.Context, file string, r *fetched) (exchange.Package, error) {
	in, err := os.Open(file)
	if err != nil {
		return exchange.Package{}, err
	}
	defer in.Close()
	decoder := edxml.New(edxml.Options{}).Decoder()
	options := decoder.Options()
	options.SHA1 = true // the hub let it pass or not; here it is told
	doc, err := signing.Read(in, options)
	if err != nil {
		return exchange.Package{}, err
	}
	pkg, err := decoder.Decode(doc)
	if err != nil || doc.Signature == nil {
		return pkg, err
	}
	certificate := doc.Signature.Certificate
	s := &fetchedSignature{Subject: certificate.Subject.String(), Issuer: certificate.Issuer.String(), Certificate: exchange.DigestOf(certificate.Raw), SHA1: doc.Signature.SHA1}
	r.Signature = s
	if sender, err := f.hub.Agency(ctx, r.Sender); err == nil {
		s.Registered = sender.Holds(s.Certificate, time.Now())
	}
	if f.trust == nil {
		return pkg, nil
	}
	trusted := true
	if err := f.trust.Check(certificate, doc.Signature.Others, time.Now()); err != nil {
		return pkg, fmt.Errorf("signed by %q: %w", certificate.Subject, err)
	}
	s.Trusted = &trusted
	return pkg, nil
}
