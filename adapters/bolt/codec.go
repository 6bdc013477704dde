package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tram/exchange"
)

// A record is a struct's fields in a fixed order: how many fields the order has,
// a bit for each that is not zero, and the values of those. A new field goes to
// the end of the order: records of before lack it, and a program of before
// refuses records that have it, since it would lose it in silence.
//
// One function for each type names its fields in their order, and both writes and
// reads: see records.go.

// coder writes records to the end of b, or reads them off its start.
type coder struct {
	reading bool
	b       []byte
	err     error
	// shapes keep what comes again and again; nil: nothing does. uses are those
	// that what was written rests on.
	shapes *shapes
	uses   []*shape
	// since is what moments are counted from: see near.
	since int64

	// Of the record under way.
	fields, next int
	bits         []byte // when reading
	at           int    // of the bits in b, when writing
}

var errRecord = errors.New("the record is damaged")

// record is a struct of so many fields.
func (c *coder) record(fields int, do func(*coder)) {
	outer := *c
	if c.fields, c.next = fields, 0; c.reading {
		c.fields = int(min(c.uvarint(), 1<<10))
		if c.fields > fields {
			c.fail(fmt.Errorf("it has %d fields and this program knows %d; use the version of the hub that wrote it, or a newer one", c.fields, fields))
		}
		c.bits = c.take((c.fields + 7) / 8)
	} else {
		c.b = binary.AppendUvarint(c.b, uint64(fields))
		c.at = len(c.b)
		c.b = append(c.b, make([]byte, (fields+7)/8)...)
	}
	do(c)
	if c.next != fields && c.err == nil {
		c.fail(fmt.Errorf("%d fields of %d were named", c.next, fields)) // our own mistake
	}
	c.fields, c.next, c.bits, c.at = outer.fields, outer.next, outer.bits, outer.at
}

// has reports whether the next field has a value: when writing, the caller says.
func (c *coder) has(value bool) bool {
	n := c.next
	c.next++
	if c.reading {
		return c.err == nil && n < c.fields && c.bits[n/8]&(1<<(n%8)) != 0
	}
	if value {
		c.b[c.at+n/8] |= 1 << (n % 8)
	}
	return value
}

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err, c.b = err, nil
	}
}

// take reads n bytes; nil and an error if there are not so many.
func (c *coder) take(n int) []byte {
	if c.err != nil || n < 0 || n > len(c.b) {
		c.fail(errRecord)
		return make([]byte, min(max(n, 0), 128)) // as many as bits, a digest or a UUID need
	}
	taken := c.b[:n:n]
	c.b = c.b[n:]
	return taken
}

func (c *coder) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail(errRecord)
		return 0
	}
	c.b = c.b[n:]
	return v
}

// length reads how many bytes or entries follow: each takes one byte at least.
func (c *coder) length() int {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail(errRecord)
		return 0
	}
	return int(n)
}

func text[T ~string](c *coder, v *T) {
	if !c.has(*v != "") {
		return
	}
	if c.reading {
		*v = T(c.take(c.length()))
		return
	}
	c.b = append(binary.AppendUvarint(c.b, uint64(len(*v))), *v...)
}

// yes is a truth: that it has a value is all of it.
func yes(c *coder, v *bool) { *v = c.has(*v) }

// word is a text that is often one of words.
func word[T ~string](c *coder, v *T) {
	if !c.has(*v != "") {
		return
	}
	if !c.reading {
		n := slices.Index(words, string(*v)) + 1
		if c.b = binary.AppendUvarint(c.b, uint64(n)); n == 0 {
			c.b = append(binary.AppendUvarint(c.b, uint64(len(*v))), *v...)
		}
		return
	}
	switch n := c.uvarint(); {
	case n == 0:
		*v = T(c.take(c.length()))
	case n <= uint64(len(words)):
		*v = T(words[n-1])
	default:
		c.fail(errors.New("it has a word that this program does not know; use the version of the hub that wrote it, or a newer one"))
	}
}

func identifier[T ~string](c *coder, v *T) {
	if !c.has(*v != "") {
		return
	}
	if !c.reading {
		if strings.IndexByte(string(*v), 0) >= 0 {
			c.fail(fmt.Errorf("the identifier %q holds a zero byte", *v))
		}
		c.b = appendID(c.b, *v)
		return
	}
	if *v, c.b = cutID[T](c.b); *v == "" {
		c.fail(errRecord)
	}
}

func integer[T ~int | ~int64](c *coder, v *T) {
	if !c.has(*v != 0) {
		return
	}
	if !c.reading {
		c.b = binary.AppendVarint(c.b, int64(*v))
		return
	}
	u := c.uvarint()
	*v = T(int64(u>>1) ^ -int64(u&1)) // as binary.Varint
}

func digest(c *coder, v *exchange.Digest) {
	if !c.has(!v.IsZero()) {
		return
	}
	if c.reading {
		copy(v[:], c.take(len(v)))
		return
	}
	c.b = append(c.b, v[:]...)
}

// near counts the moments that follow from the one at which an identifier was made,
// which is in it: they are small numbers then. An identifier of another kind gives
// a number of no meaning, which does no harm.
func near[T ~string](c *coder, id T) {
	if u, ok := parseUUID(id); ok {
		c.since = int64(binary.BigEndian.Uint64(u[:]) >> 16)
	}
}

// moment is a time, read in UTC. Most have no finer part than milliseconds: that
// is what the lowest bit says.
func moment(c *coder, v *time.Time) {
	if !c.has(!v.IsZero()) {
		return
	}
	if !c.reading {
		fine := v.Nanosecond() % 1e6
		c.b = binary.AppendVarint(c.b, (v.UnixMilli()-c.since)<<1|int64(min(fine, 1)))
		if fine > 0 {
			c.b = binary.AppendUvarint(c.b, uint64(fine))
		}
		return
	}
	u := c.uvarint()
	n := int64(u>>1) ^ -int64(u&1)
	*v = time.UnixMilli(n>>1 + c.since).UTC()
	if n&1 != 0 {
		*v = v.Add(time.Duration(c.uvarint() % 1e6))
	}
}

// list is a slice; an empty one is read as nil.
func list[T any](c *coder, v *[]T, entry func(*coder, *T)) {
	if !c.has(len(*v) > 0) {
		return
	}
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, uint64(len(*v)))
		for i := range *v {
			entry(c, &(*v)[i])
		}
		return
	}
	for n := c.length(); n > 0 && c.err == nil; n-- {
		var one T
		entry(c, &one)
		*v = append(*v, one)
	}
}

// one is a text as an entry of a list.
func one(c *coder, v *string) {
	if c.reading {
		*v = string(c.take(c.length()))
		return
	}
	c.b = append(binary.AppendUvarint(c.b, uint64(len(*v))), *v...)
}

// part is a struct, optional where its pointer may be nil.
func part[T any](c *coder, v **T, fields func(*coder, *T)) {
	if !c.has(*v != nil) {
		return
	}
	if c.reading {
		*v = new(T)
	}
	fields(c, *v)
}

// within is a struct that is no pointer.
func within[T comparable](c *coder, v *T, fields func(*coder, *T)) {
	var zero T
	if c.has(*v != zero) {
		fields(c, v)
	}
}

// once is a part of a struct that comes again in others, and is kept only once
// where there are shapes: what is in the record is its number, from 1.
func once[T any](c *coder, v *T, fields func(*coder, *T)) {
	if !c.has(true) {
		return
	}
	if !c.reading {
		part := coder{}
		fields(&part, v)
		var shape *shape
		if c.shapes != nil && len(part.b) > 8 {
			shape = c.shapes.once(part.b)
		}
		if shape == nil {
			c.b = append(append(c.b, 0), part.b...)
			return
		}
		c.uses = append(c.uses, shape)
		c.b = binary.AppendUvarint(c.b, uint64(shape.number)+1)
		return
	}
	n := c.uvarint()
	if n == 0 {
		fields(c, v)
		return
	}
	shape := c.shapes.get(int(min(n-1, mostShapes)))
	if shape == nil {
		c.fail(errRecord)
		return
	}
	part := coder{reading: true, b: shape.bytes}
	if fields(&part, v); part.err != nil {
		c.fail(part.err)
	}
}

// encode writes a value as a record.
func encode[T any](b []byte, v T, fields func(*coder, *T)) ([]byte, error) {
	c := coder{b: b}
	fields(&c, &v)
	return c.b, c.err
}

// encodeWith writes a value as a record that may rest on shapes.
func encodeWith[T any](s *shapes, b []byte, v T, fields func(*coder, *T)) ([]byte, []*shape, error) {
	c := coder{b: b, shapes: s}
	fields(&c, &v)
	return c.b, c.uses, c.err
}

// decode reads a record and returns what follows it.
func decode[T any](b []byte, v *T, fields func(*coder, *T)) (rest []byte, err error) {
	return decodeWith(nil, b, v, fields)
}

func decodeWith[T any](s *shapes, b []byte, v *T, fields func(*coder, *T)) (rest []byte, err error) {
	c := coder{reading: true, b: b, shapes: s}
	fields(&c, v)
	return c.b, c.err
}
