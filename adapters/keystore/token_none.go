//go:build !pkcs11

package keystore

import (
	"crypto/x509"
	"errors"
)

// openToken cannot: a token's library is C.
func openToken(tokenURI, string, []*x509.Certificate) (Pair, error) {
	return Pair{}, errors.New("this program was built without PKCS #11: " +
		"\"CGO_ENABLED=1 go build -tags 'nomsgpack pkcs11' ./cmd/...\" builds one with it")
}
