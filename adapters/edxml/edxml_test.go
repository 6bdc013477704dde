package edxml

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tram/exchange"
	"tram/signing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// decode reads a package as the exchange does.
func decode(f exchange.Format, r io.Reader) (exchange.Package, error) {
	d := f.Decoder()
	doc, err := signing.Read(r, d.Options())
	if err != nil {
		return exchange.Package{}, err
	}
	return d.Decode(doc)
}

func decodeString(s string) (exchange.Package, error) {
	return decode(New(Options{Types: TypesOff}), strings.NewReader(s))
}

// refusalOf is the format's refusal in err; the test fails if it is none.
func refusalOf(t *testing.T, err error) *exchange.Error {
	t.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a refusal of the format", err)
	}
	inVietnamese(t, e.Text("vi"))
	return e
}

// english are words that no refusal in Vietnamese has outside of quotation
// marks, where data stands.
var (
	english = regexp.MustCompile(`\b(the|is|of|not|and|was|are|has|with|from|must|than|only|expected|missing|its|which|neither|size|name|fields)\b`)
	quoted  = regexp.MustCompile(`"[^"]*"`)
)

func inVietnamese(t *testing.T, text string) {
	t.Helper()
	if word := english.FindString(quoted.ReplaceAllString(text, "")); word != "" || strings.Contains(text, "%!") {
		t.Errorf("English (%s) in %q", word, text)
	}
}

// golden is what a golden file shows: the package, and the places that its JSON
// leaves out.
type golden struct {
	Package    exchange.Package
	Sender     exchange.Place
	Target     exchange.Place
	Recipients []exchange.Place
	Status     exchange.Place
}

func goldenOf(p exchange.Package) golden {
	g := golden{Package: p, Sender: p.SenderPlace, Target: p.TargetPlace}
	for _, r := range p.Recipients {
		g.Recipients = append(g.Recipients, r.Place)
	}
	if p.Status != nil {
		g.Status = p.Status.Place
	}
	return g
}

func TestPackagesOfTheField(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.edxml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d packages found in testdata, want at least 15: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".edxml")
		t.Run(name, func(t *testing.T) {
			in, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			p, err := decode(New(Options{Types: TypesOff}), in)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join("testdata", name+".json"), goldenOf(p))
		})
	}
}

func compareGolden(t *testing.T, file string, got golden) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-%s +got)\n%s", file, diff)
	}
}
