package edxml

import (
	"io"

	"tram/exchange"
	"tram/signing"
)

// Contents implements exchange.Format. The document was read before, so that what
// stands wrong in it is not looked for.
func (f Format) Contents(open, again func() (io.ReadCloser, error), begin func(n int) io.WriteCloser) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close()
	d, n := &decoder{o: f.o}, 0
	o := d.Options()
	o.NoDigest, o.SHA1, o.Again = true, true, again
	o.Stream = func(e *signing.Element) io.Writer {
		if e.Local != "ContentTransferEncoded" || e.Space != Namespace || e.Parent == nil {
			return nil
		}
		to := begin(n)
		n++
		return &decoding{unbase64{to: to}, to}
	}
	_, err = signing.Read(in, o)
	return err
}

// Files implements exchange.Format.
func (f Format) Files(open func() (io.ReadCloser, error), list []exchange.Attachment, begin func(n int) io.WriteCloser) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close()
	d, n := f.Decoder().(*decoder), 0
	o := d.Options()
	o.NoDigest = true
	o.Stream = func(e *signing.Element) io.Writer {
		if !isContent(e) {
			return nil
		}
		if e.Space != Namespace || n == len(list) {
			return io.Discard // it was none then
		}
		n++
		if to := begin(n - 1); to != nil {
			return d.unpack(list[n-1], to)
		}
		return io.Discard
	}
	_, err = signing.Scan(in, o)
	return err
}

// decoding ends what it decodes to.
type decoding struct {
	unbase64
	to io.WriteCloser
}

func (d *decoding) Close() error {
	if err := d.unbase64.Close(); err != nil {
		return err
	}
	return d.to.Close()
}
