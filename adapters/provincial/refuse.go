package provincial

import (
	"net/http"
	"strconv"
	"strings"

	"tram/exchange"
)

// The protocol's numbers for what went wrong; 0 is success.
const (
	invalidFile      = 10
	wrongCredentials = 15
	noSuchRecipient  = 18
	noSuchSender     = 19
	systemError      = 20
	processingError  = 21
	notEdXML         = 22
	recipientLocked  = 23
)

// The face's own rules.
var (
	noToken = exchange.Rule{Name: "no-token", Code: exchange.Unauthenticated,
		En: "the call carries no token; log in at /v1/auth/login and send \"Authorization: Bearer\" with every call",
		Vi: "yêu cầu chưa có mã truy cập; hãy đăng nhập tại /v1/auth/login rồi gửi kèm \"Authorization: Bearer\" trong mọi yêu cầu"}
	badToken = exchange.Rule{Name: "invalid-token", Code: exchange.Unauthenticated,
		En: "the token was not issued by this hub, or was changed; log in again",
		Vi: "mã truy cập không do trục này cấp hoặc đã bị thay đổi; hãy đăng nhập lại"}
	expiredToken = exchange.Rule{Name: "expired-token", Code: exchange.Unauthenticated,
		En: "the token expired at %s; log in again",
		Vi: "mã truy cập đã hết hạn lúc %s; hãy đăng nhập lại"}
	noHeaders = exchange.Rule{Name: "no-system-headers", Code: exchange.Unauthenticated,
		En: "X-SystemId or X-SecretKey is missing; send both with every call, beside the token",
		Vi: "thiếu X-SystemId hoặc X-SecretKey; hãy gửi cả hai trong mọi yêu cầu, cùng với mã truy cập"}
	otherSystem = exchange.Rule{Name: "other-system", Code: exchange.Unauthenticated,
		En: "X-SystemId is %q, but the token was issued for system %q; log in as the system that calls",
		Vi: "X-SystemId là %q nhưng mã truy cập được cấp cho hệ thống %q; hãy đăng nhập bằng đúng hệ thống đang gọi"}
	badJSON = exchange.Rule{Name: "invalid-json", Code: exchange.Malformed,
		En: "the body is not the JSON object that this call takes (%s)",
		Vi: "nội dung gửi lên không phải là đối tượng JSON mà dịch vụ này nhận (%s)"}
	badParameter = exchange.Rule{Name: "invalid-parameter", Code: exchange.Malformed,
		En: "%s is %q; give %s",
		Vi: "%s là %q; hãy ghi %s"}
	brokenMultipart = exchange.Rule{Name: "broken-multipart", Code: exchange.Malformed,
		En: "the multipart body ends without its last boundary line (\"--…--\"), so the file may be cut off: let the HTTP library write it (form.getHeaders() and form.getLength() in Node.js), or send the file itself as the body",
		Vi: "nội dung multipart kết thúc khi chưa có dòng phân cách cuối (\"--…--\") nên tệp có thể bị cắt cụt: hãy để thư viện HTTP tự tạo nội dung (form.getHeaders() và form.getLength() trong Node.js), hoặc gửi thẳng tệp làm nội dung yêu cầu"}
	noFile = exchange.Rule{Name: "no-file", Code: exchange.Malformed,
		En: "the multipart body has no file; send the package as the file field edocFile",
		Vi: "nội dung multipart không có tệp; hãy gửi gói tin trong trường tệp edocFile"}
	registryOnly = exchange.Rule{Name: "registry-only", Code: exchange.NotPermitted,
		En: "agency %q can be registered or removed by the hub's administrators only; ask them (hub agency put, hub agency close)",
		Vi: "chỉ quản trị viên trục liên thông được đăng ký hoặc gỡ bỏ cơ quan %q; hãy đề nghị quản trị viên thực hiện (hub agency put, hub agency close)"}
)

// tokenRules are answered as the protocol does where there is no right token.
var tokenRules = []string{noToken.Name, badToken.Name, expiredToken.Name}

// licenseInfo is what clients look for to log in again.
const licenseInfo = "licenseInfo:invalid"

// numbers are of rules that say more than their code.
var numbers = map[string]int{
	"unknown-recipient": noSuchRecipient, "no-recipient": noSuchRecipient, "unknown-sender": noSuchSender, "system-not-for-agency": noSuchSender,
	"closed-agency": recipientLocked, "merged-agency": recipientLocked, "closed-code": recipientLocked, "code-not-yet-valid": recipientLocked, "disabled": wrongCredentials,
	"truncated-body": processingError, "changed-meanwhile": processingError,
	brokenMultipart.Name: invalidFile, noFile.Name: invalidFile, badJSON.Name: invalidFile, badParameter.Name: invalidFile,
}

// answers are a code's HTTP status and number. What cannot succeed by being
// repeated has a 4xx.
var answers = map[exchange.Code]struct{ status, number int }{
	exchange.Malformed:        {http.StatusBadRequest, notEdXML},
	exchange.Unauthenticated:  {http.StatusUnauthorized, wrongCredentials},
	exchange.Untrusted:        {http.StatusForbidden, notEdXML},
	exchange.Revoked:          {http.StatusForbidden, notEdXML},
	exchange.NotPermitted:     {http.StatusForbidden, noSuchSender},
	exchange.UnknownAgency:    {http.StatusBadRequest, noSuchRecipient},
	exchange.NotFound:         {http.StatusNotFound, invalidFile},
	exchange.Duplicate:        {http.StatusConflict, notEdXML},
	exchange.Conflict:         {http.StatusConflict, invalidFile},
	exchange.TooLarge:         {http.StatusRequestEntityTooLarge, invalidFile},
	exchange.InvalidSignature: {http.StatusUnprocessableEntity, notEdXML},
	exchange.Harmful:          {http.StatusUnprocessableEntity, invalidFile},
	exchange.Busy:             {http.StatusServiceUnavailable, systemError},
}

// failure is the answer to what went wrong.
type failure struct {
	done
	Detail  string             `json:"detail,omitempty"` // where message is a word for programs
	Rule    string             `json:"rule"`
	Path    string             `json:"path,omitempty"` // in the document
	Line    int                `json:"line,omitempty"`
	Receipt exchange.ReceiptID `json:"receipt,omitempty"` // of the refused submission
}

// Refuse answers with what went wrong.
func (f *Face) Refuse(w http.ResponseWriter, r *http.Request, refused *exchange.Error) {
	a, known := answers[refused.Code()]
	if !known {
		a.status, a.number = http.StatusInternalServerError, systemError
	}
	answered := failure{Rule: refused.Rule.Name, Path: refused.Path, Line: refused.Line, Receipt: refused.Receipt}
	answered.Code, answered.Message = a.number, refused.Text("vi")+" ("+refused.Text("en")+")"
	if number, ok := numbers[refused.Rule.Name]; ok {
		answered.Code = number
	}
	if answered.Code == recipientLocked && strings.Contains(refused.Path, "/From") {
		answered.Code = noSuchSender // the code that was closed is the sender's
	}
	for _, name := range tokenRules {
		if name == refused.Rule.Name {
			answered.Message, answered.Detail = licenseInfo, answered.Message
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	}
	if refused.Code() == exchange.Busy {
		w.Header().Set("Retry-After", strconv.Itoa(refused.RetryAfter()))
	}
	if err := answer(w, a.status, answered); err != nil {
		f.log.ErrorContext(r.Context(), "writing a refusal", "err", err)
	}
}
