package edxml

import (
	"errors"
	"io"

	"tram/exchange"
	"tram/signing"
)

// mostFindings are kept of one document: whoever has more has one cause of most.
const mostFindings = 100

// Validate implements exchange.Format. It reads the document as the exchange does:
// what that reading is refused by is the first finding. Only then it goes on,
// where the exchange does not: it reads the document once more without its
// signature, with attachments that are refused passed over, and has the signature
// explained. The rules are those of Decode, by the same functions.
func (f Format) Validate(open func() (io.ReadCloser, error), sha1 bool) (exchange.Validation, error) {
	v := &validation{format: f, open: open, sha1: sha1, seen: map[sameness]bool{}}
	err := v.run()
	return v.out, err
}

// validation is one document being validated.
type validation struct {
	format Format
	open   func() (io.ReadCloser, error)
	sha1   bool
	seen   map[sameness]bool
	out    exchange.Validation
}

// sameness is what makes two findings the same.
type sameness struct {
	rule, path string
	line       int
}

func (v *validation) run() error {
	d := v.decoder()
	doc, err := v.read(d, signing.Read)
	if err != nil {
		if err := v.refused(err); err != nil {
			return err
		}
		if err := v.form(); err != nil {
			return err
		}
		return v.signature()
	}
	foreign := doc.Root.Space != Namespace // attachments were passed over
	v.out.Package = d.understand(v.reading(), doc)
	v.out.Signed, v.out.Signature = doc.Signature != nil, doc.Signature
	if foreign {
		if err := v.form(); err != nil {
			return err
		}
	}
	v.unsigned(doc.Root)
	return nil
}

func (v *validation) decoder() *decoder { return v.format.Decoder().(*decoder) }

// read reads the document from its beginning.
func (v *validation) read(d *decoder, read func(io.Reader, signing.Options) (*signing.Document, error)) (*signing.Document, error) {
	in, err := v.open()
	if err != nil {
		return nil, err
	}
	o := d.Options()
	o.Again, o.SHA1 = v.open, v.sha1
	doc, err := read(in, o)
	return doc, errors.Join(err, in.Close())
}

// form finds what is wrong with everything but the signature.
func (v *validation) form() error {
	d := v.decoder()
	d.passOver = func(err error) { _ = v.refused(err) } // an attachment's writers fail by rules only
	doc, err := v.read(d, signing.Scan)
	if err != nil {
		return v.refused(err)
	}
	withoutSignature(doc.Root)
	v.out.Package = d.understand(v.reading(), doc)
	return nil
}

// withoutSignature takes signatures out of the tree, as reading leaves it.
func withoutSignature(e *signing.Element) {
	kept := e.Children[:0]
	for _, c := range e.Children {
		if c.Space == xmldsig && c.Local == "Signature" {
			continue
		}
		withoutSignature(c)
		kept = append(kept, c)
	}
	e.Children = kept
}

// signature finds what is wrong with the signature, step by step.
func (v *validation) signature() error {
	d := v.decoder()
	o := d.Options()
	o.Again, o.SHA1 = v.open, v.sha1
	o.Stream = func(e *signing.Element) io.Writer {
		if isContent(e) {
			return io.Discard
		}
		return nil
	}
	in := &rewound{open: v.open}
	doc, err := signing.Explain(in, o, func(s signing.Step) {
		v.out.Signed = v.out.Signed || s.Name == signing.StepSignature
		if s.Err != nil {
			_ = v.refused(s.Err) // any other error is that of Explain
		}
	})
	if in.err != nil { // the refusal may be in err, too
		return in.err
	}
	if err := in.Close(); err != nil {
		return err
	}
	if err == nil { // an attachment was refused
		v.out.Signature = doc.Signature
		v.unsigned(doc.Root)
		return nil
	}
	return v.refused(err)
}

// unsigned warns of a package without a signature.
func (v *validation) unsigned(root *signing.Element) {
	if !v.out.Signed {
		v.note(exchange.Unsigned().With().At(root.Path(), root.Line), exchange.SeverityWarning, "")
	}
}

// refused notes a refusal; any other error is returned.
func (v *validation) refused(err error) error {
	e, ok := exchange.RefusalOf(err)
	if !ok {
		return err
	}
	v.note(e, exchange.SeverityRefused, "")
	return nil
}

func (v *validation) reading() *reading {
	return &reading{tell: func(err *exchange.Error, s exchange.Severity, at *signing.Element) {
		found := ""
		if at != nil && len(at.Children) == 0 {
			found = excerpt(at.Value())
		}
		v.note(err, s, found)
	}}
}

// note keeps a finding, once.
func (v *validation) note(err *exchange.Error, s exchange.Severity, found string) {
	key := sameness{err.Rule.Name, err.Path, err.Line}
	if v.seen[key] {
		return
	}
	if len(v.out.Findings) == mostFindings {
		v.out.More++
		return
	}
	v.seen[key] = true
	f := exchange.FindingOf(err, s, found)
	help := helps[f.Rule]
	f.Expected, f.Example = help.expected, help.good
	v.out.Findings = append(v.out.Findings, f)
}

// rewound reads a document that is opened again where others would go back to its
// beginning.
type rewound struct {
	open func() (io.ReadCloser, error)
	in   io.ReadCloser
	err  error // of opening
}

func (r *rewound) Read(p []byte) (int, error) { return r.in.Read(p) }

var errOnlyRewinds = errors.New("a document that is opened anew begins at its beginning")

func (r *rewound) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errOnlyRewinds
	}
	if err := r.Close(); err != nil {
		return 0, err
	}
	r.in, r.err = r.open()
	return 0, r.err
}

func (r *rewound) Close() error {
	if r.in == nil {
		return nil
	}
	err := r.in.Close()
	r.in = nil
	return err
}

// forgiving takes what an attachment's writer refuses, and passes over the rest.
type forgiving struct {
	to      io.WriteCloser // nil: it has refused
	refused func(error)
}

func (f *forgiving) Write(p []byte) (int, error) {
	if f.to != nil {
		if _, err := f.to.Write(p); err != nil {
			f.refuse(err)
		}
	}
	return len(p), nil
}

func (f *forgiving) Close() error {
	if f.to == nil {
		return nil
	}
	if err := f.to.Close(); err != nil {
		f.refuse(err)
	}
	return nil
}

func (f *forgiving) refuse(err error) {
	f.to = nil
	f.refused(err)
}
