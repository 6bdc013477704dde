package revocation

import (
	"cmp"
	"context"
	"crypto/x509"
	"slices"

	"tram/exchange"
)

// located is a source with its URL or path.
type located struct {
	source
	location string
}

// mostOfOne is how many CRLs, and how many responders, are asked of those that
// one certificate names.
const mostOfOne = 4

// sources are the places to ask about a certificate, in order.
func (s *Service) sources(cert, issuer *x509.Certificate) []located {
	key := keyOf(issuer)
	lists, responders := s.listsFor(cert, issuer, key), s.respondersFor(cert, issuer, key)
	if s.c.Prefer == PreferOCSP {
		return append(responders, lists...)
	}
	return append(lists, responders...)
}

func (s *Service) listsFor(cert, issuer *x509.Certificate, key string) []located {
	locations := called(cert.CRLDistributionPoints)
	if i, configured := s.issuers[key]; configured {
		locations = i.CRLs
	}
	all := make([]located, 0, len(locations))
	for _, location := range locations {
		all = append(all, located{s.crlAt(place{location, key}, issuer), location})
	}
	return all
}

func (s *Service) respondersFor(cert, issuer *x509.Certificate, key string) []located {
	locations := called(cert.OCSPServer)
	if i, configured := s.issuers[key]; configured {
		locations = i.OCSP
	}
	all := make([]located, 0, len(locations))
	for _, location := range locations {
		all = append(all, located{s.responderAt(place{location, key}, issuer), location})
	}
	return all
}

// called are the URLs out of a certificate that may be called.
func called(urls []string) []string {
	urls = slices.DeleteFunc(slices.Clone(urls), func(url string) bool { return !web(url) })
	return urls[:min(len(urls), mostOfOne)]
}

func (s *Service) crlAt(p place, issuer *x509.Certificate) source {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, there := s.crls[p]
	if there {
		return c
	}
	if len(s.crls) >= mostPlaces {
		return tooMany{}
	}
	c = s.newCRL(p.location, issuer, false)
	s.crls[p] = c
	return c
}

func (s *Service) responderAt(p place, issuer *x509.Certificate) source {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.responders[p]
	if there {
		return r
	}
	if len(s.responders) >= mostPlaces {
		return tooMany{}
	}
	r = s.newResponder(p.location, issuer)
	s.responders[p] = r
	return r
}

// tooMany stands for the sources beyond those that are asked.
type tooMany struct{}

func (tooMany) find(context.Context, *x509.Certificate) (answer, error) {
	return answer{}, because(exchange.RevocationTooManySources, "more than %d are known", mostPlaces)
}

// checkResponder looks a responder's certificate up in its issuer's CRLs. No
// responder is asked about a responder.
func (s *Service) checkResponder(ctx context.Context, cert, issuer *x509.Certificate) error {
	f, err := s.ask(ctx, s.listsFor(cert, issuer, keyOf(issuer)), cert, s.c.Now())
	if err != nil {
		return because(exchange.OCSPUnchecked, "%q: %w", cert.Subject, err)
	}
	if f.State != exchange.RevocationGood {
		return because(exchange.OCSPUnchecked, "%q was revoked at %v", cert.Subject, f.RevokedAt)
	}
	return nil
}

// Sources implements exchange.RevocationSources.
func (s *Service) Sources() []exchange.RevocationSource {
	s.mu.Lock()
	var all []interface {
		state() exchange.RevocationSource
	}
	for _, c := range s.crls {
		all = append(all, c)
	}
	for _, r := range s.responders {
		all = append(all, r)
	}
	s.mu.Unlock()

	states := make([]exchange.RevocationSource, 0, len(all))
	for _, one := range all {
		states = append(states, one.state())
	}
	slices.SortFunc(states, func(a, b exchange.RevocationSource) int {
		return cmp.Or(cmp.Compare(a.URL, b.URL), cmp.Compare(a.Issuer, b.Issuer))
	})
	return states
}
