package bolt

import "bytes"

// search holds the numbers of packages, and the index of searches that follows
// from them, against the packages.
func (c *checker) search() {
	full, err := blockSize(c.tx)
	if err != nil {
		c.problem("%w", err)
		return
	}
	tail := newBlock(0, full)
	blocks, n := written(c.tx), int64(0)
	for n < numbered(c.tx) && c.ctx.Err() == nil {
		id := packageNumbered(c.tx, n)
		if id == nil || packageLeaves(get(c.tx, packageReceipts, id)).number() != n {
			c.problem("package %s does not have the number %d alone", idOf[string](id), n)
			return
		}
		n++
		if tail.number >= blocks {
			continue
		}
		p, err := indexedPackage(c.tx, c.shapes, id)
		if err != nil {
			c.problem("package %d: %w", n-1, err)
			return
		}
		if tail.add(p.terms, p.at); tail.size == full {
			for _, e := range tail.entries() {
				c.agree(e.bucket, e.key, e.key, nil)
				if !bytes.Equal(get(c.tx, e.bucket, e.key), e.value) {
					c.problem("block %d of the search index: its entry %x of %s is not what its packages say", tail.number, e.key, e.bucket)
				}
			}
			tail = newBlock(tail.number+1, full)
		}
	}
	if c.expected[packageNumbers] = int((n + rowOfPackages - 1) / rowOfPackages); n != int64(c.expected[packages]) {
		c.problem("%d packages have numbers, there are %d", n, c.expected[packages])
	}
	c.unfinished(tail)
}

// unfinished accounts for what a crash left of a block that was being written: it
// is written again, the same, and counts only with its entry in searchBlocks.
func (c *checker) unfinished(tail *block) {
	prefix := postingsKey(tail.number, 0)[:4]
	s := newStream(c.tx, searchPostings, prefix)
	for rest, _ := s.from(nil); rest != nil; rest, _ = s.from(bytes.Clone(rest)) {
		c.expected[searchPostings]++
	}
}
