package exchange_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// authorities tell of revocation as the test says.
type authorities struct {
	mu     sync.Mutex
	says   exchange.RevocationFinding
	asked  []time.Time           // about which moments
	chains [][]*x509.Certificate // and of whom
}

func (a *authorities) Check(_ context.Context, chain []*x509.Certificate, at time.Time) exchange.RevocationFinding {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.chains = append(a.asked, at), append(a.chains, chain)
	return a.says
}

// say changes the answer; what is found decides about the leaf.
func (a *authorities) say(f exchange.RevocationFinding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.says = f
}

var (
	down    = exchange.RevocationFinding{State: exchange.RevocationUnknown, Source: "http://ca.example/a.crl", CheckedAt: start, Reason: exchange.RevocationTimeout}
	good    = exchange.RevocationFinding{State: exchange.RevocationGood, Source: "http://ca.example/a.crl", CheckedAt: start.Add(time.Hour), ThisUpdate: start, NextUpdate: start.Add(time.Hour)}
	revoked = exchange.RevocationFinding{State: exchange.RevocationRevoked, Source: "http://ca.example/a.crl", CheckedAt: start.Add(time.Hour),
		ThisUpdate: start, RevokedAt: start.AddDate(0, 0, -1), Reason: "keyCompromise"}
)

// asking is the province with a hub that asks about revocation.
func (p *province) asking(policy exchange.RevocationPolicy) *authorities {
	p.Helper()
	p.authorities, p.policy = &authorities{says: good}, policy
	p.x = must(exchange.New(p.config()))
	return p.authorities
}

// sweep asks again about all that is due.
func (p *province) sweep() {
	p.Helper()
	if err := p.x.SweepRevocation(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// doubtful is how many signatures are to be asked about again.
func (p *province) doubtful() int64 {
	p.Helper()
	n, err := p.ledger.RechecksOpen(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return n
}

func TestGoodCertificatesAreSaidToBeGood(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking(exchange.HardFail)
	id := p.sent("1250", health)
	d := p.delivery(id, 1)
	p.fetch(d)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	for _, b := range []exchange.Basis{p.evidence(id, "", exchange.SubmissionAcceptance).Basis, p.evidence(id, d.ID, exchange.ContentHandover).Basis} {
		if b.Revocation != good || b.Matched != exchange.MatchedRegistered || b.Later.State != "" {
			t.Errorf("the receipt rests on %+v", b)
		}
	}
	if len(a.chains) != 2 || len(a.chains[0]) != 2 || !a.chains[0][1].Equal(authority().chain[0]) || !a.asked[0].Equal(start) {
		t.Errorf("asked about %v, at %v", a.chains, a.asked)
	}
	if p.doubtful() != 0 {
		t.Error("something is to be asked again")
	}
}

func TestRevokedIsRefused(t *testing.T) {
	t.Parallel()
	for _, policy := range []exchange.RevocationPolicy{exchange.HardFail, exchange.SoftFail} {
		p := newProvince(t)
		a := p.asking(policy)
		id := p.sent("1250", health)
		f := revoked
		f.Certificate = exchange.DigestOf(holders()[finance].chain[0].Raw)
		a.say(f)
		kept := p.contents()
		e := p.refuses(finance, signed(t, document("1251", health)), exchange.Revoked, "certificate-revoked")
		for _, words := range []string{"CN=H12.07", "2026-11-19T02:00:00Z", "keyCompromise", "http://ca.example/a.crl"} {
			if !strings.Contains(e.Text("vi"), words) {
				t.Errorf("%q does not name %s", e.Text("vi"), words)
			}
		}
		receipt := must(p.ledger.Receipt(t.Context(), e.Receipt))
		_, evidence, _, err := exchange.ParseReceipt(receipt.Raw)
		if err != nil || evidence.Reason != exchange.Revoked || evidence.Basis.Revocation != f {
			t.Errorf("the rejection's receipt says %+v, %v", evidence, err)
		}
		d := p.delivery(id, 1)
		p.fetch(d)
		_, _, err = p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerAccepted, "")))
		refused(t, err, exchange.Revoked, "certificate-revoked")
		p.inState(id, 1, exchange.Consigned)
		if now := p.contents(); now != kept || p.doubtful() != 0 {
			t.Errorf("%d contents are kept, %d before; %d to be asked again", now, kept, p.doubtful())
		}
	}
}

// TestHardFailJudgesNothing: nothing is kept and nothing is said of the package;
// the same comes through once something is known.
func TestHardFailJudgesNothing(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking("")
	body := signed(t, document("1250", health))
	for _, state := range []exchange.RevocationState{exchange.RevocationUnknown, "", "odd"} {
		f := down
		f.State = state
		a.say(f)
		size := must(p.ledger.LogSize(t.Context()))
		_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(body))
		e := refused(t, err, exchange.Busy, "revocation-unknown")
		if e.Receipt != "" || must(p.ledger.LogSize(t.Context())) != size || p.contents() != 0 || p.doubtful() != 0 {
			t.Errorf("%q: something is kept: receipt %q, %d contents", state, e.Receipt, p.contents())
		}
		if !strings.Contains(e.Text("vi"), exchange.RevocationWords(exchange.RevocationTimeout).Vi) || e.Args[len(e.Args)-1] != 30 {
			t.Errorf("says %q", e.Text("vi"))
		}
	}
	a.say(good)
	id := p.submit(finance, body).Package
	p.work()
	d := p.delivery(id, 1)
	answer := p.answer(d, exchange.AnswerAccepted, "")
	a.say(down)
	_, _, err := p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(answer))
	refused(t, err, exchange.Busy, "revocation-unknown")
	p.inState(id, 1, exchange.Consigned)
	a.say(good)
	p.acknowledge(d, answer)
	a.say(down) // what was accepted before is not judged again
	p.again(system(finance), body, exchange.Submission{Package: id, Receipt: must(p.ledger.Receipts(t.Context(), id))[0]})
	p.acknowledge(d, answer)
}

func TestSoftFailIsRepaired(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking(exchange.SoftFail)
	a.say(down)
	id := p.sent("1250", health, ward)
	accepted := p.delivery(id, 1).AcceptedAt
	if b := p.evidence(id, "", exchange.SubmissionAcceptance).Basis; b.Revocation != down || b.Later.State != "" {
		t.Errorf("the acceptance rests on %+v", b)
	}
	if p.doubtful() != 1 {
		t.Fatalf("%d are to be asked again", p.doubtful())
	}
	p.sweep() // in vain, and not again before its time
	asked := len(a.asked)
	p.sweep()
	if r := must(p.ledger.Recheck(t.Context(), string(id))); len(a.asked) != asked || r.Tries != 1 || !r.Next.After(p.clock.Now()) {
		t.Errorf("asked %d times, then %d; the next time is %v", asked, len(a.asked), r.Next)
	}
	a.say(good)
	p.clock.advance(time.Hour)
	p.sweep()
	if last := a.asked[len(a.asked)-1]; !last.Equal(accepted) {
		t.Errorf("asked about %v, accepted at %v", last, accepted)
	}
	if !slices.EqualFunc(a.chains[0], a.chains[len(a.chains)-1], (*x509.Certificate).Equal) {
		t.Error("asked about another chain than at first")
	}
	e := p.evidence(id, "", exchange.RevocationEstablished)
	if e.Basis.Revocation != down || e.Basis.Later != good || e.Reason != "" || e.Basis.Certificate.IsZero() || len(e.Recipients) != 2 {
		t.Errorf("what was found out is attested to as %+v", e)
	}
	if r := must(p.ledger.Recheck(t.Context(), string(id))); r.Open() || r.Known != good || r.Chain != nil || p.doubtful() != 0 {
		t.Errorf("it is kept as %+v, %d open", r, p.doubtful())
	}
	if receipts, err := p.x.Receipts(t.Context(), system(health), id); err != nil || slices.ContainsFunc(receipts, func(r exchange.Receipt) bool { return r.Event == exchange.RevocationEstablished }) {
		t.Errorf("a recipient reads what names the others: %v, %v", receipts, err)
	}
	size := must(p.ledger.LogSize(t.Context()))
	p.clock.advance(24 * time.Hour)
	p.sweep()
	if must(p.ledger.LogSize(t.Context())) != size {
		t.Error("it was attested to twice")
	}
}

// TestRevokedAfterAll: what nobody fetched fails, what somebody has is marked,
// and both sides hear of either.
func TestRevokedAfterAll(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking(exchange.SoftFail)
	a.say(down)
	id := p.sent("1250", health, ward, school, commune)
	p.fetch(p.delivery(id, 2))
	handed := p.delivery(id, 3)
	p.fetch(handed)
	a.say(good)
	p.acknowledge(handed, p.answer(handed, exchange.AnswerAccepted, ""))
	a.say(down)
	if _, err := p.x.Cancel(t.Context(), operator, p.delivery(id, 4).ID, "thử"); err != nil {
		t.Fatal(err)
	}
	a.say(revoked)
	p.clock.advance(time.Minute)
	p.sweep()
	e := p.evidence(id, "", exchange.RevocationEstablished)
	if e.Reason != exchange.Revoked || e.Basis.Later != revoked || e.Basis.Revocation != down || !strings.Contains(e.Detail, "keyCompromise") {
		t.Errorf("the sender is told %+v", e)
	}
	failed := p.inState(id, 1, exchange.Failed)
	if e := p.evidence(id, failed.ID, exchange.ContentHandoverFailure); failed.Reason != exchange.Revoked || e.Reason != exchange.Revoked || e.Basis.Later != revoked {
		t.Errorf("what nobody fetched failed as %+v: %+v", failed, e)
	}
	if _, _, err := p.x.DeliveryContent(t.Context(), system(health), failed.ID); exchange.CodeOf(err) != exchange.Conflict {
		t.Errorf("it can be fetched: %v", err)
	}
	for n, state := range map[int]exchange.State{2: exchange.Consigned, 3: exchange.HandedOver} {
		d := p.inState(id, n, state)
		e := p.evidence(id, d.ID, exchange.RevocationEstablished)
		if d.SenderRevoked.IsZero() || e.Reason != exchange.Revoked || e.Basis.Later != revoked || e.Recipients[0].Code != d.Recipient {
			t.Errorf("what the recipient has is marked %+v: %+v", d, e)
		}
		if receipts, err := p.x.Receipts(t.Context(), system(d.Recipient), id); err != nil || !slices.ContainsFunc(receipts, func(r exchange.Receipt) bool { return r.Event == exchange.RevocationEstablished }) {
			t.Errorf("the recipient does not hear of it: %v", err)
		}
	}
	if d := p.inState(id, 4, exchange.Failed); d.Reason != exchange.Cancelled || !d.SenderRevoked.IsZero() {
		t.Errorf("what had failed before is now %+v", d)
	}
}

func TestAnswersOfRevokedCertificates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found  exchange.RevocationFinding
		marked bool
		reason exchange.Code
	}{"good": {good, false, ""}, "revoked": {revoked, true, exchange.Revoked}} {
		t.Run(name, func(t *testing.T) {
			p := newProvince(t)
			a := p.asking(exchange.SoftFail)
			id := p.sent("1250", health)
			d := p.delivery(id, 1)
			p.fetch(d)
			a.say(down)
			p.clock.advance(time.Minute)
			p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
			if b := p.evidence(id, d.ID, exchange.ContentHandover).Basis; b.Revocation != down || b.Later.State != "" {
				t.Errorf("the handover rests on %+v", b)
			}
			a.say(c.found)
			p.clock.advance(time.Minute)
			p.sweep()
			d = p.inState(id, 1, exchange.HandedOver)
			e := p.evidence(id, d.ID, exchange.RevocationEstablished)
			if d.RecipientRevoked.IsZero() == c.marked || e.Reason != c.reason || e.Basis.Later != c.found || e.Basis.Revocation != down {
				t.Errorf("it is marked %v: %+v", d.RecipientRevoked, e)
			}
			if e.Basis.Certificate != exchange.DigestOf(holders()[health].chain[0].Raw) || !a.asked[len(a.asked)-1].Equal(d.SettledAt) {
				t.Errorf("it is about %s at %v", e.Basis.Subject, a.asked[len(a.asked)-1])
			}
			for _, who := range []string{finance, health} {
				if receipts, err := p.x.Receipts(t.Context(), system(who), id); err != nil || !slices.ContainsFunc(receipts, func(r exchange.Receipt) bool { return r.Event == exchange.RevocationEstablished }) {
					t.Errorf("%s does not hear of it: %v", who, err)
				}
			}
		})
	}
}

// TestOneCertificateIsAskedAboutOnce: in an outage a sweep does not wait for the
// same answer a hundred times.
func TestOneCertificateIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking(exchange.SoftFail)
	a.say(down)
	for _, number := range []string{"1", "2", "3"} {
		p.sent(number, health)
	}
	theirs := document("4", finance)
	theirs.From = p.organ(ward)
	p.submit(ward, signed(t, theirs))
	asked := len(a.asked)
	p.sweep()
	if n := len(a.asked) - asked; n != 2 || p.doubtful() != 4 {
		t.Errorf("asked %d times about two certificates, %d open", n, p.doubtful())
	}
	a.say(good)
	p.clock.advance(time.Hour)
	p.sweep()
	if p.doubtful() != 0 {
		t.Errorf("%d are still open", p.doubtful())
	}
}

// TestFaultsOfAskingAgain: whatever fails, in the end something is known, once.
func TestFaultsOfAskingAgain(t *testing.T) {
	t.Parallel()
	for _, found := range []exchange.RevocationFinding{good, revoked, down} {
		t.Run(string(found.State), func(t *testing.T) {
			vault := newVault(t)
			exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
				p := provinceOn(t, vault)
				a := p.asking(exchange.SoftFail)
				a.say(down)
				id := p.sent("1250", health, ward)
				p.fetch(p.delivery(id, 2))
				a.say(found)
				injected(p, p.faulty(f).SweepRevocation(p.Context()))
				p.close()
				p.open()
				p.x = must(exchange.New(p.config()))
				if found == down {
					a.say(good)
				}
				p.clock.advance(2 * time.Hour)
				p.sweep()
				if p.doubtful() != 0 {
					p.Error("it is still open")
				}
				p.evidence(id, "", exchange.RevocationEstablished)
			})
		})
	}
}
