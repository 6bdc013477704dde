package main

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/keystore"
)

// keygenOptions are the flags of keygen.
type keygenOptions struct {
	kind, name, unit, organization, ca, caKey string
	days                                      int
	authority, p12                            bool
	passwordFile                              string
}

func (p *program) keygen() *cobra.Command {
	var o keygenOptions
	c := &cobra.Command{
		Use:   "keygen [FILE]",
		Short: "Make a signing key with a certificate and a request for one",
		Long: `keygen makes FILE.key (readable by you alone), FILE.csr, a request that an
authority can issue a certificate for, and FILE.crt, a certificate for trying out:
self-signed, or issued by a test authority with --ca and --ca-key.

With --p12 the key is in FILE.p12 instead, a PKCS #12 file locked by the password
in --password-file, together with that certificate.

For real use send FILE.csr to your certificate authority and put what it issues
in the place of FILE.crt. The key never leaves this machine.

Without FILE the names are agency.key, agency.csr and agency.crt. Nothing is
overwritten.`,
		Example: `  agency keygen test-ca --authority --name "Test authority"
  agency keygen stc --name "Sở Tài chính" --unit H12.07 --ca test-ca.crt --ca-key test-ca.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.unit, o.passwordFile = cmp.Or(o.unit, p.settings.Agency), p.settings.PasswordFile
			return p.runKeygen(append(args, "agency")[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.kind, "type", "ec", "kind of key: "+kindsOfKeys)
	f.BoolVar(&o.p12, "p12", false, "put the key into a PKCS #12 file, locked by the password in --password-file")
	f.StringVar(&o.name, "name", "", "common name in the certificate (needed)")
	f.StringVar(&o.unit, "unit", "", "organisational unit in the certificate, such as the agency's code; --agency without it")
	f.StringVar(&o.organization, "organization", "", "organisation in the certificate")
	f.IntVar(&o.days, "days", 730, "how long the certificate is valid")
	f.StringVar(&o.ca, "ca", "", "`file` of the test authority's certificate")
	f.StringVar(&o.caKey, "ca-key", "", "`file` of the test authority's key")
	f.BoolVar(&o.authority, "authority", false, "make a test authority, which issues certificates for others")
	return c
}

func (p *program) runKeygen(file string, o keygenOptions) error {
	if o.name == "" {
		return usagef("--name is needed: whose key is it?")
	}
	if (o.ca == "") != (o.caKey == "") {
		return usagef("--ca and --ca-key go together")
	}
	if o.days < 1 {
		return usagef("--days must be 1 or more")
	}
	if o.p12 && o.passwordFile == "" {
		return usagef("--p12 needs --password-file: a file of yours alone that holds the password")
	}
	for _, ext := range []string{o.keyExt(), ".csr", ".crt"} {
		if _, err := os.Lstat(file + ext); err == nil {
			return usagef("%s is there already; keys are never overwritten", file+ext)
		}
	}
	key, err := newKey(o.kind)
	if err != nil {
		return err
	}
	made, err := o.make(key, time.Now())
	if err != nil {
		return err
	}
	for _, part := range []struct {
		ext  string
		mode os.FileMode
		pem  []byte
	}{{o.keyExt(), 0o600, made.key}, {".csr", 0o644, made.request}, {".crt", 0o644, made.certificate}} {
		if err := writeBytes(file+part.ext, false, part.mode, part.pem); err != nil {
			return err
		}
	}
	result := struct {
		Key         string `json:"key"`
		Request     string `json:"request"`
		Certificate string `json:"certificate"`
		SHA256      string `json:"sha256"`
	}{file + o.keyExt(), file + ".csr", file + ".crt", made.sha256}
	return p.show(result, func(w io.Writer) {
		fmt.Fprintf(w, "key\t%s\nrequest\t%s\ncertificate\t%s\nSHA-256\t%s\n", result.Key, result.Request, result.Certificate, result.SHA256)
	})
}

func (o keygenOptions) keyExt() string {
	if o.p12 {
		return ".p12"
	}
	return ".key"
}

const kindsOfKeys = "ec (P-256), p384, p521, ed25519, rsa2048, rsa3072 or rsa4096"

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ec":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, usagef("--type must be %s, not %q", kindsOfKeys, kind)
}

// madeKey is what keygen makes, in PEM but for a key in PKCS #12.
type madeKey struct {
	key, request, certificate []byte
	sha256                    string // of the certificate
}

func (o keygenOptions) make(key crypto.Signer, now time.Time) (madeKey, error) {
	subject := pkix.Name{CommonName: o.name, Country: []string{"VN"}}
	if o.unit != "" {
		subject.OrganizationalUnit = []string{o.unit}
	}
	if o.organization != "" {
		subject.Organization = []string{o.organization}
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		return madeKey{}, fmt.Errorf("making the request: %w", err)
	}
	template, err := o.template(subject, now)
	if err != nil {
		return madeKey{}, err
	}
	issuer, issuerKey, err := o.issuer(template, key)
	if err != nil {
		return madeKey{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return madeKey{}, fmt.Errorf("making the certificate: %w", err)
	}
	private, err := o.private(key, der)
	if err != nil {
		return madeKey{}, err
	}
	sum := sha256.Sum256(der)
	return madeKey{key: private, request: inPEM("CERTIFICATE REQUEST", request),
		certificate: inPEM("CERTIFICATE", der), sha256: hex.EncodeToString(sum[:])}, nil
}

// private is the file of the key: PKCS #8 in PEM, or PKCS #12.
func (o keygenOptions) private(key crypto.Signer, certificate []byte) ([]byte, error) {
	if !o.p12 {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return inPEM("PRIVATE KEY", der), err
	}
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	password, err := keystore.ReadPassword(o.passwordFile)
	if err != nil {
		return nil, &usageError{err}
	}
	if password == "" {
		return nil, usagef("%s holds no password", o.passwordFile)
	}
	return keystore.EncodePKCS12(keystore.Pair{Key: key, Chain: []*x509.Certificate{leaf}}, password)
}

func inPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (o keygenOptions) template(subject pkix.Name, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{SerialNumber: serial, Subject: subject, BasicConstraintsValid: true,
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.AddDate(0, 0, o.days), // clocks differ
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
	if o.authority {
		t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	return t, nil
}

// issuer is the test authority, or the certificate itself.
func (o keygenOptions) issuer(self *x509.Certificate, key crypto.Signer) (*x509.Certificate, crypto.Signer, error) {
	if o.ca == "" {
		return self, key, nil
	}
	chain, err := keystore.ReadCertificates(o.ca)
	if err != nil {
		return nil, nil, usagef("--ca: %w", err)
	}
	if !chain[0].IsCA {
		return nil, nil, usagef("--ca: %s is not an authority's certificate; make one with keygen --authority", o.ca)
	}
	caKey, err := keystore.ReadKey(o.caKey)
	if err != nil {
		return nil, nil, usagef("--ca-key: %w", err)
	}
	public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(caKey.Public()) {
		return nil, nil, &usageError{errors.New("--ca-key is not the key of --ca")}
	}
	return chain[0], caKey, nil
}
