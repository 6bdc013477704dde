package exchange

// The rules of the exchange itself. Rules of reading XML are signing's, those
// of a format its adapter's.
var (
	unknownSender = Rule{"unknown-sender", UnknownAgency,
		"no agency has the sender's code %q; ask the operators of the hub to register it",
		"mã cơ quan gửi %q chưa có trong danh bạ; hãy đề nghị đơn vị vận hành trục liên thông đăng ký mã này"}
	unknownRecipient = Rule{"unknown-recipient", UnknownAgency,
		"no agency has the recipient's code %q; look the code up in the directory",
		"mã cơ quan nhận %q không có trong danh bạ; hãy tra lại mã trong danh bạ cơ quan"}
	notServed = Rule{"not-served-here", UnknownAgency,
		"agency %q does not live at this hub, and what comes from the axis %q is not passed on; send it to the axis that serves the agency",
		"cơ quan %q không kết nối tại trục này và văn bản đến từ trục %q không được chuyển tiếp; hãy gửi tới trục phục vụ cơ quan đó"}
	closedCode = Rule{"closed-code", UnknownAgency,
		"the code %q was closed on %s; use %q",
		"mã cơ quan %q đã hết hiệu lực từ ngày %s; hãy dùng mã %q"}
	closedAgency = Rule{"closed-agency", UnknownAgency,
		"the agency %q was closed on %s; look up its successor in the directory",
		"cơ quan %q đã ngừng hoạt động từ ngày %s; hãy tra trong danh bạ cơ quan tiếp nhận nhiệm vụ thay thế"}
	mergedAgency = Rule{"merged-agency", UnknownAgency,
		"the agency %q was merged into another on %s; use the code of its successor, %q",
		"cơ quan %q đã ngừng hoạt động do sáp nhập từ ngày %s; hãy dùng mã của cơ quan kế thừa, %q"}
	codeNotYetValid = Rule{"code-not-yet-valid", UnknownAgency,
		"the code %q is valid from %s; use %q until then",
		"mã cơ quan %q chỉ có hiệu lực từ ngày %s; trước ngày đó hãy dùng mã %q"}
	noRecipient = Rule{"no-recipient", Malformed,
		"the package names no recipient that it can be delivered to; name at least one registered agency in To",
		"gói tin không có cơ quan nhận nào để chuyển tới; hãy ghi ít nhất một cơ quan có trong danh bạ vào phần tử To"}
	systemNotForAgency = Rule{"system-not-for-agency", NotPermitted,
		"system %q does not speak for agency %q; submit through a system registered for that agency",
		"hệ thống %q không được gửi thay cơ quan %q; hãy gửi từ hệ thống đã đăng ký cho cơ quan đó"}
	signatureRequired = Rule{"signature-required", InvalidSignature,
		"agency %q must sign its packages and this one has no signature; sign it and submit again",
		"cơ quan %q phải ký số gói tin nhưng gói tin này chưa có chữ ký số; hãy ký số rồi gửi lại"}
	unsignedPackage = Rule{"unsigned", InvalidSignature,
		"the package has no signature, which only agencies that are registered so may submit; sign it with XML-DSig",
		"gói tin chưa có chữ ký số, chỉ cơ quan được đăng ký cho phép mới được gửi như vậy; hãy ký số theo XML-DSig"}
	signerNotSender = Rule{"signer-not-sender", NotPermitted,
		"signed with a certificate of agency %q, sent as %q; sign with the sender's own certificate",
		"gói tin được ký bằng chứng thư số của cơ quan %q nhưng cơ quan gửi lại là %q; hãy ký bằng chứng thư số của chính cơ quan gửi"}
	certificateNotRegistered = Rule{"certificate-not-registered", Untrusted,
		"the signing certificate (SHA-256 %s) is not registered for agency %q; ask the operators of the hub to register it",
		"chứng thư số dùng để ký (SHA-256 %s) chưa được đăng ký cho cơ quan %q; hãy đề nghị đơn vị vận hành trục liên thông đăng ký chứng thư số này"}
	subjectRuleAmbiguous = Rule{"subject-rule-ambiguous", Untrusted,
		"the signing certificate (SHA-256 %s) fits subject rules of %q and of %q; ask the operators of the hub to register it, or to make the rules narrower",
		"chứng thư số dùng để ký (SHA-256 %s) khớp với quy tắc chủ thể của cả %q và %q; hãy đề nghị đơn vị vận hành trục liên thông đăng ký chứng thư số này, hoặc thu hẹp các quy tắc"}
	certificateRevoked = Rule{"certificate-revoked", Revoked,
		"the certificate %q, which the signature rests on, was revoked at %s, as %q says (%q: %s); sign with a certificate that is in force",
		"chứng thư số %q mà chữ ký số dựa vào đã bị thu hồi lúc %s, theo %q (%q: %s); hãy ký bằng chứng thư số còn hiệu lực"}
	revocationUnknown = Rule{"revocation-unknown", Busy,
		"whether the signing certificate was revoked cannot be found out now, and nothing was kept (%s); try again in %d seconds",
		"hiện chưa tra cứu được chứng thư số dùng để ký đã bị thu hồi hay chưa nên trục liên thông chưa lưu gì (%s); hãy thử lại sau %d giây"}
	ruleTaken = Rule{"subject-rule-taken", Conflict,
		"the subject rule %q takes the same certificates as one of agency %q; make one of the two narrower",
		"quy tắc chủ thể %q nhận cùng các chứng thư số với một quy tắc của cơ quan %q; hãy thu hẹp một trong hai quy tắc"}
	reportPeriod = Rule{"report-period", Malformed,
		"a report needs both from and to, from before to, and at most 400 days between them; give for example from=2026-11-01&to=2026-11-30",
		"báo cáo cần cả thời điểm đầu và thời điểm cuối, cách nhau không quá 400 ngày; hãy ghi, ví dụ, \"from=2026-11-01&to=2026-11-30\""}
	reportBusy = Rule{"report-busy", Busy,
		"another report is being made; ask again in %d seconds", "đang lập một báo cáo khác; hãy thử lại sau %d giây"}
	duplicateDocument = Rule{"duplicate-document", Duplicate,
		"%q already submitted document %q with other content, as package %s; give the new document its own identifier, or send an update or a replacement",
		"cơ quan %q đã gửi văn bản mang mã định danh %q với nội dung khác trong gói tin %s; hãy cấp mã định danh mới cho văn bản này, hoặc gửi gói tin cập nhật hay thay thế"}
	unknownTarget = Rule{"unknown-target", NotFound,
		"agency %q has submitted no document %q to recall, update or replace; check the identifier in Bussiness/DocumentId",
		"cơ quan %q chưa gửi văn bản nào mang mã định danh %q để thu hồi, cập nhật hay thay thế; hãy kiểm tra lại Bussiness/DocumentId"}
	notFound = Rule{"not-found", NotFound,
		"there is no %s %q, or it is not yours to see; check the identifier",
		"không có %s %q, hoặc bạn không có quyền xem; hãy kiểm tra lại định danh đã gửi"}
	notPermitted = Rule{"not-permitted", NotPermitted,
		"%s may not %s; ask the administrators of the hub for the permission",
		"%s không có quyền %s; hãy liên hệ quản trị viên trục liên thông để được cấp quyền"}
	finalState = Rule{"final-state", Conflict,
		"delivery %s is %s, which is final; see its receipt for how it ended",
		"lượt chuyển %s đã kết thúc ở trạng thái %s; hãy xem biên nhận để biết kết quả"}
	wrongState = Rule{"wrong-state", Conflict,
		"delivery %s is %s and this can be done only when it is %s; look at the delivery first",
		"lượt chuyển %s đang ở trạng thái %s, thao tác này chỉ thực hiện được ở trạng thái %s; hãy xem lại lượt chuyển trước khi thao tác"}
	heldDelivery = Rule{"held", Conflict,
		"delivery %s is held by the operators of the hub; wait until they release it",
		"lượt chuyển %s đang được đơn vị vận hành trục liên thông tạm giữ; hãy chờ đến khi lượt chuyển được cho đi tiếp"}
	changedMeanwhile = Rule{"changed-meanwhile", Conflict,
		"%s %s was changed by another request at the same moment; read it again and repeat",
		"%s %s vừa bị thay đổi bởi một yêu cầu khác cùng lúc; hãy đọc lại rồi thực hiện lại"}
	otherAnswer = Rule{"other-answer", Conflict,
		"delivery %s was already answered with %q, which cannot be changed; tell the sender if that answer was wrong",
		"lượt chuyển %s đã được trả lời %q và không thể trả lời lại; nếu đã trả lời nhầm, hãy báo cho cơ quan gửi"}
	malwareFound = Rule{"malware-found", Harmful,
		"malware was found (%s) and nothing was kept; clean the file, and the computer that it comes from, and send the document again",
		"phát hiện mã độc (%s) nên trục liên thông không lưu gói tin; hãy làm sạch tệp và máy tính nguồn rồi gửi lại văn bản"}
	ackShape = Rule{"acknowledgement-shape", InvalidAcknowledgement,
		"this is not an acknowledgement as acknowledgement.xsd describes it (%s); correct it and sign it again",
		"xác nhận không đúng lược đồ acknowledgement.xsd (%s); hãy sửa, ký số lại rồi gửi lại"}
	ackMismatch = Rule{"acknowledgement-mismatch", InvalidAcknowledgement,
		"the acknowledgement is about %s %q, the delivery about %q; acknowledge what was delivered",
		"xác nhận ghi %s %q nhưng lượt chuyển này là %q; hãy xác nhận đúng gói tin đã nhận"}
	ackUnsigned = Rule{"acknowledgement-unsigned", InvalidAcknowledgement,
		"agency %q must sign its acknowledgements and this one has no signature; sign it and send it again",
		"cơ quan %q phải ký số xác nhận nhưng xác nhận này chưa có chữ ký số; hãy ký số rồi gửi lại"}
	badCredentials = Rule{"bad-credentials", Unauthenticated,
		"the identifier or the secret is wrong; check both, or ask the administrators of the hub for a new secret",
		"định danh hoặc mật khẩu không đúng; hãy kiểm tra lại, hoặc đề nghị quản trị viên trục liên thông cấp mật khẩu mới"}
	noSecretKey = Rule{"no-secret-key", Conflict,
		"this hub has no key to keep shared secrets with; make one (hub keys axis) and start the hub again",
		"trục liên thông chưa có khóa để lưu mã bí mật dùng chung; hãy tạo khóa (hub keys axis) rồi khởi động lại trục"}
	disabled = Rule{"disabled", NotPermitted,
		"%q is disabled; ask the administrators of the hub",
		"%q đã bị khóa; hãy liên hệ quản trị viên trục liên thông"}
	codeTaken = Rule{"code-taken", Conflict,
		"the code %q already belongs to agency %q; give another code, or take it from that agency first",
		"mã %q đã được cấp cho cơ quan %q; hãy dùng mã khác, hoặc gỡ mã này khỏi cơ quan đó trước"}
	certificateTaken = Rule{"certificate-taken", Conflict,
		"the certificate (SHA-256 %s) is already registered for %q; register another, or take it from there first",
		"chứng thư số (SHA-256 %s) đã được đăng ký cho %q; hãy đăng ký chứng thư số khác, hoặc gỡ chứng thư số này khỏi nơi đó trước"}
	truncatedBody = Rule{"truncated-body", Malformed,
		"the request's body broke off before its end; send it again whole",
		"nội dung gửi lên bị ngắt giữa chừng; hãy gửi lại đầy đủ"}
	bodyTooLarge = Rule{"body-too-large", TooLarge,
		"the body is longer than the %d bytes this hub takes; send smaller attachments",
		"nội dung vượt quá giới hạn %d byte của trục liên thông; hãy giảm dung lượng tệp đính kèm"}
	timeStampPending = Rule{"timestamp-pending", NotFound,
		"receipt %s waits for its time-stamp; take it without (the receipt itself), or ask again later",
		"biên nhận %s đang chờ dấu thời gian; hãy lấy biên nhận không kèm dấu thời gian, hoặc hỏi lại sau"}
	notTimeStamped = Rule{"not-timestamped", NotFound,
		"receipt %s has no time-stamp: the hub had no time-stamp authority when it was issued; take the receipt itself",
		"biên nhận %s không có dấu thời gian vì khi cấp biên nhận trục chưa dùng tổ chức cấp dấu thời gian; hãy lấy chính biên nhận"}
	unknownKind = Rule{"unknown-kind", Malformed,
		"there is no kind of package %q; give one of: %s",
		"không có loại gói tin %q; hãy dùng một trong: %s"}
	badTime = Rule{"invalid-time", Malformed,
		"%q is no time; give a day such as 2026-11-20, or a moment such as 2026-11-20T08:00:00+07:00",
		"%q không phải là thời điểm; hãy ghi ngày, ví dụ 2026-11-20, hoặc thời điểm, ví dụ 2026-11-20T08:00:00+07:00"}
	emptyPeriod = Rule{"empty-period", Malformed,
		"no time is from %s and before %s; give an earlier beginning or a later end",
		"khoảng thời gian từ %s đến trước %s không có thời điểm nào; hãy chọn thời điểm đầu sớm hơn hoặc thời điểm cuối muộn hơn"}
	searchTooLong = Rule{"search-too-long", Malformed,
		"a search takes at most %d words and %d bytes; leave out what is common",
		"mỗi lần tìm kiếm chỉ dùng tối đa %d từ và %d byte; hãy bỏ bớt những từ thông dụng"}
	busy = Rule{"busy", Busy,
		"the hub is too busy to take this now; try again in %d seconds",
		"trục liên thông đang quá tải; hãy thử lại sau %d giây"}
	contentErased = Rule{"content-erased", NotFound,
		"the content of package %s was erased on %s, as the hub's retention policy says; its receipts are kept: ask the sender or a recipient for the document",
		"nội dung gói tin %s đã được xóa ngày %s theo quy định lưu trữ của trục liên thông; biên nhận vẫn được lưu: hãy hỏi cơ quan gửi hoặc cơ quan nhận để có văn bản"}
	contentPurged = Rule{"content-purged", NotFound,
		"package %s was purged on %s by the administrators of the hub, and nothing of its content is left; its receipts are kept: ask the administrators, and the sender, what to do with copies",
		"nội dung gói tin %s đã bị quản trị viên trục liên thông tiêu hủy ngày %s và không còn lưu tại trục; biên nhận vẫn được lưu: hãy hỏi quản trị viên và cơ quan gửi về cách xử lý các bản sao"}
	noSpace = Rule{"no-space", Busy,
		"the hub has no space for further packages, and nothing was kept; its operators have to make some: try again in %d seconds",
		"trục liên thông không còn đủ dung lượng lưu trữ nên chưa lưu gì; đơn vị vận hành cần giải phóng dung lượng: hãy thử lại sau %d giây"}
	cannotSeal = Rule{"cannot-seal", Busy,
		"the hub cannot use the key that it seals receipts with, and takes nothing in without a receipt; try again in %d seconds",
		"trục liên thông chưa dùng được khóa ký biên nhận và không tiếp nhận gì khi chưa có biên nhận; hãy thử lại sau %d giây"}
)

// NotFoundError says that there is no such thing with the id; what is one of the
// nouns. Ledgers return it for what they do not hold.
func NotFoundError(what, id string) *Error { return notFound.With(noun(what), id) }

// ConflictError says that the thing with the id was changed since it was read.
// Ledgers return it when the version of an entry is not the one that was read.
func ConflictError(what, id string) *Error { return changedMeanwhile.With(noun(what), id) }

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

// NoSpaceError is what a store says when it is full; err is what it ran into.
func NoSpaceError(err error) *Error {
	full := noSpace.With(spacePause)
	full.Err = err
	return full
}

// InvalidError says what is wrong with an entry of the registry or a request and
// what to do next. Like a rule's words, en and vi are formats for the same
// arguments.
func InvalidError(en, vi string, args ...any) *Error {
	return &Error{Rule: Rule{"invalid-entry", Malformed, en, vi}, Args: args}
}
