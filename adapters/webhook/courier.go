// Package webhook announces deliveries to agencies that asked for it, by a
// signed HTTP request.
//
// The request carries identifiers, a digest and what a register needs to show
// the document; the package itself is fetched from the hub. It is signed as
// Standard Webhooks describes (scheme v1a, Ed25519), so an agency needs the
// hub's public key only and keeps no secret. The webhook-id names the delivery
// and is the same in every attempt: a receiver that saw it need not act again.
//
// Send returns nil when the agency's system answered with a status 2xx in time.
// Anything else is an error of code unreachable, whose words name neither
// addresses nor what the other side answered: the sender of the package sees
// them. The cause, for the hub's own log, is wrapped inside.
//
// The hub sits in a network that agencies cannot reach into and must not lend
// them its place: every address is checked after it was resolved, redirects are
// not followed and no proxy is asked.
package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"tram/exchange"
)

// mostAnswer is how much of an answer is read, so that its connection can be
// used again; the rest is cut off.
const mostAnswer = 4 << 10

// Config is what a Courier needs.
type Config struct {
	// Hub is the hub's code; announcements carry it.
	Hub string
	// Key signs the announcements. Its public half is published by the hub.
	Key ed25519.PrivateKey
	// Allow lists the networks agencies' systems may stand in. When it is
	// empty, any address will do that is not a loopback address. A loopback
	// address needs a listed network inside 127.0.0.0/8 or ::1/128. Link-local
	// addresses, multicast and the cloud providers' metadata services are
	// never called.
	Allow []netip.Prefix
	// Roots are trusted beside the machine's own certification authorities.
	Roots []*x509.Certificate
	// Plain allows http URLs. Announcements are signed but then not secret.
	Plain bool
	// Timeout is for one whole request: 15 seconds when zero.
	Timeout time.Duration
	// Now is time.Now when nil.
	Now func() time.Time
}

// Courier is an exchange.Courier.
type Courier struct {
	c      Config
	client *http.Client
}

var _ exchange.Courier = (*Courier)(nil)

// New checks the configuration and names what is missing.
func New(c Config) (*Courier, error) {
	if c.Hub == "" {
		return nil, errors.New("webhook: Hub, the hub's code, is missing")
	}
	if len(c.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("webhook: Key, an Ed25519 private key, is missing")
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	roots, err := pool(c.Roots)
	if err != nil {
		return nil, err
	}
	return &Courier{c: c, client: client(c, roots)}, nil
}

func client(c Config, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: c.Timeout, Control: guard{c.Allow}.control}
	return &http.Client{
		Timeout: c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would resolve and connect in our stead, past the guard
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		},
	}
}

// pool is the machine's pool with roots added; nil, the machine's, without any.
func pool(roots []*x509.Certificate) (*x509.CertPool, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	p, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("webhook: reading the machine's certification authorities: %w", err)
	}
	for _, root := range roots {
		p.AddCert(root)
	}
	return p, nil
}

// PublicKey is the key that announcements are verified with, in the form of
// Standard Webhooks.
func (c *Courier) PublicKey() string {
	public := c.c.Key.Public().(ed25519.PublicKey)
	return publicPrefix + base64.StdEncoding.EncodeToString(public)
}

// Close lets go of idle connections.
func (c *Courier) Close() { c.client.CloseIdleConnections() }

// Send announces a delivery to the agency's webhook.
func (c *Courier) Send(ctx context.Context, to exchange.Agency, d exchange.Delivery, p exchange.Package) error {
	target, err := c.target(to)
	if err != nil {
		return err
	}
	request, err := c.request(ctx, target, d, p)
	if err != nil {
		return err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return failed(to, err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, answer.Body, mostAnswer) // for the connection's next use only
		_ = answer.Body.Close()                              // nothing was written
	}()
	return judge(to, answer)
}

func (c *Courier) target(to exchange.Agency) (string, error) {
	if to.Webhook == "" {
		return "", noWebhook.With(to.Code)
	}
	u, err := url.Parse(to.Webhook)
	if err != nil || u.Host == "" || u.User != nil {
		return "", badURL.With(to.Code)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !c.c.Plain) {
		return "", badURL.With(to.Code)
	}
	return u.String(), nil
}

func (c *Courier) request(ctx context.Context, target string, d exchange.Delivery, p exchange.Package) (*http.Request, error) {
	body, err := json.Marshal(announce(c.c.Hub, d, p))
	if err != nil {
		return nil, fmt.Errorf("writing the announcement of delivery %s: %w", d.ID, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("announcing delivery %s: %w", d.ID, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tram-webhook/1")
	sign(request.Header, c.c.Key, identify(d.ID), c.c.Now(), body)
	return request, nil
}

// judge takes a status 2xx as notice taken. The answer's text is not kept: it is
// the other side's and would be shown to a third.
func judge(to exchange.Agency, answer *http.Response) error {
	status := answer.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	if status >= 300 && status < 400 {
		return redirected.With(to.Code, status)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		return notNowUntil.With(to.Code, status, seconds)
	}
	return notTaken.With(to.Code, status)
}
