package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A Sealer signs small documents of ours, receipts and acknowledgements, with
// XAdES baseline B-B (ETSI EN 319 132-1). It may be used by several goroutines
// at once if its key may; the keys of the standard library may.
type Sealer struct {
	signatory
	certDigest string // base64 of the SHA-256 of the certificate
	keyInfo    string // ds:KeyInfo, written once

	first  atomic.Int64  // time of the first seal, in seconds since 1970
	sealed atomic.Uint64 // seals after the first minutes
}

// NewSealer returns a Sealer that signs with key. chain begins with the key's
// certificate; each further certificate has issued the one before it. All of
// them are put into every signature.
func NewSealer(key crypto.Signer, chain []*x509.Certificate) (*Sealer, error) {
	by, err := newSignatory(key, chain)
	if err != nil {
		return nil, fmt.Errorf("preparing a sealer: %w", err)
	}
	return &Sealer{
		signatory:  by,
		certDigest: base64Of(sha256.Sum256(chain[0].Raw)),
		keyInfo:    "<ds:KeyInfo><ds:X509Data>" + by.certificates("ds:") + "</ds:X509Data></ds:KeyInfo>",
	}, nil
}

// Certificate returns the certificate of the sealer's key.
func (s *Sealer) Certificate() *x509.Certificate { return s.chain[0] }

// The signature is written in canonical form. What is hashed alone, the
// SignedInfo and the SignedProperties, differs from what stands in the document
// in its namespace declarations only: as the apex of a canonical form an element
// declares the prefixes that it and its descendants visibly utilise, in the
// document they are declared further out (Exclusive XML Canonicalization 1.0,
// section 2.2).
const (
	declareDS    = ` xmlns:ds="` + nsDS + `"`
	declareXAdES = ` xmlns:xades="` + nsXAdES + `"`

	// Arguments: identifier, time, digest of the certificate; then the
	// declarations on SignedProperties and on the ds: elements inside.
	signedProperties = `<xades:SignedProperties%[4]s Id="p-%[1]s">` +
		`<xades:SignedSignatureProperties>` +
		`<xades:SigningTime>%[2]s</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` +
		`<ds:DigestMethod%[5]s Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue%[5]s>%[3]s</ds:DigestValue>` +
		`</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>` +
		`</xades:SignedSignatureProperties>` +
		`<xades:SignedDataObjectProperties>` +
		`<xades:DataObjectFormat ObjectReference="#r-%[1]s"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>` +
		`</xades:SignedDataObjectProperties>` +
		`</xades:SignedProperties>`

	// Arguments: identifier, signature method, digest of the document, digest of
	// the signed properties; then the declaration on SignedInfo.
	sealedInfo = `<ds:SignedInfo%[5]s>` +
		`<ds:CanonicalizationMethod Algorithm="` + algExcC14N + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="%[2]s"></ds:SignatureMethod>` +
		`<ds:Reference Id="r-%[1]s" URI=""><ds:Transforms>` +
		`<ds:Transform Algorithm="` + algEnveloped + `"></ds:Transform>` +
		`<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>` +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue>%[3]s</ds:DigestValue></ds:Reference>` +
		`<ds:Reference Type="` + typeSignedProperties + `" URI="#p-%[1]s"><ds:Transforms>` +
		`<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>` +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue>%[4]s</ds:DigestValue></ds:Reference>` +
		`</ds:SignedInfo>`

	// Arguments: identifier, SignedInfo, signature value, KeyInfo, SignedProperties.
	sealSignature = `<ds:Signature` + declareDS + ` Id="s-%[1]s">%[2]s<ds:SignatureValue>%[3]s</ds:SignatureValue>%[4]s` +
		`<ds:Object><xades:QualifyingProperties` + declareXAdES + ` Target="#s-%[1]s">%[5]s` +
		`</xades:QualifyingProperties></ds:Object></ds:Signature>`
)

// Seal returns the document with an enveloped signature as the last child of its
// root. The document must be in exclusive canonical form and carry no signature;
// the result, but for its signature, is the same bytes, and is canonical again
// unless the root itself declares the namespace of signatures.
//
// at is the time the signature claims, to the second. Identifiers follow from
// the document's digest, so that an RSA key seals the same document at the same
// time with the same bytes.
//
// Only what was read back is returned. The scanner of Read takes the digests
// again from the final bytes, always; the whole signature is verified during a
// sealer's first minutes and for every 64th document after that, as a key that
// works is not expected to fail in single cases.
func (s *Sealer) Seal(canonical []byte, at time.Time) ([]byte, error) {
	end, err := rootEnd(canonical)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	w, err := s.write(canonical, at)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	sealed := make([]byte, 0, len(canonical)+len(w.signature))
	sealed = append(sealed, canonical[:end]...)
	sealed = append(sealed, w.signature...)
	sealed = append(sealed, canonical[end:]...)
	if err := s.readBack(sealed, w, at); err != nil {
		return nil, fmt.Errorf("sealing: reading back what was sealed: %w", err)
	}
	return sealed, nil
}

// writing is a ds:Signature and the digests that it signs.
type writing struct {
	signature            []byte
	document, properties [sha256.Size]byte
}

func (s *Sealer) write(canonical []byte, at time.Time) (writing, error) {
	w := writing{document: sha256.Sum256(canonical)}
	id := hex.EncodeToString(w.document[:16]) // long enough that no document can be made to contain its own
	signedAt := at.UTC().Format(time.RFC3339)

	apex := fmt.Appendf(nil, signedProperties, id, signedAt, s.certDigest, declareXAdES, declareDS)
	w.properties = sha256.Sum256(apex)

	document, properties := base64Of(w.document), base64Of(w.properties)
	apex = fmt.Appendf(apex[:0], sealedInfo, id, s.method, document, properties, declareDS)
	value, err := s.sign(apex)
	if err != nil {
		return writing{}, err
	}
	w.signature = fmt.Appendf(nil, sealSignature, id,
		fmt.Sprintf(sealedInfo, id, s.method, document, properties, ""),
		value, s.keyInfo,
		fmt.Sprintf(signedProperties, id, signedAt, s.certDigest, "", ""))
	return w, nil
}

func (s *Sealer) readBack(sealed []byte, w writing, at time.Time) error {
	inspect := s.inspects(at)
	read := newScanner(bytes.NewReader(sealed), Options{NoDigest: true, scanOnly: !inspect})
	defer read.release()
	if err := read.document(); err != nil {
		return err
	}
	if [sha256.Size]byte(read.canon.sum()) != w.document {
		return errors.New("its canonical form is not what was sealed: the document must be in exclusive canonical form")
	}
	if !bytes.Equal(read.sig.digest, w.properties[:]) {
		return errors.New("the signed properties are read otherwise than they were signed")
	}
	if !inspect {
		return nil
	}
	return s.verify(read)
}

// inspects says whether the document sealed at the time given is one of those
// whose signature is verified as a whole.
func (s *Sealer) inspects(at time.Time) bool {
	const firstMinutes, sample = 5 * 60, 64
	s.first.CompareAndSwap(0, at.Unix())
	return at.Unix()-s.first.Load() < firstMinutes || s.sealed.Add(1)%sample == 0
}

// rootEnd returns where the end tag of the root begins, which in a canonical
// document is the last tag.
func rootEnd(canonical []byte) (int, error) {
	end := bytes.LastIndex(canonical, []byte("</"))
	if end < 0 {
		return 0, errors.New("the document is not in canonical form: it has no end tag")
	}
	name, closed := bytes.CutSuffix(canonical[end+2:], []byte(">"))
	rest, same := bytes.CutPrefix(canonical, append([]byte("<"), name...))
	if !closed || !same || len(name) == 0 || !bytes.ContainsAny(rest[:1], " >") {
		return 0, fmt.Errorf("the document is not in canonical form: it must begin with its root and end with the root's end tag, not with %.40q", canonical[end:])
	}
	return end, nil
}
