package audit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/memory"
	"tram/adapters/webhook"
	"tram/exchange"
	"tram/signing"
)

// testHub is a whole hub of this process: real stores, real signatures, real
// HTTP on loopback.
type testHub struct {
	url    string
	x      *exchange.Exchange
	admin  exchange.Caller
	sealer *signing.Sealer
	log    note.Signer
	keys   exchange.Keys
	roots  *authorityKey // of agencies' certificates
}

// authorityKey issues certificates.
type authorityKey struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newKeyFor(t testing.TB, name string, by *authorityKey) *authorityKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	issuer, issuerKey := template, crypto.Signer(key)
	if by == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		issuer, issuerKey = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authorityKey{key, cert}
}

func (k *authorityKey) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.cert.Raw}))
}

func newHub(t testing.TB) *testHub {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	h := &testHub{roots: newKeyFor(t, "Test authority", nil)}
	fatal(bolt.Create(filepath.Join(dir, "ledger.db")))
	ledger, err := bolt.Open(filepath.Join(dir, "ledger.db"), bolt.Options{})
	fatal(err)
	t.Cleanup(func() { _ = ledger.Close() })
	fatal(disk.Create(filepath.Join(dir, "vault")))
	vault, err := disk.Open(filepath.Join(dir, "vault"), disk.Options{})
	fatal(err)
	t.Cleanup(func() { _ = vault.Close() })
	_, hook, err := ed25519.GenerateKey(rand.Reader)
	fatal(err)
	courier, err := webhook.New(webhook.Config{Hub: "hub.test", Key: hook})
	fatal(err)
	trust, err := signing.NewTrust([]*x509.Certificate{h.roots.cert}, nil)
	fatal(err)
	seal := newKeyFor(t, "Test hub", newKeyFor(t, "Hub authority", nil))
	h.sealer, err = signing.NewSealer(seal.key, []*x509.Certificate{seal.cert})
	fatal(err)
	secret, public, err := note.GenerateKey(rand.Reader, "hub.test/log")
	fatal(err)
	h.log, err = note.NewSigner(secret)
	fatal(err)
	h.keys = exchange.Keys{Hub: exchange.Hub{Code: "hub.test", Name: "Trục thử", Policy: "urn:test:policy"},
		Origin: "hub.test/log", LogKey: public, Sealing: []string{seal.pem()}}
	h.x, err = exchange.New(exchange.Config{Hub: h.keys.Hub, Origin: h.keys.Origin, Keys: h.keys, Ledger: ledger, Vault: vault,
		Queue: memory.New(memory.Options{}), Courier: courier, Format: edxml.New(edxml.Options{}), Trust: trust, Sealer: h.sealer, LogKey: h.log})
	fatal(err)
	h.start(t)
	h.admin = exchange.Caller{User: &exchange.User{ID: "root", Role: exchange.Administrator}}
	return h
}

// start serves the hub until the test ends.
func (h *testHub) start(t testing.TB) {
	t.Helper()
	api, err := httpapi.New(httpapi.Config{Exchange: h.x})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api.Handler())
	h.url = server.URL
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.x.Run(ctx) }()
	t.Cleanup(func() {
		api.Drain()
		server.Close()
		stop()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
}

// agency registers an agency with a certificate, and a system that speaks for
// it; the secret is the system's.
func (h *testHub) agency(t testing.TB, code, name, certificatePEM string) (secret string) {
	t.Helper()
	a := exchange.Agency{Code: code, Name: name}
	if block, _ := pem.Decode([]byte(certificatePEM)); block != nil {
		a.Certificates = []exchange.Certificate{{DER: block.Bytes}}
	}
	if _, err := h.x.PutAgency(t.Context(), h.admin, a); err != nil {
		t.Fatal(err)
	}
	system := exchange.System{ID: "sys-" + code, Name: "System of " + code, Agencies: []string{code}}
	if _, err := h.x.PutSystem(t.Context(), h.admin, system); err != nil {
		t.Fatal(err)
	}
	secret, err := h.x.IssueSystemSecret(t.Context(), h.admin, system.ID)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// person registers a person and returns the secret.
func (h *testHub) person(t testing.TB, id string, role exchange.Role) (secret string) {
	t.Helper()
	if _, err := h.x.PutUser(t.Context(), h.admin, exchange.User{ID: id, Name: id, Role: role}); err != nil {
		t.Fatal(err)
	}
	secret, err := h.x.IssueUserSecret(t.Context(), h.admin, id)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// keysFile is a file of the hub's keys.
func (h *testHub) keysFile(t testing.TB) string {
	t.Helper()
	b, err := json.Marshal(h.keys)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "keys.json"), b)
}

func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
