package bolt

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"
)

// The tree's hashes are kept in chunks: 16 neighbours of one level, and of every
// fourth level only, beginning with the leaves'. The levels between are computed
// from one chunk when they are asked for. A chunk takes 7 to a page; one by one
// the hashes took more than three times the room.

const (
	chunkLevels = 4
	chunkHashes = 1 << chunkLevels
)

// chunkKey is that of the chunk with the nth hash of a level that is kept, counted
// from 0. The leaves' come last, so that most chunks are put at the bucket's end.
func chunkKey(kept int, n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{^byte(kept)}, uint64(n/chunkHashes))
}

// tree is the right edge of the tree, where it grows.
type tree struct {
	size  int64
	edge  [][]byte // the last chunk of each level that is kept, as far as it goes
	store func(key, chunk []byte)
}

// edgeOf reads the right edge of a tree with so many leaves.
func edgeOf(tx *bbolt.Tx, size int64, store func(key, chunk []byte)) (*tree, error) {
	t := &tree{size: size, store: store}
	for kept, n := 0, size; n > 0; kept, n = kept+1, n/chunkHashes {
		var chunk []byte
		if n%chunkHashes > 0 {
			chunk = append(make([]byte, 0, chunkHashes*tlog.HashSize), get(tx, hashes, chunkKey(kept, n))...)
		}
		if int64(len(chunk)) != n%chunkHashes*tlog.HashSize {
			return nil, fmt.Errorf("the hashes of the log's %d leaves do not end with them", size)
		}
		t.edge = append(t.edge, chunk)
	}
	return t, nil
}

// append adds a leaf's hash.
func (t *tree) append(h tlog.Hash) {
	n := t.size
	t.size++
	for kept := 0; ; kept, n = kept+1, n/chunkHashes {
		if kept == len(t.edge) {
			t.edge = append(t.edge, nil)
		}
		t.edge[kept] = append(t.edge[kept], h[:]...)
		if n%chunkHashes != chunkHashes-1 {
			return
		}
		t.store(chunkKey(kept, n), t.edge[kept])
		h, t.edge[kept] = subtree(t.edge[kept]), nil
	}
}

// end stores what is not full.
func (t *tree) end() {
	for kept, n := 0, t.size; kept < len(t.edge); kept, n = kept+1, n/chunkHashes {
		if len(t.edge[kept]) > 0 {
			t.store(chunkKey(kept, n), t.edge[kept])
		}
	}
}

// subtree is the hash over neighbours, of which there are a power of two.
func subtree(chunk []byte) (h tlog.Hash) {
	if len(chunk) == tlog.HashSize {
		return tlog.Hash(chunk)
	}
	half := len(chunk) / 2
	return tlog.NodeHash(subtree(chunk[:half]), subtree(chunk[half:]))
}

func readHashes(tx *bbolt.Tx, indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		first, wide := n<<(level%chunkLevels), int64(1)<<(level%chunkLevels)
		chunk := get(tx, hashes, chunkKey(level/chunkLevels, first))
		from, to := first%chunkHashes*tlog.HashSize, (first%chunkHashes+wide)*tlog.HashSize
		if int64(len(chunk)) < to {
			return nil, fmt.Errorf("the log has no hash %d", index)
		}
		list[i] = subtree(chunk[from:to])
	}
	return list, nil
}
