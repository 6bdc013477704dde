package signing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// The signature is written in canonical form. What is hashed alone, the
// SignedInfo and the SignedProperties, differs from what stands in the document
// in its namespace declarations only: as the apex of a canonical form an element
// declares the prefixes that it and its descendants visibly utilise, in the
// document they are declared further out (Exclusive XML Canonicalization 1.0,
// section 2.2).
const (
	declareDS    = ` xmlns:ds="` + nsDS + `"`
	declareXAdES = ` xmlns:xades="` + nsXAdES + `"`

	// Arguments: identifier, time; then the declarations on SignedProperties and
	// on the ds: elements inside. %C is the digest of the certificate.
	signedProperties = `<xades:SignedProperties%3 Id="p-%1">` +
		`<xades:SignedSignatureProperties>` +
		`<xades:SigningTime>%2</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` +
		`<ds:DigestMethod%4 Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue%4>%C</ds:DigestValue>` +
		`</xades:CertDigest></xades:Cert></xades:SigningCertificateV2>` +
		`</xades:SignedSignatureProperties>` +
		`<xades:SignedDataObjectProperties>` +
		`<xades:DataObjectFormat ObjectReference="#r-%1"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>` +
		`</xades:SignedDataObjectProperties>` +
		`</xades:SignedProperties>`

	// Arguments: identifier, digest of the document, digest of the signed
	// properties; then the declaration on SignedInfo. %M is the signature method.
	sealedInfo = `<ds:SignedInfo%4>` +
		`<ds:CanonicalizationMethod Algorithm="` + algExcC14N + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="%M"></ds:SignatureMethod>` +
		`<ds:Reference Id="r-%1" URI=""><ds:Transforms>` +
		`<ds:Transform Algorithm="` + algEnveloped + `"></ds:Transform>` +
		`<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>` +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue>%2</ds:DigestValue></ds:Reference>` +
		`<ds:Reference Type="` + typeSignedProperties + `" URI="#p-%1"><ds:Transforms>` +
		`<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>` +
		`</ds:Transforms><ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue>%3</ds:DigestValue></ds:Reference>` +
		`</ds:SignedInfo>`

	// Around and between the two. Arguments: identifier, signature value. %K are
	// the certificates.
	sealBegin = `<ds:Signature` + declareDS + ` Id="s-%1">`
	sealValue = `<ds:SignatureValue>%2</ds:SignatureValue><ds:KeyInfo><ds:X509Data>%K</ds:X509Data></ds:KeyInfo>` +
		`<ds:Object><xades:QualifyingProperties` + declareXAdES + ` Target="#s-%1">`
	sealEnd = `</xades:QualifyingProperties></ds:Object></ds:Signature>`
)

// A sealForm is the text of a signatory's signatures.
type sealForm struct {
	properties, info, begin, value template
}

func newSealForm(by signatory) sealForm {
	fixed := strings.NewReplacer(
		"%C", base64Of(sha256.Sum256(by.chain[0].Raw)),
		"%M", by.method,
		"%K", by.certificates("ds:"))
	cut := func(text string) template { return newTemplate(fixed.Replace(text)) }
	return sealForm{properties: cut(signedProperties), info: cut(sealedInfo), begin: cut(sealBegin), value: cut(sealValue)}
}

// writing is a ds:Signature and the digests that it signs.
type writing struct {
	signature            []byte
	document, properties [sha256.Size]byte
}

// write writes the signature of a document into the buffer b, which grows if
// need be.
func (s *Sealer) write(b, canonical []byte, at time.Time) (writing, error) {
	w := writing{document: sha256.Sum256(canonical)}
	id := hex.EncodeToString(w.document[:16]) // long enough that no document can be made to contain its own
	signedAt := at.UTC().Format(time.RFC3339)

	b = s.form.properties.append(b[:0], id, signedAt, declareXAdES, declareDS)
	w.properties = sha256.Sum256(b)

	document, properties := base64Of(w.document), base64Of(w.properties)
	b = s.form.info.append(b[:0], id, document, properties, declareDS)
	value, err := s.sign(b)
	if err != nil {
		return writing{}, err
	}
	b = s.form.begin.append(b[:0], id)
	b = s.form.info.append(b, id, document, properties, "")
	b = s.form.value.append(b, id, value)
	b = s.form.properties.append(b, id, signedAt, "", "")
	b = append(b, sealEnd...)
	w.signature = b
	return w, nil
}

func base64Of(digest [sha256.Size]byte) string { return base64.StdEncoding.EncodeToString(digest[:]) }

// A template is a text with places for arguments, written %1, %2 and so on. It
// is cut once, so that filling it in is copying.
type template struct {
	texts  []string // before, between and after the places
	places []int    // which argument stands there, from 0
}

func newTemplate(text string) template {
	var t template
	for {
		before, after, found := strings.Cut(text, "%")
		t.texts = append(t.texts, before)
		if !found {
			return t
		}
		t.places = append(t.places, int(after[0]-'1'))
		text = after[1:]
	}
}

// append fills in the template.
func (t template) append(b []byte, args ...string) []byte {
	for i, place := range t.places {
		b = append(append(b, t.texts[i]...), args[place]...)
	}
	return append(b, t.texts[len(t.places)]...)
}
