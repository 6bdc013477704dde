package audit

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"tram/exchange"
	"tram/signing"
)

// stepWords are the titles of steps; it is never written.
var stepWords = map[string]exchange.Words{
	string(signing.StepDocument):         {En: "Document", Vi: "Tài liệu"},
	string(signing.StepSignature):        {En: "Signature", Vi: "Chữ ký số"},
	string(signing.StepCanonicalization): {En: "Canonicalisation", Vi: "Chuẩn tắc hóa"},
	string(signing.StepSignatureMethod):  {En: "Signature method", Vi: "Thuật toán ký"},
	string(signing.StepReference):        {En: "Reference", Vi: "Tham chiếu"},
	string(signing.StepCertificate):      {En: "Certificate", Vi: "Chứng thư số"},
	string(signing.StepSignatureValue):   {En: "Signature value", Vi: "Giá trị chữ ký"},
	string(signing.StepSignedProperties): {En: "Signed properties", Vi: "Thuộc tính ký XAdES"},
	stepAttachment:                       {En: "Attachment", Vi: "Tệp đính kèm"},
	stepContent:                          {En: "Content", Vi: "Nội dung"},
	stepSigningTime:                      {En: "Claimed time", Vi: "Thời gian tự khai"},
	stepRegistered:                       {En: "Registered", Vi: "Đăng ký"},
	stepChain:                            {En: "Chain", Vi: "Chuỗi chứng thực"},
	stepRevocation:                       {En: "Revocation", Vi: "Thu hồi"},
	stepTimeStamp:                        {En: "Time-stamp", Vi: "Dấu thời gian"},
	stepSeal:                             {En: "Hub's seal", Vi: "Dấu của trục"},
	stepEvidence:                         {En: "Evidence", Vi: "Nội dung chứng nhận"},
	stepAnswer:                           {En: "Recipient's answer", Vi: "Trả lời của cơ quan nhận"},
	stepLog:                              {En: "Log", Vi: "Nhật ký"},
}

// factWords are the labels of facts; it is never written.
var factWords = map[string]exchange.Words{
	signing.FactRoot:         {En: "root", Vi: "phần tử gốc"},
	signing.FactSize:         {En: "bytes", Vi: "số byte"},
	signing.FactSHA256:       {En: "SHA-256", Vi: "SHA-256"},
	signing.FactAlgorithm:    {En: "algorithm", Vi: "thuật toán"},
	signing.FactAccepted:     {En: "accepted would be", Vi: "chấp nhận"},
	signing.FactPrefixes:     {En: "prefix list", Vi: "danh sách tiền tố"},
	signing.FactURI:          {En: "URI", Vi: "URI"},
	signing.FactCovers:       {En: "covers", Vi: "bảo vệ"},
	signing.FactType:         {En: "type", Vi: "kiểu"},
	signing.FactTransform:    {En: "transform", Vi: "phép biến đổi"},
	signing.FactDigestMethod: {En: "digest method", Vi: "hàm băm"},
	signing.FactStated:       {En: "digest stated", Vi: "mã băm trong chữ ký"},
	signing.FactComputed:     {En: "digest computed", Vi: "mã băm tính được"},
	signing.FactSubject:      {En: "subject", Vi: "chủ thể"},
	signing.FactIssuer:       {En: "issuer", Vi: "cấp bởi"},
	signing.FactSerial:       {En: "serial number", Vi: "số sê-ri"},
	signing.FactNotBefore:    {En: "valid from", Vi: "hiệu lực từ"},
	signing.FactNotAfter:     {En: "valid to", Vi: "hiệu lực đến"},
	signing.FactKey:          {En: "key", Vi: "khóa"},
	signing.FactKeyUsage:     {En: "key usage", Vi: "mục đích khóa"},
	signing.FactTime:         {En: "time", Vi: "thời gian"},
	signing.FactOther:        {En: "also in KeyInfo", Vi: "kèm trong KeyInfo"},
	signing.FactCanonical:    {En: "SignedInfo SHA-256", Vi: "SHA-256 của SignedInfo"},
	signing.FactLength:       {En: "value's bytes", Vi: "số byte chữ ký"},
	signing.FactComputedText: {En: "digest of its base64", Vi: "mã băm của base64"},
	factDetail:               {En: "found", Vi: "thông báo gốc"},
	factDocument:             {En: "document", Vi: "văn bản"},
	factSender:               {En: "sender", Vi: "cơ quan gửi"},
	factTo:                   {En: "recipient", Vi: "cơ quan nhận"},
	factEvent:                {En: "event", Vi: "sự kiện"},
	factJudged:               {En: "at", Vi: "thời điểm"},
	factOrigin:               {En: "origin", Vi: "nguồn gốc"},
	factLeaf:                 {En: "leaf", Vi: "bản ghi"},
	factLogRoot:              {En: "root", Vi: "gốc cây Merkle"},
	factSource:               {En: "source", Vi: "nguồn"},
	factState:                {En: "state", Vi: "trạng thái"},
	factRevokedAt:            {En: "revoked at", Vi: "thu hồi lúc"},
	factReceipt:              {En: "receipt", Vi: "biên nhận"},
	factAccuracy:             {En: "give or take", Vi: "sai số"},
	factAuthority:            {En: "authority", Vi: "tổ chức cấp"},
	factPolicy:               {En: "policy", Vi: "chính sách"},
	factRegistered:           {En: "registered SHA-256", Vi: "SHA-256 đã đăng ký"},
	factPublished:            {En: "published SHA-256", Vi: "SHA-256 đã công bố"},
	factOutcome:              {En: "outcome", Vi: "kết quả"},
}

// findingWords are what findings on a receipt mean, where explain shows them; it is
// never written.
var findingWords = map[string]exchange.Words{
	sealUnknown: {
		En: "The receipt is sealed with a certificate that the hub did not publish. Fetch https://HUB/v1/keys anew, by a way you trust; if the certificate is not there, the receipt is forged.",
		Vi: "Biên nhận được ký bằng chứng thư số mà trục không công bố. Hãy tải lại https://TRỤC/v1/keys qua kênh tin cậy; nếu vẫn không có chứng thư số này thì biên nhận là giả.",
	},
	sealOutOfTerm: {
		En: "The receipt is sealed with a key of the hub's that did not seal at the receipt's time: its term was over, or had not begun. Fetch https://HUB/v1/keys anew, by a way you trust; if its terms are the same, the receipt is forged.",
		Vi: "Biên nhận được ký bằng khóa của trục nhưng không đúng thời hạn: vào thời điểm của biên nhận, khóa này đã hết hạn dùng hoặc chưa được dùng. Hãy tải lại https://TRỤC/v1/keys qua kênh tin cậy; nếu thời hạn vẫn như vậy thì biên nhận là giả.",
	},
	certificateUnregistered: {
		En: "The certificate is not among those registered for the agency. Have the hub's operators register it, or sign with a registered one.",
		Vi: "Chứng thư số không nằm trong số đã đăng ký cho cơ quan. Hãy đề nghị đơn vị vận hành trục đăng ký chứng thư số này, hoặc ký bằng chứng thư số đã đăng ký.",
	},
	packageUnsigned: {
		En: "The document carries no signature, or none where it may stand. Nothing shows whose it is, nor that it was not changed. Sign it.",
		Vi: "Tài liệu không có chữ ký số ở vị trí cho phép. Không có gì cho thấy tài liệu của ai và có bị thay đổi hay không. Hãy ký số tài liệu.",
	},
	stampEarly: {
		En: "The time-stamp is older than what the receipt is about, so one of the two times is wrong. Ask the hub's operators; believe the receipt's time only as far as the log bears it out.",
		Vi: "Dấu thời gian có trước sự việc nêu trong biên nhận, nên một trong hai thời điểm là sai. Hãy hỏi đơn vị vận hành trục; chỉ tin thời điểm trên biên nhận nếu nhật ký cũng cho thấy như vậy.",
	},
	answerBroken: {
		En: "The recipient's answer inside the receipt is not signed, was changed, or cannot be read. Ask the hub and the recipient for the answer as it was sent.",
		Vi: "Câu trả lời của cơ quan nhận kèm trong biên nhận không được ký số, đã bị thay đổi hoặc không đọc được. Hãy đề nghị trục và cơ quan nhận cung cấp câu trả lời nguyên bản.",
	},
	answerDiffers: {
		En: "The recipient answered something else than the receipt says. The recipient's own word counts: hold the hub to it.",
		Vi: "Cơ quan nhận trả lời khác với nội dung ghi trong biên nhận. Lời của chính cơ quan nhận mới có giá trị: hãy yêu cầu trục giải trình.",
	},
	revocationOdd: {
		En: "What the receipt says of revocation contradicts itself, which no hub that keeps its rules writes. Ask the hub's operators.",
		Vi: "Nội dung về thu hồi chứng thư số trong biên nhận tự mâu thuẫn, điều mà trục tuân thủ quy tắc không ghi. Hãy yêu cầu đơn vị vận hành trục giải trình.",
	},
	proofBroken: {
		En: "The proof does not show that this receipt is in the hub's log. Fetch the proof anew; if it fails again, the receipt was changed after it was logged, or never was in the log.",
		Vi: "Bằng chứng không cho thấy biên nhận này nằm trong nhật ký của trục. Hãy tải lại bằng chứng; nếu vẫn sai thì biên nhận đã bị sửa sau khi ghi nhật ký, hoặc chưa từng có trong nhật ký.",
	},
}

// valueWords are values that are words, by fact; it is never written.
var valueWords = map[string]map[string]exchange.Words{
	signing.FactCovers: {
		signing.CoversDocument:   {En: "the whole document", Vi: "toàn bộ tài liệu"},
		signing.CoversProperties: {En: "the signed properties", Vi: "thuộc tính ký XAdES"},
	},
	signing.FactURI: {"": {En: `"" (the whole document)`, Vi: `"" (toàn bộ tài liệu)`}},
	factState: {
		string(exchange.RevocationGood):    {En: "not revoked", Vi: "chưa bị thu hồi"},
		string(exchange.RevocationRevoked): {En: "revoked", Vi: "đã bị thu hồi"},
		string(exchange.RevocationUnknown): {En: "not known", Vi: "chưa biết"},
	},
	factOutcome: {
		string(exchange.AnswerAccepted): {En: "accepted", Vi: "đã nhận"},
		string(exchange.AnswerRefused):  {En: "refused", Vi: "từ chối"},
	},
}

// hint is what a step's facts say besides its rule; empty if nothing.
func (s stepOut) hint(lang string) string {
	stated := s.fact(signing.FactStated)
	switch {
	case s.Rule == string(signing.SHA1) && s.restsOnSHA1():
		return phrase(lang, "With --sha1 explain judges the rest, as a hub does for an agency that it excepts until a date.",
			"Nêu --sha1 để xét tiếp các bước còn lại, như trục vẫn làm với cơ quan được tạm cho phép đến một ngày nhất định.")
	case s.Rule == "" && s.restsOnSHA1():
		return phrase(lang, "It rests on SHA-1: a hub refuses it, but for an agency that it excepts until a date.",
			"Dựa trên SHA-1: trục từ chối, trừ cơ quan được tạm cho phép đến một ngày nhất định.")
	case s.Rule == string(signing.SignatureMismatch) && stated != "" && stated == s.fact(signing.FactComputed):
		return phrase(lang, "It was made by this key over this very SignedInfo, but is written in another form: use a standard signature library.",
			"Giá trị do đúng khóa này ký trên đúng SignedInfo này, nhưng viết sai dạng: hãy dùng thư viện chữ ký số chuẩn.")
	case s.Rule == string(signing.SignatureMismatch) && stated != "":
		return phrase(lang, "It was made by this key, over another SignedInfo: that was changed afterwards, or canonicalised in another way than it says.",
			"Giá trị do đúng khóa này ký, nhưng trên SignedInfo khác: SignedInfo đã bị sửa sau khi ký, hoặc được chuẩn tắc hóa khác với phương pháp đã nêu.")
	case s.Rule == string(signing.DigestMismatch) && stated != "" && stated == s.fact(signing.FactComputedText):
		return phrase(lang, "The digest stated is that of the base64 text; with the base64 transform it must be that of the decoded file.",
			"Mã băm trong chữ ký là của chuỗi base64; khi dùng phép biến đổi base64 thì phải là mã băm của tệp đã giải mã.")
	}
	return ""
}

// restsOnSHA1 says whether the step is about one of the two uses of SHA-1 that an
// agency can be granted; no other is ever accepted.
func (s stepOut) restsOnSHA1() bool {
	const xmldsig = "http://www.w3.org/2000/09/xmldsig#"
	return s.Step == string(signing.StepSignatureMethod) && s.fact(signing.FactAlgorithm) == xmldsig+"rsa-sha1" ||
		s.Step == string(signing.StepReference) && s.fact(signing.FactDigestMethod) == xmldsig+"sha1"
}

// fact is the value of the first fact of that name.
func (s stepOut) fact(name string) string {
	i := slices.IndexFunc(s.Facts, func(f factOut) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	return s.Facts[i].Value
}

// kindWords is what a file is; it is never written.
var kindWords = map[string]exchange.Words{
	"package":  {En: "package", Vi: "gói tin"},
	"receipt":  {En: "receipt", Vi: "biên nhận"},
	"document": {En: "document", Vi: "tài liệu"},
}

func (p *program) printExplanation(e *explanation) error {
	if p.json {
		return p.printJSON(e)
	}
	var b strings.Builder
	e.write(&b, p.colour())
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

// write puts the steps in words, and the first failure once more at the end: that
// is the one to mend first.
func (e *explanation) write(b *strings.Builder, c colours) {
	verdict := c.paint("32", phrase(e.lang, "holds", "hợp lệ"))
	if !e.OK {
		verdict = c.bad(phrase(e.lang, "DOES NOT HOLD", "KHÔNG HỢP LỆ"))
	}
	fmt.Fprintf(b, "%s (%s): %s\n", e.File, kindWords[e.Kind].In(e.lang), verdict)
	first := ""
	for _, s := range e.Steps {
		s.write(b, c, e.lang)
		if s.Outcome == fails && first == "" {
			first = stepWords[s.Step].In(e.lang) + s.place(e.lang) + ": " + s.Text
		}
	}
	if first != "" {
		fmt.Fprintf(b, "\n%s\n", oneLine(phrase(e.lang, "To mend first: ", "Cần sửa trước tiên: ")+first))
	}
}

func (s stepOut) write(b *strings.Builder, c colours, lang string) {
	mark := map[string]string{holds: c.paint("32", "✓"), fails: c.bad("✗"), notChecked: "-"}[s.Outcome]
	fmt.Fprintf(b, "\n%s %s%s\n", mark, stepWords[s.Step].In(lang), oneLine(s.place(lang)))
	if s.Rule != "" {
		fmt.Fprintf(b, "    %s\n", c.bad(oneLine(s.Rule+": "+s.Text)))
	} else if s.Text != "" {
		fmt.Fprintf(b, "    %s\n", oneLine(s.Text))
	}
	for _, f := range s.Facts {
		fmt.Fprintf(b, "    %-22s %s\n", factWords[f.Name].In(lang), oneLine(f.shown(lang)))
	}
}

// place is where the step's element stands.
func (s stepOut) place(lang string) string {
	text := ""
	if s.Line > 0 {
		text = phrase(lang, ", line ", ", dòng ") + strconv.Itoa(s.Line)
	}
	if s.Path != "" {
		text += ", " + s.Path
	}
	return text
}

// shown is a value as people read it.
func (f factOut) shown(lang string) string {
	if words, ok := valueWords[f.Name][f.Value]; ok {
		return words.In(lang)
	}
	return f.Value
}
