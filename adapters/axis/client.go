package axis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tram/exchange"
)

// mostAnswer is the longest answer, in bytes, of a call that gives no package.
const mostAnswer = 64 << 20

// Config is what a Client needs.
type Config struct {
	// Name is how people call the axis; errors carry it.
	Name string
	// URL is where the calls are: https://axis.example/ and the call's name.
	URL string
	// System and Secret are what the axis issued. The secret is used as it is
	// written, though it looks like base64.
	System, Secret string
	// Roots are trusted in place of the machine's own, if there are any.
	Roots *x509.CertPool
	// Plain allows an http URL. The secret is not sent, yet packages can be read.
	Plain bool
	// Patience is how long the axis may be silent after a request was sent, and
	// between two pieces of an answer: a minute when zero.
	Patience time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
}

// Client calls one axis. Its methods may be called at the same time.
type Client struct {
	c    Config
	base string
	http *http.Client
}

// New checks the configuration and names what is wrong with it.
func New(c Config) (*Client, error) {
	if c.Name == "" || c.System == "" || c.Secret == "" {
		return nil, errors.New("axis: Name, System and Secret are all needed")
	}
	if !printable(c.System) {
		return nil, errors.New("axis: System has characters that no header can carry")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("axis: %q is no address of an axis; write https://HOST/", c.URL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !c.Plain) {
		return nil, fmt.Errorf("axis: %q must begin with https://", c.URL)
	}
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{c: c, base: strings.TrimRight(u.String(), "/"), http: &http.Client{
		// A redirect of a POST may come back as a GET without the package.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: c.Patience}).DialContext,
			TLSHandshakeTimeout:   c.Patience,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			ResponseHeaderTimeout: c.Patience,
			IdleConnTimeout:       30 * time.Second,
			MaxIdleConnsPerHost:   2,
			DisableCompression:    true,
		},
	}}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// content is a request's body. Its type is empty for application/json.
type content struct {
	kind string
	body io.Reader
	size int64
}

func nothing() content { return content{body: http.NoBody} }
func braces() content  { return content{body: strings.NewReader("{}"), size: 2} }

// ask sends a call, and returns its answer, whose body is to be closed. The HTTP
// status tells nothing in this protocol as long as there is a body to read.
func (c *Client) ask(ctx context.Context, call string, params parameters, b content) (*http.Response, error) {
	if b.kind == "" {
		b.kind = "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+call, b.body)
	if err != nil {
		return nil, fmt.Errorf("asking axis %s for %s: %w", c.c.Name, call, err)
	}
	request.ContentLength = b.size
	if err := params.sign(request.Header, c.c.Secret, b.kind); err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(call, err)
	}
	answer.Body = &patient{ReadCloser: answer.Body, patience: c.c.Patience}
	return answer, nil
}

// patient closes a body that gives nothing for too long, which ends its Read.
type patient struct {
	io.ReadCloser
	patience time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	stop := time.AfterFunc(p.patience, func() { _ = p.Close() }) // the Read tells
	defer stop.Stop()
	return p.ReadCloser.Read(b)
}

// verdict is what every answer has.
type verdict struct {
	Status string `json:"status"`
	Code   text   `json:"ErrorCode"`
	Text   text   `json:"ErrorDesc"`
}

// get makes a call whose answer is small, and reads it into out, which has a
// verdict of its own.
func (c *Client) get(ctx context.Context, call string, params parameters, b content, out any, v *verdict) error {
	answer, err := c.ask(ctx, call, params, b)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	if err != nil {
		return c.unreachable(call, err)
	}
	if len(body) > mostAnswer {
		return c.strange(call, answer.StatusCode, errors.New("it is too long"))
	}
	if err := json.Unmarshal(body, out); err != nil {
		return c.strange(call, answer.StatusCode, err)
	}
	return c.judge(call, answer.StatusCode, *v)
}

// judge takes "0" for success, and nothing else.
func (c *Client) judge(call string, status int, v verdict) error {
	switch v.Code {
	case "0":
		return nil
	case "":
		return c.strange(call, status, errors.New("it has no ErrorCode"))
	case "10", "18", "19", "22", "23":
		return refused.With(c.c.Name, string(v.Code), plain(string(v.Text)))
	case "15":
		return unknownSystem.With(c.c.Name)
	default:
		return notNow.With(c.c.Name, string(v.Code), plain(string(v.Text)))
	}
}

func (c *Client) unreachable(call string, cause error) error {
	e := unreachable.With(c.c.Name)
	e.Err = fmt.Errorf("%s: %w", call, cause)
	return e
}

func (c *Client) strange(call string, status int, cause error) error {
	e := strange.With(c.c.Name, call, status)
	e.Err = cause
	return e
}

var (
	refused = exchange.Rule{Name: "axis-refused", Code: exchange.Refused,
		En: "axis %s refuses the package with code %s: %s; correct the package or its recipients, and send it as a new one",
		Vi: "trục %s từ chối gói tin với mã %s: %s; hãy sửa gói tin hoặc nơi nhận rồi gửi thành gói mới"}
	notNow = exchange.Rule{Name: "axis-not-now", Code: exchange.Unreachable,
		En: "axis %s could not do it now, code %s: %s; the hub tries again",
		Vi: "trục %s hiện chưa xử lý được, mã %s: %s; hệ thống sẽ thử lại"}
	unknownSystem = exchange.Rule{Name: "axis-unknown-system", Code: exchange.Unauthenticated,
		En: "axis %s does not accept this hub's system identifier and secret; the operator compares them with what the axis issued",
		Vi: "trục %s không chấp nhận mã hệ thống và khóa bí mật của hệ thống này; quản trị viên hãy đối chiếu với thông tin trục đã cấp"}
	unreachable = exchange.Rule{Name: "axis-unreachable", Code: exchange.Unreachable,
		En: "axis %s cannot be reached; the hub tries again",
		Vi: "không kết nối được tới trục %s; hệ thống sẽ thử lại"}
	strange = exchange.Rule{Name: "axis-answer", Code: exchange.Unreachable,
		En: "what axis %s answers to %s is not of its protocol (HTTP status %d); the hub tries again",
		Vi: "trục %s trả lời lệnh %s không đúng giao thức (mã HTTP %d); hệ thống sẽ thử lại"}
	unfit = exchange.Rule{Name: "axis-header", Code: exchange.Refused,
		En: "%s %q cannot travel in the axis's headers; use ASCII letters, digits and marks only",
		Vi: "%s %q không thể truyền trong tiêu đề của trục; chỉ dùng chữ, số và dấu ASCII"}
)
