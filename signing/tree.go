package signing

import "strings"

// A tree makes elements and keeps their strings in a few large pieces, so that
// a small document costs few allocations and a large one no garbage.
type tree struct {
	elements slab[Element]
	attrs    slab[Attr]
	links    slab[*Element]
	strings  strings.Builder
}

const stringSlab = 2 << 10

// A slab gives out pieces of slices, each twice as long as the last, up to 128.
type slab[T any] struct {
	free  []T // of piece
	piece []T
}

func (s *slab[T]) take(n int) []T {
	const first, most = 16, 128
	if len(s.free) < n {
		s.piece = make([]T, max(min(max(2*len(s.piece), first), most), n))
		s.free = s.piece
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// recycle makes all of the last piece free again.
func (s *slab[T]) recycle() {
	clear(s.piece[:len(s.piece)-len(s.free)])
	s.free = s.piece
}

// recycle makes room for another document's tree in place of this one.
func (t *tree) recycle() {
	t.elements.recycle()
	t.attrs.recycle()
	t.links.recycle()
}

// element makes an element of the tag, not yet linked to its parent.
func (t *tree) element(tag *tag, space string, parent *Element, line int) *Element {
	e := &t.elements.take(1)[0]
	e.Name = Name{space, tag.name.local}
	e.Prefix, e.Parent, e.Line = tag.name.prefix, parent, line
	e.Attrs = t.attributes(tag.attrs)
	return e
}

func (t *tree) attributes(from []attribute) []Attr {
	if len(from) == 0 {
		return nil
	}
	attrs := t.attrs.take(len(from))
	for i := range from {
		a := &from[i]
		attrs[i] = Attr{Name{a.space, a.name.local}, a.name.prefix, a.value}
	}
	return attrs
}

// link makes e the last child of its parent.
func (t *tree) link(e *Element) {
	const first = 4
	p := e.Parent
	if p.Children == nil {
		p.Children = t.links.take(first)[:0]
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
