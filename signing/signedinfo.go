package signing

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// A verification checks one signature after its document has been scanned.
type verification struct {
	el     *Element // the ds:Signature
	root   *Element // of the document
	digest [32]byte // of the document's canonical form without el
	limits Limits
	scan   *signatureScan

	canonical []byte   // the SignedInfo that is signed
	info      *Element // read back from canonical, so that what is checked is what is signed
}

// signedInfo is what an acceptable SignedInfo says.
type signedInfo struct {
	method     string
	document   *reference
	properties *reference // nil: none
}

func (v *verification) run() (*Signature, error) {
	if err := v.checkChildren(); err != nil {
		return nil, err
	}
	if err := v.canonicalise(); err != nil {
		return nil, err
	}
	info, err := v.checkSignedInfo()
	if err != nil {
		return nil, err
	}
	certs, err := v.certificates()
	if err != nil {
		return nil, err
	}
	if err := v.checkValue(info.method, certs[0]); err != nil {
		return nil, err
	}
	if info.document.digest != v.digest {
		return nil, v.refuse(info.document.value, DigestMismatch, "")
	}
	at, err := v.checkProperties(info.properties, certs[0])
	if err != nil {
		return nil, err
	}
	return &Signature{
		Method: info.method, DigestMethod: algSHA256, SignedInfo: sha256.Sum256(v.canonical),
		Certificate: certs[0], Others: certs[1:], SigningTime: at, Line: v.el.Line,
	}, nil
}

// refuse is a refusal at an element of the signature.
func (v *verification) refuse(e *Element, rule Rule, detail string) error {
	return v.placed(e, Refuse(rule, detail))
}

func (v *verification) refusef(e *Element, rule Rule, format string, args ...any) error {
	return v.placed(e, refusef(rule, format, args...))
}

func (v *verification) placed(e *Element, refusal *Error) error {
	e = v.original(e)
	refusal.Path, refusal.Line = e.Path(), e.Line
	return refusal
}

// original finds the element of the document that e, read back from canonical
// form, was: canonical form has the same elements in the same order.
func (v *verification) original(e *Element) *Element {
	var steps []int
	top := e
	for ; top.Parent != nil; top = top.Parent {
		steps = append(steps, slices.Index(top.Parent.Children, top))
	}
	if top != v.info {
		return e
	}
	top = v.scan.info
	for _, i := range slices.Backward(steps) {
		if i < 0 || i >= len(top.Children) {
			return top
		}
		top = top.Children[i]
	}
	return top
}

// checkChildren holds the signature to SignedInfo, SignatureValue, KeyInfo and
// at most one Object, in the schema's order (XML Signature 1.1, 4.1).
func (v *verification) checkChildren() error {
	if err := v.shape(v.el, "Id"); err != nil {
		return err
	}
	want := []string{"SignedInfo", "SignatureValue", "KeyInfo", "Object"}
	for i, c := range v.el.Children {
		if i < len(want) && c.Name == (Name{nsDS, want[i]}) {
			continue
		}
		if c.Name == (Name{nsDS, "Object"}) {
			return v.refusef(c, UnsignedObject, "more than one Object")
		}
		return v.refusef(c, SignatureStructure, "%s is not expected here", c.Local)
	}
	if len(v.el.Children) < 2 {
		return v.refusef(v.el, SignatureStructure, "SignedInfo or SignatureValue is missing")
	}
	if len(v.el.Children) < 3 {
		return v.refuse(v.el, KeyInfoMissing, "")
	}
	return v.leaf(v.el.Children[1], "Id")
}

// shape refuses character data in an element and attributes but those named.
func (v *verification) shape(e *Element, attrs ...string) error {
	if e.Value() != "" {
		return v.refusef(e, SignatureStructure, "text between elements")
	}
	return v.attributes(e, attrs...)
}

// leaf refuses elements in e and attributes but those named.
func (v *verification) leaf(e *Element, attrs ...string) error {
	if len(e.Children) > 0 {
		return v.refusef(e.Children[0], SignatureStructure, "an element where only text may be")
	}
	return v.attributes(e, attrs...)
}

func (v *verification) attributes(e *Element, allowed ...string) error {
	for _, a := range e.Attrs {
		if a.Space != "" || !slices.Contains(allowed, a.Local) {
			return v.refusef(e, SignatureStructure, "attribute %s", excerpt([]byte(a.Local)))
		}
	}
	return nil
}

// canonicalise makes the canonical form of SignedInfo and reads it back.
func (v *verification) canonicalise() (err error) {
	v.canonical, err = canonicalForm(v.scan.tree)
	if err != nil {
		return fmt.Errorf("canonicalising SignedInfo: %w", err)
	}
	s := newScanner(bytes.NewReader(v.canonical), Options{Limits: v.limits, NoDigest: true})
	defer s.release()
	s.out = nil
	if err := s.document(); err != nil {
		return fmt.Errorf("reading the canonical SignedInfo: %w", err)
	}
	v.info = s.root
	return nil
}

// canonicalForm guards against a panic in the libraries: a document from
// outside must never end the process.
func canonicalForm(e *etree.Element) (form []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = refusef(SignatureStructure, "SignedInfo has no canonical form: %q", fmt.Sprint(p))
		}
	}()
	form, err = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(e)
	if err != nil {
		return nil, &Error{Kind: InvalidSignature, Rule: SignatureStructure, Err: err}
	}
	return form, nil
}

// checkSignedInfo holds SignedInfo to the accepted profile.
func (v *verification) checkSignedInfo() (*signedInfo, error) {
	if err := v.shape(v.info, "Id"); err != nil {
		return nil, err
	}
	c := v.info.Children
	if len(c) < 3 || c[0].Name != (Name{nsDS, "CanonicalizationMethod"}) || c[1].Name != (Name{nsDS, "SignatureMethod"}) {
		return nil, v.refusef(v.info, SignatureStructure, "it needs CanonicalizationMethod, SignatureMethod and Reference, in this order")
	}
	if err := v.checkCanonicalization(c[0]); err != nil {
		return nil, err
	}
	info := &signedInfo{}
	var err error
	if info.method, err = v.checkMethod(c[1]); err != nil {
		return nil, err
	}
	for _, r := range c[2:] {
		if err := v.addReference(info, r); err != nil {
			return nil, err
		}
	}
	if info.document == nil {
		return nil, v.refusef(v.info, ReferenceNotAllowed, "no reference covers the document")
	}
	return info, nil
}

func (v *verification) checkCanonicalization(e *Element) error {
	alg, err := v.algorithm(e, CanonicalizationNotAllowed)
	if err != nil {
		return err
	}
	if alg != algExcC14N {
		return v.refuse(e, CanonicalizationNotAllowed, excerpt([]byte(alg)))
	}
	return nil
}

// algorithm is the Algorithm of an element that may hold nothing else.
func (v *verification) algorithm(e *Element, rule Rule) (string, error) {
	if err := v.shape(e, "Algorithm"); err != nil {
		return "", err
	}
	if len(e.Children) > 0 {
		c := e.Children[0]
		if c.Local == "InclusiveNamespaces" {
			return "", v.refuse(c, InclusivePrefixes, "")
		}
		return "", v.refusef(c, rule, "parameter %s", excerpt([]byte(c.Local)))
	}
	alg, _ := e.Attr("", "Algorithm")
	return alg, nil
}

func (v *verification) checkMethod(e *Element) (string, error) {
	if alg, _ := e.Attr("", "Algorithm"); strings.Contains(alg, "hmac") {
		return "", v.refuse(e, HMAC, excerpt([]byte(alg)))
	}
	alg, err := v.algorithm(e, AlgorithmNotAllowed)
	if err != nil {
		return "", err
	}
	if _, ok := methods[alg]; ok {
		return alg, nil
	}
	return "", v.refuse(e, algorithmRule(alg), excerpt([]byte(alg)))
}

// algorithmRule names why an algorithm is refused.
func algorithmRule(alg string) Rule {
	if strings.Contains(strings.ToLower(alg), "sha1") {
		return SHA1
	}
	return AlgorithmNotAllowed
}
