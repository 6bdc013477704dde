package signing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// canonicalOf is the canonical form that a document is digested in.
func canonicalOf(r io.Reader) (string, error) {
	var form bytes.Buffer
	o := inHeader()
	o.scanOnly = true
	s := newScanner(r, o)
	defer s.release()
	s.canon.sink = &form
	if err := s.document(); err != nil {
		return "", err
	}
	s.canon.flush()
	return form.String(), nil
}

// oracle canonicalises documents with libxml2. A document that it refuses gets
// no answer. xmllint will not do: it keeps comments.
const oracle = `
import json, sys
from lxml import etree
def form(text):
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        tree = etree.ElementTree(etree.fromstring(text.encode("utf-8", "surrogatepass"), parser))
        return etree.tostring(tree, method="c14n", exclusive=True, with_comments=False).decode("utf-8")
    except Exception:
        return None
json.dump([form(t) for t in json.load(sys.stdin)], sys.stdout)
`

// askOracle returns libxml2's canonical forms; nil where it refuses.
func askOracle(t *testing.T, documents []string) []*string {
	t.Helper()
	in, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(python)
		if err != nil || exec.Command(path, "-c", "import lxml").Run() != nil {
			continue
		}
		cmd := exec.Command(path, "-c", oracle)
		cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var forms []*string
		if err := json.Unmarshal(out, &forms); err != nil {
			t.Fatal(err)
		}
		return forms
	}
	missing(t, "python3 with lxml")
	return nil
}

// missing skips a test whose program is not installed; in CI it fails.
func missing(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI must have it", program)
	}
	t.Skipf("%s is not installed", program)
}

// TestCanonicalFormAgainstLibxml2: byte for byte, over generated documents and
// every package and vector there is.
func TestCanonicalFormAgainstLibxml2(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(2026, 11))}
	var documents []string
	for range 1200 {
		documents = append(documents, g.document())
	}
	generated := len(documents)
	files, err := filepath.Glob("../testdata/*/*.*ml")
	if err != nil || len(files) < 100 {
		t.Fatal("where are the files?", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(data))
	}
	compared := 0
	for i, want := range askOracle(t, documents) {
		got, err := canonicalOf(strings.NewReader(documents[i]))
		if err != nil && (i < generated || !errors.As(err, new(*Error))) {
			t.Fatalf("%v:\n%s", err, documents[i])
		}
		if err != nil || want == nil || strings.Contains(documents[i], nsDS) { // ours leaves the signature out
			continue
		}
		compared++
		if got != *want {
			t.Fatalf("canonical form differs\n document %q\n is       %q\n want     %q", documents[i], got, *want)
		}
	}
	if compared < generated {
		t.Errorf("only %d of %d generated documents were compared", compared, generated)
	}
}

// A generator makes well-formed documents that try what canonicalisation is
// hard in.
type generator struct{ *rand.Rand }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) document() string {
	var b strings.Builder
	b.WriteString(g.pick("", "\uFEFF", `<?xml version="1.0"?>`, "<?xml version='1.0' encoding='UTF-8' standalone='no' ?>\r\n"))
	scope := map[string]string{}
	g.element(&b, scope, 0)
	b.WriteString(g.pick("", "\n", " \r\n\t"))
	return b.String()
}

var (
	generatedPrefixes = []string{"", "a", "b", "ns1", "z-1"}
	// None with an ampersand: libxml2 2.9 then writes "&#38;", which is no
	// canonical form, and none outside ASCII, which it refuses.
	generatedURIs = []string{"urn:a", "urn:b", "http://example.org/?x=1;y='2'", "urn:c:'", nsQCVN, nsXAdES}
)

func (g generator) element(b *strings.Builder, outer map[string]string, depth int) {
	scope := map[string]string{}
	for p, u := range outer {
		scope[p] = u
	}
	var parts []string
	for _, p := range generatedPrefixes {
		if g.IntN(4) > 0 && depth > 0 || g.IntN(2) == 0 {
			continue
		}
		uri := g.pick(generatedURIs...)
		if p == "" && g.IntN(3) == 0 {
			uri = ""
		}
		scope[p] = uri
		name := "xmlns:" + p
		if p == "" {
			name = "xmlns"
		}
		parts = append(parts, name+"="+g.quote(uri))
	}
	seen := map[string]bool{}
	for range g.IntN(4) {
		p, local := g.prefix(scope), g.pick("x", "y", "Type", "ngày")
		if p == "xml" {
			local = g.pick("lang", "space", "base")
		}
		expanded := local
		if p != "" {
			expanded = scope[p] + " " + local
		}
		if p == "xml" {
			expanded = "xml " + local
		}
		if seen[expanded] {
			continue
		}
		seen[expanded] = true
		parts = append(parts, join(p, local)+g.pick("=", " = ", "\n=")+g.quote(g.attribute()))
	}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	p := g.prefix(scope)
	if p == "xml" {
		p = ""
	}
	name := join(p, g.pick("e", "From", "tên", "_x.1-2"))
	b.WriteString("<" + name)
	for _, part := range parts {
		b.WriteString(g.pick(" ", "\n\t", "\r\n ") + part)
	}
	if g.IntN(5) == 0 {
		b.WriteString(g.pick("/>", " />"))
		return
	}
	b.WriteString(g.pick(">", " >"))
	for range g.IntN(4) {
		if depth == 5 {
			break
		}
		b.WriteString(g.text())
		g.element(b, scope, depth+1)
	}
	b.WriteString(g.text() + "</" + name + g.pick(">", "\n>"))
}

func join(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// prefix picks one that is declared.
func (g generator) prefix(scope map[string]string) string {
	p := g.pick("", "xml", "a", "b", "ns1", "z-1")
	if _, ok := scope[p]; ok || p == "" || p == "xml" {
		return p
	}
	return ""
}

func (g generator) quote(s string) string {
	if g.IntN(2) == 0 {
		return `"` + strings.ReplaceAll(s, `"`, "&quot;") + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", "&apos;") + "'"
}

func (g generator) attribute() string {
	var s string
	for range g.IntN(5) {
		s += g.pick("a", " ", "\t", "\n", "\r\n", "\r", "&#10;", "&#9;", "&#xD;", "&lt;", "&amp;", ">", "'", `"`, "ệ", "\U0001F4DC", "&#128220;", "longer text", "]]>")
	}
	return s
}

func (g generator) text() string {
	var s string
	for range g.IntN(5) {
		piece := g.pick("a", " ", "\t", "\n", "\r\n", "\r", "\r\r\n", "&#10;", "&#13;", "&lt;", "&gt;", "&amp;", ">", "'", `"`, "&quot;", "ệ", "\U0001F4DC",
			"&#x1EC7;", "]]", "]", "<![CDATA[]]>", "<![CDATA[<a>&amp;]] >\r\n]]]>", "<![CDATA[ệ]]>", "\u0085\u2028", strings.Repeat("QUJD", 130), "Sở Tài chính tỉnh Cà Mau")
		if piece == ">" && strings.HasSuffix(s, "]") {
			piece = "." + piece
		}
		s += piece
	}
	return s
}

// TestCanonicalCorpus needs no other program: the forms were made by libxml2.
func TestCanonicalCorpus(t *testing.T) {
	const file = "testdata/c14n.json"
	if *update {
		writeCorpus(t, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var corpus []canonicalCase
	if err := json.Unmarshal(data, &corpus); err != nil || len(corpus) < 200 {
		t.Fatal("the corpus is broken", err)
	}
	for _, c := range corpus {
		for _, r := range []io.Reader{strings.NewReader(c.Document), iotest.OneByteReader(strings.NewReader(c.Document)), iotest.DataErrReader(strings.NewReader(c.Document))} {
			got, err := canonicalOf(r)
			if err != nil {
				t.Fatalf("%q: %v", c.Document, err)
			}
			if got != c.Canonical {
				t.Fatalf("document %q\n is   %q\n want %q", c.Document, got, c.Canonical)
			}
		}
		again, err := canonicalOf(strings.NewReader(c.Canonical))
		if err != nil || again != c.Canonical {
			t.Fatalf("the canonical form of %q is not its own canonical form: %v", c.Document, err)
		}
	}
}

type canonicalCase struct{ Document, Canonical string }

func writeCorpus(t *testing.T, file string) {
	t.Helper()
	g := generator{rand.New(rand.NewPCG(1, 2))}
	var documents []string
	for range 250 {
		documents = append(documents, g.document())
	}
	var corpus []canonicalCase
	for i, form := range askOracle(t, documents) {
		if form != nil {
			corpus = append(corpus, canonicalCase{documents[i], *form})
		}
	}
	data, err := json.MarshalIndent(corpus, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
