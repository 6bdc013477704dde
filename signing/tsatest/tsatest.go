// Package tsatest runs a time-stamp authority for tests: "openssl ts" behind HTTP
// on loopback. What it answers comes from OpenSSL alone, so that our reading of
// tokens is held against a second implementation.
package tsatest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Policy is what the authority stamps under unless another is asked for;
// OtherPolicy is served too, no further one.
const (
	Policy      = "1.3.6.1.4.1.99999.1"
	OtherPolicy = "1.3.6.1.4.1.99999.2"
)

// Authority is a time-stamp authority with a root of its own.
type Authority struct {
	URL  string
	Root *x509.Certificate
	// Config is the file to call "openssl ts -reply -config" with.
	Config string

	program  string
	dir      string
	serial   sync.Mutex // the program counts in a file
	down     atomic.Bool
	requests atomic.Int64
}

// New starts an authority that answers until the test ends. key is its key; nil
// makes one, ECDSA P-256. Without OpenSSL the test is skipped, except in CI.
func New(t testing.TB, key crypto.Signer) *Authority {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("openssl is needed: %v", err)
	}
	if err != nil {
		t.Skip("openssl is not installed: there is no time-stamp authority to test with")
	}
	a := &Authority{program: program, dir: t.TempDir()}
	if err := a.prepare(key); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// RootPEM is the root certificate.
func (a *Authority) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw})
}

// SetDown makes the authority break off connections, or answer again.
func (a *Authority) SetDown(down bool) { a.down.Store(down) }

// Requests is how many came so far, answered or not.
func (a *Authority) Requests() int { return int(a.requests.Load()) }

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	a.requests.Add(1)
	if a.down.Load() {
		panic(http.ErrAbortHandler)
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "ask with POST and application/timestamp-query", http.StatusUnsupportedMediaType)
		return
	}
	query, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := a.Answer(query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(answer) // who went away does not want it
}

// Answer is what OpenSSL answers to a request.
func (a *Authority) Answer(query []byte) ([]byte, error) {
	a.serial.Lock()
	defer a.serial.Unlock()
	in, out := filepath.Join(a.dir, "query"), filepath.Join(a.dir, "answer")
	if err := os.WriteFile(in, query, 0o600); err != nil {
		return nil, err
	}
	var said bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.program, "ts", "-reply", "-config", a.Config, "-queryfile", in, "-out", out)
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("openssl ts: %w: %s", err, said.Bytes())
	}
	return os.ReadFile(out)
}

func (a *Authority) prepare(key crypto.Signer) error {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	root := certificate("Time-stamp root", time.Hour)
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign
	if a.Root, err = issue(root, root, rootKey.Public(), rootKey); err != nil {
		return err
	}
	own := certificate("Time-stamp authority", 30*time.Minute)
	own.KeyUsage = x509.KeyUsageDigitalSignature
	// crypto/x509 writes the extension without the mark that RFC 3161, 2.3 wants.
	timeStamping, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return err
	}
	own.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: timeStamping}}
	cert, err := issue(own, a.Root, key.Public(), rootKey)
	if err != nil {
		return err
	}
	return a.write(cert, key)
}

func certificate(name string, past time.Duration) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-past), NotAfter: time.Now().AddDate(1, 0, 0)}
}

func issue(template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) (*x509.Certificate, error) {
	var err error
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100)); err != nil {
		return nil, err
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

const configText = `[tsa]
default_tsa = config
[config]
serial = %[1]s/serial
signer_cert = %[1]s/cert.pem
signer_key = %[1]s/key.pem
signer_digest = sha256
default_policy = ` + Policy + `
other_policies = ` + OtherPolicy + `
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
`

func (a *Authority) write(cert *x509.Certificate, key crypto.Signer) error {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	a.Config = filepath.Join(a.dir, "openssl.cnf")
	for name, content := range map[string][]byte{
		"cert.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		"key.pem":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"root.pem":    a.RootPEM(),
		"serial":      []byte("01\n"),
		"openssl.cnf": fmt.Appendf(nil, configText, a.dir),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
