package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// mostProblems is how many problems Check names before it gives up.
const mostProblems = 20

// Check reads the whole ledger and reports what does not agree: the file's
// structure, every index with its entries, the tree recomputed from the leaves,
// the leaves with the receipts and actions they record. Writes wait while the
// file's structure is read.
func (l *Ledger) Check(ctx context.Context) error {
	if err := l.longRead(ctx); err != nil {
		return err
	}
	defer l.longReadEnds()
	// Held only until the structure is read: what follows needs a transaction
	// alone, and a transaction does not change.
	l.writer.transaction.Lock()
	structure := true
	defer func() {
		if structure {
			l.writer.transaction.Unlock()
		}
	}()
	err := l.view(ctx, func(tx *bbolt.Tx) error {
		c := newChecker(ctx, tx)
		c.structure()
		structure = false
		l.writer.transaction.Unlock()
		c.contents()
		return errors.Join(c.problems...)
	})
	if err != nil {
		return fmt.Errorf("checking the ledger: %w", err)
	}
	return nil
}

type checker struct {
	ctx      context.Context
	tx       *bbolt.Tx
	expected map[string]int // entries by bucket
	counts   map[exchange.State]int64
	problems []error
	shapes   *shapes
	listed   int // receipts that belong to a package

	size int64 // of the log
}

func newChecker(ctx context.Context, tx *bbolt.Tx) *checker {
	return &checker{ctx: ctx, tx: tx, expected: map[string]int{}, counts: map[exchange.State]int64{}}
}

func (c *checker) problem(format string, args ...any) {
	if len(c.problems) < mostProblems {
		c.problems = append(c.problems, fmt.Errorf(format, args...))
	}
}

func (c *checker) structure() {
	for err := range c.tx.Check() { // read to its end: the sender waits
		c.problem("the file's structure: %w", err)
	}
}

func (c *checker) contents() {
	for _, step := range []func(){c.readShapes, c.packages, c.deliveries, c.rechecks, c.erasures, c.orphans, c.log, c.receiptMarks, c.packageReceipts, c.registry, c.search, c.totals} {
		if len(c.problems) == mostProblems {
			return
		}
		step()
	}
}

// every reads all entries of a bucket.
func every[T any](c *checker, bucket string, read func(key, value []byte) (T, error), do func(key []byte, v T)) {
	err := c.tx.Bucket([]byte(bucket)).ForEach(func(key, value []byte) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		v, err := read(key, value)
		if err != nil {
			c.problem("%s %q: %w", bucket, key, err)
			return nil
		}
		do(key, v)
		return nil
	})
	if err != nil {
		c.problem("reading %s: %w", bucket, err)
	}
}

func fromJSON[T any](_, value []byte) (v T, err error) {
	return v, json.Unmarshal(value, &v)
}

// agree holds an entry's key and index against what the ledger has.
func (c *checker) agree(bucket string, key, want []byte, index []entry) {
	if !bytes.Equal(key, want) {
		c.problem("%s %q stands under the key of another", bucket, key)
	}
	c.expected[bucket]++
	seen := map[string]bool{}
	for _, e := range index {
		if seen[e.bucket+string(e.key)] { // an alias listed twice is one entry
			continue
		}
		seen[e.bucket+string(e.key)] = true
		c.expected[e.bucket]++
		value := get(c.tx, e.bucket, e.key)
		if value == nil || !bytes.Equal(value, e.value) {
			c.problem("%s %q: its entry %q of %s is %q, not %q", bucket, key, e.key, e.bucket, value, e.value)
		}
	}
}

// readShapes reads them from the file: memory has what it once held.
func (c *checker) readShapes() {
	var err error
	if c.shapes, err = loadShapes(c.tx); err != nil {
		c.problem("%s: %w", shapesKept, err)
	}
	c.expected[shapesKept] = len(c.shapes.numbers)
}

func (c *checker) packages() {
	every(c, packages, func(key, value []byte) (exchange.Package, error) { return decodePackage(c.shapes, key, value) }, func(key []byte, p exchange.Package) {
		at := contentKey(p)
		if owns(p) {
			at = documentKey(p, ownPackage)
		}
		first := leafOf(get(c.tx, documents, at))
		index := packageIndex(p, first)
		if get(c.tx, erasures, key) != nil {
			index = without(index, []entry{contentEntry(p)})
		}
		c.agree(packages, key, idKey(p.ID), index)
		c.purged(key, p)
		if r, _, err := decodeReceiptRecord(first, get(c.tx, log, leafKey(first))); err != nil || r.Package != p.ID {
			c.problem("package %s has no receipt of its acceptance", p.ID)
		}
	})
}

func (c *checker) deliveries() {
	every(c, deliveries, decodeDelivery, func(key []byte, d exchange.Delivery) {
		c.agree(deliveries, key, deliveryKey(d.Package, d.Index), deliveryIndex(d))
		c.counts[d.State]++
		if !(sentBy{packages: newStream(c.tx, senders, under(d.Sender))}).has(idKey(d.Package)) {
			c.problem("delivery %s is of no package of its sender", d.ID)
		}
	})
	for _, s := range exchange.States {
		if n, err := count(c.tx, s); err != nil || n != c.counts[s] {
			c.problem("%d deliveries are %s, counted were %d (%v)", c.counts[s], s, n, err)
		}
	}
}

func (c *checker) rechecks() {
	every(c, rechecks, fromJSON, func(key []byte, r exchange.Recheck) {
		c.agree(rechecks, key, []byte(r.ID), recheckIndex(r))
		if get(c.tx, packages, idKey(r.Package)) == nil {
			c.problem("recheck %s has no package", r.ID)
		}
	})
}

// log makes each leaf again of what it records, and the tree of the leaves. A
// stored hash is only compared, and so never helps to prove itself.
func (c *checker) log() {
	t := &tree{store: c.chunk}
	c.size = logSize(c.tx)
	every(c, log, func(key, value []byte) (exchange.LogEntry, error) {
		if !bytes.Equal(key, leafKey(t.size)) {
			return exchange.LogEntry{}, fmt.Errorf("leaf %d of the log is missing", t.size)
		}
		return c.leaf(t.size, value)
	}, func(_ []byte, e exchange.LogEntry) { t.append(e.Hash()) })
	t.end()
	c.expected[log] = int(min(t.size, math.MaxInt))
	if n, err := count(c.tx, unstamped); err != nil || n != int64(c.expected[unstamped]) {
		c.problem("%d receipts wait for a time-stamp, counted were %d (%v)", c.expected[unstamped], n, err)
	}
}

// leaf is what the log's bucket holds for a leaf, held against its indexes.
func (c *checker) leaf(n int64, value []byte) (exchange.LogEntry, error) {
	if len(value) > 0 && value[0] == leafAction {
		c.agree(log, leafKey(n), leafKey(n), []entry{{actions, leafKey(n), nil}})
	} else {
		r, _, err := decodeReceiptRecord(n, value)
		if err != nil {
			return exchange.LogEntry{}, err
		}
		c.receipt(r)
	}
	return entryOf(c.tx, c.shapes, n, value)
}

func (c *checker) receipt(r exchange.Receipt) {
	if r.Package != "" {
		c.listed++
	}
	token := get(c.tx, timeStamps, idKey(r.ID))
	switch {
	case len(token) > 0 && r.TimeStamp == exchange.TimeStampPending:
		r.TimeStamp = exchange.TimeStampKept
		c.expected[timeStamps]++
	case len(token) > 0:
		c.problem("receipt %s has a time-stamp that it did not wait for", r.ID)
	}
	c.agree(log, leafKey(r.Leaf), leafKey(r.Leaf), receiptIndex(r))
	c.receiptIndexed(r.Leaf, idKey(r.ID))
}

// packageReceipts holds the lists against the receipts. Each names its receipts
// once, in their order, and all lists together name as many as there are. search
// holds the packages' numbers against them.
func (c *checker) packageReceipts() {
	every(c, packageReceipts, func(key, value []byte) (none struct{}, err error) {
		l, again := packageLeaves(value), packageLeaves(nil)
		last := int64(-1)
		for _, leaf := range l.leaves() {
			again = again.with(leaf)
			r, _, err := decodeReceiptRecord(leaf, get(c.tx, log, leafKey(leaf)))
			if err != nil || leaf <= last || !bytes.Equal(key, idKey(r.Package)) {
				return none, fmt.Errorf("leaf %d stands in the list of another package (%w)", leaf, err)
			}
			c.listed--
			last = leaf
		}
		if !bytes.Equal(again.numbered(l.number()), value) {
			return none, errRecord
		}
		if l.number() >= 0 && !bytes.Equal(packageNumbered(c.tx, l.number()), key) {
			return none, fmt.Errorf("it does not have the number %d", l.number())
		}
		c.expected[packageReceipts]++
		return none, nil
	}, func([]byte, struct{}) {})
	if c.listed != 0 {
		c.problem("the lists of packages' receipts lack %d", c.listed)
	}
}

func (c *checker) chunk(key, chunk []byte) {
	c.expected[hashes]++
	if !bytes.Equal(get(c.tx, hashes, key), chunk) {
		c.problem("hashes %x of the log are not those of its leaves", key)
	}
}

func (c *checker) registry() {
	every(c, agencies, fromJSON, func(key []byte, a exchange.Agency) { c.agree(agencies, key, []byte(a.Code), agencyIndex(a)) })
	every(c, systems, fromJSON, func(key []byte, s exchange.System) { c.agree(systems, key, []byte(s.ID), systemIndex(s)) })
	every(c, users, fromJSON, func(key []byte, u exchange.User) { c.agree(users, key, []byte(u.ID), nil) })
}

// totals finds what no entry accounts for.
func (c *checker) totals() {
	for _, name := range buckets() {
		if name == meta || name == counts {
			continue
		}
		found := 0
		cursor := c.tx.Bucket([]byte(name)).Cursor()
		for key, _ := cursor.First(); key != nil && c.ctx.Err() == nil; key, _ = cursor.Next() {
			found++
		}
		if found != c.expected[name] {
			c.problem("%s has %d entries, %d are accounted for", name, found, c.expected[name])
		}
	}
	if err := c.ctx.Err(); err != nil {
		c.problem("stopped: %w", err)
	}
}
