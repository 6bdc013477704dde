package edxml

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"tram/exchange"
	"tram/signing"
)

func TestPlainName(t *testing.T) {
	for _, name := range []string{"CV_1250.pdf", "Công văn số 12.docx", "console.txt", "com10.txt", "lpt.txt", "a. b.pdf", ".pdf"} {
		if !plainName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"CON", "nul.txt", "Aux.tar.gz", "com1.pdf", "LPT9", "com¹.txt", "prn .txt", "conin$", "a.exe.", "a.exe ",
		"a\u202efdp.exe", "a\u200b.pdf", "a\u00ad.pdf", "\ufeffa.pdf", "a\u2028.pdf", "a\x00.pdf", "a\u0085.pdf", `a\b`, "a/b", "c:a", ".", "..", "", strings.Repeat("a", 256)} {
		if plainName(name) {
			t.Errorf("%q is let pass", name)
		}
	}
}

// office is a ZIP with these parts, the first stored first as Office writes them.
func officeFile(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range parts {
		addTo(t, z, zip.FileHeader{Name: name, Method: zip.Deflate}, strings.Repeat(name, 100))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	elf = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"
	pdf = "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
	png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
)

func TestTypes(t *testing.T) {
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 4096)
	for _, test := range []struct {
		name, file, content string
		policy              Types
		flags               []string
		rule                string // of the refusal
	}{
		{"a PDF", "a.pdf", pdf, TypesRefuse, nil, ""},
		{"a PDF in capitals", "A.PDF", pdf, TypesRefuse, nil, ""},
		{"an ELF program under a PDF's name", "a.pdf", elf, TypesWarn, []string{exchange.FlagProgram}, "attachment-program"},
		{"an ELF program that nobody looks at", "a.pdf", elf, TypesOff, nil, ""},
		{"a Windows program under a document's name", "a.docx", "MZ\x90\x00\x03" + strings.Repeat("\x00", 200), TypesWarn, []string{exchange.FlagProgram}, "attachment-program"},
		{"a program without an extension", "README", elf, TypesWarn, []string{exchange.FlagProgram}, "attachment-program"},
		{"a text that begins like a program", "a.txt", "MZ là viết tắt", TypesWarn, []string{exchange.FlagType}, ""},
		{"a script by its name", "a.vbs", "MsgBox 1", TypesWarn, []string{exchange.FlagProgram}, ""},
		{"a script by its name, refused", "a.vbs", "MsgBox 1", TypesRefuse, []string{exchange.FlagProgram}, "attachment-program"},
		{"an image under a PDF's name", "a.pdf", png, TypesWarn, []string{exchange.FlagType}, ""},
		{"an image under a PDF's name, refused", "a.pdf", png, TypesRefuse, []string{exchange.FlagType}, "attachment-type"},
		{"a Word document", "a.docx", officeFile(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml"), TypesRefuse, nil, ""},
		{"a Word document under a sheet's name", "a.xlsx", officeFile(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml"), TypesWarn, []string{exchange.FlagType}, ""},
		{"a Word document with macros far behind", "a.docm", officeFile(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml") + strings.Repeat("x", 50_001) + "word/vbaProject.bin", TypesRefuse, []string{exchange.FlagMacros}, ""},
		{"an old Word document", "a.doc", ole, TypesRefuse, nil, ""},
		{"an old Word document with macros", "a.doc", ole + string(utf16("_VBA_PROJECT")), TypesRefuse, []string{exchange.FlagMacros}, ""},
		{"a text", "a.csv", csv, TypesRefuse, nil, ""},
		{"an extension that nobody knows", "a.dwg", png, TypesRefuse, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, whole := range []bool{true, false} { // and byte by byte
				if test.policy == TypesOff {
					return // nobody asks
				}
				l := &look{}
				if whole {
					_, _ = l.Write([]byte(test.content))
				} else {
					for i := range len(test.content) {
						_, _ = l.Write([]byte(test.content[i : i+1]))
					}
				}
				_, flags, err := l.judge(test.file, "", test.policy)
				rule := ""
				if err != nil {
					rule = err.Rule.Name
				}
				if !slices.Equal(flags, test.flags) || rule != test.rule {
					t.Errorf("%s: flags %q, refused by %q; want %q, %q", l.kind, flags, rule, test.flags, test.rule)
				}
			}
		})
	}
}

// TestTypesOfPackages: what is found is in the package's record, wherever the
// file's name stands, and inside the ZIP that wraps it.
func TestTypesOfPackages(t *testing.T) {
	body := func(name, kind string, content []byte) string {
		s := sample(t, "replace")
		from := strings.Index(s, "<Attachment>")
		to := strings.Index(s, "</AttachmentEncoded>")
		return s[:from] + "<Attachment><ContentTransferEncoded>" + base64.StdEncoding.EncodeToString(content) + "</ContentTransferEncoded><ContentType>" + kind +
			"</ContentType><ContentId>x1</ContentId><AttachmentName>" + name + "</AttachmentName></Attachment>" + s[to:]
	}
	read := func(s string) (exchange.Package, error) {
		d := New(Options{}).Decoder()
		doc, err := signing.Read(strings.NewReader(s), d.Options())
		if err != nil {
			t.Fatal(err)
		}
		return d.Decode(doc)
	}
	wrapped := packed(t, named("a.csv"), elf)
	_, err := read(body("a.csv", "application/zip", wrapped))
	var refused *exchange.Error
	if !errors.As(err, &refused) || refused.Rule.Name != ruleProgram.Name {
		t.Errorf("a program wrapped in a ZIP: %v", err)
	}
	p, err := read(body("a.pdf", "application/pdf", []byte(png)))
	if err != nil {
		t.Fatal(err)
	}
	a := p.Attachments[0]
	if a.Detected != "image/png" || !slices.Equal(a.Flags, []string{exchange.FlagType}) || !slices.Contains(p.Warnings, warnType.Name) {
		t.Errorf("%+v, warnings %q", a, p.Warnings)
	}
	if p, err = read(body("a.pdf", "application/pdf", []byte(pdf))); err != nil || p.Attachments[0].Detected != "" {
		t.Errorf("%+v, %v", p.Attachments, err)
	}
}
