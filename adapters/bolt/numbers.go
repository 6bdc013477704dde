package bolt

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// Packages are numbered as they are accepted, from 0. An entry of packageNumbers has
// those of a row, one after another. bbolt leaves room for up to three entries in a
// page that it splits: longer rows would waste more than they save.
const rowOfPackages = 16

// number counts a package.
func (b *batch) number(p exchange.PackageID) {
	n, id := numbered(b.tx), idKey(p)
	row := leafKey(n / rowOfPackages)
	b.put(entry{packageNumbers, row, append(bytes.Clone(get(b.tx, packageNumbers, row)), id...)})
	b.put(entry{packageReceipts, id, packageLeaves(get(b.tx, packageReceipts, id)).numbered(n)})
	b.accepted = true
}

// numbered is how many packages a transaction sees.
func numbered(tx *bbolt.Tx) int64 {
	key, value := tx.Bucket([]byte(packageNumbers)).Cursor().Last()
	if key == nil {
		return 0
	}
	n := leafOf(key) * rowOfPackages
	for rest := value; len(rest) > 0; n++ {
		_, rest = cutKey(rest)
	}
	return n
}

// packageNumbered is the key of the package with a number, nil if there is none.
func packageNumbered(tx *bbolt.Tx, n int64) (key []byte) {
	rest := get(tx, packageNumbers, leafKey(n/rowOfPackages))
	for range n%rowOfPackages + 1 {
		key, rest = cutKey(rest)
	}
	return key
}

// packageLeaves is what packageReceipts holds: the number of the package's acceptance
// and one, 0 if it was not accepted; then the leaves of its receipts, each as how
// far it is from the one before.
type packageLeaves []byte

// number is that of the package, -1 if it has none.
func (l packageLeaves) number() int64 {
	n, _ := binary.Uvarint(l)
	return int64(n) - 1
}

// leaves are in the order of the log; fewer if the entry is damaged.
func (l packageLeaves) leaves() (list []int64) {
	_, n := binary.Uvarint(l)
	last := uint64(0)
	for n > 0 {
		l = l[n:]
		var step uint64
		if step, n = binary.Uvarint(l); n > 0 {
			last += step
			list = append(list, int64(last))
		}
	}
	return list
}

func (l packageLeaves) numbered(n int64) packageLeaves {
	_, size := binary.Uvarint(l)
	return append(binary.AppendUvarint(nil, uint64(n)+1), l[max(size, 0):]...)
}

func (l packageLeaves) with(leaf int64) packageLeaves {
	last := int64(0)
	if list := l.leaves(); len(list) > 0 {
		last = list[len(list)-1]
	}
	more := append(make(packageLeaves, 0, len(l)+6), l...)
	if len(more) == 0 {
		more = append(more, 0)
	}
	return binary.AppendUvarint(more, uint64(leaf-last))
}
