package signing

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
)

// maxTimeStamps is how many time-stamps a signature may carry: one, or a few of
// different authorities.
const maxTimeStamps = 4

// encodingDER is the one Encoding of a time-stamp (EN 319 132-1, 5.3; XAdES 1.3.2,
// 7.1.4).
const encodingDER = "http://uri.etsi.org/01903/v1.2.2#DER"

// checkUnsigned reads the one kind of unsigned property that is accepted,
// SignatureTimeStamp (EN 319 132-1, 5.3). Nothing signs it, so that its form is
// closed: no element, attribute or text besides, one token each, and each token
// is an RFC 3161 token over this very signature.
func (v *verification) checkUnsigned(e *Element) error {
	if err := v.shape(e, "Id"); err != nil {
		return err
	}
	if len(e.Children) != 1 || e.Children[0].Name != (Name{nsXAdES, "UnsignedSignatureProperties"}) {
		return v.refuse(e, UnsignedProperties, "")
	}
	list := e.Children[0]
	if err := v.shape(list, "Id"); err != nil {
		return err
	}
	if len(list.Children) == 0 {
		return v.refuse(list, UnsignedProperties, "")
	}
	for _, c := range list.Children {
		if c.Name != (Name{nsXAdES, "SignatureTimeStamp"}) {
			return v.refuse(c, UnsignedProperties, c.Local)
		}
		if len(v.timeStamps) == maxTimeStamps {
			return v.refusef(c, UnsignedProperties, "more than %d time-stamps", maxTimeStamps)
		}
		token, err := v.timeStamp(c)
		if err != nil {
			return err
		}
		v.timeStamps = append(v.timeStamps, token)
	}
	return nil
}

// timeStamp reads one SignatureTimeStamp. Its canonicalisation must be said, and
// be exclusive: what the standard has for one that is not said depends on the
// namespaces around the signature, which it does not cover.
func (v *verification) timeStamp(e *Element) ([]byte, error) {
	if err := v.shape(e, "Id"); err != nil {
		return nil, err
	}
	c := e.Children
	if len(c) != 2 || c[0].Name != (Name{nsDS, "CanonicalizationMethod"}) || c[1].Name != (Name{nsXAdES, "EncapsulatedTimeStamp"}) {
		return nil, v.refusef(e, UnsignedProperties, "it needs CanonicalizationMethod and EncapsulatedTimeStamp, in this order")
	}
	alg, _, err := v.form(c[0], CanonicalizationNotAllowed)
	if err != nil {
		return nil, err
	}
	if alg != algExcC14N || len(c[0].Children) > 0 {
		return nil, v.refuse(c[0], CanonicalizationNotAllowed, excerpt([]byte(alg)))
	}
	if err := v.leaf(c[1], "Id", "Encoding"); err != nil {
		return nil, err
	}
	if encoding, ok := c[1].Attr("", "Encoding"); ok && encoding != encodingDER {
		return nil, v.refusef(c[1], UnsignedProperties, "Encoding %s is not DER", excerpt([]byte(encoding)))
	}
	token, err := v.base64(c[1])
	if err != nil {
		return nil, err
	}
	return token, v.place(c[1], v.checkToken(token))
}

// checkToken finds what can be found without trusting anyone.
func (v *verification) checkToken(token []byte) error {
	p, err := parseTimeStamp(token)
	if err != nil {
		return err
	}
	return p.checkImprint(sum(p.info.hash, v.stamped()))
}

// place gives a refusal the element's place.
func (v *verification) place(e *Element, err error) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return v.placed(e, refusal)
	}
	return err
}

// stamped is the SignatureValue in exclusive canonical form. It holds text alone
// and has no attribute but an Id, so that little can differ: its prefix.
func (v *verification) stamped() []byte {
	e := v.el.Children[1]
	name, declared := e.Local, "xmlns"
	if e.Prefix != "" {
		name, declared = e.Prefix+":"+e.Local, "xmlns:"+e.Prefix
	}
	form := fmt.Appendf(nil, `<%s %s="%s"`, name, declared, nsDS)
	if id, ok := e.Attr("", "Id"); ok {
		form = append(AppendAttr(append(form, ` Id="`...), id), '"')
	}
	form = AppendText(append(form, '>'), e.Text)
	return fmt.Appendf(form, `</%s>`, name)
}

// What AddTimeStamp puts between the signed properties and the end of a document
// sealed by a Sealer. Nothing signs it, and the digest of the document leaves the
// whole signature out, so that the seal holds as before.
const (
	stampBegins = `<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>` +
		`<ds:CanonicalizationMethod Algorithm="` + algExcC14N + `"></ds:CanonicalizationMethod><xades:EncapsulatedTimeStamp>`
	stampEnds = `</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties>`
	sealEnds  = `</xades:QualifyingProperties></ds:Object></ds:Signature>`
)

// ErrNotSealed says that a document does not end as a Sealer ends it.
var ErrNotSealed = errors.New("the document does not end with a signature as Seal writes it")

// AddTimeStamp makes XAdES B-T of a document that a Sealer sealed (B-B): the same
// bytes, with a token over its signature put in. The result is read back: the
// seal holds, and the token is over it. Whether the token holds is
// Trust.CheckTimeStamp's to say.
func AddTimeStamp(sealed, token []byte) ([]byte, error) {
	end := signatureEnd(sealed)
	if end < 0 || !bytes.HasSuffix(sealed[:end], []byte("</xades:SignedProperties>")) {
		return nil, fmt.Errorf("adding a time-stamp: %w", ErrNotSealed)
	}
	stamped := slices.Grow(bytes.Clone(sealed[:end]), len(sealed)-end+len(stampBegins)+len(stampEnds)+base64.StdEncoding.EncodedLen(len(token)))
	stamped = append(stamped, stampBegins...)
	stamped = base64.StdEncoding.AppendEncode(stamped, token)
	stamped = append(stamped, stampEnds...)
	stamped = append(stamped, sealed[end:]...)
	doc, err := Read(bytes.NewReader(stamped), Options{NoDigest: true})
	if err != nil {
		return nil, fmt.Errorf("adding a time-stamp: reading back: %w", err)
	}
	if doc.Signature == nil || len(doc.Signature.TimeStamps) != 1 || !bytes.Equal(doc.Signature.TimeStamps[0], token) {
		return nil, errors.New("adding a time-stamp: reading back: it is not seen")
	}
	return stamped, nil
}

// WithoutTimeStamp gives back the document that AddTimeStamp was given, byte for
// byte, and the token. A document without a time-stamp is returned as it is, with
// no token; so is one that got its time-stamp in another way.
func WithoutTimeStamp(document []byte) (sealed, token []byte) {
	end := signatureEnd(document)
	if end < 0 || !bytes.HasSuffix(document[:end], []byte(stampEnds)) {
		return document, nil
	}
	text := document[:end-len(stampEnds)]
	begin := bytes.LastIndex(text, []byte(stampBegins))
	if begin < 0 {
		return document, nil
	}
	token, err := base64.StdEncoding.Strict().AppendDecode(nil, text[begin+len(stampBegins):])
	if err != nil || bytes.ContainsAny(text[begin+len(stampBegins):], "\r\n") {
		return document, nil
	}
	return slices.Concat(document[:begin], document[end:]), token
}

// signatureEnd is where the last tags of a signature by a Sealer begin, which stand
// before the root's end tag; -1 if there are none.
func signatureEnd(document []byte) int {
	root, err := rootEnd(document)
	if err != nil || !bytes.HasSuffix(document[:root], []byte(sealEnds)) {
		return -1
	}
	return root - len(sealEnds)
}
