package audit

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// stored serves the tiles of a tree that tlog built.
type stored struct {
	hashes []tlog.Hash
	asked  map[string]bool
	wrong  string // path of a tile to serve with another hash in it
}

func (s *stored) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = s.hashes[x]
	}
	return out, nil
}

func (s *stored) Tile(_ context.Context, level, n int64, width int) ([]byte, error) {
	path := httpclient.TilePath(int(level), n, width)
	s.asked[path] = true
	b, err := tlog.ReadTileData(tlog.Tile{H: exchange.TileHeight, L: int(level), N: n, W: width}, s)
	if path == s.wrong {
		b[len(b)-1] ^= 1
	}
	return b, err
}

func (s *stored) Keys(context.Context) (exchange.Keys, error)             { return exchange.Keys{}, nil }
func (s *stored) Checkpoint(context.Context) ([]byte, error)              { return nil, nil }
func (s *stored) EntryBundle(context.Context, int64, int) ([]byte, error) { return nil, nil }

// The tree is compared with tlog's own, over three levels of tiles.
func TestTreeAgreesWithTlog(t *testing.T) {
	const size = 66_000
	s := &stored{asked: map[string]bool{}}
	var all stack
	var leaves []tlog.Hash
	for i := range int64(size) {
		if i < 600 || i == 65_535 {
			want, err := tlog.TreeHash(i, s)
			if err != nil || all.root() != want {
				t.Fatalf("the root of %d is %v, tlog says %v, %v", i, all.root(), want, err)
			}
		}
		leaf := fmt.Appendf(nil, "%d", i)
		leaves = append(leaves, tlog.RecordHash(leaf))
		more, err := tlog.StoredHashes(i, leaf, s)
		if err != nil {
			t.Fatal(err)
		}
		s.hashes = append(s.hashes, more...)
		all.add(leaves[i])
	}
	for _, wrong := range []string{"", "tile/0/007", "tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1", "tile/0/257.p/208"} {
		s.wrong, s.asked = wrong, map[string]bool{}
		var found findings
		tiles := tower{source: s, findings: &found}
		for _, h := range leaves {
			if err := tiles.add(t.Context(), 0, h); err != nil {
				t.Fatal(err)
			}
		}
		if err := tiles.rest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if (len(found.all()) == 1) != (wrong != "") {
			t.Errorf("with %q wrong found %v", wrong, found.all())
		}
	}
	for _, tile := range tlog.NewTiles(exchange.TileHeight, 0, size) {
		if path := httpclient.TilePath(tile.L, tile.N, tile.W); !s.asked[path] {
			t.Errorf("never looked at %s", path)
		}
	}
}
