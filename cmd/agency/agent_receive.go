package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tram/exchange"
)

// An arrival is state.json in the folder of a delivery.
type arrival struct {
	Delivery exchange.DeliveryID `json:"delivery"`
	File     fetched             `json:"package"`
	Outcome  exchange.Outcome    `json:"answer,omitempty"`
	Reason   string              `json:"reason,omitempty"`
	Receipt  exchange.ReceiptID  `json:"receipt,omitempty"`
	Event    exchange.Event      `json:"event,omitempty"`
	Trouble  *trouble            `json:"trouble,omitempty"` // of answering
}

// receiveNext waits for the inbox and takes what is in it.
func (a *agent) receiveNext(ctx context.Context) (time.Duration, error) {
	return 0, a.receive(ctx, inboxWait)
}

func (a *agent) receive(ctx context.Context, wait time.Duration) error {
	if err := a.finishAnswers(ctx); err != nil {
		return err
	}
	items, err := a.p.wholeInbox(ctx, a.hub, wait)
	if err != nil {
		return err
	}
	left := 0
	for _, item := range items {
		answered, err := a.arrive(ctx, item)
		if ctx.Err() != nil || unreachable(err) {
			return err
		}
		if err != nil {
			a.log.WarnContext(ctx, "a delivery is not taken yet", "delivery", item.Delivery.ID, "code", troubleOf(err).Code, "error", err)
		}
		if !answered {
			left++
		}
	}
	if left == 0 || wait == 0 {
		return nil
	}
	select { // what is not answered stays in the inbox, which then does not wait
	case <-ctx.Done():
	case <-time.After(inboxPause):
	}
	return nil
}

// arrive takes one delivery and answers it, as the settings say.
func (a *agent) arrive(ctx context.Context, item exchange.InboxItem) (answered bool, err error) {
	id, err := fileName(item.Delivery.ID)
	if err != nil {
		return false, err
	}
	at := filepath.Join("inbox", month(item.Delivery.AcceptedAt), folderName(document(item.Package))+"_"+id)
	if exists(a.path("failed", id)) {
		return false, nil // people look after it; removing the folder has it tried again
	}
	if !exists(a.path(at)) {
		err := a.bring(ctx, item, id, at)
		if err != nil && (ctx.Err() != nil || !troubleOf(err).lasting) {
			return false, err
		}
		if err != nil {
			return a.harmful(ctx, item, id, troubleOf(err))
		}
	}
	if a.p.settings.Answer == "none" || exists(a.path(own("answering"), id)) {
		return false, nil
	}
	return true, a.answer(ctx, pending{place{at, id}, exchange.AnswerAccepted, ""})
}

// bring makes the folder of a delivery, whole and durable.
func (a *agent) bring(ctx context.Context, item exchange.InboxItem, id, at string) error {
	stage := a.path(own("arriving"), id)
	if err := makeDir(stage); err != nil {
		return err
	}
	sweepStages(stage)
	file := filepath.Join(stage, "package.edxml")
	f := fetching{hub: a.hub, trust: a.trust}
	if err := f.download(ctx, item, file); err != nil {
		return err
	}
	s := arrival{Delivery: item.Delivery.ID, File: aboutItem(item)}
	pkg, err := f.verify(ctx, file, &s.File)
	if err != nil {
		return err
	}
	if len(pkg.Attachments) > 0 {
		files := filepath.Join(stage, "files")
		if err := os.RemoveAll(files); err != nil { // of an attempt that was killed
			return err
		}
		names, err := extract(file, files, pkg.Attachments)
		if err != nil {
			return err
		}
		for _, name := range names {
			s.File.Files = append(s.File.Files, "files/"+filepath.Base(name))
		}
		if err := syncDir(files); err != nil {
			return err
		}
	}
	if err := errors.Join(writeJSON(filepath.Join(stage, "document.json"), item), writeJSON(filepath.Join(stage, "state.json"), s)); err != nil {
		return err
	}
	if err := a.relate(item, at); err != nil {
		return err
	}
	if err := move(stage, a.path(at)); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "arrived", "delivery", id, "from", item.Package.Sender, "document", document(item.Package), "folder", at)
	return nil
}

func aboutItem(item exchange.InboxItem) fetched {
	p := item.Package
	return fetched{Delivery: item.Delivery.ID, File: "package.edxml", SHA256: p.Digest, Sender: p.Sender, Document: document(p), Subject: p.Subject}
}

// relate notes where a document is, and tells the folders of the documents that
// a later package is about.
func (a *agent) relate(item exchange.InboxItem, at string) error {
	p := item.Package
	if p.Exclusive() && p.DocumentID != "" {
		return errors.Join(writeJSON(a.path(own("index"), key("received", p.Sender, p.DocumentID)), place{at, string(item.Delivery.ID)}), a.changed(item, p.Targets))
	}
	if p.Status == nil {
		return a.changed(item, p.Targets)
	}
	if p.Status.Code == exchange.StatusRecall {
		return a.changed(item, []string{p.Status.DocumentID})
	}
	for _, about := range []string{p.Status.DocumentID, p.Status.Notation} {
		var sent place
		if about == "" || readJSON(a.path(own("index"), key("sent", about)), &sent) != nil {
			continue // it was not sent by this agent
		}
		return writeJSON(a.path(own("open"), sent.ID+hurry), sent)
	}
	return nil
}

// changed writes into the folders of documents that something came about them:
// recall.json, update.json, replace.json or status.json.
func (a *agent) changed(item exchange.InboxItem, documents []string) error {
	for _, id := range documents {
		var at place
		if readJSON(a.path(own("index"), key("received", item.Package.Sender, id)), &at) != nil || !exists(a.path(at.Path)) {
			continue // it never arrived, or people moved it away
		}
		kind := string(item.Package.Kind)
		if item.Package.Status != nil {
			kind = string(exchange.KindRecall)
		}
		if err := writeJSON(a.path(at.Path, kind+".json"), item); err != nil {
			return err
		}
	}
	return nil
}

// harmful puts what does not verify where people look, and refuses it in the
// agency's name if the settings say so.
func (a *agent) harmful(ctx context.Context, item exchange.InboxItem, id string, t *trouble) (bool, error) {
	stage := a.path(own("arriving"), id)
	s := arrival{Delivery: item.Delivery.ID, File: aboutItem(item), Trouble: t}
	err := errors.Join(writeJSON(filepath.Join(stage, "document.json"), item), writeJSON(filepath.Join(stage, "state.json"), s), writeDurable(filepath.Join(stage, "reason.txt"), t.text(id)))
	if err == nil {
		err = move(stage, a.path("failed", id))
	}
	if err != nil {
		return false, err
	}
	a.log.WarnContext(ctx, "a delivery does not verify", "delivery", id, "code", t.Code, "why", t.En)
	if a.p.settings.Refuse != "invalid" {
		return false, nil
	}
	return true, a.answer(ctx, pending{place{filepath.Join("failed", id), id}, exchange.AnswerRefused, t.Code + ": " + t.Vi})
}

// A pending answer is noted before it is given, and until its receipt is kept:
// what was answered leaves the inbox.
type pending struct {
	place
	Outcome exchange.Outcome `json:"answer"`
	Reason  string           `json:"reason,omitempty"`
}

func (a *agent) answer(ctx context.Context, w pending) error {
	if err := writeJSON(a.path(own("answering"), w.ID), w); err != nil {
		return err
	}
	return a.finishAnswer(ctx, w)
}

// finishAnswers gives the answers that were noted and are not done.
func (a *agent) finishAnswers(ctx context.Context) error {
	names, err := visible(a.path(own("answering")))
	if err != nil {
		return err
	}
	for _, name := range names {
		var w pending
		if err := readJSON(a.path(own("answering"), name), &w); err != nil {
			return err
		}
		err := a.finishAnswer(ctx, w)
		if ctx.Err() != nil || unreachable(err) {
			return err
		}
		if err != nil {
			a.log.WarnContext(ctx, "a delivery is not answered yet", "delivery", name, "error", err)
		}
	}
	return nil
}

func (a *agent) finishAnswer(ctx context.Context, w pending) error {
	dir, id := a.path(w.Path), exchange.DeliveryID(w.ID)
	s, err := readArrival(dir)
	if err != nil {
		return err
	}
	var item exchange.InboxItem
	if err := readJSON(filepath.Join(dir, "document.json"), &item); err != nil {
		return err
	}
	given := answering{hub: a.hub, refuse: w.Outcome == exchange.AnswerRefused, reason: w.Reason}
	if err := given.holds(item, filepath.Join(dir, "package.edxml")); err != nil {
		return err
	}
	words, err := a.p.answer(given, item, filepath.Join(dir, "acknowledgement.xml"))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return err
	}
	receipt, _, err := a.hub.Acknowledge(ctx, id, words)
	if err != nil && troubleOf(err).lasting { // expired or cancelled meanwhile: there is no answering it
		s.Trouble = troubleOf(err)
		a.log.WarnContext(ctx, "an answer is refused", "delivery", id, "code", s.Trouble.Code, "why", s.Trouble.En)
		return errors.Join(writeJSON(filepath.Join(dir, "state.json"), s), os.Remove(a.path(own("answering"), w.ID)))
	}
	if err != nil {
		return err
	}
	if err := checkReceipt(receipt.Raw, item.Package.Digest, a.sealing, given.event()); err != nil {
		return err
	}
	if err := a.keepReceipt(ctx, receipt, filepath.Join(dir, "receipts")); err != nil {
		return err
	}
	s.Outcome, s.Reason, s.Receipt, s.Event = w.Outcome, w.Reason, receipt.ID, receipt.Event
	if err := writeJSON(filepath.Join(dir, "state.json"), s); err != nil {
		return err
	}
	if w.Outcome == exchange.AnswerAccepted && item.Package.Kind != exchange.KindStatus && item.Package.Kind != exchange.KindRecall {
		if err := a.orderStatuses(id); err != nil {
			return err
		}
	}
	a.log.InfoContext(ctx, "answered", "delivery", id, "answer", w.Outcome, "receipt", receipt.ID)
	return os.Remove(a.path(own("answering"), w.ID))
}

func readArrival(dir string) (s arrival, err error) {
	return s, readJSON(filepath.Join(dir, "state.json"), &s)
}

// orderStatuses puts the statuses that are sent for each document into the outbox.
func (a *agent) orderStatuses(id exchange.DeliveryID) error {
	for _, code := range a.codes() {
		name := "status-" + code + "-" + string(id) + ".yaml"
		order := []byte("delivery: " + string(id) + "\ncode: \"" + code + "\"\n")
		if err := writeDurable(a.path("outbox", name), order); err != nil {
			return err
		}
	}
	return nil
}

// answerByFile answers a delivery as a dropped file says.
func (a *agent) answerByFile(ctx context.Context, dir string, p *parcel, d paper) error {
	id, err := fileName(exchange.DeliveryID(d.Delivery))
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"accept", "refuse"}, d.Answer) || (d.Answer == "refuse") != (d.Reason != "") {
		return lastingf("invalid-description", "answer must be accept, or refuse with a reason", "answer phải là accept, hoặc refuse kèm reason (lý do)")
	}
	at, err := a.arrivalOf(id)
	if err != nil {
		return err
	}
	w := pending{place{at, id}, exchange.AnswerAccepted, d.Reason}
	if d.Answer == "refuse" {
		w.Outcome = exchange.AnswerRefused
	}
	// The receiving side gives it, so that one of the two works in the folder.
	if err := writeJSON(a.path(own("answering"), id), w); err != nil {
		return err
	}
	p.State = accepted
	a.log.InfoContext(ctx, "an answer is ordered", "delivery", id, "answer", w.Outcome)
	return p.write(dir)
}

// arrivalOf is the folder of a delivery.
func (a *agent) arrivalOf(id string) (string, error) {
	for _, pattern := range []string{filepath.Join("inbox", "*", "*", "*_"+id), filepath.Join("failed", id)} {
		if found, _ := filepath.Glob(a.path(pattern)); len(found) == 1 { // the pattern is sound
			return filepath.Rel(a.root, found[0])
		}
	}
	return "", lastingf(string(exchange.NotFound), "there is no folder of the delivery %s in inbox", "không có thư mục của lần chuyển %s trong inbox", id)
}
