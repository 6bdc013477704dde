package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// A receipt is some 7 kB of XML of which a few hundred bytes are news: signature
// values, digests, identifiers, times, names. squeeze keeps the news and takes the
// rest from an exemplar, another document of the same shape that the ledger has
// (shapes.go). It knows nothing of XML but that '<', '>' and '"' part texts that
// change from those that do not, and gives back every byte.
//
// A squeezed text is a sequence of steps. Each begins with how many bytes are
// those of the exemplar, from the place where it stands in it. Unless this ends
// the text, what comes next is news: bytes that replace the exemplar's up to its
// next mark, or the place in the exemplar to go on from. What is written as
// base64, hexadecimal, a UUID or a time is kept as its value; what stood in the
// text before, or is known to whoever reads it, as a reference; certificates are kept
// once for all.

// Kinds of news. Their numbers are in the file and keep their meaning.
const (
	newsJump         = iota // place in the exemplar
	newsText                // length, bytes
	newsUUID                // 16 bytes
	newsHex                 // length, bytes
	newsBase64              // length, bytes
	newsMillis              // milliseconds after the time before it in the text
	newsSeconds             // the same, written without milliseconds
	newsKnown               // number of the known text
	newsSharedHex           // number of a value before, how much of it, length, bytes
	newsSharedBase64        // the same
	newsCertificate         // number of the certificate
	newsHexOf               // number of the certificate, whose SHA-256 it is
	newsBase64Of            // the same
)

// newsAffixed is set in a kind when the text begins and ends as the exemplar's: a
// byte says with how many bytes.
const newsAffixed = 0x80

const (
	millisLayout  = "2006-01-02T15:04:05.000Z"
	secondsLayout = "2006-01-02T15:04:05Z"

	leastHex     = 16 // digits
	leastBase64  = 24
	leastShared  = 8 // bytes
	mostValues   = 64
	mostUnpacked = 16 << 20
)

// surroundings are what the parts of a document have in common, both while they
// are squeezed and while they are read.
type surroundings struct {
	known  []string // to whoever reads
	values [][]byte // of hex and base64, as they came
	millis int64    // the last time

	scratch *scratch
}

// known is what is known to whoever reads a text: texts that may stand in it, and
// values that may stand in it as base64 or hexadecimal.
type known struct {
	texts  []string
	values [][]byte
	millis int64 // a time that those in the text are near
}

func (k known) surroundings(m *scratch) *surroundings {
	c := &surroundings{known: k.texts, millis: k.millis, scratch: m}
	for _, v := range k.values {
		c.add(v)
	}
	return c
}

func (c *surroundings) add(value []byte) {
	if len(c.values) < mostValues && len(value) >= leastShared {
		c.values = append(c.values, value)
	}
}

// shared finds the earlier value that has the most in common with the start of v.
func (c *surroundings) shared(v []byte) (number, n int) {
	if len(v) < leastShared {
		return 0, 0
	}
	for i, value := range c.values {
		if bytes.Equal(value[:leastShared], v[:leastShared]) {
			if m := common(value, v); m > n {
				number, n = i, m
			}
		}
	}
	return number, n
}

// common is how many bytes a and b begin with alike.
func common(a, b []byte) int {
	n, most := 0, min(len(a), len(b))
	for ; n+8 <= most && binary.LittleEndian.Uint64(a[n:]) == binary.LittleEndian.Uint64(b[n:]); n += 8 {
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}

func isMark(c byte) bool { return c == '<' || c == '>' || c == '"' }

// textEnd is where the text that begins at i ends: at the next mark, one at i
// itself not counted.
func textEnd(b []byte, i int) int {
	if i++; i >= len(b) {
		return len(b)
	}
	rest := b[i:]
	for _, mark := range []byte{'<', '>', '"'} {
		if n := bytes.IndexByte(rest, mark); n >= 0 {
			rest = rest[:n]
		}
	}
	return i + len(rest)
}

// squeezer squeezes one text.
type squeezer struct {
	shapes *shapes
	ctx    *surroundings
	like   *shape    // the exemplar
	uses   *[]*shape // all that the text now rests on

	out []byte
	// plain is how much of out is text that was found nowhere.
	plain int
}

func (s *squeezer) squeeze(text []byte) {
	like := s.like.bytes
	for i, p := 0, 0; ; {
		n := common(text[i:], like[p:])
		if i+n == len(text) {
			s.number(n)
			return
		}
		for n > 0 && !isMark(text[i+n-1]) {
			n--
		}
		s.number(n)
		i, p = i+n, p+n
		if q, ok := s.like.find(text, i, p); ok && q != p {
			s.out = binary.AppendUvarint(append(s.out, newsJump), uint64(q))
			s.plain += 2
			p = q
			continue
		}
		end, likeEnd := textEnd(text, i), textEnd(like, p)
		s.news(text[i:end], like[min(p, len(like)):likeEnd])
		i, p = end, likeEnd
		if i == len(text) {
			return
		}
	}
}

func (s *squeezer) number(n int) { s.out = binary.AppendUvarint(s.out, uint64(n)) }

// news writes a text that stands where the exemplar has another.
func (s *squeezer) news(text, like []byte) {
	for i, known := range s.ctx.known {
		if string(text) == known {
			s.kind(newsKnown, 0, 0)
			s.number(i)
			return
		}
	}
	if s.packed(text, 0, 0) {
		return
	}
	prefix := min(common(text, like), 15)
	for n := min(prefix, 4); n > 0; n-- { // "e-", "#s-" before an identifier
		if s.packed(text[n:], n, 0) {
			return
		}
	}
	suffix := 0
	for suffix < 15 && suffix < len(text)-prefix && suffix < len(like)-prefix && text[len(text)-1-suffix] == like[len(like)-1-suffix] {
		suffix++
	}
	if prefix+suffix < 2 {
		prefix, suffix = 0, 0
	}
	s.kind(newsText, prefix, suffix)
	text = text[prefix : len(text)-suffix]
	s.number(len(text))
	s.out = append(s.out, text...)
	s.plain += len(text)
}

func (s *squeezer) kind(k byte, prefix, suffix int) {
	if prefix+suffix > 0 {
		s.out = append(s.out, k|newsAffixed, byte(prefix<<4|suffix))
		return
	}
	s.out = append(s.out, k)
}

// packed writes a text as its value, if it is one of those that have one.
func (s *squeezer) packed(text []byte, prefix, suffix int) bool {
	if id, ok := parseUUID(text); ok {
		s.kind(newsUUID, prefix, suffix)
		s.out = append(s.out, id[:]...)
		return true
	}
	if n := len(text); n == len(millisLayout) || n == len(secondsLayout) {
		if at, k, ok := parseTime(text); ok {
			s.kind(k, prefix, suffix)
			s.out = binary.AppendVarint(s.out, at-s.ctx.millis)
			s.ctx.millis = at
			return true
		}
	}
	if value, ok := parseHex(text); ok {
		s.value(newsHex, newsSharedHex, value, prefix, suffix)
		return true
	}
	if value, ok := parseBase64(text); ok {
		if s.certificate(value, prefix, suffix) {
			return true
		}
		s.value(newsBase64, newsSharedBase64, value, prefix, suffix)
		return true
	}
	return false
}

func (s *squeezer) value(whole, shared byte, value []byte, prefix, suffix int) {
	if c := s.shapes.digested(value); c != nil {
		*s.uses = append(*s.uses, c)
		s.kind(whole-newsHex+newsHexOf, prefix, suffix)
		s.number(c.number)
		return
	}
	if number, n := s.ctx.shared(value); n > 0 {
		s.kind(shared, prefix, suffix)
		s.number(number)
		s.number(n)
		s.number(len(value) - n)
		s.out = append(s.out, value[n:]...)
		if n < len(value) {
			s.ctx.add(value)
		}
		return
	}
	s.kind(whole, prefix, suffix)
	s.number(len(value))
	s.out = append(s.out, value...)
	s.ctx.add(value)
}

func (s *squeezer) certificate(der []byte, prefix, suffix int) bool {
	c := s.shapes.certificate(der)
	if c == nil {
		return false
	}
	*s.uses = append(*s.uses, c)
	s.kind(newsCertificate, prefix, suffix)
	s.number(c.number)
	return true
}

func parseHex(text []byte) ([]byte, bool) {
	if len(text) < leastHex || len(text)%2 != 0 || nibble(text[0]) > 15 {
		return nil, false
	}
	value := make([]byte, len(text)/2)
	for i := range value {
		high, low := nibble(text[2*i]), nibble(text[2*i+1])
		if high|low > 15 {
			return nil, false
		}
		value[i] = high<<4 | low
	}
	return value, true
}

var strictBase64 = base64.StdEncoding.Strict()

func parseBase64(text []byte) ([]byte, bool) {
	if len(text) < leastBase64 || len(text)%4 != 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return nil, false // lines end as one likes, and would be lost
	}
	value := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := strictBase64.Decode(value, text)
	return value[:n], err == nil
}

// parseTime reads a time as receipts write it, in UTC; written again it is the
// same text.
func parseTime(text []byte) (millis int64, kind byte, ok bool) {
	if text[len(text)-1] != 'Z' || text[4] != '-' || text[10] != 'T' {
		return 0, 0, false
	}
	kind, layout := byte(newsSeconds), secondsLayout
	if len(text) == len(millisLayout) {
		kind, layout = newsMillis, millisLayout
	}
	at, err := time.Parse(layout, string(text))
	if err != nil || at.Format(layout) != string(text) {
		return 0, 0, false
	}
	return at.UnixMilli(), kind, true
}

// unsqueezer gives a text back. It trusts nothing: what it reads may be damaged.
type unsqueezer struct {
	shapes *shapes
	ctx    *surroundings
	in     []byte
}

func (u *unsqueezer) number() (int, bool) {
	v, n := binary.Uvarint(u.in)
	if n <= 0 || v > mostUnpacked {
		return 0, false
	}
	u.in = u.in[n:]
	return int(v), true
}

func (u *unsqueezer) take() ([]byte, bool) {
	n, ok := u.number()
	if !ok {
		return nil, false
	}
	return u.some(n)
}

func (u *unsqueezer) some(n int) ([]byte, bool) {
	if n > len(u.in) {
		return nil, false
	}
	b := u.in[:n:n]
	u.in = u.in[n:]
	return b, true
}

// unsqueeze appends the text to out.
func (u *unsqueezer) unsqueeze(out, like []byte) ([]byte, bool) {
	for p := 0; ; {
		n, ok := u.number()
		if !ok || n > len(like)-p || len(out)+n > mostUnpacked {
			return nil, false
		}
		out = append(out, like[p:p+n]...)
		p += n
		if len(u.in) == 0 {
			return out, true
		}
		if u.in[0] == newsJump {
			u.in = u.in[1:]
			if p, ok = u.number(); !ok || p > len(like) {
				return nil, false
			}
			continue
		}
		end := textEnd(like, p)
		if out, ok = u.news(out, like[min(p, len(like)):end]); !ok || len(out) > mostUnpacked {
			return nil, false
		}
		if p = end; len(u.in) == 0 {
			return out, true
		}
	}
}

func (u *unsqueezer) news(out, like []byte) ([]byte, bool) {
	k := u.in[0]
	u.in = u.in[1:]
	prefix, suffix := 0, 0
	if k&newsAffixed != 0 {
		affixes, ok := u.some(1)
		if !ok {
			return nil, false
		}
		if prefix, suffix = int(affixes[0]>>4), int(affixes[0]&15); prefix+suffix > len(like) {
			return nil, false
		}
	}
	out = append(out, like[:prefix]...)
	out, ok := u.middle(out, k&^newsAffixed)
	return append(out, like[len(like)-suffix:]...), ok
}

func (u *unsqueezer) middle(out []byte, k byte) ([]byte, bool) {
	switch k {
	case newsText:
		text, ok := u.take()
		return append(out, text...), ok
	case newsUUID:
		id, ok := u.some(uuidSize)
		if !ok {
			return nil, false
		}
		return appendUUID(out, id), true
	case newsHex, newsBase64:
		value, ok := u.take()
		u.ctx.add(value)
		return appendValue(out, value, k == newsHex), ok
	case newsSharedHex, newsSharedBase64:
		value, ok := u.shared()
		return appendValue(out, value, k == newsSharedHex), ok
	case newsMillis, newsSeconds:
		return u.time(out, k)
	case newsKnown:
		n, ok := u.number()
		if !ok || n >= len(u.ctx.known) {
			return nil, false
		}
		return append(out, u.ctx.known[n]...), true
	case newsCertificate:
		n, ok := u.number()
		c := u.shapes.get(n)
		if !ok || c == nil {
			return nil, false
		}
		return base64.StdEncoding.AppendEncode(out, c.bytes), true
	case newsHexOf, newsBase64Of:
		n, ok := u.number()
		c := u.shapes.get(n)
		if !ok || c == nil {
			return nil, false
		}
		sum := sha256.Sum256(c.bytes)
		return appendValue(out, sum[:], k == newsHexOf), true
	}
	return nil, false
}

func appendValue(out, value []byte, digits bool) []byte {
	if digits {
		return hex.AppendEncode(out, value)
	}
	return base64.StdEncoding.AppendEncode(out, value)
}

func (u *unsqueezer) shared() ([]byte, bool) {
	number, ok1 := u.number()
	n, ok2 := u.number()
	if !ok1 || !ok2 || number >= len(u.ctx.values) || n > len(u.ctx.values[number]) {
		return nil, false
	}
	rest, ok := u.take()
	value := u.ctx.values[number][:n:n]
	if len(rest) > 0 {
		value = append(value, rest...)
		u.ctx.add(value)
	}
	return value, ok
}

func (u *unsqueezer) time(out []byte, k byte) ([]byte, bool) {
	after, n := binary.Varint(u.in)
	if n <= 0 {
		return nil, false
	}
	u.in = u.in[n:]
	u.ctx.millis += after
	layout := millisLayout
	if k == newsSeconds {
		layout = secondsLayout
	}
	return time.UnixMilli(u.ctx.millis).UTC().AppendFormat(out, layout), true
}
