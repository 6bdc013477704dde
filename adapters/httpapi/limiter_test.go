package httpapi

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestShareOfARoom(t *testing.T) {
	r := newRoom(256)
	take := func(key string) (n int) {
		for r.take(key) {
			n++
		}
		return n
	}
	if n := take("a"); n != 128 {
		t.Errorf("one alone gets %d of 256", n)
	}
	if n := take("b"); n != 64 {
		t.Errorf("a second one gets %d of the 128 left", n)
	}
	for n := range 64 {
		if !r.take(fmt.Sprint("newcomer", n)) {
			t.Fatalf("newcomer %d gets nothing", n)
		}
	}
	for range 128 {
		r.giveBack("a")
	}
	if n := take("b"); n != 32 {
		t.Errorf("when the first has gone, the second gets %d more", n)
	}
}

// TestRoomKeepsItsNumber: whatever is taken and given back, no more is out than
// there is, and who holds nothing gets something while anything is free.
func TestRoomKeepsItsNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 40).Draw(t, "size")
		r := newRoom(size)
		held, out := map[string]int{}, 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
			if held[key] > 0 && rapid.Bool().Draw(t, "back") {
				r.giveBack(key)
				held[key]--
				out--
				continue
			}
			got := r.take(key)
			if want := held[key] < size-out; got != want {
				t.Fatalf("%s holds %d and %d of %d are out: got one %t", key, held[key], out, size, got)
			}
			if got {
				held[key]++
				out++
			}
		}
		if r.taken() != out {
			t.Fatalf("%d are out, it says %d", out, r.taken())
		}
	})
}
