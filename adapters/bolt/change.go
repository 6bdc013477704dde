package bolt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// change is an exchange.Change made ready by the caller, so that the one writer
// has little left to do: keys checked, values written, leaves hashed. It shares
// no memory with the caller, who may go away before the writer is done.
type change struct {
	pkg      *exchange.Package // of Accept; its plain fields only
	content  []byte            // its key in documents
	versions []versioned
	plain    []entry // what has no version and nothing to agree with
	receipts []exchange.Receipt
	actions  []exchange.Action
	stamps   []exchange.StampedReceipt
	erasures []entry
	leaves   []leaf // of receipts, then of actions
	known    map[string]bool

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
	bytes []byte
	hash  tlog.Hash
}

// Accept implements exchange.Ledger.
func (l *Ledger) Accept(ctx context.Context, p exchange.Package, c exchange.Change) (exchange.Receipt, bool, error) {
	if len(c.Receipts) == 0 {
		return exchange.Receipt{}, false, fmt.Errorf("accepting package %s: a change without the acceptance's receipt", p.ID)
	}
	ready, err := prepare(c)
	if err == nil {
		err = ready.accept(p)
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
	ready, err := prepare(c)
	if err != nil {
		return fmt.Errorf("updating the ledger: %w", err)
	}
	if _, err := l.writer.do(ctx, ready); err != nil {
		return fmt.Errorf("updating the ledger: %w", err)
	}
	return nil
}

func (c *change) accept(p exchange.Package) error {
	if err := checkPackage(p); err != nil {
		return err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.pkg, c.content = &p, contentKey(p)
	c.plain = append(c.plain, entry{packages, idKey(p.ID), value})
	c.plain = append(c.plain, packageIndex(p, c.receipts[0].ID)...)
	return nil
}

func prepare(c exchange.Change) (change, error) {
	ready := change{known: map[string]bool{}, actions: append([]exchange.Action(nil), c.Actions...)}
	err := errors.Join(
		each(c.Deliveries, ready.delivery),
		each(c.Rechecks, ready.recheck),
		each(c.Receipts, ready.keepReceipt),
		each(c.Agencies, ready.agency),
		each(c.Systems, ready.system),
		each(c.Users, ready.user),
		each(c.Actions, checkAction),
		each(c.TimeStamps, ready.timeStamp),
		each(c.Erasures, ready.erasure),
	)
	if err != nil {
		return change{}, err
	}
	for _, e := range c.Entries() {
		b := e.Bytes()
		ready.leaves = append(ready.leaves, leaf{b, tlog.RecordHash(b)})
	}
	return ready, nil
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
	return c.keep(v, d)
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

func (c *change) keepReceipt(r exchange.Receipt) error {
	if err := checkReceipt(r); err != nil {
		return err
	}
	if err := c.once(entry{bucket: receipts, key: idKey(r.ID)}, "receipt", string(r.ID)); err != nil {
		return err
	}
	r.Raw = bytes.Clone(r.Raw)
	r.Agencies = append([]string(nil), r.Agencies...)
	c.receipts = append(c.receipts, r)
	return nil
}
