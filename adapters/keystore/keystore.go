// Package keystore reads signing keys from where they are kept: PEM files,
// PKCS #12 files (.p12, .pfx), and PKCS #11 tokens (USB tokens, HSMs).
//
// A password or PIN comes from a file, never from a command line, and is tried
// once: a wrong one is an error, not a step towards a locked token. Tokens need
// a program built with the tag pkcs11 and with cgo; any other says so.
package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"tram/signing"
)

// A Source says where a key and its certificates are.
type Source struct {
	// Key is a file, PEM or PKCS #12, or the URI of a key in a PKCS #11 token
	// (RFC 7512).
	Key string
	// Certificate is a PEM file, the key's own certificate first, its issuers
	// after it; absent: the certificates that lie beside the key.
	Certificate string
	// PasswordFile holds the password of a PKCS #12 file, or the PIN of a
	// token, and nothing else.
	PasswordFile string
}

// A Pair is a key and its certificates, the key's own first.
type Pair struct {
	// Key may be used by several goroutines at once.
	Key   crypto.Signer
	Chain []*x509.Certificate
}

// Open reads a key with its certificates, and sees that they belong together.
func Open(s Source) (Pair, error) {
	if s.Key == "" {
		return Pair{}, errors.New("no key is named")
	}
	var chain []*x509.Certificate
	if s.Certificate != "" {
		var err error
		if chain, err = ReadCertificates(s.Certificate); err != nil {
			return Pair{}, fmt.Errorf("certificate: %w", err)
		}
	}
	pair, err := s.open(chain)
	if err != nil {
		return Pair{}, err
	}
	if len(pair.Chain) == 0 {
		return Pair{}, fmt.Errorf("%s has no certificate beside the key: name the certificate's file too", s.Key)
	}
	if !belongs(pair.Key, pair.Chain[0]) {
		return Pair{}, fmt.Errorf("the key in %s does not belong to the certificate of %q in %s", s.Key, pair.Chain[0].Subject, s.certificates())
	}
	return pair, nil
}

// open reads the key; its certificates are those given, or lie beside it.
func (s Source) open(given []*x509.Certificate) (Pair, error) {
	if IsToken(s.Key) {
		return s.openToken(given)
	}
	text, err := os.ReadFile(s.Key)
	if err != nil {
		return Pair{}, err
	}
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		return s.openPKCS12(text, given)
	}
	key, err := parsePEM(s.Key, text)
	if err != nil || len(given) > 0 {
		return Pair{key, given}, err
	}
	beside, err := signing.ParseCertificates(text)
	if err != nil {
		return Pair{Key: key}, nil // there is none, which Open tells
	}
	return Pair{key, chainFrom(key, beside)}, nil
}

// certificates names where they were read, for errors.
func (s Source) certificates() string {
	if s.Certificate == "" {
		return s.Key
	}
	return s.Certificate
}

// ReadPassword reads a file that holds a password or PIN alone, without the end
// of its line.
func ReadPassword(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	defer f.Close() // only read
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("password file: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("the password file %s must hold the password on one line and nothing else", file)
	}
	return password, nil
}

// ReadCertificates reads the certificates of a PEM file, in their order.
func ReadCertificates(file string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := signing.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

// chainFrom orders certificates that lie together in no order: the key's own,
// then the issuer of each. A root is left out: who verifies must have it.
func chainFrom(key crypto.Signer, loose []*x509.Certificate) []*x509.Certificate {
	for _, c := range loose {
		if belongs(key, c) {
			return issuersOf(c, loose)
		}
	}
	return nil
}

func issuersOf(leaf *x509.Certificate, loose []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) <= len(loose) {
		last, next := chain[len(chain)-1], (*x509.Certificate)(nil)
		for _, c := range loose {
			if !bytes.Equal(c.RawSubject, c.RawIssuer) && last.CheckSignatureFrom(c) == nil {
				next = c
			}
		}
		if next == nil {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

var errNoPassword = errors.New("put the password alone into a file that only you may read, and name it in password_file")
