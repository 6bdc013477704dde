package httpapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"tram/adapters/backup"
	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/memory"
	"tram/adapters/tsa"
	"tram/adapters/webhook"
	"tram/exchange"
	"tram/signing"
)

func TestMain(m *testing.M) {
	registerDecoders()
	goleak.VerifyTestMain(m)
}

// An identity signs, or logs in by TLS.
type identity struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func (i identity) tls() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{i.cert.Raw}, PrivateKey: i.key}
}

// world is a hub as it is run, with agencies, systems and people.
type world struct {
	t       *testing.T
	x       *exchange.Exchange
	server  *httpapi.Server
	ledger  *bolt.Ledger
	vault   string // its directory
	url     string // plain HTTP
	tlsURL  string
	opsURL  string
	logs    *lockedBuffer
	ca      identity
	secrets map[string]string
	keys    map[string]identity // of agencies, by code; and of systems
	numbers int
	client  *http.Client // holds every exchange to openapi.yaml
	seen    *contract
	told    chan *http.Request // announcements to H12.30
	sandbox bool               // the public may validate
	tsa     authority
}

// authority is a time-stamp authority that is away until a test has it come.
type authority struct{ come atomic.Pointer[tsa.Client] }

func (a *authority) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	if c := a.come.Load(); c != nil {
		return c.Stamp(ctx, data)
	}
	return nil, errors.New("the authority is away")
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newWorld(t *testing.T, limits httpapi.Limits) *world {
	t.Helper()
	return newWorldOf(&world{t: t}, limits)
}

// newWorldOf makes a world of what is set in w.
func newWorldOf(w *world, limits httpapi.Limits) *world {
	t := w.t
	t.Helper()
	sandbox := w.sandbox
	w = &world{t: t, sandbox: sandbox, secrets: map[string]string{}, keys: map[string]identity{}, logs: &lockedBuffer{}, told: make(chan *http.Request, 16)}
	w.ca = w.issue("CA", nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	w.build(limits)
	w.listen()
	return w
}

// issue makes a certificate, of the CA when parent is given.
func (w *world) issue(name string, parent *identity, from, until time.Time) identity {
	w.t.Helper()
	key := must[*ecdsa.PrivateKey](w.t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	w.numbers++
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(w.numbers)), Subject: pkix.Name{CommonName: name},
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	issuer := identity{key, template}
	if parent == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		issuer = *parent
	}
	if name == "localhost" {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	der := must[[]byte](w.t)(x509.CreateCertificate(rand.Reader, template, issuer.cert, &key.PublicKey, issuer.key))
	return identity{key, must[*x509.Certificate](w.t)(x509.ParseCertificate(der))}
}

func (w *world) leaf(name string) identity {
	return w.issue(name, &w.ca, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

func (w *world) build(limits httpapi.Limits) {
	t, dir := w.t, w.t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	w.vault = filepath.Join(dir, "vault")
	if err := errors.Join(bolt.Create(path), disk.Create(w.vault)); err != nil {
		t.Fatal(err)
	}
	w.ledger = must[*bolt.Ledger](t)(bolt.Open(path, bolt.Options{}))
	vault := must[*disk.Vault](t)(disk.Open(w.vault, disk.Options{}))
	t.Cleanup(func() {
		if err := errors.Join(w.ledger.Close(), vault.Close()); err != nil {
			t.Error(err)
		}
	})
	seal := w.leaf("Trục thử")
	logSecret, logPublic, err := note.GenerateKey(rand.Reader, "log.example")
	if err != nil {
		t.Fatal(err)
	}
	_, announceKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	courier := must[*webhook.Courier](t)(webhook.New(webhook.Config{Hub: "truc.example", Key: announceKey, Plain: true,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 5 * time.Second}))
	t.Cleanup(courier.Close)
	log := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	seals := []exchange.Seal{{Sealer: must[*signing.Sealer](t)(signing.NewSealer(seal.key, []*x509.Certificate{seal.cert}))}}
	later := exchange.Seal{Sealer: seals[0].Sealer, From: time.Now().Add(time.Hour)}
	w.x = must[*exchange.Exchange](t)(exchange.New(exchange.Config{
		Hub: exchange.Hub{Code: "truc.example", Name: "Trục thử", Policy: "https://truc.example/policy"}, Origin: "log.example",
		Keys: exchange.Keys{Hub: exchange.Hub{Code: "truc.example", Name: "Trục thử", Policy: "https://truc.example/policy"},
			Origin: "log.example", LogKey: logPublic, Webhook: courier.PublicKey()},
		Ledger: w.ledger, Vault: vault, Queue: memory.New(memory.Options{}), Courier: courier, Format: edxml.New(edxml.Options{}),
		Trust: must[*signing.Trust](t)(signing.NewTrust([]*x509.Certificate{w.ca.cert}, nil)),
		Seals: seals, ReadSeals: func() ([]exchange.Seal, error) { return append(seals, later), nil },
		LogKey: must[note.Signer](t)(note.NewSigner(logSecret)), Log: log, TimeStamper: &w.tsa, SecretKey: make([]byte, 32),
		Archive: backup.New(backup.Config{Ledger: w.ledger, Vault: vault, Home: "/", Files: func() ([]string, error) { return nil, nil }}),
	}))
	w.register()
	w.server = must[*httpapi.Server](t)(httpapi.New(httpapi.Config{Exchange: w.x, Limits: limits, Log: log, PublicValidator: w.sandbox}))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.x.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

// register enters those who take part.
func (w *world) register() {
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			w.told <- r
		}
	}))
	w.t.Cleanup(hook.Close)
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	agency := func(code, name string) exchange.Agency {
		w.keys[code] = w.leaf(name)
		return exchange.Agency{Code: code, Name: name, Certificates: []exchange.Certificate{certificate(w.keys[code])}}
	}
	sender := agency("H12.01", "Sở Nội vụ")
	w.keys["expired"] = w.issue("So Noi vu", &w.ca, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	sender.Certificates = append(sender.Certificates, certificate(w.keys["expired"]))
	recipient := agency("H12.07", "Sở Tài chính")
	recipient.Aliases = []exchange.Alias{{Code: "000.00.07.H12"}, {Code: "H12.06", Until: long}}
	closed := agency("H12.05", "Sở cũ")
	closed.Closed = long
	lenient := agency("H12.20", "Xã chưa ký số")
	lenient.Policy = exchange.IfPresent
	pushed := agency("H12.30", "Sở nhận thông báo")
	pushed.Mode, pushed.Webhook = exchange.Push, hook.URL

	w.keys["client"] = w.leaf("he-thong-01")
	w.keys["old client"] = w.issue("he-thong-01", &w.ca, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	system := func(id string, codes ...string) exchange.System {
		text, secret, err := exchange.NewSecret(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		w.secrets[id] = text
		return exchange.System{ID: id, Name: id, Agencies: codes, Secrets: []exchange.Secret{secret}}
	}
	first := system("he-thong-01", "H12.01")
	first.Certificates = []exchange.Digest{sha256.Sum256(w.keys["client"].cert.Raw), sha256.Sum256(w.keys["old client"].cert.Raw)}
	off := system("he-thong-tat", "H12.01")
	off.Disabled = true
	user := func(id string, role exchange.Role) exchange.User {
		text, secret, err := exchange.NewSecret(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		w.secrets["user:"+id] = text
		return exchange.User{ID: id, Name: id, Role: role, Secrets: []exchange.Secret{secret}}
	}
	if err := w.ledger.Update(w.t.Context(), exchange.Change{
		Agencies: []exchange.Agency{sender, recipient, closed, lenient, pushed},
		Systems:  []exchange.System{first, system("he-thong-07", "H12.07"), system("he-thong-20", "H12.20"), system("he-thong-30", "H12.30"), system("nhieu", "H12.01", "H12.07"), off},
		Users:    []exchange.User{user("an", exchange.Administrator), user("binh", exchange.Operator), user("chi", exchange.Auditor)},
	}); err != nil {
		w.t.Fatal(err)
	}
}

func certificate(i identity) exchange.Certificate {
	return exchange.Certificate{DER: i.cert.Raw, SHA256: exchange.DigestOf(i.cert.Raw), Subject: i.cert.Subject.String()}
}

// listen serves over plain TCP, over TLS, and to operators.
func (w *world) listen() {
	host := w.leaf("localhost")
	w.url = "http://" + w.serve(w.server.HTTPServer(""), nil)
	w.tlsURL = "https://" + w.serve(w.server.HTTPServer(""), httpapi.TLSConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair := host.tls()
		return &pair, nil
	}))
	w.opsURL = "http://" + w.serve(w.server.OperatorsServer(""), nil)
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	w.seen = newContract(w.t, transport)
	w.client = &http.Client{Transport: w.seen, Timeout: 30 * time.Second}
}

func (w *world) serve(s *http.Server, c *tls.Config) string {
	l := must[net.Listener](w.t)(net.Listen("tcp", "127.0.0.1:0"))
	address := l.Addr().String()
	if c != nil {
		l = tls.NewListener(l, c)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with Close
	}()
	w.t.Cleanup(func() {
		_ = s.Close() // connections of a test that is over
		<-done
	})
	return address
}

// a request is one call of the interface.
type request struct {
	method, path, as string
	body             io.Reader
	header           map[string]string
	url              string // another listener's
}

// answer is what came back, with its body read.
type answer struct {
	*http.Response
	body []byte
}

// problem is the answer as a problem document.
type problem struct {
	Type, Title, Detail, Instance, Code, Rule, Path, Receipt string
	Status, Line                                             int
}

func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d with a %s: %s", a.StatusCode, a.Header.Get("Content-Type"), a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("status %d, %s: %v", a.StatusCode, a.body, err)
	}
}

// do asks in Vietnamese unless the request says otherwise: the contract reads
// every refusal that comes back.
func (w *world) do(r request) answer {
	w.t.Helper()
	base := r.url
	if base == "" {
		base = w.url
	}
	req := must[*http.Request](w.t)(http.NewRequestWithContext(w.t.Context(), r.method, base+r.path, r.body))
	if r.as != "" {
		req.SetBasicAuth(r.as, w.secrets[r.as])
	}
	req.Header.Set("Accept-Language", "vi")
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp := must[*http.Response](w.t)(w.client.Do(req))
	body := must[[]byte](w.t)(io.ReadAll(resp.Body))
	_ = resp.Body.Close() // read whole
	return answer{resp, body}
}

func (w *world) get(as, path string) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodGet, path: path, as: as})
}

func (w *world) json(method, as, path, body string) answer {
	w.t.Helper()
	return w.do(request{method: method, path: path, as: as, body: bytes.NewReader([]byte(body)), header: map[string]string{"Content-Type": "application/json"}})
}

func (w *world) xml(as, path string, body []byte) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodPost, path: path, as: as, body: bytes.NewReader(body), header: map[string]string{"Content-Type": "application/xml"}})
}

// want ends the test unless the status is the one.
func (w *world) want(status int, a answer) answer {
	w.t.Helper()
	if a.StatusCode != status {
		w.t.Fatalf("%s %s: status %d, not %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.body)
	}
	return a
}

// stored tells how many packages the ledger and files the vault hold.
func (w *world) stored() (packages, files int) {
	w.t.Helper()
	list, _, err := w.ledger.Packages(w.t.Context(), exchange.PackageQuery{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := filepath.WalkDir(w.vault, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return len(list), files
}

func (w *world) nothingStored() {
	w.t.Helper()
	if packages, files := w.stored(); packages != 0 || files != 0 {
		w.t.Errorf("%d packages in the ledger, %d files in the vault", packages, files)
	}
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// goroutines are the stacks of all goroutines.
func goroutines() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}
