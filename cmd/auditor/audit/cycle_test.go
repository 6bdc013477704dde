package audit

import (
	"bytes"
	"crypto/x509"
	"io"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

// correspondence is what two agencies exchanged through a hub.
type correspondence struct {
	hub      *hubtest.Hub
	packages map[exchange.PackageID][]byte
	receipts string // directory of *.xml and *.tlog-proof
}

// correspond sends n packages from one agency to another, which accepts all but
// the last, and keeps every receipt with its proof.
func correspond(t *testing.T, hub *hubtest.Hub, n int) *correspondence {
	t.Helper()
	a, b := hubtest.NewKey(t, "Agency A", hub.Roots), hubtest.NewKey(t, "Agency B", hub.Roots)
	from := dial(t, hub, "sys-H12.07", hub.Agency(t, "H12.07", "A", a.PEM()))
	to := dial(t, hub, "sys-H12.12", hub.Agency(t, "H12.12", "B", b.PEM()))
	c := &correspondence{hub: hub, packages: map[exchange.PackageID][]byte{}, receipts: filepath.Join(t.TempDir(), "receipts")}
	for i := range n {
		signed := packageFor(t, a, i)
		s, err := from.Submit(t.Context(), bytes.NewReader(signed), int64(len(signed)))
		if err != nil {
			t.Fatal(err)
		}
		c.packages[s.Package] = signed
		acknowledge(t, to, b, i == n-1)
		c.keep(t, from, s.Package)
	}
	return c
}

func dial(t *testing.T, hub *hubtest.Hub, id, secret string) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(httpclient.Config{URL: hub.URL, ID: id, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func packageFor(t *testing.T, by *hubtest.Key, i int) []byte {
	t.Helper()
	var plain, signed bytes.Buffer
	err := edxml.Write(&plain, edxml.Document{From: edxml.Organ{Code: "H12.07"}, To: []edxml.Organ{{Code: "H12.12"}},
		Number: strconv.Itoa(1250 + i), Notation: "STC-NS", Date: time.Now(), TypeName: "Công văn", Subject: "V/v thử", Sent: time.Now(),
		Attachments: []edxml.Attachment{{Name: "a.pdf", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("%PDF"))), nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := signing.Sign(&signed, bytes.NewReader(plain.Bytes()), by.Signer, []*x509.Certificate{by.Certificate}, edxml.SignaturePlace()); err != nil {
		t.Fatal(err)
	}
	return signed.Bytes()
}

func acknowledge(t *testing.T, to *httpclient.Client, by *hubtest.Key, refuse bool) {
	t.Helper()
	page, err := to.Inbox(t.Context(), "", "", 0, 10*time.Second)
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("inbox of %d, %v", len(page.Items), err)
	}
	item := page.Items[0]
	outcome, reason := exchange.AnswerAccepted, ""
	if refuse {
		outcome, reason = exchange.AnswerRefused, "gửi nhầm"
	}
	sealer, err := signing.NewSealer(by.Signer, []*x509.Certificate{by.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	answer, err := sealer.Seal(exchange.NewAcknowledgement(item.Package, "H12.12", outcome, reason, now).Canonical(), now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := to.Acknowledge(t.Context(), item.Delivery.ID, answer); err != nil {
		t.Fatal(err)
	}
}

func (c *correspondence) keep(t *testing.T, by *httpclient.Client, id exchange.PackageID) {
	t.Helper()
	list, err := by.Receipts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		raw, err := by.Receipt(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := by.Proof(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		hubtest.WriteFile(t, filepath.Join(c.receipts, string(r.ID)+".xml"), raw)
		hubtest.WriteFile(t, filepath.Join(c.receipts, string(r.ID)+".tlog-proof"), proof)
	}
}

// of are the files of the receipts of an event.
func (c *correspondence) of(t *testing.T, event exchange.Event) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.receipts, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range files {
		r, _, _, err := exchange.ParseReceipt(readFile(t, f))
		if err != nil {
			t.Fatal(err)
		}
		if r.Event == event {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no receipt of %s", event)
	}
	return found
}
