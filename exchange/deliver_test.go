package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tram/exchange"
)

var errSilent = errors.New("no answer\x00 within 15 s")

func silent(context.Context, exchange.Agency, exchange.Delivery, exchange.Package) error {
	return errSilent
}

// TestAttemptsAreCountedBeforeTheyAreMade looks into the ledger while the courier
// is on its way.
func TestAttemptsAreCountedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	s := p.submit(finance, signed(t, document("1250", commune)))
	p.courier.answers(func(_ context.Context, to exchange.Agency, d exchange.Delivery, pkg exchange.Package) error {
		kept := p.delivery(s.Package, 1)
		if kept.Attempts != 1 || d.Attempts != 1 || kept.Next.Before(start.Add(30*time.Second)) || kept.Version != d.Version {
			t.Errorf("while the first attempt is made the ledger has %d attempts, the next at %v", kept.Attempts, kept.Next)
		}
		if to.Code != commune || pkg.ID != s.Package {
			t.Errorf("sent to %s: %s", to.Code, pkg.ID)
		}
		return nil
	})
	p.work()
	if p.courier.attempts() != 1 {
		t.Errorf("%d attempts", p.courier.attempts())
	}
	d := p.inState(s.Package, 1, exchange.Consigned)
	p.evidence(s.Package, d.ID, exchange.ContentConsignment)
	p.work()
	if p.courier.attempts() != 1 {
		t.Error("announced again after it was consigned")
	}
}

func TestAnAgencyThatDoesNotAnswerIsTriedLessAndLessOften(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.courier.answers(silent)
	s := p.submit(finance, signed(t, document("1250", commune)))
	wait := time.Minute
	for attempt := 1; attempt <= 8; attempt++ {
		p.work()
		d := p.inState(s.Package, 1, exchange.Queued)
		if d.Attempts != attempt || p.courier.attempts() != attempt || d.Detail != errSilent.Error() {
			t.Fatalf("attempt %d: %d counted, %d made, detail %q", attempt, d.Attempts, p.courier.attempts(), d.Detail)
		}
		next := d.Next.Sub(p.clock.Now())
		if next < wait/2 || next > wait {
			t.Errorf("after attempt %d the next is in %v, want %v to %v", attempt, next, wait/2, wait)
		}
		wait = min(2*wait, time.Hour)
		p.clock.advance(next - time.Second)
		p.work()
		if p.courier.attempts() != attempt {
			t.Fatal("tried before its time")
		}
		p.clock.advance(time.Second + time.Millisecond) // the hub's clock has whole milliseconds
	}
	p.courier.answers(nil)
	p.work()
	if d := p.inState(s.Package, 1, exchange.Consigned); d.Attempts != 9 || d.Detail != "" {
		t.Errorf("it came back: %d attempts, detail %q", d.Attempts, d.Detail)
	}
}

// TestAnAgencyComesBeforeItsAnswerIsIn: it fetches and answers a delivery while it
// is still being told of it.
func TestAnAgencyComesBeforeItsAnswerIsIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answers  bool
		courier  error
		then     exchange.State
		attempts int
	}{
		{"and fetches", false, nil, exchange.Consigned, 1},
		{"and fetches, and its notice is lost", false, errSilent, exchange.Consigned, 1},
		{"and answers", true, nil, exchange.HandedOver, 1},
		{"and answers, and its notice is lost", true, errSilent, exchange.HandedOver, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvince(t)
			body := signed(t, document("1250", commune))
			s := p.submit(finance, body)
			p.courier.answers(func(_ context.Context, _ exchange.Agency, d exchange.Delivery, _ exchange.Package) error {
				if got := p.fetch(d); !bytes.Equal(got, body) {
					t.Error("other bytes")
				}
				if c.answers {
					p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
				}
				return c.courier
			})
			p.work()
			p.clock.advance(time.Hour)
			p.work()
			if d := p.inState(s.Package, 1, c.then); d.FetchedAt.IsZero() || d.Attempts != c.attempts || p.courier.attempts() != c.attempts {
				t.Errorf("fetched at %v, %d attempts, %d made", d.FetchedAt, d.Attempts, p.courier.attempts())
			}
		})
	}
}

// TestADeliveryChangesWhileItIsAnnounced: what an operator does meanwhile stands.
func TestADeliveryChangesWhileItIsAnnounced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(p *province, d exchange.Delivery)
		then exchange.State
	}{
		{"held", func(p *province, d exchange.Delivery) { p.operate(p.x.Hold, d) }, exchange.Held},
		{"cancelled", func(p *province, d exchange.Delivery) { p.operate(p.x.Cancel, d) }, exchange.Failed},
		{"made due", func(p *province, d exchange.Delivery) { p.operate(p.x.Retry, d) }, exchange.Consigned},
		{"recalled", func(p *province, d exchange.Delivery) {
			p.submit(finance, signed(p, about(exchange.KindRecall, "1250", commune)))
		}, exchange.Withdrawn},
		{"a status is noted", func(p *province, d exchange.Delivery) {
			p.submit(commune, signed(p, status(commune, "01", "1250")))
		}, exchange.Consigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvince(t)
			s := p.submit(finance, signed(t, document("1250", commune)))
			p.courier.answers(func(_ context.Context, _ exchange.Agency, d exchange.Delivery, _ exchange.Package) error {
				c.do(p, d)
				return nil
			})
			if err := p.x.Deliver(t.Context(), exchange.NewDeliveryID(s.Package, 1)); err != nil {
				t.Error(err)
			}
			p.inState(s.Package, 1, c.then)
		})
	}
}

func (p *province) operate(do func(context.Context, exchange.Caller, exchange.DeliveryID, string) (exchange.Delivery, error), d exchange.Delivery) exchange.Delivery {
	p.Helper()
	d, err := do(p.Context(), operator, d.ID, "theo yêu cầu")
	if err != nil {
		p.Fatal(err)
	}
	return d
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.courier.answers(silent)
	id := p.submit(finance, signed(t, document("1250", health, ward, commune, school))).Package
	p.operate(p.x.Hold, p.delivery(id, 2))
	p.work()
	p.operate(p.x.Hold, p.delivery(id, 4))
	p.clock.advance(7*24*time.Hour - time.Second)
	_ = p.x.Deliver(t.Context(), exchange.NewDeliveryID(id, 1))
	p.inState(id, 1, exchange.Consigned)
	p.clock.advance(time.Second)
	p.work()
	for _, c := range []struct {
		n      int
		name   string
		event  exchange.Event
		reason exchange.Code
		detail string
	}{
		{1, "in the inbox", exchange.AcceptanceRejectionExpiry, exchange.Expired, ""},
		{2, "held", exchange.ContentConsignmentFailure, exchange.Expired, ""},
		{3, "not reached", exchange.ContentConsignmentFailure, exchange.Unreachable, "no answer\ufffd within 15 s"},
		{4, "held in the inbox", exchange.ContentHandoverFailure, exchange.Expired, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := p.inState(id, c.n, exchange.Failed)
			e := p.evidence(id, d.ID, c.event)
			if d.Reason != c.reason || e.Reason != c.reason || e.Detail != c.detail || !e.Time.Equal(p.clock.Now()) {
				t.Errorf("failed for %s; the receipt says %s, %q at %v", d.Reason, e.Reason, e.Detail, e.Time)
			}
			_, _, err := p.x.DeliveryContent(t.Context(), system(d.Recipient), d.ID)
			refused(t, err, exchange.Conflict, "final-state")
			_, _, err = p.x.Acknowledge(t.Context(), system(d.Recipient), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerAccepted, "")))
			refused(t, err, exchange.Conflict, "final-state")
		})
	}
	queued := p.submit(finance, signed(t, document("1251", health))).Package
	p.clock.advance(7 * 24 * time.Hour) // nobody worked
	p.work()
	d := p.inState(queued, 1, exchange.Failed)
	if e := p.evidence(queued, d.ID, exchange.ContentConsignmentFailure); e.Reason != exchange.Expired {
		t.Errorf("never tried: %s", e.Reason)
	}
}

func TestUrgentPackagesComeFirst(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	var want []string
	for i, priority := range []int{0, 0, 1, 4} {
		d := document(fmt.Sprint(i), health)
		d.Priority = priority
		p.submit(finance, signed(t, d))
		p.clock.advance(time.Second)
	}
	p.work()
	want = []string{"2", "3", "0", "1"}
	var got []string
	for cursor := ""; ; {
		page, err := p.x.Inbox(t.Context(), system(health), "", cursor, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, item.Package.Number)
			if item.Package.System != "" {
				t.Error("the recipient sees which system submitted")
			}
		}
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the inbox has %v, want %v", got, want)
	}
}

func TestWhoReadsAnInbox(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1250", health)
	for _, by := range []exchange.Caller{system(ward), operator, administrator, {}} {
		_, err := p.x.Inbox(t.Context(), by, health, "", 0, 0)
		refused(t, err, exchange.NotPermitted, "not-permitted")
	}
	_, err := p.x.Inbox(t.Context(), system(health, ward), "", "", 0, 0)
	refused(t, err, exchange.Malformed, "invalid-entry") // which of the two?
	_, err = p.x.Inbox(t.Context(), system(health), "H12.99", "", 0, 0)
	refused(t, err, exchange.NotFound, "not-found")
}

// TestRun lets the real queue and the sweep do the work, in a bubble's time.
func TestRun(t *testing.T) {
	template() // not in the bubble
	synctest.Test(t, func(t *testing.T) {
		p, stop := runningProvince(t, nil)
		defer stop()
		// The sweep comes at whole seconds; what is submitted or released in between
		// is in the inbox, and waited for no longer, at that moment.
		const pause = 10*time.Second + 500*time.Millisecond
		waiting := make(chan exchange.InboxPage)
		wait := func() {
			page, err := p.x.Inbox(t.Context(), system(health), "", "", 0, time.Minute)
			if err != nil {
				t.Error(err)
			}
			waiting <- page
		}
		began := time.Now()
		go wait()
		time.Sleep(pause)
		s := p.submit(finance, signed(t, document("1250", health, ward)))
		if page := <-waiting; len(page.Items) != 1 || time.Since(began) != pause {
			t.Errorf("%d in the inbox after %v", len(page.Items), time.Since(began))
		}
		synctest.Wait()
		p.inState(s.Package, 2, exchange.Consigned)

		d := p.operate(p.x.Hold, p.delivery(s.Package, 1))
		began = time.Now()
		go wait()
		time.Sleep(pause)
		p.operate(p.x.Release, d)
		if page := <-waiting; len(page.Items) != 1 || time.Since(began) != pause {
			t.Errorf("%d in the inbox after %v", len(page.Items), time.Since(began))
		}

		d = p.delivery(p.submit(finance, signed(t, document("1251", commune))).Package, 1)
		synctest.Wait()
		if p.courier.attempts() != 1 || p.delivery(d.Package, 1).State != exchange.Consigned {
			t.Errorf("%d announcements", p.courier.attempts())
		}
		p.acknowledge(d, p.answer(p.delivery(d.Package, 1), exchange.AnswerAccepted, ""))

		began = time.Now()
		page, err := p.x.Inbox(t.Context(), system(commune), "", "", 0, time.Minute)
		if err != nil || len(page.Items) != 0 || time.Since(began) != time.Minute {
			t.Errorf("an empty inbox after %v: %v, %v", time.Since(began), page.Items, err)
		}
		time.Sleep(shortDeadline) // the sweep finds it by itself
		p.inState(s.Package, 1, exchange.Failed)
		p.inState(s.Package, 2, exchange.Failed)
	})
}

const shortDeadline = 10 * time.Minute

// runningProvince works in the bubble's time.
func runningProvince(t *testing.T, log *slog.Logger) (*province, func()) {
	t.Helper()
	p := newProvince(t)
	config := p.config()
	config.Now, config.Log, config.Deadline = time.Now, log, shortDeadline
	p.x = must(exchange.New(config))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.x.Run(ctx) }()
	return p, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestADeadAgencyDelaysNoOther: its webhook hangs, everyone else's deliveries are
// in their inboxes at once.
func TestADeadAgencyDelaysNoOther(t *testing.T) {
	template() // not in the bubble
	synctest.Test(t, func(t *testing.T) {
		p, stop := runningProvince(t, nil)
		defer stop()
		var hanging, most atomic.Int64
		p.courier.answers(func(ctx context.Context, _ exchange.Agency, _ exchange.Delivery, _ exchange.Package) error {
			if n := hanging.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer hanging.Add(-1)
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
			return errSilent
		})
		for i := range 12 {
			p.submit(finance, signed(t, document(fmt.Sprint("d", i), commune)))
		}
		time.Sleep(5 * time.Second)
		s := p.submit(finance, signed(t, document("1250", commune, health)))
		time.Sleep(time.Second)
		p.inState(s.Package, 1, exchange.Queued)
		p.inState(s.Package, 2, exchange.Consigned)
		if most.Load() == 0 || most.Load() > 4 {
			t.Errorf("%d calls hang", most.Load())
		}
	})
}

// brokenLedger cannot be asked for a package.
type brokenLedger struct{ exchange.Ledger }

var errDisk = errors.New("input/output error")

func (brokenLedger) Package(context.Context, exchange.PackageID) (exchange.Package, error) {
	return exchange.Package{}, errDisk
}

// TestWhatGoesWrongInsideIsLogged: a queue tells nobody.
func TestWhatGoesWrongInsideIsLogged(t *testing.T) {
	template() // not in the bubble
	synctest.Test(t, func(t *testing.T) {
		p := newProvince(t)
		s := p.submit(finance, signed(t, document("1250", health)))
		var log bytes.Buffer
		config := p.config()
		config.Ledger, config.Log, config.Queue = brokenLedger{p.ledger}, slog.New(slog.NewTextHandler(&log, nil)), p.queue
		p.x = must(exchange.New(config))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := p.x.Run(ctx); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), errDisk.Error()) || !strings.Contains(log.String(), string(s.Package)) {
			t.Errorf("logged: %s", log.String())
		}
		p.inState(s.Package, 1, exchange.Queued)
	})
}

// deafQueue hears of nothing.
type deafQueue struct{ exchange.Queue }

func (deafQueue) Publish(context.Context, ...exchange.Job) error { return io.ErrClosedPipe }

func TestTheSweepRepairsWhatTheQueueDidNotHear(t *testing.T) {
	template() // not in the bubble
	synctest.Test(t, func(t *testing.T) {
		p, stop := runningProvince(t, nil)
		defer stop()
		config := p.config()
		config.Now, config.Queue = time.Now, deafQueue{p.queue}
		s, err := must(exchange.New(config)).Submit(t.Context(), system(finance), bytes.NewReader(signed(t, document("1250", health))))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		p.inState(s.Package, 1, exchange.Consigned)
	})
}
