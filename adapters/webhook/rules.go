package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"

	"tram/exchange"
)

// Why an announcement was not taken. The words are for the sender of the
// package, the operators and the recipient.
var (
	noWebhook = exchange.Rule{Name: "webhook-missing", Code: exchange.Unreachable,
		En: "agency %q is to be told of deliveries but has no webhook; register its URL, or let it pull",
		Vi: "cơ quan %q đăng ký nhận thông báo nhưng chưa có địa chỉ webhook; hãy đăng ký địa chỉ, hoặc chuyển sang chế độ tự lấy"}
	badURL = exchange.Rule{Name: "webhook-url", Code: exchange.Unreachable,
		En: "the webhook of agency %q is not an https URL without credentials; correct it in the directory",
		Vi: "địa chỉ webhook của cơ quan %q phải là URL https và không kèm mật khẩu; hãy sửa lại trong danh bạ"}
	badAddress = exchange.Rule{Name: "webhook-address", Code: exchange.Unreachable,
		En: "the webhook of agency %q leads to an address that this hub may not call; correct the URL, or allow the network in the hub's configuration",
		Vi: "địa chỉ webhook của cơ quan %q trỏ tới địa chỉ mạng mà trục không được phép gọi; hãy sửa URL, hoặc cho phép mạng đó trong cấu hình trục"}
	unreachable = exchange.Rule{Name: "webhook-unreachable", Code: exchange.Unreachable,
		En: "the webhook of agency %q could not be reached; the hub will try again, the agency may look into its inbox meanwhile",
		Vi: "không kết nối được tới webhook của cơ quan %q; trục sẽ thử lại, trong lúc đó cơ quan có thể tự xem hộp thư đến"}
	tooSlow = exchange.Rule{Name: "webhook-timeout", Code: exchange.Unreachable,
		En: "the webhook of agency %q did not answer in time; answer first and process later",
		Vi: "webhook của cơ quan %q không trả lời kịp thời hạn; hãy trả lời trước rồi xử lý sau"}
	badTLS = exchange.Rule{Name: "webhook-tls", Code: exchange.Unreachable,
		En: "the webhook of agency %q does not prove with its certificate that it is the right one; renew the server's certificate, or have its issuer trusted by the hub",
		Vi: "chứng thư số của máy chủ webhook của cơ quan %q không hợp lệ; hãy thay chứng thư số, hoặc đề nghị đơn vị vận hành trục liên thông tin cậy tổ chức đã cấp"}
	redirected = exchange.Rule{Name: "webhook-redirect", Code: exchange.Unreachable,
		En: "the webhook of agency %q answered with a redirect (status %d), which is not followed; register the final URL",
		Vi: "webhook của cơ quan %q trả về chuyển hướng (mã %d), trục không đi theo; hãy đăng ký URL cuối cùng"}
	notTaken = exchange.Rule{Name: "webhook-status", Code: exchange.Unreachable,
		En: "the webhook of agency %q answered with status %d instead of 2xx; the hub will try again",
		Vi: "webhook của cơ quan %q trả về mã %d thay vì 2xx; trục sẽ thử lại"}
	notNowUntil = exchange.Rule{Name: "webhook-later", Code: exchange.Unreachable,
		En: "the webhook of agency %q answered with status %d and asks for %d seconds; the hub will try again by its own schedule",
		Vi: "webhook của cơ quan %q trả về mã %d và xin lùi %d giây; trục sẽ thử lại theo lịch của mình"}
)

// failed tells why a request brought no answer.
func failed(to exchange.Agency, err error) error {
	refusal := ruleOf(err).With(to.Code)
	refusal.Err = err
	return refusal
}

func ruleOf(err error) exchange.Rule {
	if _, ok := errors.AsType[*addressError](err); ok {
		return badAddress
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	if untrusted || unknown || plain {
		return badTLS
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return tooSlow
	}
	return unreachable
}
