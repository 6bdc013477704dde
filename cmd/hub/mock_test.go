package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// mocked is an agency that "agency mock" plays.
type mocked struct {
	t   *testing.T
	mu  sync.Mutex
	out bytes.Buffer
}

func (m *mocked) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.out.Write(p)
}

// mockEvent is a line that the mock prints.
type mockEvent struct {
	Time                                                         time.Time
	Event, Delivery, Kind, Document, Status, Receipt, Rule, With string
	Before                                                       bool
}

func (m *mocked) events() (list []mockEvent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for line := range strings.Lines(m.out.String()) {
		var e mockEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			m.t.Fatalf("%v in %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// of are the events of one document, by name.
func (m *mocked) of(document string) (list []mockEvent) {
	return slices.DeleteFunc(m.events(), func(e mockEvent) bool { return e.Document != document })
}

// mock starts the agency of a desk, with a plan beside its settings, until the test
// ends; then it must leave as it was asked to.
func (d desk) mock(plan string) *mocked {
	d.t.Helper()
	settings, err := os.ReadFile(d.path("agency.yaml"))
	must(d.t, err)
	must(d.t, os.WriteFile(d.path("mock.yaml"), append(settings, plan...), 0o600))
	m := &mocked{t: d.t}
	c := exec.Command("agency", "mock", "--config", "mock.yaml", "--dir", "mock", "--json")
	c.Dir, c.Stdout, c.Stderr = d.dir, m, os.Stderr
	must(d.t, c.Start())
	d.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := c.Wait(); err != nil {
			d.t.Errorf("the mock ends with %v\n%s", err, m.out.String())
		}
	})
	return m
}

const mockPlan = `
mock:
  seed: 3
  poll: 1s
  answers:
    - {kind: status, steps: [{answer: accept}]}
    - {subject: gửi nhầm, steps: [{answer: refuse, reason: Gửi nhầm cơ quan}]}
    - {subject: bỏ qua, ignore: true}
    - {subject: tiến độ, steps: [{status: "01"}, {answer: accept, after: 300ms}, {status: "03", after: 300ms}, {status: "06", after: 300ms, reason: Xong}]}
    - {subject: hai lần, steps: [{answer: accept, times: 2}, {status: "03", times: 2}]}
    - {subject: đổi ý, steps: [{answer: accept}, {answer: refuse, reason: Nhầm}]}
    - {subject: chậm, slow: 2s}
    - {subject: xáo trộn, shuffle: true, steps: [{status: "03"}, {status: "04"}, {status: "05"}, {status: "06"}, {answer: accept}]}
    - {sender: H12.99, ignore: true}
  send:
    - to: [H12.07]
      subject: Văn bản thử số {n}
      count: 2
      every: 100ms
      times: 2
      then:
        - {kind: update, subject: Văn bản thử đã sửa, reason: Sửa trích yếu}
        - {kind: replace, reason: Sai số liệu}
        - {kind: status, reason: Thu hồi theo trạng thái}
        - {kind: recall, reason: Gửi nhầm}
`

// TestMock sends to an agency that is played, and sees from the other side that it
// does what its plan says.
func TestMock(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	finance, health := s.desk(s.join("H12.07")), s.desk(s.join("H12.12"))
	m := health.mock(mockPlan)

	packages := map[string]exchange.PackageID{}
	for i, subject := range []string{"Chấp nhận", "Gửi nhầm", "Bỏ qua", "Tiến độ", "Hai lần", "Đổi ý", "Chậm", "Xáo trộn"} {
		file := fmt.Sprintf("%d.edxml", i)
		finance.agency("compose", "--to", "H12.12", "--number", fmt.Sprint(i), "--notation", "T", "--subject", subject, "--attach", "agency.crt", "--sign", "-o", file)
		packages[subject] = exchange.PackageID(the(t, `package (\S+)`, finance.agency("submit", file)))
	}
	delivery := func(subject string) exchange.Delivery {
		v, err := finance.m.hub.Package(t.Context(), packages[subject])
		must(t, err)
		return v.Deliveries[0]
	}
	statuses := func(subject string) (codes []string) {
		for _, b := range delivery(subject).Statuses {
			codes = append(codes, b.Code)
		}
		return codes
	}
	ends := func(subject string, in exchange.State) exchange.Delivery {
		t.Helper()
		eventually(t, subject, func() bool { return delivery(subject).State == in })
		return delivery(subject)
	}

	ends("Chấp nhận", exchange.HandedOver)
	if d := ends("Gửi nhầm", exchange.Rejected); d.Detail != "Gửi nhầm cơ quan" {
		t.Errorf("refused because of %q", d.Detail)
	}
	ends("Tiến độ", exchange.HandedOver)
	eventually(t, "progress is reported", func() bool { return slices.Equal(statuses("Tiến độ"), []string{"01", "03", "06"}) })

	ends("Hai lần", exchange.HandedOver)
	eventually(t, "everything is said twice", func() bool {
		answers := slices.DeleteFunc(m.of("4/T"), func(e mockEvent) bool { return e.Event != "answered" })
		said := slices.DeleteFunc(m.of("4/T"), func(e mockEvent) bool { return e.Event != "status" })
		return len(answers) == 2 && !answers[0].Before && answers[1].Before && len(said) == 2
	})
	ends("Đổi ý", exchange.HandedOver)
	eventually(t, "the hub does not let it change its mind", func() bool {
		return slices.ContainsFunc(m.of("5/T"), func(e mockEvent) bool { return e.Event == "refused" && e.Rule == "other-answer" })
	})
	if d := ends("Chậm", exchange.HandedOver); d.FetchedAt.Sub(d.ConsignedAt) < 1900*time.Millisecond {
		t.Errorf("fetched %s after it was there", d.FetchedAt.Sub(d.ConsignedAt))
	}
	eventually(t, "statuses in another order", func() bool {
		codes := statuses("Xáo trộn")
		return len(codes) == 4 && !slices.IsSorted(codes)
	})
	if d := delivery("Bỏ qua"); d.State != exchange.Consigned || !d.FetchedAt.IsZero() {
		t.Errorf("what is ignored is %s, fetched %s", d.State, d.FetchedAt)
	}
	sends(t, finance.m.hub, m)
	if list := finance.agency("inbox"); !strings.Contains(list, "status 06 on 3/T") {
		t.Errorf("statuses do not come back:\n%s", list)
	}
	s.stop()
	healthy(t, s)
}

// sends sees what the mock sends of its own accord: twice a document, with what
// comes after it.
func sends(t *testing.T, finance *httpclient.Client, m *mocked) {
	t.Helper()
	kinds := func() map[exchange.Kind]int {
		counts := map[exchange.Kind]int{}
		page, err := finance.Inbox(t.Context(), "H12.07", "", 0, 0)
		must(t, err)
		for _, item := range page.Items {
			if item.Package.Kind != exchange.KindStatus || item.Package.Status.Code == exchange.StatusRecall {
				counts[item.Package.Kind]++
			}
		}
		return counts
	}
	eventually(t, "documents, updates, replacements and recalls come", func() bool {
		sent := map[string]int{}
		for _, e := range m.events() {
			if e.Event == "sent" {
				sent[e.Kind]++
			}
			if e.Event == "error" {
				t.Fatalf("the mock fails: %+v", e)
			}
		}
		got := kinds()
		return sent["new"] == 4 && sent["recall"] == 2 && // a document that is recalled before anyone looks is gone from the inbox
			got[exchange.KindReplace] == 2 && got[exchange.KindUpdate]+got[exchange.KindStatus] >= 2 && got[exchange.KindRecall] == 2
	})
	repeated := slices.DeleteFunc(m.events(), func(e mockEvent) bool { return e.Event != "sent" || !e.Before })
	if len(repeated) != 2 {
		t.Errorf("%d of two documents were submitted again with the same receipt", len(repeated))
	}
}

// TestMockIsAway lets a package wait while the partner is away.
func TestMockIsAway(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	finance, health := s.desk(s.join("H12.07")), s.desk(s.join("H12.12"))
	m := health.mock("mock:\n  poll: 1s\n  down: {for: 3s}\n")
	began := time.Now()
	finance.agency("compose", "--to", "H12.12", "--number", "1", "--subject", "V/v", "--attach", "agency.crt", "--sign", "-o", "1.edxml")
	id := exchange.PackageID(the(t, `package (\S+)`, finance.agency("submit", "1.edxml")))
	var d exchange.Delivery
	eventually(t, "it comes back and accepts", func() bool {
		v, err := finance.m.hub.Package(t.Context(), id)
		must(t, err)
		d = v.Deliveries[0]
		return d.State == exchange.HandedOver
	})
	if d.FetchedAt.Sub(began) < 1500*time.Millisecond { // it was started a little before
		t.Errorf("fetched after %s, while it was away", d.FetchedAt.Sub(began))
	}
	events := m.events()
	if len(events) < 5 || events[0].Event != "down" || events[1].Event != "up" {
		t.Errorf("it says %+v", events)
	}
}
