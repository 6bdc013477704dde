package exchange_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A holder can sign.
type holder struct {
	key   *ecdsa.PrivateKey
	chain []*x509.Certificate
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var authority = sync.OnceValue(func() holder {
	return certify(holder{}, "Gốc thử nghiệm", func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
})

// certify makes a key and a certificate for it, its own if nobody issues it.
func certify(by holder, name string, alter func(*x509.Certificate)) holder {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	cert := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), KeyUsage: x509.KeyUsageDigitalSignature,
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Tỉnh Ví Dụ"}},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if alter != nil {
		alter(cert)
	}
	if by.key == nil {
		by = holder{key, []*x509.Certificate{cert}}
	}
	der := must(x509.CreateCertificate(rand.Reader, cert, by.chain[0], key.Public(), by.key))
	return holder{key, []*x509.Certificate{must(x509.ParseCertificate(der))}}
}

// holders are the agencies' keys, made once.
var holders = sync.OnceValue(func() map[string]holder {
	all := map[string]holder{"hub": certify(authority(), "Trạm", nil), "unregistered": certify(authority(), "Không đăng ký", nil),
		"stranger": certify(holder{}, "Người lạ", nil),
		"short":    certify(authority(), "Ngắn hạn", func(c *x509.Certificate) { c.NotAfter = start.Add(time.Hour) })}
	for _, code := range []string{finance, health, ward, commune, school, gone} {
		all[code] = certify(authority(), code, nil)
	}
	return all
})

var logKeys = sync.OnceValues(func() (string, string) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return skey, vkey
})

func verifier() note.Verifier {
	_, vkey := logKeys()
	return must(note.NewVerifier(vkey))
}
