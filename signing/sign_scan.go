package signing

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A spot is what Sign must know of a package: the digest of its canonical form,
// and where the end tag of the element begins that is to hold the signature.
type spot struct {
	digest [32]byte
	end    int64
}

// scanForSigning reads a package that is not yet signed.
func scanForSigning(src io.ReadSeeker, place []Name) (spot, error) {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return spot{}, fmt.Errorf("going to the package's beginning: %w", err)
	}
	p := passage{scanner: newScanner(src, Options{NoDigest: true, scanOnly: true}), place: place}
	defer p.release()
	if err := p.document(); err != nil {
		return spot{}, whySigned(err)
	}
	switch {
	case p.sig.el != nil:
		return spot{}, fmt.Errorf("%w; it is at line %d", ErrSigned, p.sig.el.Line)
	case p.found == 0:
		return spot{}, fmt.Errorf("%w: there is no element %s", ErrNoPlace, written(place))
	case p.found > 1:
		return spot{}, fmt.Errorf("%w: the element %s is there more than once", ErrNoPlace, written(place))
	case p.empty != nil:
		name := asWritten(p.empty)
		return spot{}, fmt.Errorf("%w: write <%s></%s> in line %d", ErrEmptyPlace, name, name, p.empty.Line)
	}
	return spot{[32]byte(p.canon.sum()), p.endAt}, nil
}

// whySigned names the refusal of a signature wherever it stands.
func whySigned(err error) error {
	var refusal *Error
	if errors.As(err, &refusal) && (refusal.Rule == SignatureMisplaced || refusal.Rule == SecondSignature) {
		return fmt.Errorf("%w: %w", ErrSigned, err)
	}
	return err
}

// A passage drives a scanner over a document of which only the digest and the
// signature are wanted: all other text is let go.
type passage struct {
	*scanner
	place []Name
	found int      // how many elements place reaches
	endAt int64    // where the end tag of the last of them begins
	empty *Element // one of them that is written as an empty element
}

// document scans from the first byte to the last.
func (p *passage) document() error {
	p.forget = true
	if err := p.prolog(); err != nil {
		return err
	}
	if err := p.startTag(); err != nil {
		return err
	}
	p.noteEmpty()
	for len(p.stack) > 0 {
		if err := p.step(); err != nil {
			return err
		}
	}
	return p.epilog()
}

// step takes a piece of text and the markup after it.
func (p *passage) step() error {
	if err := p.text(); err != nil {
		return err
	}
	if err := p.ensure(2); err != nil {
		return p.placed(err)
	}
	switch p.buf[min(p.pos+1, p.end-1)] {
	case '/':
		p.noteEnd()
		return p.markup()
	case '!':
		return p.markup() // a CDATA section: more text
	}
	if err := p.markup(); err != nil {
		return err
	}
	p.noteEmpty()
	return nil
}

// noteEnd is called before the end tag of the innermost element is taken.
func (p *passage) noteEnd() {
	if p.isPlace(p.stack[len(p.stack)-1].el) {
		p.found++
		p.endAt = p.offset(p.pos)
	}
}

// noteEmpty is called after a start tag or an empty element was taken.
func (p *passage) noteEmpty() {
	if e := p.newest(); p.tag.empty && p.isPlace(e) {
		p.found++
		p.empty = e
	}
}

// newest is the element that an empty element left in the tree.
func (p *passage) newest() *Element {
	if len(p.stack) == 0 {
		return p.root
	}
	siblings := p.stack[len(p.stack)-1].el.Children
	if len(siblings) == 0 {
		return nil
	}
	return siblings[len(siblings)-1]
}

func (p *passage) isPlace(e *Element) bool {
	if len(p.place) == 0 {
		return e == p.root
	}
	return reachedBy(e, p.place)
}

// written puts a place in words.
func written(place []Name) string {
	locals := make([]string, len(place))
	for i, name := range place {
		locals[i] = name.Local
	}
	return fmt.Sprintf("%s (in the namespace %q)", strings.Join(locals, "/"), place[len(place)-1].Space)
}

// asWritten is an element's name with its prefix.
func asWritten(e *Element) string {
	if e.Prefix == "" {
		return e.Local
	}
	return e.Prefix + ":" + e.Local
}
