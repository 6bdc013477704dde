package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
)

// CheckTimeStamp checks a token whole (RFC 3161, 2.4.2; RFC 5035, 5; EN 319 422):
// that it is over data, that the certificate it names signed it, that this
// certificate is for time-stamping and nothing else, and that it led to one of the
// roots at the time that the token says. The roots are those of time-stamp
// authorities: what may sign documents must not be able to date them. Whether the
// authority's certificate was revoked is not asked. The errors are *Error.
func (t *Trust) CheckTimeStamp(token, data []byte) (TimeStamp, error) {
	p, err := parseTimeStamp(token)
	if err != nil {
		return TimeStamp{}, err
	}
	if err := p.checkImprint(data); err != nil {
		return TimeStamp{}, err
	}
	cert, err := p.certificate()
	if err != nil {
		return TimeStamp{}, err
	}
	if err := p.checkSignature(cert); err != nil {
		return TimeStamp{}, err
	}
	if err := checkTimeStamping(cert); err != nil {
		return TimeStamp{}, err
	}
	if err := t.checkAuthority(cert, p); err != nil {
		return TimeStamp{}, err
	}
	return TimeStamp{Time: p.info.time, Accuracy: p.info.accuracy, Ordering: p.info.ordering, Policy: p.info.policy.String(),
		Serial: p.info.serial, Hash: p.info.hash, Authority: cert}, nil
}

// checkImprint says whether the token is over data.
func (p *timeStampToken) checkImprint(data []byte) error {
	if !bytes.Equal(p.info.imprint, sum(p.info.hash, data)) {
		return Refuse(TimeStampImprint, "")
	}
	return nil
}

func sum(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// certificate finds the certificate that the signed attributes name by its
// digest. The bag is not signed: whoever holds the token can put others first, or
// with the same issuer and serial number.
func (p *timeStampToken) certificate() (*x509.Certificate, error) {
	ess := p.signer.cert
	if ess.hash == 0 && ess.sha1 {
		return nil, refusef(TimeStampAlgorithm, "the certificate is named by SHA-1 alone")
	}
	if ess.hash == 0 {
		return nil, refusef(TimeStampCertificate, "the signer names no certificate (signing-certificate-v2)")
	}
	i := slices.IndexFunc(p.certs, func(c *x509.Certificate) bool { return bytes.Equal(sum(ess.hash, c.Raw), ess.digest) })
	if i < 0 {
		return nil, refusef(TimeStampCertificate, "the token does not carry the certificate that its signer names")
	}
	if cert := p.certs[i]; p.signer.name.fits(cert) && ess.name.fits(cert) {
		return cert, nil
	}
	return nil, refusef(TimeStampCertificate, "the signer names two certificates")
}

// fits reports whether what is said of a certificate is true of this one.
func (n certificateName) fits(c *x509.Certificate) bool {
	return (n.issuer == nil || bytes.Equal(n.issuer, c.RawIssuer)) &&
		(n.serial == nil || n.serial.Cmp(c.SerialNumber) == 0) &&
		(n.keyID == nil || bytes.Equal(n.keyID, c.SubjectKeyId))
}

// checkSignature verifies the content's digest and the signature over the
// attributes (RFC 5652, 5.4 and 5.6).
func (p *timeStampToken) checkSignature(cert *x509.Certificate) error {
	s := p.signer
	if !bytes.Equal(s.digest, sum(s.hash, p.content)) {
		return refusef(TimeStampSignature, "what it states was changed")
	}
	if refusal := checkKey(cert.PublicKey); refusal != nil {
		return untrustedAuthority(refusal)
	}
	method := s.method.signature(s.hash)
	if method == x509.UnknownSignatureAlgorithm {
		return refusef(TimeStampAlgorithm, "signature algorithm %s with a digest of %s", s.method.id.String(), s.hash.String())
	}
	if cert.CheckSignature(method, s.attrs, s.signature) != nil {
		return Refuse(TimeStampSignature, "")
	}
	return nil
}

// signature is the algorithm of a signature with this digest, and Unknown if that
// is not accepted. Names that bring a digest of their own must bring the same.
func (a algorithm) signature(hash crypto.Hash) x509.SignatureAlgorithm {
	type kind struct {
		id     asn1.ObjectIdentifier
		hash   crypto.Hash
		method x509.SignatureAlgorithm
		rsa    bool
	}
	for _, k := range []kind{
		{oidRSA, crypto.SHA256, x509.SHA256WithRSA, true}, {oidRSAWithSHA256, crypto.SHA256, x509.SHA256WithRSA, true},
		{oidRSA, crypto.SHA384, x509.SHA384WithRSA, true}, {oidRSAWithSHA384, crypto.SHA384, x509.SHA384WithRSA, true},
		{oidRSA, crypto.SHA512, x509.SHA512WithRSA, true}, {oidRSAWithSHA512, crypto.SHA512, x509.SHA512WithRSA, true},
		{oidECDSASHA256, crypto.SHA256, x509.ECDSAWithSHA256, false},
		{oidECDSASHA384, crypto.SHA384, x509.ECDSAWithSHA384, false},
		{oidECDSASHA512, crypto.SHA512, x509.ECDSAWithSHA512, false},
		{oidEd25519, crypto.SHA512, x509.PureEd25519, false}, // RFC 8419, 3.1
	} {
		// RSA has NULL (RFC 3370, 3.2), the others nothing (RFC 5758, 3.2; RFC 8419, 2.1).
		bare := a.parameters == nil || a.plain() && k.rsa
		if a.id.Equal(k.id) && hash == k.hash && bare {
			return k.method
		}
	}
	if a.id.Equal(oidRSAPSS) && fitsPSS(a.parameters, hash) {
		return map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSAPSS,
			crypto.SHA384: x509.SHA384WithRSAPSS, crypto.SHA512: x509.SHA512WithRSAPSS}[hash]
	}
	return x509.UnknownSignatureAlgorithm
}

// fitsPSS holds the parameters to the one form in use: the digest in both places,
// and a salt of its length (RFC 4055, 3.1).
func fitsPSS(parameters []byte, hash crypto.Hash) bool {
	top := newDER(parameters, "RSASSA-PSS-params")
	d := top.sequence("RSASSA-PSS-params")
	top.end()
	first, second, third := d.tagged(0, ""), d.tagged(1, ""), d.tagged(2, "")
	d.end()
	digest, mask, salt := first.algorithm(), second.algorithm(), third.integer()
	inner := newDER(mask.parameters, "")
	masked := inner.algorithm()
	inner.end()
	return *top.flaw == "" && *inner.flaw == "" && mask.id.Equal(oidMGF1) &&
		digest.digest() == hash && masked.digest() == hash && isInt(salt, int64(hash.Size()))
}

// checkTimeStamping holds the certificate to its one purpose (RFC 3161, 2.3).
func checkTimeStamping(c *x509.Certificate) error {
	const signs = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	oidEKU := asn1.ObjectIdentifier{2, 5, 29, 37}
	critical := false
	for _, e := range c.Extensions {
		critical = critical || e.Id.Equal(oidEKU) && e.Critical
	}
	switch {
	case !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}) || len(c.UnknownExtKeyUsage) > 0:
		return refusef(TimeStampPurpose, "the extended key usage of %s must be timeStamping alone", subject(c))
	case !critical:
		return refusef(TimeStampPurpose, "the extended key usage of %s must be critical", subject(c))
	case c.IsCA || c.KeyUsage&signs == 0 || c.KeyUsage&^signs != 0:
		return refusef(TimeStampPurpose, "the key usage of %s must be digitalSignature or nonRepudiation alone", subject(c))
	}
	return nil
}

// checkAuthority finds the chain, as it was at the time that the token says. The
// bag's other certificates help to find it.
func (t *Trust) checkAuthority(cert *x509.Certificate, p *timeStampToken) error {
	if err := checkDates(cert, p.info.time, 0); err != nil {
		return untrustedAuthority(err)
	}
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots:         t.roots,
		Intermediates: t.withHints(p.certs),
		CurrentTime:   p.info.time,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping},
	})
	if err != nil {
		return untrustedAuthority(chainRefusal(err, cert))
	}
	if _, err := best(chains); err != nil {
		return untrustedAuthority(err)
	}
	return nil
}

// untrustedAuthority is a refusal of the authority's certificate, with the rule by
// which the certificate would be refused for signing.
func untrustedAuthority(err error) error {
	var cause *Error
	if !errors.As(err, &cause) {
		return err
	}
	refusal := Refuse(TimeStampUntrusted, string(cause.Rule)+": "+cause.Detail)
	if cause.vi != "" {
		refusal.vi = string(cause.Rule) + ": " + cause.vi
	}
	refusal.Err = cause.Err
	return refusal
}
