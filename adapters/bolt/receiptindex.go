package bolt

import (
	"bytes"
	"encoding/binary"
	"sort"

	"go.etcd.io/bbolt"
)

// Receipts' identifiers are made in the order of time, and receipts become leaves
// in nearly the same order. So most are found without an index: receiptMarks has,
// for each block of leaves, the greatest identifier up to its end, which says in
// which block to begin to look. A receipt may stand in a later block than that, if
// others that were made after it were quicker; up to lateBlocks later it is found.
// Those that were later still are kept in receiptLeaves, and so are all whose
// identifiers have no order of time, and those of the newest lateBlocks: what is
// asked for most is found at once.

const (
	blockLeaves = 64
	lateBlocks  = 64
)

// order is the first half of an identifier that is a UUID: its time and some of
// its random bits; 0 for others.
func order(id []byte) uint64 {
	if len(id) != uuidSize || id[0] == otherID {
		return 0
	}
	return binary.BigEndian.Uint64(id)
}

// markAt is the greatest order of a receipt up to a block's end.
func markAt(tx *bbolt.Tx, block int64) uint64 {
	value := get(tx, receiptMarks, leafKey(block))
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// lastMark is that of the last block.
func lastMark(tx *bbolt.Tx) uint64 {
	_, value := tx.Bucket([]byte(receiptMarks)).Cursor().Last()
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

func markEntry(block int64, mark uint64) entry {
	return entry{receiptMarks, leafKey(block), binary.BigEndian.AppendUint64(nil, mark)}
}

// unindexed is how many blocks of a log have only their late receipts indexed.
func unindexed(size int64) int64 { return max(size/blockLeaves-lateBlocks, 0) }

// late reports whether a receipt in a block is not found from the marks: before is
// the mark of lateBlocks before, 0 if there is none.
func late(id []byte, before uint64) bool { return order(id) <= before }

// leafOfReceipt finds a receipt in a log of so many leaves.
func leafOfReceipt(tx *bbolt.Tx, size int64, id []byte) (leaf int64, found bool) {
	if value := get(tx, receiptLeaves, id); value != nil {
		return leafOf(value), true
	}
	n := unindexed(size)
	if n == 0 || order(id) == 0 || order(id) > markAt(tx, n-1) {
		return 0, false
	}
	from := int64(sort.Search(int(n), func(b int) bool { return markAt(tx, int64(b)) >= order(id) }))
	c := tx.Bucket([]byte(log)).Cursor()
	end := leafKey(min(from+lateBlocks, n) * blockLeaves)
	for key, value := c.Seek(leafKey(from * blockLeaves)); key != nil && bytes.Compare(key, end) < 0; key, value = c.Next() {
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
	at := 1 + n + int((fields+7)/8)
	if n <= 0 || fields > 1<<10 || at >= len(value) || value[1+n]&1 == 0 {
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
		b.mark = max(b.mark, order(id))
	}
	if leaf%blockLeaves != blockLeaves-1 {
		return
	}
	block := leaf / blockLeaves
	b.put(markEntry(block, b.mark))
	if block >= lateBlocks {
		b.unindex(block - lateBlocks)
	}
}

// unindex takes those receipts of a block out of the index that are found without.
func (b *batch) unindex(block int64) {
	before := uint64(0)
	if block >= lateBlocks {
		before = markAt(b.tx, block-lateBlocks)
	}
	for leaf := block * blockLeaves; leaf < (block+1)*blockLeaves; leaf++ {
		id := receiptKey(get(b.tx, log, leafKey(leaf)))
		if id != nil && !late(id, before) {
			b.delete(entry{bucket: receiptLeaves, key: bytes.Clone(id)})
		}
	}
}

// receiptIndexed holds the index against a receipt.
func (c *checker) receiptIndexed(leaf int64, id []byte) {
	block, before := leaf/blockLeaves, uint64(0)
	if block >= lateBlocks {
		before = c.marks[block-lateBlocks]
	}
	if block >= unindexed(c.size) || late(id, before) {
		c.expected[receiptLeaves]++
		if value := get(c.tx, receiptLeaves, id); !bytes.Equal(value, leafKey(leaf)) {
			c.problem("receipt %s stands in leaf %d, its entry of %s is %q", idOf[string](id), leaf, receiptLeaves, value)
		}
	}
	c.mark = max(c.mark, order(id))
}

// blockEnds holds a block's mark against what was read.
func (c *checker) blockEnds(leaf int64) {
	if leaf%blockLeaves != blockLeaves-1 && leaf != c.size-1 {
		return
	}
	c.marks = append(c.marks, c.mark)
	c.expected[receiptMarks]++
	if e := markEntry(leaf/blockLeaves, c.mark); !bytes.Equal(get(c.tx, e.bucket, e.key), e.value) {
		c.problem("the mark of the receipts up to leaf %d is wrong", leaf)
	}
}
