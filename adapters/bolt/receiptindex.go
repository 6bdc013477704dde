package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"go.etcd.io/bbolt"
)

// Receipts' identifiers are made in the order of time, and receipts become leaves
// in nearly the same order. So most are found without an index: receiptMarks has,
// for each full block of leaves, the identifier in the middle of those of the block,
// or that of the block before if it is greater. The first block whose mark is not
// smaller than an identifier is near the receipt: fewer than nearBlocks away for
// nearly all. Those farther away, which were kept long after they were made or were
// made by a clock that was wrong, are in receiptLeaves, and so are all whose
// identifiers have no order of time, and those of the newest blocks: what is asked
// for most is found at once. One identifier of a wrong time moves no mark.

const (
	blockLeaves  = 64
	nearBlocks   = 32
	newestBlocks = 64 // at least nearBlocks
)

// order is the first half of an identifier that is a UUID: its time and some of
// its random bits; 0 for others.
func order(id []byte) uint64 {
	if len(id) != uuidSize || id[0] == otherID {
		return 0
	}
	return binary.BigEndian.Uint64(id)
}

// markAt is a block's mark, 0 for what is before the first.
func markAt(tx *bbolt.Tx, block int64) uint64 {
	if block < 0 {
		return 0
	}
	value := get(tx, receiptMarks, leafKey(block))
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// newMark is the mark of a block that is full.
func newMark(tx *bbolt.Tx, block int64) entry {
	var orders []uint64
	for leaf := block * blockLeaves; leaf < (block+1)*blockLeaves; leaf++ {
		if n := order(receiptKey(get(tx, log, leafKey(leaf)))); n > 0 {
			orders = append(orders, n)
		}
	}
	mark := markAt(tx, block-1)
	if len(orders) > 0 {
		slices.Sort(orders)
		mark = max(mark, orders[len(orders)/2])
	}
	return entry{receiptMarks, leafKey(block), binary.BigEndian.AppendUint64(nil, mark)}
}

// isNear reports whether a receipt in a block is found from the marks, those up to
// nearBlocks later.
func isNear(tx *bbolt.Tx, block int64, id []byte) bool {
	n := order(id)
	return n > markAt(tx, block-nearBlocks) && n <= markAt(tx, block+nearBlocks)
}

// unindexed is how many blocks of a log have only their far receipts indexed.
func unindexed(size int64) int64 { return max(size/blockLeaves-newestBlocks, 0) }

// leafOfReceipt finds a receipt in a log of so many leaves.
func leafOfReceipt(tx *bbolt.Tx, size int64, id []byte) (leaf int64, found bool) {
	if value := get(tx, receiptLeaves, id); value != nil {
		return leafOf(value), true
	}
	n := order(id)
	last := unindexed(size) - 1
	if last < 0 || n == 0 || n > markAt(tx, last+nearBlocks) {
		return 0, false
	}
	middle := int64(sort.Search(int(last+nearBlocks), func(b int) bool { return markAt(tx, int64(b)) >= n }))
	for away := range int64(nearBlocks + 1) { // the nearest first
		for _, block := range []int64{middle + away, middle - away} {
			if block < 0 || block > last {
				continue
			}
			if leaf, found = leafInBlock(tx, block, id); found {
				return leaf, true
			}
		}
	}
	return 0, false
}

func leafInBlock(tx *bbolt.Tx, block int64, id []byte) (leaf int64, found bool) {
	c := tx.Bucket([]byte(log)).Cursor()
	end := leafKey((block + 1) * blockLeaves)
	for key, value := c.Seek(leafKey(block * blockLeaves)); key != nil && bytes.Compare(key, end) < 0; key, value = c.Next() {
		if bytes.Equal(receiptKey(value), id) {
			return leafOf(key), true
		}
	}
	return 0, false
}

// receiptKey is the identifier in what the log's bucket holds of a receipt; nil if
// it is none: receiptFields has it first.
func receiptKey(value []byte) []byte {
	if len(value) == 0 || value[0] != leafReceipt && value[0] != leafOfPackage {
		return nil
	}
	fields, n := binary.Uvarint(value[1:])
	if n <= 0 || fields > 1<<10 {
		return nil
	}
	at := 1 + n + int((fields+7)/8)
	if at >= len(value) || value[1+n]&1 == 0 {
		return nil
	}
	key, _ := cutKey(value[at:])
	return key
}

// index notes where a receipt is. It is called for each leaf in turn; id is nil for
// what is no receipt.
func (b *batch) index(leaf int64, id []byte) {
	if id != nil {
		b.put(entry{receiptLeaves, id, leafKey(leaf)})
	}
	if leaf%blockLeaves != blockLeaves-1 {
		return
	}
	block := leaf / blockLeaves
	b.put(newMark(b.tx, block))
	if block >= newestBlocks {
		b.unindex(block - newestBlocks)
	}
}

// unindex takes those receipts of a block out of the index that are found without.
func (b *batch) unindex(block int64) {
	for leaf := block * blockLeaves; leaf < (block+1)*blockLeaves; leaf++ {
		id := receiptKey(get(b.tx, log, leafKey(leaf)))
		if id != nil && isNear(b.tx, block, id) {
			b.delete(entry{bucket: receiptLeaves, key: bytes.Clone(id)})
		}
	}
}

// receiptIndexed holds the index against a receipt.
func (c *checker) receiptIndexed(leaf int64, id []byte) {
	if block := leaf / blockLeaves; block < unindexed(c.size) && isNear(c.tx, block, id) {
		return // and if it has an entry, that is one too many
	}
	c.expected[receiptLeaves]++
	if value := get(c.tx, receiptLeaves, id); !bytes.Equal(value, leafKey(leaf)) {
		c.problem("receipt %s stands in leaf %d, its entry of %s is %q", idOf[string](id), leaf, receiptLeaves, value)
	}
}

// receiptMarks holds the marks against the log.
func (c *checker) receiptMarks() {
	for block := range c.size / blockLeaves {
		c.expected[receiptMarks]++
		if e := newMark(c.tx, block); !bytes.Equal(get(c.tx, e.bucket, e.key), e.value) {
			c.problem("mark %d of the receipts is not what they say", block)
			return
		}
		if c.ctx.Err() != nil {
			return
		}
	}
}
