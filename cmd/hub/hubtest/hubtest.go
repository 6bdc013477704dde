// Package hubtest runs a whole hub inside a test: real stores, real signatures,
// real HTTP on loopback. Tests of the programs that speak to a hub share it.
package hubtest

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
	"errors"
	"math/big"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"tram/adapters/backup"
	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/edxml"
	"tram/adapters/httpapi"
	"tram/adapters/memory"
	"tram/adapters/webhook"
	"tram/exchange"
	"tram/signing"
)

// Hub is a hub of this process, with what it is made of: a test may play a hub
// that lies.
type Hub struct {
	URL      string
	Exchange *exchange.Exchange
	Admin    exchange.Caller
	Sealer   *signing.Sealer
	Log      note.Signer
	Keys     exchange.Keys
	Roots    *Key // issues agencies' certificates
}

// Key is a private key with its certificate.
type Key struct {
	Signer      crypto.Signer
	Certificate *x509.Certificate
}

// NewKey makes a key with a certificate by an authority; nil makes an authority.
func NewKey(t testing.TB, name string, by *Key) *Key {
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
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	} else {
		issuer, issuerKey = by.Certificate, by.Signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{key, cert}
}

// PEM is the certificate.
func (k *Key) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.Certificate.Raw}))
}

// New starts a hub that serves until the test ends.
func New(t testing.TB) *Hub {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	h := &Hub{Roots: NewKey(t, "Test authority", nil)}
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
	trust, err := signing.NewTrust([]*x509.Certificate{h.Roots.Certificate}, nil)
	fatal(err)
	seal := NewKey(t, "Test hub", NewKey(t, "Hub authority", nil))
	h.Sealer, err = signing.NewSealer(seal.Signer, []*x509.Certificate{seal.Certificate})
	fatal(err)
	secret, public, err := note.GenerateKey(rand.Reader, "hub.test/log")
	fatal(err)
	h.Log, err = note.NewSigner(secret)
	fatal(err)
	h.Keys = exchange.Keys{Hub: exchange.Hub{Code: "hub.test", Name: "Trục thử", Policy: "urn:test:policy"},
		Origin: "hub.test/log", LogKey: public, Sealing: []string{seal.PEM()}}
	h.Exchange, err = exchange.New(exchange.Config{Hub: h.Keys.Hub, Origin: h.Keys.Origin, Keys: h.Keys, Ledger: ledger, Vault: vault,
		Queue: memory.New(memory.Options{}), Courier: courier, Format: edxml.New(edxml.Options{}), Trust: trust, Seals: []exchange.Seal{{Sealer: h.Sealer}}, LogKey: h.Log,
		Archive: backup.New(backup.Config{Ledger: ledger, Vault: vault, Home: "/", Files: func() ([]string, error) { return nil, nil }})})
	fatal(err)
	h.start(t)
	h.Admin = exchange.Caller{User: &exchange.User{ID: "root", Role: exchange.Administrator}}
	return h
}

// start serves the hub until the test ends.
func (h *Hub) start(t testing.TB) {
	t.Helper()
	api, err := httpapi.New(httpapi.Config{Exchange: h.Exchange})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(api.Handler())
	h.URL = server.URL
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Exchange.Run(ctx) }()
	t.Cleanup(func() {
		api.Drain()
		server.Close()
		stop()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
}

// Agency registers an agency with a certificate, and a system that speaks for
// it; the secret is the system's.
func (h *Hub) Agency(t testing.TB, code, name, certificatePEM string) (secret string) {
	t.Helper()
	a := exchange.Agency{Code: code, Name: name}
	if block, _ := pem.Decode([]byte(certificatePEM)); block != nil {
		a.Certificates = []exchange.Certificate{{DER: block.Bytes}}
	}
	if _, err := h.Exchange.PutAgency(t.Context(), h.Admin, a); err != nil {
		t.Fatal(err)
	}
	system := exchange.System{ID: "sys-" + code, Name: "System of " + code, Agencies: []string{code}}
	if _, err := h.Exchange.PutSystem(t.Context(), h.Admin, system); err != nil {
		t.Fatal(err)
	}
	secret, err := h.Exchange.IssueSystemSecret(t.Context(), h.Admin, system.ID)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// Person registers a person and returns the secret.
func (h *Hub) Person(t testing.TB, id string, role exchange.Role) (secret string) {
	t.Helper()
	if _, err := h.Exchange.PutUser(t.Context(), h.Admin, exchange.User{ID: id, Name: id, Role: role}); err != nil {
		t.Fatal(err)
	}
	secret, err := h.Exchange.IssueUserSecret(t.Context(), h.Admin, id)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// KeysFile is a file of the hub's keys.
func (h *Hub) KeysFile(t testing.TB) string {
	t.Helper()
	b, err := json.Marshal(h.Keys)
	if err != nil {
		t.Fatal(err)
	}
	return WriteFile(t, filepath.Join(t.TempDir(), "keys.json"), b)
}

// WriteFile writes a file for its owner, with its directories, and returns its name.
func WriteFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Exits is the script command "exits CODE program args…": it runs a program that
// must end with the code.
func Exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != want || (err != nil && exit == nil) {
		ts.Fatalf("exits with %d, want %d (%v)", got, want, err)
	}
}
