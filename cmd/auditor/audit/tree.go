package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// stack is a Merkle tree that grows leaf by leaf (RFC 6962, 2.1): the roots of
// its complete subtrees, the largest first.
type stack struct {
	roots []tlog.Hash
	size  int64
}

func (s *stack) add(h tlog.Hash) {
	for n := s.size; n&1 == 1; n >>= 1 {
		last := len(s.roots) - 1
		h = tlog.NodeHash(s.roots[last], h)
		s.roots = s.roots[:last]
	}
	s.roots = append(s.roots, h)
	s.size++
}

func (s *stack) root() tlog.Hash {
	if s.size == 0 {
		return sha256.Sum256(nil) // RFC 6962, 2.1
	}
	h := s.roots[len(s.roots)-1]
	for i := len(s.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(s.roots[i], h)
	}
	return h
}

// tower rebuilds the hash tiles of all levels from the leaves, and compares
// each with the one that the source serves.
type tower struct {
	source   source
	levels   []tileRow
	findings *findings
}

// tileRow is the tile that is being filled on one level.
type tileRow struct {
	n    int64
	data []byte
	tree stack
}

// add takes the next hash of a level.
func (t *tower) add(ctx context.Context, level int, h tlog.Hash) error {
	if level == len(t.levels) {
		t.levels = append(t.levels, tileRow{})
	}
	row := &t.levels[level]
	row.data = append(row.data, h[:]...)
	row.tree.add(h)
	if row.tree.size < exchange.TileWidth {
		return nil
	}
	full := *row
	*row = tileRow{n: full.n + 1}
	if err := t.compare(ctx, level, full); err != nil {
		return err
	}
	return t.add(ctx, level+1, full.tree.root())
}

// rest compares the tiles that are not full.
func (t *tower) rest(ctx context.Context) error {
	for level, row := range t.levels {
		if len(row.data) == 0 {
			continue
		}
		if err := t.compare(ctx, level, row); err != nil {
			return err
		}
	}
	return nil
}

func (t *tower) compare(ctx context.Context, level int, row tileRow) error {
	width := len(row.data) / tlog.HashSize
	path := httpclient.TilePath(level, row.n, width)
	served, err := t.source.Tile(ctx, int64(level), row.n, width)
	if absent(err) {
		t.findings.add(finding(recordIncomplete, "there is no %s", path))
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if !bytes.Equal(served, row.data) {
		t.findings.add(finding(tileDiffers, "%s does not hold the hashes of the leaves", path))
	}
	return nil
}
