// Package tsa gets time-stamps from an RFC 3161 authority over HTTP.
//
// Stamp asks once and returns only what holds: the token answers the request
// (imprint, nonce, policy), its signature and certificate are checked against the
// authority's roots, and its time agrees with this machine's clock. A token is
// believed because of that, not because of the connection it came over, so plain
// HTTP will do, except where a password is sent.
//
// Requests and answers are bounded in size and time, redirects are not followed.
// A proxy is used if the environment names one (HTTPS_PROXY, NO_PROXY).
package tsa

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
	"tram/signing"
)

const (
	mediaQuery = "application/timestamp-query"
	mediaReply = "application/timestamp-reply"
	// mostAnswer is how much of an answer is read: a token with a few
	// certificates has some 2 to 8 kB.
	mostAnswer = 64 << 10
	// skew is how far the authority's time may be from this machine's.
	skew = 5 * time.Minute
)

// Config is what a Client needs.
type Config struct {
	// URL is the authority's, http or https.
	URL string
	// Roots are the certificates that the authority's tokens must lead to.
	Roots []*x509.Certificate
	// Policy is the object identifier of the policy to ask for, dotted; empty:
	// the authority's choice.
	Policy string
	// User and Password authenticate to the authority (HTTP Basic); empty: it
	// wants nothing. They are sent over https only.
	User, Password string
	// TLSRoots are trusted for the connection beside the machine's own.
	TLSRoots []*x509.Certificate
	// Timeout is for one whole request: 20 seconds when zero.
	Timeout time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
}

// Client is an exchange.TimeStamper.
type Client struct {
	c      Config
	policy asn1.ObjectIdentifier
	trust  *signing.Trust
	http   *http.Client
}

var _ exchange.TimeStamper = (*Client)(nil)

// New checks the configuration and names what is wrong.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("tsa: %q is not an http or https URL without credentials", c.URL)
	}
	if (c.User != "" || c.Password != "") && u.Scheme != "https" {
		return nil, errors.New("tsa: a password is sent over https only")
	}
	client := &Client{c: c}
	if client.policy, err = parsePolicy(c.Policy); err != nil {
		return nil, err
	}
	if client.trust, err = signing.NewTrust(c.Roots, nil); err != nil {
		return nil, fmt.Errorf("tsa: roots: %w", err)
	}
	if client.c.Timeout == 0 {
		client.c.Timeout = 20 * time.Second
	}
	if client.c.Now == nil {
		client.c.Now = time.Now
	}
	roots, err := pool(c.TLSRoots)
	if err != nil {
		return nil, err
	}
	client.http = &http.Client{
		Timeout:       client.c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		},
	}
	return client, nil
}

// pool is the machine's pool with roots added; nil, the machine's, without any.
func pool(roots []*x509.Certificate) (*x509.CertPool, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	p, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("tsa: reading the machine's certificates: %w", err)
	}
	for _, c := range roots {
		p.AddCert(c)
	}
	return p, nil
}

// parsePolicy reads a dotted object identifier (ITU-T X.660: the first number is
// 0, 1 or 2).
func parsePolicy(dotted string) (asn1.ObjectIdentifier, error) {
	if dotted == "" {
		return nil, nil
	}
	var id asn1.ObjectIdentifier
	for _, part := range strings.Split(dotted, ".") {
		n, err := strconv.ParseInt(part, 10, 31)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != part {
			return nil, fmt.Errorf("tsa: the policy %q is not an object identifier such as 1.3.6.1.4.1.99999.1", dotted)
		}
		id = append(id, int(n))
	}
	if _, err := asn1.Marshal(id); err != nil {
		return nil, fmt.Errorf("tsa: the policy %q is not an object identifier such as 1.3.6.1.4.1.99999.1", dotted)
	}
	return id, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Stamp implements exchange.TimeStamper.
func (c *Client) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	token, _, err := c.Ask(ctx, data)
	return token, err
}

// Ask is Stamp, and tells what the token says.
func (c *Client) Ask(ctx context.Context, data []byte) ([]byte, signing.TimeStamp, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, signing.TimeStamp{}, err
	}
	// One more, for a nonce is not zero.
	request := signing.TimeStampRequest{Digest: sha256.Sum256(data), Nonce: nonce.Add(nonce, big.NewInt(1)), Policy: c.policy}
	query, err := request.Marshal()
	if err != nil {
		return nil, signing.TimeStamp{}, err
	}
	answer, err := c.post(ctx, query)
	if err != nil {
		return nil, signing.TimeStamp{}, err
	}
	token, err := request.Token(answer)
	if err != nil {
		return nil, signing.TimeStamp{}, err
	}
	said, err := c.trust.CheckTimeStamp(token, data)
	if err != nil {
		return nil, signing.TimeStamp{}, err
	}
	if off := said.Time.Sub(c.c.Now()); off.Abs() > skew+said.Accuracy {
		return nil, signing.TimeStamp{}, otherTime.With(said.Time.Format(time.RFC3339), off.Round(time.Second).String())
	}
	return token, said, nil
}

// post sends a query and returns the answer (RFC 3161, 3.4).
func (c *Client) post(ctx context.Context, query []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.c.URL, bytes.NewReader(query))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", mediaQuery)
	req.Header.Set("Accept", mediaReply)
	if c.c.User != "" || c.c.Password != "" {
		req.SetBasicAuth(c.c.User, c.c.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	if resp.StatusCode != http.StatusOK {
		return nil, otherStatus.With(resp.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != mediaReply {
		return nil, otherMedia.With(kind)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err != nil {
		return nil, failed(err)
	}
	return answer, nil // one that is too long is refused by its reader
}

// Why an authority gave no time-stamp, beside what is wrong with its answer
// (signing). The words are for operators.
var (
	unreachable = exchange.Rule{Name: "tsa-unreachable", Code: exchange.Unreachable,
		En: "the time-stamp authority could not be reached; check its URL and the network, the hub asks again by itself",
		Vi: "không kết nối được tới tổ chức cấp dấu thời gian; hãy kiểm tra URL và mạng, trục sẽ tự hỏi lại"}
	otherStatus = exchange.Rule{Name: "tsa-status", Code: exchange.Unreachable,
		En: "the time-stamp authority answered with status %d instead of 200; check URL, user and password, the hub asks again by itself",
		Vi: "tổ chức cấp dấu thời gian trả về mã %d thay vì 200; hãy kiểm tra URL, tên và mật khẩu, trục sẽ tự hỏi lại"}
	otherMedia = exchange.Rule{Name: "tsa-media-type", Code: exchange.Unreachable,
		En: "what stands at the time-stamp authority's URL answers with %q, not application/timestamp-reply; correct the URL",
		Vi: "địa chỉ của tổ chức cấp dấu thời gian trả về kiểu %q thay vì application/timestamp-reply; hãy sửa URL"}
	otherTime = exchange.Rule{Name: "tsa-clock", Code: exchange.Unreachable,
		En: "the time-stamp authority says that it is %s, which is %s from this machine's clock; set this machine's clock, or ask the authority",
		Vi: "tổ chức cấp dấu thời gian ghi thời điểm %s, lệch %s so với đồng hồ máy này; hãy chỉnh đồng hồ máy, hoặc liên hệ tổ chức đó"}
)

func failed(err error) error {
	refusal := unreachable.With()
	refusal.Err = err
	return refusal
}
