package exchange_test

import (
	"bytes"
	"context"
	"math"
	"testing"
	"time"

	"tram/exchange"
)

func (p *province) report(from, to string) (exchange.Report, map[string]exchange.ReportRow) {
	p.Helper()
	r, err := p.x.Report(p.Context(), auditor, here(p, from), here(p, to))
	if err != nil {
		p.Fatal(err)
	}
	rows := map[string]exchange.ReportRow{}
	for _, row := range r.Agencies {
		rows[row.Agency] = row
	}
	return r, rows
}

func TestTheReportCountsWhatHappened(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	first := p.sent("1250", health, ward, school) // Friday, 09:00
	p.sent("1251", health)
	p.clock.advance(10 * time.Second)
	for n := 1; n <= 3; n++ {
		p.fetch(p.delivery(first, n))
	}
	p.clock.advance(50 * time.Second)
	d := p.delivery(first, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	d = p.delivery(first, 2)
	p.acknowledge(d, p.answer(d, exchange.AnswerRefused, "=sai thẩm quyền"))
	p.says(school, "1250", "01", "03")
	p.submit(finance, signed(t, about(exchange.KindRecall, "1251", health))) // withdraws it
	p.sent("1252", ward)
	p.until("2026-11-23 12:00") // over the morning of Monday, too
	p.sent("1253", health)
	bad := signed(t, document("1260", "H99.99"))
	if _, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(bad)); exchange.CodeOf(err) != exchange.UnknownAgency {
		t.Fatalf("to nobody: %v", err)
	}

	r, rows := p.report("2026-11-20 00:00", "2026-11-24 00:00")
	sent := rows[finance]
	if sent.Documents != 5 || sent.Signed != 5 || sent.SentDeliveries != 7 || sent.SentLate != 1 || sent.Recalls != 1 || sent.StatusesSent != 0 || sent.Received != 0 {
		t.Errorf("finance sent %+v", sent)
	}
	got := rows[health]
	if got.Received != 4 || got.ByState[exchange.HandedOver] != 1 || got.ByState[exchange.Withdrawn] != 1 || got.Withdrawn != 1 || got.ByState[exchange.Consigned] != 2 {
		t.Errorf("health received %+v", got)
	}
	if got.NotInTheDay != 1 { // the recall itself; 1253 came today
		t.Errorf("health was late with %d", got.NotInTheDay)
	}
	if w := rows[ward]; w.Refused != 1 || w.NotInTheDay != 1 || w.ToFetched.Count != 1 || math.Abs(w.ToFetched.Median-10) > .2 || w.ToFetched.Worst != 10 {
		t.Errorf("ward %+v", w)
	}
	if s := rows[school]; s.ByStatus["03"] != 1 || s.StatusesSent != 2 || s.ToAccepted.Count != 1 || s.ToAccepted.Worst != 62 || s.Documents != 0 {
		t.Errorf("school %+v", s)
	}
	if len(r.Refusals) != 1 || r.Refusals[0].Reason != "=sai thẩm quyền" || r.Refusals[0].Recipient != ward || r.Refusals[0].Document != documentID("1250") {
		t.Errorf("refusals %+v", r.Refusals)
	}
	if r.Rejections[exchange.UnknownAgency] != 1 || len(r.Rejections) != 1 {
		t.Errorf("rejections %v", r.Rejections)
	}
	if r.Total.Documents != 5 || r.Total.Received != 7 || r.Total.StatusesSent != 2 || r.Total.ToAccepted.Count != 2 {
		t.Errorf("in total %+v", r.Total)
	}
	if c := rows[commune]; c.SilentDays != -1 || !c.LastTraffic.IsZero() {
		t.Errorf("commune never had anything: %+v", c)
	}
	if _, there := rows[gone]; there {
		t.Error("an agency that was closed before has a row")
	}
	if s := rows[school]; s.SilentDays != 3 {
		t.Errorf("school has been silent for %d days", s.SilentDays)
	}

	r, rows = p.report("2026-11-23 00:00", "2026-11-23 12:00") // its end does not belong to it
	if r.Total.Documents != 0 || rows[school].LastTraffic.IsZero() || rows[school].SilentDays != 3 || rows[finance].LastTraffic.IsZero() || len(r.Rejections) != 0 {
		t.Errorf("of the morning: %+v", r.Total)
	}
}

func TestReportsThatAreNotMade(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	if _, err := p.x.Report(t.Context(), system(health), start, start.AddDate(0, 0, 1)); exchange.CodeOf(err) != exchange.NotPermitted {
		t.Errorf("for a system: %v", err)
	}
	for _, period := range [][2]time.Time{{start, start}, {start, {}}, {{}, start}, {start, start.AddDate(2, 0, 0)}} {
		_, err := p.x.Report(t.Context(), auditor, period[0], period[1])
		refused(t, err, exchange.Malformed, "report-period")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.x.Report(ctx, auditor, start, start.AddDate(0, 0, 1)); err == nil {
		t.Error("nobody waits for it, and it is made")
	}
	if _, err := p.x.Report(t.Context(), auditor, start, start.AddDate(0, 0, 1)); err != nil {
		t.Errorf("after one that broke off: %v", err)
	}
}
