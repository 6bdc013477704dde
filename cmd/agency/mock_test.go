package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tram/exchange"
)

func itemOf(sender, document, subject string, kind exchange.Kind) exchange.InboxItem {
	return exchange.InboxItem{Delivery: exchange.Delivery{Sender: sender}, Package: exchange.Package{DocumentID: document, Subject: subject, Kind: kind}}
}

func TestPlanChooses(t *testing.T) {
	p := plan{Seed: 7, Answers: []answerPlan{
		{Sender: "H12.07", Kind: exchange.KindRecall, Steps: []step{{Status: "15"}}},
		{Subject: "Hỏa Tốc", Chance: 0.3, Steps: []step{{Status: "02"}}},
		{Subject: "xáo", Shuffle: true, Steps: []step{{Status: "01"}, {Status: "03"}, {Status: "04"}, {Status: "05"}, {Status: "06"}}},
	}}
	first := func(i exchange.InboxItem) string {
		if a := p.choose(i); len(a.Steps) > 0 {
			return a.Steps[0].Status
		}
		return ""
	}
	if got := first(itemOf("H12.07", "x", "", exchange.KindRecall)); got != "15" {
		t.Errorf("a recall gets %q", got)
	}
	if got := first(itemOf("H12.08", "x", "", exchange.KindRecall)); got != "" {
		t.Errorf("another's recall gets %q", got)
	}
	hits, orders := 0, map[string]bool{}
	for n := range 2000 {
		i := itemOf("H12.07", fmt.Sprint(n), "V/v hỏa tốc", exchange.KindNew)
		if first(i) == "02" {
			hits++
		}
		if once, again := first(i), first(i); once != again {
			t.Fatalf("the same document gets %q and %q", once, again)
		}
		orders[fmt.Sprint(p.choose(itemOf("H12.07", fmt.Sprint(n), "xáo", exchange.KindNew)).Steps)] = true
	}
	if hits < 500 || hits > 700 {
		t.Errorf("a chance of 0.3 came %d times of 2000", hits)
	}
	if len(orders) != 120 {
		t.Errorf("%d orders of five steps", len(orders))
	}
	if p.Answers[2].Steps[0].Status != "01" {
		t.Error("shuffling changed the plan")
	}
}

func TestAbsence(t *testing.T) {
	a := absence{After: 10 * time.Second, For: 2 * time.Second, Every: 5 * time.Second}
	once := absence{After: 10 * time.Second, For: 2 * time.Second}
	for _, test := range []struct{ since, left, onceLeft time.Duration }{
		{0, 0, 0}, {9, 0, 0}, {10, 2, 2}, {11, 1, 1}, {12, 0, 0}, {14, 0, 0}, {15, 2, 0}, {16, 1, 0}, {17, 0, 0}, {100, 2, 0},
	} {
		if got := a.left(test.since * time.Second); got != test.left*time.Second {
			t.Errorf("after %ds it is away for %s", test.since, got)
		}
		if got := once.left(test.since * time.Second); got != test.onceLeft*time.Second {
			t.Errorf("after %ds it is away for %s, once", test.since, got)
		}
	}
}

func TestPlanIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		`answers: [{kind: letter}]`:                              `no kind "letter"`,
		`answers: [{chance: 2}]`:                                 "between 0 and 1",
		`answers: [{steps: [{after: 1s}]}]`:                      "give answer or status",
		`answers: [{steps: [{answer: maybe}]}]`:                  `not "maybe"`,
		`answers: [{steps: [{answer: refuse}]}]`:                 "needs its reason",
		`answers: [{steps: [{status: "07"}]}]`:                   `no status "07"`,
		`send: [{subject: x}]`:                                   "to whom",
		`send: [{to: [H12.12], then: [{kind: new}]}]`:            "kind must be",
		`down: {for: 1m, every: 1m}`:                             "shorter than every",
		"{seed: 1, answers: [{chance: 2}, {kind: x}], poll: 1s}": "answers[1]",
	} {
		var p plan
		if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&p); err != nil {
			t.Fatal(err)
		}
		if err := p.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestExamplePlanIsOne(t *testing.T) {
	var s settings
	if err := yaml.NewDecoder(strings.NewReader(examplePlan), yaml.Strict()).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if err := s.Mock.check(); err != nil {
		t.Error(err)
	}
	if len(s.Mock.Answers) != 6 || s.Mock.Send[0].Every != time.Minute || s.Mock.Down.For != 30*time.Second {
		t.Errorf("read as %+v", s.Mock)
	}
}
