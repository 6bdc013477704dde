package signing

import (
	"bytes"
	"fmt"
	"hash"
	"io"
)

const (
	windowBytes = 64 << 10
	// lookBack is how much of what was scanned stays in the window, so that
	// "]]>" is seen across a refill.
	lookBack = 2
)

// A window holds the piece of the input under the scanner. It counts lines and
// bytes and digests the input as it comes.
type window struct {
	src      io.Reader
	buf      []byte
	pos, end int // what is not yet scanned: buf[pos:end]
	eof      bool
	size     int64 // bytes read
	limit    int64
	raw      hash.Hash // of the input as it came; nil if not asked for
	line     int       // of buf[mark]
	mark     int
}

func (w *window) reset(src io.Reader, limit int64) {
	*w = window{src: src, buf: w.buf, limit: limit, raw: w.raw, line: 1}
	if w.buf == nil {
		w.buf = make([]byte, windowBytes)
	}
}

// more brings at least one more byte into the window. It is false at the end of
// the input. It moves the unscanned bytes, so slices of the window end here.
func (w *window) more() (bool, error) {
	if w.eof {
		return false, nil
	}
	if w.end == len(w.buf) {
		w.makeRoom()
	}
	n, err := w.readSome()
	if w.raw != nil {
		w.raw.Write(w.buf[w.end : w.end+n])
	}
	w.end += n
	w.size += int64(n)
	if w.size > w.limit {
		return false, refusef(DocumentTooLarge, "more than %d bytes", w.limit)
	}
	w.eof = err == io.EOF
	if err != nil && !w.eof {
		return false, fmt.Errorf("reading the document: %w", err)
	}
	return n > 0, nil
}

// readSome reads once, or a few times from a reader that returns nothing.
func (w *window) readSome() (int, error) {
	for range 100 {
		n, err := w.src.Read(w.buf[w.end:])
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// makeRoom drops what was scanned; a tag that fills the window makes it grow,
// which the caller's limits bound.
func (w *window) makeRoom() {
	keep := max(w.pos-lookBack, 0)
	if keep == 0 {
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
		return
	}
	w.lineAt(w.pos)
	copy(w.buf, w.buf[keep:w.end])
	w.pos -= keep
	w.mark -= keep
	w.end -= keep
}

// ensure tries to have n unscanned bytes in the window; fewer mean the end.
func (w *window) ensure(n int) error {
	for w.end-w.pos < n {
		ok, err := w.more()
		if err != nil || !ok {
			return err
		}
	}
	return nil
}

// lineAt is the line of buf[p]. p never goes back.
func (w *window) lineAt(p int) int {
	if p > w.mark {
		w.line += bytes.Count(w.buf[w.mark:p], []byte{'\n'})
		w.mark = p
	}
	return w.line
}

// offset is the place of buf[p] in the input.
func (w *window) offset(p int) int64 { return w.size - int64(w.end-p) }
