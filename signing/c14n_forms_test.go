package signing

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A wanted canonical form, and as an arbiter is asked for it.
type wantedForm struct {
	name     string
	form     c14nForm
	number   byte
	prefixes string
}

var wantedForms = []wantedForm{
	{"exclusive", c14nForm{}, 0, ""},
	{"exclusive with a list", c14nForm{prefixes: []string{"a", "", "z-1", "nowhere", "ds"}}, 0, "a #default z-1 nowhere ds"},
	{"inclusive", c14nForm{inclusive: true}, 1, ""},
	{"inclusive 1.1", c14nForm{inclusive: true, v11: true}, 2, ""},
}

// canonicalAs is the canonical form of a document, or of its nth element, whose
// tags must be two, as the scanner makes it.
func canonicalAs(document string, form c14nForm, nth int) (string, error) {
	var out bytes.Buffer
	s := newScanner(strings.NewReader(document), Options{scanOnly: true, NoDigest: true, Limits: Limits{Namespaces: 1000}})
	defer s.release()
	s.canon.reset(form, crypto.SHA256)
	s.canon.sink = &out
	if nth == 0 {
		err := s.document()
		s.canon.flush()
		return out.String(), err
	}
	s.out = nil
	if err := s.prolog(); err != nil {
		return "", err
	}
	depth := 0 // of the element, once it has begun
	for first := true; first || len(s.stack) > 0; first = false {
		if !first {
			if err := s.text(); err != nil {
				return "", err
			}
		}
		before := s.elements
		if err := s.markup(); err != nil {
			return "", err
		}
		if s.elements > before && s.elements == nth {
			depth = len(s.stack)
			if err := s.apex(form); err != nil {
				return "", err
			}
		}
		if len(s.stack) < depth {
			s.out = nil
		}
	}
	err := s.epilog()
	s.canon.flush()
	return out.String(), err
}

// apex begins the canonical form at the element that has just begun, as
// startProperties does.
func (s *scanner) apex(form c14nForm) error {
	if form.inclusive {
		inherited, refusal := inheritedXML(s.stack[len(s.stack)-1].el, form)
		if refusal != nil {
			return refusal
		}
		for _, a := range inherited {
			name := &qname{raw: "xml:" + a.Local, prefix: "xml", local: a.Local}
			s.tag.attrs = append(s.tag.attrs, attribute{name: name, space: nsXML, value: a.Value})
		}
	}
	s.out = &s.canon
	s.canon.start(&s.tag, &s.scope)
	return nil
}

// twoTags writes every empty element with two tags.
func twoTags(document string) string {
	var b strings.Builder
	for _, p := range parts(document) {
		text := document[p.from:p.to]
		if p.kind == 'x' {
			text = strings.TrimSuffix(text, "/>") + "></" + p.name + ">"
		}
		b.WriteString(text)
	}
	return b.String()
}

// listed gives a form with a list of prefixes another list.
func (w wantedForm) listed(g generator) wantedForm {
	if len(w.form.prefixes) == 0 {
		return w
	}
	w.form.prefixes, w.prefixes = nil, ""
	for range 1 + g.IntN(4) {
		p := g.pick("a", "b", "ns1", "z-1", "", "nowhere", "xml")
		w.form.prefixes = append(w.form.prefixes, p)
		if p == "" {
			p = defaultPrefix
		}
		w.prefixes += p + " "
	}
	return w
}

// A formsCase is a document and its canonical forms as libxml2 makes them.
type formsCase struct {
	Document string
	Forms    []formCase
}

// A formCase is one of them: of which form of wantedForms, with which list of
// prefixes, of which element (0: the document).
type formCase struct {
	Form      int
	Prefixes  string
	Element   int
	Canonical string
}

// TestCanonicalFormsCorpus needs no other program: the forms were made by libxml2.
func TestCanonicalFormsCorpus(t *testing.T) {
	const file = "testdata/c14n-forms.json"
	if *update {
		writeFormsCorpus(t, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var corpus []formsCase
	if err := json.Unmarshal(data, &corpus); err != nil || len(corpus) < 60 {
		t.Fatal("the corpus is broken", err)
	}
	for _, c := range corpus {
		for _, f := range c.Forms {
			form := wantedForms[f.Form].form
			form.prefixes = nil
			for _, p := range strings.Fields(f.Prefixes) {
				form.prefixes = append(form.prefixes, strings.TrimPrefix(p, defaultPrefix))
			}
			got, err := canonicalAs(c.Document, form, f.Element)
			if err != nil || got != f.Canonical {
				t.Fatalf("%v: %s, element %d of %q\n is   %q\n want %q", err, wantedForms[f.Form].name, f.Element, c.Document, got, f.Canonical)
			}
		}
	}
}

func writeFormsCorpus(t *testing.T, file string) {
	t.Helper()
	a, g := xmlsecArbiter(t), generator{rand.New(rand.NewPCG(3, 4))}
	var corpus []formsCase
	for len(corpus) < 80 {
		c := formsCase{Document: twoTags(g.document())}
		if n := len(c.Document); n < 200 || n > 900 || strings.Contains(c.Document, "xml:base") {
			continue
		}
		for i, w := range wantedForms {
			w = w.listed(g)
			for _, nth := range []int{0, 1 + g.IntN(len(stretches(c.Document)))} {
				a.canonical(w.number, w.prefixes, nth, c.Document)
				a.send()
				said := a.answer(t)
				if !said.yes {
					t.Fatalf("%s: %q", said.text, c.Document)
				}
				c.Forms = append(c.Forms, formCase{i, w.prefixes, nth, said.text})
			}
		}
		corpus = append(corpus, c)
	}
	data, err := json.MarshalIndent(corpus, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCanonicalFormsAgainstLibxml2: byte for byte, in each form, whole documents
// and each of their elements.
func TestCanonicalFormsAgainstLibxml2(t *testing.T) {
	a := xmlsecArbiter(t)
	g := generator{rand.New(rand.NewPCG(2026, 12))}
	compared := 0
	for range 300 {
		document := twoTags(g.document())
		elements := len(stretches(document))
		for _, w := range wantedForms {
			w = w.listed(g)
			for nth := range elements + 1 {
				a.canonical(w.number, w.prefixes, nth, document)
				a.send()
				want := a.answer(t)
				got, err := canonicalAs(document, w.form, nth)
				if w.form.v11 && strings.Contains(document, "xml:base") {
					continue // refused where it matters, and libxml2 leaves out empty ones
				}
				if err != nil || !want.yes {
					t.Fatalf("%v, %s: %q", err, want.text, document)
				}
				compared++
				if got != want.text {
					t.Fatalf("%s, element %d of %q\n is   %q\n want %q", w.name, nth, document, got, want.text)
				}
			}
		}
	}
	t.Logf("%d forms compared", compared)
}

// xmlsecTests is the tests folder of the xmlsec1 source package, as .ci/test
// fetches it, and its version.
func xmlsecTests(t *testing.T) (dir, version string) {
	t.Helper()
	dir = os.Getenv("TRAM_XMLSEC_TESTS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip(err)
		}
		dir = filepath.Join(cache, "tram", "tools", "xmlsec1-tests")
	}
	read, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		missing(t, "the tests folder of xmlsec1's source (.ci/xmlsec-tests DIRECTORY fetches it for TRAM_XMLSEC_TESTS)")
	}
	version, _, _ = strings.Cut(string(read), "-") // Debian's revision does not change the tests
	return dir, version
}

// xmlFiles are the files of a folder that hold XML.
func xmlFiles(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		switch filepath.Ext(path) {
		case ".xml", ".tmpl", ".xsl":
			all = append(all, path)
		}
		return err
	})
	if err != nil || len(all) < 300 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	return all
}

// TestCanonicalFormsOfXmlsecFiles: every file of that package has libxml2's
// canonical forms, or is refused by the rule that the list gives. A file that is
// refused for comments, instructions or a document type is compared once more
// without them, on both sides.
func TestCanonicalFormsOfXmlsecFiles(t *testing.T) {
	dir, version := xmlsecTests(t)
	a := xmlsecArbiter(t)
	list := "# Canonical form of the files of xmlsec1 " + version + ": equal to libxml2's in all forms, or refused.\n# file\tas it is\twithout comments, instructions and document type\n"
	for _, file := range xmlFiles(t, dir) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		document := strings.ReplaceAll(string(data), nsDS, strings.Replace(nsDS, "dsig", "none", 1)) // no signature is looked for
		name, _ := filepath.Rel(dir, file)
		line := name + "\t" + compareForms(t, a, name, document)
		if !strings.HasSuffix(line, "\tequal") {
			line += "\t" + compareForms(t, a, name, plainXML(document))
		}
		list += line + "\n"
	}
	golden(t, "testdata/xmlsec-c14n.txt", list)
}

// compareForms says "equal", the rule, or that libxml2 refuses too.
func compareForms(t *testing.T, a *arbiter, name, document string) string {
	t.Helper()
	verdict := ""
	for _, w := range wantedForms {
		a.canonical(w.number, w.prefixes, 0, document)
		a.send()
		want := a.answer(t)
		got, err := canonicalAs(document, w.form, 0)
		said := "equal"
		switch {
		case err != nil && !errors.As(err, new(*Error)):
			t.Errorf("%s: %v", name, err)
		case err != nil:
			said = outcome(err)
		case !want.yes:
			t.Errorf("%s, %s: libxml2 refuses it: %s", name, w.name, want.text)
		case got != want.text:
			t.Errorf("%s, %s\n is   %q\n want %q", name, w.name, got, want.text)
		}
		if err != nil && !want.yes {
			said += " (libxml2 refuses it too)"
		}
		if verdict != "" && verdict != said {
			t.Errorf("%s is %s in one form and %s in another", name, verdict, said)
		}
		verdict = said
	}
	return verdict
}

// plainXML is a document without comments, processing instructions and document
// type.
func plainXML(document string) string {
	var b strings.Builder
	for i := 0; i < len(document); {
		p := nextPart(document, i)
		text := document[p.from:p.to]
		if strings.HasPrefix(text, "<!DOCTYPE") {
			if open := strings.IndexByte(text, '['); open >= 0 {
				if end := strings.Index(document[p.from:], "]"); end >= 0 {
					p.to = p.from + end + 1 + strings.IndexByte(document[p.from+end:], '>')
				}
			}
			text = ""
		}
		if strings.HasPrefix(text, "<!--") || strings.HasPrefix(text, "<?") && !strings.HasPrefix(text, "<?xml ") {
			text = ""
		}
		b.WriteString(text)
		i = p.to
	}
	return b.String()
}

// golden compares a list with the one that was reviewed.
func golden(t *testing.T, file, is string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == is {
		return
	}
	if head, _, _ := strings.Cut(string(want), "\n"); !strings.HasPrefix(is, head) {
		t.Skipf("%s is about another version: %s", file, head)
	}
	t.Errorf("%s differs: run with -update and review\n%s", file, firstDifference(string(want), is))
}

func firstDifference(want, is string) string {
	a, b := strings.Split(want, "\n"), strings.Split(is, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n is   %s\n want %s", i+1, b[i], a[i])
		}
	}
	return "one is longer"
}

// TestNamespacesGather: inclusive form has the namespaces of all elements around
// it on one tag, which no tag in the document could have.
func TestNamespacesGather(t *testing.T) {
	const each = 32 // as many as a tag may declare
	outer, inner := numbered(` xmlns:q%03[1]d="urn:q%[1]d"`, each), strings.ReplaceAll(numbered(` xmlns:q%03[1]d="urn:q%[1]d"`, each), ":q", ":r")
	document := "<r" + outer + "><h" + inner + ">" + here + "</h></r>"
	signed := sign(t, document, form{
		info: changing(t, `<ds:CanonicalizationMethod Algorithm="`+algExcC14N+`">`, `<ds:CanonicalizationMethod Algorithm="`+algC14N+`">`),
		signed: func(info string) string {
			return replace(t, info, `<ds:SignedInfo xmlns:ds="`+nsDS+`">`, `<ds:SignedInfo xmlns:ds="`+nsDS+`"`+outer+inner+`>`)
		},
	})
	if _, err := Read(strings.NewReader(signed), Options{SignatureIn: [][]Name{{{Local: "r"}, {Local: "h"}}}}); err != nil {
		t.Error(err)
	}
}
