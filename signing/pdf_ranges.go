package signing

import (
	"bytes"
	"slices"
	"strconv"
)

// MaxPDFSignatures is how many signatures of one PDF file are looked at.
const MaxPDFSignatures = 32

// A ByteRange is what a PDF file says that one of its signatures covers: two pieces
// of the file, each by offset and length in bytes, with the signature itself in the
// gap between them (ISO 32000-1, 12.8.1).
type ByteRange [4]int64

// gap is where the signature stands: from the end of the first piece to the
// beginning of the second.
func (r ByteRange) gap() (from, to int64) { return r[0] + r[1], r[2] }

// end is the first byte after the second piece.
func (r ByteRange) end() int64 { return r[2] + r[3] }

// plausible reports whether the file can be covered so: from its first byte, with
// one gap, to no later than its last.
func (r ByteRange) plausible(size int64) bool {
	from, to := r.gap()
	return r[0] == 0 && r[1] > 0 && to-from > 2 && r[3] >= 0 && r.end() <= size
}

// maxNumber bounds the numbers of a ByteRange, so that sums of two do not overflow.
const maxNumber = 1 << 60

// PDFRanges finds the ByteRanges in a PDF file that is written to it. It looks at
// bytes, not at objects: a signature dictionary is never compressed, since a range
// names its bytes. One that stands far from the gap it names is none of a signature
// dictionary, and passed over, as is one of zeros: room for a signature to come.
// Memory stays constant.
type PDFRanges struct {
	tail  []byte // of what was written: what may still begin a range
	at    int64  // offset of the tail
	found []ByteRange
}

var byteRange = []byte("/ByteRange")

const (
	// rangeReach is how many bytes a range takes at most, with its name.
	rangeReach = 256
	// dictionaryReach is how far from its gap a signature dictionary is looked for,
	// to both sides.
	dictionaryReach = 4 << 10
)

// Write never fails.
func (s *PDFRanges) Write(p []byte) (int, error) {
	old := len(s.tail)
	s.tail = append(s.tail, p[:min(len(p), rangeReach)]...)
	if len(p) <= rangeReach {
		s.keep(s.tail, len(s.tail)-rangeReach)
		return len(p), nil
	}
	s.search(s.tail, s.at, old)
	s.at += int64(old)
	s.keep(p, len(p)-rangeReach)
	return len(p), nil
}

// keep searches what can be searched to its end, and keeps the rest.
func (s *PDFRanges) keep(p []byte, starts int) {
	if starts <= 0 {
		return
	}
	s.search(p, s.at, starts)
	s.tail = append(s.tail[:0], p[starts:]...)
	s.at += int64(starts)
}

// Found ends the file: its ranges, in their order, each once. There is one more than
// MaxPDFSignatures if there are too many.
func (s *PDFRanges) Found() []ByteRange {
	s.search(s.tail, s.at, len(s.tail))
	s.tail = nil
	return s.found
}

// search finds ranges that begin in the first bytes of p, which stands at an offset.
func (s *PDFRanges) search(p []byte, at int64, starts int) {
	for from := 0; len(s.found) <= MaxPDFSignatures; {
		n := bytes.Index(p[from:min(len(p), starts+len(byteRange)-1)], byteRange)
		if n < 0 {
			return
		}
		from += n + len(byteRange)
		r, ok := parseByteRange(p[from:min(len(p), from-len(byteRange)+rangeReach)])
		if ok && r != (ByteRange{}) && r.near(at+int64(from)) && !slices.Contains(s.found, r) {
			s.found = append(s.found, r)
		}
	}
}

// near reports whether a range stands where its dictionary can be.
func (r ByteRange) near(at int64) bool {
	from, to := r.gap()
	return at > min(from, to)-dictionaryReach && at < max(from, to)+dictionaryReach
}

// parseByteRange reads what follows the name: an array of four numbers.
func parseByteRange(p []byte) (r ByteRange, ok bool) {
	p = skipSpace(p)
	if len(p) == 0 || p[0] != '[' {
		return r, false
	}
	p = p[1:]
	for i := range r {
		p = skipSpace(p)
		digits := 0
		for digits < len(p) && (p[digits] >= '0' && p[digits] <= '9' || digits == 0 && (p[0] == '+' || p[0] == '-')) {
			digits++
		}
		n, err := strconv.ParseInt(string(p[:digits]), 10, 64)
		if err != nil || n > maxNumber || n < -maxNumber {
			return r, false
		}
		r[i], p = n, p[digits:]
	}
	p = skipSpace(p)
	return r, len(p) > 0 && p[0] == ']'
}

// skipSpace skips white space and comments (ISO 32000-1, 7.2.2 and 7.2.3).
func skipSpace(p []byte) []byte {
	for len(p) > 0 {
		switch p[0] {
		case 0, '\t', '\n', '\f', '\r', ' ':
			p = p[1:]
		case '%':
			end := bytes.IndexAny(p, "\r\n")
			if end < 0 {
				return nil
			}
			p = p[end:]
		default:
			return p
		}
	}
	return nil
}
