package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// mostProblems is how many problems Check names before it gives up.
const mostProblems = 20

// Check reads the whole ledger and reports what does not agree: the file's
// structure, every index with its entries, the tree recomputed from the leaves,
// the leaves with the receipts and actions they record. Writes wait while the
// file's structure is read.
func (l *Ledger) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
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
	for _, step := range []func(){c.packages, c.deliveries, c.rechecks, c.erasures, c.receipts, c.actions, c.registry, c.log, c.search, c.totals} {
		if len(c.problems) == mostProblems {
			return
		}
		step()
	}
}

// every reads all entries of a bucket as T.
func every[T any](c *checker, bucket string, do func(key []byte, v T)) {
	err := c.tx.Bucket([]byte(bucket)).ForEach(func(key, value []byte) error {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(value, &v); err != nil {
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

func (c *checker) packages() {
	every(c, packages, func(key []byte, p exchange.Package) {
		first := idOf[exchange.ReceiptID](get(c.tx, documents, contentKey(p)))
		index := packageIndex(p, first)
		if get(c.tx, erasures, key) != nil {
			index = without(index, []entry{contentEntry(p)})
		}
		c.agree(packages, key, idKey(p.ID), index)
		var r exchange.Receipt
		if found, err := load(c.tx, receipts, idKey(first), &r); err != nil || !found || r.Package != p.ID {
			c.problem("package %s has no receipt of its acceptance", p.ID)
		}
	})
}

func (c *checker) deliveries() {
	every(c, deliveries, func(key []byte, d exchange.Delivery) {
		c.agree(deliveries, key, deliveryKey(d.Package, d.Index), deliveryIndex(d))
		c.counts[d.State]++
		if get(c.tx, packages, idKey(d.Package)) == nil {
			c.problem("delivery %s has no package", d.ID)
		}
	})
	for _, s := range exchange.States {
		if n, err := count(c.tx, s); err != nil || n != c.counts[s] {
			c.problem("%d deliveries are %s, counted were %d (%v)", c.counts[s], s, n, err)
		}
	}
}

func (c *checker) rechecks() {
	every(c, rechecks, func(key []byte, r exchange.Recheck) {
		c.agree(rechecks, key, []byte(r.ID), recheckIndex(r))
		if get(c.tx, packages, idKey(r.Package)) == nil {
			c.problem("recheck %s has no package", r.ID)
		}
	})
}

func (c *checker) receipts() {
	every(c, receipts, func(key []byte, r exchange.Receipt) {
		c.agree(receipts, key, idKey(r.ID), receiptIndex(r))
		c.expected[receiptRaw]++
		c.timeStamp(r)
		r.Raw = get(c.tx, receiptRaw, key)
		c.leaf("receipt "+string(r.ID), r.Leaf, r.LogEntry())
	})
	if n, err := count(c.tx, unstamped); err != nil || n != int64(c.expected[unstamped]) {
		c.problem("%d receipts wait for a time-stamp, counted were %d (%v)", c.expected[unstamped], n, err)
	}
}

// timeStamp holds a receipt's state against its token.
func (c *checker) timeStamp(r exchange.Receipt) {
	token := get(c.tx, timeStamps, idKey(r.ID))
	kept := r.TimeStamp == exchange.TimeStampKept
	if kept {
		c.expected[timeStamps]++
	}
	if kept != (len(token) > 0) {
		c.problem("receipt %s has the time-stamp state %q and a token of %d bytes", r.ID, r.TimeStamp, len(token))
	}
}

func (c *checker) actions() {
	every(c, actions, func(key []byte, a exchange.Action) {
		c.agree(actions, key, number(a.Leaf), nil)
		c.leaf("action "+a.ID, a.Leaf, a.LogEntry())
	})
}

func (c *checker) leaf(name string, n int64, e exchange.LogEntry) {
	c.expected[leaves]++
	if leaf := get(c.tx, leaves, number(n)); !bytes.Equal(leaf, e.Bytes()) {
		c.problem("%s is recorded in the log as %q, and is %q", name, leaf, e.Bytes())
	}
}

func (c *checker) registry() {
	every(c, agencies, func(key []byte, a exchange.Agency) { c.agree(agencies, key, []byte(a.Code), agencyIndex(a)) })
	every(c, systems, func(key []byte, s exchange.System) { c.agree(systems, key, []byte(s.ID), systemIndex(s)) })
	every(c, users, func(key []byte, u exchange.User) { c.agree(users, key, []byte(u.ID), nil) })
}

// log computes the tree again from the leaves. A stored hash is only compared,
// and so never helps to prove itself: each new one is made of those compared
// before it.
func (c *checker) log() {
	var next, node int64
	cursor := c.tx.Bucket([]byte(leaves)).Cursor()
	for key, leaf := cursor.First(); key != nil && c.ctx.Err() == nil; key, leaf = cursor.Next() {
		if !bytes.Equal(key, number(next)) {
			c.problem("leaf %d of the log is missing", next)
			return
		}
		nodes, err := tlog.StoredHashes(next, leaf, tlog.HashReaderFunc(
			func(indexes []int64) ([]tlog.Hash, error) { return readHashes(c.tx, indexes) }))
		if err != nil {
			c.problem("hashing leaf %d: %w", next, err)
			return
		}
		for _, h := range nodes {
			if !bytes.Equal(get(c.tx, hashes, number(node)), h[:]) {
				c.problem("hash %d of the log is not that of its leaves, of which leaf %d is the last", node, next)
			}
			node++
		}
		next++
	}
	c.expected[hashes] = int(min(node, math.MaxInt))
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
