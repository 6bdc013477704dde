package main

import (
	"fmt"
	"io"
	"strings"

	"tram/exchange"
	"tram/signing"
)

// A bomb is a small document that asks for much, or a large one that asks for
// more than there is.
type bomb struct {
	name string
	body func() io.Reader
	code exchange.Code
	rule signing.Rule
}

func bombs() []bomb {
	const root = `<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"`
	text := func(parts ...any) func() io.Reader {
		return func() io.Reader { return bodyOf(parts...) }
	}
	attributes := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i)
		}
		return b.String()
	}
	return []bomb{
		{"5,000 deep", text(root, ">", repeated{"<a>", 5000}), exchange.TooLarge, signing.TooDeep},
		{"ten million elements", text(root, ">", repeated{"<a/>", 10_000_000}), exchange.TooLarge, signing.TooManyElements},
		{"a thousand attributes", text(root, attributes(1000, ` a%d="%d"`), "/>"), exchange.TooLarge, signing.TooManyAttributes},
		{"a hundred thousand attributes", text(root, attributes(100_000, ` a%d="%d"`), "/>"), exchange.TooLarge, signing.TagTooLong},
		{"a thousand namespaces", text(root, attributes(1000, ` xmlns:n%d="urn:%d"`), "/>"), exchange.TooLarge, signing.TooManyNamespaces},
		{"namespaces nested", text(root, ">", repeated{"<a" + attributes(30, ` xmlns:n%d="urn:%d"`) + ">", 60}), exchange.TooLarge, signing.TooManyNamespaces},
		{"an attribute of 64 MB", text(root, ` a="`, repeated{"xxxxxxxxxxxxxxxx", 4 << 20}, `"/>`), exchange.TooLarge, signing.TagTooLong},
		{"a name of a thousand letters", text(root, "><", repeated{"x", 1000}, "/>"), exchange.TooLarge, signing.NameTooLong},
		{"a name of 64 MB", text(root, "><", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}, "/>"), exchange.TooLarge, signing.TagTooLong},
		{"64 MB of text in a header", text(root, "><edXMLEnvelope>", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.TooLarge, signing.TooMuchText},
		{"an endless comment", text(root, "><!--", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.Malformed, signing.Comment},
		{"an endless processing instruction", text("<?a ", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.Malformed, signing.ProcessingInstruction},
		{"nothing but white space", text(repeated{"                ", 4 << 20}), exchange.Malformed, signing.Truncated},
		{"nothing", text(), exchange.Malformed, signing.Truncated},
		{"zeros", text(repeated{"\x00\x00\x00\x00", 1 << 20}), exchange.Malformed, signing.Encoding},
		{"a zip", text("PK\x03\x04", repeated{"0123456789abcdef", 1000}), exchange.Malformed, signing.TextOutsideRoot},
		{"gzip", text("\x1f\x8b\x08\x00", repeated{"0123456789abcdef", 1000}), exchange.Malformed, signing.TextOutsideRoot},
		{"JSON", text(`{"subject":"V/v thử nghiệm"}`), exchange.Malformed, signing.TextOutsideRoot},
	}
}

// repeated is a text, many times.
type repeated struct {
	text  string
	times int
}

// bodyOf is a body of texts and repeated texts, made while it is read.
func bodyOf(parts ...any) io.Reader {
	var all []io.Reader
	for _, p := range parts {
		if r, ok := p.(repeated); ok {
			all = append(all, &repeating{text: []byte(r.text), left: r.times})
			continue
		}
		all = append(all, strings.NewReader(p.(string)))
	}
	return io.MultiReader(all...)
}

type repeating struct {
	text []byte
	left int
	at   int // in text
}

func (r *repeating) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		c := copy(p[n:], r.text[r.at:])
		n += c
		if r.at += c; r.at == len(r.text) {
			r.at = 0
			r.left--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
