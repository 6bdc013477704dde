package edxml

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
)

// unbase64 decodes base64 as it streams by and passes the bytes on. XML white
// space may stand anywhere. Nothing else is forgiven, because receivers'
// decoders forgive in different ways and would end with different files.
type unbase64 struct {
	to   io.Writer
	in   []byte // white space removed, less than a buffer
	out  []byte
	seen int  // base64 characters taken into in, in all
	last bool // the padding was met: nothing may follow
}

const base64Buffer = 8 << 10 // a multiple of four

func (u *unbase64) Write(p []byte) (int, error) {
	if u.in == nil {
		u.in = make([]byte, 0, base64Buffer)
		u.out = make([]byte, base64Buffer/4*3)
	}
	for rest := p; len(rest) > 0; {
		if isSpace(rest[0]) {
			rest = rest[1:]
			continue
		}
		n := runLength(rest[:min(len(rest), base64Buffer-len(u.in))])
		u.in = append(u.in, rest[:n]...)
		u.seen += n
		rest = rest[n:]
		if len(u.in) < base64Buffer {
			continue
		}
		if err := u.decode(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close decodes what is left.
func (u *unbase64) Close() error {
	if len(u.in)%4 != 0 {
		if err := u.stray(); err != nil { // it explains the length
			return err
		}
		return ruleBase64Length.With(u.seen)
	}
	return u.decode()
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// runLength is the number of bytes before the next white space. Eight bytes are
// looked at together: most contents have no white space at all.
func runLength(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		if (x-0x2121212121212121)&^x&0x8080808080808080 != 0 { // a byte up to ' '
			break
		}
	}
	for ; i < len(p); i++ {
		if isSpace(p[i]) {
			return i
		}
	}
	return i
}

// decode passes on the whole groups of four that are in.
func (u *unbase64) decode() error {
	if len(u.in) == 0 {
		return nil
	}
	if u.last {
		return ruleBase64Padding.With(u.seen - len(u.in))
	}
	n, err := base64.StdEncoding.Decode(u.out, u.in)
	if err != nil {
		return u.wrong()
	}
	if u.last = u.in[len(u.in)-1] == '='; u.last {
		if err := canonical(u.in[len(u.in)-4:]); err != nil {
			return err
		}
	}
	u.in = u.in[:0]
	_, err = u.to.Write(u.out[:n])
	return err
}

// wrong is why what is in cannot be decoded.
func (u *unbase64) wrong() error {
	if err := u.stray(); err != nil {
		return err
	}
	return ruleBase64Padding.With(u.seen - len(u.in) + bytes.IndexByte(u.in, '=') + 1)
}

// stray finds a byte that base64 does not have.
func (u *unbase64) stray() error {
	for i, c := range u.in {
		if !isBase64(c) {
			return ruleBase64Character.With(string([]byte{c}), u.seen-len(u.in)+i+1)
		}
	}
	return nil
}

// isBase64 tells the characters of base64 and its padding (RFC 4648, 4).
func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '='
}

// canonical refuses a last group that encodes its bytes in another way than
// every encoder does: with left-over bits that are not zero (RFC 4648, 3.5).
func canonical(group []byte) error {
	var three [3]byte
	n, _ := base64.StdEncoding.Decode(three[:], group) // it was decoded before
	want := base64.StdEncoding.EncodeToString(three[:n])
	if want != string(group) {
		return ruleBase64Bits.With(string(group), want)
	}
	return nil
}
