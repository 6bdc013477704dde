package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

// record goes through the whole log, leaf by leaf, and holds it to one tree.
type record struct {
	source   source
	leaves   leaves
	findings *findings
	progress func() *progress.Bar
	// roots are the log's roots at the sizes that are keys here, filled on
	// the way.
	roots map[int64]tlog.Hash
	// visit sees every leaf that could be read.
	visit func(ctx context.Context, i int64, e exchange.LogEntry) error
}

// walk reads every leaf up to the tree's size, and reports whether they are the
// tree's. The error is of reading; what does not hold is among the findings.
func (r *record) walk(ctx context.Context, tree tlog.Tree) (bool, error) {
	bar := r.progress()
	defer bar.End()
	var all stack
	tiles := tower{source: r.source, findings: r.findings}
	for all.size < tree.N {
		bundle, err := r.bundle(ctx, all.size/exchange.TileWidth, tree.N-all.size)
		if err != nil || bundle == nil {
			return false, err
		}
		for _, raw := range bundle {
			h := tlog.RecordHash(raw)
			if err := tiles.add(ctx, 0, h); err != nil {
				return false, err
			}
			if err := r.leaf(ctx, all.size, raw); err != nil {
				return false, err
			}
			all.add(h)
			if _, wanted := r.roots[all.size]; wanted {
				r.roots[all.size] = all.root()
			}
		}
		bar.At("%d of %d leaves", all.size, tree.N)
	}
	root := all.root()
	if root != tree.Hash {
		r.findings.add(finding(rootDiffers, "the %d leaves have the root %s, the checkpoint was signed for %s: leaves were changed, dropped, added or put in another order",
			all.size, root, tree.Hash))
	}
	return root == tree.Hash, tiles.rest(ctx)
}

// bundle reads the nth bundle, of at most left entries; nil if it cannot be had.
func (r *record) bundle(ctx context.Context, n, left int64) ([][]byte, error) {
	width := int(min(left, exchange.TileWidth))
	path := httpclient.TilePath(-1, n, width)
	b, err := r.source.EntryBundle(ctx, n, width)
	if absent(err) {
		r.findings.add(finding(recordIncomplete, "there is no %s; what comes after it was not checked", path))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	entries, err := split(b, width)
	if err != nil {
		r.findings.add(finding(entryMalformed, "%s: %v; what comes after it was not checked", path, err))
		return nil, nil
	}
	return entries, nil
}

func (r *record) leaf(ctx context.Context, i int64, raw []byte) error {
	e, list := r.leaves.check(i, raw)
	r.findings.add(list...)
	if r.visit == nil || e.ID == "" {
		return nil
	}
	return r.visit(ctx, i, e)
}
