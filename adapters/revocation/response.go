package revocation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1" // identifies an issuer (RFC 6960, 4.1.1 and 4.2.1); nothing rests on it
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

var (
	oidBasic     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidNoCheck   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidInvalidAt = asn1.ObjectIdentifier{2, 5, 29, 24}
)

// A question is what a response has to answer.
type question struct {
	cert, issuer *x509.Certificate
	nonce        []byte // nil: the question had none, and that of the answer is another's
	demandNonce  bool
	now          time.Time
	skew         time.Duration
	// checked tells whether a responder's certificate without nocheck is good.
	checked func(*x509.Certificate) error
}

// The parts of a response that golang.org/x/crypto/ocsp keeps to itself
// (RFC 6960, 4.2.1). It verifies the signature and reads the status.
type envelope struct {
	Status asn1.Enumerated
	Bytes  struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	} `asn1:"explicit,tag:0,optional"`
}

type basicResponse struct {
	Data         asn1.RawValue
	Algorithm    pkix.AlgorithmIdentifier
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type responseData struct {
	Version    int `asn1:"optional,default:0,explicit,tag:0"`
	Responder  asn1.RawValue
	ProducedAt time.Time `asn1:"generalized"`
	Responses  []singleResponse
	Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
}

type singleResponse struct {
	ID   certID
	Rest asn1.RawValue // the status; what follows it is passed over
}

type certID struct {
	Hash    pkix.AlgorithmIdentifier
	Name    []byte
	Key     []byte
	Subject *big.Int // serial number
}

// read verifies a response and reads the answer in it. Who may have signed is
// decided before anything is computed with a key that came with the response.
func (q question) read(der []byte) (answer, error) {
	basic, err := open(der)
	if err != nil {
		return answer{}, err
	}
	if !answerable(basic.Algorithm.Algorithm) {
		return answer{}, because(exchange.OCSPAlgorithm, "it is signed with algorithm %v", basic.Algorithm.Algorithm)
	}
	responder, err := q.responder(basic.Certificates)
	if err != nil {
		return answer{}, err
	}
	response, err := ocsp.ParseResponseForCert(der, q.cert, nil)
	if err != nil {
		return answer{}, parsed(err)
	}
	if err := response.CheckSignatureFrom(responder); err != nil {
		return answer{}, because(exchange.OCSPSignature, "%w", err)
	}
	if !named(response, responder) {
		return answer{}, because(exchange.OCSPResponder, "it names another responder than %q, who signed", responder.Subject)
	}
	if err := q.about(response.TBSResponseData); err != nil {
		return answer{}, err
	}
	if err := q.fresh(response); err != nil {
		return answer{}, err
	}
	return q.answer(response)
}

// open reads the envelope down to what is signed.
func open(der []byte) (basicResponse, error) {
	var e envelope
	if rest, err := asn1.Unmarshal(der, &e); err != nil || len(rest) > 0 {
		return basicResponse{}, because(exchange.OCSPMalformed, "the bytes are no OCSP response: %v", err)
	}
	switch status := ocsp.ResponseStatus(e.Status); status {
	case ocsp.Success:
	case ocsp.TryLater, ocsp.InternalError:
		return basicResponse{}, because(exchange.OCSPTryLater, "the responder says %q", status)
	default:
		return basicResponse{}, because(exchange.OCSPRefused, "the responder says %q", status)
	}
	var basic basicResponse
	if !e.Bytes.Type.Equal(oidBasic) {
		return basic, because(exchange.OCSPMalformed, "its type is %v", e.Bytes.Type)
	}
	if rest, err := asn1.Unmarshal(e.Bytes.Response, &basic); err != nil || len(rest) > 0 {
		return basic, because(exchange.OCSPMalformed, "its basic response cannot be read: %v", err)
	}
	return basic, nil
}

// answerable are the algorithms that golang.org/x/crypto/ocsp verifies, without
// SHA-1: RSA (PKCS #1 v1.5) and ECDSA with SHA-256, SHA-384 and SHA-512.
func answerable(algorithm asn1.ObjectIdentifier) bool {
	switch algorithm.String() {
	case "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13",
		"1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4":
		return true
	}
	return false
}

// responder is whose key the signature must be of: the issuer, or who the issuer
// certified to answer (RFC 6960, 4.2.2.2). Only the first certificate is looked
// at, as golang.org/x/crypto/ocsp does.
func (q question) responder(certificates []asn1.RawValue) (*x509.Certificate, error) {
	if len(certificates) == 0 {
		return q.issuer, nil
	}
	c, err := x509.ParseCertificate(certificates[0].FullBytes)
	if err != nil {
		return nil, because(exchange.OCSPMalformed, "the responder's certificate cannot be read: %w", err)
	}
	if bytes.Equal(c.RawSubject, q.issuer.RawSubject) && bytes.Equal(c.RawSubjectPublicKeyInfo, q.issuer.RawSubjectPublicKeyInfo) {
		return q.issuer, nil
	}
	return c, q.delegated(c)
}

// delegated wants a certificate directly from the issuer, for answering.
func (q question) delegated(c *x509.Certificate) error {
	if !bytes.Equal(c.RawIssuer, q.issuer.RawSubject) {
		return because(exchange.OCSPResponder, "%q was not certified by %q", c.Subject, q.issuer.Subject)
	}
	if c.IsCA || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return because(exchange.OCSPResponder, "%q has no extended key usage OCSPSigning", c.Subject)
	}
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return because(exchange.OCSPResponder, "%q has no key usage digitalSignature", c.Subject)
	}
	unknown := slices.ContainsFunc(c.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool { return !id.Equal(oidNoCheck) })
	if unknown {
		return because(exchange.OCSPResponder, "%q has critical extensions that are not known: %v", c.Subject, c.UnhandledCriticalExtensions)
	}
	if q.now.Before(c.NotBefore.Add(-q.skew)) || q.now.After(c.NotAfter.Add(q.skew)) {
		return because(exchange.OCSPResponder, "%q is valid from %v to %v", c.Subject, c.NotBefore, c.NotAfter)
	}
	if !allowed(c.SignatureAlgorithm) || !strong(c.PublicKey) {
		return because(exchange.OCSPAlgorithm, "the certificate of %q is signed with %v, or its key is weak", c.Subject, c.SignatureAlgorithm)
	}
	if err := q.issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return because(exchange.OCSPResponder, "%q was not certified by %q: %w", c.Subject, q.issuer.Subject, err)
	}
	if slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNoCheck) }) {
		return nil
	}
	return q.checked(c)
}

// strong are keys that a signature is believed of, and that are not so large
// that a stranger could keep the machine busy with them.
func strong(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521()
	}
	return false
}

// parsed names what golang.org/x/crypto/ocsp found wrong; it has one type of
// error for all.
func parsed(err error) error {
	reason := exchange.OCSPMalformed
	switch text := err.Error(); {
	case strings.HasPrefix(text, "bad signature"):
		reason = exchange.OCSPSignature
	case strings.HasPrefix(text, "no response matching"):
		reason = exchange.OCSPOther
	}
	return &problem{reason, err}
}

// named reports whether the responder is who the response says.
func named(r *ocsp.Response, responder *x509.Certificate) bool {
	if len(r.RawResponderName) > 0 {
		return bytes.Equal(r.RawResponderName, responder.RawSubject)
	}
	key, err := keyBits(responder)
	sum := sha1.Sum(key)
	return err == nil && bytes.Equal(r.ResponderKeyHash, sum[:])
}

// keyBits are the bytes of the key as identifiers digest it.
func keyBits(c *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	return info.Key.RightAlign(), err
}

// about checks what is signed: that the single response with the certificate's
// number is of its issuer, and the nonce.
func (q question) about(signed []byte) error {
	var data responseData
	if rest, err := asn1.Unmarshal(signed, &data); err != nil || len(rest) > 0 {
		return because(exchange.OCSPMalformed, "its data cannot be read: %v", err)
	}
	found := 0
	for _, single := range data.Responses {
		if single.ID.Subject == nil || single.ID.Subject.Cmp(q.cert.SerialNumber) != 0 {
			continue
		}
		found++
		if err := q.sameIssuer(single.ID); err != nil {
			return err
		}
	}
	if found != 1 {
		return because(exchange.OCSPOther, "%d answers have the certificate's number", found)
	}
	return q.checkExtensions(data.Extensions)
}

// hashes are what an issuer may be identified by.
func hashes(id asn1.ObjectIdentifier) crypto.Hash {
	switch id.String() {
	case "1.3.14.3.2.26":
		return crypto.SHA1
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	}
	return 0
}

func (q question) sameIssuer(id certID) error {
	hash := hashes(id.Hash.Algorithm)
	key, err := keyBits(q.issuer)
	if hash == 0 || err != nil {
		return because(exchange.OCSPMalformed, "it identifies the issuer by %v", id.Hash.Algorithm)
	}
	sum := func(b []byte) []byte {
		h := hash.New()
		_, _ = h.Write(b) // a hash.Hash returns no error
		return h.Sum(nil)
	}
	if !bytes.Equal(id.Name, sum(q.issuer.RawSubject)) || !bytes.Equal(id.Key, sum(key)) {
		return because(exchange.OCSPOther, "it is about a certificate of another issuer")
	}
	return nil
}

// checkExtensions compares the nonce (RFC 9654, 2.1). An old response that is
// sent again has another, or none: then only its dates speak for it.
func (q question) checkExtensions(extensions []pkix.Extension) error {
	answered := false
	for _, e := range extensions {
		if !e.Id.Equal(oidNonce) && e.Critical {
			return because(exchange.OCSPMalformed, "critical extension %v is not known", e.Id)
		}
		if !e.Id.Equal(oidNonce) || q.nonce == nil {
			continue
		}
		var nonce []byte
		rest, err := asn1.Unmarshal(e.Value, &nonce)
		if err != nil || len(rest) > 0 || !bytes.Equal(nonce, q.nonce) {
			return because(exchange.OCSPNonce, "its nonce is %x, the question's %x", e.Value, q.nonce)
		}
		answered = true
	}
	if q.demandNonce && !answered {
		return because(exchange.OCSPNonce, "it has none")
	}
	return nil
}

// fresh checks the times (RFC 6960, 4.2.2.1).
func (q question) fresh(r *ocsp.Response) error {
	latest := q.now.Add(q.skew)
	if r.ThisUpdate.After(latest) || r.ProducedAt.After(latest) {
		return because(exchange.OCSPNotYet, "thisUpdate is %v, producedAt %v", r.ThisUpdate, r.ProducedAt)
	}
	if r.NextUpdate.IsZero() {
		if r.ThisUpdate.Add(q.skew).Before(q.now) {
			return because(exchange.OCSPStale, "thisUpdate is %v, and there is no nextUpdate", r.ThisUpdate)
		}
		return nil
	}
	if r.NextUpdate.Before(r.ThisUpdate) {
		return because(exchange.OCSPMalformed, "nextUpdate %v is before thisUpdate %v", r.NextUpdate, r.ThisUpdate)
	}
	if q.now.After(r.NextUpdate.Add(q.skew)) {
		return because(exchange.OCSPStale, "nextUpdate was %v", r.NextUpdate)
	}
	return nil
}

func (q question) answer(r *ocsp.Response) (answer, error) {
	a := answer{thisUpdate: r.ThisUpdate, nextUpdate: r.NextUpdate}
	switch r.Status {
	case ocsp.Good:
		if !a.acquits(q.cert, time.Time{}) {
			return a, because(exchange.RevocationExpiredUnlisted, "%q expired at %v", q.cert.Subject, q.cert.NotAfter)
		}
		return a, nil
	case ocsp.Unknown:
		return a, because(exchange.OCSPUnknown, "the responder says so")
	}
	a.revoked, a.revokedAt, a.reason = true, r.RevokedAt, r.RevocationReason
	if a.revokedAt.IsZero() || a.reason == ocsp.RemoveFromCRL {
		return a, because(exchange.OCSPMalformed, "it is revoked, for reason %d, at %v", a.reason, a.revokedAt)
	}
	for _, e := range r.Extensions {
		if !e.Id.Equal(oidInvalidAt) {
			continue
		}
		when, err := invalidity(e.Value)
		if err != nil {
			return a, because(exchange.OCSPMalformed, "its invalidity date cannot be read")
		}
		a.invalidAt = time.Unix(when, 0).UTC()
	}
	return a, nil
}
