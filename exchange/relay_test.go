package exchange_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// Agencies of another axis.
const (
	ministry = "G14.04" // nobody has it in the directory
	quarter  = "H49.02" // neither
)

var (
	errOutOfReach = exchange.Rule{Name: "axis-unreachable", Code: exchange.Unreachable, En: "axis away", Vi: "trục không liên lạc được"}.With()
	errNotFor     = exchange.Rule{Name: "axis-refused", Code: exchange.Refused, En: "axis refuses", Vi: "trục từ chối"}.With()
)

// another is an axis that keeps what it is sent by its digest, as axes do, and
// fails as the test says.
type another struct {
	mu      sync.Mutex
	sends   int
	to      map[string][]string // recipients by identifier
	ids     map[[32]byte]string
	fail    error // of Send
	lost    bool  // Send takes the package, and its answer is lost
	waits   map[bool][]exchange.Parcel
	content map[string][]byte
	broken  map[string]bool // content that breaks off
	marks   map[string]string
	rows    []exchange.Progress
	fetched []string
}

func newAnother() *another {
	return &another{to: map[string][]string{}, ids: map[[32]byte]string{}, waits: map[bool][]exchange.Parcel{}, content: map[string][]byte{}, broken: map[string]bool{}, marks: map[string]string{}}
}

func (a *another) Send(_ context.Context, p exchange.Package, to []string, content io.Reader) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sends++
	if a.fail != nil {
		return "", a.fail
	}
	all, err := io.ReadAll(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(all)
	if exchange.Digest(sum) != p.Digest {
		return "", errors.New("other bytes than were accepted")
	}
	if a.ids[sum] == "" {
		a.ids[sum] = fmt.Sprintf("doc-%d", len(a.ids)+1)
	}
	a.to[a.ids[sum]] = to
	if a.lost {
		return "", errOutOfReach
	}
	return a.ids[sum], nil
}

func (a *another) Waiting(_ context.Context, statuses bool) (list []exchange.Parcel, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.waits[statuses] {
		if a.marks[p.ID] != "done" {
			list = append(list, p)
		}
	}
	return list, nil
}

func (a *another) Fetch(_ context.Context, id string) (io.ReadCloser, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fetched = append(a.fetched, id)
	content, found := a.content[id]
	if !found {
		return nil, errNotFor
	}
	if a.broken[id] {
		return io.NopCloser(io.MultiReader(bytes.NewReader(content[:len(content)/2]), iotest.ErrReader(errOutOfReach))), nil
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (a *another) mark(id, as string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks[id] = as
	return nil
}

func (a *another) Done(_ context.Context, id string) error { return a.mark(id, "done") }
func (a *another) Fail(_ context.Context, id string) error { return a.mark(id, "fail") }

func (a *another) Sent(context.Context, bool, time.Time) ([]exchange.Progress, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rows, nil
}

// offers puts a parcel there.
func (a *another) offers(id string, statuses bool, content []byte) {
	a.waits[statuses] = append(a.waits[statuses], exchange.Parcel{ID: id})
	if content != nil {
		a.content[id] = content
	}
}

// beside is a province with an axis beside it, which serves all codes but the
// province's.
func beside(t *testing.T) (*province, *another) {
	t.Helper()
	p, a := newProvince(t), newAnother()
	p.relayTo(a)
	return p, a
}

func (p *province) relayTo(a *another) {
	p.Helper()
	c := p.config()
	c.Upstreams = []exchange.Upstream{{Name: "quoc-gia", Prefixes: []string{"*"}, Except: []string{"H12"}, Relay: a}}
	p.x = must(exchange.New(c))
}

func (p *province) poll() {
	p.Helper()
	if err := p.x.Poll(p.Context(), "quoc-gia"); err != nil {
		p.Error(err)
	}
}

// of is a package of any sender, not signed.
func of(sender, number string, to ...string) edxml.Document {
	d := document(number, to...)
	d.From = edxml.Organ{Code: sender, Name: sender}
	return d
}

// TestAPackageGoesOnceToAnotherAxis has local and remote recipients.
func TestAPackageGoesOnceToAnotherAxis(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	id := p.sent("1", health, ministry, "000.00.02.H49")
	if axis.sends != 1 || !slices.Equal(axis.to["doc-1"], []string{ministry, "000.00.02.H49"}) {
		t.Errorf("sent %d times, to %v", axis.sends, axis.to)
	}
	for n := range 3 {
		d := p.inState(id, n+1, exchange.Consigned)
		event := exchange.ContentConsignment
		if n > 0 {
			event = exchange.RelayAcceptance
		}
		if e := p.evidence(id, d.ID, event); n > 0 && (e.Upstream != "quoc-gia" || e.UpstreamID != "doc-1") {
			t.Errorf("the receipt says it went to %q as %q", e.Upstream, e.UpstreamID)
		}
	}
	if _, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signed(t, document("2", "H12.99")))); exchange.CodeOf(err) != exchange.UnknownAgency {
		t.Errorf("a code of the province that nobody has: %v", err)
	}
	a, err := p.x.Agency(t.Context(), ministry)
	if err != nil || a.Mode != exchange.Relayed || a.Upstream != "quoc-gia" || a.Version != 1 {
		t.Errorf("the directory has %+v, %v", a, err)
	}
}

// TestWhatAnAxisAnswers walks each way that a relayed delivery can end.
func TestWhatAnAxisAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		do    func(*province, *another)
		state exchange.State
		event exchange.Event
	}{
		{"accepted by a status", func(p *province, a *another) {
			a.offers("s-1", true, unsigned(p, status(ministry, "03", "1")))
			p.poll()
		}, exchange.HandedOver, exchange.ContentHandover},
		{"refused by a status", func(p *province, a *another) {
			a.offers("s-1", true, unsigned(p, status(ministry, "02", "1")))
			p.poll()
		}, exchange.Rejected, exchange.ConsignmentRejection},
		{"taken over by its software", func(p *province, a *another) {
			a.rows = []exchange.Progress{{ID: "doc-1", To: ministry, State: exchange.MailDone, Words: "Đã nhận"}}
			p.poll()
		}, exchange.HandedOver, exchange.ContentHandover},
		{"refused, as the axis says", func(p *province, a *another) {
			a.rows = []exchange.Progress{{ID: "doc-1", To: ministry, State: exchange.MailDone, Words: "02: sai nơi nhận"}}
			p.poll()
		}, exchange.Rejected, exchange.ConsignmentRejection},
		{"of no use to the axis", func(p *province, a *another) {
			a.rows = []exchange.Progress{{ID: "doc-1", To: ministry, Undelivered: true, State: exchange.MailFail, Words: "không có trong danh bạ"}}
			p.poll()
		}, exchange.Failed, exchange.ContentHandoverFailure},
		{"never answered", func(p *province, _ *another) {
			p.clock.advance(8 * 24 * time.Hour)
			p.work()
		}, exchange.Failed, exchange.AcceptanceRejectionExpiry},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, axis := beside(t)
			id := p.sent("1", ministry)
			d := p.inState(id, 1, exchange.Consigned)
			test.do(p, axis)
			p.inState(id, 1, test.state)
			p.evidence(id, d.ID, test.event)
		})
	}
}

// TestAnAxisThatRefusesOrIsAway: the one is final, the other is tried again until
// the deadline.
func TestAnAxisThatRefusesOrIsAway(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	axis.fail = errNotFor
	id := p.sent("1", ministry)
	d := p.inState(id, 1, exchange.Failed)
	if e := p.evidence(id, d.ID, exchange.RelayRejection); e.Reason != exchange.Refused || e.Detail == "" {
		t.Errorf("the receipt says %s: %q", e.Reason, e.Detail)
	}
	axis.fail = errOutOfReach
	axis.sends = 0
	first, second := p.sent("2", ministry), p.sent("3", ministry, health)
	p.inState(second, 2, exchange.Consigned) // local ones wait for nobody
	if axis.sends != 1 {
		t.Errorf("%d packages tried an axis that is away at the same moment", axis.sends)
	}
	if d := p.inState(first, 1, exchange.Queued); d.Attempts != 1 || d.Detail == "" {
		t.Errorf("after an attempt: %+v", d)
	}
	states, err := p.x.RelayStates(t.Context())
	if err != nil || len(states) != 1 || states[0].Queued != 2 || states[0].Up() {
		t.Errorf("told of it: %+v, %v", states, err)
	}
	p.clock.advance(2 * time.Minute)
	axis.fail = nil
	p.work()
	p.inState(second, 1, exchange.Consigned)
	axis.fail = errOutOfReach
	third := p.sent("4", ministry)
	p.clock.advance(8 * 24 * time.Hour)
	p.work()
	d = p.inState(third, 1, exchange.Failed)
	if e := p.evidence(third, d.ID, exchange.RelayFailure); e.Reason != exchange.Unreachable {
		t.Errorf("the receipt says %s", e.Reason)
	}
}

// TestAnAnswerThatIsLost has the package sent again: the axis knows it.
func TestAnAnswerThatIsLost(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	axis.lost = true
	id := p.sent("1", ministry, quarter)
	p.inState(id, 1, exchange.Queued)
	p.submit(finance, signed(t, about(exchange.KindRecall, "1", ministry, quarter)))
	p.inState(id, 1, exchange.Queued) // it may be there: it is not withdrawn unseen
	axis.lost = false
	p.clock.advance(2 * time.Minute)
	p.work()
	for n := range 2 {
		if d := p.inState(id, n+1, exchange.Consigned); d.UpstreamID != "doc-1" {
			t.Errorf("the axis calls it %q", d.UpstreamID)
		}
	}
	p.clock.advance(2 * time.Minute)
	p.work()
	if len(axis.ids) != 2 {
		t.Errorf("the axis has %d packages, want the document and its recall", len(axis.ids))
	}
}

// TestARecallFollowsItsDocument lets neither pass the other on the way.
func TestARecallFollowsItsDocument(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	axis.fail = errOutOfReach
	id := p.sent("1", ministry)
	recall := p.submit(finance, signed(t, about(exchange.KindRecall, "1", ministry)))
	axis.fail = nil
	p.clock.advance(61 * time.Second) // the axis is tried again, and the recall is due first
	_ = p.x.Deliver(t.Context(), exchange.NewDeliveryID(recall.Package, 1))
	if d := p.inState(recall.Package, 1, exchange.Queued); len(axis.ids) != 0 || d.Attempts != 1 {
		t.Errorf("the recall went before its document: %+v", d)
	}
	p.clock.advance(time.Hour)
	p.work()
	p.work()
	p.clock.advance(time.Hour)
	p.work()
	p.inState(id, 1, exchange.Consigned)
	p.inState(recall.Package, 1, exchange.Consigned)
}

// TestWhatComesFromAnotherAxis is taken in once, and answered; what is refused
// keeps nothing back.
func TestWhatComesFromAnotherAxis(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	axis.offers("spoofed", false, signed(t, of(health, "7", finance), health))
	axis.offers("missing", false, nil)
	axis.offers("broken", false, unsigned(t, of(ministry, "8", finance)))
	axis.broken["broken"] = true
	axis.offers("onward", false, unsigned(t, of(ministry, "9", quarter)))
	axis.offers("rubbish", false, []byte("<a/>"))
	good := unsigned(t, of(ministry, "10", finance, quarter))
	axis.offers("good", false, good)
	p.poll()
	want := map[string]string{"spoofed": "fail", "onward": "fail", "rubbish": "fail", "good": "done"}
	if fmt.Sprint(axis.marks) != fmt.Sprint(want) {
		t.Errorf("marked %v, want %v", axis.marks, want)
	}
	axis.fetched = nil
	axis.broken["broken"] = false
	p.clock.advance(6 * time.Minute)
	p.poll()
	if axis.marks["broken"] != "done" || !slices.Equal(axis.fetched, []string{"broken"}) {
		t.Errorf("the next poll fetched %v, and marked %v", axis.fetched, axis.marks)
	}
	inbox := must(p.x.Inbox(t.Context(), system(finance), finance, "", 0, 0))
	p.work()
	inbox = must(p.x.Inbox(t.Context(), system(finance), finance, "", 0, 0))
	if len(inbox.Items) != 2 {
		t.Fatalf("%d packages came", len(inbox.Items))
	}
	if got := p.fetch(inbox.Items[0].Delivery); !bytes.Equal(got, good) {
		t.Error("it came with other bytes")
	}
	if axis.sends != 0 {
		t.Error("something went back to where it came from")
	}
	states := must(p.x.Relays(t.Context(), operator))
	var aside []string
	for _, s := range states[0].Aside {
		aside = append(aside, s.ID)
		if s.ID == "spoofed" && !strings.Contains(s.Reason, "does not speak for") {
			t.Errorf("%s is aside because %s", s.ID, s.Reason)
		}
	}
	slices.Sort(aside)
	if !slices.Equal(aside, []string{"missing", "onward", "rubbish", "spoofed"}) || !states[0].Up() {
		t.Errorf("operators see %+v", states)
	}
	axis.offers("again", false, good)
	p.poll()
	if axis.marks["again"] != "done" {
		t.Errorf("the same once more is marked %q", axis.marks["again"])
	}
}

// TestAnAnswerToAnotherAxis brings a status back to where the document came from.
func TestAnAnswerToAnotherAxis(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	axis.offers("d", false, unsigned(t, of(ministry, "10", finance)))
	p.poll()
	p.work()
	answer := status(finance, "03", "10")
	answer.Status.To, answer.Status.ID = ministry, strings.Replace(documentID("10"), finance, ministry, 1)
	s := p.submit(finance, signed(t, answer))
	p.work()
	d := p.inState(s.Package, 1, exchange.Consigned)
	if d.Upstream != "quoc-gia" || len(axis.ids) != 1 {
		t.Errorf("the status is at %q", d.Upstream)
	}
}

// TestWhatComesBack is a package of this hub that another axis brings again.
func TestWhatComesBack(t *testing.T) {
	t.Parallel()
	p, axis := beside(t)
	body := signed(t, document("1", health, ministry))
	id := p.submit(finance, body).Package
	p.work()
	axis.offers("mine", false, body)
	p.poll()
	if axis.marks["mine"] != "done" || axis.sends != 1 {
		t.Errorf("it is marked %q, and was sent %d times", axis.marks["mine"], axis.sends)
	}
	if all := must(p.x.Receipts(t.Context(), operator, id)); len(all) != 3 {
		t.Errorf("%d receipts", len(all))
	}
}

// TestNobodyHereSpeaksForAnotherAxis holds systems of this hub off.
func TestNobodyHereSpeaksForAnotherAxis(t *testing.T) {
	t.Parallel()
	p, _ := beside(t)
	_, err := p.x.Submit(t.Context(), system(ministry), bytes.NewReader(unsigned(t, of(ministry, "1", finance))))
	refused(t, err, exchange.NotPermitted, "system-not-for-agency")
	p.sent("1", ministry)
	if _, err := p.x.PutSystem(t.Context(), administrator, *system(ministry).System); exchange.CodeOf(err) != exchange.Malformed {
		t.Errorf("a system for it: %v", err)
	}
}

// TestRoutes are by the closest prefix, in both forms of codes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	p, all, near := newProvince(t), newAnother(), newAnother()
	c := p.config()
	c.Upstreams = []exchange.Upstream{
		{Name: "all", Prefixes: []string{"*"}, Except: []string{"H12", "H50.01"}, Relay: all},
		{Name: "near", Prefixes: []string{"H49", "H50"}, Except: []string{"H49.02"}, Relay: near},
	}
	p.x = must(exchange.New(c))
	for code, want := range map[string]string{"G14": "all", "H49": "near", "H49.01": "near", "H48": "all", "H49.02": "all", "000.00.01.H49": "near",
		"000.05.02.H49": "all", "H50.01": "near", "H12.99": "", "000.00.99.H12": ""} {
		s, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signed(t, document(strings.ReplaceAll(code, ".", ""), code))))
		if want == "" {
			if exchange.CodeOf(err) != exchange.UnknownAgency {
				t.Errorf("%s: %v", code, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p.work()
		if d := p.inState(s.Package, 1, exchange.Consigned); d.Upstream != want {
			t.Errorf("%s went to %q, want %q", code, d.Upstream, want)
		}
	}
}
