package bolt

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// shape is what squeezed texts rest on: an exemplar, or a certificate. It has a
// number in the ledger and never changes.
type shape struct {
	number int
	label  string // of the texts it is an exemplar for; "" for a certificate
	bytes  []byte
	// kept is set once the ledger's file has it. Until then every change that uses
	// it carries it.
	kept atomic.Bool

	once   sync.Once
	places map[string][]int // of elements, by their first bytes
}

const placeSize = 12

// find looks for the element that begins at text[i], or one byte before it, and
// returns where it is in the exemplar; p is where one stands there.
func (s *shape) find(text []byte, i, p int) (q int, ok bool) {
	before := 0
	if text[i] != '<' {
		before = 1
	}
	start := i - before
	if start < 0 || text[start] != '<' || start+placeSize > len(text) {
		return 0, false
	}
	s.once.Do(s.index)
	best := 0
	for _, at := range s.places[string(text[start:start+placeSize])] {
		if n := common(text[start:], s.bytes[at:]); n > best || n == best && q < p && p <= at+before {
			best, q = n, at+before
		}
	}
	return q, best > 0
}

// mostPlaces bounds a search among elements that begin alike.
const mostPlaces = 16

func (s *shape) index() {
	s.places = map[string][]int{}
	for at := 0; at+placeSize <= len(s.bytes); at++ {
		if s.bytes[at] == '<' {
			name := string(s.bytes[at : at+placeSize])
			if list := s.places[name]; len(list) < mostPlaces {
				s.places[name] = append(list, at)
			}
		}
	}
}

// Bounds of what is kept in memory and shared by all. Texts beyond them are still
// kept whole, in more bytes.
const (
	mostShapes    = 1 << 16
	mostExemplars = 64 // for each label
	mostTried     = 8
	longestShape  = 64 << 10
	longestOnce   = 512
)

// shapes are all that a ledger has. They may be used by several goroutines.
type shapes struct {
	mu           sync.RWMutex
	numbers      map[int]*shape
	next         int
	certificates map[[sha256.Size]byte]*shape
	exemplars    map[string][]*shape // by label, those used last first

	scratches sync.Pool // of *scratch
}

func newShapes() *shapes {
	return &shapes{numbers: map[int]*shape{}, certificates: map[[sha256.Size]byte]*shape{}, exemplars: map[string][]*shape{},
		scratches: sync.Pool{New: func() any { return &scratch{make([]byte, 0, scratchSize)} }}}
}

func (s *shapes) get(number int) *shape {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.numbers[number]
}

// add gives a shape its number; nil if there are too many.
func (s *shapes) add(label string, text []byte) *shape {
	if s.next >= mostShapes {
		return nil
	}
	one := &shape{number: s.next, label: label, bytes: text}
	s.insert(one)
	return one
}

func (s *shapes) insert(one *shape) {
	s.numbers[one.number] = one
	s.next = max(s.next, one.number+1)
	if one.label == "" {
		s.certificates[sha256.Sum256(one.bytes)] = one
		return
	}
	s.exemplars[one.label] = append([]*shape{one}, s.exemplars[one.label]...)
}

// certificate is the shape of a certificate, nil for what is none.
func (s *shapes) certificate(der []byte) *shape {
	if len(der) < 200 || len(der) > longestShape || der[0] != 0x30 || der[1] != 0x82 || int(binary.BigEndian.Uint16(der[2:])) != len(der)-4 {
		return nil // no sequence of this length (DER, X.690 8.1.3)
	}
	sum := sha256.Sum256(der)
	s.mu.RLock()
	one := s.certificates[sum]
	s.mu.RUnlock()
	if one != nil {
		return one
	}
	if _, err := x509.ParseCertificate(der); err != nil {
		return nil // a time-stamp, an answer about revocation: they do not come again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.certificates[sum]; one != nil {
		return one
	}
	return s.add("", bytes.Clone(der))
}

// once is the shape of a part of records, nil if there is no room. Some of these
// parts are as their senders like: they may not take the room of certificates.
func (s *shapes) once(part []byte) *shape {
	if len(part) > longestOnce {
		return nil
	}
	sum := sha256.Sum256(part)
	if one := s.digested(sum[:]); one != nil {
		return one
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.certificates[sum]; one != nil || s.next >= mostShapes/2 {
		return one
	}
	return s.add("", part)
}

// digested is the certificate whose SHA-256 this is, nil if there is none.
func (s *shapes) digested(sum []byte) *shape {
	if len(sum) != sha256.Size {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.certificates[[sha256.Size]byte(sum)]
}

// tried are the exemplars to try for a label, those used last first.
func (s *shapes) tried(label string) (list []*shape, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list = s.exemplars[label]
	return list[:min(len(list), mostTried)], len(list) < mostExemplars
}

// used moves an exemplar to the front of its label's.
func (s *shapes) used(one *shape) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.exemplars[one.label]
	if at := slices.Index(list, one); at > 0 {
		s.exemplars[one.label] = slices.Insert(slices.Delete(slices.Clone(list), at, at+1), 0, one)
	}
}

// exemplar makes a text one, nil if there is no room. If somebody else made one
// since the list was read, that will do.
func (s *shapes) exemplar(label string, text []byte, had *shape) *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list := s.exemplars[label]; len(list) > 0 && list[0].number > had.number {
		return list[0]
	}
	if len(s.exemplars[label]) >= mostExemplars || len(text) > longestShape {
		return nil
	}
	return s.add(label, bytes.Clone(text))
}

// enough reports whether a text was squeezed well, by how much of it was found
// nowhere: names and words differ from one receipt to the next.
func enough(plain, size int) bool { return plain <= 64+size/32 }

// squeeze writes the number of an exemplar and the steps. Where none of the label
// fits, the text becomes one itself.
func (s *shapes) squeeze(text []byte, label string, ctx *surroundings, uses *[]*shape) []byte {
	var best squeezer
	before, after := *ctx, *ctx
	try := func(like *shape) bool {
		*ctx = before
		ctx.values = slices.Clip(ctx.values) // what is added is not before's
		now := squeezer{shapes: s, ctx: ctx, like: like, uses: new([]*shape)}
		now.out = binary.AppendUvarint(ctx.scratch.make(1024), uint64(like.number))
		now.squeeze(text)
		if best.like == nil || now.plain < best.plain {
			best, after = now, *ctx
		}
		return enough(best.plain, len(text))
	}
	list, more := s.tried(label)
	good, last := false, &shape{number: -1}
	for _, like := range list {
		if like.number > last.number {
			last = like
		}
		if good = try(like); good {
			break
		}
	}
	if !good && more || best.like == nil {
		if like := s.exemplar(label, text, last); like != nil {
			try(like)
		} else if best.like == nil {
			try(&shape{number: mostShapes, label: label}) // none: all is news
		}
	}
	*ctx = after
	if len(list) > 0 && best.like != list[0] {
		s.used(best.like)
	}
	*uses = append(append(*uses, best.like), *best.uses...)
	return best.out
}

func (s *shapes) unsqueeze(in []byte, ctx *surroundings) ([]byte, bool) {
	u := unsqueezer{shapes: s, ctx: ctx, in: in}
	number, ok := u.number()
	if !ok {
		return nil, false
	}
	var like []byte
	if number != mostShapes {
		one := s.get(number)
		if one == nil {
			return nil, false
		}
		like = one.bytes
	}
	return u.unsqueeze(ctx.scratch.make(len(like)+len(in)), like)
}

// Forms of a packed text: its first byte.
const (
	packedPlain    = 0 // the text follows
	packedSqueezed = 1
)

// pack squeezes a text for the ledger. Label says what it is likely to resemble;
// known is what whoever unpacks it has. The shapes must be kept with it.
func (s *shapes) pack(text []byte, label string, known known) (packed []byte, uses []*shape) {
	if len(text) > 0 && len(text) <= mostUnpacked {
		m := s.scratches.Get().(*scratch)
		defer s.scratches.Put(m)
		m.b = m.b[:0]
		packed = s.squeezeParts([]byte{packedSqueezed}, text, label, known.surroundings(m), 0, &uses)
		// Read again, so that no mistake here can cost a byte of evidence.
		if again, err := s.unpackInto(m, packed, known); err == nil && bytes.Equal(again, text) && len(packed) < len(text) {
			return packed, slices.DeleteFunc(uses, func(one *shape) bool { return one.number == mostShapes })
		}
	}
	return append([]byte{packedPlain}, text...), nil
}

var errPacked = errors.New("the document is damaged; restore a backup")

// unpack gives a text back, in memory of its own.
func (s *shapes) unpack(packed []byte, known known) ([]byte, error) {
	return s.unpackInto(nil, packed, known)
}

func (s *shapes) unpackInto(m *scratch, packed []byte, known known) ([]byte, error) {
	switch {
	case len(packed) == 0:
	case packed[0] == packedPlain:
		return append([]byte{}, packed[1:]...), nil
	case packed[0] == packedSqueezed:
		if text, ok := s.unsqueezeParts(packed[1:], known.surroundings(m), 0); ok {
			return text, nil
		}
	}
	return nil, errPacked
}

// entry is how the ledger keeps a shape: its label's length, label, bytes.
func (s *shape) entry() entry {
	value := append([]byte{byte(len(s.label))}, s.label...)
	return entry{shapesKept, binary.BigEndian.AppendUint32(nil, uint32(s.number)), append(value, s.bytes...)}
}

// loadShapes reads all that a ledger has.
func loadShapes(tx *bbolt.Tx) (*shapes, error) {
	s := newShapes()
	err := tx.Bucket([]byte(shapesKept)).ForEach(func(key, value []byte) error {
		if len(key) != 4 || len(value) == 0 || len(value) < 1+int(value[0]) {
			return fmt.Errorf("shape %x is damaged; restore a backup", key)
		}
		n := 1 + int(value[0])
		label, text := value[1:n], value[n:]
		one := &shape{number: int(binary.BigEndian.Uint32(key)), label: string(label), bytes: bytes.Clone(text)}
		one.kept.Store(true)
		s.insert(one)
		return nil
	})
	return s, err
}
