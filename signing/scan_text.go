package signing

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain has, up to the first byte of x that is not plain in text, the high bit of
// every byte set, and not that of this one: '<', '>', '&', below a space, or not
// ASCII. The bytes behind it may have either: sums carry over from it.
func plain(x uint64) uint64 {
	const sevens = 0x7f * ones
	angle := (x | 2*ones) ^ '>'*ones // '<' and '>' differ in this bit alone
	amp := x ^ '&'*ones
	return (x + (0x80-' ')*ones) & (angle + sevens) & (amp + sevens) &^ x & highs
}

// plainASCII is the number of bytes at the start of b that need no look.
func plainASCII(b []byte) int {
	i := 0
	for ; len(b)-i >= 32; i += 32 {
		c := b[i : i+32 : i+32]
		if plain(binary.LittleEndian.Uint64(c))&plain(binary.LittleEndian.Uint64(c[8:]))&
			plain(binary.LittleEndian.Uint64(c[16:]))&plain(binary.LittleEndian.Uint64(c[24:])) != highs {
			break
		}
	}
	for ; len(b)-i >= 8; i += 8 {
		if m := plain(binary.LittleEndian.Uint64(b[i:])) ^ highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < ' ' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			break
		}
	}
	return i
}

// cleanRun is the length of the text at the start of b that stands in canonical
// form as it is: valid characters, no markup, no carriage return.
func cleanRun(b []byte) int {
	i := 0
	for {
		i += plainASCII(b[i:])
		if i == len(b) {
			return i
		}
		switch c := b[i]; {
		case c == '\n', c == '\t':
			i++
		case c < utf8.RuneSelf:
			return i
		default:
			n := validRunes(b[i:])
			if n == 0 {
				return i
			}
			i += n
		}
	}
}

// validRunes is the length of the characters outside ASCII at the start of b.
func validRunes(b []byte) int {
	i := 0
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 || r == 0xFFFE || r == 0xFFFF {
			break
		}
		i += n
	}
	return i
}

// text takes character data up to the next '<' or the end of the input.
func (s *scanner) text() error {
	for {
		if s.pos == s.end {
			if ok, err := s.more(); err != nil || !ok {
				return s.placed(err)
			}
		}
		if n := cleanRun(s.buf[s.pos:s.end]); n > 0 {
			if err := s.chars(s.buf[s.pos : s.pos+n]); err != nil {
				return err
			}
			s.pos += n
			continue
		}
		if s.buf[s.pos] == '<' {
			return nil
		}
		if err := s.oddText(); err != nil {
			return err
		}
	}
}

// oddText takes one piece of text that is not written as it stands.
func (s *scanner) oddText() error {
	switch c := s.buf[s.pos]; {
	case c == '&':
		return s.textReference()
	case c == '>':
		if s.pos >= 2 && s.buf[s.pos-1] == ']' && s.buf[s.pos-2] == ']' {
			return s.refuse(CDATAEndInText, "")
		}
		s.pos++
		return s.escaped('>')
	default:
		return s.commonOdd()
	}
}

// commonOdd takes what is odd in text and CDATA alike: a carriage return, a
// character cut by the window's end, or something that may not be there.
func (s *scanner) commonOdd() error {
	c := s.buf[s.pos]
	if c == '\r' {
		return s.carriageReturn()
	}
	if c < utf8.RuneSelf {
		return s.refusef(InvalidCharacter, "character %s", strconv.QuoteRuneToASCII(rune(c)))
	}
	return s.cutRune()
}

// cutRune waits for the rest of a character. One that is whole was not valid.
func (s *scanner) cutRune() error {
	for !utf8.FullRune(s.buf[s.pos:s.end]) {
		ok, err := s.more()
		if err != nil {
			return s.placed(err)
		}
		if !ok {
			break
		}
	}
	if validRunes(s.buf[s.pos:s.end]) > 0 {
		return nil
	}
	return s.refusef(InvalidCharacter, "bytes %s", excerpt(s.buf[s.pos:min(s.pos+4, s.end)]))
}

// carriageReturn normalises an end of line (XML 1.0, 2.11).
func (s *scanner) carriageReturn() error {
	if err := s.ensure(2); err != nil {
		return s.placed(err)
	}
	s.pos++
	if s.pos < s.end && s.buf[s.pos] == '\n' {
		return nil // the line feed itself comes next
	}
	return s.chars(newline)
}

// newline is never written.
var newline = []byte{'\n'}

func (s *scanner) textReference() error {
	if err := s.ensure(maxReference); err != nil {
		return s.placed(err)
	}
	r, n := readReference(s.buf[s.pos:s.end])
	if n == 0 {
		return s.refuse(InvalidReference, excerpt(s.buf[s.pos:min(s.pos+maxReference, s.end)]))
	}
	s.pos += n
	if r < utf8.RuneSelf {
		return s.escaped(byte(r))
	}
	s.scratch = utf8.AppendRune(s.scratch[:0], r)
	return s.chars(s.scratch)
}

// maxReference bounds "&…;", leading zeros included.
const maxReference = 16

// readReference reads the entity or character reference at the start of b and
// returns its character and length; length 0 if it is none that is allowed.
func readReference(b []byte) (rune, int) {
	end := bytes.IndexByte(b[:min(len(b), maxReference)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := string(b[1:end]); name {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		r, ok := charReference(name)
		if !ok {
			return 0, 0
		}
		return r, end + 1
	}
}

func charReference(name string) (rune, bool) {
	if name[0] != '#' || len(name) < 2 {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32) // takes digits only: no sign, no underscore
	if err != nil || !isChar(rune(min(n, utf8.MaxRune+1))) {
		return 0, false
	}
	return rune(n), true
}

// isChar is production 2 of XML 1.0.
func isChar(r rune) bool {
	switch {
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	case r >= 0xD800 && r <= 0xDFFF, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= utf8.MaxRune
}

// cdata takes a CDATA section, whose "<![CDATA[" is at the window's position.
// Its text counts like any other (Canonical XML 1.0, 2.3). The end is looked for
// once in what has come: a section may be all odd characters, each a piece.
func (s *scanner) cdata() error {
	s.pos += len(cdataStart)
	for {
		end := bytes.Index(s.buf[s.pos:s.end], cdataEnd)
		n := end
		if end < 0 {
			n = max(s.end-s.pos-2, 0) // "]]" may be the beginning of the end
		}
		if err := s.cdataText(n); err != nil {
			return err
		}
		if end >= 0 {
			s.pos += len(cdataEnd)
			return nil
		}
		ok, err := s.more()
		if err != nil {
			return s.placed(err)
		}
		if !ok {
			return s.refusef(Truncated, "in a CDATA section")
		}
	}
}

// cdataText takes n bytes of a section, but for a character that they cut.
func (s *scanner) cdataText(n int) error {
	for stop := s.pos + n; s.pos < stop; {
		taken, err := s.cdataPiece(s.buf[s.pos:stop])
		if err != nil || taken == 0 {
			return err
		}
	}
	return nil
}

var (
	cdataStart = []byte("<![CDATA[")
	cdataEnd   = []byte("]]>")
)

// cdataPiece takes one piece of a section and returns its length; 0 if the rest
// of it has not come.
func (s *scanner) cdataPiece(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if n := cleanRun(b); n > 0 {
		err := s.chars(b[:n])
		s.pos += n
		return n, err
	}
	switch b[0] {
	case '<', '>', '&':
		s.pos++
		return 1, s.escaped(b[0])
	case '\r':
		return 1, s.carriageReturn()
	}
	if b[0] >= utf8.RuneSelf && !utf8.FullRune(b) && len(b) == s.end-s.pos-2 {
		return 0, nil
	}
	return 0, s.refusef(InvalidCharacter, "bytes %s", excerpt(b[:min(4, len(b))]))
}
