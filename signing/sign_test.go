package signing_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"tram/signing"
)

const nsEdXML = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

// header is where packages carry their signature.
var header = []signing.Name{{Space: nsEdXML, Local: "edXML"}, {Space: nsEdXML, Local: "edXMLEnvelope"}, {Space: nsEdXML, Local: "edXMLHeader"}}

// packages are documents as agencies' systems write them.
func packages() map[string]string {
	whole := func(subject, content string) string {
		return `<?xml version="1.0" encoding="utf-8"?>
<edXML xmlns="` + nsEdXML + `">
  <e:edXMLEnvelope xmlns:e="` + nsEdXML + `" xmlns:unused="urn:unused">
    <e:edXMLHeader>
      <e:MessageHeader><e:Subject b='2' a="x&#9;&quot;y&quot;">` + subject + `</e:Subject></e:MessageHeader>
    </e:edXMLHeader>
    <e:edXMLBody/>
  </e:edXMLEnvelope>
  <AttachmentEncoded>` + content + `</AttachmentEncoded>
</edXML>
`
	}
	return map[string]string{
		"Vietnamese":           whole("V/v phân bổ kinh phí quý IV &amp; <![CDATA[<các quý sau>]]>", "SGVsbG8="),
		"attribute over lines": strings.Replace(whole("x", "eA=="), "b='2'", "b='2\n\t3'", 1),
		"line ends of Windows": strings.ReplaceAll(whole("dòng một\ndòng hai &#13;", "SGVs\nbG8="), "\n", "\r\n"),
		"longer than a window": whole("Ế😀", strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\r\n", 10000)),
	}
}

func sign(t testing.TB, doc string, h holder, place []signing.Name) []byte {
	t.Helper()
	var signed bytes.Buffer
	if err := signing.Sign(&signed, strings.NewReader(doc), h.key, h.chain, place); err != nil {
		t.Fatal(err)
	}
	return signed.Bytes()
}

func TestSignedPackagesAreRead(t *testing.T) {
	for kind, h := range holders() {
		signed := sign(t, packages()["line ends of Windows"], h, header)
		read, err := signing.Read(bytes.NewReader(signed), signing.Options{SignatureIn: [][]signing.Name{header}})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if read.Signature == nil || !read.Signature.Certificate.Equal(h.chain[0]) {
			t.Errorf("%s: signed by %+v", kind, read.Signature)
		}
	}
}

func TestSigningOnlyAddsTheSignature(t *testing.T) {
	for name, doc := range packages() {
		for end, place := range map[string][]signing.Name{"</e:edXMLHeader>": header, "</edXML>": nil} {
			signed := string(sign(t, doc, holders()["P-256"], place))
			before, rest, _ := strings.Cut(signed, "<Signature ")
			_, after, _ := strings.Cut(rest, "</Signature>")
			if before+after != doc {
				t.Errorf("%s: the rest of the package changed", name)
			}
			if !strings.HasPrefix(after, end) {
				t.Errorf("%s: the signature stands before %.20q, want %q", name, after, end)
			}
		}
	}
}

func TestNoByteOfASignedPackageCanChange(t *testing.T) {
	signed := sign(t, packages()["Vietnamese"], holders()["P-256"], header)
	options := signing.Options{SignatureIn: [][]signing.Name{header}}
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		read, err := signing.Read(bytes.NewReader(changed), options)
		if err == nil && read.Signature != nil && !sameContent(t, signed, changed) {
			t.Fatalf("accepted with byte %d changed: %s", i, changed[max(0, i-20):min(len(changed), i+20)])
		}
	}
}

// sameContent says whether two packages say the same outside KeyInfo, which no
// signature covers, by a parser that is not ours.
func sameContent(t *testing.T, a, b []byte) bool {
	t.Helper()
	return tokens(t, a) == tokens(t, b)
}

func tokens(t *testing.T, doc []byte) string {
	t.Helper()
	var out strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(doc)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "KeyInfo" {
			_ = d.Skip()
			continue
		}
		if _, ok := token.(xml.ProcInst); !ok {
			out.WriteString(tokenText(token))
		}
	}
}

func tokenText(token xml.Token) string {
	switch token := token.(type) {
	case xml.StartElement:
		text := "<" + token.Name.Space + " " + token.Name.Local
		for _, a := range token.Attr {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
				text += " " + a.Name.Local + "=" + a.Value
			}
		}
		return text + ">"
	case xml.EndElement:
		return "</>"
	case xml.CharData:
		return string(token)
	}
	return "?"
}

func TestSignRefuses(t *testing.T) {
	h, pkg := holders()["P-256"], packages()["Vietnamese"]
	for _, c := range []struct {
		name, doc string
		place     []signing.Name
		want      error
		words     string
	}{
		{"a package that is signed", string(sign(t, pkg, h, header)), header, signing.ErrSigned, "line 6"},
		{"a signature somewhere else", string(sign(t, pkg, h, nil)), header, signing.ErrSigned, ""},
		{"a place that is not there", "<a></a>", header, signing.ErrNoPlace, "edXML/edXMLEnvelope/edXMLHeader"},
		{"a place that is reached in part", "<a><b></b></a>", names("a", "b", "c"), signing.ErrNoPlace, "a/b/c"},
		{"a place deeper than asked", "<a><x><b></b></x></a>", names("a", "b"), signing.ErrNoPlace, "a/b"},
		{"a place in another namespace", `<a xmlns="urn:x"><b></b></a>`, names("a", "b"), signing.ErrNoPlace, "a/b"},
		{"a place that is there twice", "<a><b></b><b></b></a>", names("a", "b"), signing.ErrNoPlace, "more than once"},
		{"a place written as an empty element", "<a>\n<b/></a>", names("a", "b"), signing.ErrEmptyPlace, "line 2"},
		{"a root written as an empty element", "<a/>", nil, signing.ErrEmptyPlace, "<a></a>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dst bytes.Buffer
			err := signing.Sign(&dst, strings.NewReader(c.doc), h.key, h.chain, c.place)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("error %v, want %v with %q", err, c.want, c.words)
			}
			if dst.Len() > 0 {
				t.Errorf("wrote %d bytes all the same", dst.Len())
			}
		})
	}
}

func names(locals ...string) []signing.Name {
	place := make([]signing.Name, len(locals))
	for i, local := range locals {
		place[i].Local = local
	}
	return place
}

func TestSignReportsWhatTheScannerRefuses(t *testing.T) {
	h := holders()["P-256"]
	for name, doc := range map[string]string{
		"a document type": "<!DOCTYPE a><a></a>", "an element left open": "<a><b></a>", "nothing": "",
	} {
		var refusal *signing.Error
		if err := signing.Sign(io.Discard, strings.NewReader(doc), h.key, h.chain, nil); !errors.As(err, &refusal) {
			t.Errorf("%s: error %v, want a *signing.Error", name, err)
		}
	}
}

// changing gives another text from the second reading on.
type changing struct {
	*strings.Reader
	next string
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if c.Reader.Len() == 0 {
		c.Reader = strings.NewReader(c.next)
	}
	return c.Reader.Seek(offset, whence)
}

func TestPackageThatChangesWhileItIsSigned(t *testing.T) {
	h := holders()["P-256"]
	for name, next := range map[string]string{
		"another letter": "<a>y</a>", "shorter": "<a>", "longer": "<a>x</a><a></a>", "an attribute": `<a b="1">x</a>`,
	} {
		src := &changing{strings.NewReader("<a>x</a>"), next}
		if err := signing.Sign(io.Discard, src, h.key, h.chain, nil); err == nil || !strings.Contains(err.Error(), "changed") {
			t.Errorf("%s: error %v, want one that says it changed", name, err)
		}
	}
}

func TestSignFailsWithItsReaderAndWriter(t *testing.T) {
	h := holders()["P-256"]
	full := errors.New("disk full")
	if err := signing.Sign(failing{full}, strings.NewReader("<a></a>"), h.key, h.chain, nil); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if err := signing.Sign(io.Discard, failing{full}, h.key, h.chain, nil); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if err := signing.Sign(io.Discard, strings.NewReader("<a></a>"), h.key, nil, nil); err == nil {
		t.Error("signed without a certificate")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)       { return 0, f.err }
func (f failing) Write([]byte) (int, error)      { return 0, f.err }
func (f failing) Seek(int64, int) (int64, error) { return 0, nil }

// TestLargePackageInLittleMemory signs 50 MB from a file to a file.
func TestLargePackageInLittleMemory(t *testing.T) {
	dir, h := t.TempDir(), holders()["P-256"]
	src, dst := largePackage(t, filepath.Join(dir, "unsigned.xml"), 50<<20), create(t, filepath.Join(dir, "signed.xml"))

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := signing.Sign(dst, src, h.key, h.chain, header); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("allocated %d bytes", used)
	}
	verifyByXmlsec(t, program(t, "xmlsec1"), h, dst.Name())
}

func create(t testing.TB, name string) *os.File {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // a test's file: nothing is lost
	return f
}

func largePackage(t testing.TB, name string, size int) *os.File {
	t.Helper()
	f := create(t, name)
	start, end, _ := strings.Cut(packages()["Vietnamese"], "SGVsbG8=")
	line := strings.Repeat("QUJD", 16<<10)
	for _, piece := range []string{start, strings.Repeat(line, size/len(line)), end} {
		if _, err := f.WriteString(piece); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func BenchmarkSign(b *testing.B) {
	h := holders()["P-256"]
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64kB", 64 << 10}, {"10MB", 10 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			src := largePackage(b, filepath.Join(b.TempDir(), "unsigned.xml"), size.bytes)
			b.SetBytes(int64(size.bytes))
			for b.Loop() {
				if err := signing.Sign(io.Discard, src, h.key, h.chain, header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
