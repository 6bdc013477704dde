package exchangetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"tram/exchange"
	"tram/signing"
)

// Check verifies all that a hub left behind, and reports everything that is
// wrong:
//
//   - the log's tree, computed from its leaves by a second implementation, has
//     the stored hashes; every leaf records a receipt or an action that is there
//   - every package's bytes are in the vault under their digest, or were erased by
//     an action of the log; what was purged was erased and has no words
//   - every package has exactly one receipt of its acceptance, which is what a
//     resubmission gets, and one delivery for each recipient
//   - every consigned delivery has exactly one receipt of that, and every final
//     one exactly one final receipt, of an event that fits its state
//   - every receipt's leaf is in the log at its place, and verify, which checks a
//     sealed document, returns nil for it; nil skips that
//   - counts, inboxes and what is due agree with the deliveries
//   - exactly the receipts that are pending wait for a time-stamp, and every kept
//     one can be put on its receipt
//   - what was found out later about a signature has its receipt, one of its
//     package or delivery, and none without
//
// It is for tests: it holds the whole log and all deliveries in memory.
func Check(ctx context.Context, l exchange.Ledger, v exchange.Vault, verify func(raw []byte) error) error {
	c := &check{ctx: ctx, ledger: l, vault: v, verify: verify, recorded: map[int64]bool{}, counts: map[exchange.State]int64{}}
	for _, step := range []func() error{c.log, c.packages, c.actions, c.otherLeaves, c.lists} {
		if err := step(); err != nil {
			c.problems = append(c.problems, err)
		}
	}
	return errors.Join(c.problems...)
}

type check struct {
	ctx    context.Context
	ledger exchange.Ledger
	vault  exchange.Vault
	verify func([]byte) error

	leaves     [][]byte
	recorded   map[int64]bool // leaves whose receipt or action was seen
	deliveries []exchange.Delivery
	counts     map[exchange.State]int64
	pending    []string // receipts
	purges     []exchange.Purge
	problems   []error
}

func (c *check) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *check) log() (err error) {
	c.leaves, err = checkTree(c.ctx, c.ledger)
	return err
}

func (c *check) packages() error {
	list, err := allPackages(c.ctx, c.ledger, exchange.PackageQuery{}, 100)
	if err != nil {
		return err
	}
	for _, p := range list {
		c.content(p)
		receipts, err := c.ledger.Receipts(c.ctx, p.ID)
		if err != nil {
			return err
		}
		deliveries, err := c.ledger.DeliveriesOf(c.ctx, p.ID)
		if err != nil {
			return err
		}
		c.acceptance(p, receipts)
		c.recipients(p, deliveries)
		for _, r := range receipts {
			c.receipt(r)
		}
		for _, d := range deliveries {
			c.delivery(d, receipts)
		}
		c.established(p, receipts)
		c.deliveries = append(c.deliveries, deliveries...)
	}
	return nil
}

func (c *check) content(p exchange.Package) {
	c.purged(p)
	content, err := c.vault.Open(c.ctx, p.Digest)
	if _, erased := c.ledger.Erasure(c.ctx, p.ID); erased == nil {
		if err == nil {
			err = content.Close()
		} else if exchange.CodeOf(err) == exchange.NotFound {
			err = nil // it may be there still: removing comes after, and can be cut off
		}
		if held, e := c.ledger.HoldsContent(c.ctx, p.Digest); held || e != nil || err != nil {
			c.problem("package %s was erased, and its bytes are held: %t (%w)", p.ID, held, errors.Join(e, err))
		}
		return
	}
	if err != nil {
		c.problem("the bytes of package %s: %w", p.ID, err)
		return
	}
	h := sha256.New()
	size, err := io.Copy(h, content)
	if err = errors.Join(err, content.Close()); err != nil {
		c.problem("reading the bytes of package %s: %w", p.ID, err)
		return
	}
	if digest := exchange.Digest(h.Sum(nil)); digest != p.Digest || size != p.Size {
		c.problem("package %s has %d bytes with digest %s, recorded are %d with %s", p.ID, size, digest, p.Size, p.Digest)
	}
}

func (c *check) purged(p exchange.Package) {
	if p.Purged == nil {
		return
	}
	c.purges = append(c.purges, *p.Purged)
	if _, err := c.ledger.Erasure(c.ctx, p.ID); err != nil {
		c.problem("package %s was purged and not erased: %w", p.ID, err)
	}
	if words := diff(p, p.Purge(*p.Purged)); words != "" {
		c.problem("package %s was purged and has words: %s", p.ID, words)
	}
}

func (c *check) acceptance(p exchange.Package, receipts []exchange.Receipt) {
	accepted := slices.DeleteFunc(slices.Clone(receipts), func(r exchange.Receipt) bool {
		return r.Event != exchange.SubmissionAcceptance
	})
	if len(accepted) != 1 {
		c.problem("package %s has %d receipts of its acceptance", p.ID, len(accepted))
		return
	}
	first, err := c.ledger.FirstReceipt(c.ctx, p)
	if err != nil || first.ID != accepted[0].ID || !bytes.Equal(first.Raw, accepted[0].Raw) {
		c.problem("a resubmission of package %s would get receipt %s, not %s (%w)", p.ID, first.ID, accepted[0].ID, err)
	}
}

func (c *check) recipients(p exchange.Package, deliveries []exchange.Delivery) {
	if len(deliveries) != len(p.Recipients) {
		c.problem("package %s has %d recipients and %d deliveries", p.ID, len(p.Recipients), len(deliveries))
		return
	}
	for i, d := range deliveries {
		if d.ID != exchange.NewDeliveryID(p.ID, i+1) || d.Package != p.ID || d.Recipient != p.Recipients[i].Code || d.Sender != p.Sender {
			c.problem("delivery %s from %s to %s is not the one to recipient %d, %s, of package %s from %s",
				d.ID, d.Sender, d.Recipient, i+1, p.Recipients[i].Code, p.ID, p.Sender)
		}
	}
}

// leaf holds a receipt or an action against its leaf.
func (c *check) leaf(name string, n int64, e exchange.LogEntry) {
	switch leaf := e.Bytes(); {
	case n < 0 || n >= int64(len(c.leaves)):
		c.problem("%s is leaf %d of a log of %d", name, n, len(c.leaves))
	case !bytes.Equal(c.leaves[n], leaf):
		c.problem("leaf %d is %q, and %s is %q", n, c.leaves[n], name, leaf)
	case c.recorded[n]:
		c.problem("leaf %d is recorded twice, once as %s", n, name)
	default:
		c.recorded[n] = true
	}
}

func (c *check) actions() error {
	list, err := allActions(c.ctx, c.ledger, 100)
	verbs := map[string]string{}
	for _, a := range list {
		c.leaf("action "+a.ID, a.Leaf, a.LogEntry())
		verbs[a.ID] = a.Verb
	}
	for _, p := range c.purges {
		if verbs[p.Action] != "purge" {
			c.problem("action %s of %s is %q, no purge", p.Action, p.At, verbs[p.Action])
		}
	}
	return err
}

// receipt holds a receipt against its leaf and its seal.
func (c *check) receipt(r exchange.Receipt) {
	c.leaf("receipt "+string(r.ID), r.Leaf, r.LogEntry())
	c.timeStamp(r)
	if c.verify == nil {
		return
	}
	if err := c.verify(r.Raw); err != nil {
		c.problem("receipt %s, %s: %w", r.ID, r.Event, err)
	}
}

func (c *check) timeStamp(r exchange.Receipt) {
	if r.TimeStamp == exchange.TimeStampPending {
		c.pending = append(c.pending, string(r.ID))
	}
	token, err := c.ledger.TimeStamp(c.ctx, r.ID)
	if kept := r.TimeStamp == exchange.TimeStampKept; kept != (err == nil) {
		c.problem("receipt %s has the time-stamp state %q, reading its token: %w", r.ID, r.TimeStamp, err)
		return
	}
	if err != nil {
		return
	}
	stamped, err := signing.AddTimeStamp(r.Raw, token)
	if err != nil {
		c.problem("the time-stamp of receipt %s: %w", r.ID, err)
		return
	}
	if sealed, _ := signing.WithoutTimeStamp(stamped); !bytes.Equal(sealed, r.Raw) {
		c.problem("the time-stamp of receipt %s does not come off again", r.ID)
	}
}

func (c *check) delivery(d exchange.Delivery, receipts []exchange.Receipt) {
	c.counts[d.State]++
	var consigned, established int
	var final []exchange.Event
	for _, r := range receipts {
		switch {
		case r.Delivery != d.ID:
		case r.Event.Consigns():
			consigned++
		case r.Event == exchange.RevocationEstablished: // moves nothing on
			established++
		default:
			final = append(final, r.Event)
		}
	}
	if want := d.State == exchange.Consigned || !d.ConsignedAt.IsZero(); want && consigned != 1 || !want && consigned != 0 {
		c.problem("delivery %s is %s, consigned at %v, with %d receipts of that", d.ID, d.State, d.ConsignedAt, consigned)
	}
	c.rechecked(d, established)
	allowed := d.State.FinalEvents()
	if len(allowed) == 0 && len(final) > 0 {
		c.problem("delivery %s is %s with final receipts %v", d.ID, d.State, final)
	}
	if len(allowed) > 0 && (len(final) != 1 || !slices.Contains(allowed, final[0])) {
		c.problem("delivery %s is %s with final receipts %v, want one of %v", d.ID, d.State, final, allowed)
	}
}

// rechecked holds what a delivery says of revoked certificates to its receipts.
func (c *check) rechecked(d exchange.Delivery, established int) {
	want := 0
	if !d.SenderRevoked.IsZero() {
		want++
	}
	r, err := c.ledger.Recheck(c.ctx, string(d.ID))
	if err == nil && !r.Open() {
		want++
	}
	if err != nil && exchange.CodeOf(err) != exchange.NotFound {
		c.problems = append(c.problems, err)
	}
	if established != want {
		c.problem("delivery %s has %d receipts of what was found out later, want %d", d.ID, established, want)
	}
}

// established holds what was found out about a package's signature to its
// receipt.
func (c *check) established(p exchange.Package, receipts []exchange.Receipt) {
	own := slices.DeleteFunc(slices.Clone(receipts), func(r exchange.Receipt) bool {
		return r.Event != exchange.RevocationEstablished || r.Delivery != ""
	})
	r, err := c.ledger.Recheck(c.ctx, string(p.ID))
	if err != nil && exchange.CodeOf(err) != exchange.NotFound {
		c.problems = append(c.problems, err)
		return
	}
	unknown := p.Signature != nil && p.Signature.Revocation.State == exchange.RevocationUnknown
	if unknown != (err == nil) {
		c.problem("package %s: accepted with nothing known of revocation is %v, and to be asked again is %v", p.ID, unknown, err == nil)
	}
	want := 0
	if err == nil && !r.Open() {
		want = 1
	}
	if len(own) != want {
		c.problem("package %s has %d receipts of what was found out later, want %d", p.ID, len(own), want)
	}
}

// otherLeaves are those of no package and no action in the ledger: refusals.
func (c *check) otherLeaves() error {
	for n, leaf := range c.leaves {
		if c.recorded[int64(n)] {
			continue
		}
		var e exchange.LogEntry
		if err := json.Unmarshal(leaf, &e); err != nil || !bytes.Equal(e.Bytes(), leaf) {
			c.problem("leaf %d is not an entry of the log: %q (%v)", n, leaf, err)
			continue
		}
		if e.Type == "action" {
			c.problem("the action of leaf %d is not listed", n)
			continue
		}
		r, err := c.ledger.Receipt(c.ctx, exchange.ReceiptID(e.ID))
		if err != nil {
			c.problem("the receipt of leaf %d: %w", n, err)
			continue
		}
		if r.Event != exchange.SubmissionRejection {
			c.problem("receipt %s of leaf %d, %s, belongs to no package", r.ID, n, r.Event)
		}
		c.receipt(r)
		if r.Leaf != int64(n) {
			c.problem("receipt %s of leaf %d says that it is leaf %d", r.ID, n, r.Leaf)
		}
	}
	return nil
}

// lists holds the ledger's lists against the deliveries of the packages.
func (c *check) lists() error {
	counts, err := c.ledger.Counts(c.ctx)
	if err != nil {
		return err
	}
	for _, s := range exchange.States {
		if counts[s] != c.counts[s] {
			c.problem("%d deliveries are counted as %s, there are %d", counts[s], s, c.counts[s])
		}
	}
	all, err := allDeliveries(c.ctx, c.ledger, exchange.DeliveryQuery{}, 100)
	if err != nil {
		return err
	}
	if len(all) != len(c.deliveries) {
		c.problem("%d deliveries are listed, packages have %d", len(all), len(c.deliveries))
	}
	return errors.Join(c.inboxes(), c.due(), c.unstamped())
}

func (c *check) unstamped() error {
	list, err := allUnstamped(c.ctx, c.ledger, 100)
	if err != nil {
		return err
	}
	n, err := c.ledger.UnstampedCount(c.ctx)
	got := ids(list, receiptID)
	slices.Sort(c.pending)
	if !slices.Equal(got, c.pending) || n != int64(len(got)) {
		c.problem("%v wait for time-stamps, counted as %d; pending are %v", got, n, c.pending)
	}
	return err
}

func (c *check) inboxes() error {
	want := map[string][]string{}
	for _, d := range c.deliveries {
		list := want[d.Recipient]
		if d.State == exchange.Consigned {
			list = append(list, string(d.ID))
		}
		want[d.Recipient] = list // also where nothing is in it
	}
	for agency, deliveries := range want {
		list, err := allInbox(c.ctx, c.ledger, agency, 100)
		if err != nil {
			return err
		}
		got := ids(list, deliveryID)
		slices.Sort(got)
		slices.Sort(deliveries)
		if !slices.Equal(got, deliveries) {
			c.problem("the inbox of %s shows %v, consigned are %v", agency, got, deliveries)
		}
	}
	return nil
}

func (c *check) due() error {
	var last time.Time
	var want []string
	for _, d := range c.deliveries {
		at := d.DueAt()
		if at.IsZero() {
			continue
		}
		want = append(want, string(d.ID))
		if at.After(last) {
			last = at
		}
	}
	list, err := c.ledger.Due(c.ctx, last, len(c.deliveries)+1)
	if err != nil {
		return err
	}
	got := ids(list, deliveryID)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.problem("by %v, %v are listed as due, open are %v", last, got, want)
	}
	few, err := c.ledger.Due(c.ctx, last, 1)
	if err != nil {
		return err
	}
	if each := len(byRecipient(list)); len(few) != each || len(byRecipient(few)) != each {
		c.problem("something is due to %d recipients, and of each the first is listed as due: %v", each, ids(few, deliveryID))
	}
	return nil
}
