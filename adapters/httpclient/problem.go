package httpclient

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

// Problem is a refusal of the hub (RFC 9457). Code is stable, Detail is for
// people and says the next step.
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail,omitempty"`
	Code   exchange.Code `json:"code,omitempty"`
	Rule   string        `json:"rule,omitempty"`
	// Path and Line say where in the submitted document.
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"`
	// Receipt is the SubmissionRejection that attests to the refusal, if any.
	Receipt exchange.ReceiptID `json:"receipt,omitempty"`
	// Instance identifies the request for whoever operates the hub.
	Instance string `json:"instance,omitempty"`
	// RetryAfter is how long the hub asks to wait; 0 if it does not say.
	RetryAfter time.Duration `json:"-"`
}

// Error is the refusal on one line.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.kind())
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	if p.Path != "" {
		fmt.Fprintf(&b, " [%s, line %d]", p.Path, p.Line)
	}
	if p.Instance != "" {
		b.WriteString(" (request " + p.Instance + ")")
	}
	return b.String()
}

func (p *Problem) kind() string {
	if p.Code == "" {
		return fmt.Sprintf("HTTP status %d, %s", p.Status, p.Title)
	}
	if p.Rule == "" || p.Rule == string(p.Code) {
		return string(p.Code)
	}
	return fmt.Sprintf("%s (%s)", p.Code, p.Rule)
}

// Is makes errors.Is compare codes: errors.Is(err, &Problem{Code: exchange.NotFound}).
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Code != "" && t.Code == p.Code
}

// readProblem makes a Problem of any answer that is not a success. What stands
// between the hub and us answers in its own way.
func readProblem(resp *http.Response) *Problem {
	p := &Problem{}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // an odd type is not a problem document
	if media == "application/problem+json" {
		_ = json.NewDecoder(io.LimitReader(resp.Body, problemLimit)).Decode(p) // what is missing is filled below
	}
	p.Status = resp.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	if p.Instance == "" {
		p.Instance = resp.Header.Get("X-Request-Id")
	}
	if where := resp.Header.Get("Location"); p.Detail == "" && where != "" {
		p.Detail = fmt.Sprintf("it points to %s; give that address if it is the hub's", where)
	}
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	return p
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return max(time.Until(at), 0)
}
