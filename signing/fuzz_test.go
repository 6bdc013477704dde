package signing

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

func seed(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(vectors, "*.xml"))
	if err != nil || len(files) == 0 {
		f.Fatal("no vectors", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"", "<a/>", "<a b='1'>&#65;<![CDATA[]]></a>", "<a xmlns:p='urn:p'><p:b p:c=''/></a>", "\xEF\xBB\xBF<a>\r\r\n</a>"} {
		f.Add([]byte(s))
	}
}

// FuzzScan: no document makes the scanner panic or answer differently when it
// comes in other pieces; canonical form is its own canonical form, and the
// library's where the library is right.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		form, err := canonicalOf(bytes.NewReader(document))
		slow, slowErr := canonicalOf(iotest.OneByteReader(bytes.NewReader(document)))
		if form != slow || outcome(err) != outcome(slowErr) {
			t.Fatalf("at once %v, byte by byte %v", err, slowErr)
		}
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("refused without a rule: %v", err)
			}
			return
		}
		again, err := canonicalOf(strings.NewReader(form))
		if err != nil || again != form {
			t.Fatalf("canonical form\n%q has the canonical form\n%q: %v", form, again, err)
		}
		compareWithLibrary(t, form)
	})
}

// compareWithLibrary asks goxmldsig for the canonical form of a canonical
// document, where its known mistakes do not show: it sorts attributes by local
// name and writes a superfluous xmlns="" on a root.
func compareWithLibrary(t *testing.T, form string) {
	t.Helper()
	d, err := Read(strings.NewReader(form), Options{})
	if err != nil || d.Root.Space == "" || sortsWrongly(d.Root) {
		return
	}
	doc := etree.NewDocument()
	if doc.ReadFromString(form) != nil || doc.Root() == nil {
		return // it refuses names that XML allows since its fifth edition
	}
	theirs, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(doc.Root())
	if err == nil && string(theirs) != form {
		t.Fatalf("canonical form\n%q is for the library\n%q", form, theirs)
	}
}

func sortsWrongly(e *Element) bool {
	prefixed := 0
	for _, a := range e.Attrs {
		if a.Prefix != "" {
			prefixed++
		}
	}
	for _, c := range e.Children {
		if sortsWrongly(c) {
			return true
		}
	}
	return prefixed > 1
}

// FuzzRead: a changed document is refused, or says what was signed.
func FuzzRead(f *testing.F) {
	seed(f)
	signed := signedForms(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		d, err := Read(bytes.NewReader(document), inHeader())
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("refused without a rule: %v", err)
			}
			return
		}
		if d.Size != int64(len(document)) || d.Root == nil {
			t.Fatalf("read %d bytes of %d", d.Size, len(document))
		}
		if d.Signature == nil {
			return
		}
		form, err := canonicalOf(bytes.NewReader(document))
		if err != nil {
			t.Fatal(err)
		}
		if !signed[form] {
			t.Fatalf("accepted as signed, but nobody signed\n%s", form)
		}
	})
}

// signedForms are the canonical forms that the vectors' keys signed.
func signedForms(f *testing.F) map[string]bool {
	f.Helper()
	forms := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(vectors, "*.xml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(data), inHeader()); err != nil {
			continue
		}
		if form, err := canonicalOf(bytes.NewReader(data)); err == nil {
			forms[form] = true
		}
	}
	return forms
}
