package revocation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

// base is when the tests begin.
var base = time.Now().Truncate(time.Second).UTC()

// loopback lets tests' own servers be called.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// A party has a key and a certificate.
type party struct {
	key  crypto.Signer
	cert *x509.Certificate
}

var serials atomic.Int64

// certify issues a certificate for a fresh P-256 key.
func certify(t testing.TB, name string, by *party, alter func(*x509.Certificate)) party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certifyKey(t, name, key, by, alter)
}

func certifyKey(t testing.TB, name string, key crypto.Signer, by *party, alter func(*x509.Certificate)) party {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serials.Add(1)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    base.AddDate(-1, 0, 0),
		NotAfter:     base.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	if alter != nil {
		alter(c)
	}
	issuer := party{key, c}
	if by != nil {
		issuer = *by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return party{key, cert}
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

// A world is an authority, an agency it certified, and a server for both kinds
// of sources, all of which can be told to misbehave.
type world struct {
	t      testing.TB
	root   party
	ca     party
	leaf   party
	server *httptest.Server
	asked  atomic.Int64 // requests of any kind

	mu     sync.Mutex
	routes map[string]http.HandlerFunc
	now    time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, routes: map[string]http.HandlerFunc{}, now: base}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		w.mu.Lock()
		serve := w.routes[r.URL.Path]
		w.mu.Unlock()
		if serve == nil {
			http.NotFound(rw, r)
			return
		}
		serve(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.root = certify(t, "root", nil, authority)
	w.ca = certify(t, "issuing authority", &w.root, func(c *x509.Certificate) {
		authority(c)
		c.CRLDistributionPoints = []string{w.server.URL + "/root.crl"}
	})
	w.leaf = w.agency("/ca.crl", "")
	w.serve("/root.crl", w.crl(w.root, nil))
	return w
}

// agency is certified with the sources of the paths given.
func (w *world) agency(crl, responder string) party {
	w.t.Helper()
	return certify(w.t, "agency", &w.ca, func(c *x509.Certificate) {
		if crl != "" {
			c.CRLDistributionPoints = []string{w.server.URL + crl}
		}
		if responder != "" {
			c.OCSPServer = []string{w.server.URL + responder}
		}
	})
}

func (w *world) chain() []*x509.Certificate {
	return []*x509.Certificate{w.leaf.cert, w.ca.cert, w.root.cert}
}

// handle answers requests of the path from now on.
func (w *world) handle(path string, serve http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routes[path] = serve
}

func (w *world) serve(path string, body []byte) {
	w.handle(path, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(body) })
}

// clock is the tests' own; only pass moves it.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// service has its directory and the world's clock.
func (w *world) service(alter func(*Config)) *Service {
	w.t.Helper()
	c := Config{Dir: w.t.TempDir(), Allow: loopback, Now: w.clock, Timeout: 10 * time.Second}
	if alter != nil {
		alter(&c)
	}
	s, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) check(s *Service) exchange.RevocationFinding {
	w.t.Helper()
	return s.Check(w.t.Context(), w.chain(), w.clock())
}

// outcome is what a finding comes down to.
func outcomeOf(f exchange.RevocationFinding) string {
	if f.Reason == "" {
		return string(f.State)
	}
	return string(f.State) + ": " + f.Reason
}

func (w *world) expect(s *Service, want string) exchange.RevocationFinding {
	w.t.Helper()
	f := w.check(s)
	if got := outcomeOf(f); got != want {
		w.t.Fatalf("is %q, want %q; sources: %+v", got, want, s.Sources())
	}
	return f
}

// revoked is an entry of a CRL, of an hour ago.
func revoked(c *x509.Certificate, reason int) x509.RevocationListEntry {
	return x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: base.Add(-time.Hour), ReasonCode: reason}
}

// crl is a list of a day, made just now.
func (w *world) crl(by party, alter func(*x509.RevocationList), entries ...x509.RevocationListEntry) []byte {
	w.t.Helper()
	now := w.clock()
	l := &x509.RevocationList{Number: big.NewInt(10), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour), RevokedCertificateEntries: entries}
	if alter != nil {
		alter(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

// A reply is an OCSP response to be made; the library's own cannot carry a nonce.
type reply struct {
	by         party
	with       []*x509.Certificate // sent along
	name       []byte              // the responder's, if it lies
	keyHash    []byte              // instead of the name
	issuer     *x509.Certificate
	serial     *big.Int
	status     int
	revokedAt  time.Time
	reason     int
	producedAt time.Time
	thisUpdate time.Time
	nextUpdate time.Time
	nonce      []byte
	hash       crypto.Hash
	extensions []pkix.Extension // of the response
	single     []pkix.Extension
	twice      bool
	algorithm  x509.SignatureAlgorithm
}

// reply is a good answer about the leaf, by the authority itself.
func (w *world) reply() reply {
	now := w.clock()
	return reply{by: w.ca, issuer: w.ca.cert, serial: w.leaf.cert.SerialNumber, status: ocsp.Good, producedAt: now, thisUpdate: now, nextUpdate: now.Add(time.Hour), hash: crypto.SHA1}
}

type replySingle struct {
	ID         certID
	Status     asn1.RawValue
	ThisUpdate time.Time        `asn1:"generalized"`
	NextUpdate time.Time        `asn1:"generalized,explicit,tag:0,optional"`
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

type replyData struct {
	Responder  asn1.RawValue
	ProducedAt time.Time `asn1:"generalized"`
	Responses  []replySingle
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (r reply) der() []byte {
	data := replyData{Responder: r.responderID(), ProducedAt: r.producedAt.UTC(), Responses: []replySingle{r.one()}, Extensions: r.extensions}
	if r.twice {
		data.Responses = append(data.Responses, r.one())
	}
	if r.nonce != nil {
		data.Extensions = append(data.Extensions, pkix.Extension{Id: oidNonce, Value: must(asn1.Marshal(r.nonce))})
	}
	signed := must(asn1.Marshal(data))
	signature, algorithm := r.sign(signed)
	basic := basicResponse{Data: asn1.RawValue{FullBytes: signed}, Algorithm: algorithm, Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}
	for _, c := range r.with {
		basic.Certificates = append(basic.Certificates, asn1.RawValue{FullBytes: c.Raw})
	}
	e := envelope{}
	e.Bytes.Type, e.Bytes.Response = oidBasic, must(asn1.Marshal(basic))
	return must(asn1.Marshal(e))
}

// sign has crypto/x509 sign, by way of a certificate request's signature
// algorithms: ECDSA and RSA with SHA-256, or SHA-1 when asked.
func (r reply) sign(signed []byte) ([]byte, pkix.AlgorithmIdentifier) {
	hash, oid := crypto.SHA256, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	if _, isRSA := r.by.key.(*rsa.PrivateKey); isRSA {
		oid = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	}
	if r.algorithm == x509.ECDSAWithSHA1 {
		hash, oid = crypto.SHA1, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
	}
	h := hash.New()
	h.Write(signed)
	return must(r.by.key.Sign(rand.Reader, h.Sum(nil), hash)), pkix.AlgorithmIdentifier{Algorithm: oid}
}

func (r reply) responderID() asn1.RawValue {
	if r.keyHash != nil {
		return asn1.RawValue{Class: 2, Tag: 2, IsCompound: true, Bytes: must(asn1.Marshal(r.keyHash))}
	}
	name := r.name
	if name == nil {
		name = r.by.cert.RawSubject
	}
	return asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: name}
}

func (r reply) one() replySingle {
	digest := func(b []byte) []byte {
		h := r.hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	oid := map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}}[r.hash]
	single := replySingle{
		ID:         certID{pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}, digest(r.issuer.RawSubject), digest(must(keyBits(r.issuer))), r.serial},
		ThisUpdate: r.thisUpdate.UTC(), Extensions: r.single,
	}
	if !r.nextUpdate.IsZero() {
		single.NextUpdate = r.nextUpdate.UTC()
	}
	single.Status = asn1.RawValue{Class: 2, Tag: r.status}
	if r.status == ocsp.Revoked {
		info := must(asn1.MarshalWithParams(struct {
			At     time.Time       `asn1:"generalized"`
			Reason asn1.Enumerated `asn1:"explicit,tag:0"`
		}{r.revokedAt.UTC(), asn1.Enumerated(r.reason)}, "tag:1"))
		single.Status = asn1.RawValue{FullBytes: info}
	}
	return single
}

// answer makes a responder of the path, which sends what alter makes of a good
// answer to the question.
func (w *world) answer(path string, alter func(*reply)) {
	w.handle(path, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reply := w.reply()
		reply.nonce = nonceOf(w.t, body)
		if alter != nil {
			alter(&reply)
		}
		_, _ = rw.Write(reply.der())
	})
}

// nonceOf reads a request's nonce; the library passes extensions over.
func nonceOf(t testing.TB, request []byte) []byte {
	var q struct {
		Data struct {
			List       asn1.RawValue
			Extensions []pkix.Extension `asn1:"explicit,tag:2,optional"`
		}
	}
	if _, err := asn1.Unmarshal(request, &q); err != nil || len(q.Data.Extensions) != 1 {
		t.Errorf("the request has no nonce: %v, %x", err, request)
		return nil
	}
	var nonce []byte
	if _, err := asn1.Unmarshal(q.Data.Extensions[0].Value, &nonce); err != nil {
		t.Error(err)
	}
	return nonce
}

// hugeRSA is a public key eight times as long.
func hugeRSA(key crypto.PublicKey) crypto.PublicKey {
	k := *key.(*rsa.PublicKey)
	k.N = new(big.Int).Lsh(k.N, 7*2048)
	return &k
}

// listOf is a list of the numbers; crypto/x509 makes none of negative ones.
func listOf(t testing.TB, by party, numbers []*big.Int) []byte {
	t.Helper()
	return listUntil(t, by, numbers, base.Add(24*time.Hour))
}

// endless is a list without nextUpdate, which crypto/x509 makes neither.
func endless(t testing.TB, by party) []byte { return listUntil(t, by, nil, time.Time{}) }

func listUntil(t testing.TB, by party, numbers []*big.Int, next time.Time) []byte {
	t.Helper()
	type one struct {
		Number  *big.Int
		Revoked time.Time
	}
	entries := make([]one, 0, len(numbers))
	for _, n := range numbers {
		entries = append(entries, one{n, base.Add(-time.Hour)})
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	signed, err := asn1.Marshal(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		This       time.Time
		Next       time.Time `asn1:"optional"`
		Entries    []one
		Extensions []pkix.Extension `asn1:"explicit,tag:0"`
	}{1, algorithm, asn1.RawValue{FullBytes: by.cert.RawSubject}, base, next, entries,
		[]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: []byte{2, 1, 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	signature, _ := reply{by: by}.sign(signed)
	return must(asn1.Marshal(struct {
		Signed    asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: signed}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}))
}

// silent never answers. A server notices that its caller has left once it has
// read the request.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}
