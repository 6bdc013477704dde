package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
	"tram/signing"
)

func TestSafeName(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"as it is", "Công văn 1250.pdf", "Công văn 1250.pdf"},
		{"a path upwards", "../../etc/passwd", "_.._etc_passwd"},
		{"a path of Windows", `..\..\x.dll`, `_.._x.dll`},
		{"a drive", `C:\x`, "C__x"},
		{"hidden", ".bashrc", "bashrc"},
		{"dots alone", "..", "attachment-7"},
		{"nothing", "  ", "attachment-7"},
		{"a line end", "a\nb.pdf", "a_b.pdf"},
		{"right to left", "a\u202efdp.exe", "a_fdp.exe"},
		{"a device of Windows", "con.txt", "_con.txt"},
		{"a device with a blank", "NUL .pdf", "_NUL .pdf"},
		{"only like a device", "Congvan.pdf", "Congvan.pdf"},
		{"an end that Windows drops", "x.pdf. ", "x.pdf"},
		{"taken", "Taken.pdf", "7-Taken.pdf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := safeName(c.given, 7, map[string]bool{"taken.pdf": true})
			if err != nil || got != c.want {
				t.Errorf("got %q and %v, want %q", got, err, c.want)
			}
		})
	}
	long, err := safeName(strings.Repeat("ă", 300)+".pdf", 1, map[string]bool{})
	if err != nil || len(long) > 255 || filepath.Ext(long) != ".pdf" {
		t.Errorf("a long name becomes %q, %v", long, err)
	}
}

// composed writes a package with one file and reads what the hub would.
func composed(t *testing.T, name string, content []byte) (file string, attachments []exchange.Attachment) {
	t.Helper()
	var b bytes.Buffer
	err := edxml.Write(&b, edxml.Document{From: edxml.Organ{Code: "H12.07"}, To: []edxml.Organ{{Code: "H12.12"}}, Number: "1",
		Date: time.Now(), TypeName: "Công văn", Subject: "s", Sent: time.Now(), Attachments: []edxml.Attachment{{Name: name,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	decoder := edxml.New(edxml.Options{}).Decoder()
	doc, err := signing.Read(bytes.NewReader(b.Bytes()), decoder.Options())
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := decoder.Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	return hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), b.Bytes()), pkg.Attachments
}

func TestExtract(t *testing.T) {
	content := bytes.Repeat([]byte("số liệu;1\n"), 20000)
	for _, name := range []string{"raw.pdf", "wrapped.csv", "itself.zip"} {
		t.Run(name, func(t *testing.T) {
			if name == "itself.zip" {
				content = zipOf(t, "x", []byte("y"))
			}
			file, attachments := composed(t, name, content)
			dir := filepath.Join(t.TempDir(), "files")
			names, err := extract(file, dir, attachments)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !bytes.Equal(got, content) || len(names) != 1 {
				t.Errorf("got %d bytes in %v, %v", len(got), names, err)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left %v, %v", left, err)
			}
			if _, err := extract(file, dir, attachments); err == nil {
				t.Error("unpacked over what is there")
			}
		})
	}
}

func zipOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file that changed between its verification and its unpacking is not
// unpacked: every content must have the digest that was verified.
func TestExtractHoldsToTheDigest(t *testing.T) {
	file, attachments := composed(t, "a.pdf", []byte("the true content"))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(b, []byte(base64.StdEncoding.EncodeToString([]byte("the true content"))),
		[]byte(base64.StdEncoding.EncodeToString([]byte("the fake content"))), 1)
	if bytes.Equal(b, changed) {
		t.Fatal("nothing was changed")
	}
	hubtest.WriteFile(t, file, changed)
	dir := filepath.Join(t.TempDir(), "files")
	if _, err := extract(file, dir, attachments); err == nil {
		t.Error("unpacked")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something is there")
	}
}

func TestWritingLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	err := writing(name, false, 0o600, func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20)) // more than is buffered
		return io.ErrUnexpectedEOF
	})
	if err == nil {
		t.Error("no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
