package signing

import (
	"errors"
	"fmt"
	"io"
)

// start opens the element of s.tag.
func (s *scanner) start() error {
	if err := s.mayStart(); err != nil {
		return err
	}
	space, err := s.resolve()
	if err != nil {
		return err
	}
	parent := (*Element)(nil)
	if len(s.stack) > 0 {
		parent = s.stack[len(s.stack)-1].el
	}
	el := s.tree.element(&s.tag, space, parent, s.lineAt(s.pos))
	el.order = s.elements
	if err := s.checkIDs(); err != nil {
		return err
	}
	if err := s.startInSignature(el); err != nil {
		return err
	}
	s.tag.open = false
	s.stack = append(s.stack, frame{el: el, name: s.tag.name, textFrom: len(s.texts)})
	if parent == nil {
		s.root = el
	} else if el != s.sig.el {
		s.tree.link(el)
	}
	if s.out != nil {
		if s.out.isDoubtful(&s.tag) {
			return s.refusef(CanonicalizationNotAllowed, "xml:base is empty, and Canonical XML 1.1 with it is not accepted: use the exclusive form")
		}
		s.out.start(&s.tag, &s.scope)
	}
	if s.sig.depth == 0 {
		s.stack[len(s.stack)-1].w = s.writer(el)
	}
	return nil
}

// writer takes an element's text; nil if it is kept.
func (s *scanner) writer(el *Element) io.Writer {
	if d := s.parts[el.order]; d != nil {
		return d
	}
	if s.stream == nil {
		return nil
	}
	return s.stream(el)
}

// mayStart checks the limits that an element counts against.
func (s *scanner) mayStart() error {
	if s.elements++; s.elements > s.lim.Elements {
		return s.refuse(TooManyElements, "")
	}
	if len(s.stack) == s.lim.Depth {
		return s.refuse(TooDeep, "")
	}
	if len(s.stack) > 0 && s.stack[len(s.stack)-1].w != nil {
		return s.refuse(ElementInStreamedText, "")
	}
	return nil
}

// checkIDs refuses an identifier met before, under whichever of the names that
// signature software takes for one: two elements of one identifier are how a
// signature is made to cover another element than the one that is read.
func (s *scanner) checkIDs() error {
	for i := range s.tag.attrs {
		a := &s.tag.attrs[i]
		if !isID(a) {
			continue
		}
		if _, seen := s.ids[a.value]; seen {
			return s.refuse(DuplicateID, excerpt([]byte(a.value)))
		}
		s.ids[a.value] = struct{}{}
	}
	return nil
}

func isID(a *attribute) bool {
	switch a.name.local {
	case "Id", "ID":
		return a.space == ""
	case "id":
		return a.space == "" || a.space == nsXML
	}
	return false
}

// finish closes the innermost element.
func (s *scanner) finish() error {
	f := &s.stack[len(s.stack)-1]
	f.el.Text = s.tree.keep(s.texts[f.textFrom:])
	s.texts = s.texts[:f.textFrom]
	f.el.countChildren()
	if c, ok := f.w.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return s.streamed(err)
		}
	}
	if s.out != nil {
		s.out.end(f.name.raw)
	}
	if err := s.finishInSignature(f.el); err != nil {
		return err
	}
	s.scope.pop()
	s.stack = s.stack[:len(s.stack)-1]
	return nil
}

// chars takes character data that is canonical as it stands.
func (s *scanner) chars(b []byte) error {
	if s.out != nil {
		s.out.write(b)
	}
	return s.keepText(b)
}

// escaped takes one ASCII character that canonical form may write otherwise.
func (s *scanner) escaped(c byte) error {
	s.scratch = append(s.scratch[:0], c)
	if s.out != nil {
		s.out.buf = AppendText(s.out.buf, string(s.scratch))
		s.out.drain()
	}
	return s.keepText(s.scratch)
}

// keepText gives character data to the element's writer, or keeps it.
func (s *scanner) keepText(b []byte) error {
	f := &s.stack[len(s.stack)-1]
	if f.w != nil {
		if _, err := f.w.Write(b); err != nil {
			return s.streamed(err)
		}
		return nil
	}
	if s.forget && s.sig.depth == 0 {
		return nil
	}
	if err := s.charge(len(b)); err != nil {
		return err
	}
	s.texts = append(s.texts, b...)
	return s.textInSignature(b)
}

// streamed is the error of a Stream writer: a refusal gets its place, anything
// else says whose text was being written.
func (s *scanner) streamed(err error) error {
	if refusal := (*Error)(nil); errors.As(err, &refusal) {
		return s.placed(err)
	}
	return fmt.Errorf("writing the text of %s: %w", s.path(), err)
}
