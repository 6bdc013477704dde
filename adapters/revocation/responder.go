package revocation

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

const (
	// mostResponse is far above what a response with a certificate needs.
	mostResponse = 64 << 10
	// mostAnswers bounds what is remembered of one responder.
	mostAnswers = 4096
	// againAfter is when a question is asked again whose answer did not count.
	againAfter = 5 * time.Second
	// mostGet is the longest URL path of a question by GET (RFC 6960, A.1).
	mostGet = 255
	// nonceSize is the least that every responder must take (RFC 9654, 2.1).
	nonceSize = 32
)

// A responder is one OCSP responder for one issuer's certificates.
type responder struct {
	s      *Service
	url    string
	issuer *x509.Certificate

	mu      sync.Mutex
	answers map[serial]remembered
	flights map[serial]*inquiry
	last    answer // for operators

	outcome
}

// remembered is an answer, or what was wrong with it, that need not be asked for
// again until then.
type remembered struct {
	answer
	err   error
	until time.Time
}

// An inquiry is a question under way, that several may wait for.
type inquiry struct {
	*flight
	answer answer
	err    error
}

func (s *Service) newResponder(location string, issuer *x509.Certificate) *responder {
	return &responder{s: s, url: location, issuer: issuer, answers: map[serial]remembered{}, flights: map[serial]*inquiry{}}
}

// find tells what the responder says of a certificate.
func (r *responder) find(ctx context.Context, cert *x509.Certificate) (answer, error) {
	id := serialOf(cert.SerialNumber)
	now := r.s.c.Now()
	r.mu.Lock()
	if a, there := r.answers[id]; there && !now.After(a.until) && !a.thisUpdate.After(now.Add(r.s.c.Skew)) {
		r.mu.Unlock()
		return a.answer, a.err
	}
	if r.err != nil && now.Before(r.next) {
		defer r.mu.Unlock()
		return answer{}, r.err
	}
	asked, there := r.flights[id]
	if !there {
		asked = &inquiry{}
		asked.flight = r.s.fly(func(ctx context.Context) { r.inquire(ctx, cert, id, asked) })
		r.flights[id] = asked
	}
	r.mu.Unlock()
	if err := asked.wait(ctx); err != nil {
		return answer{}, err
	}
	return asked.answer, asked.err
}

// inquire asks, remembers the answer, and notes how it went.
func (r *responder) inquire(ctx context.Context, cert *x509.Certificate, id serial, asked *inquiry) {
	ctx, cancel := context.WithTimeout(ctx, r.s.c.Timeout)
	defer cancel()
	a, err := r.ask(ctx, cert)
	a.source = r.url
	now := r.s.c.Now()

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, id)
	asked.answer, asked.err = a, err
	r.remember(id, a, err, now)
	r.note(ctx, err, now)
}

// note keeps from asking for a while only if the responder itself is the
// trouble: what it says of one certificate is no reason to ask less of others.
// mu is held.
func (r *responder) note(ctx context.Context, err error, now time.Time) {
	if err == nil {
		r.succeeded(now, time.Time{})
		return
	}
	r.s.c.Log.WarnContext(ctx, "OCSP answer does not count", "source", r.url, "error", err)
	switch reasonOf(err) {
	case exchange.RevocationTimeout, exchange.RevocationUnreachable, exchange.RevocationHTTPStatus, exchange.RevocationAddress, exchange.OCSPTryLater:
		r.failed(now, err, againAfter, mostBackoff)
	default:
		r.errAt, r.err, r.failures, r.next = now, err, 0, time.Time{}
	}
}

// remember keeps an answer as long as it counts, but no longer than
// Config.ResponseAge; one that does not count, for a moment. mu is held.
func (r *responder) remember(id serial, a answer, err error, now time.Time) {
	if len(r.answers) >= mostAnswers {
		r.forget(now)
	}
	if err != nil {
		r.answers[id] = remembered{err: err, until: now.Add(againAfter)}
		return
	}
	until := a.nextUpdate
	if until.IsZero() {
		until = a.thisUpdate.Add(r.s.c.Skew)
	}
	if most := now.Add(r.s.c.ResponseAge); until.After(most) {
		until = most
	}
	r.answers[id], r.last = remembered{answer: a, until: until}, a
}

// forget makes room: old answers go, or if there are none, any. mu is held.
func (r *responder) forget(now time.Time) {
	for id, a := range r.answers {
		if now.After(a.until) {
			delete(r.answers, id)
		}
	}
	for id := range r.answers {
		if len(r.answers) < mostAnswers {
			return
		}
		delete(r.answers, id)
	}
}

func (r *responder) ask(ctx context.Context, cert *x509.Certificate) (answer, error) {
	nonce := r.nonce()
	request, err := r.request(ctx, cert, nonce)
	if err != nil {
		return answer{}, err
	}
	response, err := r.s.do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }() // nothing was written
	var body bytes.Buffer
	if err := bounded(&body, response.Body, mostResponse); err != nil {
		return answer{}, err
	}
	q := question{cert: cert, issuer: r.issuer, nonce: nonce, demandNonce: r.s.c.Nonce, now: r.s.c.Now(), skew: r.s.c.Skew,
		checked: func(c *x509.Certificate) error { return r.s.checkResponder(ctx, c, r.issuer) }}
	return q.read(body.Bytes())
}

// nonce is for one question. A question that caches may answer has none, unless
// one is demanded (RFC 5019, 4).
func (r *responder) nonce() []byte {
	if r.s.c.Get && !r.s.c.Nonce {
		return nil
	}
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // it never fails
	return nonce
}

// request is a POST, or a GET where that is configured and the question is short
// enough (RFC 6960, A.1).
func (r *responder) request(ctx context.Context, cert *x509.Certificate, nonce []byte) (*http.Request, error) {
	der, err := createRequest(cert, r.issuer, nonce)
	if err != nil {
		return nil, because(exchange.OCSPMalformed, "writing the question: %w", err)
	}
	path := url.PathEscape(base64.StdEncoding.EncodeToString(der))
	if r.s.c.Get && len(path) <= mostGet {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.url, "/")+"/"+path, nil)
		if err != nil {
			return nil, &problem{exchange.RevocationURL, err}
		}
		return request, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(der))
	if err != nil {
		return nil, &problem{exchange.RevocationURL, err}
	}
	request.Header.Set("Content-Type", "application/ocsp-request")
	request.Header.Set("Accept", "application/ocsp-response")
	return request, nil
}

// createRequest adds a nonce to the library's request, which has no room for
// extensions.
func createRequest(cert, issuer *x509.Certificate, nonce []byte) ([]byte, error) {
	plain, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil || nonce == nil {
		return plain, err
	}
	var request struct {
		Data struct {
			List       asn1.RawValue
			Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
		}
	}
	if _, err := asn1.Unmarshal(plain, &request); err != nil {
		return nil, fmt.Errorf("reading the library's request: %w", err)
	}
	value, err := asn1.Marshal(nonce)
	if err != nil {
		return nil, err
	}
	request.Data.Extensions = []pkix.Extension{{Id: oidNonce, Value: value}}
	return asn1.Marshal(request)
}

// state is for operators.
func (r *responder) state() exchange.RevocationSource {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.outcome.state("ocsp", r.url, r.issuer)
	state.ThisUpdate, state.NextUpdate, state.Entries = r.last.thisUpdate, r.last.nextUpdate, len(r.answers)
	return state
}
