package vxp

import "tram/exchange"

// The rules of the protocol itself.
var (
	unsigned = exchange.Rule{Name: "axis-unsigned", Code: exchange.Unauthenticated,
		En: "the request has no XroadVnpt-sign-header with its XroadVnpt-hash-header; let the SDK sign it with the system's secret",
		Vi: "yêu cầu thiếu XroadVnpt-sign-header hoặc XroadVnpt-hash-header; hãy để SDK ký yêu cầu bằng mã bí mật của hệ thống"}
	badHeader = exchange.Rule{Name: "axis-header", Code: exchange.Malformed,
		En: "XroadVnpt-sign-header is not an object of JSON whose members are texts (%s); send it as the SDK writes it",
		Vi: "XroadVnpt-sign-header không phải là đối tượng JSON gồm các chuỗi (%s); hãy gửi đúng như SDK tạo ra"}
	questionMark = exchange.Rule{Name: "axis-file-path", Code: exchange.Unauthenticated,
		En: "the signature does not hold, and storePathDir %q has letters that HTTP headers cannot carry; give the client a folder with ASCII letters only, and check the secret",
		Vi: "chữ ký yêu cầu không đúng, và đường dẫn storePathDir %q có chữ mà tiêu đề HTTP không truyền được; hãy đặt thư mục chỉ gồm chữ không dấu, và kiểm tra lại mã bí mật"}
	badStamp = exchange.Rule{Name: "axis-timestamp", Code: exchange.Malformed,
		En: "the timestamp is %q and should be such as 23112026T062256+0606; send it as the SDK writes it",
		Vi: "timestamp là %q nhưng phải có dạng như 23112026T062256+0606; hãy gửi đúng như SDK tạo ra"}
	earlyStamp = exchange.Rule{Name: "axis-timestamp-ahead", Code: exchange.Malformed,
		En: "the timestamp %q is more than a day ahead of the hub's clock, %s (UTC+7); set the machine's clock",
		Vi: "timestamp %q sớm hơn đồng hồ của trục (%s, UTC+7) quá một ngày; hãy chỉnh lại đồng hồ máy"}
	badDate = exchange.Rule{Name: "axis-date", Code: exchange.Malformed,
		En: "%s is %q and should be a date such as 2026/11/20; correct it",
		Vi: "%s là %q nhưng phải là ngày dạng 2026/11/20; hãy sửa lại"}
	badCount = exchange.Rule{Name: "axis-page", Code: exchange.Malformed,
		En: "%s is %q and should be a number from 1 on; correct it",
		Vi: "%s là %q nhưng phải là số từ 1 trở lên; hãy sửa lại"}
	badKind = exchange.Rule{Name: "axis-messagetype", Code: exchange.Malformed,
		En: "messagetype is %q; give edoc or status",
		Vi: "messagetype là %q; hãy ghi edoc hoặc status"}
	badStatus = exchange.Rule{Name: "axis-status", Code: exchange.Malformed,
		En: "status is %q; give done or fail",
		Vi: "status là %q; hãy ghi done hoặc fail"}
	noHash = exchange.Rule{Name: "axis-no-hash", Code: exchange.InvalidSignature,
		En: "the request does not sign hash-file, so nothing binds the file to it; send it as the SDK does",
		Vi: "yêu cầu không ký hash-file nên tệp gửi kèm không được bảo vệ; hãy gửi đúng như SDK"}
	wrongHash = exchange.Rule{Name: "axis-hash", Code: exchange.InvalidSignature,
		En: "the file came with SHA-256 %s and hash-file says %q; it was changed on the way, send it again",
		Vi: "tệp nhận được có SHA-256 %s nhưng hash-file ghi %q; tệp đã bị thay đổi trên đường truyền, hãy gửi lại"}
	registered = exchange.Rule{Name: "axis-register", Code: exchange.NotPermitted,
		En: "agency %q is not registered, and agencies are registered by the administrators of the hub; ask them",
		Vi: "cơ quan %q chưa được đăng ký, việc đăng ký cơ quan do quản trị viên trục liên thông thực hiện; hãy liên hệ quản trị viên"}
	undeleted = exchange.Rule{Name: "axis-delete", Code: exchange.NotPermitted,
		En: "agencies are closed by the administrators of the hub, not by software; ask them to close %q",
		Vi: "việc đóng cơ quan do quản trị viên trục liên thông thực hiện, không thực hiện từ phần mềm; hãy đề nghị họ đóng cơ quan %q"}
)

// numbers are the protocol's error codes. Software takes 10, 18, 19, 22 and 23 for
// final and comes back after 20 and 21.
var numbers = map[exchange.Code]string{
	exchange.Unauthenticated:        "15",
	exchange.NotPermitted:           "19",
	exchange.UnknownAgency:          "18",
	exchange.Malformed:              "22",
	exchange.Duplicate:              "22",
	exchange.NotFound:               "22",
	exchange.Conflict:               "22",
	exchange.InvalidAcknowledgement: "22",
	exchange.InvalidSignature:       "10",
	exchange.Untrusted:              "10",
	exchange.Revoked:                "10",
	exchange.Harmful:                "10",
	exchange.TooLarge:               "10",
	exchange.Busy:                   "20",
	exchange.Internal:               "20",
}

// numbersOfRules are those of rules that the protocol tells apart.
var numbersOfRules = map[string]string{
	"unknown-sender": "19",
	"truncated-body": "21", // comes whole the next time
	"slow-body":      "21",
	"closed-agency":  "23",
	"disabled":       "23",
	"axis-hash":      "21",
}

// Number is the protocol's number for a refusal.
func Number(refused *exchange.Error) string {
	if n, found := numbersOfRules[refused.Rule.Name]; found {
		return n
	}
	if n, found := numbers[refused.Code()]; found {
		return n
	}
	return "20"
}
