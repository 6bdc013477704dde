package rabbitmq

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tram/adapters/rabbitmq/rabbittest"
	"tram/exchange"
)

// pair is a key with its certificate, by an authority or, with none, by itself.
func pair(t *testing.T, name string, by *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	issuer, signer := template, any(key)
	if by == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		issuer, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestTLS: the node proves who it is, and wants to see the hub's certificate.
func TestTLS(t *testing.T) {
	needed(t)
	authority := pair(t, "authority", nil)
	node, own, stranger := pair(t, "node", &authority), pair(t, "hub", &authority), pair(t, "stranger", nil)
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	key, err := x509.MarshalECPrivateKey(node.PrivateKey.(*ecdsa.PrivateKey))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	b, err := rabbittest.Start(1, "listeners.ssl.1 = "+address, "ssl_options.cacertfile = "+file("ca.pem", "CERTIFICATE", authority.Certificate[0]),
		"ssl_options.certfile = "+file("node.pem", "CERTIFICATE", node.Certificate[0]), "ssl_options.keyfile = "+file("node.key", "EC PRIVATE KEY", key),
		"ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = true")
	must(t, err)
	t.Cleanup(b.Close)

	c := Config{URLs: []string{fmt.Sprintf("amqps://%s:%s@%s", rabbittest.User, rabbittest.Password, address)},
		Roots: []*x509.Certificate{authority.Leaf}, Certificate: &own}
	eventually(t, "the listener for TLS", 10*time.Second, func() bool {
		seen, err := Inspect(t.Context(), c, 0)
		return err == nil && seen.TLS
	})
	q := open(t, c)
	must(t, q.Publish(t.Context(), job("R", 1)))
	var got seen
	consume(t, q, got.add)
	eventually(t, "a job by TLS", 10*time.Second, func() bool { return got.count() == 1 })

	for name, change := range map[string]func(*Config){
		"no certificate of the hub":  func(c *Config) { c.Certificate = nil },
		"a node of somebody else's":  func(c *Config) { c.Roots = []*x509.Certificate{stranger.Leaf} },
		"a hub of somebody else's":   func(c *Config) { c.Certificate = &stranger },
		"the system's roots, for it": func(c *Config) { c.Roots = nil },
	} {
		other := c
		change(&other)
		if _, err := Inspect(t.Context(), other, 0); err == nil || exchange.CodeOf(err) == exchange.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
}
