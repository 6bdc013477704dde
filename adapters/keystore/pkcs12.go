package keystore

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// openPKCS12 reads a PKCS #12 file (RFC 7292), of the encryption in use today
// or of the former one (RC2 and triple DES).
func (s Source) openPKCS12(der []byte, given []*x509.Certificate) (Pair, error) {
	password := ""
	if s.PasswordFile != "" {
		var err error
		if password, err = ReadPassword(s.PasswordFile); err != nil {
			return Pair{}, err
		}
	}
	key, leaf, others, err := pkcs12.DecodeChain(der, password)
	if err != nil {
		return Pair{}, s.unreadable(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return Pair{}, fmt.Errorf("%s holds a %T, which cannot sign", s.Key, key)
	}
	if len(given) > 0 {
		return Pair{signer, given}, nil
	}
	chain := chainFrom(signer, append(others, leaf))
	if chain == nil {
		return Pair{}, fmt.Errorf("%s holds no certificate of its key: name the certificate's file too", s.Key)
	}
	return Pair{signer, chain}, nil
}

// unreadable says what to do about a file that does not open.
func (s Source) unreadable(err error) error {
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && s.PasswordFile == "":
		return fmt.Errorf("%s is locked by a password: %w", s.Key, errNoPassword)
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return fmt.Errorf("the password in %s does not open %s", s.PasswordFile, s.Key)
	case strings.Contains(err.Error(), "one key bag"): // the library has no error of its own for it
		return fmt.Errorf("%[1]s holds several keys, and which one is meant cannot be said: list them with: openssl pkcs12 -in %[1]s -info -nokeys, "+
			"and export the one that is meant into a file of its own", s.Key)
	}
	return fmt.Errorf("%s is neither PEM nor a PKCS #12 file that can be read: %w", s.Key, err)
}

// EncodePKCS12 writes a key and its certificates as a PKCS #12 file, locked by
// the password with AES-256 (PBES2) and SHA-256.
func EncodePKCS12(pair Pair, password string) ([]byte, error) {
	return pkcs12.Modern2023.Encode(pair.Key, pair.Chain[0], pair.Chain[1:], password)
}
