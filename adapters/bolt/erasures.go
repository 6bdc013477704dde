package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// erasedTo is the key in meta of the greatest package up to which all are erased,
// so that looking for what can be erased does not begin at the beginning.
const erasedTo = "erased-to"

func (c *change) erasure(e exchange.Erasure) error {
	if err := checkName("erasure.package", string(e.Package)); err != nil {
		return err
	}
	key := idKey(e.Package)
	if err := c.once(entry{bucket: erasures, key: key}, "package", string(e.Package)); err != nil {
		return err
	}
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the erasure of package %s: %w", e.Package, err)
	}
	c.erasures = append(c.erasures, entry{erasures, key, value})
	return nil
}

// checkErasures refuses what there is not, or was erased before.
func (b *batch) checkErasures(c *change) error {
	for _, e := range c.erasures {
		if get(b.tx, packages, e.key) == nil || get(b.tx, erasures, e.key) != nil {
			return exchange.ConflictError("package", string(idOf[exchange.PackageID](e.key)))
		}
	}
	return nil
}

// erase notes that packages' bytes are gone: their digests find nothing then.
func (b *batch) erase(list []entry) {
	for _, e := range list {
		p, err := pkg(b.tx, b.shapes, e.key)
		if err != nil && b.err == nil {
			b.err = err
		}
		b.delete(contentEntry(p))
		b.put(e)
	}
	if len(list) > 0 && b.err == nil {
		b.advance()
	}
}

// advance moves erasedTo over what is erased.
func (b *batch) advance() {
	start := get(b.tx, meta, []byte(erasedTo))
	c := b.tx.Bucket([]byte(packages)).Cursor()
	key, _ := c.Seek(start)
	if start != nil && bytes.Equal(key, start) {
		key, _ = c.Next()
	}
	var to []byte
	for ; key != nil && get(b.tx, erasures, key) != nil; key, _ = c.Next() {
		to = bytes.Clone(key)
	}
	if to != nil {
		b.put(entry{meta, []byte(erasedTo), to})
	}
}

// Erasure implements exchange.Ledger.
func (l *Ledger) Erasure(ctx context.Context, id exchange.PackageID) (exchange.Erasure, error) {
	if id == "" {
		return exchange.Erasure{}, exchange.NotFoundError("erasure", "")
	}
	return find[exchange.Erasure](ctx, l, erasures, idKey(id), "erasure", string(id))
}

// Erasable implements exchange.Ledger. The cursor is the last one's identifier.
func (l *Ledger) Erasable(ctx context.Context, before time.Time, cursor string, limit int) (list []exchange.Package, next string, err error) {
	limit = limitOf(limit)
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		from := get(tx, meta, []byte(erasedTo))
		if cursor != "" {
			from = idKey(exchange.PackageID(cursor))
		}
		s := newStream(tx, packages, nil)
		for key, _ := s.from(from); key != nil; key, _ = s.from(bytes.Clone(key)) {
			if get(tx, erasures, key) != nil {
				continue
			}
			p, err := pkg(tx, l.shapes, key)
			if err != nil {
				return err
			}
			if !p.AcceptedAt.Before(before) {
				return nil
			}
			if len(list) == limit {
				next = string(list[limit-1].ID)
				return nil
			}
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("looking for packages to erase: %w", err)
	}
	return list, next, nil
}

// erasures holds them against their packages.
func (c *checker) erasures() {
	every(c, erasures, fromJSON, func(key []byte, e exchange.Erasure) {
		c.agree(erasures, key, idKey(e.Package), nil)
		if get(c.tx, packages, key) == nil {
			c.problem("the erasure of %s is of no package", e.Package)
		}
	})
	last := get(c.tx, meta, []byte(erasedTo))
	packages := c.tx.Bucket([]byte(packages)).Cursor()
	for key, _ := packages.First(); key != nil && bytes.Compare(key, last) <= 0; key, _ = packages.Next() {
		if get(c.tx, erasures, key) == nil {
			c.problem("package %s is not erased, and %s says that all up to there are", idOf[exchange.PackageID](key), erasedTo)
		}
	}
}
