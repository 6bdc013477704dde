package audit

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// compare holds the hub's tree to the mirror's, and lets the mirror grow to it.
func (m *mirror) compare(ctx context.Context, before, now tlog.Tree, signed []byte, list *findings) error {
	if now.N < before.N {
		return m.shrunk(ctx, before, now, list)
	}
	if now.N == before.N {
		if now.Hash != before.Hash {
			list.add(finding(forked, "the hub signed two roots for %d leaves: %s before, %s now", now.N, before.Hash, now.Hash))
		}
		return nil
	}
	grown, err := m.grow(ctx, before, now, list)
	if err != nil || !grown {
		return err
	}
	if err := writeOver(m.dir.path("checkpoint"), signed); err != nil {
		return err
	}
	return m.tidy(before, now)
}

// tidy removes tiles that were not full and that wider ones have replaced. Until
// the new checkpoint stood they were the mirror.
func (m *mirror) tidy(before, now tlog.Tree) error {
	for _, t := range newTiles(before, now) {
		if err := httpclient.DropNarrower(string(m.dir), httpclient.TilePath(t.L, t.N, t.W)); err != nil {
			return err
		}
	}
	return nil
}

// newTiles are the tiles and bundles of entries of a tree that a smaller one
// does not have.
func newTiles(before, now tlog.Tree) []tlog.Tile {
	tiles := tlog.NewTiles(exchange.TileHeight, before.N, now.N)
	for _, t := range tiles {
		if t.L == 0 {
			t.L = -1 // bundles follow the lowest level (C2SP tlog-tiles)
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// shrunk tells a rollback from a fork: is the shorter record the beginning of
// the mirror's?
func (m *mirror) shrunk(ctx context.Context, before, now tlog.Tree, list *findings) error {
	list.add(finding(rolledBack, "the hub signed a log of %d leaves before and shows %d now: it went back to an older record", before.N, now.N))
	root, err := tlog.TreeHash(now.N, tlog.TileHashReader(before, localTiles{ctx, m.dir}))
	if err != nil {
		return fmt.Errorf("reading the mirror: %w", err)
	}
	if root != now.Hash {
		list.add(finding(forked, "and it is another record: its %d leaves have the root %s, the first %d of the mirror %s", now.N, now.Hash, now.N, root))
	}
	return nil
}

// grow brings what is new into the mirror, if what was there before is still
// there. Every tile is checked against the new tree before it is kept.
func (m *mirror) grow(ctx context.Context, before, now tlog.Tree, list *findings) (bool, error) {
	root, err := tlog.TreeHash(before.N, m.hub.Tiles(ctx, "").Hashes(now)) // from the hub alone
	if err != nil {
		if f, bad := inconsistent(err); bad {
			list.add(f)
			return false, nil
		}
		return false, err
	}
	if root != before.Hash {
		list.add(finding(forked, "the first %d leaves had the root %s before and have %s now, in a log of %d: the hub keeps two records", before.N, before.Hash, root, now.N))
		return false, nil
	}
	tiles := m.hub.Tiles(ctx, string(m.dir))
	hashes := tiles.Hashes(now)
	if ok, err := m.newLeaves(ctx, hashes, before, now, list); err != nil || !ok {
		return false, err
	}
	if err := m.keepTiles(hashes, before, now); err != nil {
		return false, err
	}
	return true, tiles.Err()
}

// newLeaves reads the leaves that are new, checks them and keeps them.
func (m *mirror) newLeaves(ctx context.Context, hashes tlog.HashReader, before, now tlog.Tree, list *findings) (bool, error) {
	check := leaves{tolerance: m.tolerance, now: time.Now(), latest: m.latest}
	bar := m.progress()
	defer bar.End()
	r := record{source: m.hub, findings: list}
	const width = exchange.TileWidth
	for n := before.N / width; n*width < now.N; n++ {
		entries, err := r.bundle(ctx, n, now.N-n*width)
		if err != nil || entries == nil {
			return false, err
		}
		at, err := differing(hashes, n*width, entries)
		if err != nil {
			return false, err
		}
		if at >= 0 {
			list.add(finding(rootDiffers, "the leaf is not the one that the checkpoint was signed for").at(at))
			return false, nil
		}
		for i, raw := range entries {
			if _, bad := check.check(n*width+int64(i), raw); n*width+int64(i) >= before.N {
				list.add(bad...)
			}
		}
		if err := m.keepBundle(n, entries); err != nil {
			return false, err
		}
		bar.At("%d of %d leaves", min((n+1)*width, now.N), now.N)
	}
	m.latest = check.latest
	return true, nil
}

// differing is the first of some leaves whose hash is not the tree's; -1 if
// there is none.
func differing(hashes tlog.HashReader, first int64, entries [][]byte) (int64, error) {
	indexes := make([]int64, len(entries))
	for i := range entries {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	want, err := hashes.ReadHashes(indexes)
	if err != nil {
		return 0, err
	}
	for i, raw := range entries {
		if tlog.RecordHash(raw) != want[i] {
			return first + int64(i), nil
		}
	}
	return -1, nil
}

func (m *mirror) keepBundle(n int64, entries [][]byte) error {
	return httpclient.SaveTile(string(m.dir), httpclient.TilePath(-1, n, len(entries)), join(entries))
}

// keepTiles keeps the tiles of hashes that are new. Most have been read before.
func (m *mirror) keepTiles(hashes tlog.HashReader, before, now tlog.Tree) error {
	for _, t := range tlog.NewTiles(exchange.TileHeight, before.N, now.N) {
		data, err := tlog.ReadTileData(t, hashes)
		if err != nil {
			return err
		}
		if err := httpclient.SaveTile(string(m.dir), httpclient.TilePath(t.L, t.N, t.W), data); err != nil {
			return err
		}
	}
	return nil
}

// inconsistent tells tiles that contradict the checkpoint from a hub that
// cannot be reached. tlog has no error of its own for it.
func inconsistent(err error) (Finding, bool) {
	if err.Error() != "downloaded inconsistent tile" {
		return Finding{}, false
	}
	return finding(rootDiffers, "the hub's hashes do not lead to the root that it signed"), true
}

// localTiles reads the mirror's own tiles.
type localTiles struct {
	ctx context.Context // tlog's interface has no place for it
	dir directory
}

func (l localTiles) Height() int { return exchange.TileHeight }

func (l localTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = l.dir.Tile(l.ctx, int64(t.L), t.N, t.W); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (l localTiles) SaveTiles([]tlog.Tile, [][]byte) {}
