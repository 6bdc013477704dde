package signing

import (
	"crypto"
	"hash"
	"io"
	"slices"
)

// A canon writes an element, as it is scanned, in canonical form without
// comments: Exclusive XML Canonicalization 1.0, or Canonical XML 1.0 or 1.1.
// Begun at any element it makes the canonical form of that subtree: of what lies
// outside it needs only the namespaces in scope and, for the inclusive forms, the
// inherited xml: attributes.
type canon struct {
	form     c14nForm
	kind     crypto.Hash
	hash     hash.Hash
	sink     io.Writer // hash, unless the form itself is wanted
	buf      []byte
	rendered []binding // namespace declarations written, innermost last
	marks    []int     // how many there were before each open element
	fresh    []binding // declarations of the tag under way
}

const (
	canonBuffer = 4 << 10
	// Longer pieces of text go to the digest from where they are.
	canonDirect = 512
)

func (c *canon) reset(form c14nForm, kind crypto.Hash) {
	if c.hash == nil || c.kind != kind {
		c.hash, c.kind = kind.New(), kind
	}
	c.hash.Reset()
	c.resetTo(c.hash)
	c.form = form
}

// resetTo begins an exclusive form that is written out.
func (c *canon) resetTo(sink io.Writer) {
	c.form, c.sink = c14nForm{}, sink
	if c.buf == nil {
		c.buf = make([]byte, 0, 2*canonBuffer)
	}
	c.buf, c.rendered, c.marks = c.buf[:0], c.rendered[:0], c.marks[:0]
}

// sum ends the form and returns its digest.
func (c *canon) sum() []byte {
	c.flush()
	return c.hash.Sum(nil)
}

func (c *canon) flush() {
	_, _ = c.sink.Write(c.buf) // neither a hash nor a buffer ever fails
	c.buf = c.buf[:0]
}

// write takes bytes that are canonical already.
func (c *canon) write(b []byte) {
	if len(b) >= canonDirect {
		c.flush()
		_, _ = c.sink.Write(b) // as above
		return
	}
	c.buf = append(c.buf, b...)
	c.drain()
}

func (c *canon) drain() {
	if len(c.buf) >= canonBuffer {
		c.flush()
	}
}

// start writes a start tag whose attributes are resolved.
func (c *canon) start(t *tag, in *scope) {
	c.marks = append(c.marks, len(c.rendered))
	c.fresh = c.fresh[:0]
	if c.form.inclusive {
		c.useAll(t, in)
	} else {
		c.useVisible(t, in)
	}
	c.buf = append(append(c.buf, '<'), t.name.raw...)
	c.writeFresh()
	for _, i := range t.sorted() {
		a := &t.attrs[i]
		c.buf = append(append(append(c.buf, ' '), a.name.raw...), `="`...)
		c.buf = AppendAttr(c.buf, a.value)
		c.buf = append(c.buf, '"')
		c.drain()
	}
	c.buf = append(c.buf, '>')
	c.drain()
}

// end writes an end tag.
func (c *canon) end(raw string) {
	c.buf = append(append(append(c.buf, "</"...), raw...), '>')
	c.drain()
	last := len(c.marks) - 1
	c.rendered = c.rendered[:c.marks[last]]
	c.marks = c.marks[:last]
}

// useVisible notes the prefixes that a tag visibly utilises (Exclusive XML
// Canonicalization 1.0, section 3), and the listed ones as the inclusive form
// notes all: where they come into scope or change.
func (c *canon) useVisible(t *tag, in *scope) {
	c.use(t.name.prefix, in)
	last := ""
	for i := range t.attrs {
		if p := t.attrs[i].name.prefix; p != "" && p != last {
			c.use(p, in)
			last = p
		}
	}
	if len(c.form.prefixes) == 0 {
		return
	}
	if len(c.marks) == 1 {
		for _, p := range c.form.prefixes {
			c.use(p, in)
		}
		return
	}
	for i := range t.decls {
		if p := declared(t.decls[i].name); slices.Contains(c.form.prefixes, p) {
			c.use(p, in)
		}
	}
}

// useAll notes the prefixes that a tag declares; at the apex, all that are in
// scope (Canonical XML 1.0, 2.3, namespace axis).
func (c *canon) useAll(t *tag, in *scope) {
	if len(c.marks) == 1 {
		for i := range in.bindings {
			c.use(in.bindings[i].prefix, in)
		}
		return
	}
	for i := range t.decls {
		c.use(declared(t.decls[i].name), in)
	}
}

// use notes a prefix; it must be declared unless the nearest declaration as
// written says the same. A prefix that is not in scope is none.
func (c *canon) use(prefix string, in *scope) {
	uri, ok := in.lookup(prefix)
	if prefix == "xml" || !ok || c.says(prefix) == uri {
		return
	}
	for i := range c.fresh {
		if c.fresh[i].prefix == prefix {
			return
		}
	}
	c.fresh = append(c.fresh, binding{prefix, uri})
}

// says returns the namespace of a prefix in what was written so far.
func (c *canon) says(prefix string) string {
	for i := len(c.rendered) - 1; i >= 0; i-- {
		if c.rendered[i].prefix == prefix {
			return c.rendered[i].uri
		}
	}
	return ""
}

// writeFresh writes the tag's declarations in the order of their prefixes.
func (c *canon) writeFresh() {
	for i := range c.fresh {
		for j := i; j > 0 && c.fresh[j].prefix < c.fresh[j-1].prefix; j-- {
			c.fresh[j], c.fresh[j-1] = c.fresh[j-1], c.fresh[j]
		}
	}
	for _, d := range c.fresh {
		c.buf = append(c.buf, " xmlns"...)
		if d.prefix != "" {
			c.buf = append(append(c.buf, ':'), d.prefix...)
		}
		c.buf = append(c.buf, `="`...)
		c.buf = AppendAttr(c.buf, d.uri)
		c.buf = append(c.buf, '"')
		c.drain()
	}
	c.rendered = append(c.rendered, c.fresh...)
}

// sorted is the attributes' canonical order: by namespace, then local name,
// those without a namespace first (Canonical XML 1.0, 2.2).
func (t *tag) sorted() []int {
	t.order = t.order[:0]
	for i := range t.attrs {
		t.order = append(t.order, i)
		for j := i; j > 0 && t.less(t.order[j], t.order[j-1]); j-- {
			t.order[j], t.order[j-1] = t.order[j-1], t.order[j]
		}
	}
	return t.order
}

func (t *tag) less(i, j int) bool {
	a, b := &t.attrs[i], &t.attrs[j]
	if a.space != b.space {
		return a.space < b.space
	}
	return a.name.local < b.name.local
}
