package signing

import (
	"strconv"
	"strings"
)

// Name is an expanded name: namespace and local part. Elements are looked up by
// it alone; which prefix a sender chose means nothing.
type Name struct{ Space, Local string }

// Attr is an attribute of an Element, its value normalised as XML prescribes.
type Attr struct {
	Name
	Prefix, Value string
}

// Element is a node of the small tree that a reading leaves: everything but
// streamed text and the signature itself.
type Element struct {
	Name
	Prefix   string
	Attrs    []Attr // without namespace declarations
	Children []*Element
	Parent   *Element
	Text     string // character data directly inside, concatenated; empty if streamed
	Line     int    // 1-based line of the start tag

	order int // 1-based place among all elements' start tags
	nth   int // among siblings of its local name, from 1; 0: not counted; onlyOne: there are no others
}

const onlyOne = -1

// Path says where the element stands, in local names:
// "/edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To[2]/OrganId". A number
// stands only where several siblings share a name.
func (e *Element) Path() string {
	if e == nil {
		return ""
	}
	var steps []string
	for ; e != nil; e = e.Parent {
		steps = append(steps, e.Local+e.ordinal())
	}
	var b strings.Builder
	for i := len(steps) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(steps[i])
	}
	return b.String()
}

// ordinal is "[n]" if siblings share the element's local name, else empty.
func (e *Element) ordinal() string {
	n := e.nth
	if n == 0 {
		n = e.count()
	}
	if n == onlyOne {
		return ""
	}
	return "[" + strconv.Itoa(n) + "]"
}

// count finds the element's nth.
func (e *Element) count() int {
	if e.Parent == nil {
		return onlyOne
	}
	before, after, seen := 0, 0, false
	for _, c := range e.Parent.Children {
		switch {
		case c == e:
			seen = true
		case c.Local != e.Local:
		case seen:
			after++
		default:
			before++
		}
	}
	if before == 0 && after == 0 {
		return onlyOne
	}
	return before + 1
}

// countChildren counts many children at once, so that the paths of all cost as
// much as the paths of a few. Few are counted when it is asked.
func (e *Element) countChildren() {
	const few = 32
	if len(e.Children) <= few {
		return
	}
	seen := make(map[string]int)
	for _, c := range e.Children {
		seen[c.Local]++
		c.nth = seen[c.Local]
	}
	for _, c := range e.Children {
		if seen[c.Local] == 1 {
			c.nth = onlyOne
		}
	}
}

// Child returns the first child of that name, or nil. A nil element has none.
func (e *Element) Child(space, local string) *Element {
	if e == nil {
		return nil
	}
	for _, c := range e.Children {
		if c.Local == local && c.Space == space {
			return c
		}
	}
	return nil
}

// All returns the children of that name, in document order.
func (e *Element) All(space, local string) []*Element {
	if e == nil {
		return nil
	}
	var all []*Element
	for _, c := range e.Children {
		if c.Local == local && c.Space == space {
			all = append(all, c)
		}
	}
	return all
}

// Value is the text without XML white space around it. A nil element has none.
func (e *Element) Value() string {
	if e == nil {
		return ""
	}
	return strings.Trim(e.Text, " \t\r\n")
}

// Attr returns an attribute's value and whether it is there.
func (e *Element) Attr(space, local string) (string, bool) {
	if e == nil {
		return "", false
	}
	for i := range e.Attrs {
		if e.Attrs[i].Local == local && e.Attrs[i].Space == space {
			return e.Attrs[i].Value, true
		}
	}
	return "", false
}
