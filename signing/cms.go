package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
)

// maxAttributes bounds the attributes of a signer, and the certificates that it
// names.
const maxAttributes = 20

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12} // by SHA-1
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSignatureTime = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14} // a time-stamp on the signature
)

// signedData is a CMS SignedData with one signer (RFC 5652, 5.1): its form holds,
// nothing else.
type signedData struct {
	kind    asn1.ObjectIdentifier // of the content
	content []byte                // as it is signed; nil: it is elsewhere
	certs   []*x509.Certificate   // the bag: not signed, in any order
	signer  cmsSigner
}

// cmsSigner is a SignerInfo (RFC 5652, 5.3).
type cmsSigner struct {
	name      certificateName
	digests   algorithm   // of the content and of the attributes
	hash      crypto.Hash // the same; 0: none that is accepted
	attrs     []byte      // the signed attributes, as a SET: what is signed; nil: none
	digest    []byte      // of the content, as the attributes say
	time      []byte      // the value of signing-time, DER; nil: not said
	cert      essCert
	method    algorithm
	signature []byte
	stamp     []byte // a time-stamp token over the signature, DER, not signed; nil: none
}

// certificateName finds a certificate: by issuer and serial number, or by key
// identifier.
type certificateName struct {
	issuer []byte // DER of its Name; nil: not said
	serial *big.Int
	keyID  []byte
}

// essCert binds a certificate into what is signed (RFC 5035, ESSCertIDv2).
type essCert struct {
	hash   crypto.Hash // 0: there is none
	digest []byte
	name   certificateName
	sha1   bool // an ESSCertID, of SHA-1, is all there is
}

// cms is one use of CMS. The strict one is a time-stamp token: one form of each
// thing, and nothing that is not signed but certificates. Signatures in PDF files
// come from many programs: what RFC 5652 lets stand there is passed over, as long as
// it changes nothing.
type cms struct {
	kind   asn1.ObjectIdentifier // of the content
	strict bool
}

// read reads a ContentInfo, DER to its last byte, with a SignedData in it. It
// returns the reader too, for what is to be read further on: a refusal counts only
// if the reading has no flaw.
func (c cms) read(b []byte) (*signedData, *der, *Error) {
	top := newDER(b, "ContentInfo")
	info := top.sequence("ContentInfo")
	top.end()
	kind := info.oid()
	wrapped := info.tagged(0, "ContentInfo")
	info.end()
	data := wrapped.sequence("SignedData")
	wrapped.end()
	if *top.flaw == "" && !kind.Equal(oidSignedData) {
		return nil, top, refusef(TimeStampForm, "its content type is %s", kind.String())
	}
	s, refusal := c.signedData(data)
	return s, top, refusal
}

// signedData reads RFC 5652, 5.1.
func (c cms) signedData(d *der) (*signedData, *Error) {
	if version := d.integer(); c.strict && !isInt(version, 3) { // 5.1: for content that is not plain data, with plain certificates
		d.fail()
	}
	digests := d.set("DigestAlgorithmIdentifiers")
	var digest crypto.Hash
	if c.strict {
		digest = digests.algorithm().digest()
		digests.end() // one signer, one digest
	}
	s := &signedData{}
	encapsulated := d.sequence("EncapsulatedContentInfo")
	s.kind = encapsulated.oid()
	if c.strict || encapsulated.more() {
		wrapped := encapsulated.tagged(0, "EncapsulatedContentInfo")
		s.content = wrapped.octets()
		wrapped.end()
	}
	encapsulated.end()
	if !s.kind.Equal(c.kind) {
		return nil, refusef(TimeStampForm, "it encapsulates content of type %s", s.kind.String())
	}
	var refusal *Error
	if d.is(asn1.ClassContextSpecific, 0) {
		if s.certs, refusal = c.certificates(d.tagged(0, "CertificateSet")); refusal != nil {
			return nil, refusal
		}
	}
	if d.is(asn1.ClassContextSpecific, 1) {
		if d.any(); c.strict {
			return nil, refusef(TimeStampForm, "it carries revocation lists, which nobody signed with it")
		}
	}
	signers := d.set("SignerInfos")
	d.end()
	if s.signer, refusal = c.signer(signers.sequence("SignerInfo")); refusal != nil {
		return nil, refusal
	}
	if signers.more() {
		return nil, refusef(TimeStampForm, "it has more than one signer")
	}
	if c.strict && s.signer.hash != digest {
		d.fail()
	}
	return s, nil
}

func isInt(n *big.Int, want int64) bool { return n.IsInt64() && n.Int64() == want }

func (c cms) certificates(d *der) ([]*x509.Certificate, *Error) {
	var certs []*x509.Certificate
	for d.more() {
		if len(certs) == maxCertificates {
			if c.strict {
				return nil, refusef(TimeStampForm, "more than %d certificates", maxCertificates)
			}
			break
		}
		if !c.strict && !d.is(asn1.ClassUniversal, asn1.TagSequence) {
			d.any() // of another kind (RFC 5652, 10.2.2)
			continue
		}
		raw := d.take(asn1.ClassUniversal, asn1.TagSequence, true)
		parts := &der{raw.Bytes, "Certificate", d.flaw} // crypto/x509 passes over a fourth one
		for range 3 {
			parts.any()
		}
		if parts.end(); *d.flaw != "" {
			return nil, nil // the flaw says it
		}
		cert, err := x509.ParseCertificate(raw.FullBytes)
		switch {
		case err == nil:
			certs = append(certs, cert)
		case c.strict:
			return nil, refusef(TimeStampForm, "the certificate reader says %q", err.Error())
		}
	}
	return certs, nil
}

// signer reads RFC 5652, 5.3. The version tells how the certificate is named.
func (c cms) signer(d *der) (s cmsSigner, refusal *Error) {
	version, want := d.integer(), int64(3)
	if d.is(asn1.ClassContextSpecific, 0) {
		s.name.keyID = d.take(asn1.ClassContextSpecific, 0, false).Bytes
	} else {
		name := d.sequence("IssuerAndSerialNumber")
		s.name.issuer, s.name.serial = name.any().FullBytes, name.integer()
		name.end()
		want = 1
	}
	if c.strict && !isInt(version, want) {
		d.fail()
	}
	s.digests = d.algorithm()
	if s.hash = s.digests.digest(); s.hash == 0 && c.strict {
		return s, refusef(TimeStampAlgorithm, "the signer's digest is not SHA-256, SHA-384 or SHA-512")
	}
	if c.strict || d.is(asn1.ClassContextSpecific, 0) {
		attributes := d.take(asn1.ClassContextSpecific, 0, true)
		if refusal = c.attributes(&s, &der{attributes.Bytes, "SignedAttributes", d.flaw}); refusal != nil {
			return s, refusal
		}
		// 5.4: what is signed is the SET itself, in DER. It is in DER already, so
		// only the tag, which says where it stands in the SignerInfo, is another.
		s.attrs = append([]byte{asn1.TagSet | 0x20}, bytes.TrimPrefix(attributes.FullBytes, []byte{0xA0})...)
	}
	s.method, s.signature = d.algorithm(), d.octets()
	if d.is(asn1.ClassContextSpecific, 1) {
		if c.strict {
			return s, refusef(TimeStampForm, "it has attributes that are not signed")
		}
		s.stamp = stampIn(d.tagged(1, "UnsignedAttributes"))
	}
	d.end()
	return s, nil
}

// stampIn finds the first time-stamp on the signature (RFC 3161, appendix A).
func stampIn(d *der) (token []byte) {
	for n := 0; d.more() && n < maxAttributes; n++ {
		a := d.sequence("UnsignedAttributes")
		kind := a.oid()
		values := a.set("UnsignedAttributes")
		a.end()
		if kind.Equal(oidSignatureTime) && token == nil && values.more() {
			token = values.any().FullBytes
		}
	}
	return token
}

// attributes reads the signed attributes: each kind once, in the order of DER, and
// of those that count exactly one value (RFC 5652, 11; RFC 5035, 3). The order in
// a PDF is the signer's own affair: what was signed is what stands there.
func (c cms) attributes(s *cmsSigner, d *der) *Error {
	var seen []string
	var last []byte
	for d.more() {
		v := d.take(asn1.ClassUniversal, asn1.TagSequence, true)
		a := &der{v.Bytes, "SignedAttributes", d.flaw}
		kind := a.oid()
		values := a.set("SignedAttributes")
		a.end()
		if c.strict && bytes.Compare(last, v.FullBytes) >= 0 || slices.Contains(seen, kind.String()) || len(seen) == maxAttributes {
			d.fail()
		}
		last, seen = v.FullBytes, append(seen, kind.String())
		if refusal := c.attribute(s, kind, values); refusal != nil {
			return refusal
		}
	}
	switch {
	case !slices.Contains(seen, oidContentType.String()):
		return refusef(TimeStampForm, "the attribute content-type is missing")
	case !slices.Contains(seen, oidMessageDigest.String()):
		return refusef(TimeStampForm, "the attribute message-digest is missing")
	}
	return nil
}

func (c cms) attribute(s *cmsSigner, kind asn1.ObjectIdentifier, values *der) *Error {
	switch {
	case kind.Equal(oidContentType):
		if kind := values.oid(); !kind.Equal(c.kind) {
			return refusef(TimeStampForm, "the attribute content-type is %s", kind.String())
		}
		values.end()
	case kind.Equal(oidMessageDigest):
		s.digest = values.octets()
		values.end()
	case kind.Equal(oidSigningTime):
		s.time = values.rest
	case kind.Equal(oidSigningCert):
		s.cert.sha1 = true
	case kind.Equal(oidSigningCertV2):
		list := values.sequence("SigningCertificateV2")
		values.end()
		return s.cert.read(list.sequence("SigningCertificateV2"))
	}
	return nil
}

// read takes the first of the certificates that the signer names, which is the
// signer's own (RFC 5035, 4).
func (c *essCert) read(d *der) *Error {
	first := d.sequence("ESSCertIDv2")
	c.hash = crypto.SHA256 // by default
	if first.is(asn1.ClassUniversal, asn1.TagSequence) {
		if c.hash = first.algorithm().digest(); c.hash == 0 {
			return refusef(TimeStampAlgorithm, "the certificate is named by another digest than SHA-256, SHA-384 or SHA-512")
		}
	}
	c.digest = first.octets()
	if first.more() {
		name := first.sequence("IssuerSerial")
		names := name.sequence("GeneralNames")
		const directoryName = 4
		if names.is(asn1.ClassContextSpecific, directoryName) {
			directory := names.tagged(directoryName, "GeneralNames")
			c.name.issuer = directory.any().FullBytes
			directory.end()
		}
		c.name.serial = name.integer()
		name.end()
	}
	first.end()
	return nil
}

// certificate finds the certificate that a signer names. The bag is not signed:
// whoever holds it can put others first, or with the same issuer and serial number;
// where the signed attributes name the certificate by its digest, that decides.
// nil: it is not there.
func (s *signedData) certificate() *x509.Certificate {
	ess := s.signer.cert
	i := slices.IndexFunc(s.certs, func(c *x509.Certificate) bool {
		return (ess.hash == 0 || bytes.Equal(sum(ess.hash, c.Raw), ess.digest)) && s.signer.name.fits(c) && ess.name.fits(c)
	})
	if i < 0 {
		return nil
	}
	return s.certs[i]
}

// fits reports whether what is said of a certificate is true of this one.
func (n certificateName) fits(c *x509.Certificate) bool {
	return (n.issuer == nil || bytes.Equal(n.issuer, c.RawIssuer)) &&
		(n.serial == nil || n.serial.Cmp(c.SerialNumber) == 0) &&
		(n.keyID == nil || bytes.Equal(n.keyID, c.SubjectKeyId))
}

// verify checks the signature over the attributes (RFC 5652, 5.4 and 5.6). Whether
// the content has the digest that they say is for the caller to compare.
func (s cmsSigner) verify(cert *x509.Certificate) error {
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
