package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// change is an exchange.Change made ready by the caller, so that the one writer
// has little left to do: keys checked, values written, leaves hashed. The writer
// touches no memory of the caller's, who may go away before it is done: of a
// receipt's document, which only the answer has, it needs the leaf.
type change struct {
	pkg      *exchange.Package // of Accept; its plain fields only
	versions []versioned
	plain    []entry // what has no version and nothing to agree with
	uses     []*shape
	receipts []exchange.Receipt
	stamps   []exchange.StampedReceipt
	erasures []entry
	purges   []purging
	parked   []entry
	matched  []entry
	leaves   []leaf // of receipts, then of actions
	known    map[string]bool
	// index is set for a part of a block of the search index, which was made when
	// there had been so many purges.
	index  bool
	purged int64

	// What Accept answers.
	receipt exchange.Receipt
	again   bool
}

// versioned is an entry with a version, and what the indexes say of it.
type versioned struct {
	entry
	what    string // "delivery": with id, for the one who is told of a conflict
	id      string
	version int64 // the ledger's must be this one
	now     facts
	before  facts // as the ledger has it; known once checked
}

// facts are what follows from an entry's value.
type facts struct {
	version int64
	state   exchange.State // of a delivery
	index   []entry
}

type leaf struct {
	record []byte // what the log's bucket holds
	hash   tlog.Hash
}

// Accept implements exchange.Ledger.
func (l *Ledger) Accept(ctx context.Context, p exchange.Package, c exchange.Change) (exchange.Receipt, bool, error) {
	if len(c.Receipts) == 0 {
		return exchange.Receipt{}, false, fmt.Errorf("accepting package %s: a change without the acceptance's receipt", p.ID)
	}
	ready, err := l.prepare(c, &p)
	if err == nil {
		err = ready.accept(l.shapes, p)
	}
	if err != nil {
		return exchange.Receipt{}, false, fmt.Errorf("accepting package %s: %w", p.ID, err)
	}
	op, err := l.writer.do(ctx, ready)
	if err != nil {
		return exchange.Receipt{}, false, fmt.Errorf("accepting package %s: %w", p.ID, err)
	}
	return op.receipt, op.again, nil
}

// Update implements exchange.Ledger.
func (l *Ledger) Update(ctx context.Context, c exchange.Change) error {
	ready, err := l.prepare(c, nil)
	if err != nil {
		return fmt.Errorf("updating the ledger: %w", err)
	}
	op, err := l.writer.do(ctx, ready)
	if err != nil {
		return fmt.Errorf("updating the ledger: %w", err)
	}
	for i, r := range op.receipts {
		c.Receipts[i].Leaf = r.Leaf
	}
	return nil
}

func (c *change) accept(s *shapes, p exchange.Package) error {
	if err := checkPackage(p); err != nil {
		return err
	}
	value, uses, err := encodeWith(s, make([]byte, 0, 512), p, packageFields)
	if err != nil {
		return err
	}
	c.pkg = &p
	c.uses = append(c.uses, uses...)
	c.plain = append(c.plain, entry{packages, idKey(p.ID), value})
	return nil
}

// prepare makes a change ready; p is the package that it accepts, if any.
func (l *Ledger) prepare(c exchange.Change, p *exchange.Package) (change, error) {
	ready := change{known: map[string]bool{}}
	if p == nil {
		p = l.packageOf(c.Receipts)
	}
	err := errors.Join(
		each(c.Deliveries, ready.delivery),
		each(c.Rechecks, ready.recheck),
		each(c.Receipts, func(r exchange.Receipt) error { return ready.keepReceipt(l.shapes, r, p) }),
		each(c.Agencies, ready.agency),
		each(c.Systems, ready.system),
		each(c.Users, ready.user),
		each(c.Actions, ready.action),
		each(c.TimeStamps, ready.timeStamp),
		each(c.Erasures, ready.erasure),
		each(c.Purges, func(e exchange.Erasure) error { return l.purge(&ready, e) }),
		each(c.Parked, func(id exchange.PackageID) error { return ready.orphan(&ready.parked, id) }),
		each(c.Matched, func(id exchange.PackageID) error { return ready.orphan(&ready.matched, id) }),
	)
	if err != nil {
		return change{}, err
	}
	return ready, nil
}

// packageOf is the package that receipts are about, whose record makes them small;
// nil if there is none, or it cannot be told: then they are kept without it.
func (l *Ledger) packageOf(list []exchange.Receipt) (of *exchange.Package) {
	if len(list) == 0 || list[0].Package == "" {
		return nil
	}
	_, _ = l.file.view(func(tx *bbolt.Tx) error { // a package that is seen and not yet synced is so before its receipts are
		if p, err := pkg(tx, l.shapes, idKey(list[0].Package)); err == nil {
			of = &p
		}
		return nil
	})
	return of
}

func each[T any](list []T, do func(T) error) error {
	for _, v := range list {
		if err := do(v); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) delivery(d exchange.Delivery) error {
	if err := checkDelivery(d); err != nil {
		return err
	}
	v := versioned{what: "delivery", id: string(d.ID), version: d.Version}
	d.Version++
	v.entry = entry{deliveries, deliveryKey(d.Package, d.Index), nil}
	v.now = facts{d.Version, d.State, deliveryIndex(d)}
	if err := c.once(v.entry, v.what, v.id); err != nil {
		return err
	}
	var err error
	v.value, err = encode(make([]byte, 0, 128), d, deliveryFields)
	c.versions = append(c.versions, v)
	return err
}

func (c *change) recheck(r exchange.Recheck) error {
	if err := checkRecheck(r); err != nil {
		return err
	}
	v := versioned{what: "recheck", id: r.ID, version: r.Version}
	r.Version++
	v.entry = entry{rechecks, []byte(r.ID), nil}
	v.now = facts{version: r.Version, index: recheckIndex(r)}
	return c.keep(v, r)
}

func (c *change) agency(a exchange.Agency) error {
	if err := checkAgency(a); err != nil {
		return err
	}
	v := versioned{what: "agency", id: a.Code, version: a.Version}
	a.Version++
	v.entry = entry{agencies, []byte(a.Code), nil}
	v.now = facts{version: a.Version, index: agencyIndex(a)}
	return c.keep(v, a)
}

func (c *change) system(s exchange.System) error {
	if err := checkName("system", s.ID); err != nil {
		return err
	}
	v := versioned{what: "system", id: s.ID, version: s.Version}
	s.Version++
	v.entry = entry{systems, []byte(s.ID), nil}
	v.now = facts{version: s.Version, index: systemIndex(s)}
	return c.keep(v, s)
}

func (c *change) user(u exchange.User) error {
	if err := checkName("user", u.ID); err != nil {
		return err
	}
	v := versioned{what: "user", id: u.ID, version: u.Version}
	u.Version++
	v.entry = entry{users, []byte(u.ID), nil}
	v.now = facts{version: u.Version}
	return c.keep(v, u)
}

func (c *change) keep(v versioned, value any) error {
	if err := c.once(v.entry, v.what, v.id); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing %s %s: %w", v.what, v.id, err)
	}
	v.value = text
	c.versions = append(c.versions, v)
	return nil
}

// once refuses a change that has an entry twice: at least one of the two cannot
// rest on what the ledger holds.
func (c *change) once(e entry, what, id string) error {
	key := e.bucket + "\x00" + string(e.key)
	if c.known[key] {
		return exchange.ConflictError(what, id)
	}
	c.known[key] = true
	return nil
}

func (c *change) timeStamp(s exchange.StampedReceipt) error {
	if err := errors.Join(checkName("receipt.id", string(s.Receipt)), checkToken(s.Token)); err != nil {
		return err
	}
	if err := c.once(entry{bucket: timeStamps, key: idKey(s.Receipt)}, "receipt", string(s.Receipt)); err != nil {
		return err
	}
	c.stamps = append(c.stamps, exchange.StampedReceipt{Receipt: s.Receipt, Token: bytes.Clone(s.Token)})
	return nil
}

func (c *change) keepReceipt(s *shapes, r exchange.Receipt, p *exchange.Package) error {
	if err := checkReceipt(r); err != nil {
		return err
	}
	if err := c.once(entry{bucket: receiptLeaves, key: idKey(r.ID)}, "receipt", string(r.ID)); err != nil {
		return err
	}
	if p != nil && p.ID != r.Package {
		p = nil
	}
	record, uses, err := encodeReceipt(s, r, p)
	if err != nil {
		return fmt.Errorf("writing receipt %s: %w", r.ID, err)
	}
	r.Agencies = append([]string(nil), r.Agencies...)
	c.receipts = append(c.receipts, r)
	c.leaves = append(c.leaves, leaf{record, r.LogEntry().Hash()})
	c.uses = append(c.uses, uses...)
	return nil
}

func (c *change) action(a exchange.Action) error {
	if err := checkAction(a); err != nil {
		return err
	}
	record, err := encode([]byte{leafAction}, a, actionFields)
	if err != nil {
		return fmt.Errorf("writing action %s: %w", a.ID, err)
	}
	c.leaves = append(c.leaves, leaf{record, a.LogEntry().Hash()})
	return nil
}
