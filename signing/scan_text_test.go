package signing

import (
	"math/rand/v2"
	"testing"
)

// TestPlainASCII compares the look at eight bytes together with a look at each:
// every byte in every place, behind and before bytes of all kinds.
func TestPlainASCII(t *testing.T) {
	slow := func(b []byte) int {
		for i, c := range b {
			if c < ' ' || c >= 0x80 || c == '<' || c == '>' || c == '&' {
				return i
			}
		}
		return len(b)
	}
	text := func(b []byte) {
		for i := range b {
			b[i] = byte(' ' + rand.IntN(0x80-' '))
			for slow(b[i:i+1]) == 0 {
				b[i]++
			}
		}
	}
	for length := range 70 {
		b := make([]byte, length)
		for at := range b {
			for c := range 256 {
				text(b)
				b[at] = byte(c)
				if at+1 < length && c%2 == 0 {
					b[at+1+rand.IntN(length-at-1)] = byte(rand.IntN(256))
				}
				if got, want := plainASCII(b), slow(b); got != want {
					t.Fatalf("%d, want %d: %q", got, want, b)
				}
			}
		}
	}
}
