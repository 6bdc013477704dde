package edxml

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tram/exchange"
	"tram/signing"
)

// markup writes elements of the envelope, indented, with the literal prefix
// that some receivers look for. Its first error stays.
type markup struct {
	b     []byte
	depth int
	err   error
}

const prefix = "edXML:"

func (m *markup) indent() { m.b = append(m.b, strings.Repeat("  ", m.depth)...) }

// in writes an element around what inside writes; attributes are given as
// written.
func (m *markup) in(name, attributes string, inside func()) {
	m.indent()
	m.b = append(m.b, "<"+name+attributes+">\n"...)
	m.depth++
	inside()
	m.depth--
	m.indent()
	m.b = append(m.b, "</"+name+">\n"...)
}

// group writes an element of the envelope.
func (m *markup) group(name string, inside func()) { m.in(prefix+name, "", inside) }

// field writes a field of the envelope. Receivers take an empty one for absent,
// or do not, so it is left out.
func (m *markup) field(name, text string) { m.leaf(prefix+name, text) }

func (m *markup) leaf(name, text string) {
	text = trim(text)
	if text == "" {
		return
	}
	if !isXMLText(text) && m.err == nil {
		m.err = fmt.Errorf("writing %s: the text %q has characters that XML does not allow", name, excerpt(text))
	}
	m.indent()
	m.b = append(m.b, "<"+name+">"...)
	m.b = signing.AppendText(m.b, text)
	m.b = append(m.b, "</"+name+">\n"...)
}

func (m *markup) number(name string, n int) { m.field(name, strconv.Itoa(n)) }

func (m *markup) flag(name string, is bool) {
	if is {
		m.number(name, 1)
		return
	}
	m.number(name, 0)
}

func (m *markup) date(name string, t time.Time) {
	if !t.IsZero() {
		m.field(name, t.Format(dateForm))
	}
}

// time writes a time as receivers read it: in Vietnam, without saying so.
func (m *markup) time(name string, t time.Time) {
	m.field(name, t.In(exchange.Vietnam).Format(timeForm))
}

// isXMLText says whether XML can hold a text (XML 1.0, production 2).
func isXMLText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0xfffe || c == 0xffff
	})
}

// trim removes the white space that reading removes.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }
