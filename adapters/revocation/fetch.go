package revocation

import (
	"context"
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

const (
	// mostConnections is to one host at once: an authority's server is not ours
	// to overrun.
	mostConnections = 2
	mostRedirects   = 3
)

// client makes requests that end in time and go only where they may.
func client(c Config) *http.Client {
	dialer := &net.Dialer{Timeout: c.FetchTimeout, Control: guard{c.Allow}.control}
	return &http.Client{
		CheckRedirect: follow,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would resolve and connect in our stead, past the guard
			DialContext:            dialer.DialContext,
			MaxResponseHeaderBytes: 32 << 10,
			MaxConnsPerHost:        mostConnections,
			IdleConnTimeout:        30 * time.Second,
			DisableCompression:     true,
		},
	}
}

// follow lets a GET be redirected a few times, to where a URL may lead and never
// from https to http.
func follow(next *http.Request, before []*http.Request) error {
	if len(before) > mostRedirects {
		return because(exchange.RevocationRedirect, "more than %d redirects", mostRedirects)
	}
	first := before[0]
	if first.Method != http.MethodGet {
		return because(exchange.RevocationRedirect, "a question is redirected to %s", next.URL.Redacted())
	}
	if !web(next.URL.String()) || first.URL.Scheme == "https" && next.URL.Scheme != "https" {
		return because(exchange.RevocationRedirect, "redirected to %s", next.URL.Redacted())
	}
	return nil
}

// web reports whether a location is a URL that may be called.
func web(location string) bool {
	u, err := url.Parse(location)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// do makes a request and returns the body of an answer of status 200; nil if the
// status is 304.
func (s *Service) do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", "tram-revocation/1")
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, unanswered(err)
	}
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotModified {
		_ = answer.Body.Close() // nothing of it is of use
		return nil, because(exchange.RevocationHTTPStatus, "status %d", answer.StatusCode)
	}
	return answer, nil
}

// unanswered names why a request brought no answer.
func unanswered(err error) error {
	if p, ok := errors.AsType[*problem](err); ok { // of follow
		return p
	}
	if _, ok := errors.AsType[*addressError](err); ok {
		return &problem{exchange.RevocationAddress, err}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return &problem{exchange.RevocationTimeout, err}
	}
	return &problem{exchange.RevocationUnreachable, err}
}

// bounded copies a body of at most limit bytes.
func bounded(to io.Writer, body io.Reader, limit int64) error {
	n, err := io.Copy(to, io.LimitReader(body, limit+1))
	if n > limit {
		return because(exchange.RevocationTooLarge, "more than %d bytes", limit)
	}
	if _, ours := errors.AsType[*writeError](err); ours {
		return fmt.Errorf("keeping what came: %w", err)
	}
	if err != nil {
		return unanswered(err)
	}
	return nil
}

// A keeper is a writer whose errors can be told from those of the network.
type keeper struct{ io.Writer }

type writeError struct{ error }

func (k keeper) Write(p []byte) (int, error) {
	n, err := k.Writer.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

// isFile reports whether a configured location is a file's path.
func isFile(location string) bool { return !strings.Contains(location, "://") }
