package bolt

import (
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// TestPackagesAreNumbered counts packages over the end of a row; identifiers need
// not be UUIDs.
func TestPackagesAreNumbered(t *testing.T) {
	l, _ := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	var ids []exchange.PackageID
	for n := range 2*rowOfPackages + 3 {
		p := s.Submission("A", string(s.Submission("A", "").ID), "B")
		if n%5 == 0 {
			p.ID = "other " + p.ID
		}
		if err := accept(t.Context(), l, s, p); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
		err := l.view(t.Context(), func(tx *bbolt.Tx) error {
			if count := numbered(tx); count != int64(n+1) || packageNumbered(tx, count) != nil {
				t.Fatalf("%d packages are %d", n+1, count)
			}
			for n, id := range ids {
				key := packageNumbered(tx, int64(n))
				if idOf[exchange.PackageID](key) != id || packageLeaves(get(tx, packageReceipts, key)).number() != int64(n) {
					t.Fatalf("package %s does not have the number %d", id, n)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeavesOfAPackage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		leaves := rapid.SliceOfDistinct(rapid.Int64Range(0, 1<<40-1), rapid.ID[int64]).Draw(t, "leaves")
		slices.Sort(leaves)
		number := rapid.Int64Range(0, 1<<40-1).Draw(t, "number")
		at := rapid.IntRange(-1, len(leaves)).Draw(t, "numbered") // before which leaf; never
		var l packageLeaves
		for n, leaf := range leaves {
			if n == at {
				l = l.numbered(number)
			}
			l = l.with(leaf)
		}
		want := number
		switch {
		case at == len(leaves):
			l = l.numbered(number)
		case at < 0:
			want = -1
		}
		if got := l.leaves(); !slices.Equal(got, leaves) || l.number() != want {
			t.Fatalf("read %v and the number %d", got, l.number())
		}
	})
}
