package bolt

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// check finds what speaks against a change, before anything of it is written.
// again means that there is nothing to write: the answer is the first receipt.
func (b *batch) check(c *change) (again bool, err error) {
	if c.pkg != nil {
		if again, err = b.checkPackage(c); again || err != nil {
			return again, err
		}
	}
	for _, r := range c.receipts {
		if _, found := leafOfReceipt(b.tx, b.tree.size, idKey(r.ID)); found {
			return false, exchange.ConflictError("receipt", string(r.ID))
		}
	}
	for i := range c.versions {
		if err := b.checkVersion(&c.versions[i]); err != nil {
			return false, err
		}
	}
	for _, s := range c.stamps {
		if get(b.tx, unstamped, idKey(s.Receipt)) == nil {
			return false, exchange.ConflictError("receipt", string(s.Receipt))
		}
	}
	if err := b.checkErasures(c); err != nil {
		return false, err
	}
	if err := b.checkPurges(c); err != nil {
		return false, err
	}
	if c.index && (b.purged || c.purged != b.purges) {
		return false, errPurged
	}
	if err := b.checkMatched(c); err != nil {
		return false, err
	}
	return false, b.checkClaims(c)
}

func (b *batch) checkPackage(c *change) (again bool, err error) {
	first, owner, err := firstOf(b.tx, b.shapes, *c.pkg)
	switch {
	case err != nil:
		return false, err
	case first != nil:
		c.again = true
		c.receipt, err = receiptAt(b.tx, b.shapes, leafOf(first))
		return true, err
	case owner != "":
		return false, exchange.DuplicateError(c.pkg.Sender, c.pkg.DocumentID, owner)
	case get(b.tx, packages, idKey(c.pkg.ID)) != nil:
		return false, exchange.ConflictError("package", string(c.pkg.ID))
	}
	return false, nil
}

// firstOf finds the leaf of the acceptance that p is a resubmission of, or the
// other package that has its document's identifier.
func firstOf(tx *bbolt.Tx, s *shapes, p exchange.Package) (first []byte, other exchange.PackageID, err error) {
	if !owns(p) {
		return get(tx, documents, contentKey(p)), "", nil
	}
	leaf, key, err := ownerOf(tx, p)
	if key == nil {
		return nil, "", err
	}
	owner, err := pkg(tx, s, key)
	if err == nil && owner.Kind == p.Kind && owner.Content == p.Content {
		return leaf, "", nil
	}
	return nil, owner.ID, err
}

// ownerOf is the package that has a document's identifier to itself, and the leaf of
// its acceptance; nil if there is none.
func ownerOf(tx *bbolt.Tx, p exchange.Package) (leaf, key []byte, err error) {
	leaf = get(tx, documents, documentKey(p, ownPackage))
	if leaf == nil {
		return nil, nil, nil
	}
	r, _, err := decodeReceiptRecord(leafOf(leaf), get(tx, log, leaf))
	if err != nil {
		return nil, nil, err
	}
	return leaf, idKey(r.Package), nil
}

func (b *batch) checkVersion(v *versioned) error {
	if value := get(b.tx, v.bucket, v.key); value != nil {
		before, err := factsOf(v.bucket, v.key, value)
		if err != nil {
			return fmt.Errorf("reading %s %s: %w", v.what, v.id, err)
		}
		v.before = before
	}
	if v.version != v.before.version {
		return exchange.ConflictError(v.what, v.id)
	}
	return nil
}

// factsOf reads a stored value.
func factsOf(bucket string, key, value []byte) (facts, error) {
	switch bucket {
	case deliveries:
		d, err := decodeDelivery(key, value)
		return facts{d.Version, d.State, deliveryIndex(d)}, err
	case agencies:
		var a exchange.Agency
		err := json.Unmarshal(value, &a)
		return facts{version: a.Version, index: agencyIndex(a)}, err
	case systems:
		var s exchange.System
		err := json.Unmarshal(value, &s)
		return facts{version: s.Version, index: systemIndex(s)}, err
	case rechecks:
		var r exchange.Recheck
		err := json.Unmarshal(value, &r)
		return facts{version: r.Version, index: recheckIndex(r)}, err
	case users:
		var u exchange.User
		err := json.Unmarshal(value, &u)
		return facts{version: u.Version}, err
	}
	return facts{}, fmt.Errorf("%s holds no entries with versions", bucket)
}

// checkClaims refuses codes and certificates that belong to someone else, as the
// ledger will be after the change: what one entry of it gives up, another may
// take.
func (b *batch) checkClaims(c *change) error {
	released := map[string]bool{}
	for _, v := range c.versions {
		for _, e := range claims(without(v.before.index, v.now.index)) {
			released[e.bucket+string(e.key)] = true
		}
	}
	taken := map[string]string{}
	for _, v := range c.versions {
		for _, e := range claims(v.now.index) {
			name := e.bucket + string(e.key)
			if owner := get(b.tx, e.bucket, e.key); owner != nil && !released[name] && string(owner) != string(e.value) {
				return takenError(e, string(owner))
			}
			if owner, ok := taken[name]; ok && owner != string(e.value) {
				return takenError(e, owner)
			}
			taken[name] = string(e.value)
		}
	}
	return nil
}

// claims are the entries of an index that belong to one owner only.
func claims(index []entry) []entry {
	var list []entry
	for _, e := range index {
		if e.bucket == agencyCodes || e.bucket == agencyCertificates || e.bucket == systemCertificates {
			list = append(list, e)
		}
	}
	return list
}

func takenError(e entry, owner string) error {
	if e.bucket == agencyCodes {
		return exchange.CodeTakenError(string(e.key), owner)
	}
	return exchange.CertificateTakenError(exchange.Digest(e.key), owner)
}

// apply makes a change that was checked.
func (b *batch) apply(c *change) {
	for _, v := range c.versions {
		b.put(v.entry)
		b.count(v)
	}
	b.reindex(c.versions)
	if c.pkg != nil {
		b.number(c.pkg.ID)
	}
	for i := range c.receipts {
		b.receipt(&c.receipts[i], c.leaves[i])
	}
	for _, l := range c.leaves[len(c.receipts):] {
		b.put(entry{actions, leafKey(b.leaf(l, nil)), nil})
	}
	for _, s := range c.uses {
		if !s.kept.Load() {
			b.put(s.entry())
		}
	}
	for _, s := range c.stamps {
		b.timeStamp(s)
	}
	b.erase(c.erasures)
	b.purge(c.purges)
	b.park(c)
	for _, e := range c.plain {
		b.put(e)
	}
	if c.pkg != nil {
		c.receipt = c.receipts[0]
		for _, e := range packageIndex(*c.pkg, c.receipt.Leaf) {
			b.put(e)
		}
	}
}

func (b *batch) count(v versioned) {
	if v.bucket != deliveries || v.before.state == v.now.state {
		return
	}
	b.counts[v.now.state]++
	if v.before.state != "" {
		b.counts[v.before.state]--
	}
}

func (b *batch) receipt(r *exchange.Receipt, l leaf) {
	r.Leaf = b.leaf(l, idKey(r.ID))
	for _, e := range receiptIndex(*r) {
		b.put(e)
	}
	if r.Package != "" {
		key := idKey(r.Package)
		b.put(entry{packageReceipts, key, packageLeaves(b.bucket(packageReceipts).Get(key)).with(r.Leaf)})
	}
	if r.TimeStamp == exchange.TimeStampPending {
		b.counts[unstamped]++
	}
}

// timeStamp keeps the token of a receipt that waits for it. The receipt's record
// stays as it is.
func (b *batch) timeStamp(s exchange.StampedReceipt) {
	key := idKey(s.Receipt)
	b.delete(entry{bucket: unstamped, key: key})
	b.put(entry{timeStamps, key, s.Token})
	b.counts[unstamped]--
}

// leaf adds a leaf to the log and returns its place; id is that of a receipt.
func (b *batch) leaf(l leaf, id []byte) int64 {
	n := b.tree.size
	b.put(entry{log, leafKey(n), l.record})
	b.tree.append(l.hash)
	b.index(n, id)
	return n
}

// receipt reads a receipt with its document.
func receipt(tx *bbolt.Tx, s *shapes, id exchange.ReceiptID) (exchange.Receipt, error) {
	leaf, found := leafOfReceipt(tx, logSize(tx), idKey(id))
	if !found {
		return exchange.Receipt{}, exchange.NotFoundError("receipt", string(id))
	}
	return receiptAt(tx, s, leaf)
}
