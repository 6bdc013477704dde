package httpapi

import "tram/exchange"

// What is wrong with a request before the exchange hears of it.
var (
	noRoute = exchange.Rule{Name: "no-such-path", Code: exchange.NotFound,
		En: "there is nothing at %s; /openapi.yaml lists what there is",
		Vi: "không có gì tại %s; xem danh sách đường dẫn trong /openapi.yaml"}
	noMethod = exchange.Rule{Name: "method-not-allowed", Code: exchange.Malformed,
		En: "%s cannot be done at %s; the Allow header lists what can",
		Vi: "không dùng được phương thức %s tại %s; xem tiêu đề Allow để biết phương thức hợp lệ"}
	noCredentials = exchange.Rule{Name: "no-credentials", Code: exchange.Unauthenticated,
		En: "say who you are: a registered client certificate, or HTTP Basic with a system's identifier (or user:NAME) and its secret",
		Vi: "hãy cho biết bạn là ai: dùng chứng thư máy khách đã đăng ký, hoặc HTTP Basic với định danh hệ thống (hay user:TÊN) và mật khẩu"}
	clientCertificate = exchange.Rule{Name: "client-certificate-expired", Code: exchange.Unauthenticated,
		En: "the client certificate is valid from %s to %s only; renew it and have the new one registered",
		Vi: "chứng thư máy khách chỉ có hiệu lực từ %s đến %s; hãy gia hạn và đăng ký chứng thư mới"}
	crossOrigin = exchange.Rule{Name: "cross-origin", Code: exchange.NotPermitted,
		En: "the request came from another site's page in a browser and was not carried out; send it from a program",
		Vi: "yêu cầu đến từ trang web khác trong trình duyệt nên không được thực hiện; hãy gửi từ phần mềm"}
	tooOften = exchange.Rule{Name: "rate-limited", Code: exchange.Busy,
		En: "%s asks more often than this hub allows; try again in %d seconds",
		Vi: "%s gửi yêu cầu quá nhanh so với giới hạn của trục; hãy thử lại sau %d giây"}
	tooManyFailures = exchange.Rule{Name: "too-many-failures", Code: exchange.Busy,
		En: "too many attempts to log in failed from %s; check identifier and secret, and try again in %d seconds",
		Vi: "quá nhiều lần đăng nhập sai từ %s; hãy kiểm tra định danh và mật khẩu rồi thử lại sau %d giây"}
	tooManyBodies = exchange.Rule{Name: "too-many-bodies", Code: exchange.Busy,
		En: "the hub is taking in as much as it can at once; try again in %d seconds",
		Vi: "trục đang tiếp nhận tối đa số yêu cầu cùng lúc; hãy thử lại sau %d giây"}
	mediaType = exchange.Rule{Name: "unsupported-media-type", Code: exchange.Malformed,
		En: "the Content-Type is %q; send %s",
		Vi: "Content-Type là %q; hãy gửi %s"}
	multipartBody = exchange.Rule{Name: "multipart-body", Code: exchange.Malformed,
		En: "the body is a form (%s); send the document itself as the body, with curl --data-binary @FILE instead of -F",
		Vi: "nội dung là biểu mẫu (%s); hãy gửi trực tiếp tài liệu làm nội dung, ví dụ curl --data-binary @TỆP thay vì -F"}
	contentEncoding = exchange.Rule{Name: "content-encoding", Code: exchange.Malformed,
		En: "the body is encoded (%s); send it as it is, without Content-Encoding",
		Vi: "nội dung bị nén hoặc mã hóa (%s); hãy gửi nguyên bản, không dùng Content-Encoding"}
	slowBody = exchange.Rule{Name: "slow-body", Code: exchange.Malformed,
		En: "the body came too slowly (less than 1 MiB in %s); send it again over a better line",
		Vi: "nội dung gửi lên quá chậm (chưa đủ 1 MiB trong %s); hãy gửi lại qua đường truyền tốt hơn"}
	badJSON = exchange.Rule{Name: "invalid-json", Code: exchange.Malformed,
		En: "the body is not JSON (%s); correct it at this line",
		Vi: "nội dung không phải JSON hợp lệ (%s); hãy sửa tại dòng này"}
	shortJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "the body's JSON ends too early; send it whole",
		Vi: "JSON bị thiếu phần cuối; hãy gửi đầy đủ"}
	longJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "something follows the JSON value; send one value only",
		Vi: "còn dữ liệu thừa sau giá trị JSON; chỉ gửi một giá trị"}
	typeJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "a JSON %s stands where another type belongs; compare with /openapi.yaml",
		Vi: "giá trị JSON kiểu %s sai kiểu so với yêu cầu; hãy đối chiếu với /openapi.yaml"}
	unknownMember = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "the JSON has a member that is not known here (%s); compare its spelling with /openapi.yaml",
		Vi: "JSON có trường không được dùng ở đây (%s); hãy đối chiếu cách viết với /openapi.yaml"}
	valueJSON = exchange.Rule{Name: badJSON.Name, Code: badJSON.Code,
		En: "a value of the JSON cannot be read (%s); compare with /openapi.yaml",
		Vi: "có giá trị trong JSON không đọc được (%s); hãy đối chiếu với /openapi.yaml"}
	badQuery = exchange.Rule{Name: "invalid-parameter", Code: exchange.Malformed,
		En: "the query %q is not percent-encoded; encode it",
		Vi: "chuỗi truy vấn %q chưa được mã hóa phần trăm đúng cách; hãy mã hóa lại"}
	repeated = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "the query parameter %s is given more than once; give it once",
		Vi: "tham số %s bị lặp lại; chỉ gửi một lần"}
	badLimit = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "limit is %q; give a whole number from 1",
		Vi: "limit có giá trị %q; hãy dùng số nguyên từ 1 trở lên"}
	badWait = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "wait is %q; give a time such as 30s",
		Vi: "wait có giá trị %q; hãy dùng thời lượng, ví dụ 30s"}
	badState = exchange.Rule{Name: badQuery.Name, Code: badQuery.Code,
		En: "state is %q; give one of: %s",
		Vi: "state có giá trị %q; hãy dùng một trong: %s"}
	otherName = exchange.Rule{Name: "invalid-entry", Code: exchange.Malformed,
		En: "the entry's %s is %q, the path's is %q; make them the same, or leave it out of the entry",
		Vi: "%s của bản ghi là %q nhưng đường dẫn là %q; hãy sửa cho khớp hoặc bỏ trường này"}
	noPEM = exchange.Rule{Name: otherName.Name, Code: otherName.Code,
		En: `this is not a certificate in PEM; it begins with "-----BEGIN CERTIFICATE-----"`,
		Vi: `đây không phải chứng thư dạng PEM; chứng thư bắt đầu bằng "-----BEGIN CERTIFICATE-----"`}
	manyPEM = exchange.Rule{Name: otherName.Name, Code: otherName.Code,
		En: "one text holds several certificates; give each its own",
		Vi: "một chuỗi chứa nhiều chứng thư; hãy tách mỗi chứng thư thành một chuỗi"}
	unknownParameter = exchange.Rule{Name: "unknown-parameter", Code: exchange.Malformed,
		En: "there is no query parameter %q here; take it out, or one of: %s",
		Vi: "không có tham số %q ở đây; hãy bỏ đi, hoặc dùng: %s"}
	internal = exchange.Rule{Name: "internal", Code: exchange.Internal,
		En: "something went wrong inside the hub and is on record under this request's identifier; try again, and tell the operators if it stays",
		Vi: "trục gặp lỗi bên trong, đã ghi lại theo mã yêu cầu này; hãy thử lại, nếu vẫn lỗi xin báo bên vận hành"}
)

// otherCaller is the refusal of who may not come as far as a route. Its words
// take the caller.
func otherCaller(who permission) exchange.Rule {
	words := permissions[who]
	return exchange.Rule{Name: "other-caller", Code: exchange.NotPermitted,
		En: "%s may not use this; it is for " + words.en,
		Vi: "%s không được dùng chức năng này; chỉ dành cho " + words.vi}
}
