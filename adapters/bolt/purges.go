package bolt

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// purging is a package as it is from now on.
type purging struct {
	pkg     exchange.Package
	record  entry
	erasure entry
}

// purge makes the record without the words. Nothing else than another purge, which
// is refused, can change the package before it is written.
func (l *Ledger) purge(c *change, e exchange.Erasure) error {
	if err := c.erasure(e); err != nil {
		return err
	}
	last := len(c.erasures) - 1
	p := purging{erasure: c.erasures[last]}
	c.erasures = c.erasures[:last] // there may be one before
	key := p.erasure.key
	_, err := l.file.view(func(tx *bbolt.Tx) (err error) {
		p.pkg, err = pkg(tx, l.shapes, key)
		return err
	})
	if exchange.CodeOf(err) == exchange.NotFound {
		return exchange.ConflictError("package", string(e.Package))
	}
	if err != nil {
		return err
	}
	p.pkg = p.pkg.Purge(exchange.Purge{At: e.At, Action: e.Action})
	value, uses, err := encodeWith(l.shapes, nil, p.pkg, packageFields)
	if err != nil {
		return fmt.Errorf("writing package %s: %w", e.Package, err)
	}
	p.record = entry{packages, key, value}
	c.purges = append(c.purges, p)
	c.uses = append(c.uses, uses...)
	return nil
}

// checkPurges refuses what there is not, or was purged before.
func (b *batch) checkPurges(c *change) error {
	for _, p := range c.purges {
		before, err := pkg(b.tx, b.shapes, p.record.key)
		if err != nil || before.Purged != nil {
			return exchange.ConflictError("package", string(p.pkg.ID))
		}
	}
	return nil
}

// purge puts records without words in the place of those that had them, and takes
// what the search index had of those.
func (b *batch) purge(list []purging) {
	for _, p := range list {
		before, err := pkg(b.tx, b.shapes, p.record.key)
		if err == nil {
			err = b.unlist(before, p.pkg)
		}
		if err != nil && b.err == nil {
			b.err = err
		}
		b.put(p.record)
		if get(b.tx, erasures, p.erasure.key) == nil {
			b.erase([]entry{p.erasure})
		}
		b.purged = true
	}
}

// unlist takes a package out of the sets of terms that it has no longer. Those of
// a block that is being written may be there in part: what comes after is refused,
// and made again (indexer).
func (b *batch) unlist(before, after exchange.Package) error {
	full, err := blockSize(b.tx)
	if err != nil {
		return err
	}
	number := packageLeaves(get(b.tx, packageReceipts, idKey(before.ID))).number()
	block, n := number/int64(full), int(number%int64(full))
	still := hashesOf(after)
	for _, hash := range hashesOf(before) {
		if slices.Contains(still, hash) {
			continue
		}
		key := postingsKey(block, hash)
		value := get(b.tx, searchPostings, key)
		if value == nil {
			continue // the block is not written yet, or the term came twice
		}
		var s set
		if err := s.decode(value); err != nil {
			return err
		}
		s.remove(n)
		if rest := s.members(); len(rest) > 0 {
			b.put(entry{searchPostings, key, encodeSet(rest)})
		} else {
			b.delete(entry{bucket: searchPostings, key: key})
		}
	}
	return nil
}

// purged holds a package that was purged against what is to be left of it.
func (c *checker) purged(key []byte, p exchange.Package) {
	if p.Purged == nil {
		return
	}
	if get(c.tx, erasures, key) == nil {
		c.problem("package %s was purged and its bytes were not erased", p.ID)
	}
	if left, err := encode(nil, p, packageFields); err != nil || !sameRecord(left, p.Purge(*p.Purged)) {
		c.problem("package %s was purged and has words (%w)", p.ID, err)
	}
}

func sameRecord(record []byte, p exchange.Package) bool {
	other, err := encode(nil, p, packageFields)
	return err == nil && slices.Equal(record, other)
}
