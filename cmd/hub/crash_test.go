package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// TestKilledAgainAndAgain kills a hub under load at random moments and starts it
// again. Its clients believe nothing but what was acknowledged to them, write
// that down, and hold the hub to it.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	kills, letters, deadline := 20, 400, "15s"
	if testing.Short() {
		kills, letters, deadline = 5, 100, "5s"
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))

	s := newSite(t, setting("deadline: 168h", "deadline: "+deadline)).start()
	l := newLoad(t, s, letters)
	l.begin(seed)
	for range kills {
		time.Sleep(time.Duration(dice.Int64N(int64(600 * time.Millisecond))))
		s.kill()
		l.drafts += len(s.drafts())
		if dice.IntN(4) == 0 { // now and then while it is still opening its files
			s.launch()
			time.Sleep(time.Duration(dice.Int64N(int64(100 * time.Millisecond))))
			s.kill()
		}
		s.start()
		l.glance(dice)
	}
	l.end()
	l.audit()
	eventually(t, "no draft is left", func() bool { return len(s.drafts()) == 0 })
	s.stop()
	healthy(t, s)
}

// glance is the little that is looked at after each restart: the log has grown
// from what was seen last, and a receipt given before the crash is still there.
func (l *load) glance(dice *rand.Rand) {
	l.t.Helper()
	l.mu.Lock()
	trees := l.trees[max(0, len(l.trees)-1):]
	var some exchange.Submission
	if n := len(l.accepted); n > 0 {
		n = dice.IntN(n)
		for _, some = range l.accepted {
			if n--; n < 0 {
				break
			}
		}
	}
	l.mu.Unlock()
	l.consistent(trees)
	if some.Package == "" {
		return
	}
	raw, err := l.s.admin.Receipt(l.t.Context(), some.Receipt.ID)
	if err != nil || !bytes.Equal(raw, some.Receipt.Raw) {
		l.t.Errorf("receipt %s was given before the crash, and now: %v", some.Receipt.ID, err)
	}
}

// consistent proves through the log's tiles that it has only grown since.
func (l *load) consistent(before []tlog.Tree) {
	l.t.Helper()
	signed, err := l.s.admin.Checkpoint(l.t.Context())
	must(l.t, err)
	now := l.noteTree(signed)
	tiles := l.s.admin.Tiles(l.t.Context(), "").Hashes(now)
	for _, tree := range before {
		if tree.N > now.N {
			l.t.Errorf("the log had %d leaves and has %d", tree.N, now.N)
			continue
		}
		proof, err := tlog.ProveTree(now.N, tree.N, tiles)
		if err == nil {
			err = tlog.CheckTree(proof, now.N, now.Hash, tree.N, tree.Hash)
		}
		if err != nil {
			l.t.Errorf("the log of %d leaves does not follow from that of %d: %v", now.N, tree.N, err)
		}
	}
}

// audit holds the hub to every note.
func (l *load) audit() {
	l.t.Helper()
	l.consistent(l.trees)
	for _, m := range l.senders {
		for _, p := range l.letters[m.code] {
			done, sent := l.accepted[p.document]
			if !sent {
				continue
			}
			l.submit(l.t.Context(), m, p) // compares the receipts
			l.auditPackage(m, done.Package, p)
		}
	}
	for id, a := range l.answered {
		r, _, _, err := exchange.ParseReceipt(a.receipt)
		must(l.t, err)
		raw, err := l.s.admin.Receipt(l.t.Context(), r.ID)
		if err != nil || !bytes.Equal(raw, a.receipt) {
			l.t.Errorf("receipt %s of the answer to %s was given, and now: %v", r.ID, id, err)
		}
	}
}

// auditPackage sees that every delivery has ended, with the one receipt that
// says so.
func (l *load) auditPackage(m *member, id exchange.PackageID, p letter) {
	l.t.Helper()
	view, err := m.hub.Package(l.t.Context(), id)
	must(l.t, err)
	receipts, err := m.hub.Receipts(l.t.Context(), id)
	must(l.t, err)
	if len(view.Deliveries) != p.to {
		l.t.Errorf("%s went to %d agencies and has %d deliveries", p.document, p.to, len(view.Deliveries))
	}
	given := map[exchange.DeliveryID][]exchange.Event{}
	for _, r := range receipts {
		given[r.Delivery] = append(given[r.Delivery], r.Event)
	}
	if got := given[""]; len(got) != 1 || got[0] != exchange.SubmissionAcceptance {
		l.t.Errorf("%s was accepted with %v", p.document, got)
	}
	for _, d := range view.Deliveries {
		if err := complete(d, given[d.ID]); err != nil {
			l.t.Error(err)
		}
		if a, ok := l.answered[d.ID]; ok && given[d.ID][len(given[d.ID])-1] != a.event {
			l.t.Errorf("delivery %s was answered with %s and is %s", d.ID, a.event, d.State)
		}
	}
}

// complete says what is wrong with the receipts of a delivery: consigned at most
// once, ended exactly once, and as its state says.
func complete(d exchange.Delivery, events []exchange.Event) error {
	ends := map[exchange.State][]exchange.Event{
		exchange.HandedOver: {exchange.ContentHandover},
		exchange.Rejected:   {exchange.ConsignmentRejection},
		exchange.Failed:     {exchange.AcceptanceRejectionExpiry, exchange.ContentConsignmentFailure},
	}
	want := ends[d.State]
	if d.ConsignedAt.IsZero() {
		want = []exchange.Event{exchange.ContentConsignmentFailure}
	}
	if d.State == exchange.Failed && !d.ConsignedAt.IsZero() {
		want = ends[exchange.Failed][:1]
	}
	whole := len(events) == 1 && d.ConsignedAt.IsZero() || len(events) == 2 && events[0] == exchange.ContentConsignment
	if !whole || len(want) != 1 || events[len(events)-1] != want[0] {
		return fmt.Errorf("delivery %s is %s and has the receipts %v", d.ID, d.State, events)
	}
	return nil
}

// healthy runs "hub check" on the stopped hub. A full disk, or a clock that nobody
// keeps right, is not the hub's fault here.
func healthy(t *testing.T, s *site) {
	t.Helper()
	out, errOut, code := s.hub("check", "--json", "--config", s.config())
	var findings []finding
	must(t, json.Unmarshal([]byte(out), &findings))
	whole, warned := false, false
	for _, f := range findings {
		whole = whole || f.What == "record" && f.State == "ok"
		warned = warned || (f.What == "disk" || f.What == "clock") && f.State == "warning"
	}
	if !whole || (code != exitOK && (code != exitWarnings || !warned)) {
		t.Errorf("hub check: exit code %d\n%s%s", code, out, errOut)
	}
}
