package edxml

import (
	"tram/exchange"
	"tram/signing"
)

// help is what helps with a rule, in pieces of documents.
type help struct {
	expected  string
	good, bad string
	// in is the sample package that has the good piece; with the bad one instead
	// it breaks the rule, as a test shows. Empty: the pieces are for people only.
	in string
}

// Rules implements exchange.Format.
func (f Format) Rules() []exchange.RuleHelp {
	warnings := map[string]bool{}
	for _, r := range warningRules() {
		warnings[r.Name] = true
	}
	var list []exchange.RuleHelp
	add := func(r exchange.Rule, s exchange.Severity) {
		h := helps[r.Name]
		list = append(list, exchange.RuleHelp{Rule: r, Severity: s, Expected: h.expected, Good: h.good, Bad: h.bad})
	}
	for _, r := range Rules() {
		if warnings[r.Name] {
			add(r, exchange.SeverityWarning)
			continue
		}
		add(r, exchange.SeverityRefused)
	}
	add(exchange.Unsigned(), exchange.SeverityWarning)
	for _, r := range signing.Rules() {
		refusal, _ := exchange.RefusalOf(signing.Refuse(r, ""))
		if r != signing.TimeStampForm { // of receipts; the format has a rule of that name
			add(refusal.Rule, exchange.SeverityRefused)
		}
	}
	return list
}

const (
	xmldsig    = "http://www.w3.org/2000/09/xmldsig#"
	excC14N    = "http://www.w3.org/2001/10/xml-exc-c14n#"
	rootTag    = `<edXML xmlns="` + Namespace + `">`
	subjectTag = "<edXML:Subject>"
	oneEntry   = "PhuLuc.csv.zip:\n  PhuLuc.csv"
)

// helps are by the rule's name; it is never written.
var helps = map[string]help{
	// The document's shape.
	"not-edxml":          {"edXML", rootTag + "…</edXML>", "<invoice>…</invoice>", ""},
	"wrong-namespace":    {Namespace, rootTag, `<edXML xmlns="http://www.go.vn/eDoc">`, "replace"},
	"envelope-as-root":   {"edXML", rootTag + "<edXML:edXMLEnvelope>…</edXML:edXMLEnvelope></edXML>", "<edXML:edXMLEnvelope>…</edXML:edXMLEnvelope>", ""},
	"element-name":       {"", "<edXML:edXMLHeader>…</edXML:edXMLHeader>", "<edXML:EdXmlHeader>…</edXML:EdXmlHeader>", ""},
	"missing-element":    {"", "<edXML:CodeNumber>1268</edXML:CodeNumber>", "<edXML:CodeNumber></edXML:CodeNumber>", "replace"},
	"repeated-element":   {"1", subjectTag, "<edXML:Subject>V/v …</edXML:Subject><edXML:Subject>", "replace"},
	"element-in-text":    {"", "<edXML:OrganId>H12.07</edXML:OrganId>", "<edXML:OrganId>H12.<b>07</b></edXML:OrganId>", "replace"},
	"attachment-place":   {"/edXML/AttachmentEncoded/Attachment", "</edXML:edXMLEnvelope>", "<AttachmentEncoded><Attachment/></AttachmentEncoded></edXML:edXMLEnvelope>", "replace"},
	"status-element":     {"MessageHeader", "<edXML:MessageHeader>…</edXML:MessageHeader>", "<edXML:MessageStatus>…</edXML:MessageStatus>", ""},
	"status-with-trace":  {"", "</edXML:edXMLHeader>", "<edXML:TraceHeaderList/></edXML:edXMLHeader>", "status-03"},
	"unsupported-report": {"edXMLManifest", "<edXML:edXMLBody>", "<edXML:edXMLBody><AVReport/>", "replace"},

	// Fields.
	"agency-code":                {"H12.07 | 000.00.07.H12", "<edXML:OrganId>H12.07</edXML:OrganId>", "<edXML:OrganId>h12-07</edXML:OrganId>", "replace"},
	"document-id-length":         {"≤ 255", "<edXML:DocumentId>H12.07,2026/11/23,1268/STC-NS</edXML:DocumentId>", "<edXML:DocumentId>H12.07,2026/11/23,1268/STC-NS…………</edXML:DocumentId>", ""},
	"document-id-characters":     {"H12.07,2026/11/20,1250/STC-NS", "<edXML:DocumentId>H12.07,2026/11/23,1268/STC-NS</edXML:DocumentId>", "<edXML:DocumentId>H12.07,2026/11/23,\n1268/STC-NS</edXML:DocumentId>", "replace"},
	"field-length":               {"≤ 4096 | ≤ 255", "<edXML:Subject>V/v …</edXML:Subject>", "<edXML:Subject>V/v ……………………</edXML:Subject>", ""},
	"date-form":                  {"yyyy/MM/dd", "<edXML:PromulgationDate>2026/11/23</edXML:PromulgationDate>", "<edXML:PromulgationDate>23/11/2026</edXML:PromulgationDate>", "replace"},
	"priority":                   {"0 | 1 | 2 | 3 | 4", "<edXML:Priority>0</edXML:Priority>", "<edXML:Priority>khẩn</edXML:Priority>", "replace"},
	"business-type":              {"0 | 1 | 2 | 3", "<edXML:BussinessDocType>3</edXML:BussinessDocType>", "<edXML:BussinessDocType>4</edXML:BussinessDocType>", "replace"},
	"receiver-type":              {"0 | 1", "<edXML:ReceiverType>1</edXML:ReceiverType>", "<edXML:ReceiverType>2</edXML:ReceiverType>", "update"},
	"receiver-added-and-removed": {"", "<edXML:ReceiverList>", "<edXML:ReceiverList><edXML:Receiver><edXML:OrganId>H12.41</edXML:OrganId><edXML:ReceiverType>0</edXML:ReceiverType></edXML:Receiver>", "update"},
	"status-code":                {"01–06 | 13 | 15 | 16", "<edXML:StatusCode>03</edXML:StatusCode>", "<edXML:StatusCode>07</edXML:StatusCode>", "status-03"},

	// Attachments.
	"base64-character":         {"A-Z a-z 0-9 + / =", "<ContentTransferEncoded>JVBERi0x", "<ContentTransferEncoded>JVBE-i0x", "replace"},
	"base64-padding":           {"=, ==", "<ContentTransferEncoded>JVBERi0x", "<ContentTransferEncoded>JVBERi0=", "replace"},
	"base64-cut-off":           {"4n", "<ContentTransferEncoded>JVBERi0x", "<ContentTransferEncoded>JVBERi0", "replace"},
	"base64-bits":              {"", "<ContentTransferEncoded>Cg==</ContentTransferEncoded>", "<ContentTransferEncoded>Ch==</ContentTransferEncoded>", ""},
	"content-id-repeated":      {"", "<ContentId>1f0c9a1e-0002</ContentId>", "<ContentId>1f0c9a1e-0001</ContentId>", "update"},
	"too-many-attachments":     {"≤ 200", "<Attachment>…</Attachment>", "<Attachment>…</Attachment> × 201", ""},
	"attachments-too-large":    {"≤ 1 GiB", "CV_1268_STC.pdf, 2 MB", "CV_1268_STC.pdf, 2 GB", ""},
	"attachment-program":       {"PDF, OOXML, ODF, …", "CV_1268_STC.pdf = %PDF-1.7…", "CV_1268_STC.pdf = MZ…", ""},
	"attachment-type":          {"PDF, OOXML, ODF, …", "CV_1268_STC.pdf = %PDF-1.7…", "CV_1268_STC.pdf = PK…", ""},
	"attachment-named-program": {"PDF, OOXML, ODF, …", "CV_1268_STC.pdf", "CV_1268_STC.js", ""},
	"attachment-type-differs":  {"PDF, OOXML, ODF, …", "CV_1268_STC.pdf = %PDF-1.7…", "CV_1268_STC.pdf = PK…", ""},
	"attachment-macros":        {"DOCX, XLSX", "PhuLuc.xlsx", "PhuLuc.xlsm + vbaProject.bin", ""},
	"attachment-name":          {"", "<AttachmentName>CV_1268_STC.pdf</AttachmentName>", "<AttachmentName>../CV_1268_STC.pdf</AttachmentName>", "replace"},
	"attachment-names-zip":     {"", "<edXML:AttachmentName>PhuLuc_KinhPhi.csv</edXML:AttachmentName>", "<edXML:AttachmentName>PhuLuc_KinhPhi.zip</edXML:AttachmentName>", "update"},

	// Files wrapped in a ZIP.
	"zip-not":           {"PK…", "<ContentType>application/pdf</ContentType>", "<ContentType>application/zip</ContentType>", "replace"},
	"zip-broken":        {"", "zip -T PhuLuc.csv.zip: OK", "zip -T PhuLuc.csv.zip: zip error", ""},
	"zip-entries":       {"1", oneEntry, oneEntry + "\n  PhuLuc2.csv", ""},
	"zip-entry-name":    {"", oneEntry, "PhuLuc.csv.zip:\n  ../PhuLuc.csv", ""},
	"zip-entry-kind":    {"", oneEntry, "PhuLuc.csv.zip:\n  PhuLuc/", ""},
	"zip-encrypted":     {"", "zip PhuLuc.csv.zip PhuLuc.csv", "zip -e PhuLuc.csv.zip PhuLuc.csv", ""},
	"zip-method":        {"8 (deflate) | 0 (stored)", "zip PhuLuc.csv.zip PhuLuc.csv", "zip -Z bzip2 PhuLuc.csv.zip PhuLuc.csv", ""},
	"zip-64":            {"", "zip PhuLuc.csv.zip PhuLuc.csv", "zip -fz PhuLuc.csv.zip PhuLuc.csv", ""},
	"zip-mismatch":      {"", oneEntry + " (74)", oneEntry + " (74 ≠ 73)", ""},
	"zip-trailing-data": {"", "zip PhuLuc.csv.zip PhuLuc.csv", "zip -z PhuLuc.csv.zip PhuLuc.csv", ""},
	"zip-too-large":     {"≤ 256 MiB", "PhuLuc.csv, 2 MB", "PhuLuc.csv, 2 GB", ""},

	// Warnings.
	"not-a-signature":             {`<Signature xmlns="` + xmldsig + `">`, "</edXML:edXMLHeader>", "<edXML:DigitalSignature>x</edXML:DigitalSignature></edXML:edXMLHeader>", "replace"},
	"status-14":                   {"15", "<edXML:StatusCode>03</edXML:StatusCode>", "<edXML:StatusCode>14</edXML:StatusCode>", "status-03"},
	"status-digits":               {"03", "<edXML:StatusCode>03</edXML:StatusCode>", "<edXML:StatusCode>3</edXML:StatusCode>", "status-03"},
	"reason-missing":              {"", "<edXML:BussinessDocReason>Thay thế Công văn số 1250/STC-NS</edXML:BussinessDocReason>", "<edXML:BussinessDocReason/>", "replace"},
	"timestamp-form":              {"yyyy/MM/dd HH:mm:ss", "<edXML:Timestamp>2026/11/20 09:48:12</edXML:Timestamp>", "<edXML:Timestamp>2026-11-20T09:48:12</edXML:Timestamp>", "status-03"},
	"response-date-form":          {"yyyy/MM/dd", "<edXML:PromulgationDate>2026/11/20</edXML:PromulgationDate>", "<edXML:PromulgationDate>20/11/2026</edXML:PromulgationDate>", "status-03"},
	"manifest-without-attachment": {"", "</edXML:edXMLManifest>", "<edXML:Reference><edXML:ContentId>cid:x</edXML:ContentId></edXML:Reference></edXML:edXMLManifest>", "replace"},
	"attachment-without-manifest": {"", "<edXML:Reference>…</edXML:Reference>", "<!-- 0 × Reference, 1 × Attachment -->", ""},
	"manifest-name-differs":       {"", "<edXML:AttachmentName>CV_1268_STC.pdf</edXML:AttachmentName>", "<edXML:AttachmentName>CV.pdf</edXML:AttachmentName>", "replace"},
	"attachment-name-repeated":    {"", "CV_1250.pdf, PhuLuc.csv", "CV_1250.pdf, CV_1250.pdf", ""},
	"unsigned":                    {`<Signature xmlns="` + xmldsig + `">`, "<edXML:edXMLHeader>…<Signature xmlns=\"" + xmldsig + "\">…</Signature></edXML:edXMLHeader>", "<edXML:edXMLHeader>…</edXML:edXMLHeader>", ""},

	// XML.
	"encoding":                 {"utf-8", `encoding="utf-8"`, `encoding="windows-1258"`, "replace"},
	"xml-declaration":          {`<?xml version="1.0" encoding="utf-8"?>`, `<?xml version="1.0" encoding="utf-8"?>`, `<?xml version="2.0" encoding="utf-8"?>`, "replace"},
	"invalid-character":        {"", subjectTag, subjectTag + "\x01", "replace"},
	"bad-markup":               {"&lt;", subjectTag, subjectTag + "A < B", "replace"},
	"invalid-name":             {"", subjectTag, "<edXML:1x/>" + subjectTag, "replace"},
	"mismatched-tag":           {"", "</edXML:Subject>", "</edXML:Content>", "replace"},
	"duplicate-attribute":      {"", `<edXML:edXMLManifest version="1.0">`, `<edXML:edXMLManifest version="1.0" version="1.0">`, "replace"},
	"undeclared-prefix":        {"", "<edXML:edXMLManifest version=\"1.0\">", "<edXML:edXMLManifest xlink:version=\"1.0\">", "replace"},
	"namespace-declaration":    {"", subjectTag, `<edXML:x xmlns:a=""/>` + subjectTag, "replace"},
	"relative-namespace":       {"http://…", subjectTag, `<x xmlns="eDoc"/>` + subjectTag, "replace"},
	"invalid-reference":        {"&lt; &gt; &amp; &quot; &apos;", subjectTag, subjectTag + "&nbsp;", "replace"},
	"cdata-end-in-text":        {"]]&gt;", subjectTag, subjectTag + "]]>", "replace"},
	"comment":                  {"", subjectTag, "<!-- trích yếu -->" + subjectTag, "replace"},
	"processing-instruction":   {"", subjectTag, "<?x y?>" + subjectTag, "replace"},
	"text-outside-root":        {"", "</edXML>\n", "</edXML>\nxong", "replace"},
	"second-root":              {"", "</edXML>\n", "</edXML>\n<edXML/>", "replace"},
	"truncated":                {"", "</edXML>\n", "", "replace"},
	"element-in-streamed-text": {"", "<ContentTransferEncoded>", "<ContentTransferEncoded><b/>", "replace"},
	"duplicate-id":             {"", subjectTag, `<edXML:x Id="a"/><edXML:x Id="a"/>` + subjectTag, "replace"},
	"second-signature":         {"1", `</edXML:TraceHeaderList>`, `</edXML:TraceHeaderList><Signature xmlns="` + xmldsig + `"/>`, "new-signed"},
	"signature-misplaced":      {"/edXML/edXMLEnvelope/edXMLHeader/Signature", "<edXML:edXMLBody>", `<edXML:edXMLBody><Signature xmlns="` + xmldsig + `"/>`, "replace"},
	"doctype":                  {"", rootTag, "<!DOCTYPE edXML>" + rootTag, "replace"},

	// Limits.
	"document-too-large":  {"≤ 1 GiB", "", "", ""},
	"too-deep":            {"≤ 64", "", "", ""},
	"too-many-elements":   {"≤ 20000", "", "", ""},
	"too-many-attributes": {"≤ 64", "", "", ""},
	"too-many-namespaces": {"≤ 256", "", "", ""},
	"tag-too-long":        {"≤ 32 KiB", "", "", ""},
	"too-much-text":       {"≤ 8 MiB", "", "", ""},
	"name-too-long":       {"≤ 256", "", "", ""},
	"too-many-references": {"≤ 30", "", "", ""},

	// The signature.
	"signature-structure":          {"SignedInfo, SignatureValue, KeyInfo", "<KeyInfo>", "<x/><KeyInfo>", "new-signed"},
	"unsigned-object":              {"", "</KeyInfo>", `</KeyInfo><Object><x/></Object>`, "new-signed"},
	"canonicalization-not-allowed": {excC14N, `<CanonicalizationMethod Algorithm="` + excC14N + `"/>`, `<CanonicalizationMethod Algorithm="http://www.w3.org/2010/xml-c14n2"/>`, "new-signed"},
	"algorithm-not-allowed":        {"RSA | ECDSA | Ed25519, SHA-256 | SHA-384 | SHA-512", `<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`, `<DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>`, "new-signed"},
	"sha1":                         {"SHA-256 | SHA-384 | SHA-512", `<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`, `<DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>`, "new-signed"},
	"hmac":                         {"RSA | ECDSA | Ed25519", `<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>`, `<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>`, "new-signed"},
	"transform-not-allowed":        {"enveloped-signature, " + excC14N, `<Transform Algorithm="` + excC14N + `"/>`, `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`, "new-signed"},
	"reference-not-allowed":        {`URI=""`, `<Reference URI="">`, `<Reference URI="http://hub.example/1250.edxml">`, "new-signed"},
	"extra-reference":              {"1", `<Reference URI="">`, `<Reference URI=""><DigestMethod/></Reference><Reference URI="">`, ""},
	"signature-base64":             {"", "<DigestValue>tDc9", "<DigestValue>tD-9", "new-signed"},
	"key-info-missing":             {"KeyInfo/X509Data/X509Certificate", "<KeyInfo>…</KeyInfo>", "<KeyInfo/>", ""},
	"key-info-not-allowed":         {"X509Data", "<X509Data>", "<KeyName>stc</KeyName><X509Data>", "new-signed"},
	"certificate-malformed":        {"", "<X509Certificate>MIID", "<X509Certificate>AAAA", "new-signed"},
	"digest-mismatch":              {"", "V/v phân bổ kinh phí quý IV", "V/v phân bổ kinh phí quý III", "new-signed"},
	"signature-mismatch":           {"", "<SignatureValue>DZWw", "<SignatureValue>DZWx", "new-signed"},
}
