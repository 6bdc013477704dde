package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
	"tram/signing/tsatest"
)

// stampedBy sets a site's time-stamp authority.
func stampedBy(t *testing.T, a *tsatest.Authority) func(yaml string) string {
	t.Helper()
	roots := filepath.Join(t.TempDir(), "tsa.pem")
	must(t, os.WriteFile(roots, a.RootPEM(), 0o600))
	return func(yaml string) string {
		return strings.Replace(yaml, "\ndelivery:\n", "\ntimestamp:\n  url: "+a.URL+"\n  roots: "+roots+"\n  policy: "+tsatest.Policy+"\n\ndelivery:\n", 1)
	}
}

// unstamped is what "hub timestamps" says.
func (s *site) unstamped() exchange.StampPage {
	s.t.Helper()
	var page exchange.StampPage
	must(s.t, json.Unmarshal([]byte(s.mustHub("--config", s.config(), "timestamps", "--json")), &page))
	return page
}

// TestAnAuthorityAwayAndBack: receipts are given while the time-stamp authority is
// away, the hub is killed meanwhile, and when the authority is back every receipt
// gets its time-stamp. The auditor verifies both forms without the hub.
func TestAnAuthorityAwayAndBack(t *testing.T) {
	t.Parallel()
	tsa := tsatest.New(t, nil)
	tsa.SetDown(true)
	s := newSite(t, stampedBy(t, tsa)).start()
	sender, recipient := s.join("H12.07"), s.join("H12.12")
	desk := s.desk(sender)
	pkg := sender.signed(t, sender.letter(1250, 4000, "H12.12"))
	done, err := sender.submit(t.Context(), pkg)
	must(t, err)
	page, err := recipient.hub.Inbox(t.Context(), "", "", 0, 10*time.Second)
	must(t, err)
	answer, err := recipient.answer(page.Items[0], exchange.AnswerAccepted, "")
	must(t, err)
	_, _, err = recipient.hub.Acknowledge(t.Context(), page.Items[0].Delivery.ID, answer)
	must(t, err)

	eventually(t, "the outage is seen", func() bool { p := s.unstamped(); return p.Pending == 3 && p.Failed > 0 && p.Error != "" })
	if said := s.mustHub("--config", s.config(), "timestamps"); !strings.Contains(said, "waiting") || !strings.Contains(said, "failing since") || strings.Count(said, string(done.Package)) != 3 {
		t.Errorf("hub timestamps says\n%s", said)
	}
	metrics, err := get("http://" + s.operators + "/metrics")
	must(t, err)
	if !strings.Contains(metrics, "\ntram_timestamps_pending 3\n") || !strings.Contains(metrics, `tram_timestamps_total{outcome="failed"}`) {
		t.Error("the metrics do not show the outage")
	}
	if !strings.Contains(s.log.String(), `"msg":"no time-stamp"`) || !strings.Contains(s.log.String(), "tsa-unreachable") {
		t.Error("the log does not tell the outage")
	}
	desk.agency("receipts", string(done.Package), "--dir", "receipts")
	if saved := files(t, desk.path("receipts/*.timestamped.xml")); len(saved) != 0 {
		t.Errorf("%v are time-stamped", saved)
	}
	s.kill()
	stdout, _, code := s.hub("check", "--config", s.config())
	if !strings.Contains(stdout, "3 receipts wait for time-stamps") || !strings.Contains(stdout, "time-stamp authority") || code == 1 {
		t.Errorf("hub check exits with %d and says\n%s", code, stdout)
	}

	tsa.SetDown(false)
	for range 3 { // killed again while it catches up
		s.start()
		time.Sleep(time.Duration(rand.Int64N(int64(200 * time.Millisecond))))
		s.kill()
	}
	s.start()
	eventually(t, "all have their time-stamps", func() bool { return s.unstamped().Pending == 0 })
	again, err := sender.submit(t.Context(), pkg)
	must(t, err)
	if !bytes.Equal(again.Receipt.Raw, done.Receipt.Raw) {
		t.Error("submitted again, the receipt is another one since it has a time-stamp")
	}
	said := desk.agency("receipts", string(done.Package), "--dir", "receipts")
	saved := files(t, desk.path("receipts/*.timestamped.xml"))
	if len(saved) != 3 || strings.Count(said, "kept") != 3 {
		t.Errorf("%v are time-stamped:\n%s", saved, said)
	}
	var originals []string
	for _, file := range saved {
		stamped, err := os.ReadFile(file)
		must(t, err)
		originals = append(originals, strings.Replace(file, ".timestamped", "", 1))
		original, err := os.ReadFile(originals[len(originals)-1])
		must(t, err)
		if sealed, token := signing.WithoutTimeStamp(stamped); !bytes.Equal(sealed, original) || token == nil {
			t.Errorf("%s is not its receipt with a time-stamp", file)
		}
	}
	judgedByOthers(t, s.path("keys", "seal.pem"), saved)
	s.stop() // the auditor needs no hub
	verified(t, desk, append(saved, originals...))
	healthy(t, s)
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	must(t, err)
	return list
}

// verified has the auditor verify receipts in both forms, offline, by the keys that
// the hub published, and refuse them by those of another authority.
func verified(t *testing.T, d desk, receipts []string) {
	t.Helper()
	args := append([]string{"verify", "--keys", d.path("receipts/keys.json")}, receipts...)
	out, err := exec.CommandContext(t.Context(), "auditor", args...).CombinedOutput()
	if err != nil || strings.Count(string(out), "Existed at") != 3 || strings.Count(string(out), "Time-stamp authority") < 3 {
		t.Errorf("the auditor: %v\n%s", err, out)
	}
	stamped := receipts[0]
	other := filepath.Join(t.TempDir(), "other.pem")
	must(t, os.WriteFile(other, tsatest.New(t, nil).RootPEM(), 0o600))
	out, err = exec.CommandContext(t.Context(), "auditor", "verify", "--keys", d.path("receipts/keys.json"), "--tsa-roots", other, stamped).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "timestamp-broken") || !strings.Contains(string(out), "timestamp-untrusted") {
		t.Errorf("by another authority's roots: %v\n%s", err, out)
	}
	original := strings.Replace(stamped, ".timestamped", "", 1)
	out, err = exec.CommandContext(t.Context(), "auditor", "verify", "--keys", d.path("receipts/keys.json"), "--timestamped", original).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "timestamp-missing") {
		t.Errorf("asked for a time-stamp: %v\n%s", err, out)
	}
}
