package edxml

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"tram/signing"
)

// TestWidePackages: what may stand many times is read in a time that grows with
// its number and not with the square of it. Fifty thousand of each would
// take half a minute otherwise; the limits let through far fewer.
func TestWidePackages(t *testing.T) {
	const many = 50_000
	organ := "<edXML:OrganId>H13.%d</edXML:OrganId>"
	for _, c := range []struct {
		name, file, before string // what it stands in front of
		text               string
		rule               string // empty: accepted
	}{
		{"recipients", "replace", "<edXML:Code>", "<edXML:To>" + organ + "</edXML:To>", ""},
		{"recipients of another namespace", "replace", "<edXML:Code>", "<To xmlns='urn:x'>" + organ + "</To>", "wrong-namespace"},
		{"elements of other namespaces", "replace", "<edXML:Code>", "<x:e%d xmlns:x='urn:x'/>", ""},
		{"replaced documents", "replace", "</edXML:ReplacementInfoList>",
			"<edXML:ReplacementInfo><edXML:DocumentId>H12.07,2026/11/20,%d/STC-NS</edXML:DocumentId></edXML:ReplacementInfo>", ""},
		{"receivers added", "update", "</edXML:ReceiverList>", "<edXML:Receiver>" + organ + "<edXML:ReceiverType>1</edXML:ReceiverType></edXML:Receiver>", ""},
		{"receivers removed", "update", "</edXML:ReceiverList>", "<edXML:Receiver>" + organ + "<edXML:ReceiverType>0</edXML:ReceiverType></edXML:Receiver>", ""},
		{"references", "replace", "</edXML:edXMLManifest>", "<edXML:Reference><edXML:ContentId>x%d</edXML:ContentId></edXML:Reference>", ""},
		{"attachments", "replace", "</AttachmentEncoded>", "<Attachment><ContentId>x%d</ContentId></Attachment>", "too-many-attachments"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, err := os.ReadFile("../../testdata/samples/" + c.file + ".edxml")
			if err != nil {
				t.Fatal(err)
			}
			before, after, found := strings.Cut(string(doc), c.before)
			if !found {
				t.Fatalf("no %s in the sample", c.before)
			}
			var wide strings.Builder
			for i := range many {
				fmt.Fprintf(&wide, c.text, i)
			}
			in := io.MultiReader(strings.NewReader(before), strings.NewReader(wide.String()), strings.NewReader(c.before+after))
			began := time.Now()
			_, err = decode(New(Options{Document: signing.Limits{Elements: 5 * many, TextBytes: 1 << 30}}), in)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("%d took %v", many, took)
			}
			if c.rule == "" && err != nil {
				t.Fatal(err)
			}
			if c.rule != "" {
				if e := refusalOf(t, err); e.Rule.Name != c.rule {
					t.Errorf("%v, want %s", e.Rule.Name, c.rule)
				}
			}
		})
	}
}
