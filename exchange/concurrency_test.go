package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tram/exchange"
)

// together runs the same thing several times at once and returns what each said.
func together[T any](n int, do func(i int) T) []T {
	all := make([]T, n)
	ready, wait := make(chan bool), sync.WaitGroup{}
	for i := range n {
		wait.Go(func() { <-ready; all[i] = do(i) })
	}
	close(ready)
	wait.Wait()
	return all
}

type submitted struct {
	exchange.Submission
	err error
}

func TestOnePackageSubmittedByManyAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health))
	fresh := 0
	all := together(8, func(int) submitted {
		s, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(body))
		return submitted{s, err}
	})
	for _, s := range all {
		if s.err != nil || !bytes.Equal(s.Receipt.Raw, all[0].Receipt.Raw) || s.Receipt.Leaf != all[0].Receipt.Leaf {
			t.Fatalf("receipt %s at %d, %v; want %s at %d", s.Receipt.ID, s.Receipt.Leaf, s.err, all[0].Receipt.ID, all[0].Receipt.Leaf)
		}
		if !s.Resubmitted {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d are told that theirs was the first", fresh)
	}
	p.one("1250")
}

// TestOneIdentifierForManyContentsAtOnce: one is accepted, and only its bytes
// stay.
func TestOneIdentifierForManyContentsAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	accepted := 0
	all := together(6, func(i int) submitted {
		d := document("1250", health)
		d.Subject = fmt.Sprint("V/v ", i)
		s, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signed(t, d)))
		return submitted{s, err}
	})
	for _, s := range all {
		if s.err == nil {
			accepted++
			continue
		}
		refused(t, s.err, exchange.Duplicate, "duplicate-document")
	}
	if accepted != 1 {
		t.Errorf("%d were accepted", accepted)
	}
	pkg := p.one("1250")
	p.clock.advance(time.Since(p.clock.Now()) + 2*time.Hour) // files are as old as they are
	if err := p.x.SweepVault(t.Context()); err != nil {
		t.Fatal(err)
	}
	content, err := p.vault.Open(t.Context(), pkg.Digest)
	if err != nil || p.contents() != 1 {
		t.Fatalf("%d contents stay, %v", p.contents(), err)
	}
	_ = content.Close()
}

func TestWhatMayStillBecomeAPackageIsNotSwept(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	draft := must(p.vault.Create(t.Context()))
	if _, err := draft.Write([]byte("a package on its way")); err != nil {
		t.Fatal(err)
	}
	digest := must(draft.Keep())
	stays := func() {
		t.Helper()
		if err := p.x.SweepVault(t.Context()); err != nil {
			t.Fatal(err)
		}
		content, err := p.vault.Open(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		_ = content.Close()
	}
	p.clock.advance(time.Since(p.clock.Now()) + 2*time.Hour) // or the clock was wrong before
	stays()
	draft.Discard()
	p.clock.advance(-90 * time.Minute)
	stays() // it is young still
	p.clock.advance(90 * time.Minute)
	if err := p.x.SweepVault(t.Context()); err != nil || p.contents() != 0 {
		t.Errorf("%d contents stay, %v", p.contents(), err)
	}
}

// TestOneJobGivenToManyAtOnce: a queue may repeat it.
func TestOneJobGivenToManyAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.submit(finance, signed(t, document("1250", commune, health))).Package
	together(12, func(i int) error { return p.x.Deliver(t.Context(), exchange.NewDeliveryID(id, i%2+1)) })
	p.inState(id, 1, exchange.Consigned)
	p.inState(id, 2, exchange.Consigned)
	if n := p.courier.attempts(); n != 1 {
		t.Errorf("told %d times at once", n)
	}
}

func TestManyAnswersAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := p.delivery(id, 1)
	answers := [2][]byte{p.answer(d, exchange.AnswerAccepted, ""), p.answer(d, exchange.AnswerRefused, "nhầm")}
	type answered struct {
		r      exchange.Receipt
		before bool
		err    error
	}
	all := together(8, func(i int) answered {
		r, before, err := p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(answers[i%2]))
		return answered{r, before, err}
	})
	taken := 0
	settled := map[exchange.State]exchange.Event{exchange.HandedOver: exchange.ContentHandover, exchange.Rejected: exchange.ConsignmentRejection}
	event := settled[p.delivery(id, 1).State]
	for _, a := range all {
		switch {
		case a.err != nil:
			refused(t, a.err, exchange.Conflict, "other-answer")
		case a.r.Event != event:
			t.Errorf("receipt %s of a delivery that is settled by %s", a.r.Event, event)
		case !a.before:
			taken++
		}
	}
	if taken != 1 {
		t.Errorf("%d answers were the first", taken)
	}
}

// TestAnAnswerAndTheDeadlineAtTheSameMoment: one of them ends the delivery.
func TestAnAnswerAndTheDeadlineAtTheSameMoment(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for i := range 6 {
		id := p.sent(fmt.Sprint(i), health)
		d := p.delivery(id, 1)
		body := p.answer(d, exchange.AnswerAccepted, "")
		p.clock.advance(7 * 24 * time.Hour)
		errs := together(3, func(i int) error {
			ctx := context.WithoutCancel(t.Context())
			switch i {
			case 0:
				_, _, err := p.x.Acknowledge(ctx, system(health), d.ID, bytes.NewReader(body))
				return err
			case 1:
				_, err := p.x.Cancel(ctx, operator, d.ID, "theo yêu cầu")
				return err
			}
			return p.x.Deliver(ctx, d.ID)
		})
		d = p.delivery(id, 1)
		if !d.State.Final() || (errs[0] == nil) != (d.State == exchange.HandedOver) || (errs[1] == nil) != (d.Reason == exchange.Cancelled) {
			t.Errorf("%s for %q: answer %v, cancel %v, deadline %v", d.State, d.Reason, errs[0], errs[1], errs[2])
		}
	}
}

// TestACertificateThatTheRegistryEnded counts to the moment it says.
func TestACertificateThatTheRegistryEnded(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := must(p.ledger.Agency(t.Context(), finance))
	for i := range a.Certificates {
		a.Certificates[i].Until = start.Add(time.Hour)
	}
	if _, err := p.x.PutAgency(t.Context(), administrator, a); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(time.Hour - time.Second)
	p.submit(finance, signed(t, document("1250", health)))
	p.clock.advance(time.Second)
	p.refuses(finance, signed(t, document("1251", health)), exchange.Untrusted, "certificate-not-registered")
}

// TestFetchedWhileItIsFoundRevoked: whoever comes first, what was fetched is
// marked and what was not has failed.
func TestFetchedWhileItIsFoundRevoked(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	a := p.asking(exchange.SoftFail)
	a.say(down)
	id := p.sent("1250", health, ward, school, commune)
	a.say(revoked)
	p.clock.advance(time.Hour)
	together(5, func(i int) error {
		if i == 4 {
			return p.x.SweepRevocation(t.Context())
		}
		d := p.delivery(id, i+1)
		_, content, err := p.x.DeliveryContent(t.Context(), system(d.Recipient), d.ID)
		if err == nil {
			err = content.Close()
		}
		return err // a refusal where it failed before
	})
	p.clock.advance(time.Hour)
	p.sweep() // if too many came between
	if p.doubtful() != 0 {
		t.Error("it is still open")
	}
	p.evidence(id, "", exchange.RevocationEstablished)
	for n := range 4 {
		d := p.delivery(id, n+1)
		if fetched := !d.FetchedAt.IsZero(); fetched != (d.State == exchange.Consigned) || fetched == d.SenderRevoked.IsZero() || fetched == (d.State == exchange.Failed) {
			t.Errorf("delivery %d: %s, fetched at %v, marked at %v", n+1, d.State, d.FetchedAt, d.SenderRevoked)
		}
	}
}
