package edxml

import (
	"cmp"
	"io"
	"strings"

	"tram/exchange"
	"tram/signing"
)

// Options bound what a package may hold. Zero fields mean the default.
type Options struct {
	// Attachments is how many a package may have; 200.
	Attachments int
	// Unpacked is how many bytes one file in a ZIP may unpack to; 256 MiB.
	Unpacked int64
	// Total is how many bytes all attachments may decode and unpack to; 1 GiB.
	Total int64
	// Types is what becomes of attachments that are not what their names say;
	// TypesWarn.
	Types Types
	// Document bounds the XML document itself.
	Document signing.Limits
}

// Format is the exchange.Format of edXML packages.
type Format struct{ o Options }

// New returns the format within the limits of o.
func New(o Options) Format {
	o.Attachments = cmp.Or(o.Attachments, 200)
	o.Unpacked = cmp.Or(o.Unpacked, 256<<20)
	o.Total = cmp.Or(o.Total, 1<<30)
	o.Types = cmp.Or(o.Types, TypesWarn)
	return Format{o}
}

// Decoder starts on one document.
func (f Format) Decoder() exchange.Decoder {
	return &decoder{
		o:        f.o,
		budget:   &budget{entry: f.o.Unpacked, total: f.o.Total},
		contents: map[*signing.Element]*content{},
	}
}

// decoder takes the attachments' contents of one document while it is read.
type decoder struct {
	o        Options
	budget   *budget
	contents map[*signing.Element]*content
	// passOver hears why a content is refused, and the reading goes on behind it;
	// nil: the reading ends there.
	passOver func(error)
}

// SignaturePlace is where the standard has the signature: last in the header.
func SignaturePlace() []signing.Name {
	return []signing.Name{{Space: Namespace, Local: "edXML"}, {Space: Namespace, Local: "edXMLEnvelope"}, {Space: Namespace, Local: "edXMLHeader"}}
}

// Options are what signing.Read needs: the attachments' contents stream to the
// decoder, and the signature may stand where the standard has it.
func (d *decoder) Options() signing.Options {
	return signing.Options{Limits: d.o.Document, Stream: d.stream, SignatureIn: [][]signing.Name{SignaturePlace()}, Part: d.part}
}

// part finds the attachment that a reference of the signature names by its
// ContentId. One that two attachments have names none: Decode refuses it, too.
func (d *decoder) part(root *signing.Element, uri string) (signing.Part, bool) {
	var found signing.Part
	for _, list := range root.All(Namespace, "AttachmentEncoded") {
		for _, a := range list.All(Namespace, "Attachment") {
			id := a.Child(Namespace, "ContentId")
			if id == nil || contentID(id.Value()) != contentID(uri) {
				continue
			}
			if found.Element != nil {
				return signing.Part{}, false
			}
			found = signing.Part{Element: a.Child(Namespace, "ContentTransferEncoded"), Decode: decodeTo}
		}
	}
	return found, found.Element != nil
}

func decodeTo(to io.Writer) io.WriteCloser { return &unbase64{to: to} }

func (d *decoder) stream(e *signing.Element) io.Writer {
	if !isContent(e) {
		return nil
	}
	if e.Space != Namespace && (d.passOver == nil || e.Space != rootOf(e).Space) {
		return io.Discard // unknown, or the whole document is in a wrong namespace
	}
	w := d.content(e)
	if d.passOver == nil {
		return w
	}
	return &forgiving{to: w, refused: func(err error) {
		delete(d.contents, e)
		d.passOver(err)
	}}
}

// isContent says whether an element holds an attachment, which is never kept in
// memory.
func isContent(e *signing.Element) bool {
	return e.Local == "ContentTransferEncoded" && e.Parent != nil
}

func rootOf(e *signing.Element) *signing.Element {
	for e.Parent != nil {
		e = e.Parent
	}
	return e
}

// content takes an attachment's content, if it may have one more.
func (d *decoder) content(e *signing.Element) io.WriteCloser {
	if n := len(d.contents); n == d.o.Attachments { // each takes memory, if little
		return refusing{ruleTooMany.With(n+1, n).At(e.Parent.Path(), e.Parent.Line)}
	}
	c := newContent(e, d.budget)
	d.contents[e] = c
	return c
}

// refusing ends the reading.
type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }
func (r refusing) Close() error              { return r.err }

// Decode makes a package of the document.
func (d *decoder) Decode(doc *signing.Document) (exchange.Package, error) {
	r := &reading{}
	p := d.understand(r, doc)
	if r.refused != nil {
		return exchange.Package{}, r.refused
	}
	return p, nil
}

// understand reads a document. If it is refused, the package is what could be
// read of it.
func (d *decoder) understand(r *reading, doc *signing.Document) exchange.Package {
	envelope := r.envelope(doc.Root)
	if envelope == nil || r.refused != nil && r.tell == nil {
		return exchange.Package{}
	}
	p := r.message(envelope)
	p.Attachments = r.attachments(d, doc.Root, r.one(envelope, "edXMLBody"))
	p.Digest, p.Size = doc.Digest, doc.Size
	p.Content, p.Signature = exchange.Digest(doc.Digest), nil
	if doc.Signature != nil {
		p.Content, p.Signature = doc.Signature.SignedInfo, exchange.SignatureOf(doc.Signature)
	}
	p.Warnings = r.warnings
	return p
}

// envelope checks the outer shape and finds the envelope; nil: there is none.
func (r *reading) envelope(root *signing.Element) *signing.Element {
	if !r.root(root) {
		return nil
	}
	e := root
	if !isEnvelope(root) {
		e = r.need(root, "<edXML:edXMLEnvelope>", "edXMLEnvelope")
	}
	body := r.one(e, "edXMLBody")
	if body != nil {
		r.noReport(body)
	}
	r.misplaced(root)
	r.disguised(root)
	return e
}

func isEnvelope(root *signing.Element) bool { return strings.EqualFold(root.Local, "edXMLEnvelope") }

// root checks the root element, and says whether it is one that was meant to be
// edXML's.
func (r *reading) root(root *signing.Element) bool {
	if !isEnvelope(root) && !strings.EqualFold(root.Local, "edXML") {
		r.refuse(ruleNotEdXML.With(excerpt(root.Local)), root)
		return false
	}
	if root.Space != Namespace {
		r.refuse(ruleNamespace.With(root.Local, excerpt(root.Space)), root)
		adopt(root, root.Space)
	}
	switch {
	case isEnvelope(root):
		r.refuse(ruleEnvelopeRoot.With(root.Local), root)
	case root.Local != "edXML":
		r.refuse(ruleElementName.With(root.Local, "edXML"), root)
	}
	return true
}

// noReport refuses the malware reports that use the same envelope.
func (r *reading) noReport(body *signing.Element) {
	for _, c := range body.Children {
		if c.Local == "AVReport" {
			r.refuse(ruleReport.With(), c)
		}
	}
}

// misplaced refuses attachments that stand where receivers pass over them, or
// some do.
func (r *reading) misplaced(e *signing.Element) {
	for _, c := range e.Children {
		if wants, ok := attachmentParents[c.Local]; ok && c.Space == Namespace && !under(c, wants) {
			r.refuse(ruleAttachmentPlace.With(), c) // and all that is in it
			continue
		}
		r.misplaced(c)
	}
}

// disguised refuses elements of other namespaces that a reader which goes by
// prefixes, or by local names alone, would take for the format's own: it would
// find another sender or another status than the exchange.
func (r *reading) disguised(e *signing.Element) {
	var own map[string]bool // read when there is a foreign element
	for _, c := range e.Children {
		if c.Space != Namespace && own == nil {
			own = ownNames(e)
		}
		if c.Space != Namespace && (c.Prefix+":" == prefix || own[c.Local]) {
			r.refuse(ruleNamespace.With(c.Local, excerpt(c.Space)), c)
			return
		}
		r.disguised(c)
	}
}

// ownNames are the names of the children that are the format's own.
func ownNames(e *signing.Element) map[string]bool {
	own := map[string]bool{}
	for _, c := range e.Children {
		if c.Space == Namespace {
			own[c.Local] = true
		}
	}
	return own
}

// attachmentParents are the elements of an attachment and the path they stand
// under.
var attachmentParents = map[string][]string{
	"AttachmentEncoded":      {"edXML"},
	"Attachment":             {"AttachmentEncoded", "edXML"},
	"ContentTransferEncoded": {"Attachment", "AttachmentEncoded", "edXML"},
}

// under says whether an element's ancestors are these, from the nearest to the
// root.
func under(e *signing.Element, ancestors []string) bool {
	for _, name := range ancestors {
		e = e.Parent
		if e == nil || e.Local != name || e.Space != Namespace {
			return false
		}
	}
	return e.Parent == nil
}
