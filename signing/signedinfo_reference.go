package signing

import (
	"crypto"
	"encoding/base64"
	"strings"
)

// A reference is one ds:Reference whose form was accepted.
type reference struct {
	uri       string
	form      c14nForm // of an element
	algorithm string   // of the digest, as written
	hash      crypto.Hash
	digest    []byte
	value     *Element // its DigestValue

	part    Part // of an attachment's reference
	decoded bool // the digest is of the decoded content, by its transform or as was found
}

// onePass says whether the first reading makes this digest of the document: it
// must know what to digest before it sees the signature.
func (r *reference) onePass() bool { return r.form.plain() && r.hash == crypto.SHA256 }

// propertiesReference is how the signed properties are digested; without a
// reference, which is refused later, it does not matter.
func (v *verification) propertiesReference() *reference {
	if v == nil || v.info == nil || v.info.properties == nil {
		return &reference{hash: crypto.SHA256}
	}
	return v.info.properties
}

// addReference takes the next Reference: one must cover the document, one may
// cover the XAdES signed properties, and others attachments.
func (v *verification) addReference(info *signedInfo, e *Element) error {
	if e.Name != (Name{nsDS, "Reference"}) {
		return v.refusef(e, SignatureStructure, "%s is not expected here", e.Local)
	}
	if err := v.shape(e, "Id", "URI", "Type"); err != nil {
		return err
	}
	kind, _ := e.Attr("", "Type")
	uri, found := e.Attr("", "URI")
	r := &reference{uri: uri}
	switch {
	case kind == typeSignedProperties && info.properties != nil:
		return v.refuse(e, ExtraReference, excerpt([]byte(uri)))
	case kind == typeSignedProperties:
		info.properties = r
		return v.read(info, r, e, v.elementForm)
	case !found:
		return v.refusef(e, ReferenceNotAllowed, "URI is missing")
	case kind != "":
		return v.refusef(e, ReferenceNotAllowed, "Type %s", excerpt([]byte(kind)))
	case v.coversDocument(uri) && info.document == nil:
		info.document = r
		return v.read(info, r, e, v.documentForm)
	case v.coversDocument(uri):
		return v.refuse(e, ExtraReference, excerpt([]byte(uri)))
	case v.part == nil || !namesPart(uri):
		return v.refuse(e, ReferenceNotAllowed, excerpt([]byte(uri)))
	}
	info.parts = append(info.parts, r) // found when all of the document has been seen
	return v.read(info, r, e, v.partForm)
}

// coversDocument says whether a URI means the whole document: the empty one, or
// the root's own Id.
func (v *verification) coversDocument(uri string) bool {
	if uri == "" {
		return true
	}
	id, ok := v.root.Attr("", "Id")
	return ok && id != "" && uri == "#"+id
}

// namesPart says whether a URI can be the identifier of an attachment: "cid:" and
// the identifier, or that alone. Any other scheme, and what points into a
// document, is none.
func namesPart(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	return !strings.Contains(uri, "#") && (!found || strings.EqualFold(scheme, "cid"))
}

// read reads a Reference whose transforms are read by form.
func (v *verification) read(info *signedInfo, r *reference, e *Element, form func(r *reference, e, transforms *Element) error) error {
	c, transforms := e.Children, (*Element)(nil)
	if len(c) > 0 && c[0].Name == (Name{nsDS, "Transforms"}) {
		c, transforms = c[1:], c[0]
	}
	if len(c) != 2 || c[0].Name != (Name{nsDS, "DigestMethod"}) || c[1].Name != (Name{nsDS, "DigestValue"}) {
		return v.refusef(e, SignatureStructure, "it needs Transforms, DigestMethod and DigestValue, in this order")
	}
	if err := form(r, e, transforms); err != nil {
		return err
	}
	var err error
	if r.algorithm, r.hash, err = v.digestMethod(c[0]); err != nil {
		return err
	}
	info.sha1 = info.sha1 || r.hash == crypto.SHA1
	if err := v.leaf(c[1]); err != nil {
		return err
	}
	r.value = c[1]
	if r.digest, err = v.base64(c[1]); err != nil {
		return err
	}
	if len(r.digest) != r.hash.Size() {
		return v.refusef(c[1], SignatureBase64, "%d bytes, the digest has %d", len(r.digest), r.hash.Size())
	}
	return nil
}

// documentForm reads the transforms of the document: without the signature, then
// in a canonical form. A canonical form must be named, though the standard has one
// for where none is: verifiers differ in whether it holds comments.
func (v *verification) documentForm(r *reference, e, transforms *Element) error {
	list, err := v.transforms(e, transforms, 2)
	if err != nil {
		return err
	}
	if alg, _ := list[0].Attr("", "Algorithm"); alg != algEnveloped {
		return v.refuse(list[0], TransformNotAllowed, excerpt([]byte(alg)))
	}
	if err := v.childless(list[0], TransformNotAllowed); err != nil {
		return err
	}
	_, r.form, err = v.form(list[1], TransformNotAllowed)
	return err
}

// elementForm reads the transforms of an element: a canonical form. Where none is
// named it is Canonical XML 1.0 (XML Signature 1.1, 4.4.3.2), and so it is in
// signatures of xadesjs; comments, in which verifiers differ, there are none.
func (v *verification) elementForm(r *reference, e, transforms *Element) error {
	if transforms == nil {
		r.form = forms[algC14N]
		return nil
	}
	list, err := v.transforms(e, transforms, 1)
	if err != nil {
		return err
	}
	_, r.form, err = v.form(list[0], TransformNotAllowed)
	return err
}

// partForm reads the transforms of an attachment: none, which leaves open whether
// its base64 or what that means was digested, or the decoding of base64. What is
// enveloped was meant to be the document.
func (v *verification) partForm(r *reference, e, transforms *Element) error {
	if transforms == nil {
		return nil
	}
	if alg, _ := transforms.Child(nsDS, "Transform").Attr("", "Algorithm"); alg == algEnveloped {
		return v.refuse(e, ReferenceNotAllowed, excerpt([]byte(r.uri)))
	}
	list, err := v.transforms(e, transforms, 1)
	if err != nil {
		return err
	}
	if alg, _ := list[0].Attr("", "Algorithm"); alg != algBase64 {
		return v.refuse(list[0], TransformNotAllowed, excerpt([]byte(alg)))
	}
	r.decoded = true
	return v.childless(list[0], TransformNotAllowed)
}

// transforms are the Transform elements, which must be so many.
func (v *verification) transforms(e, in *Element, n int) ([]*Element, error) {
	if in == nil {
		return nil, v.refusef(e, TransformNotAllowed, "Transforms is missing")
	}
	if err := v.shape(in); err != nil {
		return nil, err
	}
	for i, t := range in.Children {
		if t.Name != (Name{nsDS, "Transform"}) {
			return nil, v.refusef(t, SignatureStructure, "%s is not expected here", t.Local)
		}
		if err := v.shape(t, "Algorithm"); err != nil {
			return nil, err
		}
		if i == n {
			alg, _ := t.Attr("", "Algorithm")
			return nil, v.refuse(t, TransformNotAllowed, excerpt([]byte(alg)))
		}
	}
	if len(in.Children) < n {
		return nil, v.refusef(in, TransformNotAllowed, "%d of %d", len(in.Children), n)
	}
	return in.Children, nil
}

// base64 decodes an element's text: canonical base64, XML white space anywhere.
func (v *verification) base64(e *Element) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(withoutSpace(e.Text))
	if err != nil || len(b) == 0 {
		return nil, v.refuse(e, SignatureBase64, "")
	}
	return b, nil
}

// withoutSpace takes XML white space out of a text that often has none.
func withoutSpace(text string) string {
	if !strings.ContainsAny(text, xmlSpace) {
		return text
	}
	kept := make([]byte, 0, len(text))
	for i := range len(text) {
		if classes[text[i]]&spaceByte == 0 {
			kept = append(kept, text[i])
		}
	}
	return string(kept)
}
