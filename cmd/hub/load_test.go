package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// load is what a province does to a hub all day, and its own notes of it.
type load struct {
	t          *testing.T
	s          *site
	senders    []*member
	recipients []*member
	letters    map[string][]letter // by sender, signed beforehand
	verifier   note.Verifier
	origin     string

	working, sending context.Context
	stop, stopSend   context.CancelFunc
	workers, sends   sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]exchange.Submission        // by document
	pending  map[string]bool                       // sent, and no answer yet
	seen     map[string]exchange.PackageID         // by recipient and document
	answered map[exchange.DeliveryID]answerAndItem // receipts of answers
	trees    []tlog.Tree                           // that checkpoints committed to
	lost     int                                   // answers that did not come
	drafts   int                                   // that were in the vault at the crashes
}

type letter struct {
	document string
	bytes    []byte
	to       int
}

type answerAndItem struct {
	receipt []byte
	event   exchange.Event
}

// silent is an agency that never answers: its deliveries expire.
const silent = "H12.66"

func newLoad(t *testing.T, s *site, letters int) *load {
	l := &load{t: t, s: s, letters: map[string][]letter{}, accepted: map[string]exchange.Submission{}, pending: map[string]bool{},
		seen: map[string]exchange.PackageID{}, answered: map[exchange.DeliveryID]answerAndItem{}}
	for _, code := range []string{"H12.51", "H12.52", "H12.53"} {
		l.senders = append(l.senders, s.join(code))
	}
	for _, code := range []string{"H12.61", "H12.62", "H12.63"} {
		l.recipients = append(l.recipients, s.join(code))
	}
	s.join(silent)
	for _, m := range l.senders {
		for n := range letters {
			to := []string{l.recipients[n%3].code, l.recipients[(n+1)%3].code}
			if n%10 == 0 {
				to = append(to, silent)
			}
			size := 2000
			if n%5 == 0 {
				size = 100_000 // does not stay in memory
			}
			d := m.letter(n+1, size, to...)
			d.ID = fmt.Sprintf("%s,2026/11/23,%d/TN", m.code, n+1)
			l.letters[m.code] = append(l.letters[m.code], letter{d.ID, m.signed(t, d), len(to)})
		}
	}
	keys, err := s.admin.Keys(t.Context())
	must(t, err)
	l.origin = keys.Origin
	l.verifier, err = note.NewVerifier(keys.LogKey)
	must(t, err)
	return l
}

func (l *load) begin(seed uint64) {
	l.working, l.stop = context.WithCancel(l.t.Context())
	l.sending, l.stopSend = context.WithCancel(l.working)
	for i, m := range l.senders {
		l.sends.Go(func() { l.send(m, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
	}
	for i, m := range l.recipients {
		l.workers.Go(func() { l.receive(m, rand.New(rand.NewPCG(seed, uint64(200+i)))) })
	}
	l.workers.Go(l.observe)
}

// end lets everything that was begun come to its end.
func (l *load) end() {
	l.stopSend()
	l.sends.Wait()
	l.finishSubmissions()
	deadline := time.Now().Add(40 * time.Second)
	for l.open() > 0 {
		if time.Now().After(deadline) {
			l.t.Fatalf("%d deliveries reach no final state", l.open())
		}
		time.Sleep(100 * time.Millisecond)
	}
	l.stop()
	l.workers.Wait()
	l.t.Logf("%d packages accepted, %d answers given, %d checkpoints seen, %d answers of the hub lost, %d drafts left by crashes",
		len(l.accepted), len(l.answered), len(l.trees), l.lost, l.drafts)
	if len(l.accepted) < 20 || len(l.answered) < 20 || l.lost == 0 {
		l.t.Error("this was no load to speak of")
	}
}

func (l *load) open() (n int) {
	l.t.Helper()
	for _, state := range []exchange.State{exchange.Queued, exchange.Held, exchange.Consigned} {
		n += l.s.metric(fmt.Sprintf("tram_deliveries{state=%q}", state))
	}
	return n
}

// failed notes a lost answer, and reports whether that is what it was. A refusal
// is never right here.
func (l *load) failed(ctx context.Context, doing string, err error) {
	var refused *httpclient.Problem
	var wrong *httpclient.DigestError
	if errors.As(err, &wrong) || (errors.As(err, &refused) && refused.Code != exchange.Busy) {
		l.t.Errorf("%s: %v", doing, err)
	}
	l.mu.Lock()
	l.lost++
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

// send submits an agency's letters, each until it is acknowledged, and earlier
// ones again.
func (l *load) send(m *member, dice *rand.Rand) {
	next := 0
	for l.sending.Err() == nil {
		all := l.letters[m.code]
		if next > 0 && (next == len(all) || dice.IntN(3) == 0) {
			l.submit(l.sending, m, all[dice.IntN(next)])
			continue
		}
		if l.submit(l.sending, m, all[next]) {
			next++
		}
	}
}

func (l *load) submit(ctx context.Context, m *member, p letter) bool {
	l.mu.Lock()
	first, before := l.accepted[p.document]
	l.pending[p.document] = true
	l.mu.Unlock()
	done, err := m.submit(ctx, p.bytes)
	if err != nil {
		if ctx.Err() == nil {
			l.failed(ctx, "submitting "+p.document, err)
		}
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, p.document)
	if !before {
		l.accepted[p.document] = done
		return true
	}
	if !done.Resubmitted || !bytes.Equal(done.Receipt.Raw, first.Receipt.Raw) {
		l.t.Errorf("%s was acknowledged with receipt %s and, submitted again, with %s", p.document, first.Receipt.ID, done.Receipt.ID)
	}
	return true
}

// finishSubmissions submits again what got no answer: nobody knows whether the
// hub has it.
func (l *load) finishSubmissions() {
	for _, m := range l.senders {
		for _, p := range l.letters[m.code] {
			if l.pending[p.document] && !l.submit(l.working, m, p) {
				l.t.Errorf("%s cannot be submitted to a hub that runs", p.document)
			}
		}
	}
}

// receive fetches and answers what comes, and answers some of it once more.
func (l *load) receive(m *member, dice *rand.Rand) {
	for l.working.Err() == nil {
		page, err := m.hub.Inbox(l.working, m.code, "", 20, time.Second)
		if err != nil {
			if l.working.Err() == nil {
				l.failed(l.working, "reading the inbox of "+m.code, err)
			}
			continue
		}
		for _, item := range page.Items {
			if l.take(m, item) && dice.IntN(10) == 0 {
				l.take(m, item)
			}
		}
	}
}

func (l *load) take(m *member, item exchange.InboxItem) bool {
	l.sawOne(m, item)
	if _, err := m.fetch(l.working, item); err != nil {
		l.missed("fetching "+string(item.Delivery.ID), err)
		return false
	}
	outcome, reason, event := exchange.AnswerAccepted, "", exchange.ContentHandover
	if item.Package.DocumentID[len(item.Package.DocumentID)-4] == '7' { // always the same answer to the same document
		outcome, reason, event = exchange.AnswerRefused, "gửi nhầm", exchange.ConsignmentRejection
	}
	ack, err := m.answer(item, outcome, reason)
	must(l.t, err)
	receipt, _, err := m.hub.Acknowledge(l.working, item.Delivery.ID, ack)
	if err != nil {
		l.missed("answering "+string(item.Delivery.ID), err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if first, before := l.answered[item.Delivery.ID]; before && !bytes.Equal(first.receipt, receipt.Raw) {
		l.t.Errorf("delivery %s was answered once, and has two receipts", item.Delivery.ID)
	}
	if receipt.Event != event || receipt.Delivery != item.Delivery.ID {
		l.t.Errorf("the answer to %s is acknowledged as %s of %s", item.Delivery.ID, receipt.Event, receipt.Delivery)
	}
	l.answered[item.Delivery.ID] = answerAndItem{receipt.Raw, event}
	return true
}

// missed is a step of a recipient that came to nothing. Its delivery may have
// expired meanwhile; nothing else may be in the way.
func (l *load) missed(doing string, err error) {
	var refused *httpclient.Problem
	if l.working.Err() != nil || (errors.As(err, &refused) && refused.Rule == "final-state") {
		return
	}
	l.failed(l.working, doing, err)
}

func (l *load) sawOne(m *member, item exchange.InboxItem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := m.code + " " + item.Package.DocumentID
	if before, known := l.seen[key]; known && before != item.Package.ID {
		l.t.Errorf("%s sees document %s as package %s and as %s", m.code, item.Package.DocumentID, before, item.Package.ID)
	}
	l.seen[key] = item.Package.ID
	if item.Delivery.Package != item.Package.ID || item.Delivery.Recipient != m.code {
		l.t.Errorf("%s finds delivery %s of package %s to %s in its inbox", m.code, item.Delivery.ID, item.Package.ID, item.Delivery.Recipient)
	}
}

// observe is an auditor: it keeps every checkpoint it sees.
func (l *load) observe() {
	auditor := l.s.client("", "")
	for l.working.Err() == nil {
		if signed, err := auditor.Checkpoint(l.working); err == nil {
			l.noteTree(signed)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (l *load) noteTree(signed []byte) tlog.Tree {
	tree, err := exchange.ParseCheckpoint(signed, l.origin, l.verifier)
	if err != nil {
		l.t.Errorf("a checkpoint: %v", err)
		return tree
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.trees); n == 0 || l.trees[n-1] != tree {
		l.trees = append(l.trees, tree)
	}
	return tree
}
