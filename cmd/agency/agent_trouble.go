package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

// trouble is why something is not done, for people, in both languages.
type trouble struct {
	Code string `json:"code"`
	Rule string `json:"rule,omitempty"`
	En   string `json:"en"`
	Vi   string `json:"vi"`
	// Path and Line are in the package, if it is about that.
	Path    string             `json:"path,omitempty"`
	Line    int                `json:"line,omitempty"`
	Receipt exchange.ReceiptID `json:"receipt,omitempty"`
	Request string             `json:"request,omitempty"`
	// RetryAfter is what the hub asks to wait.
	RetryAfter time.Duration `json:"-"`
	// lasting: it does not pass by itself.
	lasting bool
}

func (t *trouble) Error() string { return t.Code + ": " + t.En }

// lastingf is trouble that somebody must do something about.
func lastingf(code, en, vi string, args ...any) *trouble {
	return &trouble{Code: code, En: fmt.Sprintf(en, args...), Vi: fmt.Sprintf(vi, args...), lasting: true}
}

// troubleOf finds words and code of an error, and whether it may pass.
func troubleOf(err error) *trouble {
	var own *trouble
	var problem *httpclient.Problem
	var refused *exchange.Error
	var unread *signing.Error
	var usage *usageError
	var digest *httpclient.DigestError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &problem):
		return ofProblem(problem)
	case errors.As(err, &refused):
		return &trouble{Code: string(refused.Code()), Rule: refused.Rule.Name, En: refused.Text("en"), Vi: refused.Text("vi"),
			Path: refused.Path, Line: refused.Line, lasting: true}
	case errors.As(err, &unread):
		return &trouble{Code: string(exchange.Malformed), Rule: string(unread.Rule), En: unread.Rule.Text("en"), Vi: unread.Rule.Text("vi"),
			Path: unread.Path, Line: unread.Line, lasting: true}
	case errors.As(err, &digest):
		return &trouble{Code: "digest-mismatch", En: digest.Error(),
			Vi: "nội dung tải về không đúng với mã băm mà trục công bố; sẽ tải lại, nếu còn lặp lại hãy báo người vận hành trục"}
	case errors.As(err, &usage):
		return lastingf("invalid-description", "%v", "bản mô tả không hợp lệ: %v; sửa rồi thả lại vào outbox", err)
	}
	var local *fs.PathError
	if errors.As(err, &local) {
		return &trouble{Code: "local-file", En: err.Error(), Vi: fmt.Sprintf("không đọc hoặc ghi được tệp trên máy này (%v); kiểm tra dung lượng đĩa và quyền truy cập, tác tử sẽ tự thử lại", err)}
	}
	var network net.Error
	if !errors.As(err, &network) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &trouble{Code: string(exchange.Internal), En: fmt.Sprintf("%v; it is tried again by itself", err),
			Vi: fmt.Sprintf("lỗi ngoài dự kiến: %v; tác tử sẽ tự thử lại, nếu kéo dài hãy báo người quản trị", err)}
	}
	return &trouble{Code: string(exchange.Unreachable), En: fmt.Sprintf("the hub cannot be reached (%v); it is tried again by itself", err),
		Vi: fmt.Sprintf("không kết nối được tới trục (%v); tác tử sẽ tự thử lại", err)}
}

// ofProblem: what the hub says about the package lasts. What it says about
// itself, about who connects, or what stands between us says, may pass.
func ofProblem(p *httpclient.Problem) *trouble {
	t := &trouble{Code: string(p.Code), Rule: p.Rule, Path: p.Path, Line: p.Line, Receipt: p.Receipt, Request: p.Instance, RetryAfter: p.RetryAfter}
	t.lasting = p.Code != "" && p.Status/100 == 4 && p.Status != http.StatusTooManyRequests && p.Code != exchange.Unauthenticated
	if t.Code == "" {
		t.Code = fmt.Sprintf("http-%d", p.Status)
	}
	said := p.Detail
	if said == "" {
		said = p.Title
	}
	if t.lasting {
		t.En = fmt.Sprintf("the hub refused it: %s. Correct this and drop the document into the outbox again", said)
		t.Vi = fmt.Sprintf("trục từ chối: %s. Hãy sửa rồi thả lại văn bản vào outbox", said)
		return t
	}
	t.En = fmt.Sprintf("the hub does not take it now: %s. It is tried again by itself", said)
	t.Vi = fmt.Sprintf("trục tạm thời chưa nhận: %s. Tác tử sẽ tự thử lại", said)
	return t
}

// text is the file that people find beside what failed.
func (t *trouble) text(name string) []byte {
	var b strings.Builder
	place := ""
	if t.Path != "" {
		place = fmt.Sprintf("%s, %d", t.Path, t.Line)
	}
	for _, l := range []struct{ title, words, code, where string }{
		{"KHÔNG GỬI HOẶC NHẬN ĐƯỢC", t.Vi, "Mã", "Vị trí"}, {"NOT SENT OR RECEIVED", t.En, "Code", "Place"},
	} {
		fmt.Fprintf(&b, "%s: %s\n\n%s\n\n%s: %s\n", l.title, oneLine(name), printable(l.words), l.code, t.Code)
		if t.Rule != "" {
			fmt.Fprintf(&b, "(%s)\n", t.Rule)
		}
		if place != "" {
			fmt.Fprintf(&b, "%s: %s\n", l.where, printable(place))
		}
		b.WriteString("\n")
	}
	if t.Request != "" {
		fmt.Fprintf(&b, "Request: %s\n", t.Request)
	}
	return []byte(b.String())
}

// unreachable reports whether nothing else will get through either.
func unreachable(err error) bool {
	var p *httpclient.Problem
	return err != nil && !errors.As(err, &p) && troubleOf(err).Code == string(exchange.Unreachable)
}

// pauseAfter is how long something waits that was tried n times.
func pauseAfter(n int, t *trouble) time.Duration {
	pause := firstPause
	for range min(n-1, 20) {
		pause = min(2*pause, mostPause)
	}
	return max(pause, t.RetryAfter)
}
