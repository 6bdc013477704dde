package exchange_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// says submits statuses of an agency about a document of finance.
func (p *province) says(from, number string, codes ...string) (last exchange.Submission) {
	p.Helper()
	for _, code := range codes {
		p.clock.advance(time.Second)
		d := status(from, code, number)
		d.Sent = p.clock.Now() // a second status of a code is another package
		last = p.submit(from, signed(p, d))
	}
	return last
}

func history(d exchange.Delivery) string {
	text := ""
	for _, s := range d.Statuses {
		text += s.Code + string(s.Flag) + " "
	}
	return text
}

func TestTheFurthestStatusIsTheCurrentOne(t *testing.T) {
	t.Parallel()
	vault := newVault(t)
	for _, c := range []struct {
		name, current, history string
		codes                  []string
	}{
		{"in their order", "06", "01 03 04 05 06 ", []string{"01", "03", "04", "05", "06"}},
		{"some passed over", "05", "01 05jump ", []string{"01", "05"}},
		{"never arrived", "03", "03jump ", []string{"03"}},
		{"arrived after it was accepted", "03", "03jump 01late ", []string{"03", "01"}},
		{"repeated", "03", "01 03 ", []string{"01", "03", "01", "03", "03"}},
		{"refused", "02", "01 02 ", []string{"01", "02"}},
		{"refused, and accepted after that", "03", "02 03contrary ", []string{"02", "03"}},
		{"accepted, and refused after that", "06", "06jump 02contrary ", []string{"06", "02"}},
		{"agreed to nothing", "01", "01 15unasked ", []string{"01", "15", "15"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := provinceOn(t, vault)
			id := p.sent("1250", health)
			p.fetch(p.delivery(id, 1))
			p.says(health, "1250", c.codes...)
			d := p.delivery(id, 1)
			if d.CurrentStatus() != c.current || history(d) != c.history {
				t.Errorf("now %s after %s; want %s after %s", d.CurrentStatus(), history(d), c.current, c.history)
			}
		})
	}
}

// TestAStatusAnswersForItsRecipient: the receipt says what it rests on, and what
// that does not cover.
func TestAStatusAnswersForItsRecipient(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for _, c := range []struct {
		from, code, method string
		state              exchange.State
		event              exchange.Event
	}{
		{health, "03", exchange.BasisSignature, exchange.HandedOver, exchange.ContentHandover},
		{health, "06", exchange.BasisSignature, exchange.HandedOver, exchange.ContentHandover},
		{school, "05", exchange.BasisSystem, exchange.HandedOver, exchange.ContentHandover},
		{health, "02", exchange.BasisSignature, exchange.Rejected, exchange.ConsignmentRejection},
	} {
		number := "12" + c.code
		id := p.sent(number, c.from)
		p.fetch(p.delivery(id, 1))
		d := status(c.from, c.code, number)
		body := unsigned(t, d)
		if c.method == exchange.BasisSignature {
			body = signed(t, d)
		}
		s := p.submit(c.from, body)
		settled := p.inState(id, 1, c.state)
		e := p.evidence(id, settled.ID, c.event)
		by := must(p.ledger.Package(t.Context(), s.Package))
		want := exchange.StatusBasis{Code: c.code, Package: s.Package, Digest: by.Digest}
		if e.Basis.Method != c.method || e.Basis.Status != want || e.Receiver != "sys-"+c.from || len(e.Acknowledgement) > 0 {
			t.Errorf("%s: the receipt says %+v of %s", c.code, e.Basis, e.Receiver)
		}
		if c.code == "02" && (e.Reason != exchange.Refused || e.Detail != "ý kiến") {
			t.Errorf("refused for %s: %s", e.Reason, e.Detail)
		}
	}

	id := p.sent("1300", health)
	p.says(health, "1300", "01", "03") // of what it did not fetch
	p.inState(id, 1, exchange.Consigned)
	p.fetch(p.delivery(id, 1))
	p.says(health, "1300", "03") // noted before, and settles now
	if d := p.inState(id, 1, exchange.HandedOver); len(d.Statuses) != 2 {
		t.Errorf("statuses %s", history(d))
	}
}

func TestAStatusFindsItsDocument(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1251", health)
	p.sent("1250", ward)
	id := p.sent("1250/2", health)
	_ = id
	for _, c := range []struct {
		name, document, notation string
		date                     time.Time
		found                    bool
	}{
		{"by its identifier", documentID("1251"), "", time.Time{}, true},
		{"with hyphens in the date", finance + ",2026-11-20,1251/STC-NS", "", time.Time{}, true},
		{"by number and date", "VB-77", "1251/STC-NS", start, true},
		{"by number and date only", "", "1251/STC-NS", start, true},
		{"by a number of another day", "VB-77", "1251/STC-NS", start.AddDate(0, 0, 1), false},
		{"by a number that others have", "VB-77", "1250/STC-NS", start, false},
		{"by nothing that is known", "VB-78", "9/STC-NS", start, false},
	} {
		d := status(health, "01", "1251")
		d.Status.ID, d.Status.Notation, d.Status.Date, d.Status.Description = c.document, c.notation, c.date, c.name
		if c.notation == "" {
			d.Status.Notation, d.Status.Date = "7/ZZ", start
		}
		before, err := p.x.OrphanCount(t.Context())
		p.submit(health, signed(t, d))
		after := must(p.x.OrphanCount(t.Context()))
		if err != nil || (after == before) != c.found {
			t.Errorf("%s: %d parked, then %d (%v)", c.name, before, after, err)
		}
	}
}

// TestAStatusThatComesBeforeItsDocument is parked, seen by people, and noted when
// the document is there.
func TestAStatusThatComesBeforeItsDocument(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	s := p.says(health, "1250", "03")
	p.says(commune, "1250", "01") // will never get it
	list, _, err := p.x.Orphans(t.Context(), operator, "", 0)
	if err != nil || len(list) != 2 || list[0].ID != s.Package {
		t.Fatalf("parked are %v, %v", list, err)
	}
	_, _, err = p.x.Orphans(t.Context(), system(health), "", 0)
	refused(t, err, exchange.NotPermitted, "not-permitted")

	id := p.sent("1250", health)
	p.fetch(p.delivery(id, 1))
	for range 2 {
		if err := p.x.SweepOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d := p.inState(id, 1, exchange.HandedOver)
	if len(d.Statuses) != 1 || d.Statuses[0].Package != s.Package || d.SettledAt.Before(d.ConsignedAt) {
		t.Errorf("noted is %+v, settled at %v", d.Statuses, d.SettledAt)
	}
	if list, _, err = p.x.Orphans(t.Context(), operator, "", 0); err != nil || len(list) != 1 || list[0].Sender != commune {
		t.Errorf("parked are %v, %v", list, err)
	}
}

// TestARecallWaitsForWhoHasTheDocument, and their answer ends that.
func TestARecallWaitsForWhoHasTheDocument(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward, commune)
	for n := range 3 {
		p.fetch(p.delivery(id, n+1))
	}
	p.says(health, "1250", "01", "03", "05")
	at := p.clock.Now()
	s := p.submit(finance, signed(t, about(exchange.KindRecall, "1250", health, ward, commune)))
	p.work()
	for n := range 3 {
		d := p.delivery(id, n+1)
		if !d.WaitingSince().Equal(at) || len(d.Requests) != 1 || d.Requests[0].Package != s.Package || d.Requests[0].Kind != exchange.KindRecall {
			t.Errorf("%s is asked %+v", d.Recipient, d.Requests)
		}
	}
	p.says(health, "1250", "15")
	p.says(ward, "1250", "16")
	if d := p.inState(id, 1, exchange.HandedOver); d.CurrentStatus() != "15" || !d.TakenBack() || !d.WaitingSince().IsZero() {
		t.Errorf("agreed, and it is %s, waiting since %v", d.CurrentStatus(), d.WaitingSince())
	}
	if d := p.inState(id, 2, exchange.Consigned); d.CurrentStatus() != "" || d.TakenBack() || !d.WaitingSince().IsZero() {
		t.Errorf("not agreed, and it is %q, waiting since %v", d.CurrentStatus(), d.WaitingSince())
	}
	p.says(commune, "1250", "06")
	again := p.says(finance, "1250", "13") // after 06: the receiver decides; not to who gave it back
	var to []string
	for _, r := range must(p.ledger.Package(t.Context(), again.Package)).Recipients {
		to = append(to, r.Code)
	}
	if fmt.Sprint(to) != fmt.Sprint([]string{ward, commune}) {
		t.Errorf("the recall goes to %v", to)
	}
	p.says(commune, "1250", "15") // to the first
	if d := p.delivery(id, 3); len(d.Requests) != 2 || d.Requests[1].Answer != "" || !d.TakenBack() {
		t.Errorf("%s was asked %+v", d.Recipient, d.Requests)
	}
	p.says(commune, "1250", "16", "16") // to the second; once more to nothing
	if d := p.delivery(id, 3); d.Requests[1].Answer != "16" || history(d) != "06jump 15 16 " {
		t.Errorf("%s was asked %+v, and said %s", d.Recipient, d.Requests, history(d))
	}
}

// TestUpdatesAndRecallsInterleave: those of one agency meet those of another, and
// each answer goes to what it was asked first.
func TestUpdatesAndRecallsInterleave(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	p.fetch(p.delivery(id, 1))
	theirs := document("1250", ward) // another agency's document of the same number
	theirs.From = p.organ(health)
	other := p.submit(health, signed(t, theirs))
	p.work()

	update := updateOf("1250", health, commune)
	update.ID = "VB-2" // under an identifier of its own
	update.Added, update.Removed = []string{commune}, []string{ward}
	u := p.submit(finance, signed(t, update))
	p.work()
	p.withdrawn(id, 2, u.Package, exchange.ContentHandoverFailure)
	p.inState(u.Package, 2, exchange.Consigned) // gets it as new
	p.inState(other.Package, 1, exchange.Consigned)
	if d := p.delivery(id, 1); d.WaitingSince().IsZero() || d.Requests[0].Kind != exchange.KindUpdate {
		t.Errorf("asked %+v", d.Requests)
	}
	stolen := updateOf("1250", health)
	stolen.From = p.organ(ward)
	p.refuses(ward, signed(t, stolen), exchange.NotFound, "unknown-target")

	recall := about(exchange.KindRecall, "1250", health, commune)
	r := p.submit(finance, signed(t, recall)) // of the old identifier; the update goes too
	p.withdrawn(u.Package, 1, r.Package, exchange.ContentHandoverFailure)
	p.withdrawn(u.Package, 2, r.Package, exchange.ContentHandoverFailure)
	p.inState(other.Package, 1, exchange.Consigned)
	p.says(health, "1250", "16", "15")
	d := p.delivery(id, 1)
	if len(d.Requests) != 2 || d.Requests[0].Answer != "16" || d.Requests[1].Answer != "15" || !d.TakenBack() {
		t.Errorf("answered %+v", d.Requests)
	}
}

// TestARecallOfAnUpdateTakesTheFirstBackToo, whatever identifier it was sent under.
func TestARecallOfAnUpdateTakesTheFirstBackToo(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	update := updateOf("1250", health)
	update.ID = "VB-2"
	u := p.submit(finance, signed(t, update))
	p.work()
	recall := about(exchange.KindRecall, "1250", health)
	recall.ID, recall.Target = "VB-2", "VB-2"
	r := p.submit(finance, signed(t, recall))
	p.withdrawn(id, 1, r.Package, exchange.ContentHandoverFailure)
	p.withdrawn(u.Package, 1, r.Package, exchange.ContentHandoverFailure)
}

// TestAReplacementIsForTheRecipientsItNames: the others keep the old document.
func TestAReplacementIsForTheRecipientsItNames(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward, commune, school)
	p.fetch(p.delivery(id, 1))
	d := document("1268", health, ward, commune)
	d.Kind, d.Reason = exchange.KindReplace, "thay"
	d.Replaced = []edxml.Replaced{{ID: documentID("1250"), To: []string{"000.00.12.H12", ward}}}
	s := p.submit(finance, signed(t, d))
	old := p.inState(id, 1, exchange.Consigned)
	if len(old.Requests) != 1 || old.Requests[0].Kind != exchange.KindReplace || !old.WaitingSince().IsZero() {
		t.Errorf("%s is asked %+v", old.Recipient, old.Requests)
	}
	p.withdrawn(id, 2, s.Package, exchange.ContentHandoverFailure)
	p.inState(id, 3, exchange.Consigned)
	p.inState(id, 4, exchange.Consigned)
}

// TestTwoStatusesAtTheSameMoment are both kept: one of them settles.
func TestTwoStatusesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	p.fetch(p.delivery(id, 1))
	bodies := [][]byte{signed(t, status(health, "03", "1250")), signed(t, status(health, "05", "1250")), signed(t, status(health, "01", "1250"))}
	done := make(chan error)
	for _, body := range bodies {
		go func() {
			_, err := p.x.Submit(t.Context(), system(health), bytes.NewReader(body))
			done <- err
		}()
	}
	for range bodies {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	d := p.inState(id, 1, exchange.HandedOver)
	if len(d.Statuses) != 3 || d.CurrentStatus() != "05" {
		t.Errorf("statuses %s", history(d))
	}
}
