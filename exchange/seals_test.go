package exchange_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// sealedBy seals with the key of one of the holders, from a time on.
func sealedBy(name string, from time.Time) exchange.Seal {
	h := holders()[name]
	return exchange.Seal{Sealer: must(signing.NewSealer(h.key, h.chain)), From: from}
}

// certificateOf is the digest of a receipt's sealing certificate, and its time.
func certificateOf(t *testing.T, r exchange.Receipt) (exchange.Digest, time.Time) {
	t.Helper()
	receipt, _, doc, err := exchange.ParseReceipt(r.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return exchange.DigestOf(doc.Signature.Certificate.Raw), receipt.Time
}

// reopen lets the province seal with other keys.
func (p *province) reopen(change func(*exchange.Config)) {
	p.Helper()
	c := p.config()
	change(&c)
	p.x = must(exchange.New(c))
}

func TestReceiptsAreSealedByTheKeyOfTheirTime(t *testing.T) {
	t.Parallel()
	p := provinceOf(t, newVault(t), template()) // the audit knows one seal only
	change := start.Add(time.Hour)
	hub, next := sealedBy("hub", time.Time{}), sealedBy(finance, change)
	p.reopen(func(c *exchange.Config) { c.Seals = []exchange.Seal{hub, next} })
	published := must(p.x.Keys().Seals())
	if len(published) != 2 || published[0].EndedBy(start) || !published[0].EndedBy(change) || published[1].EndedBy(change) {
		t.Fatalf("published are %v", published)
	}
	before := p.submit(finance, signed(t, document("1", health))).Receipt
	p.clock.advance(time.Hour - time.Millisecond)
	last := p.submit(finance, signed(t, document("2", health))).Receipt
	p.clock.advance(time.Millisecond)
	first := p.submit(finance, signed(t, document("3", health))).Receipt
	for _, c := range []struct {
		name    string
		receipt exchange.Receipt
		by      int
	}{{"long before", before, 0}, {"in the last moment", last, 0}, {"in the first moment", first, 1}} {
		got, at := certificateOf(t, c.receipt)
		if want := exchange.DigestOf(published[c.by].Certificate.Raw); got != want {
			t.Errorf("%s: sealed by %s, want %s", c.name, got, want)
		}
		if !published[c.by].Covers(at) || published[1-c.by].Covers(at) {
			t.Errorf("%s: the terms are %q and %q", c.name, published[0].When(), published[1].When())
		}
	}
}

// A key that was put away seals nothing, whatever the clock says.
func TestAClockGoneBackSealsNothing(t *testing.T) {
	t.Parallel()
	p := provinceOf(t, newVault(t), template())
	p.clock.advance(2 * time.Hour)
	former := exchange.Seal{Chain: holders()["hub"].chain}
	p.reopen(func(c *exchange.Config) { c.Seals = []exchange.Seal{former, sealedBy(finance, start.Add(time.Hour))} })
	p.submit(finance, signed(t, document("1", health)))
	p.clock.advance(-2 * time.Hour)
	_, err := p.x.Submit(t.Context(), system(finance), strings.NewReader(string(signed(t, document("2", health)))))
	if e := refused(t, err, exchange.Busy, "cannot-seal"); !strings.Contains(e.Err.Error(), "is the clock right?") {
		t.Error(e.Err)
	}
}

func TestNewRefusesSeals(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	at := func(name string, d time.Duration) exchange.Seal { return sealedBy(name, start.Add(d)) }
	for _, c := range []struct {
		name  string
		seals []exchange.Seal
		want  string
	}{
		{"nothing in one", []exchange.Seal{{}}, "neither a sealer nor a certificate"},
		{"two from the beginning", []exchange.Seal{sealedBy("hub", time.Time{}), sealedBy(finance, time.Time{})}, "no later than"},
		{"in the wrong order", []exchange.Seal{at("hub", 2), at(finance, 1)}, "no later than"},
		{"no key for now", []exchange.Seal{{Chain: holders()["hub"].chain}}, "has no key"},
		{"no key until the next", []exchange.Seal{{Chain: holders()["hub"].chain}, at(finance, time.Hour)}, "has no key"},
	} {
		config := p.config()
		config.Seals = c.seals
		if _, err := exchange.New(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReloadSeals(t *testing.T) {
	t.Parallel()
	p := provinceOf(t, newVault(t), template())
	hub := sealedBy("hub", time.Time{})
	configured, broken := []exchange.Seal{hub}, error(nil)
	p.reopen(func(c *exchange.Config) {
		c.Seals = configured
		c.ReadSeals = func() ([]exchange.Seal, error) { return configured, broken }
	})
	size := func() int64 { return must(p.ledger.LogSize(t.Context())) }
	before := size()
	reload := func(by exchange.Caller) (exchange.Keys, error) {
		return p.x.ReloadSeals(t.Context(), by, "hết hạn")
	}

	_, err := reload(operator)
	refused(t, err, exchange.NotPermitted, "not-permitted")
	for _, c := range []struct {
		name  string
		seals []exchange.Seal
		err   error
		want  string
	}{
		{"what cannot be read", nil, errors.New("hub.yaml:7: gone"), "hub.yaml:7: gone"},
		{"a key that began already", []exchange.Seal{hub, sealedBy(finance, start)}, nil, "must stay as it was"},
		{"a key that begins at once", []exchange.Seal{hub, sealedBy(finance, start.Add(9*time.Second))}, nil, "must stay as it was"},
		{"another key for what was", []exchange.Seal{sealedBy(finance, time.Time{}), sealedBy("hub", start.Add(time.Hour))}, nil, "must stay as it was"},
		{"nothing", nil, nil, "no sealing key"},
	} {
		configured, broken = c.seals, c.err
		_, err := reload(administrator)
		refused(t, err, exchange.Malformed, "invalid-entry")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	configured, broken = []exchange.Seal{hub}, nil
	if _, err := reload(administrator); err != nil || size() != before {
		t.Errorf("nothing changed: %v, %d leaves more", err, size()-before)
	}

	configured = []exchange.Seal{hub, sealedBy(finance, start.Add(time.Hour))}
	keys := must(reload(administrator))
	next := must(keys.Seals())[1]
	if e := p.lastLeaf(); size() != before+1 || e.Event != "rotate-seal" || e.Object != exchange.DigestOf(next.Certificate.Raw).String() || e.Actor != "user:an" {
		t.Errorf("the change is the leaf %+v", e)
	}
	if _, err := reload(administrator); err != nil || size() != before+1 {
		t.Errorf("the same again: %v", err)
	}
	p.clock.advance(time.Hour)
	if by, _ := certificateOf(t, p.submit(finance, signed(t, document("1", health))).Receipt); by != exchange.DigestOf(next.Certificate.Raw) {
		t.Errorf("sealed by %s", by)
	}
	p.reopen(func(c *exchange.Config) {})
	_, err = reload(administrator)
	refused(t, err, exchange.Malformed, "invalid-entry")
}

// TestKeysGoOn: what a verifier has of a hub's keys holds what it fetches later.
func TestKeysGoOn(t *testing.T) {
	t.Parallel()
	hub, next := sealedBy("hub", time.Time{}), sealedBy(finance, start.Add(time.Hour))
	p := provinceOf(t, newVault(t), template())
	keysOf := func(seals ...exchange.Seal) exchange.Keys {
		p.reopen(func(c *exchange.Config) { c.Seals, c.Keys.Origin, c.Keys.LogKey = seals, "log", "key" })
		return p.x.Keys()
	}
	later := next
	later.From = start.Add(2 * time.Hour)
	one, two, planned := keysOf(hub), keysOf(hub, next), keysOf(hub, later)
	other := one
	other.LogKey = "another"
	for _, c := range []struct {
		name       string
		old, fresh exchange.Keys
		now        time.Time
		want       string
	}{
		{"the same", two, two, start, ""},
		{"a next key", one, two, start, ""},
		{"a plan that was changed", two, planned, start, ""},
		{"a plan that was given up", two, one, start, ""},
		{"an end that is gone", two, one, start.Add(2 * time.Hour), "and now they say: at any time"},
		{"a certificate that is gone", one, keysOf(sealedBy(finance, time.Time{})), start, "is gone"},
		{"an end that was changed", two, planned, start.Add(time.Hour), "and now they say: until"},
		{"another log", one, other, start, "they are of the log"},
		{"no certificate", one, exchange.Keys{Origin: "log", LogKey: "key"}, start, "no sealing certificate"},
	} {
		err := c.fresh.GoOn(c.old, c.now)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSealsRunOut: people are told how long the certificates hold that seal now or
// later; one that the next replaces in time worries nobody.
func TestSealsRunOut(t *testing.T) {
	t.Parallel()
	p := provinceOf(t, newVault(t), template())
	change := start.Add(time.Hour)
	p.reopen(func(c *exchange.Config) {
		c.Seals = []exchange.Seal{sealedBy("hub", time.Time{}), sealedBy(finance, change)}
	})
	sealing := func() (said []string) {
		for _, term := range must(p.x.Terms(t.Context(), administrator, 100*365*24*time.Hour)) {
			if term.Kind == exchange.TermSealing {
				said = append(said, fmt.Sprint(term.SHA256 == exchange.DigestOf(holders()["hub"].chain[0].Raw), term.Replaced))
			}
		}
		slices.Sort(said)
		return said
	}
	if got := sealing(); !slices.Equal(got, []string{"false false", "true true"}) {
		t.Errorf("before the change: %v", got)
	}
	p.clock.advance(time.Hour)
	if got := sealing(); !slices.Equal(got, []string{"false false"}) {
		t.Errorf("after it: %v", got)
	}
}
