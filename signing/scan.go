package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
)

// What keeping things costs besides their bytes, charged to Limits.TextBytes so
// that many small things are bounded like a few large ones.
const (
	attrCost = 64
	nameCost = 96
)

// A scanner reads one document: strictly, once, and in bounded memory. Every
// start tag, end tag and piece of text is checked, put in the tree and written
// in canonical form to where its digest is taken.
type scanner struct {
	window
	lim    Limits
	stream func(*Element) io.Writer

	names    map[string]*qname
	uris     map[string]string
	scope    scope
	tag      tag
	scratch  []byte
	stack    []frame
	elements int
	budget   int // what is left of Limits.TextBytes

	tree  tree
	root  *Element
	texts []byte // text of the open elements, the innermost last

	canon canon  // of the document
	props canon  // of the signed properties
	info  canon  // of SignedInfo, into infoForm
	out   *canon // where canonical form goes now; nil: nowhere
	sig   signatureScan
	ids   map[string]struct{}

	infoForm bytes.Buffer
	scanOnly bool // a signature is looked for, not verified
	plain    bool // none is looked for
	sha1     bool
	part     func(root *Element, uri string) (Part, bool)
	parts    map[int]*partDigest // by Element.order
	forget   bool                // text outside the signature is let go

	explainer *explainer // nil: a signature that does not hold ends the reading
}

// A frame is an open element.
type frame struct {
	el       *Element
	name     *qname
	w        io.Writer // takes the text; nil: it is kept
	textFrom int       // where in texts its text begins
}

// scanners keeps windows and stacks for the next document. Nothing of a
// document but names seen in it outlives its reading.
var scanners = sync.Pool{New: func() any {
	s := &scanner{
		names: make(map[string]*qname),
		uris:  make(map[string]string),
		ids:   make(map[string]struct{}),
	}
	return s
}}

func newScanner(src io.Reader, o Options) *scanner {
	s := scanners.Get().(*scanner)
	s.lim = o.Limits.orDefault()
	s.stream = o.Stream
	s.budget = s.lim.TextBytes
	if s.raw = nil; !o.NoDigest {
		s.raw = sha256.New()
	}
	s.window.reset(src, s.lim.Bytes)
	s.canon.reset(c14nForm{}, crypto.SHA256)
	s.out = &s.canon
	s.sig.in = o.SignatureIn
	s.scanOnly, s.plain, s.sha1, s.part = o.scanOnly, o.elements, o.SHA1, o.Part
	return s
}

// release gives the scanner back, and the tree to whoever holds a part of it.
func (s *scanner) release() {
	s.tree = tree{}
	s.letGo()
}

// recycle gives the scanner back with its tree, of which nobody may hold a part.
func (s *scanner) recycle() {
	s.tree.recycle()
	s.letGo()
}

// letGo forgets the document. What grew beyond the ordinary goes.
func (s *scanner) letGo() {
	const ordinary = 256 << 10
	if len(s.buf) > ordinary {
		s.buf = nil
	}
	if cap(s.texts) > ordinary {
		s.texts = nil
	}
	if s.infoForm.Cap() > ordinary {
		s.infoForm = bytes.Buffer{}
	}
	if len(s.names)+len(s.uris) > pooledNames {
		s.names, s.uris = make(map[string]*qname), make(map[string]string)
	}
	if len(s.ids) > pooledNames {
		s.ids = make(map[string]struct{})
	}
	clear(s.ids)
	clear(s.stack[:cap(s.stack)])
	s.tag.forget()
	s.scope.reset()
	s.src, s.stream, s.root, s.out = nil, nil, nil, nil
	s.part, s.parts, s.forget, s.explainer = nil, nil, false, nil
	s.stack, s.texts, s.elements = s.stack[:0], s.texts[:0], 0
	s.sig = signatureScan{}
	scanners.Put(s)
}

// document scans from the first byte to the last.
func (s *scanner) document() error {
	if err := s.prolog(); err != nil {
		return err
	}
	if err := s.startTag(); err != nil {
		return err
	}
	for len(s.stack) > 0 {
		if err := s.text(); err != nil {
			return err
		}
		if err := s.markup(); err != nil {
			return err
		}
	}
	return s.epilog()
}

// markup takes what begins with '<' inside the root.
func (s *scanner) markup() error {
	if err := s.ensure(2); err != nil {
		return s.placed(err)
	}
	if s.end-s.pos < 2 {
		return s.refusef(Truncated, "an element is open")
	}
	switch s.buf[s.pos+1] {
	case '/':
		return s.endTag()
	case '!', '?':
		return s.declaration()
	}
	return s.startTag()
}

// declaration takes a CDATA section inside the root and refuses the rest of
// what "<!" and "<?" can begin.
func (s *scanner) declaration() error {
	if err := s.ensure(len(cdataStart)); err != nil {
		return s.placed(err)
	}
	b := s.buf[s.pos:s.end]
	switch {
	case b[1] == '?':
		return s.refuse(ProcessingInstruction, "")
	case bytes.HasPrefix(b, []byte("<!--")):
		return s.refuse(Comment, "")
	case len(b) >= len(doctypeStart) && strings.EqualFold(string(b[:len(doctypeStart)]), doctypeStart):
		return s.refuse(Doctype, "")
	case len(s.stack) > 0 && bytes.HasPrefix(b, cdataStart):
		return s.cdata()
	case s.eof && bytes.HasPrefix(cdataStart, b):
		return s.refusef(Truncated, "an element is open")
	}
	return s.refuse(BadMarkup, excerpt(b[:min(len(b), len(cdataStart))]))
}

const doctypeStart = "<!DOCTYPE"

// refuse is a refusal at the place that the scanner has reached.
func (s *scanner) refuse(rule Rule, detail string) error {
	return s.placed(Refuse(rule, detail))
}

func (s *scanner) refusef(rule Rule, format string, args ...any) error {
	return s.placed(refusef(rule, format, args...))
}

// placed gives a refusal without a place the one that the scanner has reached.
func (s *scanner) placed(err error) error {
	refusal := (*Error)(nil)
	if err == nil || !errors.As(err, &refusal) {
		return err
	}
	if refusal.Path == "" {
		refusal.Path = s.path()
	}
	if refusal.Line == 0 {
		refusal.Line = s.lineAt(s.pos)
	}
	return err
}

// path is that of the innermost element, its start tag being under way or not.
func (s *scanner) path() string {
	path := ""
	if len(s.stack) > 0 {
		path = s.stack[len(s.stack)-1].el.Path()
	}
	if s.tag.open {
		path += "/" + s.tag.name.local
	}
	return path
}

// charge takes n bytes from what may be kept in memory, before they are.
func (s *scanner) charge(n int) error {
	if s.budget -= n; s.budget < 0 {
		return s.refuse(TooMuchText, "")
	}
	return nil
}
