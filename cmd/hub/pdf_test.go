package main

import (
	"bytes"
	"crypto"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
	"tram/signing/pdftest"
)

// TestPDFSignatures sends PDF files with and without signatures through a hub, and
// reads what it found in the receipt, in the views and in the report.
func TestPDFSignatures(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender, town := s.join("H12.07"), s.join("H12.40")
	signer := pdftest.Signer{Key: sender.key, Cert: sender.certificate, Time: time.Now()}
	plain := pdftest.Document("Cong van", 20000)
	sign := func(h crypto.Hash) []byte {
		signer := signer
		signer.Hash = h
		return pdftest.Sign(plain, pdftest.Form{CMS: signer.CMS})
	}
	good := sign(crypto.SHA256)
	changed := bytes.Replace(good, []byte("Cong van"), []byte("Cong vam"), 1)
	updated := append(bytes.Clone(good), "5 0 obj\nnull\nendobj\n"...)
	number := 0
	send := func(files map[string][]byte) exchange.Submission {
		t.Helper()
		number++
		letter := sender.letter(number, 100, "H12.40")
		for _, name := range []string{"a.pdf", "b.pdf", "b.bin"} { // what is no PDF by its name is wrapped into a ZIP
			if content, ok := files[name]; ok {
				letter = with(letter, name, string(content))
			}
		}
		done, err := sender.submit(t.Context(), sender.signed(t, letter))
		must(t, err)
		return done
	}
	var last exchange.Submission
	for _, test := range []struct {
		name  string
		files map[string][]byte
		want  []string // of each file with signatures
	}{
		{"no signature", map[string][]byte{"a.pdf": plain}, nil},
		{"one", map[string][]byte{"a.pdf": good}, []string{"1 signature, valid"}},
		{"in a ZIP", map[string][]byte{"b.bin": good}, []string{"1 signature, valid"}},
		{"other digests", map[string][]byte{"a.pdf": sign(crypto.SHA384), "b.pdf": sign(crypto.SHA512)}, []string{"1 signature, valid", "1 signature, valid"}},
		{"changed", map[string][]byte{"a.pdf": changed}, []string{"1 signature, invalid"}},
		{"two files", map[string][]byte{"a.pdf": updated, "b.pdf": pdftest.Sign(good, pdftest.Form{CMS: signer.CMS})}, []string{"1 signature, valid; the file was changed later", "2 signatures, valid"}},
	} {
		last = send(test.files)
		_, e, _, err := exchange.ParseReceipt(last.Receipt.Raw)
		must(t, err)
		view, err := sender.hub.Package(t.Context(), last.Package)
		must(t, err)
		var inReceipt, inView []string
		for _, f := range e.PDFs {
			inReceipt = append(inReceipt, f.String())
			if a := view.Package.Attachments[f.Part-2]; a.Digest != e.Parts[f.Part-1].Digest || len(f.Signatures) != len(a.Signatures) {
				t.Errorf("%s: the receipt names another part", test.name)
			}
		}
		for _, a := range view.Package.Attachments {
			if len(a.Signatures) == 0 {
				continue
			}
			inView = append(inView, exchange.PDFSummaryOf(a.Signatures).String())
			if one := a.Signatures[0]; one.State == signing.PDFValid && (one.Signer != "Agency H12.07" || time.Since(one.At) > time.Hour) {
				t.Errorf("%s: %+v", test.name, one)
			}
		}
		want := strings.Join(test.want, ", ")
		if got := strings.Join(inReceipt, ", "); got != want {
			t.Errorf("%s: the receipt says %q, want %q", test.name, got, want)
		}
		if got := strings.Join(inView, ", "); got != want {
			t.Errorf("%s: the view says %q, want %q", test.name, got, want)
		}
		if told := bytes.Contains(last.Receipt.Raw, []byte("PDFSignatures")); told != (want != "") {
			t.Errorf("%s: the receipt has the element: %t", test.name, told)
		}
	}

	const words = "2 signatures, valid"
	if out := s.mustHub("packages", string(last.Package), "--config", s.config()); !strings.Contains(out, words) || !strings.Contains(out, "valid: Agency H12.07, ") {
		t.Errorf("hub package says:\n%s", out)
	}
	page, err := town.hub.Inbox(t.Context(), "", "", 100, 0)
	must(t, err)
	if len(page.Items) != number {
		t.Errorf("%d of %d arrived", len(page.Items), number)
	}
	keys, receipt := s.path("keys.json"), s.path("receipt.xml")
	must(t, os.WriteFile(keys, []byte(s.mustHub("keys", "--config", s.config())), 0o600))
	must(t, os.WriteFile(receipt, last.Receipt.Raw, 0o600))
	if out := output(t, exec.Command("auditor", "verify", "--seal-only", "--keys", keys, receipt)); !strings.Contains(out, "In the PDF  content 4: "+words) {
		t.Errorf("the auditor says:\n%s", out)
	}

	day := time.Now().Format(time.DateOnly)
	var r exchange.Report
	must(t, json.Unmarshal([]byte(s.mustHub("report", "--from", day, "--to", day, "--json", "--config", s.config())), &r))
	if r.Total.Documents != int64(number) || r.Total.Signed != int64(number) || r.Total.PDFSigned != 4 {
		t.Errorf("the report has %d documents, %d signed, %d with a signed PDF", r.Total.Documents, r.Total.Signed, r.Total.PDFSigned)
	}
	s.stop()
}
