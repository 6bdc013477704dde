package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"tram/signing"
)

// RevocationPolicy says what happens to a signature when nothing is known of its
// certificate's revocation: the responder is down, the list is stale. What is
// known to be revoked is always refused.
type RevocationPolicy string

const (
	// HardFail judges nothing then: the caller is asked to come back, and
	// nothing is kept. It is the default.
	HardFail RevocationPolicy = "hard-fail"
	// SoftFail accepts it: the receipt says that nothing was known, the hub asks
	// again until something is, and attests to that with a further receipt.
	SoftFail RevocationPolicy = "soft-fail"
)

// patience is how long a submission waits for what is to be found out about
// revocation, and comeBack how many seconds the caller is asked to wait then.
const (
	patience = 15 * time.Second
	comeBack = 30
)

// recheckLimit is how many signatures one sweep asks about.
const recheckLimit = 100

// Recheck is a signature that was accepted while nothing was known of its
// certificate's revocation: a package's, or that of a recipient's answer. It is
// open until something is known. The ledger keeps it afterwards.
type Recheck struct {
	// ID is the package's identifier, or that of the delivery that is answered.
	ID       string     `json:"id"`
	Package  PackageID  `json:"package"`
	Delivery DeliveryID `json:"delivery,omitempty"` // of an answer
	// Signature is what was accepted, and what was known of it then.
	Signature Signature `json:"signature"`
	// At is when it was accepted: what is asked about is the state at that time.
	At time.Time `json:"at"`
	// Chain is what is asked about, DER, leaf first; nil once something is known.
	Chain [][]byte `json:"chain,omitempty"`
	Tries int      `json:"tries"`
	// Next is when to ask again; zero once something is known.
	Next time.Time `json:"next,omitzero"`
	// Known is what was found out.
	Known RevocationFinding `json:"known,omitzero"`
	// Version counts changes; the ledger refuses a change to another version.
	Version int64 `json:"version"`
}

// Open reports whether there is still something to find out.
func (r Recheck) Open() bool { return r.Known.State == "" }

// rely decides whether a signature may be relied on, by what is known of its
// certificate's revocation, and notes in kept how it was found to count. A chain
// is returned if nothing is known and it counts all the same.
func (x *Exchange) rely(ctx context.Context, kept *Signature, by standing, s *signing.Signature, now time.Time) (doubtful [][]byte, err error) {
	if kept == nil || s == nil {
		return nil, nil
	}
	kept.Matched = by.matched
	if x.c.Revocation == nil {
		return nil, nil
	}
	kept.Revocation = x.ask(ctx, by.chain, now)
	switch f := kept.Revocation; {
	case f.State == RevocationGood:
		return nil, nil
	case f.State == RevocationRevoked:
		return nil, atSignature(certificateRevoked.With(f.subjectIn(by.chain), moment(f.RevokedAt), f.Source, f.why(), RevocationWords(f.why())), s)
	case x.c.RevocationPolicy == HardFail:
		return nil, revocationUnknown.With(RevocationWords(f.Reason), comeBack)
	}
	x.c.Log.WarnContext(ctx, "revocation unknown, accepted all the same", "certificate", kept.Subject, "reason", kept.Revocation.Reason)
	for _, c := range by.chain {
		doubtful = append(doubtful, c.Raw)
	}
	return doubtful, nil
}

// ask finds out about a chain. What is not clearly good or revoked is unknown.
func (x *Exchange) ask(ctx context.Context, chain []*x509.Certificate, at time.Time) RevocationFinding {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := x.c.Revocation.Check(ctx, chain, at)
	if f.State != RevocationGood && f.State != RevocationRevoked {
		f.State = RevocationUnknown
	}
	if f.State == RevocationUnknown && f.Reason == "" {
		f.Reason = RevocationTimeout
	}
	if f.CheckedAt.IsZero() {
		f.CheckedAt = x.now()
	}
	for _, t := range []*time.Time{&f.CheckedAt, &f.ThisUpdate, &f.NextUpdate, &f.RevokedAt} {
		*t = t.UTC().Truncate(time.Millisecond) // as receipts have it
	}
	f.Source, f.Reason = plain(f.Source), plain(f.Reason)
	return f
}

// subjectIn is the subject of the certificate that decides.
func (f RevocationFinding) subjectIn(chain []*x509.Certificate) string {
	i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return DigestOf(c.Raw) == f.Certificate })
	return chain[max(i, 0)].Subject.String()
}

// why is the authority's reason (RFC 5280, 5.3.1).
func (f RevocationFinding) why() string { return cmp.Or(f.Reason, "unspecified") }

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// recheckOf is what is still to be found out about a signature that was
// accepted; nothing, if all is known or nobody asks.
func recheckOf(p PackageID, answered DeliveryID, s *Signature, doubtful [][]byte, at time.Time) []Recheck {
	if s == nil || len(doubtful) == 0 {
		return nil
	}
	id := cmp.Or(string(answered), string(p))
	return []Recheck{{ID: id, Package: p, Delivery: answered, Signature: *s, At: at, Chain: doubtful, Next: at}}
}

// SweepRevocation asks again about signatures that were accepted while nothing
// was known of their certificates' revocation, the longest due first. Of one
// certificate that nothing is known of, nothing is asked twice.
func (x *Exchange) SweepRevocation(ctx context.Context) error {
	if x.c.Revocation == nil {
		return nil
	}
	due, err := x.c.Ledger.RechecksDue(ctx, x.now(), recheckLimit)
	if err != nil {
		return err
	}
	unknown := map[Digest]RevocationFinding{}
	var errs []error
	for _, r := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := x.recheck(ctx, r, unknown); err != nil {
			errs = append(errs, fmt.Errorf("asking again about the signature of %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

func (x *Exchange) recheck(ctx context.Context, r Recheck, unknown map[Digest]RevocationFinding) error {
	f, ok := unknown[r.Signature.Certificate]
	if !ok {
		chain, err := parseChain(r.Chain)
		if err != nil {
			return err
		}
		f = x.ask(ctx, chain, r.At)
	}
	if f.State == RevocationUnknown {
		unknown[r.Signature.Certificate] = f
		r.Tries++
		r.Next = x.now().Add(x.c.Retry.after(r.Tries, x.jitter()))
		return x.c.Ledger.Update(ctx, Change{Rechecks: []Recheck{r}})
	}
	for attempt := 1; ; attempt++ {
		change, err := x.established(ctx, r, f)
		if err != nil {
			return err
		}
		err = x.c.Ledger.Update(ctx, change)
		if err == nil {
			x.c.Log.InfoContext(ctx, "revocation established", "of", r.ID, "state", f.State, "certificate", r.Signature.Subject, "source", f.Source)
			return nil
		}
		if CodeOf(err) != Conflict || attempt == mostTries {
			return err // what is still open is due again
		}
		if r, err = x.c.Ledger.Recheck(ctx, r.ID); err != nil || !r.Open() {
			return err
		}
	}
}

func parseChain(der [][]byte) ([]*x509.Certificate, error) {
	if len(der) == 0 {
		return nil, errors.New("no chain was kept")
	}
	chain := make([]*x509.Certificate, len(der))
	for i, b := range der {
		c, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, err
		}
		chain[i] = c
	}
	return chain, nil
}

// established builds all that is written once something is known.
func (x *Exchange) established(ctx context.Context, r Recheck, f RevocationFinding) (Change, error) {
	r.Known, r.Next, r.Chain, r.Tries = f, time.Time{}, nil, r.Tries+1
	c := Change{Rechecks: []Recheck{r}}
	if r.Delivery == "" {
		return c, x.packageEstablished(ctx, r, &c)
	}
	d, err := x.c.Ledger.Delivery(ctx, r.Delivery)
	if err != nil {
		return c, err
	}
	m, err := x.matterOf(ctx, d)
	if err != nil {
		return c, err
	}
	if f.State == RevocationRevoked {
		d.RecipientRevoked = x.now()
		c.Deliveries = []Delivery{d}
	}
	receipt, err := x.attest(ctx, m, d, RevocationEstablished, r.say(x.now()))
	c.Receipts = []Receipt{receipt}
	return c, err
}

// packageEstablished adds the sender's receipt; and, if the certificate had been
// revoked, fails what nobody fetched and marks what somebody has.
func (x *Exchange) packageEstablished(ctx context.Context, r Recheck, c *Change) error {
	pkg, err := x.c.Ledger.Package(ctx, r.Package)
	if err != nil {
		return err
	}
	sender, err := x.c.Ledger.Agency(ctx, pkg.Sender)
	if err != nil {
		return err
	}
	now := x.now()
	e := EvidenceOf(pkg, RevocationEstablished, now)
	e.Sender = partyOf(sender)
	for _, to := range pkg.Recipients {
		e.Recipients = append(e.Recipients, Party{Scheme: SchemeAgency, Code: to.Code})
	}
	r.say(now)(&e)
	receipt, err := x.issue(ctx, e)
	if err != nil {
		return err
	}
	receipt.System, receipt.Agencies = pkg.System, []string{pkg.Sender}
	c.Receipts = append(c.Receipts, receipt)
	if r.Known.State != RevocationRevoked {
		return nil
	}
	deliveries, err := x.c.Ledger.DeliveriesOf(ctx, pkg.ID)
	for _, d := range deliveries {
		if err == nil {
			err = x.disown(ctx, r, d, now, c)
		}
	}
	return err
}

// disown ends a delivery of a package whose certificate had been revoked, or
// marks it if its recipient has the package. Either way both sides get a receipt.
func (x *Exchange) disown(ctx context.Context, r Recheck, d Delivery, now time.Time, c *Change) error {
	d, event := d.Disown(r.Known.words(r.Signature.Subject), now)
	if event == "" {
		return nil
	}
	return x.settleInto(ctx, c, d, event, r.say(now))
}

// say fills a receipt with both: what was not known when the signature was
// accepted, and what is known now.
func (r Recheck) say(now time.Time) func(*Evidence) {
	return func(e *Evidence) {
		e.Time, e.Reason, e.Detail = now, "", ""
		e.Basis = basisOf(&r.Signature)
		e.Basis.Later = r.Known
		if r.Known.State == RevocationRevoked {
			e.Reason, e.Detail = Revoked, r.Known.words(r.Signature.Subject)
		}
	}
}

// words say for a receipt that a certificate was revoked.
func (f RevocationFinding) words(subject string) string {
	return fmt.Sprintf("the signature by %q was accepted while nothing was known of revocation; a certificate that it rests on had been revoked at %s (reason %s, as %s says)",
		subject, moment(f.RevokedAt), f.why(), cmp.Or(f.Source, "the authority"))
}
