package httpclient

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTilePath(t *testing.T) {
	// The examples of C2SP tlog-tiles, and around them.
	for _, c := range []struct {
		level int
		n     int64
		width int
		want  string
	}{
		{0, 0, 256, "tile/0/000"},
		{0, 0, 1, "tile/0/000.p/1"},
		{1, 999, 255, "tile/1/999.p/255"},
		{0, 1000, 256, "tile/0/x001/000"},
		{0, 1234067, 256, "tile/0/x001/x234/067"},
		{-1, 1234067, 8, "tile/entries/x001/x234/067.p/8"},
	} {
		if got := TilePath(c.level, c.n, c.width); got != c.want {
			t.Errorf("TilePath(%d, %d, %d) = %s, want %s", c.level, c.n, c.width, got, c.want)
		}
	}
}

// stored is a tree of n leaves.
func stored(t *testing.T, n int64) (tlog.Tree, tlog.HashReader) {
	t.Helper()
	var hashes []tlog.Hash
	r := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for i := range n {
		more, err := tlog.StoredHashes(i, fmt.Appendf(nil, "leaf %d", i), r)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(n, r)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Tree{N: n, Hash: root}, r
}

func TestTiles(t *testing.T) {
	const n = 70_000 // three levels of tiles
	tree, hashes := stored(t, n)
	var asked atomic.Int32
	c := hub(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		tile, err := tlog.ParseTilePath(strings.Replace(r.URL.Path, "/v1/log/tile/", "tile/8/", 1))
		if err != nil {
			t.Error(err)
		}
		data, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(data)
	})
	dir := t.TempDir()
	leaves := []int64{0, 255, 256, 65535, 65536, n - 1}
	check := func(tree tlog.Tree) error {
		tiles := c.Tiles(t.Context(), dir)
		for _, i := range leaves {
			got, err := tiles.Hashes(tree).ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
			if err != nil {
				return err
			}
			if got[0] != tlog.RecordHash(fmt.Appendf(nil, "leaf %d", i)) {
				t.Errorf("leaf %d has another hash", i)
			}
		}
		return tiles.Err()
	}
	if err := check(tree); err != nil {
		t.Fatal(err)
	}
	before := asked.Load()
	if err := check(tree); err != nil || asked.Load() != before {
		t.Errorf("asked %d times more, %v", asked.Load()-before, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tile/0/000")); err != nil {
		t.Error(err)
	}
	other := tree
	other.Hash[0] ^= 1
	if err := check(other); err == nil {
		t.Error("tiles of another tree were believed")
	}
}

func TestDropNarrower(t *testing.T) {
	dir := t.TempDir()
	save := func(width int) {
		t.Helper()
		path := TilePath(0, 0, width)
		if err := SaveTile(dir, path, make([]byte, width)); err != nil {
			t.Fatal(err)
		}
		if err := DropNarrower(dir, path); err != nil {
			t.Fatal(err)
		}
	}
	list := func() string {
		var names []string
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				rel, _ := filepath.Rel(dir, path) // both are absolute
				names = append(names, filepath.ToSlash(rel))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	save(9)
	save(17)
	if got := list(); got != "tile/0/000.p/17" {
		t.Errorf("kept %s", got)
	}
	save(3)
	if got := list(); got != "tile/0/000.p/17 tile/0/000.p/3" {
		t.Errorf("kept %s", got)
	}
	save(256)
	if got := list(); got != "tile/0/000" {
		t.Errorf("kept %s", got)
	}
}
