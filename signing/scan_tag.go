package signing

import (
	"bytes"
	"unicode/utf8"
)

// A tag is the start tag under the scanner.
type tag struct {
	name  *qname
	attrs []attribute
	decls []attribute // namespace declarations: value is the namespace
	order []int       // attrs in canonical order
	empty bool        // <a/>
	open  bool        // named, but its element not yet in the tree
}

type attribute struct {
	name  *qname
	space string
	value string
}

// forget lets go of the last document's strings.
func (t *tag) forget() {
	clear(t.attrs[:cap(t.attrs)])
	clear(t.decls[:cap(t.decls)])
	t.name, t.open, t.attrs, t.decls = nil, false, t.attrs[:0], t.decls[:0]
}

// tagEnd brings a whole tag into the window and returns its length up to the
// closing '>'.
func (s *scanner) tagEnd() (int, error) {
	i, quote := 1, byte(0)
	for {
		for b := s.buf[s.pos:s.end]; i < len(b); i++ {
			if quote != 0 {
				n := bytes.IndexByte(b[i:], quote)
				if n < 0 {
					i = len(b)
					break
				}
				i, quote = i+n, 0
				continue
			}
			switch c := b[i]; c {
			case '"', '\'':
				quote = c
			case '>':
				return i, s.tagLimit(i + 1)
			case '<':
				return 0, s.refusef(BadMarkup, "'<' inside a tag")
			}
		}
		if err := s.tagLimit(i); err != nil {
			return 0, err
		}
		if ok, err := s.more(); err != nil || !ok {
			if err == nil {
				err = refusef(Truncated, "inside a tag")
			}
			return 0, s.placed(err)
		}
	}
}

func (s *scanner) tagLimit(n int) error {
	if n > s.lim.TagBytes {
		return s.refuse(TagTooLong, "")
	}
	return nil
}

// startTag takes a start tag or an empty element.
func (s *scanner) startTag() error {
	end, err := s.tagEnd()
	if err != nil {
		return err
	}
	if err := s.parseTag(s.buf[s.pos+1 : s.pos+end]); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	s.pos += end + 1
	if s.tag.empty {
		return s.finish()
	}
	return nil
}

// endTag takes an end tag, which must be that of the innermost open element.
func (s *scanner) endTag() error {
	end, err := s.tagEnd()
	if err != nil {
		return err
	}
	b := s.buf[s.pos+2 : s.pos+end]
	n := nameEnd(b)
	open := s.stack[len(s.stack)-1].name
	if string(b[:n]) != open.raw {
		return s.refusef(MismatchedTag, "end tag of %s, open is %s", excerpt(b[:n]), excerpt([]byte(open.raw)))
	}
	if spaceEnd(b[n:]) != len(b)-n {
		return s.refusef(BadMarkup, "end tag with more than a name")
	}
	if err := s.finish(); err != nil {
		return err
	}
	s.pos += end + 1
	return nil
}

// parseTag reads the inside of a start tag into s.tag.
func (s *scanner) parseTag(b []byte) error {
	t := &s.tag
	t.attrs, t.decls, t.empty = t.attrs[:0], t.decls[:0], false
	i := nameEnd(b)
	var err error
	if t.name, err = s.name(b[:i]); err != nil {
		return err
	}
	t.open = true
	for i < len(b) {
		gap := spaceEnd(b[i:])
		i += gap
		if i == len(b) {
			return nil
		}
		if b[i] == '/' && i == len(b)-1 {
			t.empty = true
			return nil
		}
		if gap == 0 {
			return s.refusef(BadMarkup, "in a tag: %s", excerpt(b[i:]))
		}
		n, err := s.parseAttribute(b[i:])
		if err != nil {
			return err
		}
		i += n
	}
	return nil
}

// parseAttribute reads one attribute and returns its length.
func (s *scanner) parseAttribute(b []byte) (int, error) {
	i := nameEnd(b)
	if i == 0 {
		return 0, s.refusef(BadMarkup, "in a tag: %s", excerpt(b))
	}
	name, err := s.name(b[:i])
	if err != nil {
		return 0, err
	}
	i += spaceEnd(b[i:])
	if i == len(b) || b[i] != '=' {
		return 0, s.refusef(BadMarkup, "attribute without a value: %s", excerpt(b[:i]))
	}
	i++
	i += spaceEnd(b[i:])
	if i == len(b) || b[i] != '"' && b[i] != '\'' {
		return 0, s.refusef(BadMarkup, "attribute value without quotation marks: %s", excerpt(b[:i]))
	}
	n := bytes.IndexByte(b[i+1:], b[i])
	if n < 0 {
		return 0, s.refusef(BadMarkup, "attribute value without an end")
	}
	return i + n + 2, s.addAttribute(name, b[i+1:i+1+n])
}

func (s *scanner) addAttribute(name *qname, raw []byte) error {
	value, err := s.normalise(raw)
	if err != nil {
		return err
	}
	t := &s.tag
	if name.prefix == "xmlns" || name.raw == "xmlns" {
		return s.addDeclaration(name, value)
	}
	if len(t.attrs) == s.lim.Attributes {
		return s.refuse(TooManyAttributes, "")
	}
	for i := range t.attrs {
		if t.attrs[i].name.raw == name.raw {
			return s.refuse(DuplicateAttribute, excerpt([]byte(name.raw)))
		}
	}
	if err := s.charge(len(value) + attrCost); err != nil {
		return err
	}
	t.attrs = append(t.attrs, attribute{name: name, value: s.tree.keep(value)})
	return nil
}

// normalise is the attribute-value normalisation of XML 1.0, 3.3.3, for
// attributes without a declared type, after that of line ends, 2.11.
func (s *scanner) normalise(raw []byte) ([]byte, error) {
	n := cleanRun(raw)
	if n == len(raw) && bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\t') < 0 {
		return raw, nil
	}
	v := s.scratch[:0]
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '&':
			r, n := readReference(raw[i:])
			if n == 0 {
				return nil, s.refuse(InvalidReference, excerpt(raw[i:]))
			}
			v = utf8.AppendRune(v, r)
			i += n
		case c == '\r' && i+1 < len(raw) && raw[i+1] == '\n':
			i++ // the line feed becomes the space
		case c == '\r', c == '\n', c == '\t':
			v = append(v, ' ')
			i++
		case c == '<':
			return nil, s.refusef(BadMarkup, "'<' inside an attribute value")
		case c == '>':
			v = append(v, c)
			i++
		case c < ' ':
			return nil, s.refuse(InvalidCharacter, excerpt(raw[i:]))
		default:
			n := plainASCII(raw[i:])
			if n == 0 {
				n = validRunes(raw[i:])
			}
			if n == 0 {
				return nil, s.refusef(InvalidCharacter, "bytes %s", excerpt(raw[i:]))
			}
			v = append(v, raw[i:i+n]...)
			i += n
		}
	}
	s.scratch = v
	return v, nil
}
