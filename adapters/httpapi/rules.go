package httpapi

import "tram/exchange"

// What is wrong with a request before the exchange hears of it.
var (
	noRoute = exchange.Rule{Name: "no-such-path", Code: exchange.NotFound,
		En: "there is nothing at %s; /openapi.yaml lists what there is",
		Vi: "không có gì tại %s; hãy xem danh sách đường dẫn trong /openapi.yaml"}
	noMethod = exchange.Rule{Name: "method-not-allowed", Code: exchange.Malformed,
		En: "%s cannot be done at %s; the Allow header lists what can",
		Vi: "không dùng được phương thức %s tại %s; hãy xem tiêu đề Allow để biết các phương thức dùng được"}
	noCredentials = exchange.Rule{Name: "no-credentials", Code: exchange.Unauthenticated,
		En: "the request does not say who you are; use a registered client certificate, or HTTP Basic with a system's identifier (or user:NAME) and its secret",
		Vi: "yêu cầu chưa cho biết bên gửi là ai; hãy dùng chứng thư số máy khách đã đăng ký, hoặc HTTP Basic với định danh hệ thống (hay user:TÊN) và mật khẩu"}
	clientCertificate = exchange.Rule{Name: "client-certificate-expired", Code: exchange.Unauthenticated,
		En: "the client certificate is valid from %s to %s only; renew it and have the new one registered",
		Vi: "chứng thư số máy khách chỉ có hiệu lực từ %s đến %s; hãy gia hạn và đăng ký chứng thư số mới"}
	crossOrigin = exchange.Rule{Name: "cross-origin", Code: exchange.NotPermitted,
		En: "the request came from another site's page in a browser and was not carried out; send it from a program",
		Vi: "yêu cầu xuất phát từ một trang web khác mở trong trình duyệt nên không được thực hiện; hãy gửi từ phần mềm kết nối"}
	tooOften = exchange.Rule{Name: "rate-limited", Code: exchange.Busy,
		En: "%s sends more requests than this hub allows; try again in %d seconds",
		Vi: "%s gửi yêu cầu nhiều hơn mức trục liên thông cho phép; hãy thử lại sau %d giây"}
	tooManyFailures = exchange.Rule{Name: "too-many-failures", Code: exchange.Busy,
		En: "too many attempts to log in from %s failed; check identifier and secret, and try again in %d seconds",
		Vi: "có quá nhiều lần đăng nhập sai từ địa chỉ %s; hãy kiểm tra định danh và mật khẩu rồi thử lại sau %d giây"}
	tooManyBodies = exchange.Rule{Name: "too-many-bodies", Code: exchange.Busy,
		En: "the hub is taking in as much as it can at once; try again in %d seconds",
		Vi: "trục liên thông đang tiếp nhận số yêu cầu tối đa cùng lúc; hãy thử lại sau %d giây"}
	tooManyWaits = exchange.Rule{Name: "too-many-waits", Code: exchange.Busy,
		En: "too many requests wait for an inbox to fill; ask without wait, or again in %d seconds",
		Vi: "đang có quá nhiều yêu cầu chờ hộp thư đến; hãy hỏi không kèm tham số wait, hoặc thử lại sau %d giây"}
	mediaType = exchange.Rule{Name: "unsupported-media-type", Code: exchange.Malformed,
		En: "the Content-Type is %q, which is not taken here; send %s",
		Vi: "Content-Type là %q, không dùng được ở đây; hãy gửi với Content-Type %s"}
	multipartBody = exchange.Rule{Name: "multipart-body", Code: exchange.Malformed,
		En: "the body is a form (%s); send the document itself as the body, with curl --data-binary @FILE instead of -F",
		Vi: "nội dung gửi lên là biểu mẫu (%s); hãy gửi thẳng tệp làm nội dung yêu cầu, ví dụ dùng curl --data-binary @TỆP thay cho -F"}
	untypedBody = exchange.Rule{Name: multipartBody.Name, Code: multipartBody.Code,
		En: "the Content-Type is application/x-www-form-urlencoded, as curl says unless it is told; send it with Content-Type: %s",
		Vi: "Content-Type là application/x-www-form-urlencoded (giá trị mặc định của curl); hãy gửi với tiêu đề Content-Type: %s"}
	badForm = exchange.Rule{Name: "invalid-form", Code: exchange.Malformed,
		En: "the form cannot be read; send it as multipart/form-data with the file in the field package",
		Vi: "không đọc được biểu mẫu; hãy gửi dạng multipart/form-data với tệp trong trường package"}
	contentEncoding = exchange.Rule{Name: "content-encoding", Code: exchange.Malformed,
		En: "the body is compressed or encoded (%s); send it as it is, without Content-Encoding",
		Vi: "nội dung gửi lên đã bị nén (%s); hãy gửi nguyên tệp, không dùng Content-Encoding"}
	slowBody = exchange.Rule{Name: "slow-body", Code: exchange.Malformed,
		En: "the body came too slowly (less than 1 MiB in %s); send it again over a better line",
		Vi: "nội dung gửi lên quá chậm (chưa đủ 1 MiB trong %s); hãy gửi lại khi đường truyền tốt hơn"}
	badJSON = exchange.Rule{Name: "invalid-json", Code: exchange.Malformed,
		En: "the body is not JSON: %q does not belong there; correct the line that is given",
		Vi: "nội dung không phải JSON hợp lệ: ký tự %q không được đặt ở đó; hãy sửa tại dòng được nêu"}
	shortJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "the body's JSON ends too early; send it whole",
		Vi: "nội dung JSON bị thiếu phần cuối; hãy gửi đầy đủ"}
	longJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "something follows the JSON value; send one value only",
		Vi: "có dữ liệu thừa sau giá trị JSON; hãy chỉ gửi một giá trị"}
	typeJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "a JSON %s stands where another type belongs; compare with /openapi.yaml",
		Vi: "có giá trị JSON kiểu %s ở chỗ phải là kiểu khác; hãy đối chiếu với /openapi.yaml"}
	unknownMember = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "the JSON has the member %s, which is not known here; compare its spelling with /openapi.yaml",
		Vi: "JSON có trường %s không dùng ở đây; hãy đối chiếu cách viết với /openapi.yaml"}
	valueJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "a value of the JSON cannot be read; write times as 2026-11-23T08:00:00Z, digests as 64 hexadecimal digits, other bytes in base64",
		Vi: "có giá trị trong JSON không đọc được; hãy ghi thời gian dạng 2026-11-23T08:00:00Z, mã băm gồm 64 chữ số thập lục phân, dữ liệu nhị phân khác bằng base64"}
	badQuery = exchange.Rule{Name: "invalid-parameter", Code: exchange.Malformed,
		En: "the query %q is not percent-encoded; encode it",
		Vi: "chuỗi truy vấn %q chưa được mã hóa phần trăm (percent-encoding) đúng cách; hãy mã hóa lại"}
	repeated = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "the query parameter %s is given more than once; give it once",
		Vi: "tham số %s bị lặp lại; hãy chỉ gửi một lần"}
	badLimit = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "limit is %q; give a whole number from 1",
		Vi: "limit là %q; hãy dùng số nguyên từ 1 trở lên"}
	badDays = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "days is %q; give a whole number from 0 to 100000",
		Vi: "days là %q; hãy dùng số nguyên từ 0 đến 100000"}
	badOpen = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "open is %q; give true or false",
		Vi: "open là %q; hãy dùng true hoặc false"}
	badWait = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "wait is %q; give a time such as 30s",
		Vi: "wait là %q; hãy ghi khoảng thời gian, ví dụ 30s"}
	badState = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "state is %q; give one of: %s",
		Vi: "state là %q; hãy dùng một trong: %s"}
	otherName = exchange.Rule{Name: "invalid-entry", Code: exchange.Malformed,
		En: "the entry's %s is %q, the path's is %q; make them the same, or leave it out of the entry",
		Vi: "trường %s trong nội dung là %q nhưng trong đường dẫn là %q; hãy sửa cho khớp, hoặc bỏ trường này khỏi nội dung"}
	noPEM = exchange.Rule{Name: otherName.Name, Code: otherName.Code,
		En: `this is not a certificate in PEM; give the text that begins with "-----BEGIN CERTIFICATE-----"`,
		Vi: `đây không phải chứng thư số dạng PEM; hãy gửi đoạn bắt đầu bằng "-----BEGIN CERTIFICATE-----"`}
	manyPEM = exchange.Rule{Name: otherName.Name, Code: otherName.Code,
		En: "one text holds several certificates; give each its own",
		Vi: "một chuỗi chứa nhiều chứng thư số; hãy tách mỗi chứng thư số thành một chuỗi"}
	unknownParameter = exchange.Rule{Name: "unknown-parameter", Code: exchange.Malformed,
		En: "there is no query parameter %q here; leave it out, or use one of: %s",
		Vi: "không có tham số %q ở đây; hãy bỏ đi, hoặc dùng một trong: %s"}
	internal = exchange.Rule{Name: "internal", Code: exchange.Internal,
		En: "something went wrong inside the hub and is on record under this request's identifier; try again, and give that identifier to the operators if it happens again",
		Vi: "trục liên thông gặp lỗi nội bộ, đã ghi lại theo mã yêu cầu này; hãy thử lại, nếu vẫn lỗi thì báo mã yêu cầu cho đơn vị vận hành"}
)

// otherCaller is the refusal of who may not come as far as a route. Its words
// take the caller.
func otherCaller(who permission) exchange.Rule {
	words := permissions[who]
	return exchange.Rule{Name: "other-caller", Code: exchange.NotPermitted,
		En: "%s may not use this, which is for " + words.en + " only; use other credentials",
		Vi: "%s không được dùng chức năng này, vốn chỉ dành cho " + words.vi + "; hãy dùng tài khoản phù hợp"}
}
