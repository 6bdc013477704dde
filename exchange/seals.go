package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tram/signing"
)

// A Seal is a key that receipts are sealed with from a time on, until the next
// one begins. A receipt is sealed by the key of its own time, so that no receipt
// stands on the wrong side of a change, however many are written meanwhile.
type Seal struct {
	// Sealer is nil once the seal's time is over and its key was put away.
	Sealer *signing.Sealer
	// Chain is what is published, the key's own certificate first; absent: the
	// sealer's.
	Chain []*x509.Certificate
	// From is zero in the first seal only: from the hub's beginning.
	From time.Time
}

func (s Seal) chain() []*x509.Certificate {
	if len(s.Chain) > 0 || s.Sealer == nil {
		return s.Chain
	}
	return s.Sealer.Chain()
}

// digest is of the seal's own certificate.
func (s Seal) digest() Digest { return DigestOf(s.chain()[0].Raw) }

// A SealTerm is when a published certificate seals. A certificate without one may
// have sealed at any time.
type SealTerm struct {
	// Certificate is the SHA-256 of one of Keys.Sealing.
	Certificate Digest `json:"certificate"`
	// From is the first moment; absent: the hub's beginning.
	From time.Time `json:"from,omitzero"`
	// Until is the first moment after the term; absent: none is set yet.
	Until time.Time `json:"until,omitzero"`
}

// Covers reports whether a receipt of the time given is of the term.
func (t SealTerm) Covers(at time.Time) bool {
	return inForce(t.From, t.Until, at)
}

func (t SealTerm) String() string {
	switch {
	case t.From.IsZero() && t.Until.IsZero():
		return "at any time"
	case t.From.IsZero():
		return "until " + t.Until.Format(time.RFC3339)
	case t.Until.IsZero():
		return "from " + t.From.Format(time.RFC3339)
	}
	return "from " + t.From.Format(time.RFC3339) + " until " + t.Until.Format(time.RFC3339)
}

// PublishedSeal is a sealing certificate as verifiers have it.
type PublishedSeal struct {
	Certificate *x509.Certificate
	// Terms are when it seals; none: no term was published.
	Terms []SealTerm
}

// Covers reports whether the hub says that the certificate seals at the time.
func (p PublishedSeal) Covers(at time.Time) bool {
	return len(p.Terms) == 0 || slices.ContainsFunc(p.Terms, func(t SealTerm) bool { return t.Covers(at) })
}

// EndedBy reports whether all its terms were over at the time. An end that is
// still to come is a plan, which may change.
func (p PublishedSeal) EndedBy(at time.Time) bool {
	return len(p.Terms) > 0 && !slices.ContainsFunc(p.Terms, func(t SealTerm) bool { return t.Until.IsZero() || t.Until.After(at) })
}

// begunBy reports whether it may have sealed before the time.
func (p PublishedSeal) begunBy(at time.Time) bool {
	return len(p.Terms) == 0 || slices.ContainsFunc(p.Terms, func(t SealTerm) bool { return t.From.Before(at) })
}

// When says in words when the certificate seals.
func (p PublishedSeal) When() string {
	var words []string
	for _, t := range p.Terms {
		words = append(words, t.String())
	}
	return strings.Join(words, ", and ")
}

// Seals reads the certificates that a hub published, with their terms.
func (k Keys) Seals() ([]PublishedSeal, error) {
	var list []PublishedSeal
	for i, text := range k.Sealing {
		chain, err := signing.ParseCertificates([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("sealing certificate %d of the hub's keys: %w", i+1, err)
		}
		p := PublishedSeal{Certificate: chain[0]}
		for _, t := range k.Terms {
			if t.Certificate == DigestOf(chain[0].Raw) {
				p.Terms = append(p.Terms, t)
			}
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, errors.New("the hub's keys hold no sealing certificate")
	}
	return list, nil
}

// GoOn sees that keys are those of the same hub, some time later: of the same log,
// with every certificate that has sealed, and no other end for one that had
// ended by now.
func (k Keys) GoOn(old Keys, now time.Time) error {
	if k.Origin != old.Origin || k.LogKey != old.LogKey {
		return fmt.Errorf("they are of the log %s with the key %s, not of %s with %s", k.Origin, k.LogKey, old.Origin, old.LogKey)
	}
	had, err := old.Seals()
	if err != nil {
		return err
	}
	has, err := k.Seals()
	if err != nil {
		return err
	}
	for _, h := range had {
		i := slices.IndexFunc(has, func(s PublishedSeal) bool { return s.Certificate.Equal(h.Certificate) })
		if i < 0 && h.begunBy(now) {
			return fmt.Errorf("the sealing certificate %q (SHA-256 %s) is gone", h.Certificate.Subject, DigestOf(h.Certificate.Raw))
		}
		if i >= 0 && h.EndedBy(now) && h.When() != has[i].When() {
			return fmt.Errorf("the sealing certificate %q (SHA-256 %s) sealed %s, and now they say: %s", h.Certificate.Subject,
				DigestOf(h.Certificate.Raw), h.When(), cmp.Or(has[i].When(), "at any time"))
		}
	}
	return nil
}

// checkSeals finds what makes no sequence of seals.
func checkSeals(seals []Seal, now time.Time) error {
	if len(seals) == 0 {
		return errors.New("no sealing key is set")
	}
	for i, s := range seals {
		if len(s.chain()) == 0 {
			return fmt.Errorf("seal %d has neither a sealer nor a certificate", i+1)
		}
		if i > 0 && !s.From.After(seals[i-1].From) {
			return fmt.Errorf("seal %d begins at %s, no later than the one before it", i+1, s.From.Format(time.RFC3339))
		}
		over := i < len(seals)-1 && !seals[i+1].From.After(now)
		if s.Sealer == nil && !over {
			return fmt.Errorf("seal %d has no key, and its time is not over", i+1)
		}
	}
	return nil
}

// sealer is the one of a receipt's time.
func (x *Exchange) sealer(at time.Time) (*signing.Sealer, error) {
	seals := *x.seals.Load()
	i := len(seals) - 1
	for i > 0 && at.Before(seals[i].From) {
		i--
	}
	if seals[i].Sealer == nil {
		return nil, fmt.Errorf("the key that seals at %s was put away: is the clock right?", at.Format(time.RFC3339))
	}
	return seals[i].Sealer, nil
}

// termsOf are what is published of seals. A single one that has always been needs none.
func termsOf(seals []Seal) []SealTerm {
	if len(seals) == 1 && seals[0].From.IsZero() {
		return nil
	}
	var terms []SealTerm
	for i, s := range seals {
		t := SealTerm{Certificate: s.digest(), From: s.From.UTC()}
		if i < len(seals)-1 {
			t.Until = seals[i+1].From.UTC()
		}
		terms = append(terms, t)
	}
	return terms
}

// sealingTerms are how long the certificates hold that seal now or later.
func sealingTerms(seals []Seal, now time.Time) []Term {
	var all []Term
	for i, s := range seals {
		last := i == len(seals)-1
		if !last && !seals[i+1].From.After(now) {
			continue // former
		}
		t := TermOf(TermSealing, s.chain()[0], now)
		t.Replaced = !last && seals[i+1].From.Before(t.Until)
		all = append(all, t)
	}
	return all
}

// Keys are what the hub publishes. Certificates are published as soon as they
// are configured, so that others have them before they seal.
func (x *Exchange) Keys() Keys {
	keys, seals := x.c.Keys, *x.seals.Load()
	keys.Sealing, keys.Terms = nil, termsOf(seals)
	for _, s := range seals {
		var text strings.Builder
		for _, c := range s.chain() {
			text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
		if !slices.Contains(keys.Sealing, text.String()) {
			keys.Sealing = append(keys.Sealing, text.String())
		}
	}
	return keys
}

// sealNotice is how far ahead a change of keys must be: what is being sealed
// when it becomes known must be over by then.
const sealNotice = 10 * time.Second

// ReloadSeals reads the sealing keys as they are configured now, publishes them
// and seals by them. The change is an action on record, whose object is the
// SHA-256 of the last certificate and whose entry is the digest of the terms.
// What has sealed until now stays as it was.
func (x *Exchange) ReloadSeals(ctx context.Context, by Caller, reason string) (Keys, error) {
	const verb = "rotate-seal"
	if !by.Administers() {
		return Keys{}, notPermitted.With(by, deeds[verb])
	}
	if x.c.ReadSeals == nil {
		return Keys{}, InvalidError("this hub's sealing keys cannot be changed while it runs: stop it first", "không thể thay khóa ký biên nhận khi trục này đang chạy; hãy dừng trục trước")
	}
	x.reloading.Lock()
	defer x.reloading.Unlock()
	seals, err := x.c.ReadSeals()
	if err == nil {
		err = checkSeals(seals, x.now())
	}
	if err == nil {
		err = sealsFollow(*x.seals.Load(), seals, x.now().Add(sealNotice))
	}
	if err != nil {
		return Keys{}, InvalidError("the configured sealing keys cannot be used, correct the configuration: %v",
			"không dùng được các khóa ký biên nhận trong cấu hình, hãy sửa lại cấu hình: %v", err.Error())
	}
	terms := termsOf(seals)
	if slices.Equal(terms, termsOf(*x.seals.Load())) {
		return x.Keys(), nil
	}
	action, err := x.action(by, verb, seals[len(seals)-1].digest().String(), reason, terms)
	if err != nil {
		return Keys{}, err
	}
	if err := x.c.Ledger.Update(ctx, Change{Actions: []Action{action}}); err != nil {
		return Keys{}, err
	}
	x.seals.Store(&seals)
	return x.Keys(), nil
}

// sealsFollow sees that new seals change nothing before the time given.
func sealsFollow(old, seals []Seal, before time.Time) error {
	past := func(list []Seal) []SealTerm {
		var terms []SealTerm
		for _, s := range list {
			if s.From.Before(before) {
				terms = append(terms, SealTerm{Certificate: s.digest(), From: s.From.UTC()})
			}
		}
		return terms
	}
	if !slices.Equal(past(old), past(seals)) {
		return fmt.Errorf("what sealed until %s must stay as it was, and a new key must begin after that", before.Format(time.RFC3339))
	}
	return nil
}
