package exchange

import (
	"strings"
	"unicode/utf8"

	"tram/signing"
)

// xmlWriter writes small documents in exclusive canonical form. Its callers
// give namespace declarations and attributes in canonical order, and declare a
// namespace where it is first used.
type xmlWriter struct {
	b     []byte
	stack []string
}

// open starts an element; attrs are names and values in turn.
func (w *xmlWriter) open(name string, attrs ...string) {
	w.b = append(append(w.b, '<'), name...)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.b = append(append(w.b, ' '), attrs[i]...)
		w.b = append(w.b, '=', '"')
		w.b = signing.AppendAttr(w.b, attrs[i+1])
		w.b = append(w.b, '"')
	}
	w.b = append(w.b, '>')
	w.stack = append(w.stack, name)
}

// close ends the last n elements.
func (w *xmlWriter) close(n int) {
	for range n {
		name := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.b = append(append(append(w.b, '<', '/'), name...), '>')
	}
}

// leaf writes an element that holds text only.
func (w *xmlWriter) leaf(name, text string, attrs ...string) {
	w.open(name, attrs...)
	w.b = signing.AppendText(w.b, plain(text))
	w.close(1)
}

// plain is a text as a document can hold it and as it is read back: without
// white space around it, and with U+FFFD for what XML forbids (XML 1.0, 2.2).
// What people and other systems write into reasons must not keep a receipt from
// being sealed.
func plain(s string) string {
	if strings.ContainsFunc(s, forbidden) {
		s = strings.Map(func(c rune) rune {
			if forbidden(c) {
				return utf8.RuneError
			}
			return c // an invalid byte comes as U+FFFD already
		}, s)
	}
	return strings.Trim(s, " \t\r\n")
}

// forbidden is true of U+FFFD too: an invalid byte looks like it.
func forbidden(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == utf8.RuneError || c == 0xfffe || c == 0xffff
}
