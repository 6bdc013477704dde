package exchange_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tram/adapters/edxml"
	"tram/exchange"
)

// TestAnyLifeOfADocument lets agencies do anything in any order with two documents
// of one of them, and holds what comes of it against the rules: nothing is refused
// for its order, a delivery ends once, what was fetched is not withdrawn, and an
// answer goes to what was asked. When a life is over, exchangetest.Check audits it.
func TestAnyLifeOfADocument(t *testing.T) {
	t.Parallel()
	vault := newVault(t)
	rapid.Check(t, func(r *rapid.T) {
		t.Run("a life", func(t *testing.T) {
			l := &lives{province: provinceOn(t, vault), sent: map[string]bool{}, before: map[exchange.DeliveryID]exchange.Delivery{}}
			for range rapid.IntRange(1, 14).Draw(r, "steps") {
				l.clock.advance(time.Second)
				l.step(r)
				l.check()
			}
		})
	})
}

// lives are the documents under way, and how each delivery was one step before.
type lives struct {
	*province
	sent   map[string]bool
	before map[exchange.DeliveryID]exchange.Delivery
}

func (l *lives) step(r *rapid.T) {
	number := rapid.SampledFrom([]string{"1", "2"}).Draw(r, "document")
	who := rapid.SampledFrom([]string{health, ward, commune}).Draw(r, "agency")
	if !l.sent[number] {
		l.sent[number] = true
		l.submit(finance, signed(l, document(number, health, ward)))
	}
	switch do := rapid.SampledFrom([]string{"work", "fetch", "acknowledge", "status", "status", "status", "recall", "recall by status", "update", "replace", "steal", "wait"}).Draw(r, "do"); do {
	case "work":
		l.work()
	case "fetch":
		for _, d := range l.readable(who) {
			l.fetch(d)
		}
	case "acknowledge":
		for _, d := range l.readable(who) {
			if d.State == exchange.Consigned {
				l.acknowledge(d, l.answer(d, rapid.SampledFrom([]exchange.Outcome{exchange.AnswerAccepted, exchange.AnswerRefused}).Draw(r, "outcome"), "lý do"))
			}
		}
	case "status":
		d := status(who, rapid.SampledFrom([]string{"01", "02", "03", "04", "05", "06", "15", "16"}).Draw(r, "code"), number)
		d.Sent = l.clock.Now()
		l.submit(who, signed(l, d))
	case "recall":
		d := about(exchange.KindRecall, number, health, ward, commune)
		d.Sent = l.clock.Now()
		l.submit(finance, signed(l, d))
	case "recall by status":
		d := status(finance, "13", number)
		d.Status.To, d.Sent = who, l.clock.Now()
		l.submit(finance, signed(l, d))
	case "update":
		d := updateOf(number, health, commune)
		d.Added, d.Removed, d.Sent = []string{commune}, []string{ward}, l.clock.Now()
		if rapid.Bool().Draw(r, "own identifier") {
			d.ID = fmt.Sprintf("VB-%d", l.clock.Now().Unix())
		}
		l.submit(finance, signed(l, d))
	case "replace":
		d := document(fmt.Sprintf("thay-%d", l.clock.Now().Unix()), health, ward)
		d.Kind, d.Reason, d.Replaced = exchange.KindReplace, "thay", []edxml.Replaced{{ID: documentID(number), To: []string{who}}}
		l.submit(finance, signed(l, d))
	case "steal": // of one who is not the owner
		d := about(exchange.KindRecall, number, health)
		d.From, d.Sent = l.organ(ward), l.clock.Now()
		_, err := l.x.Submit(l.Context(), system(ward), bytes.NewReader(signed(l, d)))
		refused(l, err, exchange.NotFound, "unknown-target")
	case "wait":
		l.clock.advance(4 * 24 * time.Hour)
		l.work()
	}
}

// readable are the deliveries that the agency can fetch.
func (l *lives) readable(who string) []exchange.Delivery {
	list, _, err := l.ledger.Deliveries(l.Context(), exchange.DeliveryQuery{Recipient: who, Sender: finance, Limit: 200})
	if err != nil {
		l.Fatal(err)
	}
	return slices.DeleteFunc(list, func(d exchange.Delivery) bool {
		return d.State != exchange.Consigned && d.State != exchange.HandedOver && d.State != exchange.Rejected
	})
}

func (l *lives) check() {
	list, cursor, err := l.ledger.Deliveries(l.Context(), exchange.DeliveryQuery{Limit: 1000})
	if err != nil || cursor != "" {
		l.Fatal(err, cursor)
	}
	for _, d := range list {
		before := l.before[d.ID]
		l.before[d.ID] = d
		l.holds(before, d)
		furthest := ""
		codes := map[string]int{}
		for _, s := range d.Statuses {
			if codes[s.Code]++; s.Code <= "06" {
				furthest = max(furthest, s.Code)
			}
		}
		answers := 0
		for _, r := range d.Requests {
			if r.Answer != "" {
				answers++
			}
		}
		want := furthest
		if d.TakenBack() {
			want = "15"
		}
		unasked := 0
		for _, s := range d.Statuses {
			if s.Flag == exchange.Unasked {
				unasked++
			}
		}
		ended := d.State == exchange.Failed || d.State == exchange.Withdrawn
		switch {
		case d.CurrentStatus() != want:
			l.Fatalf("%s is at %s after %s", d.ID, d.CurrentStatus(), history(d))
		case codes["01"] > 1 || codes["02"] > 1 || codes["03"] > 1 || codes["04"] > 1 || codes["05"] > 1 || codes["06"] > 1:
			l.Fatalf("%s says something twice: %s", d.ID, history(d))
		case !ended && codes["15"]+codes["16"] != answers+unasked:
			l.Fatalf("%s: %d of %+v are answered after %s", d.ID, answers, d.Requests, history(d))
		}
	}
}

// holds are the rules of one step.
func (l *lives) holds(before, d exchange.Delivery) {
	switch {
	case before.State.Final() && d.State != before.State:
		l.Fatalf("%s left the final state %s for %s", d.ID, before.State, d.State)
	case d.State == exchange.Withdrawn && !d.FetchedAt.IsZero():
		l.Fatalf("%s was fetched and withdrawn", d.ID)
	case len(d.Statuses) < len(before.Statuses) || len(d.Requests) < len(before.Requests):
		l.Fatalf("%s forgot something: %+v, then %+v", d.ID, before, d)
	case before.CurrentStatus() != "15" && before.CurrentStatus() > d.CurrentStatus():
		l.Fatalf("%s went back from %s to %s", d.ID, before.CurrentStatus(), d.CurrentStatus())
	}
	for i, r := range before.Requests {
		if r.Answer != "" && d.Requests[i] != r {
			l.Fatalf("%s: an answer changed: %+v, then %+v", d.ID, r, d.Requests[i])
		}
	}
}
