package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// ReadKey reads a private key from a PEM file: PKCS #8, SEC 1 or PKCS #1.
func ReadKey(file string) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parsePEM(file, text)
}

// parsePEM takes the first private key; file names it in errors.
func parsePEM(file string, text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if locked(block) {
			return nil, fmt.Errorf("%[1]s is locked by a passphrase; unlock it with: openssl pkey -in %[1]s -out unlocked.key, "+
				"or keep it locked, as PKCS #12: openssl pkcs12 -export -inkey %[1]s -in CERTIFICATE.pem -out key.p12", file)
		}
		if key == nil {
			continue // something else
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("%s holds a %T, which cannot sign", file, key)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("%s holds no private key in PEM form", file)
}

// locked knows both forms: PKCS #8, and the older one of OpenSSL (RFC 1421).
func locked(block *pem.Block) bool {
	return block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != ""
}

// parseBlock reads a block that is an open key; nil is something else.
func parseBlock(block *pem.Block) (any, error) {
	if locked(block) {
		return nil, nil
	}
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	return nil, nil
}
