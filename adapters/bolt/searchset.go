package bolt

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"tram/exchange"
)

// The index of searches counts packages in the order of their acceptance and has,
// for each block of them and each term, the set of those that have the term. A
// block is written once, when it is full; only what is purged leaves it.

const (
	// largestBlock is how many packages a block has. A ledger says how many its
	// blocks have: tests are content with less.
	largestBlock = 1 << 14
	setBytes     = largestBlock / 8
)

// set is some packages of a block.
type set [largestBlock / 64]uint64

func (s *set) add(n int) { s[n/64] |= 1 << (n % 64) }

func (s *set) remove(n int) { s[n/64] &^= 1 << (n % 64) }

func (s *set) size() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// members are sorted.
func (s *set) members() []uint16 {
	var list []uint16
	for n := s.below(largestBlock); n >= 0; n = s.below(n) {
		list = append(list, uint16(n))
	}
	slices.Reverse(list)
	return list
}

func (s *set) and(o *set) (some bool) {
	for i := range s {
		s[i] &= o[i]
		some = some || s[i] != 0
	}
	return some
}

func (s *set) or(o *set) {
	for i := range s {
		s[i] |= o[i]
	}
}

// addRange adds those from n to below m.
func (s *set) addRange(n, m int) {
	for ; n < m && n%64 != 0; n++ {
		s.add(n)
	}
	for ; n+64 <= m; n += 64 {
		s[n/64] = ^uint64(0)
	}
	for ; n < m; n++ {
		s.add(n)
	}
}

// below is the greatest one below n, -1 if there is none.
func (s *set) below(n int) int {
	if n <= 0 {
		return -1
	}
	i := (n - 1) / 64
	word := s[i] << (63 - (n-1)%64) >> (63 - (n-1)%64)
	for word == 0 {
		if i--; i < 0 {
			return -1
		}
		word = s[i]
	}
	return i*64 + 63 - bits.LeadingZeros64(word)
}

// encodeSet writes a sorted list: as varints of the steps between its members or,
// where that is not shorter, as setBytes of bits. The length tells which.
func encodeSet(list []uint16) []byte {
	value := make([]byte, 0, min(2*len(list), setBytes))
	next := uint16(0)
	for _, n := range list {
		value = binary.AppendUvarint(value, uint64(n-next))
		if len(value) >= setBytes {
			return encodeBits(list)
		}
		next = n + 1
	}
	return value
}

func encodeBits(list []uint16) []byte {
	var s set
	for _, n := range list {
		s.add(int(n))
	}
	value := make([]byte, 0, setBytes)
	for _, word := range s {
		value = binary.LittleEndian.AppendUint64(value, word)
	}
	return value
}

// decode adds what encodeSet wrote.
func (s *set) decode(value []byte) error {
	if len(value) == setBytes {
		for i := range s {
			s[i] |= binary.LittleEndian.Uint64(value[8*i:])
		}
		return nil
	}
	next := uint64(0)
	for len(value) > 0 {
		step, n := binary.Uvarint(value)
		if next += step; n <= 0 || next >= largestBlock {
			return errors.New("a set of the search index is damaged; restore a backup")
		}
		s.add(int(next))
		next, value = next+1, value[n:]
	}
	return nil
}

// hashOf stands for a term in the index. Two terms of one hash cost a search some
// records that it reads for nothing: the record decides.
func hashOf(t exchange.SearchTerm) uint64 {
	// FNV-1a: its numbers are kept in the file.
	const offset, prime = 14695981039346656037, 1099511628211
	h := (uint64(offset) ^ uint64(t.Kind)) * prime
	for i := range len(t.Value) {
		h = (h ^ uint64(t.Value[i])) * prime
	}
	return h
}
