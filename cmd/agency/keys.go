package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"

	"tram/exchange"
	"tram/signing"
)

// signer is the agency's key with its certificates, leaf first.
type signer struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

// signer reads what the agency signs with.
func (p *program) signer() (signer, error) {
	s := p.settings
	if s.Key == "" || s.Certificate == "" {
		return signer{}, usagef("what does the agency sign with? give --key and --certificate, or key and certificate in the settings file; agency keygen makes them")
	}
	key, err := readKey(s.Key)
	if err != nil {
		return signer{}, usagef("key: %w", err)
	}
	if info, err := os.Stat(s.Key); err == nil && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(p.stderr, "agency: others on this machine may read %s; run: chmod 600 %s\n", s.Key, s.Key)
	}
	chain, err := readCertificates(s.Certificate)
	if err != nil {
		return signer{}, usagef("certificate: %w", err)
	}
	return signer{key, chain}, nil
}

// readKey reads a private key in PEM: PKCS #8, or the older forms of OpenSSL.
func readKey(file string) (crypto.Signer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("%s is locked by a passphrase; unlock it with: openssl pkey -in %s -out unlocked.key", file, file)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%s holds a %T, which cannot sign", file, key)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("%s holds no private key in PEM form", file)
}

// readCertificates reads one or more certificates in PEM.
func readCertificates(file string) ([]*x509.Certificate, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := signing.ParseCertificates(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// trust is whose signatures count; nil if the settings name nobody.
func (p *program) trust() (*signing.Trust, error) {
	if p.settings.Trust == "" {
		return nil, nil
	}
	roots, err := readCertificates(p.settings.Trust)
	if err != nil {
		return nil, usagef("trust: %w", err)
	}
	trust, err := signing.NewTrust(roots, nil)
	if err != nil {
		return nil, usagef("trust: %w", err)
	}
	return trust, nil
}

// sealing are the certificates that the hub seals receipts with; none if the
// settings have no keys of it.
func (p *program) sealing() ([]*x509.Certificate, error) {
	if p.settings.Keys == "" {
		return nil, nil
	}
	b, err := os.ReadFile(p.settings.Keys)
	if err != nil {
		return nil, usagef("keys: %w", err)
	}
	var keys exchange.Keys
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, usagef("keys: %s is not what the hub publishes at /v1/keys: %w", p.settings.Keys, err)
	}
	var list []*x509.Certificate
	for _, text := range keys.Sealing {
		chain, err := signing.ParseCertificates([]byte(text))
		if err != nil {
			return nil, usagef("keys: %s: %w", p.settings.Keys, err)
		}
		list = append(list, chain[0])
	}
	if len(list) == 0 {
		return nil, usagef("keys: %s names no sealing certificate", p.settings.Keys)
	}
	return list, nil
}
