package bolt

import (
	"encoding/json"
	"errors"
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
		if get(b.tx, receipts, idKey(r.ID)) != nil {
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
	return false, b.checkClaims(c)
}

func (b *batch) checkPackage(c *change) (again bool, err error) {
	if first := get(b.tx, documents, c.content); first != nil {
		c.again = true
		c.receipt, err = receipt(b.tx, idOf[exchange.ReceiptID](first))
		return true, err
	}
	if c.pkg.Exclusive() && c.pkg.DocumentID != "" {
		owner := get(b.tx, documents, join(c.pkg.Sender, c.pkg.DocumentID, "x"))
		if owner != nil {
			return false, exchange.DuplicateError(c.pkg.Sender, c.pkg.DocumentID, idOf[exchange.PackageID](owner))
		}
	}
	if get(b.tx, packages, idKey(c.pkg.ID)) != nil {
		return false, exchange.ConflictError("package", string(c.pkg.ID))
	}
	return false, nil
}

func (b *batch) checkVersion(v *versioned) error {
	if value := get(b.tx, v.bucket, v.key); value != nil {
		before, err := factsOf(v.bucket, value)
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
func factsOf(bucket string, value []byte) (facts, error) {
	switch bucket {
	case deliveries:
		var d exchange.Delivery
		err := json.Unmarshal(value, &d)
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
	for i, l := range c.leaves[:len(c.receipts)] {
		b.receipt(&c.receipts[i], l)
	}
	for i, l := range c.leaves[len(c.receipts):] {
		b.action(c.actions[i], l)
	}
	for _, s := range c.stamps {
		b.timeStamp(s)
	}
	b.erase(c.erasures)
	for _, e := range c.plain {
		b.put(e)
	}
	if c.pkg != nil {
		b.number(c.pkg.ID)
		c.receipt = c.receipts[0]
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
	r.Leaf = b.appendLeaf(l)
	b.putJSON(receipts, idKey(r.ID), r)
	b.put(entry{receiptRaw, idKey(r.ID), r.Raw})
	for _, e := range receiptIndex(*r) {
		b.put(e)
	}
	if r.TimeStamp == exchange.TimeStampPending {
		b.counts[unstamped]++
	}
}

// timeStamp keeps the token of a receipt that waits for it. The receipt's document
// stays as it is.
func (b *batch) timeStamp(s exchange.StampedReceipt) {
	key := idKey(s.Receipt)
	var r exchange.Receipt
	if err := loadFound(b.tx, receipts, key, "receipt", string(s.Receipt), &r); err != nil {
		b.err = errors.Join(b.err, err)
		return
	}
	r.TimeStamp = exchange.TimeStampKept
	b.putJSON(receipts, key, r)
	b.delete(entry{bucket: unstamped, key: key})
	b.put(entry{timeStamps, key, s.Token})
	b.counts[unstamped]--
}

func (b *batch) action(a exchange.Action, l leaf) {
	a.Leaf = b.appendLeaf(l)
	b.putJSON(actions, number(a.Leaf), a)
}

func (b *batch) putJSON(bucket string, key []byte, v any) {
	value, err := json.Marshal(v)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("writing %q of %s: %w", key, bucket, err)
	}
	b.put(entry{bucket, key, value})
}

// receipt reads a receipt with its document.
func receipt(tx *bbolt.Tx, id exchange.ReceiptID) (exchange.Receipt, error) {
	var r exchange.Receipt
	found, err := load(tx, receipts, idKey(id), &r)
	if err != nil {
		return exchange.Receipt{}, err
	}
	if !found {
		return exchange.Receipt{}, exchange.NotFoundError("receipt", string(id))
	}
	r.Raw = append([]byte{}, get(tx, receiptRaw, idKey(id))...)
	return r, nil
}
