package edxml

import (
	"fmt"
	"io"

	"tram/exchange"
	"tram/signing"
)

// Unpack reads an accepted package once more and writes its attachments as they
// stream by: decoded, and out of the ZIP that they may be wrapped in. list is what
// was found when it was accepted. open gives the writer of each, in the order of
// the document; it is closed when the attachment is whole. Memory stays constant.
func (f Format) Unpack(r io.Reader, list []exchange.Attachment, open func(exchange.Attachment) (io.WriteCloser, error)) error {
	d := f.Decoder().(*decoder)
	o := d.Options()
	o.NoDigest, o.SHA1 = true, true // both were judged when it was accepted
	n := 0
	o.Stream = func(e *signing.Element) io.Writer {
		if e.Local != "ContentTransferEncoded" || e.Space != Namespace {
			return nil
		}
		if n == len(list) {
			return refusing{fmt.Errorf("the package has more than the %d attachments that it had", n)}
		}
		a := list[n]
		n++
		to, err := open(a)
		if err != nil {
			return refusing{err}
		}
		return d.unpack(a, to)
	}
	if _, err := signing.Read(r, o); err != nil {
		return err
	}
	if n < len(list) {
		return fmt.Errorf("the package has %d attachments of the %d that it had", n, len(list))
	}
	return nil
}

func (d *decoder) unpack(a exchange.Attachment, to io.WriteCloser) *unpacking {
	u := &unpacking{to: to}
	if wrapped(a.ContentType, a.Name) {
		u.zip = inspect(d.budget, to)
	}
	u.base64.to = writerFunc(u.take)
	return u
}

// unpacking is one attachment on its way to its writer.
type unpacking struct {
	base64 unbase64
	to     io.WriteCloser
	zip    *inspection // nil: it is not wrapped
}

func (u *unpacking) Write(p []byte) (int, error) { return u.base64.Write(p) }

func (u *unpacking) take(p []byte) error {
	if u.zip != nil {
		u.zip.write(p)
		return nil
	}
	_, err := u.to.Write(p)
	return err
}

func (u *unpacking) Close() error {
	if err := u.base64.Close(); err != nil {
		return err
	}
	if u.zip != nil {
		u.zip.close()
		if u.zip.found.err != nil {
			return u.zip.found.err
		}
	}
	return u.to.Close()
}
