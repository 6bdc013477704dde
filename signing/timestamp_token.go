package signing

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"
)

// maxTimeStamp is the most bytes of a token, or of an authority's answer.
const maxTimeStamp = 64 << 10

// maxAttributes bounds the signed attributes of a token, and the certificates
// that its signer names.
const maxAttributes = 20

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCert   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12} // by SHA-1
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
)

// A timeStampToken is a token that was read: its form holds, nothing else.
type timeStampToken struct {
	info    tstInfo
	content []byte              // the TSTInfo as it is signed
	certs   []*x509.Certificate // the bag: not signed, in any order
	signer  timeStampSigner
}

// tstInfo is what a token states (RFC 3161, 2.4.2).
type tstInfo struct {
	policy   asn1.ObjectIdentifier
	hash     crypto.Hash
	imprint  []byte
	serial   *big.Int
	time     time.Time
	accuracy time.Duration
	ordering bool
	nonce    *big.Int // nil: none
}

// timeStampSigner is the one SignerInfo (RFC 5652, 5.3).
type timeStampSigner struct {
	name      certificateName
	hash      crypto.Hash // of the content and of the attributes
	attrs     []byte      // the signed attributes, as a SET: what is signed
	digest    []byte      // of the content, as the attributes say
	cert      essCert
	method    algorithm
	signature []byte
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

// parseTimeStamp reads a token: DER to the last byte, version and content type,
// exactly one signer, and nothing that is not signed but certificates.
func parseTimeStamp(token []byte) (*timeStampToken, error) {
	if len(token) > maxTimeStamp {
		return nil, refusef(TimeStampForm, "more than %d bytes", maxTimeStamp)
	}
	top := newDER(token, "ContentInfo")
	info := top.sequence("ContentInfo")
	top.end()
	kind := info.oid()
	wrapped := info.tagged(0, "ContentInfo")
	info.end()
	data := wrapped.sequence("SignedData")
	wrapped.end()
	if *top.flaw == "" && !kind.Equal(oidSignedData) {
		return nil, refusef(TimeStampForm, "its content type is %s", kind.String())
	}
	t, refusal := readSignedData(data)
	if *top.flaw != "" {
		return nil, malformedTimeStamp(*top.flaw)
	}
	if refusal != nil {
		return nil, refusal
	}
	return t, nil
}

// readSignedData reads RFC 5652, 5.1. A refusal counts only if the reading has
// no flaw.
func readSignedData(d *der) (*timeStampToken, *Error) {
	if !isInt(d.integer(), 3) { // 5.1: for content that is not plain data, with plain certificates
		d.fail()
	}
	digests := d.set("DigestAlgorithmIdentifiers")
	digest := digests.algorithm().digest()
	digests.end() // one signer, one digest
	t := &timeStampToken{}
	encapsulated := d.sequence("EncapsulatedContentInfo")
	kind := encapsulated.oid()
	wrapped := encapsulated.tagged(0, "EncapsulatedContentInfo")
	encapsulated.end()
	t.content = wrapped.octets()
	wrapped.end()
	if !kind.Equal(oidTSTInfo) {
		return nil, refusef(TimeStampForm, "it encapsulates content of type %s", kind.String())
	}
	var refusal *Error
	if d.is(asn1.ClassContextSpecific, 0) {
		if t.certs, refusal = readCertificates(d.tagged(0, "CertificateSet")); refusal != nil {
			return nil, refusal
		}
	}
	if d.is(asn1.ClassContextSpecific, 1) {
		return nil, refusef(TimeStampForm, "it carries revocation lists, which nobody signed with it")
	}
	signers := d.set("SignerInfos")
	d.end()
	if t.signer, refusal = readSigner(signers.sequence("SignerInfo")); refusal != nil {
		return nil, refusal
	}
	if signers.more() {
		return nil, refusef(TimeStampForm, "it has more than one signer")
	}
	if t.signer.hash != digest {
		d.fail()
	}
	content := &der{t.content, "TSTInfo", d.flaw}
	inner := content.sequence("TSTInfo")
	content.end()
	t.info, refusal = readTSTInfo(inner)
	return t, refusal
}

func isInt(n *big.Int, want int64) bool { return n.IsInt64() && n.Int64() == want }

func readCertificates(d *der) ([]*x509.Certificate, *Error) {
	var certs []*x509.Certificate
	for d.more() {
		if len(certs) == maxCertificates {
			return nil, refusef(TimeStampForm, "more than %d certificates", maxCertificates)
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
		if err != nil {
			return nil, refusef(TimeStampForm, "the certificate reader says %q", err.Error())
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// readSigner reads RFC 5652, 5.3. The version tells how the certificate is named.
func readSigner(d *der) (s timeStampSigner, refusal *Error) {
	version, want := d.integer(), int64(3)
	if d.is(asn1.ClassContextSpecific, 0) {
		s.name.keyID = d.take(asn1.ClassContextSpecific, 0, false).Bytes
	} else {
		name := d.sequence("IssuerAndSerialNumber")
		s.name.issuer, s.name.serial = name.any().FullBytes, name.integer()
		name.end()
		want = 1
	}
	if !isInt(version, want) {
		d.fail()
	}
	if s.hash = d.algorithm().digest(); s.hash == 0 {
		return s, refusef(TimeStampAlgorithm, "the signer's digest is not SHA-256, SHA-384 or SHA-512")
	}
	attributes := d.take(asn1.ClassContextSpecific, 0, true)
	if refusal = s.readAttributes(&der{attributes.Bytes, "SignedAttributes", d.flaw}); refusal != nil {
		return s, refusal
	}
	// 5.4: what is signed is the SET itself, in DER. It is in DER already, so
	// only the tag, which says where it stands in the SignerInfo, is another.
	s.attrs = append([]byte{asn1.TagSet | 0x20}, bytes.TrimPrefix(attributes.FullBytes, []byte{0xA0})...)
	s.method, s.signature = d.algorithm(), d.octets()
	if d.is(asn1.ClassContextSpecific, 1) {
		return s, refusef(TimeStampForm, "it has attributes that are not signed")
	}
	d.end()
	return s, nil
}

// readAttributes reads the signed attributes: each kind once, in the order of
// DER, and of those that count exactly one value (RFC 5652, 11; RFC 5035, 3).
func (s *timeStampSigner) readAttributes(d *der) *Error {
	var seen []string
	var last []byte
	for d.more() {
		v := d.take(asn1.ClassUniversal, asn1.TagSequence, true)
		a := &der{v.Bytes, "SignedAttributes", d.flaw}
		kind := a.oid()
		values := a.set("SignedAttributes")
		a.end()
		if bytes.Compare(last, v.FullBytes) >= 0 || slices.Contains(seen, kind.String()) || len(seen) == maxAttributes {
			d.fail()
		}
		last, seen = v.FullBytes, append(seen, kind.String())
		if refusal := s.readAttribute(kind, values); refusal != nil {
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

func (s *timeStampSigner) readAttribute(kind asn1.ObjectIdentifier, values *der) *Error {
	switch {
	case kind.Equal(oidContentType):
		if kind := values.oid(); !kind.Equal(oidTSTInfo) {
			return refusef(TimeStampForm, "the attribute content-type is %s", kind.String())
		}
		values.end()
	case kind.Equal(oidMessageDigest):
		s.digest = values.octets()
		values.end()
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

func readTSTInfo(d *der) (t tstInfo, refusal *Error) {
	if !isInt(d.integer(), 1) {
		d.fail()
	}
	t.policy = d.oid()
	imprint := d.sequence("MessageImprint")
	if t.hash = imprint.algorithm().digest(); t.hash == 0 && *d.flaw == "" {
		return t, refusef(TimeStampAlgorithm, "the imprint is not of SHA-256, SHA-384 or SHA-512")
	}
	t.imprint = imprint.octets()
	imprint.end()
	t.serial = d.integer()
	t.time = readGenTime(d)
	if d.is(asn1.ClassUniversal, asn1.TagSequence) {
		t.accuracy = readAccuracy(d.sequence("Accuracy"))
	}
	if d.is(asn1.ClassUniversal, asn1.TagBoolean) {
		if d.primitive(asn1.TagBoolean, &t.ordering); !t.ordering {
			d.fail() // DER leaves the default out
		}
	}
	if d.is(asn1.ClassUniversal, asn1.TagInteger) {
		t.nonce = d.integer()
	}
	if d.is(asn1.ClassContextSpecific, 0) {
		d.any() // the authority's name as it calls itself: the certificate tells it
	}
	if d.is(asn1.ClassContextSpecific, 1) {
		refusal = readExtensions(d.tagged(1, "Extensions"))
	}
	d.end()
	return t, refusal
}

// readGenTime reads a GeneralizedTime in UTC with a fraction of a second that
// has no trailing zeros, if any (RFC 3161, 2.4.2).
func readGenTime(d *der) time.Time {
	text := string(d.take(asn1.ClassUniversal, asn1.TagGeneralizedTime, false).Bytes)
	at, err := time.Parse("20060102150405Z", text)
	if err != nil || at.Format("20060102150405.999999999Z") != text {
		d.fail()
		return time.Time{}
	}
	return at
}

// readAccuracy adds up seconds, milliseconds and microseconds.
func readAccuracy(d *der) time.Duration {
	var sum time.Duration
	add := func(n *big.Int, unit time.Duration, most int64) {
		if !n.IsInt64() || n.Int64() < 0 || n.Int64() > most {
			d.fail()
			return
		}
		sum += time.Duration(n.Int64()) * unit
	}
	if d.is(asn1.ClassUniversal, asn1.TagInteger) {
		const century = 100 * 366 * 24 * 60 * 60
		add(d.integer(), time.Second, century)
	}
	for tag, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		if d.is(asn1.ClassContextSpecific, tag) {
			v := d.take(asn1.ClassContextSpecific, tag, false)
			n := &der{append([]byte{asn1.TagInteger}, v.FullBytes[min(1, len(v.FullBytes)):]...), "Accuracy", d.flaw}
			add(n.integer(), unit, 999)
		}
	}
	d.end()
	return sum
}

// readExtensions refuses extensions that must be understood: none is known here.
func readExtensions(d *der) *Error {
	for d.more() {
		e := d.sequence("Extension")
		id, critical := e.oid(), false
		if e.is(asn1.ClassUniversal, asn1.TagBoolean) {
			e.primitive(asn1.TagBoolean, &critical)
		}
		e.octets()
		e.end()
		if critical {
			return refusef(TimeStampForm, "it has the critical extension %s", id.String())
		}
	}
	return nil
}
