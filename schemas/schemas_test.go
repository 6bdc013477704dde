package schemas_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tram/schemas"
)

// A linter validates with xmllint against the schemas as embedded.
type linter struct{ dir string }

func newLinter(t *testing.T) linter {
	t.Helper()
	if _, err := exec.LookPath("xmllint"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("xmllint is not installed: nothing checks the schemas (apt-get install libxml2-utils)")
		}
		t.Skip("xmllint is not installed: the schemas are not checked (apt-get install libxml2-utils)")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, schemas.Files); err != nil {
		t.Fatal(err)
	}
	return linter{dir}
}

// check returns what xmllint has against a document; nothing if it is valid.
// A document that is not well-formed or leaves a prefix undeclared, or a schema
// that is broken, ends the test: none says anything about validity.
func (l linter) check(t *testing.T, schema, doc string) string {
	t.Helper()
	cmd := exec.Command("xmllint", "--nonet", "--noout", "--schema", filepath.Join(l.dir, schema), "-")
	cmd.Stdin = strings.NewReader(doc)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || bytes.Contains(out, []byte("namespace error")) { // 3: fails to validate
		t.Fatalf("xmllint with %s: %v\n%s", schema, err, out)
	}
	return string(out)
}

func (l linter) valid(t *testing.T, schema, doc string) {
	t.Helper()
	if complaint := l.check(t, schema, doc); complaint != "" {
		t.Errorf("refused:\n%s", complaint)
	}
}

// invalid demands that the document is refused, and for the reason meant.
func (l linter) invalid(t *testing.T, schema, doc, reason string) {
	t.Helper()
	complaint := l.check(t, schema, doc)
	if complaint == "" {
		t.Error("accepted")
		return
	}
	if !strings.Contains(complaint, reason) {
		t.Errorf("refused, but not because of %q:\n%s", reason, complaint)
	}
}

// edit returns doc with one passage replaced. A passage that is not there would
// turn the test into one of the unchanged document.
func edit(t *testing.T, doc, from, to string) string {
	t.Helper()
	if !strings.Contains(doc, from) {
		t.Fatalf("the document has no %q to replace", from)
	}
	return strings.Replace(doc, from, to, 1)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEverySchemaStandsAlone(t *testing.T) {
	l := newLinter(t)
	names, err := fs.Glob(schemas.Files, "*.xsd")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 7 {
		t.Errorf("embedded are %v, want seven schemas", names)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			l.invalid(t, name, `<nothing/>`, "No matching global declaration")
			for _, location := range locations(t, name) {
				if _, err := fs.Stat(schemas.Files, location); err != nil {
					t.Errorf("imports %q, which is not embedded beside it", location)
				}
			}
		})
	}
}

// locations returns where a schema says that others are.
func locations(t *testing.T, name string) []string {
	t.Helper()
	b, err := schemas.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for d := xml.NewDecoder(bytes.NewReader(b)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		start, _ := token.(xml.StartElement)
		for _, a := range start.Attr {
			if a.Name.Local == "schemaLocation" {
				all = append(all, a.Value)
			}
		}
	}
}

func TestPackagesAsWrittenInTheFieldAreValid(t *testing.T) {
	l := newLinter(t)
	for _, pattern := range []string{"../testdata/samples/*.edxml", "../testdata/vxp/sdk-*.edxml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("no package at %s", pattern)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) { l.valid(t, "edxml.xsd", read(t, file)) })
		}
	}
}

func TestPackagesInOtherForms(t *testing.T) {
	l := newLinter(t)
	signed := read(t, "../testdata/samples/new-signed.edxml")
	status := read(t, "../testdata/samples/status-03.edxml")
	update := read(t, "../testdata/samples/update.edxml")
	signature := regexp.MustCompile(`(?s)<Signature xmlns=.*</Signature>`).FindString(signed)

	for name, doc := range map[string]string{
		"another prefix":                    strings.NewReplacer("edXML:", "q:", "xmlns:edXML=", "xmlns:q=").Replace(signed),
		"no prefix":                         strings.NewReplacer("<edXML:", "<", "</edXML:", "</", ` xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016"`, "").Replace(signed),
		"signature last in the root":        edit(t, edit(t, signed, signature, ""), "</edXML>", signature+"</edXML>"),
		"signature before the header":       edit(t, edit(t, signed, signature, ""), "<edXML:edXMLHeader>", "<edXML:edXMLHeader>"+signature),
		"signature in the format's own":     edit(t, signed, signature, "<edXML:Signature><edXML:Value>x</edXML:Value></edXML:Signature>"),
		"empty DigitalSignature":            edit(t, signed, signature, "<edXML:DigitalSignature/>"),
		"Business spelt correctly":          strings.ReplaceAll(update, "Bussiness", "Business"),
		"foreign element in MessageHeader":  edit(t, signed, "<edXML:Subject>", `<v:Mark xmlns:v="urn:vendor"><v:a b="c"/></v:Mark><edXML:Subject>`),
		"foreign element without namespace": edit(t, signed, "<edXML:Paper>", `<Mark xmlns="">1</Mark><edXML:Paper>`),
		"xlink on a manifest's reference":   edit(t, signed, "<edXML:Reference>", `<edXML:Reference xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="cid:1" xlink:role="XLinkRole" xlink:type="simple">`),
		"empty DueDate":                     edit(t, signed, "2026/12/05", ""),
		"text as document type":             edit(t, signed, "<edXML:Type>2<", "<edXML:Type>CV<"),
		"Code as plain text":                regexp.MustCompile(`(?s)<edXML:CodeNumber>.*</edXML:CodeNotation>`).ReplaceAllString(signed, "1250/STC-NS"),
		"base64 in lines":                   edit(t, signed, "JVBERi0x", "\r\n JVBE\r\n Ri0x"),
		"vendor's fields of an attachment":  edit(t, signed, "<Attachment>", "<Attachment><FieldName>f</FieldName><MimeType>m</MimeType><Format>pdf</Format>"),
		"document with no attachment":       regexp.MustCompile(`(?s)<AttachmentEncoded>.*</AttachmentEncoded>`).ReplaceAllString(signed, ""),
		"attachments before the envelope":   swapped(t, signed),
		"status code of one digit":          edit(t, status, "<edXML:StatusCode>03<", "<edXML:StatusCode>3<"),
		"byte order mark":                   "\ufeff" + status,
		"date between white space":          edit(t, signed, "2026/11/20</edXML:PromulgationDate>", "\n 2026/11/20\n </edXML:PromulgationDate>"),
	} {
		t.Run(name, func(t *testing.T) { l.valid(t, "edxml.xsd", doc) })
	}
}

// swapped puts the attachments of a package before its envelope.
func swapped(t *testing.T, doc string) string {
	t.Helper()
	attachments := regexp.MustCompile(`(?s)<AttachmentEncoded>.*</AttachmentEncoded>`).FindString(doc)
	if attachments == "" {
		t.Fatal("the document has no attachments")
	}
	return edit(t, edit(t, doc, attachments, ""), "<edXML:edXMLEnvelope", attachments+"<edXML:edXMLEnvelope")
}

func TestPackagesRefused(t *testing.T) {
	l := newLinter(t)
	signed := read(t, "../testdata/samples/new-signed.edxml")
	status := read(t, "../testdata/samples/status-03.edxml")
	update := read(t, "../testdata/samples/update.edxml")
	signature := regexp.MustCompile(`(?s)<Signature xmlns=.*</Signature>`).FindString(signed)
	from := regexp.MustCompile(`(?s)<edXML:From>.*</edXML:From>`).FindString(signed)
	date := "<edXML:PromulgationDate>2026/11/20<"

	for name, c := range map[string]struct{ doc, reason string }{
		"the namespace that clients guessed": {strings.ReplaceAll(signed, "http://www.mic.gov.vn/TBT/QCVN_102_2016", "http://www.go.vn/eDoc"), "No matching global declaration"},
		"an envelope as root":                {regexp.MustCompile(`(?s)<edXML:edXMLEnvelope.*</edXML:edXMLEnvelope>`).FindString(signed), "No matching global declaration"},
		"attachments inside the envelope":    {edit(t, status, "</edXML:edXMLEnvelope>", "<AttachmentEncoded/></edXML:edXMLEnvelope>"), "AttachmentEncoded': This element is not expected"},
		"MessageStatus for MessageHeader":    {strings.ReplaceAll(status, "MessageHeader>", "MessageStatus>"), "MessageStatus': This element is not expected"},
		"no MessageHeader":                   {regexp.MustCompile(`(?s)<edXML:MessageHeader>.*</edXML:MessageHeader>`).ReplaceAllString(signed, ""), "Missing child element(s)"},
		"two MessageHeaders":                 {edit(t, status, "</edXML:MessageHeader>", "</edXML:MessageHeader><edXML:MessageHeader/>"), "MessageHeader': This element is not expected"},
		"no From":                            {edit(t, signed, from, ""), "key identity-constraint"},
		"two From":                           {edit(t, signed, from, from+from), "evaluates to a node-set with more than one member"},
		"no code of the sender":              {edit(t, signed, "<edXML:OrganId>H12.07</edXML:OrganId>", ""), "Missing child element(s)"},
		"an empty code of a recipient":       {edit(t, signed, "<edXML:OrganId>H12.12<", "<edXML:OrganId><"), "facet 'pattern'"},
		"two codes of one recipient":         {edit(t, signed, "<edXML:OrganId>H12.12</edXML:OrganId>", "<edXML:OrganId>H12.12</edXML:OrganId><edXML:OrganId>H12.13</edXML:OrganId>"), "OrganId': This element is not expected"},
		"a date with dashes":                 {edit(t, signed, date, "<edXML:PromulgationDate>2026-11-20<"), "The value '2026-11-20' is not accepted by the pattern"},
		"a date that begins with the day":    {edit(t, signed, date, "<edXML:PromulgationDate>20/11/2026<"), "The value '20/11/2026' is not accepted by the pattern"},
		"a thirteenth month":                 {edit(t, signed, date, "<edXML:PromulgationDate>2026/13/20<"), "The value '2026/13/20' is not accepted by the pattern"},
		"no date":                            {edit(t, signed, date, "<edXML:PromulgationDate><"), "The value '' is not accepted by the pattern"},
		"a due date with dashes":             {edit(t, signed, "2026/12/05", "2026-12-05"), "'2026-12-05' is not a valid value of the union type"},
		"a kind that is not known":           {edit(t, signed, "<edXML:BussinessDocType>0<", "<edXML:BussinessDocType>4<"), "The value '4' is not accepted by the pattern"},
		"a receiver neither added nor gone":  {edit(t, update, "<edXML:ReceiverType>1<", "<edXML:ReceiverType>2<"), "The value '2' is not accepted by the pattern"},
		"a status in words":                  {edit(t, status, "<edXML:StatusCode>03<", "<edXML:StatusCode>done<"), "The value 'done' is not accepted by the pattern"},
		// cut off, since libxml2 passes over characters that are not of base64's alphabet
		"an attachment cut off":           {edit(t, signed, "JVBERi0x", "JVBERi0"), "is not a valid value of the atomic type 'xs:base64Binary'"},
		"an attachment without content":   {edit(t, signed, "<Attachment>", "<Attachment></Attachment><Attachment>"), "Missing child element(s)"},
		"a field in the wrong group":      {edit(t, signed, "<edXML:Competence>", "<edXML:Subject>x</edXML:Subject><edXML:Competence>"), "Subject': This element is not expected"},
		"a report of another kind":        {regexp.MustCompile(`(?s)<edXML:edXMLManifest.*</edXML:edXMLManifest>`).ReplaceAllString(signed, "<edXML:AVReport/>"), "AVReport': This element is not expected"},
		"two signatures in the header":    {edit(t, signed, signature, signature+signature), "Signature': This element is not expected"},
		"two signatures, header and root": {edit(t, signed, "</edXML>\n", signature+"</edXML>\n"), "evaluates to a node-set with more than one member"},
		"signature first in the root":     {edit(t, edit(t, signed, signature, ""), "<edXML:edXMLEnvelope", signature+"<edXML:edXMLEnvelope"), "Signature': This element is not expected"},
		"signature without a value":       {regexp.MustCompile(`<SignatureValue>[^<]*</SignatureValue>`).ReplaceAllString(signed, ""), "Expected is ( {http://www.w3.org/2000/09/xmldsig#}SignatureValue )"},
		"reference without a digest":      {regexp.MustCompile(`<DigestValue>[^<]*</DigestValue>`).ReplaceAllString(signed, ""), "Expected is ( {http://www.w3.org/2000/09/xmldsig#}DigestValue )"},
	} {
		t.Run(name, func(t *testing.T) { l.invalid(t, "edxml.xsd", c.doc, c.reason) })
	}
}
