package signing

import (
	"encoding/base64"
	"strings"
)

// A reference is one ds:Reference whose form was accepted.
type reference struct {
	uri    string
	digest [32]byte
	value  *Element // its DigestValue
}

// addReference takes the next Reference: one must cover the document, a second
// may cover the XAdES signed properties, and there are no others.
func (v *verification) addReference(info *signedInfo, e *Element) error {
	if e.Name != (Name{nsDS, "Reference"}) {
		return v.refusef(e, SignatureStructure, "%s is not expected here", e.Local)
	}
	if err := v.shape(e, "Id", "URI", "Type"); err != nil {
		return err
	}
	kind, _ := e.Attr("", "Type")
	uri, found := e.Attr("", "URI")
	switch {
	case kind == typeSignedProperties && info.properties == nil:
		r, err := v.reference(e, uri, algExcC14N)
		info.properties = r
		return err
	case info.document != nil:
		return v.refuse(e, ExtraReference, excerpt([]byte(uri)))
	case !found || kind != "" || !v.coversDocument(uri):
		return v.refuse(e, ReferenceNotAllowed, excerpt([]byte(uri)))
	}
	r, err := v.reference(e, uri, algEnveloped, algExcC14N)
	info.document = r
	return err
}

// coversDocument says whether a URI means the whole document: the empty one, or
// the root's own Id. Nothing else is ever resolved.
func (v *verification) coversDocument(uri string) bool {
	if uri == "" {
		return true
	}
	id, ok := v.root.Attr("", "Id")
	return ok && id != "" && uri == "#"+id
}

// reference reads a Reference that must have exactly these transforms.
func (v *verification) reference(e *Element, uri string, transforms ...string) (*reference, error) {
	c := e.Children
	if len(c) > 0 && c[0].Name == (Name{nsDS, "DigestMethod"}) {
		return nil, v.refusef(e, TransformNotAllowed, "Transforms is missing")
	}
	if len(c) != 3 || c[0].Name != (Name{nsDS, "Transforms"}) || c[1].Name != (Name{nsDS, "DigestMethod"}) || c[2].Name != (Name{nsDS, "DigestValue"}) {
		return nil, v.refusef(e, SignatureStructure, "it needs Transforms, DigestMethod and DigestValue, in this order")
	}
	if err := v.checkTransforms(c[0], transforms); err != nil {
		return nil, err
	}
	alg, err := v.algorithm(c[1], AlgorithmNotAllowed)
	if err != nil {
		return nil, err
	}
	if alg != algSHA256 {
		return nil, v.refuse(c[1], algorithmRule(alg), excerpt([]byte(alg)))
	}
	r := &reference{uri: uri, value: c[2]}
	if err := v.leaf(c[2]); err != nil {
		return nil, err
	}
	digest, err := v.base64(c[2])
	if err != nil {
		return nil, err
	}
	if copy(r.digest[:], digest) != len(r.digest) || len(digest) != len(r.digest) {
		return nil, v.refusef(c[2], SignatureBase64, "a SHA-256 digest has 32 bytes")
	}
	return r, nil
}

func (v *verification) checkTransforms(e *Element, want []string) error {
	if err := v.shape(e); err != nil {
		return err
	}
	for i, t := range e.Children {
		if t.Name != (Name{nsDS, "Transform"}) {
			return v.refusef(t, SignatureStructure, "%s is not expected here", t.Local)
		}
		alg, err := v.algorithm(t, TransformNotAllowed)
		if err != nil {
			return err
		}
		if alg == algExcC14NAlias {
			alg = algExcC14N
		}
		if i >= len(want) || alg != want[i] {
			return v.refuse(t, TransformNotAllowed, excerpt([]byte(alg)))
		}
	}
	if len(e.Children) != len(want) {
		return v.refusef(e, TransformNotAllowed, "wanted are %s", strings.Join(want, ", "))
	}
	return nil
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
