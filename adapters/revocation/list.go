package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

// A list is one CRL that its issuer signed, indexed by serial number.
type list struct {
	number       *big.Int // nil: none was given
	thisUpdate   time.Time
	nextUpdate   time.Time
	keepsExpired time.Time // entries of certificates that expired since are kept; zero: they are not
	scope        scope
	entries      map[serial]entry
	digest       exchange.Digest // of the bytes as they came
}

// A serial is a certificate's serial number: as it is up to 20 bytes, the most
// that RFC 5280, 4.1.2.2 allows, or digested. It holds no pointer, so that the
// garbage collector need not look into an index.
type serial [20]byte

func serialOf(n *big.Int) serial {
	var s serial
	if n.Sign() < 0 || n.BitLen() > 8*len(s) {
		sum := sha256.Sum256([]byte(n.Text(16)))
		copy(s[:], sum[:])
		return s
	}
	n.FillBytes(s[:])
	return s
}

// An entry is one revoked certificate; times are Unix seconds.
type entry struct {
	revoked int64
	invalid int64 // 0: not said
	reason  uint8
}

// find tells what the list says of a certificate; it takes the same time
// however long the list is.
func (l *list) find(n *big.Int) answer {
	a := answer{thisUpdate: l.thisUpdate, nextUpdate: l.nextUpdate}
	e, listed := l.entries[serialOf(n)]
	if !listed {
		return a
	}
	a.revoked, a.reason, a.revokedAt = true, int(e.reason), time.Unix(e.revoked, 0).UTC()
	if e.invalid != 0 {
		a.invalidAt = time.Unix(e.invalid, 0).UTC()
	}
	return a
}

// readList reads a CRL in DER or PEM and verifies that the issuer signed it. It
// does not ask whether it is in force. Entries are read after the signature was
// verified, one by one into the index.
func readList(text []byte, issuer *x509.Certificate) (*list, error) {
	der, err := unarmoured(text)
	if err != nil {
		return nil, err
	}
	parts, err := splitList(der)
	if err != nil {
		return nil, err
	}
	if err := verifyList(parts, issuer); err != nil {
		return nil, err
	}
	l := &list{number: parts.head.Number, thisUpdate: parts.head.ThisUpdate, nextUpdate: parts.head.NextUpdate, digest: exchange.DigestOf(text)}
	if l.nextUpdate.IsZero() {
		return nil, because(exchange.CRLNoUpdate, "there is no nextUpdate")
	}
	if l.nextUpdate.Before(l.thisUpdate) {
		return nil, because(exchange.CRLMalformed, "nextUpdate %v is before thisUpdate %v", l.nextUpdate, l.thisUpdate)
	}
	if err := l.readExtensions(parts.head.Extensions); err != nil {
		return nil, err
	}
	return l, l.readEntries(parts.entries)
}

// unarmoured is the DER inside of PEM (RFC 7468, 7), or the bytes.
func unarmoured(text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return text, nil
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "X509 CRL" {
		return nil, because(exchange.CRLMalformed, "the PEM block is no X509 CRL")
	}
	return block.Bytes, nil
}

// parts are a CRL whose entries are set apart: crypto/x509 would make several
// hundred bytes of each.
type parts struct {
	head    *x509.RevocationList // without entries
	signed  []byte               // what the signature is over
	entries cryptobyte.String    // the revokedCertificates (RFC 5280, 5.1)
}

func splitList(der []byte) (parts, error) {
	var whole, signed cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&whole, asn1.SEQUENCE) || !input.Empty() || !whole.ReadASN1Element(&signed, asn1.SEQUENCE) {
		return parts{}, because(exchange.CRLMalformed, "the bytes are no CRL")
	}
	p := parts{signed: signed}
	before, after, err := p.cut(signed)
	if err != nil {
		return parts{}, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(before)
			b.AddBytes(after)
		})
		b.AddBytes(whole)
	})
	short, err := b.Bytes()
	if err != nil {
		return parts{}, because(exchange.CRLMalformed, "%w", err)
	}
	if p.head, err = x509.ParseRevocationList(short); err != nil {
		return parts{}, because(exchange.CRLMalformed, "%w", err)
	}
	return p, nil
}

// cut takes the entries out of a TBSCertList and returns what is around them.
func (p *parts) cut(signed cryptobyte.String) (before, after []byte, err error) {
	var content cryptobyte.String
	ok := signed.ReadASN1(&content, asn1.SEQUENCE)
	rest := content
	ok = ok && rest.SkipASN1(asn1.INTEGER) && // version
		rest.SkipASN1(asn1.SEQUENCE) && // signature
		rest.SkipASN1(asn1.SEQUENCE) && // issuer
		skipTime(&rest) // thisUpdate
	if !ok {
		return nil, nil, because(exchange.CRLMalformed, "its beginning is not that of a CRL of version 2")
	}
	if rest.PeekASN1Tag(asn1.UTCTime) || rest.PeekASN1Tag(asn1.GeneralizedTime) {
		ok = skipTime(&rest)
	}
	before = content[:len(content)-len(rest)]
	if ok && rest.PeekASN1Tag(asn1.SEQUENCE) {
		ok = rest.ReadASN1(&p.entries, asn1.SEQUENCE)
	}
	if !ok {
		return nil, nil, because(exchange.CRLMalformed, "its entries cannot be read")
	}
	return before, rest, nil
}

func skipTime(s *cryptobyte.String) bool {
	return s.PeekASN1Tag(asn1.UTCTime) && s.SkipASN1(asn1.UTCTime) || s.SkipASN1(asn1.GeneralizedTime)
}

// verifyList wants the signature of the issuer itself, by the key that also
// signed the certificate asked about (RFC 5280, 6.3.3 f and g).
func verifyList(p parts, issuer *x509.Certificate) error {
	if !bytes.Equal(p.head.RawIssuer, issuer.RawSubject) {
		return because(exchange.CRLIssuer, "it was issued by %q, the certificate by %q", p.head.Issuer, issuer.Subject)
	}
	if len(p.head.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(p.head.AuthorityKeyId, issuer.SubjectKeyId) {
		return because(exchange.CRLIssuer, "it was signed by the key %x, the certificate by %x", p.head.AuthorityKeyId, issuer.SubjectKeyId)
	}
	if !issuer.IsCA || issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return because(exchange.CRLUsage, "the certificate of %q has no key usage cRLSign", issuer.Subject)
	}
	if !allowed(p.head.SignatureAlgorithm) {
		return because(exchange.CRLAlgorithm, "it is signed with %v", p.head.SignatureAlgorithm)
	}
	if err := issuer.CheckSignature(p.head.SignatureAlgorithm, p.signed, p.head.Signature); err != nil {
		return because(exchange.CRLSignature, "%w", err)
	}
	return nil
}

// allowed are the algorithms that revocation may rest on: those of certificates,
// without SHA-1.
func allowed(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	}
	return false
}

func (l *list) readEntries(entries cryptobyte.String) error {
	l.entries = make(map[serial]entry, count(entries))
	var n big.Int
	for !entries.Empty() {
		var one, extensions cryptobyte.String
		var revoked time.Time
		var extended bool
		ok := entries.ReadASN1(&one, asn1.SEQUENCE) && one.ReadASN1Integer(&n) && readTime(&one, &revoked) &&
			one.ReadOptionalASN1(&extensions, &extended, asn1.SEQUENCE) && one.Empty()
		if !ok {
			return because(exchange.CRLMalformed, "the entry after %d others cannot be read", len(l.entries))
		}
		e := entry{revoked: revoked.Unix()}
		if err := e.readExtensions(extensions); err != nil {
			return err
		}
		l.add(serialOf(&n), e)
	}
	return nil
}

// add keeps the earlier revocation of a certificate that is listed twice.
func (l *list) add(s serial, e entry) {
	if e.reason == ocsp.RemoveFromCRL {
		return
	}
	if there, twice := l.entries[s]; twice && there.revoked <= e.revoked && there.reason != ocsp.CertificateHold {
		return
	}
	l.entries[s] = e
}

func count(entries cryptobyte.String) int {
	n := 0
	for entries.SkipASN1(asn1.SEQUENCE) {
		n++
	}
	return n
}

func readTime(s *cryptobyte.String, t *time.Time) bool {
	if s.PeekASN1Tag(asn1.UTCTime) {
		return s.ReadASN1UTCTime(t)
	}
	return s.ReadASN1GeneralizedTime(t)
}
