package signing

import (
	"slices"

	"github.com/beevik/etree"
)

// signatureScan is what the scanner knows of the document's one signature. Its
// elements are not in the tree and its bytes not in the document's digest.
type signatureScan struct {
	in    [][]Name
	el    *Element // the ds:Signature; nil: none met
	depth int      // elements open when it began, itself included; 0 outside of it
	outer *canon   // where canonical form went when it began
	last  bool     // it must be the last element of the root

	elements, references int

	info *Element       // its SignedInfo
	tree *etree.Element // the SignedInfo, for canonicalisation
	open *etree.Element // the innermost open element of tree
	text []byte         // of it, not yet in tree
	form []byte         // SignedInfo in exclusive canonical form, as it was made in passing

	props  *Element // its SignedProperties
	digest []byte   // of their canonical form

	// check verifies the signature as far as it has been read. It is made at the
	// end of SignedInfo, so that what comes after is digested as SignedInfo asks;
	// nil if the signature is only looked for.
	check *verification
}

// startInSignature notes where the signature begins and what is met in it.
func (s *scanner) startInSignature(el *Element) error {
	g := &s.sig
	if s.plain {
		return nil
	}
	if el.Space == nsDS && el.Local == "Signature" {
		return s.startSignature(el)
	}
	if g.depth == 0 {
		if g.last && el.Parent == s.root {
			return s.refusef(SignatureMisplaced, "an element follows the signature in the root")
		}
		return nil
	}
	if err := s.countInSignature(el); err != nil {
		return err
	}
	switch {
	case g.open != nil:
		s.copyTag(el)
		return s.checkSignedInfoSize()
	case g.info == nil && !s.scanOnly && isSignedInfo(el, g.el):
		s.copyTag(el)
		s.infoForm.Reset()
		s.info.resetTo(&s.infoForm)
		s.out = &s.info
	case g.props == nil && isSignedProperties(el, g.el):
		return s.startProperties(el)
	}
	return nil
}

// startProperties begins the canonical form of the signed properties, in the
// form and digest that SignedInfo, which stands before them, has for them.
func (s *scanner) startProperties(el *Element) error {
	s.sig.props = el
	s.out = &s.props
	ref := s.sig.check.propertiesReference()
	s.props.reset(ref.form, ref.hash)
	if !ref.form.inclusive {
		return nil
	}
	inherited, err := inheritedXML(el, ref.form)
	if err != nil {
		return s.placed(err)
	}
	for _, a := range inherited {
		name := &qname{raw: "xml:" + a.Local, prefix: "xml", local: a.Local}
		s.tag.attrs = append(s.tag.attrs, attribute{name: name, space: nsXML, value: a.Value})
	}
	return nil
}

// inheritedXML are the xml: attributes that an element takes over from what it
// stands in when it is the apex of an inclusive canonical form: those of all
// ancestors in 1.0 (section 2.4), and without xml:id in 1.1 (section 2.4). There
// xml:base is joined from all ancestors; nobody needs that, so it is refused.
func inheritedXML(el *Element, form c14nForm) ([]Attr, *Error) {
	var found []Attr
	has := func(list []Attr, local string) bool {
		return slices.ContainsFunc(list, func(a Attr) bool { return a.Name == Name{nsXML, local} })
	}
	for e := el.Parent; e != nil; e = e.Parent {
		for _, a := range e.Attrs {
			if a.Space != nsXML {
				continue
			}
			if form.v11 && a.Local == "base" {
				return nil, refusef(CanonicalizationNotAllowed, "xml:base is inherited, and Canonical XML 1.1 with it is not accepted: use the exclusive form")
			}
			if has(el.Attrs, a.Local) || has(found, a.Local) || form.v11 && a.Local == "id" {
				continue
			}
			found = append(found, a)
		}
	}
	return found, nil
}

func (s *scanner) startSignature(el *Element) error {
	g := &s.sig
	if g.el != nil {
		return s.refuse(SecondSignature, "")
	}
	listed := slices.ContainsFunc(g.in, func(path []Name) bool { return reachedBy(el.Parent, path) })
	if !listed && (el.Parent == nil || el.Parent != s.root) {
		return s.refuse(SignatureMisplaced, "")
	}
	g.el, g.depth, g.last = el, len(s.stack)+1, !listed
	g.outer, s.out = s.out, nil
	return nil
}

// reachedBy says whether path leads from the root to e.
func reachedBy(e *Element, path []Name) bool {
	for i := len(path) - 1; i >= 0; i-- {
		if e == nil || e.Name != path[i] {
			return false
		}
		e = e.Parent
	}
	return e == nil && len(path) > 0
}

// countInSignature bounds the work that a signature can ask for.
func (s *scanner) countInSignature(el *Element) error {
	g := &s.sig
	if el.Space == nsDS && el.Local == "Reference" {
		if g.references++; g.references > s.lim.References {
			return s.refuse(TooManyReferences, "")
		}
	}
	const each, besides = 12, 64
	if g.elements++; g.elements > each*s.lim.References+besides {
		return s.refusef(SignatureStructure, "too many elements in the signature")
	}
	return nil
}

func isSignedInfo(el, signature *Element) bool {
	return el.Parent == signature && el.Space == nsDS && el.Local == "SignedInfo"
}

func isSignedProperties(el, signature *Element) bool {
	qualifying := el.Parent
	return el.Space == nsXAdES && el.Local == "SignedProperties" &&
		qualifying != nil && qualifying.Parent != nil && qualifying.Parent.Parent == signature
}

// copyTag adds the tag to the copy of SignedInfo. The copy declares every
// prefix that it uses where it first does, so that it stands alone.
func (s *scanner) copyTag(el *Element) {
	g := &s.sig
	g.copyText()
	e := etree.NewElement(s.tag.name.raw)
	for i := range s.tag.decls {
		if p := declared(s.tag.decls[i].name); p != "xml" { // as in scopeInForce
			e.Attr = append(e.Attr, declaration(p, s.tag.decls[i].value))
		}
	}
	s.copyScope(e, s.tag.name.prefix)
	for i := range s.tag.attrs {
		a := &s.tag.attrs[i]
		e.Attr = append(e.Attr, etree.Attr{Space: a.name.prefix, Key: a.name.local, Value: a.value})
		if a.name.prefix != "" {
			s.copyScope(e, a.name.prefix)
		}
	}
	if g.open == nil {
		g.info, g.tree, g.open = el, e, e
		return
	}
	g.open.AddChild(e)
	g.open = e
}

// copyScope declares a prefix on e unless it, or the copy above, says the same.
func (s *scanner) copyScope(e *etree.Element, prefix string) {
	uri, _ := s.scope.lookup(prefix)
	d := declaration(prefix, uri)
	same := func(a etree.Attr) bool { return a.Space == d.Space && a.Key == d.Key }
	if prefix == "xml" || slices.ContainsFunc(e.Attr, same) {
		return
	}
	for above := s.sig.open; above != nil; above = above.Parent() {
		i := slices.IndexFunc(above.Attr, same)
		if i >= 0 && above.Attr[i].Value == uri {
			return
		}
		if i >= 0 {
			break
		}
	}
	e.Attr = append(e.Attr, d)
}

// declaration is a namespace declaration as etree has it.
func declaration(prefix, uri string) etree.Attr {
	if prefix == "" {
		return etree.Attr{Key: "xmlns", Value: uri}
	}
	return etree.Attr{Space: "xmlns", Key: prefix, Value: uri}
}

func (s *scanner) textInSignature(b []byte) error {
	if s.sig.open == nil {
		return nil
	}
	s.sig.text = append(s.sig.text, b...)
	return s.checkSignedInfoSize()
}

// maxSignedInfo bounds SignedInfo in canonical form. It is in memory several times
// over, and may be longer there than in the document.
const maxSignedInfo = 1 << 20

func (s *scanner) checkSignedInfoSize() error {
	if s.infoForm.Len() > maxSignedInfo {
		return s.refusef(SignatureStructure, "SignedInfo has more than %d bytes", maxSignedInfo)
	}
	return nil
}

// copyText adds the text since the last tag to the copy of SignedInfo: as one,
// since it may have come in pieces of a byte each.
func (g *signatureScan) copyText() {
	if len(g.text) > 0 {
		g.open.CreateText(string(g.text))
		g.text = g.text[:0]
	}
}

func (s *scanner) finishInSignature(el *Element) error {
	g := &s.sig
	switch {
	case g.depth == 0:
		return nil
	case el == g.el:
		return s.finishSignature()
	case el == g.props:
		g.digest = s.props.sum()
		s.out = nil
	case g.open != nil:
		g.copyText()
		if g.open = g.open.Parent(); g.open == nil {
			return s.finishSignedInfo()
		}
	}
	return nil
}

// finishSignedInfo reads what is signed.
func (s *scanner) finishSignedInfo() error {
	g := &s.sig
	s.out = nil
	s.info.flush()
	g.form = s.infoForm.Bytes()
	g.check = &verification{el: g.el, root: s.root, limits: s.lim, scan: g, sha1: s.sha1, part: s.part}
	if s.explainer != nil {
		s.explainer.signedInfo(g.check, s.scopeInForce())
		return nil
	}
	return g.check.readSignedInfo(s.scopeInForce())
}

// finishSignature verifies all of the signature but the digests of what comes
// after it: a signature that cannot hold ends the reading here. If SignedInfo asks
// for another form of the document than the one that is being made, it is not
// made any further: there must be a second reading.
func (s *scanner) finishSignature() error {
	g := &s.sig
	g.depth = 0
	s.out = g.outer
	if s.scanOnly {
		return nil
	}
	if g.check == nil {
		g.check = &verification{el: g.el, root: s.root, limits: s.lim, scan: g}
	}
	if s.explainer != nil {
		s.explainer.ended(g.check)
		return nil
	}
	if err := g.check.verify(); err != nil {
		return err
	}
	if !g.check.info.document.onePass() {
		s.out = nil
	}
	return nil
}

// scopeInForce are the namespace declarations in force, each prefix once and
// without xml, which no canonical form declares.
func (s *scanner) scopeInForce() []binding {
	var all []binding
	for _, b := range s.scope.bindings {
		if uri, _ := s.scope.lookup(b.prefix); uri == b.uri && b.prefix != "xml" && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}
