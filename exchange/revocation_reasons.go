package exchange

// Why nothing is known of a certificate's revocation, as a finding's Reason.
const (
	RevocationNoChain         = "no-chain"
	RevocationNoSource        = "no-source"
	RevocationTooManySources  = "too-many-sources"
	RevocationExpiredUnlisted = "certificate-expired"

	RevocationTimeout     = "timeout"
	RevocationUnreachable = "unreachable"
	RevocationHTTPStatus  = "http-status"
	RevocationURL         = "url-not-allowed"
	RevocationAddress     = "address-not-allowed"
	RevocationRedirect    = "redirect"
	RevocationTooLarge    = "too-large"
	RevocationStore       = "store"

	CRLMalformed  = "crl-malformed"
	CRLIssuer     = "crl-issuer"
	CRLUsage      = "crl-usage"
	CRLAlgorithm  = "crl-algorithm"
	CRLSignature  = "crl-signature"
	CRLExtension  = "crl-extension"
	CRLDelta      = "crl-delta"
	CRLIndirect   = "crl-indirect"
	CRLReasons    = "crl-some-reasons"
	CRLScope      = "crl-scope"
	CRLNoUpdate   = "crl-no-next-update"
	CRLNotYet     = "crl-not-yet-valid"
	CRLStale      = "crl-stale"
	CRLRollback   = "crl-rollback"
	OCSPMalformed = "ocsp-malformed"
	OCSPTryLater  = "ocsp-try-later"
	OCSPRefused   = "ocsp-refused"
	OCSPResponder = "ocsp-responder"
	OCSPUnchecked = "ocsp-responder-unchecked"
	OCSPAlgorithm = "ocsp-algorithm"
	OCSPSignature = "ocsp-signature"
	OCSPOther     = "ocsp-other-certificate"
	OCSPUnknown   = "ocsp-unknown"
	OCSPNotYet    = "ocsp-not-yet-valid"
	OCSPStale     = "ocsp-stale"
	OCSPNonce     = "ocsp-nonce"
)

// CRLReason is the name of a reason code (RFC 5280, 5.3.1). A code that the
// standard does not have is "unspecified".
func CRLReason(code int) string {
	if name, ok := crlReasons[code]; ok {
		return name
	}
	return crlReasons[0]
}

// crlReasons are the standard's names; it is never written.
var crlReasons = map[int]string{
	0: "unspecified", 1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
	5: "cessationOfOperation", 6: "certificateHold", 8: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
}

// RevocationWords says what a finding's Reason means and what to do next. A
// reason that is none of ours stands for itself.
func RevocationWords(reason string) Words {
	if words, ok := revocationWords[reason]; ok {
		return words
	}
	return Words{reason, reason}
}

// revocationWords is never written.
var revocationWords = map[string]Words{
	"unspecified": {
		`the authority gives no reason; the agency should ask it for a new certificate`,
		`tổ chức chứng thực không nêu lý do; cơ quan cần xin cấp chứng thư số mới`},
	"keyCompromise": {
		`the private key was compromised; the agency must stop using it and get a new certificate`,
		`khóa bí mật bị lộ; cơ quan phải ngừng dùng khóa này và xin cấp chứng thư số mới`},
	"cACompromise": {
		`the authority's key was compromised; get a certificate from another authority`,
		`khóa của tổ chức chứng thực bị lộ; hãy xin chứng thư số của tổ chức khác`},
	"affiliationChanged": {
		`the holder's name or post changed; use the certificate that was issued instead`,
		`tên hoặc chức vụ của chủ thể đã thay đổi; hãy dùng chứng thư số được cấp thay thế`},
	"superseded": {
		`the certificate was replaced; use the new one`,
		`chứng thư số đã được thay thế; hãy dùng chứng thư số mới`},
	"cessationOfOperation": {
		`the certificate is no longer needed for its purpose; use the one in force`,
		`chứng thư số không còn được sử dụng; hãy dùng chứng thư số đang có hiệu lực`},
	"certificateHold": {
		`the certificate is on hold; ask the authority to lift the hold, or use another certificate`,
		`chứng thư số đang bị tạm đình chỉ; hãy đề nghị tổ chức chứng thực khôi phục, hoặc dùng chứng thư số khác`},
	"removeFromCRL": {
		`a hold was lifted`,
		`việc tạm đình chỉ đã được gỡ bỏ`},
	"privilegeWithdrawn": {
		`the right that the certificate stands for was withdrawn; ask the authority`,
		`quyền ghi trong chứng thư số đã bị thu hồi; hãy liên hệ tổ chức chứng thực`},
	"aACompromise": {
		`the attribute authority was compromised; get a new certificate`,
		`tổ chức cấp thuộc tính bị xâm phạm; hãy xin cấp chứng thư số mới`},

	RevocationNoChain: {
		`there is no certificate chain to ask about; report this to the hub's developers`,
		`không có chuỗi chứng thư số để kiểm tra; hãy báo cho đơn vị phát triển trục`},
	RevocationNoSource: {
		`the certificate names neither a CRL nor an OCSP responder; name one for its issuer in the hub's configuration, or allow such certificates there`,
		`chứng thư số không ghi địa chỉ CRL hay máy chủ OCSP; hãy khai báo nguồn cho tổ chức đã cấp trong cấu hình trục, hoặc cho phép loại chứng thư số này`},
	RevocationTooManySources: {
		`more places that tell of revocations are named than the hub asks; name the issuer's in the hub's configuration`,
		`có quá nhiều nguồn kiểm tra thu hồi; hãy khai báo nguồn của tổ chức đã cấp trong cấu hình trục`},
	RevocationExpiredUnlisted: {
		`the certificate has expired, and its authority need not list it any more; use a certificate in force`,
		`chứng thư số đã hết hạn nên tổ chức chứng thực không còn phải liệt kê; hãy dùng chứng thư số đang có hiệu lực`},

	RevocationTimeout: {
		`the authority's server did not answer in time; the hub goes on asking, check the network if it lasts`,
		`máy chủ của tổ chức chứng thực không trả lời kịp; trục sẽ hỏi lại, hãy kiểm tra mạng nếu kéo dài`},
	RevocationUnreachable: {
		`the authority's server cannot be reached; the hub goes on trying, check the network and the URL if it lasts`,
		`không kết nối được máy chủ của tổ chức chứng thực; trục sẽ thử lại, hãy kiểm tra mạng và URL nếu kéo dài`},
	RevocationHTTPStatus: {
		`the authority's server answered with an error; check the URL, and tell the authority if it lasts`,
		`máy chủ của tổ chức chứng thực trả về lỗi; hãy kiểm tra URL và báo cho tổ chức này nếu kéo dài`},
	RevocationURL: {
		`the address is no http or https URL; name another source for the issuer in the hub's configuration`,
		`địa chỉ không phải URL http hoặc https; hãy khai báo nguồn khác cho tổ chức đã cấp trong cấu hình trục`},
	RevocationAddress: {
		`the URL leads to an address that this hub may not call; allow its network in the hub's configuration if it is right`,
		`URL trỏ tới địa chỉ mạng mà trục không được phép gọi; nếu đúng, hãy cho phép mạng đó trong cấu hình trục`},
	RevocationRedirect: {
		`the server redirects to where this hub does not follow; name the final URL in the hub's configuration`,
		`máy chủ chuyển hướng đến nơi trục không đi theo; hãy khai báo URL cuối cùng trong cấu hình trục`},
	RevocationTooLarge: {
		`the answer is larger than this hub takes; check the URL, or raise the limit in the hub's configuration`,
		`dữ liệu trả về lớn hơn mức trục chấp nhận; hãy kiểm tra URL, hoặc tăng giới hạn trong cấu hình trục`},
	RevocationStore: {
		`the CRL could not be kept on the hub's disk; check its directory and the free space`,
		`không lưu được CRL trên đĩa của trục; hãy kiểm tra thư mục và dung lượng trống`},

	CRLMalformed: {
		`what the server sent is no CRL of version 2; check the URL, and tell the authority`,
		`dữ liệu nhận được không phải CRL phiên bản 2; hãy kiểm tra URL và báo cho tổ chức chứng thực`},
	CRLIssuer: {
		`the CRL is that of another authority or of another of its keys; check the URL`,
		`CRL thuộc tổ chức chứng thực khác hoặc khóa khác của tổ chức này; hãy kiểm tra URL`},
	CRLUsage: {
		`the authority's certificate does not allow it to sign CRLs; use its OCSP responder, and tell the authority`,
		`chứng thư số của tổ chức chứng thực không cho phép ký CRL; hãy dùng máy chủ OCSP và báo cho tổ chức này`},
	CRLAlgorithm: {
		`the CRL is signed with an algorithm that is not accepted, such as SHA-1; ask the authority for one with SHA-256`,
		`CRL được ký bằng thuật toán không được chấp nhận, ví dụ SHA-1; hãy đề nghị tổ chức chứng thực dùng SHA-256`},
	CRLSignature: {
		`the CRL's signature is wrong; it was changed on its way or forged, look for who did it`,
		`chữ ký trên CRL không đúng; CRL đã bị sửa hoặc giả mạo, hãy tìm nguyên nhân`},
	CRLExtension: {
		`the CRL has a critical extension that this hub does not know; use the OCSP responder`,
		`CRL có phần mở rộng quan trọng mà trục không hiểu; hãy dùng máy chủ OCSP`},
	CRLDelta: {
		`this is a delta CRL; name the complete one in the hub's configuration`,
		`đây là CRL gia tăng (delta); hãy khai báo CRL đầy đủ trong cấu hình trục`},
	CRLIndirect: {
		`this is an indirect CRL, which speaks for other authorities; name the issuer's own, or its OCSP responder`,
		`đây là CRL gián tiếp, phát hành thay tổ chức khác; hãy khai báo CRL của chính tổ chức đã cấp, hoặc máy chủ OCSP`},
	CRLReasons: {
		`the CRL holds only some reasons of revocation; name the complete one in the hub's configuration`,
		`CRL chỉ gồm một số lý do thu hồi; hãy khai báo CRL đầy đủ trong cấu hình trục`},
	CRLScope: {
		`the CRL is not meant for this certificate; name the right one in the hub's configuration`,
		`CRL không áp dụng cho chứng thư số này; hãy khai báo đúng CRL trong cấu hình trục`},
	CRLNoUpdate: {
		`the CRL does not say when the next will come; ask the authority to correct it (RFC 5280, 5.1.2.5)`,
		`CRL không ghi thời điểm phát hành kế tiếp; hãy đề nghị tổ chức chứng thực sửa (RFC 5280, 5.1.2.5)`},
	CRLNotYet: {
		`the CRL is dated in the future; check this machine's clock`,
		`CRL ghi thời điểm trong tương lai; hãy kiểm tra đồng hồ của máy chủ trục`},
	CRLStale: {
		`the CRL should have been replaced by now; the hub goes on trying, tell the authority if it lasts`,
		`CRL đã quá hạn mà chưa có bản mới; trục sẽ thử lại, hãy báo cho tổ chức chứng thực nếu kéo dài`},
	CRLRollback: {
		`the server sent an older CRL than the hub has; look for who did it, and remove the kept one only if the authority confirms`,
		`máy chủ gửi CRL cũ hơn bản trục đang giữ; hãy tìm nguyên nhân, và chỉ xóa bản đang giữ khi tổ chức chứng thực xác nhận`},

	OCSPMalformed: {
		`what the responder sent is no OCSP response; check the URL, and tell the authority`,
		`dữ liệu nhận được không phải phản hồi OCSP; hãy kiểm tra URL và báo cho tổ chức chứng thực`},
	OCSPTryLater: {
		`the responder asks to come later; the hub will`,
		`máy chủ OCSP đề nghị hỏi lại sau; trục sẽ tự hỏi lại`},
	OCSPRefused: {
		`the responder does not answer for this certificate; check that its URL is right for this authority`,
		`máy chủ OCSP từ chối trả lời về chứng thư số này; hãy kiểm tra URL có đúng với tổ chức đã cấp không`},
	OCSPResponder: {
		`the response is signed by someone who may not answer for this authority; look for who did it`,
		`phản hồi OCSP do bên không có quyền trả lời thay tổ chức chứng thực ký; hãy tìm nguyên nhân`},
	OCSPUnchecked: {
		`the responder's own certificate was revoked, or nothing tells that it was not; tell the authority`,
		`chứng thư số của máy chủ OCSP đã bị thu hồi hoặc không thể kiểm tra; hãy báo cho tổ chức chứng thực`},
	OCSPAlgorithm: {
		`the response is signed with an algorithm or key that is not accepted, such as SHA-1; ask the authority for SHA-256`,
		`phản hồi OCSP được ký bằng thuật toán hoặc khóa không được chấp nhận, ví dụ SHA-1; hãy đề nghị tổ chức chứng thực dùng SHA-256`},
	OCSPSignature: {
		`the response's signature is wrong; it was changed on its way or forged, look for who did it`,
		`chữ ký trên phản hồi OCSP không đúng; phản hồi đã bị sửa hoặc giả mạo, hãy tìm nguyên nhân`},
	OCSPOther: {
		`the response is about another certificate; check the responder's URL`,
		`phản hồi OCSP nói về chứng thư số khác; hãy kiểm tra URL của máy chủ OCSP`},
	OCSPUnknown: {
		`the responder does not know the certificate; ask the authority whether it issued it`,
		`máy chủ OCSP không biết chứng thư số này; hãy hỏi tổ chức chứng thực có cấp hay không`},
	OCSPNotYet: {
		`the response is dated in the future; check this machine's clock`,
		`phản hồi OCSP ghi thời điểm trong tương lai; hãy kiểm tra đồng hồ của máy chủ trục`},
	OCSPStale: {
		`the response is out of date; the hub goes on trying, tell the authority if it lasts`,
		`phản hồi OCSP đã quá hạn; trục sẽ thử lại, hãy báo cho tổ chức chứng thực nếu kéo dài`},
	OCSPNonce: {
		`the response does not answer this very question: an old one was sent again, or the responder knows no nonces`,
		`phản hồi OCSP không ứng với câu hỏi vừa gửi: phản hồi cũ bị gửi lại, hoặc máy chủ OCSP không hỗ trợ nonce`},
}
