package vxp

import (
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
	body   io.Reader
	want   string    // hash-file
	sum    hash.Hash // of what may be given out
	room   []byte    // that pieces of the body are read into
	buffer []byte    // of room: what was read and not given out
	ready  int       // how much of buffer may be given out: all but what may be the line end
	err    error     // how the body ended
}

func newFile(body io.Reader, want string) *file {
	return &file{body: body, want: strings.ToLower(want), sum: sha256.New(), room: make([]byte, len(lineEnd)+32<<10)}
}

const lineEnd = "\r\n"

// Read implements io.Reader. It ends with an error in place of io.EOF if the
// digest is another.
func (f *file) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for f.ready == 0 && f.err == nil {
		f.fill()
	}
	if f.ready == 0 {
		return 0, f.err
	}
	n := copy(p, f.buffer[:f.ready])
	f.buffer, f.ready = f.buffer[n:], f.ready-n
	return n, nil
}

// fill reads on behind what is held back; the last two bytes are held back in turn.
func (f *file) fill() {
	held := copy(f.room, f.buffer)
	n, err := f.body.Read(f.room[held:])
	f.buffer = f.room[:held+n]
	f.ready = max(len(f.buffer)-len(lineEnd), 0)
	_, _ = f.sum.Write(f.buffer[:f.ready]) // a hash.Hash returns no error
	if f.err = err; err == io.EOF {
		f.end()
	}
}

// end decides whether what is held back belongs to the file.
func (f *file) end() {
	last := f.buffer[f.ready:]
	if string(last) == lineEnd && f.of(f.sum.Sum(nil)) {
		return
	}
	_, _ = f.sum.Write(last)
	f.ready = len(f.buffer)
	if found := f.sum.Sum(nil); !f.of(found) {
		f.ready, f.err = 0, wrongHash.With(hex.EncodeToString(found), f.want)
	}
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
