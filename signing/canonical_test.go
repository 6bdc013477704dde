package signing_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tram/signing"
)

func TestAppendText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"plain Vietnamese", "Sở Y tế tỉnh Cà Mau", "Sở Y tế tỉnh Cà Mau"},
		{"markup", `a<b&c>d`, `a&lt;b&amp;c&gt;d`},
		{"what is markup already", "&amp;", "&amp;amp;"},
		{"the end of a CDATA section", "]]>", "]]&gt;"},
		{"line ends", "a\r\nb\rc\nd", "a&#xD;\nb&#xD;c\nd"},
		{"quotes and tabs stay", "\"'\t", "\"'\t"},
		{"specials side by side, first and last", "<>", "&lt;&gt;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(signing.AppendText([]byte("x"), c.in)); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, "x"+c.want)
			}
		})
	}
}

func TestAppendAttr(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"plain Vietnamese", "Nguyễn Văn Á", "Nguyễn Văn Á"},
		{"markup", `a<b&c>d`, `a&lt;b&amp;c>d`},
		{"quotes", `"'`, `&quot;'`},
		{"white space", "\t\n\r ", "&#x9;&#xA;&#xD; "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(signing.AppendAttr([]byte("x"), c.in)); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, "x"+c.want)
			}
		})
	}
}

// TestCanonicalisersChangeNothing lets another canonicaliser read what was
// written: if it is canonical, the same bytes come out.
func TestCanonicalisersChangeNothing(t *testing.T) {
	xmllint := program(t, "xmllint")
	doc := []byte("<r>")
	for range 500 {
		doc = append(doc, `<e a="`...)
		doc = signing.AppendAttr(doc, anyText())
		doc = append(doc, `">`...)
		doc = signing.AppendText(doc, anyText())
		doc = append(doc, "</e>"...)
	}
	doc = append(doc, "</r>"...)
	if got := canonicalised(t, xmllint, doc); got != string(doc) {
		t.Errorf("xmllint writes it otherwise:\n%.2000s\nwe wrote:\n%.2000s", got, doc)
	}
}

func anyText() string {
	letters := []rune("aZ09 &<>\"'\t\n\r]ếỡ€😀\u0085\u2028")
	text := make([]rune, rand.IntN(20))
	for i := range text {
		text[i] = letters[rand.IntN(len(letters))]
	}
	return string(text)
}

func canonicalised(t *testing.T, xmllint string, doc []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, xmllint, "--exc-c14n", file)
}

func BenchmarkAppendText(b *testing.B) {
	text := "UBND phường An Xuyên, tỉnh Cà Mau: V/v phân bổ kinh phí quý IV năm 2026 & các quý sau"
	var dst []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		dst = signing.AppendText(dst[:0], text)
	}
}
