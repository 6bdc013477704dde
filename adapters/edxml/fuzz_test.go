package edxml

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tram/exchange"
	"tram/signing"
)

// Whatever is sent, reading ends in a refusal with words, or in a package that
// the exchange can rely on.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"../../testdata/*/*.edxml", "testdata/*.edxml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal("no seeds found: ", pattern, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	for _, test := range refusals {
		f.Add([]byte(sample(f, test.sample, test.change...)))
	}
	for _, test := range zipRefusals {
		if test.name != "a bomb" {
			f.Add([]byte(around(f, test.zip(f))))
		}
	}
	known := map[string]bool{}
	for _, rule := range Rules() {
		known[rule.Name] = true
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(New(Options{Unpacked: 1 << 20, Total: 1 << 22}), bytes.NewReader(b))
		if err != nil {
			checkRefusal(t, err, known)
			return
		}
		checkPackage(t, p, known)
	})
}

func checkRefusal(t *testing.T, err error, known map[string]bool) {
	var e *exchange.Error
	if errors.As(err, &e) {
		if !known[e.Rule.Name] || e.Path == "" || e.Line < 1 || strings.Contains(e.Text("en")+e.Text("vi"), "%!") {
			t.Errorf("a refusal without rule, place or words: %#v", e)
		}
		return
	}
	var s *signing.Error
	if !errors.As(err, &s) {
		t.Errorf("error %v is no refusal", err)
	}
}

func checkPackage(t *testing.T, p exchange.Package, known map[string]bool) {
	codes := append([]string{p.SenderAs}, append(slices.Clone(p.Added), p.Removed...)...)
	for _, r := range p.Recipients {
		codes = append(codes, r.As)
	}
	if p.Status != nil {
		codes = append(codes, p.Status.ToAs)
	}
	for _, code := range codes {
		if checkCode(code) != nil {
			t.Errorf("a code %q that is none", code)
		}
	}
	if (p.Kind == exchange.KindStatus) != (p.Status != nil) || (p.Kind == exchange.KindStatus) != (len(p.Recipients) == 0) {
		t.Errorf("a package of kind %q with %d recipients and status %v", p.Kind, len(p.Recipients), p.Status)
	}
	if p.Status == nil && (p.DocumentID == "" || p.Number == "" || p.Subject == "" || checkDate(p.PromulgationDate) != nil) {
		t.Errorf("a document without what it needs: %+v", p)
	}
	about := p.Kind != exchange.KindNew && p.Kind != exchange.KindStatus
	if about != (len(p.Targets) > 0) || slices.Contains(p.Targets, "") {
		t.Errorf("a package of kind %q with targets %q", p.Kind, p.Targets)
	}
	for _, a := range p.Attachments {
		if !plainName(a.Name) || a.Digest.IsZero() || strings.HasPrefix(a.ContentID, "cid:") || !utf8.ValidString(a.Name) {
			t.Errorf("an attachment that is none: %+v", a)
		}
	}
	for _, w := range p.Warnings {
		if !known[w] {
			t.Errorf("an unknown warning %q", w)
		}
	}
	if p.Content.IsZero() || p.Digest.IsZero() {
		t.Error("a package without digests")
	}
}

// Decoding in pieces gives what the standard library gives for the whole, for
// all that is written as every encoder writes it, and nothing else.
func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "QUJD", "QUI=", "QQ==", "QR==", "QQ=", "Q", "QQ==QQ==", "=QQQ", "Q=QQ", "QUJD QUJD\r\n\t", "Q-JD", "QUJD\x00", "QUJDé", strings.Repeat("QUJD", 3000), strings.Repeat("QUJD", 2047) + "QQ==", strings.Repeat("QUJD", 2047) + "QQ==QUJD"} {
		f.Add(s, 3)
		f.Add(s, 5000)
	}
	f.Fuzz(func(t *testing.T, s string, piece int) {
		if piece < 1 {
			return
		}
		var got bytes.Buffer
		u := &unbase64{to: &got}
		var err error
		for rest := s; rest != "" && err == nil; {
			n := min(piece, len(rest))
			_, err = u.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if err == nil {
			err = u.Close()
		}
		plain := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(s)
		want, wrong := base64.StdEncoding.Strict().DecodeString(plain)
		if (err != nil) != (wrong != nil) {
			t.Fatalf("%q: error %v, the standard library's %v", s, err, wrong)
		}
		if err == nil && !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%q: %d bytes decoded, want %d others", s, got.Len(), len(want))
		}
	})
}
