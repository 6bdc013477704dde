package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tram/exchange"
)

// alertRule is an alert of packaging/alerts.yaml.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Annotations map[string]string `yaml:"annotations"`
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	must(t, yaml.Unmarshal([]byte(alertsFile), &file))
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatal("there are no alerts")
	}
	return file.Groups[0].Rules
}

// TestAlerts has promtool judge the alerts: each is raised by the least that must
// raise it, is silent just below, and says in both languages what to do.
func TestAlerts(t *testing.T) {
	promtool := program(t, "promtool")
	for _, arguments := range [][]string{{"check", "rules", "packaging/alerts.yaml"}, {"test", "rules", "testdata/alerts_test.yaml"}} {
		if out, err := exec.Command(promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
	tests, err := os.ReadFile("testdata/alerts_test.yaml")
	must(t, err)
	for _, r := range alertRules(t) {
		for _, name := range []string{"summary", "summary_vi", "action", "action_vi"} {
			if r.Annotations[name] == "" {
				t.Errorf("%s has no %s", r.Alert, name)
			}
		}
		for _, what := range []string{"raised", "silent"} {
			if !strings.Contains(string(tests), fmt.Sprintf("name: %s is %s\n", r.Alert, what)) {
				t.Errorf("no test has %s %s", r.Alert, what)
			}
		}
	}
}

// dashboardQueries are the expressions of all panels, by title.
func dashboardQueries(t *testing.T) map[string][]string {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal([]byte(dashboardFile), &board))
	queries := map[string][]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			queries[p.Title] = append(queries[p.Title], strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	if len(queries) < 20 {
		t.Fatalf("only %d panels ask for something", len(queries))
	}
	return queries
}

// prometheus is one that scrapes a site each second, with the alerts loaded.
func (s *site) prometheus() (ask func(query string) (results []json.RawMessage, err error)) {
	s.t.Helper()
	path := program(s.t, "prometheus")
	dir, address := s.t.TempDir(), freeAddress(s.t)
	config := strings.NewReplacer("127.0.0.1:9443", s.operators, "scrape_interval: 15s", "scrape_interval: 1s").Replace(prometheusFile)
	must(s.t, os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600))
	must(s.t, os.WriteFile(filepath.Join(dir, "alerts.yaml"), []byte(alertsFile), 0o600))
	c := exec.Command(path, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--log.level=error")
	c.Stderr = os.Stderr
	must(s.t, c.Start())
	s.t.Cleanup(func() { // ended before its directory is removed
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return func(query string) ([]json.RawMessage, error) {
		text, err := get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return nil, err
		}
		var answer struct {
			Data struct{ Result []json.RawMessage }
		}
		err = json.Unmarshal([]byte(text), &answer)
		return answer.Data.Result, err
	}
}

var metricName = regexp.MustCompile(`\b(?:tram|process|go)_[a-z_]+\b|\bup\b`)

// TestMonitoring has a real Prometheus watch a hub at work: every question of the
// dashboard has an answer, and every metric that an alert names is there.
func TestMonitoring(t *testing.T) {
	promtool := program(t, "promtool")
	program(t, "prometheus")
	s := newSite(t, setting("  key: keys/webhook.key", "  key: keys/webhook.key\n  allow: [\"127.0.0.0/8\"]\n  roots: trust/roots.pem"),
		uncommented("# malware:", "malware: {clamd: \"unix:/nobody/listens\", when_away: accept}"),
		setting("# timestamp:", "timestamp:"), uncommented("#   url:", "  url: http://127.0.0.1:1/"), uncommented("#   roots: trust/timestamp.pem", "  roots: trust/roots.pem"),
		func(yaml string) string {
			return yaml + "\nrelay:\n  - {name: quoc-gia, url: \"https://127.0.0.1:1/\", system: H12, secret_file: admin.secret, prefixes: [\"*\"]}\n"
		}).start()
	ask := s.prometheus()
	sender, recipient := s.join("H12.01"), s.join("H12.02")
	s.join("H12.03", func(a *exchange.Agency) { a.Mode, a.Webhook = exchange.Push, "https://127.0.0.1:1/" })
	ctx := t.Context()
	traffic := func(n int) {
		_, err := sender.submit(ctx, sender.signed(t, sender.letter(n, 100, "H12.02", "H12.03")))
		must(t, err)
		_, err = sender.submit(ctx, []byte("<nothing/>"))
		if err == nil {
			t.Error("nothing is accepted")
		}
		page, err := recipient.hub.Inbox(ctx, "", "", 10, 5*time.Second)
		must(t, err)
		for _, item := range page.Items {
			answer, err := recipient.answer(item, exchange.AnswerAccepted, "")
			must(t, err)
			_, _, err = recipient.hub.Acknowledge(ctx, item.Delivery.ID, answer)
			must(t, err)
		}
	}
	unanswered := map[string]error{}
	for title, queries := range dashboardQueries(t) {
		for _, q := range queries {
			unanswered["panel "+title+": "+q] = nil
		}
	}
	named := map[string]bool{}
	for _, r := range alertRules(t) {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			named[name] = true
		}
	}
	delete(named, "tram_scanner_signatures_age_seconds") // there where the scanner is
	for name := range named {
		unanswered["alerts: "+name] = nil
	}
	end := time.Now().Add(60 * time.Second)
	for n := 1; len(unanswered) > 0 && time.Now().Before(end); n++ {
		traffic(n)
		time.Sleep(time.Second) // a scrape
		for what := range unanswered {
			_, query, _ := strings.Cut(what, ": ")
			results, err := ask(query)
			if unanswered[what] = err; err == nil && len(results) > 0 {
				delete(unanswered, what)
			}
		}
	}
	for what, err := range unanswered {
		t.Errorf("no answer to %s (%v)", what, err)
	}
	for _, r := range alertRules(t) {
		if _, err := ask(r.Expr); err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
	}

	metrics, err := get("http://" + s.operators + "/metrics")
	must(t, err)
	lint := exec.Command(promtool, "check", "metrics")
	lint.Stdin = strings.NewReader(metrics)
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, line := range slices.Sorted(slices.Values(strings.Split(metrics, "\n"))) {
		if strings.HasPrefix(line, "tram_announcements_total{outcome=\"failed\"} 0") || strings.HasPrefix(line, "tram_ledger_commit_seconds_count 0") {
			t.Errorf("nothing was counted: %s", line)
		}
	}
	s.log.forgive()
	s.stop()
}

// uncommented takes a setting of hub.yaml that begins with this into force.
func uncommented(begin, with string) func(string) string {
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(begin) + `.*$`)
	return func(yaml string) string { return line.ReplaceAllString(yaml, with) }
}
