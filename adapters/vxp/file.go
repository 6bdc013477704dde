package vxp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
	"strings"
)

// file is the package in a request's body: without the one line end that the SDK
// adds, and at its end only if it is what hash-file is of. It is the body itself
// if that is what hash-file is of.
type file struct {
	body io.Reader
	want string // hash-file
	sum  hash.Hash
	last []byte // what was read and may be the line end that was added
	out  []byte // of last, to be given out
	err  error
}

func newFile(body io.Reader, want string) *file {
	return &file{body: body, want: strings.ToLower(want), sum: sha256.New()}
}

var lineEnd = []byte("\r\n")

// Read implements io.Reader. It ends with an error in place of io.EOF if the
// digest is another.
func (f *file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(f.out) > 0 {
		n := copy(p, f.out)
		f.out = f.out[n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	// What is read goes behind what was held back, and its own last two bytes are
	// held back in turn.
	window := make([]byte, len(f.last)+max(len(p), 4096))
	held := copy(window, f.last)
	n, err := f.body.Read(window[held:])
	window = window[:held+n]
	if err != nil {
		return f.end(p, window, err)
	}
	pass := max(len(window)-len(lineEnd), 0)
	f.last = bytes.Clone(window[pass:])
	return f.give(p, window[:pass]), nil
}

// give passes bytes on, as many as there is room for now.
func (f *file) give(p, b []byte) int {
	_, _ = f.sum.Write(b) // a hash.Hash returns no error
	n := copy(p, b)
	f.out = b[n:]
	return n
}

func (f *file) end(p, window []byte, err error) (int, error) {
	f.err = err
	if err != io.EOF {
		return 0, err
	}
	body, added := bytes.CutSuffix(window, lineEnd)
	n := f.give(p, body)
	found := f.sum.Sum(nil)
	if f.of(found) {
		return f.more(n)
	}
	if added {
		_, _ = f.sum.Write(lineEnd)
		if f.of(f.sum.Sum(nil)) {
			f.out = append(bytes.Clone(f.out), lineEnd...)
			return f.more(n)
		}
	}
	f.err = wrongHash.With(hex.EncodeToString(found), f.want)
	return f.more(n)
}

// more is the answer of a Read that has come to the end: n bytes, or the rest, or
// the end itself.
func (f *file) more(n int) (int, error) {
	if n == 0 && len(f.out) == 0 {
		return 0, f.err
	}
	return n, nil
}

// of reports whether hash-file is of this digest: in hexadecimal, or as the SDK
// writes that, with one digit for bytes below 16.
func (f *file) of(digest []byte) bool {
	return f.want == hex.EncodeToString(digest) || f.want == shortHex(digest)
}

func shortHex(digest []byte) string {
	var b strings.Builder
	for _, one := range digest {
		b.WriteString(strconv.FormatUint(uint64(one), 16))
	}
	return b.String()
}
