package httpapi_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// document is a plain package of H12.01, unless changed.
func (w *world) document(change func(*edxml.Document)) []byte {
	w.t.Helper()
	w.numbers++
	now := time.Now()
	d := edxml.Document{From: edxml.Organ{Code: "H12.01", InCharge: "H12", Name: "Sở Nội vụ"},
		To:     []edxml.Organ{{Code: "H12.07", InCharge: "H12", Name: "Sở Tài chính"}},
		Number: fmt.Sprint(w.numbers), Notation: "SNV-VP", Place: "Cà Mau", Date: now, Sent: now,
		Type: 2, TypeDetail: 18, TypeName: "Công văn", Subject: "V/v thử <trục> & liên thông",
		Signer: edxml.Signer{Position: "Giám đốc", FullName: "Nguyễn Văn A"}, Staff: edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"},
		Attachments: []edxml.Attachment{{Name: "cv.pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader([]byte("%PDF-1.4 nội dung\n"))), nil
		}}}}
	if change != nil {
		change(&d)
	}
	var b bytes.Buffer
	if err := edxml.Write(&b, d); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) sign(plain []byte, by string) []byte {
	w.t.Helper()
	i := w.keys[by]
	var b bytes.Buffer
	if err := signing.Sign(&b, bytes.NewReader(plain), i.key, []*x509.Certificate{i.cert}, edxml.SignaturePlace()); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) signed() []byte { return w.sign(w.document(nil), "H12.01") }

// submitted puts a package into the hub and returns its identifier.
func (w *world) submitted(body []byte) string {
	w.t.Helper()
	return w.want(http.StatusCreated, w.xml("he-thong-01", "/v1/packages", body)).Header.Get("Tram-Package")
}

// consigned waits for the first delivery in an inbox.
func (w *world) consigned(as, query string) exchange.InboxItem {
	w.t.Helper()
	var page exchange.InboxPage
	w.want(http.StatusOK, w.get(as, "/v1/inbox?wait=10s"+query)).into(w.t, &page)
	if len(page.Items) == 0 {
		w.t.Fatal("nothing came into the inbox")
	}
	return page.Items[0]
}

// acknowledgement is the recipient's signed answer to a delivery.
func (w *world) acknowledgement(item exchange.InboxItem, o exchange.Outcome, reason string) []byte {
	w.t.Helper()
	i := w.keys[item.Delivery.Recipient]
	sealer := must[*signing.Sealer](w.t)(signing.NewSealer(i.key, []*x509.Certificate{i.cert}))
	a := exchange.NewAcknowledgement(item.Package, item.Delivery.Recipient, o, reason, time.Now())
	return must[[]byte](w.t)(sealer.Seal(a.Canonical(), time.Now()))
}

// withAttachment gives a document one attachment of n bytes.
func withAttachment(n int) func(*edxml.Document) {
	return func(d *edxml.Document) {
		d.Attachments = []edxml.Attachment{{Name: "a.pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(letters{}, int64(n))), nil
		}}}
	}
}

// letters reads as the letter A without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

// chunks are the pieces of b, the last one may be shorter.
func chunks(b []byte, n int) iter.Seq[[]byte] { return slices.Chunk(b, n) }

// toCode addresses a document to one agency.
func toCode(code string) func(*edxml.Document) {
	return func(d *edxml.Document) { d.To = []edxml.Organ{{Code: code, Name: "Nơi nhận"}} }
}
