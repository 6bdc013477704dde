package exchange

import "tram/signing"

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
	w.b = signing.AppendText(w.b, text)
	w.close(1)
}
