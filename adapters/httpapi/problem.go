package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"tram/exchange"
)

// statusGone is logged for callers that left before their answer (nginx's 499).
const statusGone = 499

// answers says how each code is answered. Codes of deliveries (unreachable to
// withdrawn) are reasons in receipts; no request ends in one today.
var answers = map[exchange.Code]struct {
	status int
	en, vi string
}{
	exchange.Malformed:              {http.StatusBadRequest, "Malformed", "Sai định dạng"},
	exchange.Unauthenticated:        {http.StatusUnauthorized, "Not authenticated", "Chưa xác thực"},
	exchange.Untrusted:              {http.StatusForbidden, "Certificate not trusted", "Chứng thư số không được tin cậy"},
	exchange.Revoked:                {http.StatusForbidden, "Certificate revoked", "Chứng thư số đã bị thu hồi"},
	exchange.NotPermitted:           {http.StatusForbidden, "Not permitted", "Không có quyền"},
	exchange.UnknownAgency:          {http.StatusNotFound, "Unknown agency", "Không có cơ quan này"},
	exchange.NotFound:               {http.StatusNotFound, "Not found", "Không tìm thấy"},
	exchange.Duplicate:              {http.StatusConflict, "Duplicate", "Trùng mã định danh văn bản"},
	exchange.Conflict:               {http.StatusConflict, "Conflict", "Xung đột trạng thái"},
	exchange.Refused:                {http.StatusConflict, "Refused by the recipient", "Cơ quan nhận từ chối"},
	exchange.Expired:                {http.StatusConflict, "Deadline passed", "Đã quá hạn"},
	exchange.Cancelled:              {http.StatusConflict, "Cancelled", "Đã hủy"},
	exchange.WithdrawnBySender:      {http.StatusConflict, "Withdrawn by the sender", "Cơ quan gửi đã rút lại"},
	exchange.TooLarge:               {http.StatusRequestEntityTooLarge, "Too large", "Quá lớn"},
	exchange.InvalidSignature:       {http.StatusUnprocessableEntity, "Invalid signature", "Chữ ký số không hợp lệ"},
	exchange.InvalidAcknowledgement: {http.StatusUnprocessableEntity, "Invalid acknowledgement", "Xác nhận không hợp lệ"},
	exchange.Harmful:                {http.StatusUnprocessableEntity, "Harmful", "Nội dung có thể gây hại"},
	exchange.Internal:               {http.StatusInternalServerError, "Internal error", "Lỗi nội bộ"},
	exchange.Unreachable:            {http.StatusBadGateway, "Unreachable", "Không liên lạc được"},
	exchange.Busy:                   {http.StatusServiceUnavailable, "Busy", "Đang quá tải"},
}

// statuses are of the rules that HTTP has a status of its own for.
var statuses = map[string]int{
	noMethod.Name:        http.StatusMethodNotAllowed,
	slowBody.Name:        http.StatusRequestTimeout,
	mediaType.Name:       http.StatusUnsupportedMediaType,
	multipartBody.Name:   http.StatusUnsupportedMediaType,
	contentEncoding.Name: http.StatusUnsupportedMediaType,
	tooOften.Name:        http.StatusTooManyRequests,
	tooManyFailures.Name: http.StatusTooManyRequests,
}

// problem is a problem document (RFC 9457, 3.1), with the hub's own members.
type problem struct {
	Type     string             `json:"type"`
	Title    string             `json:"title"`
	Status   int                `json:"status"`
	Detail   string             `json:"detail"`
	Instance string             `json:"instance"` // the request's identifier
	Code     exchange.Code      `json:"code"`
	Rule     string             `json:"rule"`
	Path     string             `json:"path,omitempty"` // of the element in the document
	Line     int                `json:"line,omitempty"`
	Receipt  exchange.ReceiptID `json:"receipt,omitempty"` // the SubmissionRejection
}

// problem answers with what went wrong.
func (s *Server) problem(c *gin.Context, err error) {
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		c.Status(statusGone) // nobody reads it
		return
	}
	refusal := s.noteRefusal(c, err)
	lang := speaks(c.Request)
	p := problem{
		Type: refusal.Code().URI(), Title: titleOf(refusal.Code(), lang), Status: statusOf(refusal),
		Detail: refusal.Text(lang), Instance: recordOf(c).id, Code: refusal.Code(), Rule: refusal.Rule.Name,
		Path: refusal.Path, Line: refusal.Line, Receipt: refusal.Receipt,
	}
	s.headersOf(c, refusal, p.Status, lang)
	s.hurry(c, p.Status)
	body, err := json.Marshal(p)
	if err != nil {
		s.log.ErrorContext(c.Request.Context(), "writing a problem", "request", recordOf(c).id, "err", err)
	}
	c.Data(p.Status, "application/problem+json", body)
}

// noteRefusal is what a caller is told of an error; the log and the metrics are
// told too.
func (s *Server) noteRefusal(c *gin.Context, err error) *exchange.Error {
	r := recordOf(c)
	refusal := refusalOf(err)
	if refusal.Code() == exchange.Internal {
		s.log.ErrorContext(c.Request.Context(), "request failed", "request", r.id, "route", r.route, "err", err)
	}
	if refusal.Code() == exchange.Busy && refusal.Err != nil { // the caller is told that there is no space, people want to know where
		s.log.WarnContext(c.Request.Context(), "request turned away", "request", r.id, "route", r.route, "rule", refusal.Rule.Name, "err", refusal.Err)
	}
	r.code, r.rule = refusal.Code(), refusal.Rule.Name
	s.metrics.refusals.WithLabelValues(string(r.code)).Inc()
	return refusal
}

// headersOf sets the headers that go with a refusal.
func (s *Server) headersOf(c *gin.Context, refusal *exchange.Error, status int, lang string) {
	h := c.Writer.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Content-Disposition"} {
		h.Del(name) // they were of the answer that is not given
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Language", lang)
	h.Set("Vary", "Accept-Language")
	if refusal.Code() == exchange.Unauthenticated {
		h.Set("WWW-Authenticate", `Basic realm="`+s.realm+`", charset="UTF-8"`)
	}
	if refusal.Code() == exchange.Busy {
		h.Set("Retry-After", strconv.Itoa(refusal.RetryAfter()))
	}
	if c.Request.ProtoMajor == 1 && (status == http.StatusRequestEntityTooLarge || status == http.StatusRequestTimeout) {
		h.Set("Connection", "close") // the rest of the body is not wanted
	}
}

// linger is how long the rest of a body may take that nobody wants.
const linger = 5 * time.Second

// hurry bounds the time for what is left of a body. Before net/http answers it
// reads on for a while, so that the connection can be used again; without a
// deadline a caller who sends nothing more would hold it there, and would need
// no credentials for that.
func (s *Server) hurry(c *gin.Context, status int) {
	if c.Request.ContentLength == 0 || status == http.StatusRequestTimeout { // whose deadline has passed already
		return
	}
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(min(linger, s.limits.MiB))) // recorders in tests have none
}

// refusalOf is the refusal in err; an error without a code is internal.
func refusalOf(err error) *exchange.Error {
	if slow, ok := errors.AsType[*slowError](err); ok {
		return slowBody.With(slow.patience)
	}
	if e, ok := errors.AsType[*exchange.Error](err); ok {
		if _, known := answers[e.Code()]; known {
			return e
		}
	}
	return internal.With()
}

func statusOf(e *exchange.Error) int {
	if status, ok := statuses[e.Rule.Name]; ok {
		return status
	}
	return answers[e.Code()].status
}

func titleOf(code exchange.Code, lang string) string {
	if lang == "vi" {
		return answers[code].vi
	}
	return answers[code].en
}

// spoken are the languages of the hub's words, the default first.
var spoken = language.NewMatcher([]language.Tag{language.English, language.Vietnamese})

// speaks is the language the caller prefers: "vi" or "en".
func speaks(r *http.Request) string {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return "en"
	}
	if _, i, _ := spoken.Match(wanted...); i == 1 {
		return "vi"
	}
	return "en"
}
