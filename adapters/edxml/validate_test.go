package edxml

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tram/exchange"
	"tram/signing"
)

func opener(doc string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(doc)), nil }
}

func validate(t testing.TB, doc string) exchange.Validation {
	t.Helper()
	v, err := New(Options{}).Validate(opener(doc), true)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rulesOf(v exchange.Validation) (names []string) {
	for _, f := range v.Findings {
		names = append(names, f.Rule)
	}
	return names
}

// asTheHub reads a document as the exchange does before it asks the registry.
func asTheHub(doc string) (exchange.Package, error) {
	d := New(Options{}).Decoder()
	o := d.Options()
	o.SHA1 = true
	o.Again = opener(doc)
	read, err := signing.Read(strings.NewReader(doc), o)
	if err != nil {
		return exchange.Package{}, err
	}
	return d.Decode(read)
}

// misprinted reports whether words were formatted wrongly; a document may hold
// anything, and words quote it.
func misprinted(words, doc string) bool {
	return strings.Contains(words, "%!") && !strings.Contains(doc, "%!")
}

// agrees holds a validation to what the hub does with the document: the first
// refusal is the hub's own, and what has none is taken.
func agrees(t testing.TB, doc string) exchange.Validation {
	t.Helper()
	p, err := asTheHub(doc)
	v := validate(t, doc)
	for _, f := range v.Findings {
		if f.Vi == "" || f.En == "" || misprinted(f.Vi+f.En, doc) || f.Link != "/rules#"+f.Rule || f.Code == "" || f.Line == 0 && f.Rule != "encoding" && f.Rule != "truncated" {
			t.Errorf("an incomplete finding %+v", f)
		}
	}
	if err == nil {
		if !v.OK() {
			t.Errorf("the hub takes it, the validator says %v", rulesOf(v))
		}
		if diff := cmp.Diff(p, v.Package); diff != "" {
			t.Errorf("another package (-hub +validator)\n%s", diff)
		}
		warned := slices.DeleteFunc(rulesOf(v), func(rule string) bool { return rule == "unsigned" })
		for _, w := range p.Warnings {
			if !slices.Contains(warned, w) {
				t.Errorf("the hub warns of %s, the validator of %v", w, warned)
			}
		}
		return v
	}
	refused, ok := exchange.RefusalOf(err)
	if !ok {
		t.Fatalf("error %v is no refusal", err)
	}
	if v.OK() || len(v.Findings) == 0 {
		t.Fatalf("the hub refuses it by %s, the validator finds nothing", refused.Rule.Name)
	}
	first := v.Findings[slices.IndexFunc(v.Findings, func(f exchange.Finding) bool { return f.Severity == exchange.SeverityRefused })]
	if first.Rule != refused.Rule.Name || first.Path != refused.Path || first.Line != refused.Line || first.Vi != refused.Text("vi") {
		t.Errorf("the hub refuses it by %s at %s:%d, the validator by %s at %s:%d", refused.Rule.Name, refused.Path, refused.Line, first.Rule, first.Path, first.Line)
	}
	return v
}

// TestValidatorAgreesWithTheHub, over every document and every change of one that
// the tests of signatures and of the format have.
func TestValidatorAgreesWithTheHub(t *testing.T) {
	count := 0
	each := func(name, doc string) {
		count++
		t.Run(name, func(t *testing.T) { agrees(t, doc) })
	}
	for _, pattern := range []string{"../../testdata/vectors/*.xml", "../../testdata/samples/*.edxml", "testdata/*.edxml", "../../testdata/receipts/*.xml", "../../testdata/vxp/*.edxml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			each(filepath.Base(file), string(doc))
		}
	}
	for _, test := range refusals {
		each(test.name, sample(t, test.sample, test.change...))
	}
	for _, test := range departures {
		each(test.name, sample(t, test.sample, test.change...))
	}
	for _, test := range zipRefusals {
		each("zip: "+test.name, around(t, test.zip(t)))
	}
	for name, h := range helps {
		if h.in != "" {
			each("help: "+name, sample(t, h.in, h.good, h.bad))
		}
	}
	if count < 500 {
		t.Fatalf("only %d documents were compared", count)
	}
}

// TestVectorsOfRefusals compares what the vectors' own list says, where it is
// about the document and not about trust.
func TestVectorsOfRefusals(t *testing.T) {
	list, err := os.Open("../../testdata/vectors/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	compared := 0
	for lines := bufio.NewScanner(list); lines.Scan(); {
		file, rest, ok := strings.Cut(lines.Text(), "\texpect: ")
		kind, rule, _ := strings.Cut(rest, "\t")
		if !ok || strings.HasPrefix(file, "#") || kind == "accepted" || kind == "unsigned" || kind == "untrusted" || rule == "sha1" {
			continue
		}
		doc, err := os.ReadFile(filepath.Join("../../testdata/vectors", file))
		if err != nil {
			t.Fatal(err)
		}
		v, err := New(Options{}).Validate(opener(string(doc)), false)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(rulesOf(v), rule) {
			t.Errorf("%s: found %v, want %s among them", file, rulesOf(v), rule)
		}
		compared++
	}
	if compared < 200 {
		t.Fatalf("only %d vectors compared", compared)
	}
}

// TestHelps shows that each rule's examples are what they say.
func TestHelps(t *testing.T) {
	known := map[string]bool{}
	for _, r := range New(Options{}).Rules() {
		if known[r.Rule.Name] {
			t.Errorf("%s is listed twice", r.Rule.Name)
		}
		known[r.Rule.Name] = true
	}
	for _, r := range Rules() {
		if h := helps[r.Name]; h.good == "" || h.bad == "" {
			t.Errorf("%s has no examples", r.Name)
		}
	}
	for name, h := range helps {
		if !known[name] {
			t.Errorf("%s is no rule", name)
		}
		if h.in == "" {
			continue
		}
		v, err := New(Options{}).Validate(opener(sample(t, h.in, h.good, h.bad)), false)
		if err != nil || !slices.Contains(rulesOf(v), name) {
			t.Errorf("%s: the bad example is found to break %v, %v", name, rulesOf(v), err)
		}
		if v := validate(t, sample(t, h.in)); slices.Contains(rulesOf(v), name) {
			t.Errorf("%s: the good example breaks it", name)
		}
	}
}

// TestSamplesAreCorrect, each of its kind.
func TestSamplesAreCorrect(t *testing.T) {
	list, err := New(Options{}).Samples()
	if err != nil || len(list) != len(exchange.Kinds) {
		t.Fatalf("%d samples, %v", len(list), err)
	}
	for _, s := range list {
		v := agrees(t, s.Document)
		if diff := cmp.Diff([]string{"unsigned"}, rulesOf(v)); diff != "" || v.Package.Kind != s.Kind {
			t.Errorf("%s is read as %s, findings\n%s", s.Kind, v.Package.Kind, diff)
		}
	}
}

// TestEverythingIsFound breaks many rules at once.
func TestEverythingIsFound(t *testing.T) {
	tests := []struct {
		name   string
		sample string
		change []string
		want   []string // "rule line"
	}{
		{"five fields", "replace", []string{"H12.07<", "h12.07<", field("CodeNumber", "1268"), "", "2026/11/23<", "23/11/2026<", field("Priority", "0"), field("Priority", "9"), "2026/12/05<", "2026-12-05<"},
			[]string{"agency-code 7", "missing-element 24", "date-form 30", "date-form 44", "priority 50", "unsigned 2"}},
		{"the namespace of guesswork, and more", "replace", []string{`<edXML xmlns="` + Namespace, `<edXML xmlns="http://www.go.vn/eDoc`, `xmlns:edXML="` + Namespace, `xmlns:edXML="http://www.go.vn/eDoc`, "2026/11/23<", "23/11/2026<", "JVBERi0x", "JVBE-i0x"},
			[]string{"wrong-namespace 2", "date-form 30", "base64-character 104", "unsigned 2"}},
		{"only the envelope in another namespace", "replace", []string{`xmlns:edXML="` + Namespace, `xmlns:edXML="urn:other`, "2026/11/23<", "23/11/2026<"},
			[]string{"wrong-namespace 3", "date-form 30", "unsigned 2"}},
		{"a status under another name, with a code out of use", "status-03", []string{"<edXML:MessageHeader>", "<edXML:MessageStatus>", "</edXML:MessageHeader>", "</edXML:MessageStatus>", field("StatusCode", "03"), field("StatusCode", "07")},
			[]string{"status-element 5", "status-code 23", "unsigned 2"}},
		{"two attachments, both spoiled", "update", []string{"JVBERi0x", "JVBE-i0x", "UEsDBBQA", "VEsDBBQA"},
			[]string{"base64-character 121", "zip-not 128", "unsigned 2"}},
		{"a signed package that was changed, and breaks rules", "new-signed", []string{"2026/11/20<", "20/11/2026<", `<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>`, `<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>`},
			[]string{"hmac 81", "date-form 30", "digest-mismatch 88"}},
		{"a header in other letters", "replace", []string{"<edXML:edXMLHeader>", "<edXML:EdXmlHeader>", "</edXML:edXMLHeader>", "</edXML:EdXmlHeader>", field("Priority", "0"), field("Priority", "9")},
			[]string{"element-name 4", "priority 50", "unsigned 2"}},
		{"attachments inside the envelope", "replace", []string{"  </edXML:edXMLEnvelope>\n", "", "  </AttachmentEncoded>\n", "  </AttachmentEncoded>\n</edXML:edXMLEnvelope>\n", "2026/11/23<", "23/11/2026<"},
			[]string{"attachment-place 98", "date-form 30", "manifest-without-attachment 90", "unsigned 2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := agrees(t, sample(t, test.sample, test.change...))
			var got []string
			for _, f := range v.Findings {
				got = append(got, fmt.Sprint(f.Rule, " ", f.Line))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

func TestEnvelopeAsRootIsReadOn(t *testing.T) {
	s := sample(t, "status-03", field("StatusCode", "03"), field("StatusCode", "07"))
	v := agrees(t, s[strings.Index(s, "<edXML:edXMLEnvelope"):strings.LastIndex(s, "</edXML>")])
	if diff := cmp.Diff([]string{"envelope-as-root", "status-code", "unsigned"}, rulesOf(v)); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsSayWhatWasFound(t *testing.T) {
	v := validate(t, sample(t, "replace", "2026/11/23<", "23/11/2026<"))
	want := exchange.Finding{Rule: "date-form", Code: exchange.Malformed, Severity: exchange.SeverityRefused,
		Path: inMessage + "/PromulgationInfo/PromulgationDate", Line: 30, Found: "23/11/2026", Expected: "yyyy/MM/dd",
		Example: "<edXML:PromulgationDate>2026/11/23</edXML:PromulgationDate>", Link: "/rules#date-form",
		Vi: ruleDate.With("23/11/2026").Text("vi"), En: ruleDate.With("23/11/2026").Text("en")}
	if diff := cmp.Diff(want, v.Findings[0]); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	to := "<edXML:To>" + field("OrganId", "x") + "</edXML:To>\n"
	v := validate(t, sample(t, "replace", "<edXML:Code>", strings.Repeat(to, 300)+"<edXML:Code>"))
	if len(v.Findings) != mostFindings || v.More != 300+1-mostFindings {
		t.Errorf("%d findings and %d more", len(v.Findings), v.More)
	}
}

// TestValidateWhatCannotBeRead: an error of the disk is no finding.
func TestValidateWhatCannotBeRead(t *testing.T) {
	broken := errors.New("the disk is gone")
	for fails := range 4 {
		opened := 0
		_, err := New(Options{}).Validate(func() (io.ReadCloser, error) {
			if opened++; opened > fails {
				return nil, broken
			}
			return io.NopCloser(strings.NewReader(sample(t, "new-signed", "2026/11/20<", "20/11/2026<"))), nil
		}, true)
		if !errors.Is(err, broken) {
			t.Errorf("opened %d times: %v", fails, err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for _, test := range refusals {
		f.Add([]byte(sample(f, test.sample, test.change...)))
	}
	files, err := filepath.Glob("../../testdata/vectors/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if len(bytes.TrimSpace(doc)) > 0 {
			agrees(t, string(doc))
		}
	})
}
