package exchangetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tram/exchange"
)

// testModel makes any sequence of writes, restarts in between, and compares the
// ledger with a model: maps and slices.
func testModel(t *testing.T, create CreateLedger) {
	modest(t)
	rapid.Check(t, func(r *rapid.T) {
		open := create(t)
		m := &model{Samples: NewSamples(), test: r, open: open, ledger: open(),
			firsts: map[string]exchange.Receipt{}, owners: map[string]exchange.PackageID{},
			deliveries: map[exchange.DeliveryID]exchange.Delivery{}, agencies: map[string]exchange.Agency{}}
		r.Repeat(map[string]func(*rapid.T){
			"accept": m.accept,
			"move":   m.move,
			"agency": m.putAgency,
			"stamp":  m.stamp,
			"purge":  m.purge,
			"compact": func(r *rapid.T) {
				if _, err := m.ledger.Compact(m.test.Context()); err != nil {
					r.Fatal(err)
				}
			},
			"search":  m.search,
			"restart": func(*rapid.T) { m.ledger = m.open() },
			"compare": m.compare,
		})
		m.compare(r)
	})
}

// modest asks rapid for few sequences, since a real ledger syncs each step;
// -rapid.checks asks for more.
func modest(t *testing.T) {
	f, chosen := flag.Lookup("rapid.checks"), false
	flag.Visit(func(g *flag.Flag) { chosen = chosen || g == f })
	if chosen {
		return
	}
	before := f.Value.String()
	t.Cleanup(func() { _ = f.Value.Set(before) }) // it was taken before
	if err := f.Value.Set("10"); err != nil {
		t.Fatal(err)
	}
}

type model struct {
	*Samples
	test   *rapid.T
	open   func() exchange.Ledger
	ledger exchange.Ledger

	packages   []exchange.Package
	firsts     map[string]exchange.Receipt // by sender, kind, document and content
	owners     map[string]exchange.PackageID
	deliveries map[exchange.DeliveryID]exchange.Delivery
	agencies   map[string]exchange.Agency
	leaves     []exchange.LogEntry
	waiting    []string // receipts without their time-stamps
}

func contentOf(p exchange.Package) string {
	return fmt.Sprintf("%q %q %q %s", p.Sender, p.Kind, p.DocumentID, p.Content)
}

func (m *model) accept(r *rapid.T) {
	p := m.Submission(rapid.SampledFrom([]string{"A", "B"}).Draw(r, "sender"), rapid.SampledFrom([]string{"", "d1", "d2"}).Draw(r, "document"))
	p.Kind = rapid.SampledFrom([]exchange.Kind{exchange.KindNew, exchange.KindReplace, exchange.KindUpdate}).Draw(r, "kind")
	if p.DocumentID == "" {
		p.Kind = exchange.KindStatus
	}
	p.Content = exchange.Digest{rapid.Byte().Draw(r, "content") % 4, byte(len(p.Kind))}
	p.Priority = rapid.IntRange(0, 2).Draw(r, "priority")
	for n := range rapid.IntRange(1, 3).Draw(r, "recipients") {
		p.Recipients = append(p.Recipients, exchange.Recipient{Code: fmt.Sprint("R", n)})
	}
	m.searchable(r, &p)
	c := m.Acceptance(p)
	if rapid.Bool().Draw(r, "waits for a time-stamp") {
		c = waiting(c)
	}
	got, again, err := m.ledger.Accept(m.test.Context(), p, c)
	first, known := m.firsts[contentOf(p)]
	document := p.Sender + " " + p.DocumentID
	owner, owned := m.owners[document]
	switch {
	case known:
		if err != nil || !again || diff(got, first) != "" {
			r.Fatalf("resubmission: again %v, %v, %s", again, err, diff(got, first))
		}
	case p.Exclusive() && owned:
		if exchange.CodeOf(err) != exchange.Duplicate {
			r.Fatalf("other content than package %s: %v, want a duplicate", owner, err)
		}
	default:
		if err != nil || again || got.Leaf != int64(len(m.leaves)) {
			r.Fatalf("new package: again %v, leaf %d, %v", again, got.Leaf, err)
		}
		m.keep(p, c, got, document)
	}
}

func (m *model) keep(p exchange.Package, c exchange.Change, first exchange.Receipt, document string) {
	m.packages = append(m.packages, p)
	m.firsts[contentOf(p)] = first
	if p.Exclusive() {
		m.owners[document] = p.ID
	}
	for _, d := range c.Deliveries {
		d.Version = 1
		m.deliveries[d.ID] = d
	}
	m.leaves = append(m.leaves, c.Entries()...)
	if first.TimeStamp != "" {
		m.waiting = append(m.waiting, string(first.ID))
	}
}

// stamp gives a receipt its time-stamp, sometimes one that has it.
func (m *model) stamp(r *rapid.T) {
	if len(m.firsts) == 0 {
		r.Skip("no receipt yet")
	}
	content := rapid.SampledFrom(slices.Sorted(maps.Keys(m.firsts))).Draw(r, "receipt")
	first := m.firsts[content]
	err := m.ledger.Update(m.test.Context(), stamping(first.ID))
	if first.TimeStamp != exchange.TimeStampPending {
		if exchange.CodeOf(err) != exchange.Conflict {
			r.Fatalf("a time-stamp for a receipt that does not wait: %v, want a conflict", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	first.TimeStamp = exchange.TimeStampKept
	m.firsts[content] = first
	m.waiting = slices.DeleteFunc(m.waiting, func(id string) bool { return id == string(first.ID) })
}

// move changes a delivery as the exchange would, sometimes from a state read too
// early.
func (m *model) move(r *rapid.T) {
	if len(m.deliveries) == 0 {
		r.Skip("no delivery yet")
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.deliveries))).Draw(r, "delivery")
	d := m.deliveries[id]
	stale := rapid.IntRange(0, 4).Draw(r, "stale") == 0
	var c exchange.Change
	var err error
	switch rapid.SampledFrom([]string{"consign", "accept", "refuse", "hold", "release"}).Draw(r, "move") {
	case "consign":
		c, err = m.Consign(d)
	case "accept":
		c, err = m.Answer(d, exchange.AnswerAccepted)
	case "refuse":
		c, err = m.Answer(d, exchange.AnswerRefused)
	case "hold":
		d, err = d.Hold("x")
		c = exchange.Change{Deliveries: []exchange.Delivery{d}, Actions: []exchange.Action{m.Action("hold", string(id))}}
	case "release":
		d, err = d.Release(m.start.Add(time.Hour))
		c = exchange.Change{Deliveries: []exchange.Delivery{d}, Actions: []exchange.Action{m.Action("release", string(id))}}
	}
	if err != nil {
		r.Skip("not from this state")
	}
	if stale {
		c.Deliveries[0].Version--
	}
	err = m.ledger.Update(m.test.Context(), c)
	if stale {
		if exchange.CodeOf(err) != exchange.Conflict {
			r.Fatalf("a stale change: %v, want a conflict", err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	c.Deliveries[0].Version++
	m.deliveries[id] = c.Deliveries[0]
	m.leaves = append(m.leaves, c.Entries()...)
}

func (m *model) putAgency(r *rapid.T) {
	names := []string{"A", "B", "C", "D"}
	a := exchange.Agency{Code: rapid.SampledFrom(names).Draw(r, "code")}
	a.Version = m.agencies[a.Code].Version
	for _, alias := range rapid.SliceOfNDistinct(rapid.SampledFrom(append(names, "x", "y")), 0, 3, rapid.ID).Draw(r, "aliases") {
		a.Aliases = append(a.Aliases, exchange.Alias{Code: alias})
	}
	taken := false
	for code, other := range m.agencies {
		for _, name := range codes(a) {
			taken = taken || code != a.Code && slices.Contains(codes(other), name)
		}
	}
	err := m.ledger.Update(m.test.Context(), exchange.Change{Agencies: []exchange.Agency{a}})
	if taken {
		if exchange.CodeOf(err) != exchange.Conflict {
			r.Fatalf("%+v: %v, want a conflict", a, err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	a.Version++
	m.agencies[a.Code] = a
}

func codes(a exchange.Agency) []string {
	list := []string{a.Code}
	for _, alias := range a.Aliases {
		list = append(list, alias.Code)
	}
	return list
}

// compare asks the ledger everything the model can answer.
func (m *model) compare(r *rapid.T) {
	ctx := m.test.Context()
	s, err := takeSnapshot(ctx, m.ledger)
	if err != nil {
		r.Fatal(err)
	}
	newest := slices.Clone(m.packages)
	slices.Reverse(newest)
	same(r, "packages", s.Packages, newest)
	same(r, "agencies", s.Agencies, slices.SortedFunc(maps.Values(m.agencies), func(a, b exchange.Agency) int {
		return slices.Compare([]string{a.Code}, []string{b.Code})
	}))
	deliveries := slices.SortedFunc(maps.Values(m.deliveries), byID)
	slices.SortFunc(s.Deliveries, byID)
	same(r, "deliveries", s.Deliveries, deliveries)
	counts := map[exchange.State]int64{}
	var open []string
	for _, d := range deliveries {
		counts[d.State]++
		if !d.DueAt().IsZero() {
			open = append(open, string(d.ID))
		}
	}
	for _, state := range exchange.States {
		same(r, "number of "+string(state), s.Counts[state], counts[state])
	}
	due, err := m.ledger.Due(ctx, m.start.Add(10_000*time.Hour), 10_000)
	got := ids(due, deliveryID)
	slices.Sort(got)
	same(r, "what is open", got, open)
	leaves, treeErr := checkTree(ctx, m.ledger)
	if err != nil || treeErr != nil {
		r.Fatal(err, treeErr)
	}
	same(r, "leaves", len(leaves), len(m.leaves))
	for n, e := range m.leaves {
		same(r, fmt.Sprint("leaf ", n), string(leaves[n]), string(e.Bytes()))
	}
	n, err := m.ledger.UnstampedCount(ctx)
	if err != nil {
		r.Fatal(err)
	}
	same(r, "what waits for a time-stamp", ids(s.Unstamped, receiptID), m.waiting)
	same(r, "how many wait", n, int64(len(m.waiting)))
	m.compareInboxes(r, deliveries)
	m.compareActions(r, s.Actions)
}

// compareActions expects every leaf of an action, from the log's end.
func (m *model) compareActions(r *rapid.T, list []exchange.Action) {
	var want, got []string
	for n, e := range slices.Backward(m.leaves) {
		if e.Type == "action" {
			want = append(want, fmt.Sprintf("%d %s", n, e.Bytes()))
		}
	}
	for _, a := range list {
		got = append(got, fmt.Sprintf("%d %s", a.Leaf, a.LogEntry().Bytes()))
	}
	same(r, "actions", got, want)
}

func (m *model) compareInboxes(r *rapid.T, deliveries []exchange.Delivery) {
	for _, agency := range []string{"R0", "R1", "R2"} {
		var want []exchange.Delivery
		for _, d := range deliveries {
			if d.Recipient == agency && d.State == exchange.Consigned {
				want = append(want, d)
			}
		}
		slices.SortStableFunc(want, func(a, b exchange.Delivery) int { return min(b.Priority, 1) - min(a.Priority, 1) })
		got, err := allInbox(m.test.Context(), m.ledger, agency, 2)
		if err != nil {
			r.Fatal(err)
		}
		same(r, "inbox of "+agency, got, want)
	}
}

func same(r *rapid.T, what string, got, want any) {
	if d := diff(got, want); d != "" {
		r.Fatalf("%s (-got +want):\n%s", what, d)
	}
}
