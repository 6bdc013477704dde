package signing

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"
)

// TestEveryRuleHasWords: what is wrong and the next step, in both languages.
func TestEveryRuleHasWords(t *testing.T) {
	if len(Rules()) != len(rules) || len(rules) == 0 {
		t.Fatalf("%d rules listed, %d known", len(Rules()), len(rules))
	}
	for _, r := range Rules() {
		en, vi := r.Text("en"), r.Text("vi")
		if strings.Count(en, ".") < 2 || strings.Count(vi, ".") < 2 {
			t.Errorf("%s: a next step is missing", r)
		}
		if strings.IndexFunc(vi, func(c rune) bool { return c > unicode.MaxLatin1 }) < 0 {
			t.Errorf("%s: %q is not Vietnamese", r, vi)
		}
		if strings.IndexFunc(en, func(c rune) bool { return c > unicode.MaxLatin1 && c != '…' }) >= 0 {
			t.Errorf("%s: %q is not English", r, en)
		}
		if r.Kind() == "" {
			t.Errorf("%s has no kind", r)
		}
		if r.Text("fr") != en {
			t.Errorf("%s: other languages do not get English", r)
		}
	}
	if r := Rule("other"); r.Text("vi") != "other" || r.Kind() != "" {
		t.Error("an unknown rule does not answer with its name")
	}
}

// TestPlaces: a refusal says where.
func TestPlaces(t *testing.T) {
	signed := sign(t, pkg(pdf), form{})
	const header = "/edXML/edXMLEnvelope/edXMLHeader"
	for _, c := range []struct {
		name, document, path string
		line                 int
		rule                 Rule
	}{
		{"in the second recipient", replace(t, signed, "H12.40", "&x;"), header + "/MessageHeader/To[2]/OrganId", 8, InvalidReference},
		{"in a start tag", replace(t, signed, "<TraceHeaderList id", "<TraceHeaderList id='1' id"), header + "/TraceHeaderList", 16, DuplicateAttribute},
		{"of an element", replace(t, signed, "<Paper>", "<x:Paper>"), header + "/TraceHeaderList/Bussiness/Paper", 18, UndeclaredPrefix},
		{"at an end tag", replace(t, signed, "</MessageHeader>", "</x>"), header + "/MessageHeader", 15, MismatchedTag},
		{"after line ends of two kinds", replace(t, strings.ReplaceAll(signed, "\n", "\r\n"), "H12.40", "]]>"), header + "/MessageHeader/To[2]/OrganId", 8, CDATAEndInText},
		{"in the signature", replace(t, signed, "</ds:SignatureValue>", "</ds:SignatureValue>\n<ds:x/>"), header + "/Signature/x", 21, SignatureStructure},
		{"in signed info", sign(t, pkg(pdf), form{info: changing(t, algEnveloped, "x")}), header + "/Signature/SignedInfo/Reference/Transforms/Transform[1]", 20, TransformNotAllowed},
		{"in the certificate", replace(t, signed, "<ds:X509Certificate>", "\n<ds:X509Certificate>!"), header + "/Signature/KeyInfo/X509Data/X509Certificate", 21, SignatureBase64},
		{"of the whole", replace(t, signed, "H12.40", "H12.41"), header + "/Signature/SignedInfo/Reference/DigestValue", 20, DigestMismatch},
		{"of a second signature", replace(t, signed, sigOf(t, signed), sigOf(t, signed)+"\n"+sigOf(t, signed)), header + "/Signature", 21, SecondSignature},
		{"outside the root", signed + "x", "", 28, TextOutsideRoot},
		{"at the end", strings.TrimSuffix(signed, "</edXML>\n"), "/edXML", 27, Truncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.document), inHeader())
			refusal := (*Error)(nil)
			if !errors.As(err, &refusal) {
				t.Fatalf("no refusal: %v", err)
			}
			if refusal.Rule != c.rule || refusal.Path != c.path || refusal.Line != c.line {
				t.Errorf("%s in %q at line %d, want %s in %q at line %d", refusal.Rule, refusal.Path, refusal.Line, c.rule, c.path, c.line)
			}
			if !strings.Contains(err.Error(), string(c.rule)) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("the message %q does not say it", err)
			}
		})
	}
}

// TestBrokenInput: an error of the source is not a refusal of the document.
func TestBrokenInput(t *testing.T) {
	broken := errors.New("connection reset")
	signed := sign(t, pkg(pdf), form{})
	_, err := Read(io.MultiReader(strings.NewReader(signed[:1000]), &failing{broken}), inHeader())
	refusal := (*Error)(nil)
	if !errors.Is(err, broken) || errors.As(err, &refusal) {
		t.Errorf("got %v", err)
	}
	_, err = Read(&failing{}, inHeader())
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }
