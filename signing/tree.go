package signing

import "strings"

// A tree makes elements and keeps their strings in a few large pieces, so that
// a small document costs few allocations and a large one no garbage.
type tree struct {
	elements []Element // free ones of the last piece
	piece    []Element // all of it
	attrs    []Attr
	links    []*Element
	strings  strings.Builder
}

const (
	elementSlab = 16 // the first; each is twice the last, up to the largest
	largestSlab = 128
	attrSlab    = 16
	linkSlab    = 64
	stringSlab  = 2 << 10
)

// recycle makes the elements of the last piece free again.
func (t *tree) recycle() {
	clear(t.piece[:len(t.piece)-len(t.elements)])
	*t = tree{piece: t.piece, elements: t.piece, strings: t.strings}
}

// element makes an element of the tag, not yet linked to its parent.
func (t *tree) element(tag *tag, space string, parent *Element, line int) *Element {
	if len(t.elements) == 0 {
		t.piece = make([]Element, min(max(2*len(t.piece), elementSlab), largestSlab))
		t.elements = t.piece
	}
	e := &t.elements[0]
	t.elements = t.elements[1:]
	e.Name = Name{space, tag.name.local}
	e.Prefix, e.Parent, e.Line = tag.name.prefix, parent, line
	e.Attrs = t.attributes(tag.attrs)
	return e
}

func (t *tree) attributes(from []attribute) []Attr {
	if len(from) == 0 {
		return nil
	}
	if len(t.attrs) < len(from) {
		t.attrs = make([]Attr, max(attrSlab, len(from)))
	}
	attrs := t.attrs[:len(from):len(from)]
	t.attrs = t.attrs[len(from):]
	for i := range from {
		a := &from[i]
		attrs[i] = Attr{Name{a.space, a.name.local}, a.name.prefix, a.value}
	}
	return attrs
}

// link makes e the last child of its parent.
func (t *tree) link(e *Element) {
	p := e.Parent
	if p.Children == nil {
		const first = 4
		if len(t.links) < first {
			t.links = make([]*Element, linkSlab)
		}
		p.Children = t.links[:0:first]
		t.links = t.links[first:]
	}
	p.Children = append(p.Children, e)
}

// keep makes a string of b. A full piece is left to the strings in it.
func (t *tree) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > stringSlab/4 {
		return string(b)
	}
	if t.strings.Cap()-t.strings.Len() < len(b) {
		t.strings = strings.Builder{}
		t.strings.Grow(stringSlab)
	}
	from := t.strings.Len()
	t.strings.Write(b)
	return t.strings.String()[from:]
}
