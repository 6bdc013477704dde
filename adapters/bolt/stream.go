package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// stream is the sorted list of what follows a prefix in a bucket.
type stream struct {
	cursor *bbolt.Cursor
	prefix []byte
	at     []byte // the key that the cursor stands at; nil: not known
}

func newStream(tx *bbolt.Tx, bucket string, prefix []byte) *stream {
	return &stream{cursor: tx.Bucket([]byte(bucket)).Cursor(), prefix: prefix}
}

// rest is a key without the prefix, nil if it has another.
func (s *stream) rest(key []byte) []byte {
	if key == nil || !bytes.HasPrefix(key, s.prefix) {
		return nil
	}
	return key[len(s.prefix):]
}

// before is the greatest one below k; k nil is beyond all. nil means none.
// One that was just returned is where the cursor stands, and needs no search.
func (s *stream) before(k []byte) []byte {
	key := s.keyBefore(k)
	s.at = key
	return s.rest(key)
}

func (s *stream) keyBefore(k []byte) []byte {
	if at := s.rest(s.at); at != nil && k != nil && bytes.Equal(at, k) {
		key, _ := s.cursor.Prev()
		return key
	}
	end := append(bytes.Clone(s.prefix), k...)
	if k == nil {
		end = after(s.prefix)
	}
	var key []byte
	if end != nil {
		key, _ = s.cursor.Seek(end)
	}
	if key == nil { // nothing at or after end
		key, _ = s.cursor.Last()
		return key
	}
	key, _ = s.cursor.Prev()
	return key
}

// upTo is the greatest one not above k.
func (s *stream) upTo(k []byte) []byte {
	key := append(bytes.Clone(s.prefix), k...)
	if s.at, _ = s.cursor.Seek(key); bytes.Equal(s.at, key) {
		return k
	}
	return s.before(k)
}

// from is the least one above k; k nil is below all. It returns the value too.
func (s *stream) from(k []byte) (rest, value []byte) {
	s.at = nil
	start := append(bytes.Clone(s.prefix), k...)
	key, value := s.cursor.Seek(start)
	if k != nil && bytes.Equal(key, start) {
		key, value = s.cursor.Next()
	}
	return s.rest(key), value
}

// mostSteps bounds one search, so that a question with few answers among many
// entries does not hold its transaction for long.
const mostSteps = 50_000

// sorted is a list as a stream is one.
type sorted interface {
	before(k []byte) []byte
	upTo(k []byte) []byte
}

// streams is what is in all of several lists, from the greatest down.
type streams []sorted

// before is the greatest one below bound that all have; nil means none. Where
// one stream lacks a candidate, all go on from the greatest that it has, so that
// the shortest stream sets the pace. If steps run out, it returns what it got
// to, with false: everything from there up is done.
func (s streams) before(bound []byte, steps *int) (found []byte, ok bool) {
	candidate := s[0].before(bound)
	for i, agreed := 1, 1; candidate != nil && agreed < len(s); i++ {
		next := s[i%len(s)].upTo(candidate)
		if bytes.Equal(next, candidate) {
			agreed++
			continue
		}
		if *steps--; *steps < 0 {
			return candidate, false
		}
		candidate, agreed = next, 1
	}
	return candidate, true
}
