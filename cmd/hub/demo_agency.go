package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// write composes a document of the agency with a PDF, signs the package and
// keeps it in the outbox.
func (s *stage) write(a *agency, d edxml.Document, to ...string) (path string, id string, err error) {
	now := time.Now()
	if d.Kind == "" || d.Kind == exchange.KindNew {
		a.number++
		d.Number, d.Notation = fmt.Sprint(a.number), "VB-"+strings.TrimPrefix(a.code, "H12.")
		page := pdf(d.Number+"/"+d.Notation, a.code+" -> "+strings.Join(to, ", "))
		d.Attachments = []edxml.Attachment{{Name: "van-ban-" + d.Number + ".pdf", Description: "Văn bản chính",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(page)), nil }}}
	}
	d.From = edxml.Organ{Code: a.code, InCharge: "H12", Name: a.name}
	for _, code := range to {
		d.To = append(d.To, edxml.Organ{Code: code, InCharge: "H12", Name: s.agencies[code].name})
	}
	d.Place, d.Date, d.Sent = "Cà Mau", now, now
	d.Type, d.TypeDetail, d.TypeName = 2, 18, "Công văn"
	d.Signer = edxml.Signer{Position: "Người ký", FullName: "Nguyễn Văn A"}
	d.Staff = edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"}
	signed, err := a.sign(d)
	if err != nil {
		return "", "", err
	}
	id = fmt.Sprintf("%s,%s,%s/%s", a.code, now.Format("2006/01/02"), d.Number, d.Notation)
	path = filepath.Join(a.dir, "outbox", fmt.Sprintf("%s-%d.edxml", kindOf(d), now.UnixMilli()))
	return path, id, writeNew(path, signed, 0o644)
}

// sign writes the document as a package and signs it in the header.
func (a *agency) sign(d edxml.Document) ([]byte, error) {
	var plain, signed bytes.Buffer
	if err := edxml.Write(&plain, d); err != nil {
		return nil, err
	}
	err := signing.Sign(&signed, bytes.NewReader(plain.Bytes()), a.key, []*x509.Certificate{a.certificate}, edxml.SignaturePlace())
	return signed.Bytes(), err
}

func kindOf(d edxml.Document) exchange.Kind {
	if d.Kind == "" {
		return exchange.KindNew
	}
	return d.Kind
}

// submit sends a package from the outbox and keeps the receipt.
func (s *stage) submit(ctx context.Context, a *agency, path string) (exchange.Submission, error) {
	f, err := os.Open(path)
	if err != nil {
		return exchange.Submission{}, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return exchange.Submission{}, err
	}
	done, err := a.hub.Submit(ctx, f, info.Size())
	if err != nil {
		return done, err
	}
	return done, s.keepReceipt(ctx, a, done.Receipt)
}

// keepReceipt keeps a receipt with its proof: all that is needed to verify it
// without the hub.
func (s *stage) keepReceipt(ctx context.Context, a *agency, r exchange.Receipt) error {
	dir := filepath.Join(a.dir, "receipts")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	proof, err := a.hub.Proof(ctx, r.ID)
	if err != nil {
		return err
	}
	s.lastReceipt = filepath.Join(dir, fmt.Sprintf("%s-%s.xml", r.ID, r.Event))
	return errors.Join(os.WriteFile(s.lastReceipt, r.Raw, 0o644), os.WriteFile(proofOf(s.lastReceipt), proof, 0o644))
}

func proofOf(receipt string) string { return strings.TrimSuffix(receipt, ".xml") + ".tlog-proof" }

// collect waits for n deliveries, fetches each, verifies its signature, and
// answers it.
func (s *stage) collect(ctx context.Context, a *agency, n int, o exchange.Outcome, reason string) ([]exchange.Package, error) {
	var got []exchange.Package
	for len(got) < n {
		page, err := a.hub.Inbox(ctx, a.code, "", 0, 20*time.Second)
		if err != nil {
			return got, err
		}
		if len(page.Items) == 0 {
			return got, fmt.Errorf("nothing came into the inbox of %s", a.code)
		}
		for _, item := range page.Items {
			if err := s.take(ctx, a, item); err != nil {
				return got, err
			}
			if err := s.answer(ctx, a, item, o, reason); err != nil {
				return got, err
			}
			got = append(got, item.Package)
		}
	}
	return got, nil
}

// take fetches a delivery into the agency's inbox directory and verifies the
// sender's signature on it.
func (s *stage) take(ctx context.Context, a *agency, item exchange.InboxItem) error {
	dir := filepath.Join(a.dir, "inbox")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, string(item.Delivery.ID)+".edxml")
	if err := a.hub.FetchFile(ctx, item, path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	doc, err := signing.Read(f, edxml.New(edxml.Options{}).Decoder().Options())
	if err != nil {
		return err
	}
	if doc.Signature == nil {
		return fmt.Errorf("%s is not signed", path)
	}
	return nil
}

// answer seals an acknowledgement and keeps the receipt it brings.
func (s *stage) answer(ctx context.Context, a *agency, item exchange.InboxItem, o exchange.Outcome, reason string) error {
	ack := exchange.NewAcknowledgement(item.Package, a.code, o, reason, time.Now())
	sealed, err := a.sealer.Seal(ack.Canonical(), ack.Time)
	if err != nil {
		return err
	}
	receipt, _, err := a.hub.Acknowledge(ctx, item.Delivery.ID, sealed)
	if err != nil {
		return err
	}
	return s.keepReceipt(ctx, a, receipt)
}

// keepKeys keeps what the hub publishes for those who verify without it.
func (s *stage) keepKeys(ctx context.Context) error {
	var err error
	if s.keys, err = s.admin.Keys(ctx); err != nil {
		return err
	}
	text, err := json.MarshalIndent(s.keys, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("keys.json"), append(text, '\n'), 0o644)
}

// pdf is a one-page document that says what it is. It is plain ASCII: the
// demonstration needs a real PDF, not a beautiful one.
func pdf(title, line string) []byte {
	text := fmt.Sprintf("BT /F1 20 Tf 60 760 Td (%s) Tj 0 -30 Td /F1 12 Tf (%s) Tj ET", title, line)
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R>>",
		"<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
		fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(text), text),
		"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}
