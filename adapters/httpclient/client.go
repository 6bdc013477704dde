package httpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where the hub is and who asks.
type Config struct {
	// URL is the hub's address, for example "https://hub.example:8443". What
	// follows the host is a prefix of all paths.
	URL string
	// ID and Secret prove who asks: a system's identifier, or "user:" and a
	// person's. Both may be empty, with a certificate or for what is public.
	ID, Secret string
	// Certificate proves which system asks, by TLS.
	Certificate *tls.Certificate
	// Roots are trusted to issue the hub's TLS certificate; nil: the machine's.
	Roots *x509.CertPool
	// UserAgent names the program that asks; empty: "tram-client".
	UserAgent string
	// Language of the hub's words, "vi" or "en"; empty: "en".
	Language string
	// Attempts are made at most for one call; 0: 5.
	Attempts int
	// Pause is before the second attempt and doubles with each further one, up
	// to a minute; 0: half a second.
	Pause time.Duration
}

// A Client speaks for one caller. It may be used by several goroutines at once.
type Client struct {
	base     *url.URL
	config   Config
	http     *http.Client
	attempts int
	pause    time.Duration
}

// New checks the configuration and names what is wrong. It opens no connection.
func New(c Config) (*Client, error) {
	base, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if (c.ID == "") != (c.Secret == "") {
		return nil, errors.New("an identifier needs its secret, and a secret its identifier")
	}
	if base.Scheme == "http" && c.Secret != "" && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("the secret would go to %s unencrypted: use https", base.Host)
	}
	if c.Certificate != nil && base.Scheme == "http" {
		return nil, fmt.Errorf("a client certificate needs https, the address is %s", base)
	}
	if c.UserAgent == "" {
		c.UserAgent = "tram-client"
	}
	if c.Language == "" {
		c.Language = "en"
	}
	return &Client{base: base, config: c, http: transport(c),
		attempts: orDefault(c.Attempts, 5), pause: orDefault(c.Pause, 500*time.Millisecond)}, nil
}

// URL is the hub's address.
func (c *Client) URL() string { return c.base.String() }

// Identified reports whether the client says who asks.
func (c *Client) Identified() bool { return c.config.ID != "" || c.config.Certificate != nil }

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func parseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("no address of the hub given")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("the hub's address: %w", err)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("the hub's address %q must be like https://hub.example:8443", s)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the hub's address must hold no user, query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// transport keeps connections to one hub. There is no time-out over a whole
// request: packages may be large. The header of an answer may take as long as
// the longest wait for the inbox and the verification of a large package.
func transport(c Config) *http.Client {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 3 * time.Minute,
		ExpectContinueTimeout: 2 * time.Second,
		IdleConnTimeout:       60 * time.Second,
		MaxIdleConnsPerHost:   64,
		ForceAttemptHTTP2:     true,
		// Content is compared byte for byte and resumed by offset.
		DisableCompression: true,
	}
	if c.Certificate != nil {
		t.TLSClientConfig.Certificates = []tls.Certificate{*c.Certificate}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}
