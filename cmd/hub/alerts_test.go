package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// TestOverdueAndReport has an operator find a document that was sent late, say who
// looks into it, and count the day; a restart forgets nothing.
func TestOverdueAndReport(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(yaml string) string {
		return strings.Replace(yaml, "# calendar: ", "calendar:\n  file: ngay-nghi.txt # ", 1)
	})
	must(t, os.WriteFile(s.path("ngay-nghi.txt"), []byte("off 2026-13-01 sai\n"), 0o600))
	if _, errOut, code := s.hub("serve", "--config", s.config()); code != exitUsage || !strings.Contains(errOut, "line 1") {
		t.Fatalf("a calendar that is wrong: %d %s", code, errOut)
	}
	must(t, os.WriteFile(s.path("ngay-nghi.txt"), []byte("year "+time.Now().In(exchange.Vietnam).Format("2006")+" của tỉnh\n"), 0o600))
	s.start()
	sender, recipient := s.join("H12.07", func(a *exchange.Agency) { a.Name = "=Sở Tài chính" }), s.join("H12.12")
	_ = recipient
	d := sender.letter(1, 100, "H12.12")
	d.Date = d.Date.AddDate(0, 0, -20)
	_, err := sender.submit(t.Context(), sender.signed(t, d))
	must(t, err)
	s.kill() // alerts are looked for as a hub begins, then each minute
	s.start()

	alerts := func(args ...string) (page httpclient.AlertPage) {
		t.Helper()
		must(t, json.Unmarshal([]byte(s.mustHub(append([]string{"alerts", "--json", "--config", s.config()}, args...)...)), &page))
		return page
	}
	page := alerts()
	for deadline := time.Now().Add(30 * time.Second); len(page.Alerts) == 0 && time.Now().Before(deadline); page = alerts() {
		time.Sleep(100 * time.Millisecond)
	}
	if len(page.Alerts) != 1 || page.Alerts[0].Kind != exchange.AlertSentLate || page.Counts[exchange.AlertSentLate] != 1 {
		t.Fatalf("alerts: %+v", page)
	}
	id := page.Alerts[0].ID
	if out := s.mustHub("alerts", "--config", s.config()); !strings.Contains(out, id) || !strings.Contains(out, "Decision 28/2018") {
		t.Errorf("alerts:\n%s", out)
	}
	if n := s.metric(`tram_alerts{kind="sent-late"}`); n != 1 {
		t.Errorf("the metric is %d", n)
	}
	if _, errOut, code := s.hub("alerts", "--ack", id, "--config", s.config()); code != exitUsage || !strings.Contains(errOut, "reason") {
		t.Errorf("acknowledged without a reason: %d %s", code, errOut)
	}
	if out := s.mustHub("alerts", "--ack", id, "--reason", "đã nhắc văn thư", "--config", s.config()); !strings.Contains(out, "đã nhắc văn thư") {
		t.Errorf("acknowledged:\n%s", out)
	}
	if a := s.lastAction("acknowledge-alert"); a.Object != id || a.Reason != "đã nhắc văn thư" {
		t.Errorf("on record: %+v", a)
	}
	s.kill()
	s.start()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if page = alerts(); len(page.Alerts) == 1 {
			break
		}
	}
	if len(page.Alerts) != 1 || page.Alerts[0].Acknowledged == nil || page.Alerts[0].Acknowledged.Reason != "đã nhắc văn thư" || len(alerts("--open").Alerts) != 0 {
		t.Errorf("after a restart: %+v", page)
	}

	day := time.Now().In(exchange.Vietnam).Format(time.DateOnly)
	period := []string{"report", "--from", day, "--to", day, "--config", s.config()}
	var r exchange.Report
	must(t, json.Unmarshal([]byte(s.mustHub(append(period, "--json")...)), &r))
	if r.Total.Documents != 1 || r.Total.Signed != 1 || r.Total.SentLate != 1 || r.Total.Received != 1 {
		t.Errorf("report: %+v", r.Total)
	}
	table := s.mustHub(append(period, "--csv")...)
	text, marked := strings.CutPrefix(table, "\ufeff")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(lines) != 4 || lines[1][0] != "H12.07" || lines[1][1] != "'=Sở Tài chính" || lines[1][2] != "1" || lines[3][1] != "Tổng cộng" {
		t.Errorf("%q: %v", table, err)
	}
	if out := s.mustHub(period...); !strings.Contains(out, "100.0%") || !strings.Contains(out, "H12.12") {
		t.Errorf("report:\n%s", out)
	}
	if out := s.mustHub(append(period, "--silent", "3")...); strings.Contains(out, "H12.12") {
		t.Errorf("silent ones:\n%s", out)
	}
	if _, _, code := s.hub("report", "--from", "x", "--to", day, "--config", s.config()); code != exitUsage {
		t.Errorf("from x: %d", code)
	}
	if out, _, _ := s.hub("check", "--config", s.config()); !strings.Contains(out, "calendar") {
		t.Errorf("check says nothing of the calendar:\n%s", out)
	}
}
