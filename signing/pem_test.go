package signing

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
)

func TestParseCertificates(t *testing.T) {
	one, two := signer(t, "agency-rsa").cert, signer(t, "authority").cert
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	first, second, key := block("CERTIFICATE", one.Raw), block("CERTIFICATE", two.Raw), block("PRIVATE KEY", []byte("of nobody"))
	for _, test := range []struct {
		name string
		text []byte
		want []*x509.Certificate
	}{
		{"one", first, []*x509.Certificate{one}},
		{"two, with words around them and a key before", slices.Concat([]byte("# issued in 2026\n"), key, first, []byte("its issuer:\n"), second),
			[]*x509.Certificate{one, two}},
		{"nothing", nil, nil},
		{"a key alone", key, nil},
		{"the second one cut off", slices.Concat(first, block("CERTIFICATE", two.Raw[:40])), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseCertificates(test.text)
			if !slices.EqualFunc(got, test.want, (*x509.Certificate).Equal) || (err == nil) != (test.want != nil) {
				t.Errorf("%d certificates, %v", len(got), err)
			}
		})
	}
}
