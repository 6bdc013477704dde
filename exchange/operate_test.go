package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

type operation func(context.Context, exchange.Caller, exchange.DeliveryID, string) (exchange.Delivery, error)

func (p *province) operations() map[string]operation {
	return map[string]operation{"hold": p.x.Hold, "release": p.x.Release, "retry": p.x.Retry, "cancel": p.x.Cancel}
}

func TestWhoOperates(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := exchange.NewDeliveryID(p.sent("1250", health), 1)
	size := must(p.ledger.LogSize(t.Context()))
	for verb, do := range p.operations() {
		for _, by := range []exchange.Caller{{}, auditor, system(finance), system(health)} {
			_, err := do(t.Context(), by, id, "theo yêu cầu")
			refused(t, err, exchange.NotPermitted, "not-permitted")
		}
		for _, reason := range []string{"", " \n"} {
			_, err := do(t.Context(), operator, id, reason)
			refused(t, err, exchange.Malformed, "invalid-entry")
		}
		_, err := do(t.Context(), operator, "0197a1b2-0000-7000-8000-000000000000.1", "theo yêu cầu")
		refused(t, err, exchange.NotFound, "not-found")
		if verb == "release" || verb == "retry" {
			_, err := do(t.Context(), operator, id, "theo yêu cầu")
			refused(t, err, exchange.Conflict, "wrong-state")
		}
	}
	if now := must(p.ledger.LogSize(t.Context())); now != size {
		t.Errorf("what was refused left %d leaves", now-size)
	}
	p.inState(exchange.DeliveryID.Package(id), 1, exchange.Consigned)
}

// lastLeaf is the last leaf of the log.
func (p *province) lastLeaf() exchange.LogEntry {
	p.Helper()
	size := must(p.ledger.LogSize(p.Context()))
	var e exchange.LogEntry
	if err := json.Unmarshal(must(p.ledger.LogEntries(p.Context(), size-1, size))[0], &e); err != nil {
		p.Fatal(err)
	}
	return e
}

// TestEveryOperationIsALeaf follows one delivery through an operator's hands.
func TestEveryOperationIsALeaf(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.submit(finance, signed(t, document("1250", health))).Package
	d := p.delivery(id, 1)
	for _, c := range []struct {
		verb string
		do   operation
		then exchange.State
	}{
		{"retry", p.x.Retry, exchange.Queued}, {"hold", p.x.Hold, exchange.Held}, {"release", p.x.Release, exchange.Queued},
		{"hold", p.x.Hold, exchange.Held}, {"cancel", p.x.Cancel, exchange.Failed},
	} {
		p.clock.advance(time.Second)
		got, err := c.do(t.Context(), operator, d.ID, "lý do riêng")
		if err != nil || got.State != c.then {
			t.Fatalf("%s: %s, %v", c.verb, got.State, err)
		}
		if kept := p.inState(id, 1, c.then); kept.Version != got.Version {
			t.Errorf("%s returns version %d, kept is %d", c.verb, got.Version, kept.Version)
		}
		e := p.lastLeaf()
		if e.Type != "action" || e.Event != c.verb || e.Actor != "user:binh" || e.Object != string(d.ID) || !e.Time.Equal(p.clock.Now()) || e.SHA256.IsZero() {
			t.Errorf("%s is the leaf %+v", c.verb, e)
		}
		if strings.Contains(string(e.Bytes()), "riêng") {
			t.Error("the log, which anyone may read, tells the reason")
		}
	}
	e := p.evidence(id, d.ID, exchange.ContentConsignmentFailure)
	if e.Reason != exchange.Cancelled || e.Detail != "lý do riêng" {
		t.Errorf("the receipt says %+v", e)
	}
	_, err := p.x.Hold(t.Context(), operator, d.ID, "lý do")
	refused(t, err, exchange.Conflict, "final-state")
}

// TestWordsThatXMLCannotHold must not keep a delivery from ending.
func TestWordsThatXMLCannotHold(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d, err := p.x.Cancel(t.Context(), operator, exchange.NewDeliveryID(id, 1), "\x00 \xff <nhầm>")
	if err != nil {
		t.Fatal(err)
	}
	if e := p.evidence(id, d.ID, exchange.ContentHandoverFailure); e.Detail != "\ufffd \ufffd <nhầm>" {
		t.Errorf("the receipt says %q", e.Detail)
	}
}

// TestHeldIsOutOfSight until it is released to where it was.
func TestHeldIsOutOfSight(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := p.operate(p.x.Hold, p.delivery(id, 1))
	if page, err := p.x.Inbox(t.Context(), system(health), "", "", 0, 0); err != nil || len(page.Items) != 0 {
		t.Errorf("held, and in the inbox: %v, %v", page.Items, err)
	}
	_, _, err := p.x.DeliveryContent(t.Context(), system(health), d.ID)
	refused(t, err, exchange.Conflict, "held")
	_, _, err = p.x.Acknowledge(t.Context(), system(health), d.ID, bytes.NewReader(p.answer(d, exchange.AnswerAccepted, "")))
	refused(t, err, exchange.Conflict, "held")
	p.work()
	p.inState(id, 1, exchange.Held)
	p.operate(p.x.Release, d)
	p.inState(id, 1, exchange.Consigned)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
}

func TestARetryIsDueAtOnce(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.courier.answers(silent)
	id := p.submit(finance, signed(t, document("1250", commune))).Package
	p.work()
	p.courier.answers(nil)
	p.work()
	p.inState(id, 1, exchange.Queued)
	p.operate(p.x.Retry, p.delivery(id, 1))
	p.work()
	p.inState(id, 1, exchange.Consigned)
}

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	queued := p.submit(finance, signed(t, document("1251", health))).Package
	first, second := exchange.NewDeliveryID(id, 1), exchange.NewDeliveryID(id, 2)
	for _, c := range []struct {
		name       string
		by         exchange.Caller
		deliveries int // of the package that it sees
		receipts   int
		content    bool // of the package, as its sender
		fetches    bool // the first delivery
		sees       []exchange.DeliveryID
		waiting    bool // sees the package that is not consigned yet
	}{
		{"the sender", system(finance), 2, 3, true, false, []exchange.DeliveryID{first, second}, true},
		{"another system of the sender", exchange.Caller{System: &exchange.System{ID: "x", Agencies: []string{finance}}}, 2, 3, true, false, []exchange.DeliveryID{first, second}, true},
		{"a recipient", system(health), 1, 1, false, true, []exchange.DeliveryID{first}, false},
		{"another recipient", system(ward), 1, 1, false, false, []exchange.DeliveryID{second}, false},
		{"an agency that has nothing to do with it", system(commune), 0, 0, false, false, nil, false},
		{"an operator", operator, 2, 3, false, false, []exchange.DeliveryID{first, second}, true},
		{"an auditor", auditor, 2, 3, false, false, []exchange.DeliveryID{first, second}, true},
		{"the public", exchange.Caller{}, 0, 0, false, false, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			view, err := p.x.Package(t.Context(), c.by, id)
			if len(view.Deliveries) != c.deliveries || (c.deliveries == 0) != (exchange.CodeOf(err) == exchange.NotFound) {
				t.Errorf("sees %d deliveries, %v", len(view.Deliveries), err)
			}
			receipts, err := p.x.Receipts(t.Context(), c.by, id)
			if len(receipts) != c.receipts || (c.receipts == 0) != (exchange.CodeOf(err) == exchange.NotFound) {
				t.Errorf("reads %d receipts, %v", len(receipts), err)
			}
			for _, r := range must(p.ledger.Receipts(t.Context(), id)) {
				_, err := p.x.Receipt(t.Context(), c.by, r.ID)
				mine := slices.ContainsFunc(receipts, func(o exchange.Receipt) bool { return o.ID == r.ID })
				if mine != (err == nil) || !mine && exchange.CodeOf(err) != exchange.NotFound {
					t.Errorf("receipt %s: %v", r.Event, err)
				}
			}
			_, content, err := p.x.PackageContent(t.Context(), c.by, id)
			seen(t, "the package's content", c.content, content, err)
			_, content, err = p.x.DeliveryContent(t.Context(), c.by, first)
			seen(t, "the delivery's content", c.fetches, content, err)
			for _, d := range []exchange.DeliveryID{first, second} {
				item, err := p.x.Delivery(t.Context(), c.by, d)
				if slices.Contains(c.sees, d) != (err == nil) || err == nil && item.Delivery.ID != d {
					t.Errorf("delivery %s: %v", d, err)
				}
			}
			if _, err := p.x.Package(t.Context(), c.by, queued); c.waiting != (err == nil) {
				t.Errorf("a package that is not consigned yet: %v", err)
			}
			if _, err := p.x.Delivery(t.Context(), c.by, exchange.NewDeliveryID(queued, 1)); c.waiting != (err == nil) {
				t.Errorf("a delivery that is not consigned yet: %v", err)
			}
		})
	}
}

func seen(t *testing.T, what string, want bool, content exchange.Content, err error) {
	t.Helper()
	if err == nil {
		_ = content.Close()
	}
	if want != (err == nil) || !want && exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("%s: %v", what, err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	queued := p.submit(finance, signed(t, document("1251", health))).Package
	for _, c := range []struct {
		name string
		by   exchange.Caller
		q    exchange.DeliveryQuery
		want []exchange.DeliveryID // nil: not permitted
	}{
		{"all, for people", auditor, exchange.DeliveryQuery{}, []exchange.DeliveryID{exchange.NewDeliveryID(queued, 1), exchange.NewDeliveryID(id, 2), exchange.NewDeliveryID(id, 1)}},
		{"all, for a system", system(finance), exchange.DeliveryQuery{}, nil},
		{"what it sent", system(finance), exchange.DeliveryQuery{Sender: "000.00.07.H12"}, []exchange.DeliveryID{exchange.NewDeliveryID(queued, 1), exchange.NewDeliveryID(id, 2), exchange.NewDeliveryID(id, 1)}},
		{"what it sent to one", system(finance), exchange.DeliveryQuery{Sender: finance, Recipient: ward}, []exchange.DeliveryID{exchange.NewDeliveryID(id, 2)}},
		{"what it got, and not what is on the way", system(health), exchange.DeliveryQuery{Recipient: health}, []exchange.DeliveryID{exchange.NewDeliveryID(id, 1)}},
		{"what another got", system(health), exchange.DeliveryQuery{Recipient: ward}, nil},
		{"what another sent", system(health), exchange.DeliveryQuery{Sender: finance}, nil},
		{"by state", operator, exchange.DeliveryQuery{State: exchange.Queued}, []exchange.DeliveryID{exchange.NewDeliveryID(queued, 1)}},
		{"the public", exchange.Caller{}, exchange.DeliveryQuery{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, _, err := p.x.Deliveries(t.Context(), c.by, c.q)
			if c.want == nil {
				refused(t, err, exchange.NotPermitted, "not-permitted")
				return
			}
			var got []exchange.DeliveryID
			for _, d := range list {
				got = append(got, d.ID)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
	_, _, err := p.x.Deliveries(t.Context(), operator, exchange.DeliveryQuery{State: "lost"})
	refused(t, err, exchange.Malformed, "invalid-entry")

	list, _, err := p.x.Packages(t.Context(), system(finance), exchange.PackageQuery{DocumentID: documentID("1250")})
	if err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("packages %v, %v", list, err)
	}
	_, _, err = p.x.Packages(t.Context(), system(health), exchange.PackageQuery{Sender: finance})
	refused(t, err, exchange.NotPermitted, "not-permitted")
	_, _, err = p.x.Packages(t.Context(), operator, exchange.PackageQuery{DocumentID: documentID("1250")})
	refused(t, err, exchange.Malformed, "invalid-entry")
	if list, _, err = p.x.Packages(t.Context(), operator, exchange.PackageQuery{}); err != nil || len(list) != 2 || list[0].ID != queued {
		t.Errorf("packages %v, %v", list, err)
	}
	counts, err := p.x.Counts(t.Context())
	if err != nil || counts[exchange.Consigned] != 2 || counts[exchange.Queued] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if err := p.x.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	queued := p.submit(finance, signed(t, document("1251", health))).Package
	for _, c := range []struct {
		name       string
		by         exchange.Caller
		q          exchange.Search
		packages   []exchange.PackageID
		deliveries int
	}{
		{"all, for people", auditor, exchange.Search{}, []exchange.PackageID{queued, id}, 3},
		{"what it sent", system(finance), exchange.Search{}, []exchange.PackageID{queued, id}, 3},
		{"what it got, and not what is on the way", system(health), exchange.Search{}, []exchange.PackageID{id}, 1},
		{"what another got", system(health), exchange.Search{Recipient: ward}, nil, 0},
		{"all of it, if it asks for that", system(health), exchange.Search{All: true, Of: []string{finance}}, []exchange.PackageID{id}, 1},
		{"what another's package is called", system(school), exchange.Search{Text: string(id)}, nil, 0},
		{"by a former code", operator, exchange.Search{Sender: "000.00.07.H12", Recipient: ward}, []exchange.PackageID{id}, 1},
		{"a closed agency's", operator, exchange.Search{Recipient: gone}, nil, 0},
		{"by number", operator, exchange.Search{Text: "1250"}, []exchange.PackageID{id}, 2},
		{"by state", operator, exchange.Search{State: exchange.Queued}, []exchange.PackageID{queued}, 1},
	} {
		page, err := p.x.Search(t.Context(), c.by, c.q)
		var packages []exchange.PackageID
		deliveries := 0
		for _, f := range page.Found {
			packages, deliveries = append(packages, f.Package.ID), deliveries+len(f.Deliveries)
			if hides := c.by.System != nil && !c.by.Speaks(f.Package.Sender); hides != (f.Package.System == "") {
				t.Errorf("%s: shown who submitted: %q", c.name, f.Package.System)
			}
		}
		if err != nil || !slices.Equal(packages, c.packages) || deliveries != c.deliveries {
			t.Errorf("%s: %v with %d deliveries, %v; want %v with %d", c.name, packages, deliveries, err, c.packages, c.deliveries)
		}
	}
	for rule, q := range map[string]exchange.Search{
		"unknown-kind":    {Kind: "letter"},
		"invalid-entry":   {State: "lost"},
		"empty-period":    {From: start, To: start},
		"search-too-long": {Text: strings.Repeat("a ", 33)},
	} {
		_, err := p.x.Search(t.Context(), operator, q)
		refused(t, err, exchange.Malformed, rule)
	}
	_, err := p.x.Search(t.Context(), exchange.Caller{}, exchange.Search{})
	refused(t, err, exchange.NotPermitted, "not-permitted")
}

// A bystander changes a delivery between an operator's look at it and the change.
type bystander struct {
	exchange.Ledger
	meddle func()
}

func (m *bystander) Update(ctx context.Context, c exchange.Change) error {
	if f := m.meddle; f != nil {
		m.meddle = nil
		f()
	}
	return m.Ledger.Update(ctx, c)
}

// TestOperatingBesideAWorker: what a worker notes of a delivery meanwhile does not
// stand in an operator's way.
func TestOperatingBesideAWorker(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := p.delivery(id, 1)
	c := p.config()
	c.Ledger = &bystander{p.ledger, func() {
		now := must(p.ledger.Delivery(t.Context(), d.ID))
		now.Attempts++
		if err := p.ledger.Update(t.Context(), exchange.Change{Deliveries: []exchange.Delivery{now}}); err != nil {
			t.Error(err)
		}
	}}
	x := must(exchange.New(c))
	got := must(x.Cancel(t.Context(), operator, d.ID, "hết hạn"))
	if got.State != exchange.Failed || got.Attempts != d.Attempts+1 {
		t.Errorf("it is %s after %d attempts", got.State, got.Attempts)
	}
}
