package httpapi

import (
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"time"

	"tram/exchange"
)

// userPrefix tells people from systems in HTTP Basic's user-id.
const userPrefix = "user:"

// caller finds out who asks, unless the route is public.
func (s *Server) caller(r *http.Request, who permission) (exchange.Caller, error) {
	if who == public {
		return exchange.Caller{}, nil
	}
	if _, _, says := basicAuth(r); who == guests && !says {
		return s.known(r)
	}
	return s.counted(r, s.authenticate)
}

// known is who asks by a registered client certificate, or the public.
func (s *Server) known(r *http.Request) (exchange.Caller, error) {
	by, err := s.authenticate(r)
	if exchange.CodeOf(err) == exchange.Unauthenticated {
		return exchange.Caller{}, nil
	}
	return by, err
}

// counted lets an address fail to say who asks only so often.
func (s *Server) counted(r *http.Request, who func(*http.Request) (exchange.Caller, error)) (exchange.Caller, error) {
	by, err := who(r)
	if exchange.CodeOf(err) != exchange.Unauthenticated {
		return by, err
	}
	// Only failures are counted, and who proves itself is never kept waiting
	// by others: agencies may share one address. Secrets are 256 random bits,
	// so what is limited here is noise, not guessing.
	address := addressOf(r)
	if wait, ok := s.failures.take(address, s.now()); !ok {
		return exchange.Caller{}, tooManyFailures.With(address, wait)
	}
	return exchange.Caller{}, err
}

// authenticate takes a client certificate first; software that presents one for
// other reasons may still give its identifier and secret.
func (s *Server) authenticate(r *http.Request) (exchange.Caller, error) {
	id, secret, basic := basicAuth(r)
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		by, err := s.certified(r, r.TLS.PeerCertificates[0])
		if err == nil || !basic || exchange.CodeOf(err) != exchange.Unauthenticated {
			return by, err
		}
	}
	if !basic {
		return exchange.Caller{}, noCredentials.With()
	}
	if name, ok := strings.CutPrefix(id, userPrefix); ok {
		return s.x.AuthenticateUser(r.Context(), name, secret)
	}
	return s.x.AuthenticateSystem(r.Context(), id, secret)
}

func (s *Server) certified(r *http.Request, c *x509.Certificate) (exchange.Caller, error) {
	if now := s.now(); now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return exchange.Caller{}, clientCertificate.With(c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
	}
	return s.x.SystemOfCertificate(r.Context(), exchange.DigestOf(c.Raw))
}

// basicAuth is HTTP Basic, except that a user-id may begin with "user:". RFC
// 7617, 2, splits at the first colon, so the rest of such a user-id comes at the
// head of the password.
func basicAuth(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if id+":" != userPrefix {
		return id, secret, ok
	}
	name, rest, found := strings.Cut(secret, ":")
	if !found {
		return id, secret, ok // a system that is called so
	}
	return userPrefix + name, rest, ok
}

// addressOf is where the connection comes from, without the port.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// realmOf keeps a name fit for a quoted string (RFC 9110, 5.6.4).
func realmOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, name)
}
