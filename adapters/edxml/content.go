package edxml

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"iter"
	"path"
	"runtime"
	"strings"

	"tram/exchange"
	"tram/signing"
)

// content takes one attachment's base64 as it streams by. Whether the file is
// wrapped in a ZIP may become clear only afterwards, from a ContentType that
// stands behind the content; so both answers are prepared and judged later.
type content struct {
	place  *signing.Element
	base64 unbase64
	budget *budget
	sum    hash.Hash
	raw    file
	zip    *inspection // nil when it is sure that receivers will not unwrap
}

func newContent(place *signing.Element, b *budget) *content {
	c := &content{place: place, budget: b, sum: sha256.New(), raw: file{look: &look{}}}
	c.base64.to = writerFunc(c.take)
	if perhapsWrapped(place.Parent) {
		c.zip = inspect(b)
	}
	return c
}

// perhapsWrapped says whether what is known of an attachment so far leaves open
// that it is wrapped. Fields are not repeated later: that is refused.
func perhapsWrapped(attachment *signing.Element) bool {
	kind, name := attachment.Child(Namespace, "ContentType"), attachment.Child(Namespace, "AttachmentName")
	return (kind == nil || isZip(kind.Value())) && (name == nil || !namedZip(name.Value()))
}

// wrapped says whether receivers will unwrap a file: the rule of the published
// SDKs.
func wrapped(kind, name string) bool { return isZip(kind) && !namedZip(name) }

func isZip(kind string) bool { return strings.EqualFold(kind, "application/zip") }

func namedZip(name string) bool { return strings.EqualFold(path.Ext(name), ".zip") }

func (c *content) Write(p []byte) (int, error) {
	if _, err := c.base64.Write(p); err != nil {
		return 0, c.at(err)
	}
	return len(p), nil
}

// Close ends the content; what was found can be judged from then on.
func (c *content) Close() error {
	if err := c.base64.Close(); err != nil {
		return c.at(err)
	}
	c.sum.Sum(c.raw.digest[:0])
	c.raw.end()
	if c.zip != nil {
		c.zip.close()
	}
	c.base64, c.sum = unbase64{}, nil // many attachments must not add up
	return nil
}

// take counts decoded bytes.
func (c *content) take(p []byte) error {
	if err := c.budget.take(len(p)); err != nil {
		return err
	}
	c.raw.size += int64(len(p))
	c.sum.Write(p)
	c.raw.see(p)
	if c.zip != nil {
		c.zip.write(p)
	}
	return nil
}

// at gives a refusal its place.
func (c *content) at(err error) error {
	var refused *exchange.Error
	if errors.As(err, &refused) {
		return refused.At(c.place.Path(), c.place.Line)
	}
	return err
}

// budget bounds what the attachments of a package may unpack to.
type budget struct {
	entry int64 // one file in a ZIP
	total int64 // all bytes decoded and unpacked
	used  int64
}

// take counts n bytes.
func (b *budget) take(n int) error {
	if b.used += int64(n); b.used > b.total {
		return ruleTooLarge.With(b.total)
	}
	return nil
}

// copy copies one file out of a ZIP. A ZIP that spends the package's budget is
// the package's fault even if no receiver would unwrap it.
func (b *budget) copy(to io.Writer, from io.Reader) (size int64, err error) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if size += int64(n); size > b.entry {
			return size, flawed(ruleZipTooLarge, b.entry)
		}
		if err := b.take(n); err != nil {
			return size, err
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return size, err
		}
		if err == io.EOF {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// inspection reads what may be a ZIP while its bytes are being handed to it. It
// is a coroutine: unwrap asks for bytes, and the writer has them.
type inspection struct {
	source *source
	next   func() (struct{}, bool)
	found  *finding
}

// finding is what became of it.
type finding struct {
	file file
	err  error
}

func inspect(b *budget, also ...io.Writer) *inspection {
	from, found := &source{}, &finding{}
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		from.more = yield
		found.file, found.err = unwrap(from, b, also...)
	})
	i := &inspection{from, next, found}
	// A reading that ends early does not close its writers. What is left of the
	// coroutine goes with the inspection then.
	runtime.AddCleanup(i, func(stop func()) { stop() }, stop)
	return i
}

// write hands bytes over. They are used up when it returns.
func (i *inspection) write(p []byte) {
	i.source.data = p
	i.next()
	i.source.data = nil // what comes after a flaw is not looked at
}

func (i *inspection) close() {
	i.source.ended = true
	i.next()
}

// source gives a coroutine the bytes that were handed over last.
type source struct {
	data  []byte
	ended bool
	more  func(struct{}) bool
}

var errAbandoned = errors.New("the document was not read to its end")

func (s *source) Read(p []byte) (int, error) {
	for len(s.data) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if !s.more(struct{}{}) {
			return 0, errAbandoned
		}
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

// writerFunc is a writer that takes all or fails.
type writerFunc func([]byte) error

func (f writerFunc) Write(p []byte) (int, error) {
	if err := f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
