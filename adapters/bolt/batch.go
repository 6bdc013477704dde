package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// batch is one transaction of the writer.
type batch struct {
	tx     *bbolt.Tx
	shapes *shapes
	tree   *tree
	into   map[string]*bbolt.Bucket
	counts map[exchange.State]int64
	wrote  bool
	// accepted is set when a package was.
	accepted bool
	// purges is how many there were before, purged is set when there is one.
	purges int64
	purged bool
	noting bool    // for a journal:
	done   []noted // what was put and deleted
	err    error   // of the first change that failed
}

func newBatch(tx *bbolt.Tx, s *shapes, purges int64) (*batch, error) {
	b := &batch{tx: tx, shapes: s, purges: purges, into: map[string]*bbolt.Bucket{}, counts: map[exchange.State]int64{}}
	for name, full := range filling() {
		b.bucket(name).FillPercent = full
	}
	var err error
	b.tree, err = edgeOf(tx, logSize(tx), func(key, chunk []byte) { b.put(entry{hashes, key, chunk}) })
	return b, err
}

func (b *batch) bucket(name string) *bbolt.Bucket {
	found := b.into[name]
	if found == nil {
		found = b.tx.Bucket([]byte(name))
		b.into[name] = found
	}
	return found
}

// run checks a change and, if nothing speaks against it, makes it. The error is
// a refusal that concerns this change alone.
func (b *batch) run(c *change) error {
	if b.err != nil {
		return b.err // the transaction is lost, finish says so to all
	}
	if again, err := b.check(c); again || err != nil {
		return err
	}
	b.apply(c)
	b.wrote = true
	return b.err
}

// finish writes what is kept once for the whole transaction.
func (b *batch) finish() error {
	if b.err != nil {
		return b.err
	}
	if !b.wrote {
		return errNothing
	}
	b.tree.end()
	for state, n := range b.counts {
		total, err := count(b.tx, state)
		if err != nil {
			return err
		}
		b.put(entry{counts, []byte(state), strconv.AppendInt(nil, total+n, 10)})
	}
	return b.err
}

func count(tx *bbolt.Tx, s exchange.State) (int64, error) {
	text := get(tx, counts, []byte(s))
	if text == nil {
		return 0, nil
	}
	return strconv.ParseInt(string(text), 10, 64)
}

func (b *batch) put(e entry) {
	if b.err != nil {
		return
	}
	if err := b.bucket(e.bucket).Put(e.key, e.value); err != nil {
		b.err = fmt.Errorf("putting into %s: %w", e.bucket, err)
	}
	if b.noting {
		b.done = append(b.done, noted{wasPut, entry{e.bucket, bytes.Clone(e.key), bytes.Clone(e.value)}})
	}
}

func (b *batch) delete(e entry) {
	if b.err != nil {
		return
	}
	if err := b.bucket(e.bucket).Delete(e.key); err != nil {
		b.err = fmt.Errorf("deleting from %s: %w", e.bucket, err)
	}
	if b.noting {
		b.done = append(b.done, noted{wasDeleted, entry{bucket: e.bucket, key: bytes.Clone(e.key)}})
	}
}

// reindex replaces what the indexes say. All deletions come first: one entry of
// a change may take over what another gives up.
func (b *batch) reindex(list []versioned) {
	for _, v := range list {
		for _, e := range without(v.before.index, v.now.index) {
			b.delete(e)
		}
	}
	for _, v := range list {
		for _, e := range without(v.now.index, v.before.index) {
			b.put(e)
		}
	}
}

// get is a value that lives as long as the transaction.
func get(tx *bbolt.Tx, bucket string, key []byte) []byte {
	return tx.Bucket([]byte(bucket)).Get(key)
}

// load reads a JSON value, false if there is none.
func load(tx *bbolt.Tx, bucket string, key []byte, v any) (bool, error) {
	value := get(tx, bucket, key)
	if value == nil {
		return false, nil
	}
	if err := json.Unmarshal(value, v); err != nil {
		return false, fmt.Errorf("reading %q of %s: %w", key, bucket, err)
	}
	return true, nil
}
