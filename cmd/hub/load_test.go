package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// load is what a province does to a hub all day, good clients and bad ones, and
// their own notes of it. They believe nothing but what was acknowledged to them.
type load struct {
	t          *testing.T
	s          *site
	seed       uint64
	senders    []*member
	recipients []*member
	verifier   note.Verifier
	origin     string
	// broken is set while the hub's disk is: then requests may end in an internal
	// error. It is never right otherwise.
	broken atomic.Bool

	working, sending context.Context
	stop, stopSend   context.CancelFunc
	workers, sends   sync.WaitGroup

	mu        sync.Mutex
	letters   map[string]letter                        // by document, all that were sent
	order     map[string][]string                      // by sender, their documents
	accepted  map[string]exchange.Submission           // by document
	seen      map[string]exchange.PackageID            // by recipient and document
	answered  map[exchange.DeliveryID]exchange.Receipt // receipts of answers
	quarrels  map[exchange.DeliveryID]bool             // answered in two ways at once
	trees     []tlog.Tree                              // that checkpoints committed to
	steered   map[exchange.DeliveryID]string           // operators' verbs that were acknowledged, the last
	announced map[exchange.DeliveryID]int              // how often
	counts    tally
	problems  []string
}

// tally is what a load came to.
type tally struct {
	Packages, Resubmissions, Answers, Checkpoints, Steered int
	Lost                                                   int // answers of the hub that did not come
	Full                                                   int // "no-space"
	Drafts                                                 int // that were in the vault at the crashes
}

func (t *tally) add(o tally) {
	t.Packages += o.Packages
	t.Resubmissions += o.Resubmissions
	t.Answers += o.Answers
	t.Checkpoints += o.Checkpoints
	t.Steered += o.Steered
	t.Lost += o.Lost
	t.Full += o.Full
	t.Drafts += o.Drafts
}

type letter struct {
	from  *member
	bytes []byte
	to    int
}

// silent is an agency that never answers: its deliveries expire.
const silent = "H12.66"

func newLoad(t *testing.T, s *site, seed uint64) *load {
	l := &load{t: t, s: s, seed: seed, letters: map[string]letter{}, order: map[string][]string{}, accepted: map[string]exchange.Submission{},
		seen: map[string]exchange.PackageID{}, answered: map[exchange.DeliveryID]exchange.Receipt{},
		quarrels: map[exchange.DeliveryID]bool{}, steered: map[exchange.DeliveryID]string{}, announced: map[exchange.DeliveryID]int{}}
	for _, code := range []string{"H12.51", "H12.52", "H12.53"} {
		l.senders = append(l.senders, s.join(code))
	}
	for _, code := range []string{"H12.61", "H12.62", "H12.63"} {
		l.recipients = append(l.recipients, s.join(code))
	}
	s.join(silent)
	for n, answer := range liars() {
		l.recipients = append(l.recipients, s.join(fmt.Sprintf("H12.7%d", n), func(a *exchange.Agency) {
			a.Mode, a.Webhook = exchange.Push, s.listenerThat(l.hearing(answer))
		}))
	}
	keys, err := s.admin.Keys(t.Context())
	must(t, err)
	l.origin = keys.Origin
	l.verifier, err = note.NewVerifier(keys.LogKey)
	must(t, err)
	return l
}

// hearing notes which delivery is announced before it is answered.
func (l *load) hearing(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, known := strings.CutPrefix(r.Header.Get("Webhook-Id"), "dlv_"); known {
			l.mu.Lock()
			l.announced[exchange.DeliveryID(strings.ReplaceAll(id, "_", "."))]++
			l.mu.Unlock()
		}
		answer.ServeHTTP(w, r)
	})
}

// liars are agencies' servers that do not do what they should: one fails now and
// then, one sends the hub elsewhere, one breaks off its answer, one lets the hub
// wait and takes notice after all.
func liars() []http.Handler {
	var n atomic.Int64
	return []http.Handler{
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader([]int{http.StatusInternalServerError, http.StatusNoContent}[n.Add(1)%2])
		}),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }),
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = c.Write([]byte("HTTP/1.1 20"))
				_ = c.Close()
			}
		}),
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
			w.WriteHeader(http.StatusNoContent)
		}),
	}
}

func (l *load) begin() {
	l.working, l.stop = context.WithCancel(l.t.Context())
	l.sending, l.stopSend = context.WithCancel(l.working)
	for i, m := range l.senders {
		l.sends.Go(func() { l.send(m, l.chance(100+i)) })
	}
	for i, m := range l.recipients {
		l.workers.Go(func() { l.receive(m, l.chance(200+i)) })
	}
	l.workers.Go(l.observe)
	l.workers.Go(func() { l.operate(l.chance(300)) })
	l.sends.Go(func() { l.vanish(l.chance(400)) })
}

// chance is the dice of one client.
func (l *load) chance(client int) *rand.Rand { return rand.New(rand.NewPCG(l.seed, uint64(client))) }

// problem is something that must not be.
func (l *load) problem(format string, args ...any) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problemLocked(format, args...)
}

func (l *load) problemLocked(format string, args ...any) {
	l.t.Helper()
	said := fmt.Sprintf(format, args...)
	l.problems = append(l.problems, said)
	l.t.Error(said)
}

// pause waits a while, or less if the work ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ruleOf is the rule of a refusal, "" for anything else.
func ruleOf(err error) (rule string) {
	var refused *httpclient.Problem
	if errors.As(err, &refused) {
		rule = refused.Rule
	}
	return rule
}

// failed notes a lost answer, and sees whether that is what it was. A refusal is
// not, unless the hub is busy.
func (l *load) failed(ctx context.Context, doing string, err error) {
	if ctx.Err() != nil {
		return
	}
	var refused *httpclient.Problem
	var wrong *httpclient.DigestError
	isRefused := errors.As(err, &refused)
	allowed := !isRefused || refused.Rule == "" /* its text was lost */ || refused.Code == exchange.Busy || (refused.Code == exchange.Internal && l.broken.Load())
	if errors.As(err, &wrong) || !allowed {
		l.problem("%s: %v", doing, err)
	}
	l.mu.Lock()
	l.counts.Lost++
	if isRefused && refused.Rule == "no-space" {
		l.counts.Full++
	}
	l.mu.Unlock()
	pause(ctx, 20*time.Millisecond)
}

// write makes a sender's next letter.
func (l *load) write(m *member, dice *rand.Rand) string {
	l.mu.Lock()
	n := len(l.order[m.code])
	l.mu.Unlock()
	to := []string{l.recipients[dice.IntN(3)].code, l.recipients[3+dice.IntN(len(l.recipients)-3)].code}
	if n%10 == 0 {
		to = append(to, silent)
	}
	size := 2000
	if n%5 == 0 {
		size = 100_000 // does not stay in memory
	}
	d := m.letter(n+1, size, to...)
	d.ID = fmt.Sprintf("%s,2026/11/23,%d/TN", m.code, n+1)
	signed := m.signed(l.t, d)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order[m.code] = append(l.order[m.code], d.ID)
	l.letters[d.ID] = letter{m, signed, len(to)}
	return d.ID
}

// send submits an agency's letters, each until it is acknowledged, and earlier
// ones again.
func (l *load) send(m *member, dice *rand.Rand) {
	for l.sending.Err() == nil {
		document := l.write(m, dice)
		for l.sending.Err() == nil && !l.submit(l.sending, document) {
		}
		if dice.IntN(3) == 0 {
			l.mu.Lock()
			earlier := l.order[m.code][dice.IntN(len(l.order[m.code]))]
			l.mu.Unlock()
			l.submit(l.sending, earlier)
		}
		pause(l.sending, time.Duration(dice.Int64N(int64(15*time.Millisecond))))
	}
}

func (l *load) submit(ctx context.Context, document string) bool {
	l.mu.Lock()
	p := l.letters[document]
	first, before := l.accepted[document]
	l.mu.Unlock()
	done, err := p.from.submit(ctx, p.bytes)
	if err != nil {
		l.failed(ctx, "submitting "+document, err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !before {
		l.accepted[document] = done
		l.counts.Packages++
		return true
	}
	l.counts.Resubmissions++
	if !done.Resubmitted || !bytes.Equal(done.Receipt.Raw, first.Receipt.Raw) {
		l.problemLocked("%s was acknowledged with receipt %s and, submitted again, with %s", document, first.Receipt.ID, done.Receipt.ID)
	}
	return true
}

// pending are documents that got no answer: nobody knows whether the hub has
// them.
func (l *load) pending() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for document := range l.letters {
		if _, done := l.accepted[document]; !done {
			list = append(list, document)
		}
	}
	slices.Sort(list)
	return list
}

// receive fetches and answers what comes, and answers some of it once more.
func (l *load) receive(m *member, dice *rand.Rand) {
	for l.working.Err() == nil {
		page, err := m.hub.Inbox(l.working, m.code, "", 20, time.Second)
		if err != nil {
			l.failed(l.working, "reading the inbox of "+m.code, err)
			continue
		}
		for _, item := range page.Items {
			if l.working.Err() != nil {
				return
			}
			l.sawOne(m, item)
			l.meet(m, item, dice)
		}
	}
}

// meet is what a recipient does with a delivery; not all of it is right.
func (l *load) meet(m *member, item exchange.InboxItem, dice *rand.Rand) {
	switch dice.IntN(12) {
	case 0:
		l.lie(m, item)
	case 1:
		l.quarrel(m, item)
	case 2:
		_ = m.hub.Fetch(l.working, item, &leaving{after: dice.IntN(5000)}) // it leaves while it reads
	case 3: // it has no time today
	default:
		if l.take(m, item) && dice.IntN(5) == 0 {
			l.take(m, item)
		}
	}
}

// leaving is a reader that is slow, and goes before the end.
type leaving struct{ after int }

func (w *leaving) Write(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	if w.after -= len(p); w.after < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

// usual is the answer that a document gets, always the same.
func usual(document string) (exchange.Outcome, string, exchange.Event) {
	if document[len(document)-4] == '7' {
		return exchange.AnswerRefused, "gửi nhầm", exchange.ConsignmentRejection
	}
	return exchange.AnswerAccepted, "", exchange.ContentHandover
}

func (l *load) take(m *member, item exchange.InboxItem) bool {
	if _, err := m.fetch(l.working, item); err != nil {
		l.missed("fetching "+string(item.Delivery.ID), err)
		return false
	}
	outcome, reason, event := usual(item.Package.DocumentID)
	ack, err := m.answer(item, outcome, reason)
	must(l.t, err)
	receipt, _, err := m.hub.Acknowledge(l.working, item.Delivery.ID, ack)
	if err != nil {
		l.missed("answering "+string(item.Delivery.ID), err)
		return false
	}
	if receipt.Event != event && !l.quarrelled(item.Delivery.ID) {
		l.problem("the answer to %s is acknowledged as %s", item.Delivery.ID, receipt.Event)
	}
	l.noteAnswer(item.Delivery.ID, receipt)
	return true
}

func (l *load) quarrelled(id exchange.DeliveryID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quarrels[id]
}

func (l *load) noteAnswer(id exchange.DeliveryID, receipt exchange.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if receipt.Delivery != id {
		l.problemLocked("the answer to %s is acknowledged with a receipt of %s", id, receipt.Delivery)
	}
	if first, before := l.answered[id]; before && !bytes.Equal(first.Raw, receipt.Raw) {
		l.problemLocked("delivery %s has two receipts of its answer, %s and %s", id, first.ID, receipt.ID)
	}
	l.answered[id] = receipt
	l.counts.Answers++
}

// lie answers for other bytes than those that were delivered; nobody may believe
// it.
func (l *load) lie(m *member, item exchange.InboxItem) {
	item.Package.Digest[0]++
	ack, err := m.answer(item, exchange.AnswerAccepted, "")
	must(l.t, err)
	receipt, _, err := m.hub.Acknowledge(l.working, item.Delivery.ID, ack)
	if err == nil {
		l.problem("delivery %s was handed over for other bytes: receipt %s", item.Delivery.ID, receipt.ID)
	}
	var refused *httpclient.Problem
	if errors.As(err, &refused) && refused.Code == exchange.InvalidAcknowledgement {
		return
	}
	l.missed("lying about "+string(item.Delivery.ID), err)
}

// quarrel gives two answers at once; one may count.
func (l *load) quarrel(m *member, item exchange.InboxItem) {
	l.mu.Lock()
	l.quarrels[item.Delivery.ID] = true
	l.mu.Unlock()
	var both sync.WaitGroup
	for _, outcome := range []exchange.Outcome{exchange.AnswerAccepted, exchange.AnswerRefused} {
		ack, err := m.answer(item, outcome, map[exchange.Outcome]string{exchange.AnswerRefused: "hai lời"}[outcome])
		must(l.t, err)
		both.Go(func() {
			receipt, _, err := m.hub.Acknowledge(l.working, item.Delivery.ID, ack)
			if err != nil {
				l.missed("answering "+string(item.Delivery.ID)+" in two ways", err)
				return
			}
			l.noteAnswer(item.Delivery.ID, receipt)
		})
	}
	both.Wait()
}

// missed is a step of a recipient that came to nothing. Its delivery may have
// ended meanwhile, or the other of two answers counts; nothing else may be in
// the way.
func (l *load) missed(doing string, err error) {
	if rule := ruleOf(err); rule == "final-state" || rule == "held" || rule == "other-answer" {
		return
	}
	l.failed(l.working, doing, err)
}

func (l *load) sawOne(m *member, item exchange.InboxItem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := m.code + " " + item.Package.DocumentID
	if before, known := l.seen[key]; known && before != item.Package.ID {
		l.problemLocked("%s sees document %s as package %s and as %s", m.code, item.Package.DocumentID, before, item.Package.ID)
	}
	l.seen[key] = item.Package.ID
	if item.Delivery.Package != item.Package.ID || item.Delivery.Recipient != m.code {
		l.problemLocked("%s finds delivery %s of package %s to %s in its inbox", m.code, item.Delivery.ID, item.Package.ID, item.Delivery.Recipient)
	}
}

// operate is an operator who steers deliveries here and there.
func (l *load) operate(dice *rand.Rand) {
	for l.working.Err() == nil {
		pause(l.working, 50*time.Millisecond)
		page, err := l.s.admin.Deliveries(l.working, exchange.DeliveryQuery{State: []exchange.State{exchange.Queued, exchange.Held, exchange.Consigned}[dice.IntN(3)], Limit: 5})
		if err != nil {
			l.failed(l.working, "listing deliveries", err)
			continue
		}
		for _, d := range page.Deliveries {
			l.steer(d, dice.IntN(4))
		}
	}
}

func (l *load) steer(d exchange.Delivery, n int) {
	verbs := []string{"hold", "release", "retry", "cancel"}
	act := []func(context.Context, exchange.DeliveryID, string) (exchange.Delivery, error){l.s.admin.Hold, l.s.admin.Release, l.s.admin.Retry, l.s.admin.Cancel}[n]
	if _, err := act(l.working, d.ID, "theo yêu cầu"); err != nil {
		if rule := ruleOf(err); rule != "wrong-state" && rule != "held" && rule != "final-state" && rule != "changed-meanwhile" {
			l.failed(l.working, verbs[n]+" "+string(d.ID), err)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steered[d.ID] = verbs[n]
	l.counts.Steered++
}

// vanish is a client that goes in the middle of what it sends.
func (l *load) vanish(dice *rand.Rand) {
	m := l.senders[0]
	d := m.letter(1, 200_000, l.recipients[0].code)
	d.ID = "vanished"
	whole := m.signed(l.t, d)
	for l.sending.Err() == nil {
		part := bytes.NewReader(whole[:dice.IntN(len(whole)-1)])
		if _, err := m.hub.Submit(l.sending, &halting{part}, int64(len(whole))); err == nil {
			l.problem("a package was accepted that did not come whole")
		}
		pause(l.sending, time.Duration(dice.Int64N(int64(100*time.Millisecond))))
	}
}

// halting fails where another reader ends.
type halting struct{ r *bytes.Reader }

func (h *halting) Read(p []byte) (int, error) {
	if h.r.Len() == 0 {
		return 0, errors.New("gone")
	}
	return h.r.Read(p)
}

// observe is an auditor: it keeps every checkpoint it sees.
func (l *load) observe() {
	auditor := l.s.client("", "")
	for l.working.Err() == nil {
		if signed, err := auditor.Checkpoint(l.working); err == nil {
			l.noteTree(signed)
		}
		pause(l.working, 30*time.Millisecond)
	}
}

func (l *load) noteTree(signed []byte) tlog.Tree {
	tree, err := exchange.ParseCheckpoint(signed, l.origin, l.verifier)
	if err != nil {
		l.problem("a checkpoint: %v", err)
		return tree
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.trees); n == 0 || l.trees[n-1] != tree {
		l.trees = append(l.trees, tree)
		l.counts.Checkpoints++
	}
	return tree
}

// notes is what must be so at a moment: copies, for the load goes on.
type notes struct {
	letters   map[string]letter
	accepted  map[string]exchange.Submission
	answered  map[exchange.DeliveryID]exchange.Receipt
	steered   map[exchange.DeliveryID]string
	announced map[exchange.DeliveryID]int
	trees     []tlog.Tree
}

func (l *load) notes() notes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return notes{maps.Clone(l.letters), maps.Clone(l.accepted), maps.Clone(l.answered), maps.Clone(l.steered), maps.Clone(l.announced), slices.Clone(l.trees)}
}
