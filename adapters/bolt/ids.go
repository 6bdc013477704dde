package bolt

import (
	"bytes"
	"encoding/hex"
)

// Identifiers are UUIDs, whose text takes 36 bytes and whose value 16. In keys
// and values they stand as appendID writes them: a UUID in its canonical,
// lower-case form as its 16 bytes, so that those of version 7 keep the order of
// their time; anything else as the byte otherID, its text, and a zero byte. Both
// say where they end, so that something may follow.

const (
	uuidSize = 16
	// otherID is the first byte of what is no canonical UUID. UUIDs that begin with
	// it are written as text too; those of version 7 do from the year 10769 on.
	otherID = 0xff
)

// uuidText maps each place of a UUID's text to that of its byte; the dashes lie
// between.
var uuidText = [uuidSize]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// parseUUID reads a UUID in its canonical form, false for all else.
func parseUUID[T ~string | ~[]byte](s T) (id [uuidSize]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	for i, at := range uuidText {
		high, low := nibble(s[at]), nibble(s[at+1])
		if high|low > 15 {
			return id, false
		}
		id[i] = high<<4 | low
	}
	return id, true
}

// nibble is the value of a lower-case hexadecimal digit, more than 15 for others.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// appendUUID writes a UUID's canonical form.
func appendUUID(b []byte, id []byte) []byte {
	var text [36]byte
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	for i, at := range uuidText {
		hex.Encode(text[at:at+2], id[i:i+1])
	}
	return append(b, text[:]...)
}

func appendID[T ~string](b []byte, id T) []byte {
	if u, ok := parseUUID(id); ok && u[0] != otherID {
		return append(b, u[:]...)
	}
	b = append(b, otherID)
	b = append(b, id...)
	return append(b, 0)
}

// idKey is a key that is, or begins with, an identifier.
func idKey[T ~string](id T) []byte { return appendID(make([]byte, 0, uuidSize+8), id) }

// cutID reads an identifier and returns what follows it; nil if there is none.
func cutID[T ~string](b []byte) (id T, rest []byte) {
	if len(b) > 0 && b[0] == otherID {
		text, rest, ok := bytes.Cut(b[1:], []byte{0})
		if !ok {
			return "", nil
		}
		return T(text), rest
	}
	if len(b) < uuidSize {
		return "", nil
	}
	return T(appendUUID(nil, b[:uuidSize])), b[uuidSize:]
}

// cutKey cuts an identifier off what follows it, as it is written; nil if there is
// none.
func cutKey(b []byte) (key, rest []byte) {
	n := uuidSize
	if len(b) > 0 && b[0] == otherID {
		n = bytes.IndexByte(b, 0) + 1
	}
	if n == 0 || n > len(b) {
		return nil, nil
	}
	return b[:n:n], b[n:]
}

// idOf reads an identifier that stands alone.
func idOf[T ~string](b []byte) T {
	id, _ := cutID[T](b)
	return id
}
