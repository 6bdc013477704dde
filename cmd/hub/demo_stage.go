package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

// province are the agencies of the demonstration: codes below H12 are invented.
var province = []struct{ code, name string }{
	{"H12.01", "Văn phòng UBND tỉnh Cà Mau"},
	{"H12.02", "Sở Nội vụ"},
	{"H12.03", "Sở Tài chính"},
	{"H12.04", "Sở Y tế"},
	{"H12.05", "Sở Giáo dục và Đào tạo"},
	{"H12.06", "Sở Xây dựng"},
	{"H12.07", "Sở Nông nghiệp và Môi trường"},
	{"H12.08", "Sở Tư pháp"},
	{"H12.09", "Thanh tra tỉnh"},
	{"H12.40", "UBND phường An Xuyên"},
	{"H12.41", "UBND xã Đất Mũi"},
	{"H12.42", "UBND xã Năm Căn"},
}

// remote is the agency that is down at first: it is told of deliveries by
// webhook, and its system does not answer.
const remote = "H12.41"

// stage is where the demonstration plays.
type stage struct {
	dir     string
	began   time.Time
	address string // of the hub
	webhook string // address of the remote agency's system

	authority issuer
	admin     *httpclient.Client
	agencies  map[string]*agency
	keys      exchange.Keys

	lastReceipt string // path of the last receipt kept

	mu  sync.Mutex // of out
	out io.Writer
}

// agency plays one agency: its key, its system's connection, its files.
type agency struct {
	code, name, dir string
	key             crypto.Signer
	certificate     *x509.Certificate
	sealer          *signing.Sealer
	hub             *httpclient.Client
	number          int // of its last document
}

// say prints one line of what happens.
func (s *stage) say(who, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%6.2fs  %-7s %s\n", time.Since(s.began).Seconds(), who, fmt.Sprintf(format, args...))
}

// scene prints a heading.
func (s *stage) scene(n int, title string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "\n%d. %s\n", n, title)
}

func (s *stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *stage) hubConfig() string { return s.path("hub", "hub.yaml") }

// build makes the authority, the hub and the agencies' keys.
func (s *stage) build(ctx context.Context) error {
	if err := os.MkdirAll(s.path("authority"), 0o700); err != nil {
		return err
	}
	var err error
	if s.authority, err = newAuthority("Demonstration Authority", "Example Province", s.began); err != nil {
		return err
	}
	if err := errors.Join(writeKey(s.path("authority", "ca.key"), s.authority.key),
		writeCertificates(s.path("authority", "ca.pem"), s.authority.certificate)); err != nil {
		return err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	s.address, s.webhook = ports[0], ports[2]
	plan := blueprint{Dir: s.path("hub"), Code: "truc.camau.example", Name: "Trục liên thông văn bản tỉnh Cà Mau (trình diễn)",
		Listen: ports[0], Operators: ports[1], Hosts: []string{"localhost", "127.0.0.1"}, Roots: s.path("authority", "ca.pem"),
		Admin: "admin", WebhookTo: []string{"127.0.0.0/8"}, WebhookRoots: "../authority/ca.pem", RetryFirst: "2s"}
	if err := plan.create(ctx, s.began); err != nil {
		return err
	}
	s.agencies = make(map[string]*agency, len(province))
	for i, p := range province {
		a, err := s.newAgency(p.code, p.name, i%2 == 1)
		if err != nil {
			return fmt.Errorf("%s: %w", p.code, err)
		}
		s.agencies[p.code] = a
	}
	return nil
}

// newAgency makes an agency's keys and certificate. Some use RSA, as most do
// today, some ECDSA.
func (s *stage) newAgency(code, name string, elliptic bool) (*agency, error) {
	a := &agency{code: code, name: name, dir: s.path("agencies", code)}
	if err := os.MkdirAll(filepath.Join(a.dir, "outbox"), 0o700); err != nil {
		return nil, err
	}
	var err error
	if elliptic {
		a.key, err = newECKey()
	} else {
		a.key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		return nil, err
	}
	if a.certificate, err = s.authority.signing(name, "Example Province", a.key.Public(), s.began); err != nil {
		return nil, err
	}
	if a.sealer, err = signing.NewSealer(a.key, []*x509.Certificate{a.certificate}); err != nil {
		return nil, err
	}
	return a, errors.Join(writeKey(filepath.Join(a.dir, "agency.key"), a.key),
		writeCertificates(filepath.Join(a.dir, "agency.pem"), a.certificate))
}

// register enters the agencies and their systems into the hub's registry, as an
// administrator would.
func (s *stage) register(ctx context.Context) error {
	var err error
	if s.admin, err = dial(&options{config: s.hubConfig()}); err != nil {
		return err
	}
	for i, p := range province {
		if err := s.registerAgency(ctx, s.agencies[p.code], i+1); err != nil {
			return fmt.Errorf("registering %s: %w", p.code, err)
		}
	}
	s.say("hub", "%d agencies are registered, with their certificates", len(province))
	return s.keepKeys(ctx)
}

func (s *stage) registerAgency(ctx context.Context, a *agency, n int) error {
	entry := exchange.Agency{Code: a.code, Name: a.name, Parent: "H12",
		Aliases: []exchange.Alias{{Code: fmt.Sprintf("000.00.%s.H12", a.code[4:])}}}
	if a.code == remote {
		entry.Mode, entry.Webhook = exchange.Push, "https://"+s.webhook+"/announcements"
	}
	if _, err := s.admin.PutAgency(ctx, entry, pemOf(a.certificate)); err != nil {
		return err
	}
	system := exchange.System{ID: fmt.Sprintf("system-%02d", n), Name: "Phần mềm của " + a.name, Agencies: []string{a.code}}
	if _, err := s.admin.PutSystem(ctx, system); err != nil {
		return err
	}
	secret, err := s.admin.IssueSystemSecret(ctx, system.ID)
	if err != nil {
		return err
	}
	if err := s.writeAgencyConfig(a, system.ID, secret); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	list, err := keystore.ReadCertificates(s.path("hub", "keys", "tls-root.pem"))
	if err != nil {
		return err
	}
	roots.AddCert(list[0])
	a.hub, err = httpclient.New(httpclient.Config{URL: "https://" + s.address, ID: system.ID, Secret: secret, Roots: roots, UserAgent: "tram-demo"})
	return err
}

// writeAgencyConfig leaves what the agency command needs.
func (s *stage) writeAgencyConfig(a *agency, system, secret string) error {
	text := fmt.Sprintf(`url: https://%s
roots: ../../hub/keys/tls-root.pem
system: %s
secret_file: secret
agency: %s
key: agency.key
certificate: agency.pem
`, s.address, system, a.code)
	return errors.Join(writeNew(filepath.Join(a.dir, "secret"), []byte(secret+"\n"), 0o600),
		writeNew(filepath.Join(a.dir, "agency.yaml"), []byte(text), 0o600))
}

// freePorts finds loopback addresses that nobody listens on.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var found []string
	var open []net.Listener
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		open = append(open, l)
		found = append(found, l.Addr().String())
	}
	var errs []error
	for _, l := range open {
		errs = append(errs, l.Close())
	}
	return found, errors.Join(errs...)
}
