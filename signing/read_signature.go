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
	last  bool     // it must be the last element of the root

	elements, references int

	info *Element       // its SignedInfo
	tree *etree.Element // the SignedInfo, for canonicalisation
	open *etree.Element // the innermost open element of tree
	text []byte         // of it, not yet in tree

	props  *Element // its SignedProperties
	digest [32]byte // of their canonical form
}

// startInSignature notes where the signature begins and what is met in it.
func (s *scanner) startInSignature(el *Element) error {
	g := &s.sig
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
	case g.open != nil, g.info == nil && isSignedInfo(el, g.el):
		s.copyTag(el)
	case g.props == nil && isSignedProperties(el, g.el):
		g.props = el
		s.props.reset()
		s.out = &s.props
	}
	return nil
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
	s.out = nil
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
	d := etree.Attr{Space: "xmlns", Key: prefix, Value: uri}
	if prefix == "" {
		d.Space, d.Key = "", "xmlns"
	}
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

func (s *scanner) textInSignature(b []byte) {
	if s.sig.open != nil {
		s.sig.text = append(s.sig.text, b...)
	}
}

// copyText adds the text since the last tag to the copy of SignedInfo: as one,
// since it may have come in pieces of a byte each.
func (g *signatureScan) copyText() {
	if len(g.text) > 0 {
		g.open.CreateText(string(g.text))
		g.text = g.text[:0]
	}
}

func (s *scanner) finishInSignature(el *Element) {
	g := &s.sig
	switch {
	case g.depth == 0:
	case el == g.el:
		g.depth = 0
		s.out = &s.canon
	case el == g.props:
		g.digest = s.props.sum()
		s.out = nil
	case g.open != nil:
		g.copyText()
		g.open = g.open.Parent()
	}
}
