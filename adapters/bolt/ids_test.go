package bolt

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func uuidOf(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// anID is a UUID, or one spoilt a little, or any text without a zero byte.
func anID() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return uuidOf(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
		}),
		rapid.SampledFrom([]string{"", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0197A1B2-c3d4-7000-8000-000000000001",
			"0197a1b2-c3d4-7000-8000-00000000000", "0197a1b2-c3d4-7000-8000-00000000000g", "0197a1b2_c3d4-7000-8000-000000000001"}),
		rapid.StringMatching(`[^\x00]*`))
}

func TestIdentifiersComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id, more := anID().Draw(t, "id"), rapid.SliceOf(rapid.Byte()).Draw(t, "what follows")
		key := append(idKey(id), more...)
		if got, rest := cutID[string](key); got != id || !bytes.Equal(rest, more) {
			t.Fatalf("%q, then %x: read %q, then %x", id, more, got, rest)
		}
		if other := anID().Draw(t, "another"); other != id && bytes.HasPrefix(key, idKey(other)) {
			t.Fatalf("the key of %q begins with that of %q", id, other)
		}
	})
}

func TestUUIDsAreSmallAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string {
			b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)
			b[0] &= 0x7f
			return uuidOf(b)
		}
		a, b := draw("a"), draw("b")
		if len(idKey(a)) != uuidSize || strings.Compare(a, b) != bytes.Compare(idKey(a), idKey(b)) {
			t.Fatalf("%s and %s: keys %x and %x", a, b, idKey(a), idKey(b))
		}
	})
}
