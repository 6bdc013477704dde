package main

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"

	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

// signer is the agency's key with its certificates, leaf first.
type signer struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

// signer reads what the agency signs with: files, PKCS #12, or a token.
func (p *program) signer() (signer, error) {
	if p.signs != nil {
		return *p.signs, nil
	}
	s := p.settings
	if s.Key == "" {
		return signer{}, usagef("what does the agency sign with? give --key and --certificate, or key and certificate in the settings file; agency keygen makes them")
	}
	pair, err := keystore.Open(keystore.Source{Key: s.Key, Certificate: s.Certificate, PasswordFile: s.PasswordFile})
	if err != nil {
		return signer{}, usagef("key: %w", err)
	}
	for _, file := range []string{s.Key, s.PasswordFile} {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
			fmt.Fprintf(p.stderr, "agency: others on this machine may read %s; run: chmod 600 %s\n", file, file)
		}
	}
	return signer{pair.Key, pair.Chain}, nil
}

// trust is whose signatures count; nil if the settings name nobody.
func (p *program) trust() (*signing.Trust, error) {
	if p.settings.Trust == "" {
		return nil, nil
	}
	roots, err := keystore.ReadCertificates(p.settings.Trust)
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
func (p *program) sealing() ([]exchange.PublishedSeal, error) {
	if p.settings.Keys == "" {
		return nil, nil
	}
	keys, err := readHubKeys(p.settings.Keys)
	if err != nil {
		return nil, usagef("keys: %w", err)
	}
	seals, err := keys.Seals()
	if err != nil {
		return nil, usagef("keys: %s: %w", p.settings.Keys, err)
	}
	return seals, nil
}

// readHubKeys reads a file of what a hub publishes at /v1/keys.
func readHubKeys(file string) (exchange.Keys, error) {
	var keys exchange.Keys
	b, err := os.ReadFile(file)
	if err != nil {
		return keys, err
	}
	if err := json.Unmarshal(b, &keys); err != nil {
		return keys, fmt.Errorf("%s is not what the hub publishes at /v1/keys: %w", file, err)
	}
	return keys, nil
}
