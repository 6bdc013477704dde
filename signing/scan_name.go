package signing

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// A qname is a name as written: with its prefix, valid, kept once.
type qname struct{ raw, prefix, local string }

// pooledNames is how many names a pooled scanner may keep for the next document.
const pooledNames = 512

// Classes of bytes in names; what is not ASCII is looked at as a character.
const (
	nameStart = 1 << iota
	nameByte
	spaceByte
)

func classOf(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= utf8.RuneSelf:
		return nameStart | nameByte
	case c >= '0' && c <= '9', c == '-', c == '.', c == ':':
		return nameByte
	case c == ' ', c == '\t', c == '\n', c == '\r':
		return spaceByte
	}
	return 0
}

// classes is classOf as a table; it is never written.
var classes = func() (t [256]byte) {
	for i := range t {
		t[i] = classOf(byte(i))
	}
	return t
}()

// nameEnd is where a name that starts at b[0] ends.
func nameEnd(b []byte) int {
	for i, c := range b {
		if classes[c]&nameByte == 0 {
			return i
		}
	}
	return len(b)
}

// spaceEnd is where the white space that starts at b[0] ends.
func spaceEnd(b []byte) int {
	for i, c := range b {
		if classes[c]&spaceByte == 0 {
			return i
		}
	}
	return len(b)
}

// name returns the name written in b, checked the first time it is met.
func (s *scanner) name(b []byte) (*qname, error) {
	if n, ok := s.names[string(b)]; ok {
		return n, nil
	}
	if len(b) > s.lim.NameBytes {
		return nil, s.refuse(NameTooLong, excerpt(b))
	}
	prefix, local, found := bytes.Cut(b, []byte{':'})
	if !found {
		prefix, local = nil, b
	}
	if found && !isNCName(prefix) || !isNCName(local) {
		return nil, s.refuse(InvalidName, excerpt(b))
	}
	if err := s.charge(len(b) + nameCost); err != nil {
		return nil, err
	}
	raw := string(b)
	n := &qname{raw: raw, local: raw}
	if found {
		n.prefix, n.local = raw[:len(prefix)], raw[len(prefix)+1:]
	}
	s.names[raw] = n
	return n, nil
}

// isNCName follows Namespaces in XML 1.0, production 4, on XML 1.0, fifth
// edition, productions 4 and 4a.
func isNCName(b []byte) bool {
	for i := 0; i < len(b); {
		r, n := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(b[i:])
		}
		if r == utf8.RuneError && n == 1 || !isNameChar(r, i == 0) {
			return false
		}
		i += n
	}
	return len(b) > 0
}

func isNameChar(r rune, first bool) bool {
	if r < utf8.RuneSelf {
		class := classes[byte(r)]
		return r != ':' && (class&nameStart != 0 || !first && class&nameByte != 0)
	}
	if isNameStart(r) {
		return true
	}
	return !first && (r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040)
}

func isNameStart(r rune) bool {
	switch {
	case r < 0xC0, r == 0xD7, r == 0xF7, r >= 0x300 && r < 0x370, r == 0x37E:
		return false
	case r < 0x2000:
		return true
	case r == 0x200C, r == 0x200D:
		return true
	case r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF:
		return true
	case r >= 0x3001 && r <= 0xD7FF, r >= 0xF900 && r <= 0xFDCF:
		return true
	}
	return r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

// excerpt is the beginning of what a document holds, quoted so that it cannot
// disturb a log or a terminal.
func excerpt(b []byte) string {
	const most = 60
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + "…"
}
