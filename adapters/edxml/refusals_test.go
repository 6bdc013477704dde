package edxml

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tram/exchange"
)

const (
	inMessage = "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader"
	inTrace   = "/edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList"
	inFiles   = "/edXML/AttachmentEncoded"
)

// sample is a package of the field, changed: each pair of strings is an old
// piece, which must be there, and a new one for its first occurrence.
func sample(t testing.TB, name string, change ...string) string {
	t.Helper()
	b, err := os.ReadFile("../../testdata/samples/" + name + ".edxml")
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(s, change[i]) {
			t.Fatalf("%s has no %q to change", name, change[i])
		}
		s = strings.Replace(s, change[i], change[i+1], 1)
	}
	return s
}

func field(name, text string) string { return "<edXML:" + name + ">" + text + "</edXML:" + name + ">" }

var refusals = []struct {
	name   string
	sample string
	change []string
	rule   exchange.Rule
	path   string
	line   int
}{
	{"another document altogether", "replace", []string{"<edXML xmlns", "<invoice xmlns", "</edXML>", "</invoice>"}, ruleNotEdXML, "/invoice", 2},
	{"the namespace of guesswork", "replace", []string{`<edXML xmlns="` + Namespace, `<edXML xmlns="http://www.go.vn/eDoc`}, ruleNamespace, "/edXML", 2},
	{"the namespace of the legacy eDoc", "replace", []string{`<edXML xmlns="` + Namespace, `<edXML xmlns="http://www.e-doc.vn/Schema/`}, ruleNamespace, "/edXML", 2},
	{"no namespace on the envelope", "replace", []string{`xmlns:edXML="` + Namespace, `xmlns:edXML="urn:other`}, ruleNamespace, "/edXML/edXMLEnvelope", 3},
	{"the root in other letters", "replace", []string{"<edXML xmlns", "<EdXML xmlns", "</edXML>", "</EdXML>"}, ruleElementName, "/EdXML", 2},
	{"the header in other letters", "replace", []string{"<edXML:edXMLHeader>", "<edXML:EdXmlHeader>", "</edXML:edXMLHeader>", "</edXML:EdXmlHeader>"}, ruleElementName, "/edXML/edXMLEnvelope/EdXmlHeader", 4},
	{"no envelope", "status-03", []string{"edXML:edXMLEnvelope xmlns:edXML", "edXML:Box xmlns:edXML", "/edXML:edXMLEnvelope", "/edXML:Box"}, ruleMissing, "/edXML", 2},
	{"no sender", "replace", []string{field("OrganId", "H12.07"), ""}, ruleMissing, inMessage + "/From", 6},
	{"an empty sender", "replace", []string{field("OrganId", "H12.07"), field("OrganId", " ")}, ruleMissing, inMessage + "/From/OrganId", 7},
	{"no recipient", "recall-package", []string{"<edXML:To>", "<edXML:x>", "</edXML:To>", "</edXML:x>", "<edXML:To>", "<edXML:x>", "</edXML:To>", "</edXML:x>"}, ruleMissing, inMessage, 5},
	{"a recipient without a code", "replace", []string{field("OrganId", "H12.40"), ""}, ruleMissing, inMessage + "/To[2]", 19},
	{"no number", "replace", []string{field("CodeNumber", "1268"), ""}, ruleMissing, inMessage + "/Code", 24},
	{"no date of promulgation", "replace", []string{field("PromulgationDate", "2026/11/23"), ""}, ruleMissing, inMessage + "/PromulgationInfo", 28},
	{"an empty identifier", "replace", []string{field("DocumentId", "H12.07,2026/11/23,1268/STC-NS"), "<edXML:DocumentId/>"}, ruleMissing, inMessage + "/DocumentId", 59},
	{"two identifiers", "replace", []string{"<edXML:Subject>", field("DocumentId", "other") + "\n<edXML:Subject>"}, ruleAmbiguous, inMessage + "/DocumentId[2]", 60},
	{"two senders", "replace", []string{"<edXML:To>", "<edXML:From/>\n<edXML:To>"}, ruleAmbiguous, inMessage + "/From[2]", 14},
	{"a second identifier that is empty", "replace", []string{"</edXML:MessageHeader>", "<edXML:DocumentId/></edXML:MessageHeader>"}, ruleAmbiguous, inMessage + "/DocumentId[2]", 60},
	{"two envelopes", "status-03", []string{"</edXML>", "<edXMLEnvelope/></edXML>"}, ruleAmbiguous, "/edXML/edXMLEnvelope[2]", 29},
	{"a sender behind the usual prefix in another namespace", "replace", []string{"<edXML:OrganId>", `<edXML:OrganId xmlns:edXML="urn:x">H12.99</edXML:OrganId><edXML:OrganId>`}, ruleNamespace, inMessage + "/From/OrganId[1]", 7},
	{"a sender in no namespace", "replace", []string{"<edXML:From>", `<From xmlns=""><OrganId>H12.99</OrganId></From><edXML:From>`}, ruleNamespace, inMessage + "/From[1]", 6},
	{"a status behind the usual prefix in another namespace", "status-03", []string{"<edXML:StatusCode>", `<edXML:StatusCode xmlns:edXML="urn:x">06</edXML:StatusCode><edXML:StatusCode>`}, ruleNamespace, inMessage + "/StatusCode[1]", 23},
	{"the usual prefix for something else", "replace", []string{"<edXML:Subject>", `<edXML:Tag xmlns:edXML="urn:x"/><edXML:Subject>`}, ruleNamespace, inMessage + "/Tag", 37},
	{"the kind in both spellings", "replace", []string{field("Paper", "0"), field("BusinessDocType", "0")}, ruleAmbiguous, inTrace + "/Bussiness/BusinessDocType", 75},
	{"an element in the middle of a code", "replace", []string{"H12.07<", "H12.<x/>07<"}, ruleTextElements, inMessage + "/From/OrganId/x", 7},
	{"attachments inside the envelope", "replace", []string{"  </edXML:edXMLEnvelope>\n", "", "  </AttachmentEncoded>\n", "  </AttachmentEncoded>\n</edXML:edXMLEnvelope>\n"}, ruleAttachmentPlace, "/edXML/edXMLEnvelope/AttachmentEncoded", 98},
	{"an attachment beside the list", "replace", []string{"<AttachmentEncoded>", "", "</AttachmentEncoded>", ""}, ruleAttachmentPlace, "/edXML/Attachment", 100},
	{"content hidden in the header", "replace", []string{field("SteeringType", "1"), field("ContentTransferEncoded", "QUJD")}, ruleAttachmentPlace, inMessage + "/ContentTransferEncoded", 58},
	{"a status named after the class of an SDK", "status-03", []string{"<edXML:MessageHeader>", "<edXML:MessageStatus>", "</edXML:MessageHeader>", "</edXML:MessageStatus>"}, ruleStatusElement, "/edXML/edXMLEnvelope/edXMLHeader/MessageStatus", 5},
	{"a status named Status", "status-03", []string{"<edXML:MessageHeader>", "<edXML:Status>", "</edXML:MessageHeader>", "</edXML:Status>"}, ruleStatusElement, "/edXML/edXMLEnvelope/edXMLHeader/Status", 5},
	{"a status with a trace", "status-03", []string{"</edXML:edXMLHeader>", "<edXML:TraceHeaderList/></edXML:edXMLHeader>"}, ruleMixedKinds, inTrace, 27},
	{"a malware report", "replace", []string{"<edXML:edXMLBody>", `<edXML:edXMLBody><AVReport xmlns="urn:ncsc"/>`}, ruleReport, "/edXML/edXMLEnvelope/edXMLBody/AVReport", 88},

	{"a sender's code in small letters", "replace", []string{"H12.07<", "h12.07<"}, ruleCode, inMessage + "/From/OrganId", 7},
	{"a name in place of a recipient's code", "replace", []string{"H12.40<", "UBND phường<"}, ruleCode, inMessage + "/To[2]/OrganId", 20},
	{"a code of 36 characters", "replace", []string{"H12.07<", "H12." + strings.Repeat("A", 32) + "<"}, ruleCode, inMessage + "/From/OrganId", 7},
	{"an identifier of 256 letters", "replace", []string{"H12.07,2026/11/23,1268/STC-NS", strings.Repeat("Đ", 256)}, ruleIDLength, inMessage + "/DocumentId", 59},
	{"an identifier on two lines", "replace", []string{"H12.07,2026/11/23,", "H12.07,\n2026/11/23,"}, ruleIDCharacters, inMessage + "/DocumentId", 59},
	{"a subject as long as a document", "replace", []string{"<edXML:Subject>", "<edXML:Subject>" + strings.Repeat("Đ", 4096)}, ruleFieldLength, inMessage + "/Subject", 37},
	{"a status's words as long as a document", "status-03", []string{"<edXML:Description>", "<edXML:Description>" + strings.Repeat("Đ", 4096)}, ruleFieldLength, inMessage + "/Description", 24},
	{"a recipient's name that is a text", "replace", []string{"UBND phường An Xuyên", strings.Repeat("Đ", 256)}, ruleFieldLength, inMessage + "/To[2]/OrganName", 22},
	{"an attachment's type that is a text", "replace", []string{"<ContentType>application/pdf", "<ContentType>application/pdf" + strings.Repeat(" ", 256) + "x"}, ruleFieldLength, inFiles + "/Attachment/ContentType", 101},
	{"the date of other countries", "replace", []string{"2026/11/23<", "2026-11-23<"}, ruleDate, inMessage + "/PromulgationInfo/PromulgationDate", 30},
	{"the date of Vietnam", "replace", []string{"2026/11/23<", "23/11/2026<"}, ruleDate, inMessage + "/PromulgationInfo/PromulgationDate", 30},
	{"a date that is none", "replace", []string{"2026/11/23<", "2026/02/30<"}, ruleDate, inMessage + "/PromulgationInfo/PromulgationDate", 30},
	{"a date of one digit", "replace", []string{"2026/12/05<", "2026/12/5<"}, ruleDate, inMessage + "/DueDate", 44},
	{"a priority in words", "replace", []string{field("Priority", "0"), field("Priority", "khẩn")}, rulePriority, inMessage + "/OtherInfo/Priority", 50},
	{"a priority of 5", "replace", []string{field("Priority", "0"), field("Priority", "5")}, rulePriority, inMessage + "/OtherInfo/Priority", 50},
	{"a kind of 4", "replace", []string{field("BussinessDocType", "3"), field("BussinessDocType", "4")}, ruleBusiness, inTrace + "/Bussiness/BussinessDocType", 67},
	{"a replacement of nothing", "replace", []string{field("DocumentId", "H12.07,2026/11/20,1250/STC-NS"), ""}, ruleMissing, inTrace + "/Bussiness/ReplacementInfoList/ReplacementInfo", 77},
	{"a receiver neither added nor removed", "update", []string{field("ReceiverType", "1"), field("ReceiverType", "2")}, ruleReceiverType, inTrace + "/Bussiness/BussinessDocumentInfo/ReceiverList/Receiver[1]/ReceiverType", 80},
	{"a receiver both added and removed", "update", []string{field("OrganId", "H12.40") + "\n                <edXML:ReceiverType>0", field("OrganId", "H12.41") + "\n                <edXML:ReceiverType>0"}, ruleReceiverTwice, inTrace + "/Bussiness/BussinessDocumentInfo/ReceiverList/Receiver[2]/OrganId", 83},
	{"a status code out of use", "status-03", []string{field("StatusCode", "03"), field("StatusCode", "07")}, ruleStatusCode, inMessage + "/StatusCode", 23},
	{"a status without its code", "status-03", []string{field("StatusCode", "03"), ""}, ruleMissing, inMessage, 5},
	{"a status about no document", "status-03", []string{field("Code", "1250/STC-NS"), "", field("DocumentId", "H12.07,2026/11/20,1250/STC-NS"), ""}, ruleMissing, inMessage + "/ResponseFor", 11},

	{"base64 of the URL alphabet", "replace", []string{"JVBERi0x", "JVBE-i0x"}, ruleBase64Character, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"a wrong byte in the middle of long base64", "replace", []string{"JVBERi0x", strings.Repeat("JVBERi0x", 1000) + "!" + strings.Repeat("JVBERi0x", 2000)}, ruleBase64Character, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"long base64 that goes on after its padding", "replace", []string{"JVBERi0x", strings.Repeat("JVBERi0x", 1023) + "JVBERg==JVBERi0x"}, ruleBase64Padding, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"base64 with padding in the middle", "replace", []string{"JVBERi0x", "JVBERi0="}, ruleBase64Padding, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"base64 cut off", "replace", []string{"JVBERi0x", "JVBERi0"}, ruleBase64Length, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"base64 with bits left over", "update", []string{"Cg==</Content", "Ch==</Content"}, ruleBase64Bits, inFiles + "/Attachment/ContentTransferEncoded", 121},
	{"no content", "replace", []string{"<ContentTransferEncoded>", "<x>", "</ContentTransferEncoded>", "</x>"}, ruleMissing, inFiles + "/Attachment", 100},
	{"one ContentId for two attachments", "update", []string{"<ContentId>1f0c9a1e-0002", "<ContentId>cid:cid:1f0c9a1e-0001"}, ruleContentID, inFiles + "/Attachment[2]", 124},
	{"a name with a path", "replace", []string{"<AttachmentName>CV", "<AttachmentName>../CV"}, ruleName, inFiles + "/Attachment/AttachmentName", 105},
	{"a name with a path of Windows", "replace", []string{"<AttachmentName>CV", `<AttachmentName>C:\CV`}, ruleName, inFiles + "/Attachment/AttachmentName", 105},
	{"a name with a line break", "replace", []string{"<AttachmentName>CV", "<AttachmentName>C\nV"}, ruleName, inFiles + "/Attachment/AttachmentName", 105},
	{"a name that reads backwards", "replace", []string{"<AttachmentName>CV", "<AttachmentName>\u202eCV"}, ruleName, inFiles + "/Attachment/AttachmentName", 105},
	{"a path in the manifest only", "replace", []string{"<edXML:AttachmentName>CV", "<edXML:AttachmentName>../CV"}, ruleName, "/edXML/edXMLEnvelope/edXMLBody/edXMLManifest/Reference/AttachmentName", 94},
	{"no name at all", "replace", []string{field("AttachmentName", "CV_1268_STC.pdf"), "", "<AttachmentName>CV_1268_STC.pdf</AttachmentName>", ""}, ruleMissing, inFiles + "/Attachment", 100},
	{"a ZIP by the attachment's name, none by the manifest's", "replace", []string{"<AttachmentName>CV_1268_STC.pdf", "<AttachmentName>CV.zip", "<ContentType>application/pdf", "<ContentType>application/zip"}, ruleWrapping, inFiles + "/Attachment/AttachmentName", 105},
	{"a ZIP by the manifest's name, none by the attachment's", "replace", []string{field("AttachmentName", "CV_1268_STC.pdf"), field("AttachmentName", "CV.zip"), "<ContentType>application/pdf", "<ContentType>application/zip"}, ruleWrapping, inFiles + "/Attachment/AttachmentName", 105},
	{"a PDF declared as a ZIP", "replace", []string{"<ContentType>application/pdf", "<ContentType>application/zip"}, ruleZipNot, inFiles + "/Attachment/ContentTransferEncoded", 104},
	{"a PDF declared as a ZIP after its content", "replace", []string{"<ContentType>application/pdf</ContentType>\n", "\n", "</AttachmentName>\n    </Attachment>", "</AttachmentName><ContentType>application/zip</ContentType></Attachment>"}, ruleZipNot, inFiles + "/Attachment/ContentTransferEncoded", 104},
}

func TestRefusals(t *testing.T) {
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			_, err := decodeString(sample(t, test.sample, test.change...))
			e := refusalOf(t, err)
			got := fmt.Sprintf("%s at %s, line %d", e.Rule.Name, e.Path, e.Line)
			want := fmt.Sprintf("%s at %s, line %d", test.rule.Name, test.path, test.line)
			if got != want {
				t.Errorf("refused by %s\nwant %s\n%v", got, want, e)
			}
		})
	}
}

func TestEnvelopeAsRoot(t *testing.T) {
	s := sample(t, "status-03")
	from, to := strings.Index(s, "<edXML:edXMLEnvelope"), strings.LastIndex(s, "</edXML>")
	_, err := decodeString(s[from:to])
	if e := refusalOf(t, err); e.Rule.Name != ruleEnvelopeRoot.Name || e.Path != "/edXMLEnvelope" || e.Line != 1 {
		t.Errorf("refused by %v, want envelope-as-root on line 1", e)
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name  string
		o     Options
		rule  exchange.Rule
		path  string
		words string
	}{
		{"two attachments where one is allowed", Options{Attachments: 1}, ruleTooMany, inFiles + "/Attachment[2]", "2"},
		{"a file of 74 bytes where 73 are allowed", Options{Unpacked: 73}, ruleZipTooLarge, inFiles + "/Attachment[2]/ContentTransferEncoded", "73"},
		{"193 bytes decoded where 192 are allowed", Options{Total: 192}, ruleTooLarge, inFiles + "/Attachment/ContentTransferEncoded", "192"},
		{"the bytes of the ZIP and its file together", Options{Total: 193 + 197 + 73}, ruleTooLarge, inFiles + "/Attachment[2]/ContentTransferEncoded", "463"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := decode(New(test.o), strings.NewReader(sample(t, "update")))
			e := refusalOf(t, err)
			if e.Rule.Name != test.rule.Name || e.Path != test.path || !strings.Contains(e.Text("vi"), test.words) {
				t.Errorf("refused by %v, want %s at %s", e, test.rule.Name, test.path)
			}
		})
	}
	if _, err := decode(New(Options{Attachments: 2, Unpacked: 74, Total: 193 + 197 + 74}), strings.NewReader(sample(t, "update"))); err != nil {
		t.Errorf("refused at the limits exactly: %v", err)
	}
}

func TestEveryRuleHasWordsAndARow(t *testing.T) {
	rows := map[string]bool{}
	for _, test := range refusals {
		rows[test.rule.Name] = true
	}
	for _, test := range zipRefusals {
		rows[test.rule.Name] = true
	}
	for _, test := range departures {
		rows[test.warning.Name] = true
	}
	for _, rule := range []exchange.Rule{ruleEnvelopeRoot, ruleTooMany, ruleZipTooLarge, ruleTooLarge,
		ruleProgram, ruleType, warnProgram, warnType, warnMacros} { // tests of their own: above, and in types_test.go
		rows[rule.Name] = true
	}
	seen := map[string]bool{}
	for _, rule := range Rules() {
		if seen[rule.Name] {
			t.Errorf("%s: two rules have this name", rule.Name)
		}
		seen[rule.Name] = true
		if !rows[rule.Name] {
			t.Errorf("%s: no test makes it refuse or warn", rule.Name)
		}
		if rule.Code == "" || len(rule.En) < 40 || len(rule.Vi) < 40 || rule.En == rule.Vi {
			t.Errorf("%s: its code or its words are missing", rule.Name)
		}
		if next := strings.Contains(rule.Vi, "hãy "); !next {
			t.Errorf("%s: the Vietnamese words give no next step", rule.Name)
		}
		inVietnamese(t, rule.Vi)
		if en, vi := verbs(rule.En), verbs(rule.Vi); !cmp.Equal(en, vi) {
			t.Errorf("%s: the English words take %v, the Vietnamese %v", rule.Name, en, vi)
		}
	}
}

// verbs are the formatting verbs in a rule's words.
func verbs(s string) (found []string) {
	for i := range len(s) - 1 {
		if s[i] == '%' {
			found = append(found, s[i:i+2])
		}
	}
	return found
}

func TestRefusalsSayWhatAndWhere(t *testing.T) {
	_, err := decodeString(sample(t, "replace", "2026/11/23<", "23-11-2026<"))
	e := refusalOf(t, err)
	wantVi := `"23-11-2026" không phải ngày dạng yyyy/MM/dd, ví dụ giá trị đúng: 2026/11/20; phần mềm nhận sẽ hiểu sai dạng khác mà không báo lỗi, hãy ghi đúng dạng này`
	if got := e.Text("vi"); got != wantVi {
		t.Errorf("in Vietnamese\n%s\nwant\n%s", got, wantVi)
	}
	for _, test := range refusals {
		_, err := decodeString(sample(t, test.sample, test.change...))
		e := refusalOf(t, err)
		if text := e.Text("en") + e.Text("vi"); strings.Contains(text, "%!") {
			t.Errorf("%s: words and arguments do not fit: %s", test.name, text)
		}
	}
}
