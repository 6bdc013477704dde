package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// A verification checks one signature: what is signed when SignedInfo ends, the
// signature itself when it ends, the digests at the end of the document.
type verification struct {
	el     *Element // the ds:Signature
	root   *Element // of the document
	limits Limits
	scan   *signatureScan
	sha1   bool
	part   func(root *Element, uri string) (Part, bool)

	canonical []byte      // the SignedInfo that is signed
	signed    *Element    // read back from canonical, so that what is checked is what is signed
	info      *signedInfo // what it says
	certs     []*x509.Certificate
	value     []byte // SignatureValue, decoded
	at        time.Time

	timeStamps [][]byte // tokens on the signature: read, not trusted
}

// signedInfo is what an acceptable SignedInfo says.
type signedInfo struct {
	canonicalization string
	algorithm        string // of the signature, as written
	method           method
	document         *reference
	properties       *reference // nil: none
	parts            []*reference
	sha1             bool // it, or a digest, rests on SHA-1
}

// readSignedInfo canonicalises SignedInfo, in which the namespaces given are in
// scope, and holds it to the accepted profile.
func (v *verification) readSignedInfo(inScope []binding) error {
	form, err := v.signedForm()
	if err != nil {
		return err
	}
	if err := v.canonicalise(form, inScope); err != nil {
		return err
	}
	v.info, err = v.checkSignedInfo()
	return err
}

// verify verifies the signature's form, key and value, and its properties.
func (v *verification) verify() (err error) {
	if err := v.checkChildren(); err != nil {
		return err
	}
	if v.certs, err = v.certificates(); err != nil {
		return err
	}
	if err := v.checkValue(v.info.method, v.certs[0]); err != nil {
		return err
	}
	v.at, err = v.checkProperties(v.info.properties, v.certs[0])
	return err
}

// finish compares the digest of the document, as the first reading made it, and
// reads again for those that it could not make.
func (v *verification) finish(digest []byte, again func() error) (*Signature, error) {
	doc := v.info.document
	if doc.onePass() && !bytes.Equal(doc.digest, digest) {
		return nil, v.refuse(doc.value, DigestMismatch, "")
	}
	if !doc.onePass() || len(v.info.parts) > 0 {
		if err := again(); err != nil {
			return nil, err
		}
	}
	return v.signature(), nil
}

func (v *verification) signature() *Signature {
	s := &Signature{
		Method: v.info.algorithm, Canonicalization: v.info.canonicalization, DigestMethod: v.info.document.algorithm,
		SHA1: v.info.sha1, SignedInfo: sha256.Sum256(v.canonical), Value: v.value,
		Certificate: v.certs[0], Others: v.certs[1:], SigningTime: v.at, Line: v.el.Line,
		Stamped: v.stamped(), TimeStamps: v.timeStamps,
	}
	for _, p := range v.info.parts {
		s.Parts = append(s.Parts, SignedPart{URI: p.uri, Element: p.part.Element, Decoded: p.decoded})
	}
	return s
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
	if top != v.signed {
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

// signedForm is the canonical form in which SignedInfo is signed. It is read from
// SignedInfo as it came, since without it there is no canonical one; that is
// looked at again afterwards.
func (v *verification) signedForm() (c14nForm, error) {
	var first *Element
	if c := v.scan.info.Children; len(c) > 0 {
		first = c[0]
	}
	if first == nil || first.Name != (Name{nsDS, "CanonicalizationMethod"}) {
		return c14nForm{}, v.refusef(v.scan.info, SignatureStructure, "it needs CanonicalizationMethod, SignatureMethod and Reference, in this order")
	}
	_, form, err := v.form(first, CanonicalizationNotAllowed)
	if err == nil && slices.Contains(form.prefixes, "") {
		err = v.refuse(first.Children[0], InclusivePrefixes, defaultPrefix)
	}
	return form, err
}

// canonicalise makes the canonical form of SignedInfo, unless it is the one that
// the scanner has made in passing, and reads it back.
func (v *verification) canonicalise(form c14nForm, inScope []binding) (err error) {
	v.canonical = v.scan.form
	if !form.plain() {
		if err := v.makeApex(form, inScope); err != nil {
			return err
		}
		if v.canonical, err = canonicalForm(form, v.scan.tree); err != nil {
			return fmt.Errorf("canonicalising SignedInfo: %w", err)
		}
	}
	limits := v.limits // its one tag gathers what several in the document declared
	limits.NamespacesPerElement, limits.TagBytes = limits.Namespaces, max(limits.TagBytes, len(v.canonical))
	s := newScanner(bytes.NewReader(v.canonical), Options{Limits: limits, NoDigest: true, scanOnly: true})
	defer s.release()
	s.out = nil
	if err := s.document(); err != nil {
		return fmt.Errorf("reading the canonical SignedInfo: %w", err)
	}
	v.signed = s.root
	return nil
}

// makeApex adds to the copy of SignedInfo what its canonical form takes over from
// outside: all namespaces in scope and xml: attributes, or the listed namespaces.
func (v *verification) makeApex(form c14nForm, inScope []binding) error {
	apex := v.scan.tree
	for _, b := range inScope {
		d := declaration(b.prefix, b.uri)
		there := slices.ContainsFunc(apex.Attr, func(a etree.Attr) bool { return a.Space == d.Space && a.Key == d.Key })
		if !there && (form.inclusive || slices.Contains(form.prefixes, b.prefix)) {
			apex.Attr = append(apex.Attr, d)
		}
	}
	if !form.inclusive {
		return nil
	}
	inherited, refusal := inheritedXML(v.scan.info, form)
	if refusal != nil {
		return v.placed(v.scan.info, refusal)
	}
	for _, a := range inherited {
		apex.Attr = append(apex.Attr, etree.Attr{Space: "xml", Key: a.Local, Value: a.Value})
	}
	return nil
}

// canonicalForm guards against a panic in the libraries: a document from
// outside must never end the process.
func canonicalForm(form c14nForm, e *etree.Element) (canonical []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = refusef(SignatureStructure, "SignedInfo has no canonical form: %q", fmt.Sprint(p))
		}
	}()
	by := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(strings.Join(form.prefixes, " "))
	if form.inclusive {
		by = dsig.MakeC14N11Canonicalizer() // in an apex made as above both versions are alike
	}
	canonical, err = by.Canonicalize(e)
	if err != nil {
		return nil, &Error{Kind: InvalidSignature, Rule: SignatureStructure, Err: err}
	}
	return canonical, nil
}

// checkSignedInfo holds SignedInfo to the accepted profile.
func (v *verification) checkSignedInfo() (*signedInfo, error) {
	if err := v.shape(v.scan.info, "Id"); err != nil { // the canonical one may have inherited attributes
		return nil, err
	}
	c := v.signed.Children
	if len(c) < 3 || c[0].Name != (Name{nsDS, "CanonicalizationMethod"}) || c[1].Name != (Name{nsDS, "SignatureMethod"}) {
		return nil, v.refusef(v.signed, SignatureStructure, "it needs CanonicalizationMethod, SignatureMethod and Reference, in this order")
	}
	info := &signedInfo{}
	var err error
	if info.canonicalization, _, err = v.form(c[0], CanonicalizationNotAllowed); err != nil {
		return nil, err
	}
	if info.algorithm, info.method, err = v.checkMethod(c[1]); err != nil {
		return nil, err
	}
	info.sha1 = info.method.hash == crypto.SHA1
	for _, r := range c[2:] {
		if err := v.addReference(info, r); err != nil {
			return nil, err
		}
	}
	if info.document == nil {
		return nil, v.refusef(v.signed, ReferenceNotAllowed, "no reference covers the document")
	}
	return info, nil
}
