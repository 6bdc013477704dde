package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/keystore"
)

// Terms of the certificates that the hub makes for itself.
const (
	authorityYears = 20
	sealYears      = 10
	tlsYears       = 2
)

// issuer is a certificate authority of our own: for the hub's TLS, and for the
// demonstration's agencies.
type issuer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// newAuthority makes a self-signed authority.
func newAuthority(name, organisation string, now time.Time) (issuer, error) {
	key, err := newECKey()
	if err != nil {
		return issuer{}, err
	}
	template := certificateTemplate(name, organisation, now, authorityYears)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	certificate, err := issuer{certificate: template, key: key}.issue(template, key.Public())
	return issuer{certificate: certificate, key: key}, err
}

// issue signs a certificate for a public key.
func (i issuer) issue(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, public, i.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// signing issues a certificate for signing documents.
func (i issuer) signing(name, organisation string, public crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	template := certificateTemplate(name, organisation, now, sealYears)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	return i.issue(template, public)
}

// newSealCertificate makes the certificate that a hub gives itself.
func newSealCertificate(name, code string, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	template := certificateTemplate(name, code, now, sealYears)
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	return issuer{certificate: template, key: key}.issue(template, key.Public())
}

// server issues a certificate for a TLS server under the names and addresses.
func (i issuer) server(hosts []string, public crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	template := certificateTemplate(hosts[0], "", now, tlsYears)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, h)
	}
	return i.issue(template, public)
}

func certificateTemplate(name, organisation string, now time.Time, years int) *x509.Certificate {
	subject := pkix.Name{Country: []string{"VN"}, CommonName: name}
	if organisation != "" {
		subject.Organization = []string{organisation}
	}
	return &x509.Certificate{Subject: subject, NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(years, 0, 0)}
}

// newECKey makes an ECDSA P-256 key.
func newECKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// newEdKey makes an Ed25519 key.
func newEdKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// writeKey writes a private key (PKCS #8, PEM), for its owner's eyes only.
func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// writeCertificates writes certificates (PEM), the first one first.
func writeCertificates(path string, certificates ...*x509.Certificate) error {
	return writeNew(path, []byte(pemOf(certificates...)), 0o644)
}

func pemOf(certificates ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certificates {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// writeNew writes a file that must not exist yet: keys are never overwritten.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// readSecret reads a secret that stands alone in a file.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	return strings.TrimSpace(string(text)), err
}

// readOptional reads a file of certificates, if one is named.
func readOptional(path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	return keystore.ReadCertificates(path)
}

// readRoots reads the authorities of others' TLS certificates, if a file is named;
// nil: the system's.
func readRoots(path string) (*x509.CertPool, error) {
	list, err := readOptional(path)
	if err != nil || path == "" {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, root := range list {
		pool.AddCert(root)
	}
	return pool, nil
}

// verifierKey is the public half of a note signer's key
// (golang.org/x/mod/sumdb/note: "PRIVATE+KEY+name+hash+data", data beginning
// with the algorithm).
func verifierKey(signerKey string) (string, error) {
	parts := strings.SplitN(strings.TrimPrefix(signerKey, "PRIVATE+KEY+"), "+", 3)
	if len(parts) != 3 {
		return "", errors.New("the log key is not in the form of golang.org/x/mod/sumdb/note")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return "", errors.New("the log key is not an Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[0], public)
}
