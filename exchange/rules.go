package exchange

// The rules of the exchange itself. Rules of reading XML are signing's, those
// of a format its adapter's.
var (
	unknownSender = Rule{"unknown-sender", UnknownAgency,
		"no agency has the sender's code %q; ask the operators of the hub to register it",
		"mã cơ quan gửi %q chưa có trong danh bạ; hãy đề nghị bên vận hành trục đăng ký mã này"}
	unknownRecipient = Rule{"unknown-recipient", UnknownAgency,
		"no agency has the recipient's code %q; look the code up in the directory",
		"mã cơ quan nhận %q không có trong danh bạ; hãy tra lại mã trong danh bạ cơ quan"}
	closedCode = Rule{"closed-code", UnknownAgency,
		"the code %q was closed on %s; use %q",
		"mã cơ quan %q đã đóng từ ngày %s; hãy dùng mã %q"}
	closedAgency = Rule{"closed-agency", UnknownAgency,
		"the agency %q was closed on %s; look up its successor in the directory",
		"cơ quan %q đã ngừng hoạt động từ ngày %s; hãy tra cơ quan kế thừa trong danh bạ"}
	codeNotYetValid = Rule{"code-not-yet-valid", UnknownAgency,
		"the code %q is valid from %s; use %q until then",
		"mã cơ quan %q có hiệu lực từ ngày %s; từ nay đến đó hãy dùng mã %q"}
	noRecipient = Rule{"no-recipient", Malformed,
		"the package names no recipient that it can be delivered to",
		"gói tin không có cơ quan nhận nào để chuyển"}
	systemNotForAgency = Rule{"system-not-for-agency", NotPermitted,
		"system %q does not speak for agency %q; submit through a system registered for that agency",
		"hệ thống %q không được đại diện cho cơ quan %q; hãy gửi qua hệ thống đã đăng ký cho cơ quan đó"}
	signatureRequired = Rule{"signature-required", InvalidSignature,
		"agency %q must sign its packages and this one has no signature; sign it and submit again",
		"cơ quan %q bắt buộc ký số gói tin nhưng gói này không có chữ ký; hãy ký số rồi gửi lại"}
	signerNotSender = Rule{"signer-not-sender", NotPermitted,
		"signed with a certificate of agency %q, sent as %q; sign with the sender's own certificate",
		"gói tin ký bằng chứng thư của cơ quan %q nhưng gửi với tư cách %q; hãy ký bằng chứng thư của chính cơ quan gửi"}
	certificateNotRegistered = Rule{"certificate-not-registered", Untrusted,
		"the signing certificate (SHA-256 %s) is not registered for agency %q; ask the operators of the hub to register it",
		"chứng thư ký (SHA-256 %s) chưa được đăng ký cho cơ quan %q; hãy đề nghị bên vận hành trục đăng ký chứng thư này"}
	duplicateDocument = Rule{"duplicate-document", Duplicate,
		"%q already submitted document %q with other content, as package %s; give the new document its own identifier, or send an update or a replacement",
		"cơ quan %q đã gửi văn bản có mã định danh %q với nội dung khác, là gói %s; hãy cấp mã định danh mới, hoặc gửi gói cập nhật hay thay thế"}
	unknownTarget = Rule{"unknown-target", NotFound,
		"agency %q has submitted no document %q to recall, update or replace; check the identifier in Bussiness/DocumentId",
		"cơ quan %q chưa gửi văn bản nào có mã %q để thu hồi, cập nhật hay thay thế; hãy kiểm tra lại Bussiness/DocumentId"}
	notFound = Rule{"not-found", NotFound,
		"there is no %s %q, or it is not yours to see; check the identifier",
		"không có %s %q, hoặc bạn không có quyền xem; hãy kiểm tra lại mã"}
	notPermitted = Rule{"not-permitted", NotPermitted,
		"%s may not %s; ask the administrator of the hub for the role",
		"%s không có quyền %s; hãy liên hệ quản trị trục để được cấp vai trò"}
	finalState = Rule{"final-state", Conflict,
		"delivery %s is %s, which is final; its receipt tells how it ended",
		"lượt chuyển %s đã ở trạng thái cuối %s; xem biên nhận để biết kết quả"}
	wrongState = Rule{"wrong-state", Conflict,
		"delivery %s is %s; this can be done only when it is %s",
		"lượt chuyển %s đang ở trạng thái %s; chỉ thực hiện được khi ở trạng thái %s"}
	heldDelivery = Rule{"held", Conflict,
		"delivery %s is held by the operators of the hub; wait until they release it",
		"lượt chuyển %s đang bị bên vận hành trục tạm giữ; hãy chờ đến khi được giải phóng"}
	changedMeanwhile = Rule{"changed-meanwhile", Conflict,
		"%s was changed by another request at the same moment; read it again and repeat",
		"%s vừa được thay đổi bởi một yêu cầu khác; hãy đọc lại rồi thực hiện lại"}
	otherAnswer = Rule{"other-answer", Conflict,
		"delivery %s was already answered with %q; an answer cannot be changed",
		"lượt chuyển %s đã được trả lời là %q; không thể thay đổi câu trả lời"}
	ackShape = Rule{"acknowledgement-shape", InvalidAcknowledgement,
		"not an acknowledgement as schemas/acknowledgement.xsd describes it: %s",
		"không phải xác nhận theo lược đồ schemas/acknowledgement.xsd: %s"}
	ackMismatch = Rule{"acknowledgement-mismatch", InvalidAcknowledgement,
		"the acknowledgement is about %s %q, the delivery about %q; acknowledge what was delivered",
		"xác nhận nói về %s %q nhưng lượt chuyển là %q; hãy xác nhận đúng gói đã nhận"}
	ackUnsigned = Rule{"acknowledgement-unsigned", InvalidAcknowledgement,
		"agency %q must sign its acknowledgements and this one has no signature; sign it and send it again",
		"cơ quan %q bắt buộc ký số xác nhận nhưng xác nhận này không có chữ ký; hãy ký số rồi gửi lại"}
	badCredentials = Rule{"bad-credentials", Unauthenticated,
		"the identifier or the secret is wrong; check both, or ask the administrator of the hub for a new secret",
		"sai định danh hoặc mật khẩu; hãy kiểm tra lại, hoặc đề nghị quản trị trục cấp mật khẩu mới"}
	disabled = Rule{"disabled", NotPermitted,
		"%q is disabled; ask the administrator of the hub",
		"%q đã bị khóa; hãy liên hệ quản trị trục"}
	invalidEntry = Rule{"invalid-entry", Malformed,
		"the entry is not valid: %s",
		"bản ghi không hợp lệ: %s"}
	codeTaken = Rule{"code-taken", Conflict,
		"the code %q already belongs to agency %q",
		"mã %q đã thuộc về cơ quan %q"}
	certificateTaken = Rule{"certificate-taken", Conflict,
		"the certificate (SHA-256 %s) is already registered for %q",
		"chứng thư (SHA-256 %s) đã được đăng ký cho %q"}
	truncatedBody = Rule{"truncated-body", Malformed,
		"the request's body ended before its announced length; send it again whole",
		"nội dung gửi lên bị cắt ngang trước khi đủ độ dài đã khai báo; hãy gửi lại đầy đủ"}
	bodyTooLarge = Rule{"body-too-large", TooLarge,
		"the body is longer than the %d bytes this hub takes; send smaller attachments",
		"nội dung dài hơn giới hạn %d byte của trục; hãy gửi tệp đính kèm nhỏ hơn"}
	busy = Rule{"busy", Busy,
		"the hub has too much to do at the moment; try again in %d seconds",
		"trục đang quá tải; hãy thử lại sau %d giây"}
)

// NotFoundError says that what ("package", "delivery", "receipt", …) has no id.
// Ledgers return it for what they do not hold.
func NotFoundError(what, id string) *Error { return notFound.With(what, id) }

// ConflictError says that what was changed since it was read. Ledgers return it
// when the version of an entry is not the one that was read.
func ConflictError(what string) *Error { return changedMeanwhile.With(what) }

// DuplicateError says that the sender has used the document's identifier for
// other content. Ledgers return it from Accept.
func DuplicateError(sender, document string, first PackageID) *Error {
	return duplicateDocument.With(sender, document, first)
}

// CodeTakenError says that an agency's code or alias belongs to another.
func CodeTakenError(code, owner string) *Error { return codeTaken.With(code, owner) }

// CertificateTakenError says that a certificate is registered for another.
func CertificateTakenError(d Digest, owner string) *Error {
	return certificateTaken.With(d.String(), owner)
}

// TruncatedError says that a body ended before its announced length.
func TruncatedError(err error) *Error {
	e := truncatedBody.With()
	e.Err = err
	return e
}

// TooLargeError says that a body is longer than limit bytes.
func TooLargeError(limit int64) *Error { return bodyTooLarge.With(limit) }

// BusyError asks the caller to come back after some seconds.
func BusyError(seconds int) *Error { return busy.With(seconds) }

// InvalidError says what is wrong with an entry of the registry or a request.
func InvalidError(detail string) *Error { return invalidEntry.With(detail) }

// UnauthenticatedError says that the caller did not prove who it is.
func UnauthenticatedError() *Error { return badCredentials.With() }
