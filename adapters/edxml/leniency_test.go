package edxml

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tram/exchange"
)

// Departures that are let pass with a warning.
var departures = []struct {
	name    string
	sample  string
	change  []string
	warning exchange.Rule
}{
	{"a signature that is plain data", "replace", []string{"</edXML:edXMLHeader>", "<edXML:Signature><edXML:Value>x</edXML:Value></edXML:Signature></edXML:edXMLHeader>"}, warnNotSignature},
	{"a DigitalSignature that is not empty", "replace", []string{"</edXML:edXMLHeader>", field("DigitalSignature", "x") + "</edXML:edXMLHeader>"}, warnNotSignature},
	{"the status 14 of a client", "status-03", []string{field("StatusCode", "03"), field("StatusCode", "14")}, warnStatus14},
	{"a status of one digit", "status-03", []string{field("StatusCode", "03"), field("StatusCode", "3")}, warnStatusDigits},
	{"a recall without a reason", "recall-package", []string{"<edXML:BussinessDocReason>", "<edXML:x>", "</edXML:BussinessDocReason>", "</edXML:x>"}, warnReason},
	{"a refusal without a reason", "status-03", []string{field("StatusCode", "03"), field("StatusCode", "02"), field("Description", "Văn thư đã tiếp nhận, số đến 881"), ""}, warnReason},
	{"a status's time in another form", "status-03", []string{"2026/11/20 09:48:12", "2026-11-20T09:48:12+07:00"}, warnTimestamp},
	{"a date in another form in a status", "status-03", []string{field("PromulgationDate", "2026/11/20"), field("PromulgationDate", "2026-11-20")}, warnResponseDate},
	{"a reference without an attachment", "replace", []string{"</edXML:edXMLManifest>", "<edXML:Reference>" + field("ContentId", "cid:x") + "</edXML:Reference></edXML:edXMLManifest>"}, warnReference},
	{"an attachment without a reference", "replace", []string{"<edXML:Reference>", "<edXML:x>", "</edXML:Reference>", "</edXML:x>"}, warnUnlisted},
	{"two names for an attachment", "replace", []string{field("AttachmentName", "CV_1268_STC.pdf"), field("AttachmentName", "CV.pdf")}, warnNames},
	{"two attachments of one name", "update", []string{field("AttachmentName", "PhuLuc_KinhPhi.csv"), "", "<AttachmentName>PhuLuc_KinhPhi.csv", "<AttachmentName>cv_1250_stc.PDF", "<ContentType>application/zip", "<ContentType>application/pdf"}, warnSameName},
}

func TestDepartures(t *testing.T) {
	for _, test := range departures {
		t.Run(test.name, func(t *testing.T) {
			p, err := decodeString(sample(t, test.sample, test.change...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{test.warning.Name}, p.Warnings); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
		})
	}
}

// Forms that mean the same give the same package.
func TestFormsThatMeanTheSame(t *testing.T) {
	tests := []struct {
		name   string
		sample string
		change func(string) string
	}{
		{"the correct spelling", "update", func(s string) string { return strings.ReplaceAll(s, "Bussiness", "Business") }},
		{"no prefix", "update", func(s string) string { return strings.ReplaceAll(s, "edXML:", "") }},
		{"another prefix", "update", func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, "edXML:", "e:"), "xmlns:edXML", "xmlns:e")
		}},
		{"unknown elements", "update", func(s string) string {
			return strings.Replace(s, "<edXML:Subject>", `<edXML:New><edXML:DocumentId>x</edXML:DocumentId></edXML:New><Remark xmlns="urn:x">x</Remark><edXML:Subject>`, 1)
		}},
		{"unknown content elsewhere", "update", func(s string) string {
			return strings.Replace(s, "<edXML:Subject>", `<ContentTransferEncoded xmlns="urn:x">?</ContentTransferEncoded><edXML:Subject>`, 1)
		}},
		{"line breaks and white space in base64", "update", func(s string) string { return strings.ReplaceAll(s, "JVBERi0x", "\n  JVB\tER\r\n\r\ni0 x") }},
		{"attachments before the envelope", "update", func(s string) string {
			from, to := strings.Index(s, "<AttachmentEncoded>"), strings.LastIndex(s, "</edXML>")
			files := s[from:to]
			return strings.Replace(s[:from]+s[to:], "<edXML:edXMLEnvelope", files+"<edXML:edXMLEnvelope", 1)
		}},
		{"the type after the content", "update", func(s string) string {
			s = strings.Replace(s, "<ContentType>application/zip</ContentType>", "", 1)
			return strings.Replace(s, "<AttachmentName>PhuLuc", "<ContentType>application/zip</ContentType><AttachmentName>PhuLuc", 1)
		}},
		{"identifiers with cid: once and twice", "update", func(s string) string {
			return strings.Replace(strings.Replace(s, "<ContentId>1f0c", "<ContentId>cid:cid:1f0c", 1), "<ContentId>1f0c", "<ContentId>cid:1f0c", 1)
		}},
		{"identifiers in xlink:href only", "update", func(s string) string {
			return strings.Replace(s, "<edXML:Reference>\n          <edXML:ContentId>cid:1f0c9a1e-0001</edXML:ContentId>",
				`<edXML:Reference xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="cid:1f0c9a1e-0001">`, 1)
		}},
		{"names in the manifest only", "update", func(s string) string {
			return strings.Replace(s, "<AttachmentName>CV_1250_STC.pdf</AttachmentName>", "<AttachmentName/>", 1)
		}},
		{"a reference found by the name", "update", func(s string) string {
			return strings.Replace(s, "cid:1f0c9a1e-0001", "", 1)
		}},
		{"the target named by the message only", "update", func(s string) string {
			at := strings.LastIndex(s, field("DocumentId", "H12.07,2026/11/20,1250/STC-NS"))
			return s[:at] + "<edXML:DocumentId/>" + s[at+len(field("DocumentId", "H12.07,2026/11/20,1250/STC-NS")):]
		}},
		{"an empty DigitalSignature", "update", func(s string) string {
			return strings.Replace(s, "</edXML:edXMLHeader>", "<edXML:DigitalSignature/></edXML:edXMLHeader>", 1)
		}},
		{"white space around values", "update", func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, "H12.40<", "\n H12.40\t\n<"), "1250/STC-NS<", "1250/STC-NS \n<")
		}},
		{"a status's number in two fields", "status-03", func(s string) string {
			return strings.Replace(s, ">1250/STC-NS<", "><edXML:CodeNumber>1250</edXML:CodeNumber><edXML:CodeNotation>STC-NS</edXML:CodeNotation><", 1)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := sample(t, test.sample)
			changed := test.change(s)
			if changed == s {
				t.Fatal("nothing was changed")
			}
			want, err := decodeString(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeString(changed)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(meaning(want), meaning(got)); diff != "" {
				t.Errorf("(-as it was +changed)\n%s", diff)
			}
		})
	}
}

// meaning is a package without what differs with its form.
func meaning(p exchange.Package) exchange.Package {
	p.Digest, p.Size, p.Content = exchange.Digest{}, 0, exchange.Digest{}
	p.SenderPlace, p.TargetPlace = exchange.Place{}, exchange.Place{}
	for i := range p.Recipients {
		p.Recipients[i].Place = exchange.Place{}
	}
	if p.Status != nil {
		p.Status.Place = exchange.Place{}
	}
	return p
}

func TestKinds(t *testing.T) {
	tests := []struct {
		name   string
		sample string
		change []string
		want   exchange.Kind
	}{
		{"no kind is a new document", "recall-package", []string{field("BussinessDocType", "1"), "<edXML:BussinessDocType/>"}, exchange.KindNew},
		{"0 is a new document", "recall-package", []string{field("BussinessDocType", "1"), field("BussinessDocType", "0")}, exchange.KindNew},
		{"1 is a recall", "recall-package", nil, exchange.KindRecall},
		{"2 is an update", "update", nil, exchange.KindUpdate},
		{"3 is a replacement", "replace", nil, exchange.KindReplace},
		{"a code makes a status", "status-03", nil, exchange.KindStatus},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := decodeString(sample(t, test.sample, test.change...))
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != test.want || (p.Status != nil) != (test.want == exchange.KindStatus) {
				t.Errorf("read as %q, want %q", p.Kind, test.want)
			}
		})
	}
}

func TestStatusCodes(t *testing.T) {
	for written, want := range map[string]string{"01": "01", "1": "01", "6": "06", "13": "13", "14": "15", "15": "15", "16": "16"} {
		p, err := decodeString(sample(t, "status-03", field("StatusCode", "03"), field("StatusCode", written)))
		if err != nil || p.Status.Code != want {
			t.Errorf("%s read as %+v (%v), want %s", written, p.Status, err, want)
		}
	}
	for _, written := range []string{"00", "0", "7", "07", "12", "17", "001", "a", "١"} {
		_, err := decodeString(sample(t, "status-03", field("StatusCode", "03"), field("StatusCode", written)))
		if e := refusalOf(t, err); e.Rule.Name != ruleStatusCode.Name {
			t.Errorf("%s refused by %v, want status-code", written, e)
		}
	}
}

func TestSignedPackageIsKnownByItsSignedInfo(t *testing.T) {
	s := sample(t, "new-signed")
	p, err := decodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	other, err := decodeString(strings.Replace(s, "<X509SubjectName>C=VN,", "<X509SubjectName>", 1))
	if err != nil {
		t.Fatal(err)
	}
	if p.Content != other.Content || p.Digest == other.Digest || p.Content == p.Digest {
		t.Errorf("KeyInfo is not signed: contents %s and %s, digests %s and %s", p.Content, other.Content, p.Digest, other.Digest)
	}
}

func TestCodes(t *testing.T) {
	for _, code := range []string{"H12", "H12.01", "H37.02.02", "H37.DN.001", "000.00.01.H12", "000.46.24.H44", "A44.W00"} {
		if err := checkCode(code); err != nil {
			t.Errorf("%s refused: %v", code, err)
		}
	}
	for _, code := range []string{"", "12", "H1", "H123", "H12.", ".H12", "H12..01", "h12.01", "H12.a1", "000.00.01.h12", "00.00.01.H12", "000.0A.01.H12", "H12 01", "H12\n", "Ｈ12"} {
		if err := checkCode(code); err == nil {
			t.Errorf("%q taken for a code", code)
		}
	}
}
