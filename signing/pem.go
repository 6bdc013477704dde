package signing

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// ParseCertificates reads one or more certificates in PEM (RFC 7468, 5), in
// their order. What stands between them, and blocks of other kinds, are passed
// over.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no certificate in PEM form is in it")
	}
	return list, nil
}
