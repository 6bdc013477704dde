package exchange_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// alerts sweeps and lists what is due, as kind and recipient; of packages the sender.
func (p *province) alerts() []string {
	p.Helper()
	if err := p.x.SweepAlerts(p.Context()); err != nil {
		p.Fatal(err)
	}
	page := must(p.x.Alerts(p.Context(), auditor, exchange.AlertQuery{}))
	list := []string{}
	for _, a := range page.Alerts {
		who := a.Recipient
		if who == "" {
			who = a.Sender
		}
		text := string(a.Kind) + " " + who
		if a.Acknowledged != nil {
			text += " acknowledged"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

// due expects these alerts and no others.
func (p *province) due(when string, want ...string) {
	p.Helper()
	slices.Sort(want)
	if got := p.alerts(); !slices.Equal(got, append([]string{}, want...)) {
		p.Errorf("%s: %q, want %q", when, got, want)
	}
}

// until moves the clock to a moment in Việt Nam.
func (p *province) until(text string) {
	p.Helper()
	at := here(p, text)
	if d := at.Sub(p.clock.Now()); d > 0 {
		p.clock.advance(d)
	} else {
		p.Fatalf("%s is over", text)
	}
}

// restart loses what was only in memory.
func (p *province) restart() {
	p.Helper()
	p.x = must(exchange.New(p.config()))
}

func TestWhatIsNotFetchedOrAnsweredInTime(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward) // Friday, 09:00
	p.sent("1251", health)
	p.until("2026-11-20 09:59")
	p.due("before the hour")
	p.until("2026-11-20 10:00")
	p.due("after the hour", "no-arrival "+health, "no-arrival "+ward)
	p.fetch(p.delivery(id, 2))
	p.due("one fetched", "no-arrival "+health)
	p.fetch(p.delivery(id, 1))
	p.due("another waits still", "no-arrival "+health)
	p.says(health, "1251", "01")
	p.work()
	p.due("software that says 01 is there")

	p.until("2026-11-20 16:59")
	p.due("the working day goes on", "no-arrival "+finance) // the status that came for it
	d := p.delivery(id, 2)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.until("2026-11-20 17:00")
	all := []string{"no-arrival " + finance, "no-answer-by-day-end " + health, "no-answer-by-day-end " + health}
	p.due("the working day is over, and nobody answers statuses", all...)
	p.restart()
	p.due("and found again", all...)
	p.says(health, "1250", "03")
	p.work()
	p.due("one accepted by a status", "no-arrival "+finance, "no-answer-by-day-end "+health)
	p.until("2026-11-30 09:00")
	p.work()
	p.due("it failed at its deadline: nothing is left to do")
}

func TestUrgentOnesAreNotWaitedForLong(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.until("2026-11-21 22:00") // Saturday night
	d := document("1250", health)
	d.Date, d.Priority = p.clock.Now(), 2
	s := p.submit(finance, signed(t, d))
	p.work()
	p.until("2026-11-21 22:14")
	p.due("before")
	p.until("2026-11-21 22:15")
	p.due("after a quarter of an hour, at any time", "urgent-not-fetched "+health)
	p.fetch(p.delivery(s.Package, 1))
	p.due("fetched")
}

func TestWhoSendsLate(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.until("2026-11-23 11:29")
	p.submit(finance, signed(t, document("1250", health))) // of Friday, 20 November
	p.due("on the morning of Monday")
	p.until("2026-11-23 11:31")
	p.submit(finance, signed(t, document("1251", health)))
	p.due("after it", "sent-late "+finance)
	p.restart()
	p.due("and found again", "sent-late "+finance)
	p.until("2026-11-30 11:31")
	p.work() // both failed at their deadline, or are announced
	if list := p.alerts(); slices.Contains(list, "sent-late "+finance) {
		t.Errorf("a week later it stands still: %q", list)
	}
}

func TestARequestWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	only := func() []string {
		return slices.DeleteFunc(p.alerts(), func(text string) bool { return !strings.HasPrefix(text, "request-") })
	}
	first, second := p.sent("1250", health), p.sent("1251", ward)
	p.fetch(p.delivery(first, 1))
	p.fetch(p.delivery(second, 1))
	d := p.delivery(first, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health)))
	recall := status(finance, "13", "1251")
	recall.Status.To = finance
	p.submit(finance, signed(t, recall))
	p.alerts()
	p.until("2026-11-23 08:59")
	if list := only(); len(list) != 0 {
		t.Errorf("before a working day: %q", list)
	}
	p.until("2026-11-23 09:00")
	want := []string{"request-unanswered " + health, "request-unanswered " + ward}
	if list := only(); !slices.Equal(list, want) {
		t.Errorf("after a working day: %q, want %q", list, want)
	}
	p.restart()
	if list := only(); !slices.Equal(list, want) {
		t.Errorf("after a restart: %q, want %q", list, want)
	}
	p.says(health, "1250", "15")
	p.says(ward, "1251", "16")
	if list := only(); len(list) != 0 {
		t.Errorf("answered: %q", list)
	}
}

func TestTroubleAndLostStatuses(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	p.fetch(p.delivery(id, 1))
	if err := p.x.ReportTrouble(t.Context(), system(health), p.delivery(id, 1).DocID()); err != nil {
		t.Fatal(err)
	}
	p.says(ward, "999", "03")
	p.due("trouble at once", "trouble "+health)
	p.until("2026-11-20 10:01")
	p.due("the status has waited for an hour", "trouble "+health, "orphan-status "+finance)
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.sent("999", ward)
	if err := p.x.SweepOrphans(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.due("both are mended")
}

func TestAlertsAreAcknowledged(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	p.until("2026-11-20 10:30")
	p.due("it waits", "no-arrival "+health)
	alert := "no-arrival." + health

	for name, by := range map[string]exchange.Caller{"an auditor": auditor, "a system": system(health)} {
		if _, err := p.x.AcknowledgeAlert(t.Context(), by, alert, "gọi"); exchange.CodeOf(err) != exchange.NotPermitted {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.x.Alerts(t.Context(), system(health), exchange.AlertQuery{}); exchange.CodeOf(err) != exchange.NotPermitted {
		t.Errorf("a system sees alerts: %v", err)
	}
	if _, err := p.x.AcknowledgeAlert(t.Context(), operator, alert, " "); exchange.CodeOf(err) != exchange.Malformed {
		t.Errorf("without a reason: %v", err)
	}
	if _, err := p.x.AcknowledgeAlert(t.Context(), operator, "no-arrival."+ward, "gọi"); exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("one that does not stand: %v", err)
	}
	a, err := p.x.AcknowledgeAlert(t.Context(), operator, alert, "đã gọi, đang sửa mạng")
	if err != nil || a.Acknowledged == nil || a.Acknowledged.By != "user:binh" || a.Acknowledged.Reason != "đã gọi, đang sửa mạng" {
		t.Fatalf("acknowledged: %+v, %v", a, err)
	}
	if done, _, err := p.x.Actions(t.Context(), auditor, "", 1); err != nil || done[0].Verb != "acknowledge-alert" || done[0].Object != alert {
		t.Errorf("on record: %+v, %v", done, err)
	}
	p.due("acknowledged", "no-arrival "+health+" acknowledged")
	if n := p.x.AlertCounts()[exchange.AlertNoArrival]; n != 0 {
		t.Errorf("%d count", n)
	}
	page := must(p.x.Alerts(t.Context(), auditor, exchange.AlertQuery{Open: true}))
	if len(page.Alerts) != 0 {
		t.Errorf("open ones: %+v", page)
	}
	p.restart()
	p.due("after a restart", "no-arrival "+health+" acknowledged")

	p.fetch(p.delivery(id, 1))
	p.due("over")
	p.until("2026-11-20 13:00")
	p.sent("1251", health)
	p.until("2026-11-20 14:31")
	p.due("what was said counts for what it was said of", "no-arrival "+health)
}

func TestAlertsAreFiltered(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1250", health, ward)
	p.clock.advance(time.Hour)
	p.alerts()
	for _, c := range []struct {
		q    exchange.AlertQuery
		n    int
		more bool
	}{
		{exchange.AlertQuery{}, 2, false}, {exchange.AlertQuery{Limit: 1}, 1, true}, {exchange.AlertQuery{Agency: ward}, 1, false},
		{exchange.AlertQuery{Agency: finance}, 2, false}, {exchange.AlertQuery{Agency: commune}, 0, false},
		{exchange.AlertQuery{Kind: exchange.AlertTrouble}, 0, false}, {exchange.AlertQuery{Kind: exchange.AlertNoArrival}, 2, false},
	} {
		page, err := p.x.Alerts(t.Context(), auditor, c.q)
		if err != nil || len(page.Alerts) != c.n || page.More != c.more || page.Counts[exchange.AlertNoArrival] != 2 {
			t.Errorf("%+v: %+v, %v", c.q, page, err)
		}
	}
	if _, err := p.x.Alerts(t.Context(), auditor, exchange.AlertQuery{Kind: "x"}); exchange.CodeOf(err) != exchange.Malformed {
		t.Errorf("no such kind: %v", err)
	}
	for _, k := range exchange.AlertKinds {
		if w := k.Words(); w.En == "" || w.Vi == "" {
			t.Errorf("%s has no words", k)
		}
	}
}
