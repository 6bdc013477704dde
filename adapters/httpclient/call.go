package httpclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How much of an answer is read: documents are streamed and not bound by these.
const (
	jsonLimit    = 64 << 20
	receiptLimit = 16 << 20
	problemLimit = 1 << 20
)

// longestPause is waited at most between two attempts. A hub that asks for more
// is not waited for: the caller gets its answer.
const longestPause = time.Minute

// call is one request to the API.
type call struct {
	method string
	path   []string // segments after the base
	query  url.Values
	header map[string]string
	body   *body // nil: none
	// again: asking twice does no more than asking once, so a call whose
	// answer was lost may be repeated.
	again bool
}

func (k call) String() string { return k.method + " /" + strings.Join(k.path, "/") }

// do makes the call, again where that is right, and returns an answer of 2xx or
// 304. The caller closes its body.
func (c *Client) do(ctx context.Context, k call) (*http.Response, error) {
	pause := c.pause
	for attempt := 1; ; attempt++ {
		resp, err := c.once(ctx, k)
		if err == nil {
			return resp, nil
		}
		wait, again := repeat(err, k.again, pause)
		if !again || attempt >= c.attempts || !k.body.repeatable() {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w, after %w", k, context.Cause(ctx), err)
		case <-time.After(wait):
		}
		pause = min(2*pause, longestPause)
	}
}

// once makes one attempt.
func (c *Client) once(ctx context.Context, k call) (*http.Response, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		k.body.wait(ctx)
		return nil, withoutURL(err)
	}
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusNotModified {
		return resp, nil
	}
	problem := readProblem(resp)
	_ = resp.Body.Close() // nothing more is read from it
	k.body.wait(ctx)
	return nil, problem
}

// request makes the HTTP request of a call, with who asks.
func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	path, err := escaped(k.path)
	if err != nil {
		return nil, err
	}
	target := c.base.String() + path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, nil)
	if err != nil {
		return nil, err
	}
	if k.body != nil {
		if req.Body, err = k.body.open(); err != nil {
			return nil, err
		}
		req.ContentLength = k.body.size
	}
	c.identify(req)
	for name, value := range k.header {
		req.Header.Set(name, value)
	}
	return req, nil
}

func (c *Client) identify(req *http.Request) {
	req.Header.Set("User-Agent", c.config.UserAgent)
	req.Header.Set("Accept-Language", c.config.Language)
	if c.config.ID != "" {
		req.SetBasicAuth(c.config.ID, c.config.Secret)
	}
}

// escaped joins the segments of a path. A segment that would leave its place
// names nothing the hub could have given.
func escaped(segments []string) (string, error) {
	var b strings.Builder
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", fmt.Errorf("%q is not an identifier", s)
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String(), nil
}

// repeat decides whether a failed attempt is followed by another, and when.
// What the hub was too busy for it has not begun.
func repeat(err error, again bool, pause time.Duration) (time.Duration, bool) {
	wait := pause - time.Duration(rand.Int64N(int64(pause)/2+1))
	var p *Problem
	if !errors.As(err, &p) {
		return wait, again && passing(err)
	}
	if p.RetryAfter > longestPause {
		return 0, false
	}
	wait = max(wait, p.RetryAfter)
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return wait, true
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return wait, again
	}
	return 0, false
}

// passing reports whether a network error may pass by itself. A certificate
// that is not believed, on either side, stays so.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	if errors.As(err, &untrusted) || errors.As(err, &notTLS) {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" // a TLS alert of the hub
	}
	var noHost *net.DNSError
	return !errors.As(err, &noHost) || !noHost.IsNotFound
}

// withoutURL drops the address from an error of net/http: do names the call.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// getJSON reads an answer into a new T. Asking twice for it does no harm.
func getJSON[T any](ctx context.Context, c *Client, query url.Values, path ...string) (T, error) {
	return doJSON[T](ctx, c, call{method: http.MethodGet, path: path, query: query, again: true})
}

func doJSON[T any](ctx context.Context, c *Client, k call) (T, error) {
	var v T
	resp, err := c.do(ctx, k)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, jsonLimit)).Decode(&v); err != nil {
		return v, fmt.Errorf("%s: reading the answer: %w", k, err)
	}
	return v, nil
}

// getBytes reads a small answer whole.
func (c *Client) getBytes(ctx context.Context, limit int64, path ...string) ([]byte, error) {
	k := call{method: http.MethodGet, path: path, again: true}
	resp, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	b, err := readAll(resp, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	return b, nil
}

func readAll(resp *http.Response, limit int64) ([]byte, error) {
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return b, nil
}
