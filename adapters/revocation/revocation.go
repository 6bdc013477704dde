package revocation

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tram/exchange"
)

// Config is what a Service needs.
type Config struct {
	// Dir is the directory that accepted CRLs are kept in. It is made if it does
	// not exist; one process uses it.
	Dir string
	// Issuers are authorities whose sources the operator names. For their
	// certificates the URLs inside the certificates are not used.
	Issuers []Issuer
	// Prefer is asked first, PreferCRL or PreferOCSP; CRLs when empty, as they
	// cost nothing for each package. If it gives no answer the other is asked.
	Prefer string
	// AllowNoSource takes a certificate for good that names no source and whose
	// issuer has none configured. Otherwise it is unknown.
	AllowNoSource bool
	// Nonce refuses OCSP responses without one. Responders that sign in advance
	// have none.
	Nonce bool
	// Get asks responders by GET, where the question is short enough, and
	// without a nonce unless Nonce is set, so that caches between can answer;
	// else by POST.
	Get bool
	// Allow lists the networks that may be called. When it is empty, any
	// address will do that is not a loopback address. A loopback address needs a
	// listed network inside 127.0.0.0/8 or ::1/128. Link-local addresses,
	// multicast and the cloud providers' metadata services are never called.
	Allow []netip.Prefix

	// Timeout is for one check, whatever it asks: 5 seconds when zero.
	Timeout time.Duration
	// FetchTimeout is for fetching one CRL, which goes on when a check has given
	// up: 1 minute when zero.
	FetchTimeout time.Duration
	// Skew is how far clocks may be apart: 5 minutes when zero.
	Skew time.Duration
	// Refresh is how often a CRL is fetched again at least: each hour when zero.
	// It is fetched before NextUpdate anyway.
	Refresh time.Duration
	// ResponseAge is how long an OCSP answer is used at most: 1 hour when zero.
	ResponseAge time.Duration
	// CRLSize is the most bytes of a CRL: 64 MiB when zero.
	CRLSize int64

	// Now is time.Now when nil.
	Now func() time.Time
	// Log is for what operators should see; nothing is logged when nil.
	Log *slog.Logger
}

// Which kind of source is asked first.
const (
	PreferCRL  = "crl"
	PreferOCSP = "ocsp"
)

// Issuer is an authority and where it tells of revocations.
type Issuer struct {
	Certificate *x509.Certificate
	// CRLs are http or https URLs, or paths of files in PEM or DER, which are
	// looked at again each minute.
	CRLs []string
	// OCSP are responders' http or https URLs.
	OCSP []string
}

// Service is an exchange.Revocation.
type Service struct {
	c       Config
	client  *http.Client
	issuers map[string]Issuer // by keyOf; never written after New

	ctx     context.Context // of all fetches; ends with Close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	reading sync.Mutex // held while a CRL's bytes are in memory

	mu         sync.Mutex
	closed     bool
	crls       map[place]*crl
	responders map[place]*responder
}

var (
	_ exchange.Revocation        = (*Service)(nil)
	_ exchange.RevocationSources = (*Service)(nil)
)

// A place is where something is said of one issuer's certificates. The same URL
// in certificates of two issuers is two places: one cannot spoil the other's.
type place struct{ location, issuer string }

// mostPlaces bounds what certificates can make the hub ask: partitioned CRLs of
// a few authorities are some hundred.
const mostPlaces = 2048

// New checks the configuration, names what is missing and starts to fetch the
// configured CRLs. Close has to be called.
func New(c Config) (*Service, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Prefer = cmp.Or(c.Prefer, PreferCRL)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.FetchTimeout = cmp.Or(c.FetchTimeout, time.Minute)
	c.Skew = cmp.Or(c.Skew, 5*time.Minute)
	c.Refresh = cmp.Or(c.Refresh, time.Hour)
	c.ResponseAge = cmp.Or(c.ResponseAge, time.Hour)
	c.CRLSize = cmp.Or(c.CRLSize, 64<<20)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := prepare(c.Dir); err != nil {
		return nil, fmt.Errorf("revocation: preparing directory %s: %w", c.Dir, err)
	}
	s := &Service{c: c, client: client(c), issuers: map[string]Issuer{}, crls: map[place]*crl{}, responders: map[place]*responder{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, i := range c.Issuers {
		s.issuers[keyOf(i.Certificate)] = i
		for _, location := range i.CRLs {
			p := place{location, keyOf(i.Certificate)}
			s.crls[p] = s.newCRL(location, i.Certificate, true)
		}
	}
	s.work.Go(s.keepFresh)
	return s, nil
}

func (c Config) check() error {
	if c.Dir == "" {
		return errors.New("revocation: Dir, the directory that CRLs are kept in, is missing")
	}
	if c.Prefer != "" && c.Prefer != PreferCRL && c.Prefer != PreferOCSP {
		return fmt.Errorf("revocation: Prefer is %q; it may be %q or %q", c.Prefer, PreferCRL, PreferOCSP)
	}
	for n, i := range c.Issuers {
		if i.Certificate == nil {
			return fmt.Errorf("revocation: issuer %d has no certificate", n+1)
		}
		for _, location := range i.CRLs {
			if !isFile(location) && !web(location) {
				return fmt.Errorf("revocation: CRL %q of %q is neither a file nor an http or https URL", location, i.Certificate.Subject)
			}
		}
		for _, location := range i.OCSP {
			if !web(location) {
				return fmt.Errorf("revocation: responder %q of %q is no http or https URL", location, i.Certificate.Subject)
			}
		}
	}
	return nil
}

// prepare makes the directory and removes what a crash left incomplete.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(dir, incoming+"*"))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}

// keyOf identifies an authority: its name and its key.
func keyOf(issuer *x509.Certificate) string {
	return string(issuer.RawSubject) + string(issuer.RawSubjectPublicKeyInfo)
}

// Close ends all fetches and waits for them. Checks tell from then on only what
// is at hand.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// keepFresh fetches CRLs ahead of their NextUpdate, until Close.
func (s *Service) keepFresh() {
	const tick = time.Second
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		s.refreshDue()
		select {
		case <-ticks.C:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Service) refreshDue() {
	now := s.c.Now()
	for _, c := range s.listed() {
		c.due(now)
	}
}

func (s *Service) listed() []*crl {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*crl, 0, len(s.crls))
	for _, c := range s.crls {
		all = append(all, c)
	}
	return all
}

// Check implements exchange.Revocation.
func (s *Service) Check(ctx context.Context, chain []*x509.Certificate, at time.Time) exchange.RevocationFinding {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	worst := exchange.RevocationFinding{State: exchange.RevocationGood}
	if len(chain) == 0 {
		worst = exchange.RevocationFinding{State: exchange.RevocationUnknown, Reason: exchange.RevocationNoChain}
	}
	for i := range max(len(chain)-1, 0) {
		f := s.certificate(ctx, chain[i], chain[i+1], at)
		if i == 0 || badness(f.State) > badness(worst.State) {
			worst = f
		}
	}
	worst.CheckedAt = s.c.Now()
	return worst
}

func badness(state exchange.RevocationState) int {
	return slices.Index([]exchange.RevocationState{exchange.RevocationGood, exchange.RevocationUnknown, exchange.RevocationRevoked}, state)
}

// A source tells of certificates of one issuer.
type source interface {
	find(ctx context.Context, cert *x509.Certificate) (answer, error)
}

// certificate asks one source after the other until one answers. If none does,
// the first one's trouble is the reason.
func (s *Service) certificate(ctx context.Context, cert, issuer *x509.Certificate, at time.Time) exchange.RevocationFinding {
	f, err := s.ask(ctx, s.sources(cert, issuer), cert, at)
	if err != nil {
		f = exchange.RevocationFinding{State: exchange.RevocationUnknown, Source: f.Source, Reason: reasonOf(err)}
	}
	if f.State == exchange.RevocationUnknown && f.Reason == exchange.RevocationNoSource && s.c.AllowNoSource {
		f.State = exchange.RevocationGood
	}
	f.Certificate = exchange.DigestOf(cert.Raw)
	return f
}

// ask returns the first answer. With an error, the finding has the source that
// it is about.
func (s *Service) ask(ctx context.Context, places []located, cert *x509.Certificate, at time.Time) (exchange.RevocationFinding, error) {
	var failed exchange.RevocationFinding
	err := because(exchange.RevocationNoSource, "%q names no source that can be asked", cert.Subject)
	for i, p := range places {
		a, trouble := p.patiently(ctx, cert, i == len(places)-1)
		if trouble == nil {
			return a.at(at), nil
		}
		if i == 0 {
			failed.Source, err = p.location, trouble
		}
	}
	return failed, err
}

// patiently leaves half of the time that is left to the sources after it.
func (l located) patiently(ctx context.Context, cert *x509.Certificate, last bool) (answer, error) {
	end, bounded := ctx.Deadline()
	if last || !bounded {
		return l.find(ctx, cert)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Until(end)/2)
	defer cancel()
	return l.find(ctx, cert)
}
