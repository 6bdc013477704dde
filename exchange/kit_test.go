package exchange

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tram/schemas"
	"tram/signing"
)

var update = flag.Bool("update", false, "write the golden receipts, and the key they are sealed with if there is none")

const hubKey = "../testdata/keys/hub-rsa.pem"

// program finds a program that judges us.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: %v", name, err)
	}
	t.Skipf("%s is not installed: nothing judges what is written", name)
	return ""
}

// run gives a program its input and returns what it says.
func run(t *testing.T, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(in)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, words.Bytes())
	}
	return out.Bytes()
}

// validates holds documents to one of our schemas.
func validates(t *testing.T, schema string) func(doc []byte) {
	t.Helper()
	xmllint, dir := program(t, "xmllint"), t.TempDir()
	if err := os.CopyFS(dir, schemas.Files); err != nil {
		t.Fatal(err)
	}
	return func(doc []byte) {
		t.Helper()
		run(t, doc, xmllint, "--nonet", "--noout", "--schema", filepath.Join(dir, schema), "-")
	}
}

// hubSealer seals with the key of the golden receipts: RSA, whose signatures
// repeat.
func hubSealer(t *testing.T) *signing.Sealer {
	t.Helper()
	data, err := os.ReadFile(hubKey)
	if errors.Is(err, fs.ErrNotExist) && *update {
		data, err = makeHubKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	first, rest := pem.Decode(data)
	second, _ := pem.Decode(rest)
	key, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(second.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signing.NewSealer(key.(crypto.Signer), []*x509.Certificate{cert})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func makeHubKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), KeyUsage: x509.KeyUsageDigitalSignature,
		Subject:   pkix.Name{CommonName: "Trạm (TEST)", Organization: []string{"Example Province"}, Country: []string{"VN"}},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2076, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	data := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := os.MkdirAll(filepath.Dir(hubKey), 0o755); err != nil {
		return nil, err
	}
	return data, os.WriteFile(hubKey, data, 0o644)
}
