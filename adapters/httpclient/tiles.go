package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// Tiles reads the log's tiles for tlog.TileHashReader, which checks them against
// a tree. Tiles that were checked are kept in a directory, laid out as the log
// is, and not asked for again.
type Tiles struct {
	ctx context.Context // of the reading: tlog's interface has no place for it
	c   *Client
	dir string
	err error
}

// Tiles returns a reader for one reading. dir keeps what was checked; empty
// keeps nothing.
func (c *Client) Tiles(ctx context.Context, dir string) *Tiles {
	return &Tiles{ctx: ctx, c: c, dir: dir}
}

// Hashes returns a reader of the tree's hashes that checks every tile.
func (t *Tiles) Hashes(tree tlog.Tree) tlog.HashReader { return tlog.TileHashReader(tree, t) }

// Err is the first error of keeping tiles, which tlog's interface cannot return.
func (t *Tiles) Err() error { return t.err }

// Height is the tiles' height.
func (t *Tiles) Height() int { return exchange.TileHeight }

// ReadTiles reads tiles from the directory or else from the hub.
func (t *Tiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		b, err := t.read(tile)
		if err != nil {
			return nil, err
		}
		if len(b) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes, not %d", path(tile), len(b), tile.W*tlog.HashSize)
		}
		data[i] = b
	}
	return data, nil
}

func (t *Tiles) read(tile tlog.Tile) ([]byte, error) {
	if t.dir != "" {
		b, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(path(tile))))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return t.c.Tile(t.ctx, int64(tile.L), tile.N, tile.W)
}

// SaveTiles keeps tiles that were checked.
func (t *Tiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	if t.dir == "" {
		return
	}
	for i, tile := range tiles {
		err := SaveTile(t.dir, path(tile), data[i])
		if err != nil && t.err == nil {
			t.err = fmt.Errorf("keeping %s: %w", path(tile), err)
		}
	}
}

func path(t tlog.Tile) string { return TilePath(t.L, t.N, t.W) }

// SaveTile keeps a tile or bundle under its TilePath in a directory.
func SaveTile(dir, path string, data []byte) error {
	name := filepath.Join(dir, filepath.FromSlash(path))
	if _, err := os.Stat(name); err == nil {
		return nil // it never changes
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return writeFile(name, data)
}

// DropNarrower removes the tiles in a place that are narrower than the one of
// this TilePath: what they hold is in it.
func DropNarrower(dir, path string) error {
	name := filepath.Join(dir, filepath.FromSlash(path))
	partial := filepath.Dir(name)
	if !strings.HasSuffix(partial, ".p") { // a full tile
		return os.RemoveAll(name + ".p")
	}
	siblings, err := os.ReadDir(partial)
	if err != nil {
		return err
	}
	width, err := strconv.Atoi(filepath.Base(name))
	if err != nil {
		return err
	}
	for _, s := range siblings {
		if w, err := strconv.Atoi(s.Name()); err != nil || w >= width {
			continue
		}
		if err := os.Remove(filepath.Join(partial, s.Name())); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file that is there whole or not at all.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect once renamed
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return keep(f, name)
}
