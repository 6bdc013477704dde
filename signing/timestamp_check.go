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
	if err := p.checkImprint(sum(p.info.hash, data)); err != nil {
		return TimeStamp{}, err
	}
	return t.checkToken(p)
}

// checkToken checks all of a token but what it is over.
func (t *Trust) checkToken(p *timeStampToken) (TimeStamp, error) {
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

// checkImprint says whether the token is over data of this digest.
func (p *timeStampToken) checkImprint(digest []byte) error {
	if !bytes.Equal(p.info.imprint, digest) {
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

// checkSignature verifies the content's digest and the signature over the
// attributes (RFC 5652, 5.4 and 5.6).
func (p *timeStampToken) checkSignature(cert *x509.Certificate) error {
	s := p.signer
	if !bytes.Equal(s.digest, sum(s.hash, p.content)) {
		return refusef(TimeStampSignature, "what it states was changed")
	}
	return s.verify(cert)
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
