package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tram/exchange"
)

// Where a parcel is on its way.
const (
	taking   = "taking"   // its files are being moved out of the outbox
	sending  = "sending"  // all are here; the package is made, signed and submitted
	accepted = "accepted" // the hub has it; it moves to sent
	refused  = "refused"  // it moves to failed
)

// A parcel is something to send: state.json in its folder.
type parcel struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`
	Taken    []string `json:"taken"` // names in the outbox
	Kind     string   `json:"kind,omitempty"`
	Document string   `json:"documentId,omitempty"`
	Notation string   `json:"notation,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	// Digest is of package.edxml, the signed bytes.
	Digest   exchange.Digest    `json:"sha256,omitzero"`
	Package  exchange.PackageID `json:"package,omitempty"`
	Receipt  exchange.ReceiptID `json:"receipt,omitempty"`
	Accepted time.Time          `json:"acceptedAt,omitzero"`
	Attempts int                `json:"attempts,omitempty"`
	Next     time.Time          `json:"next,omitzero"`
	Trouble  *trouble           `json:"trouble,omitempty"`
	// Done tells that every recipient's delivery has its final state.
	Done       bool                `json:"done"`
	Recipients []exchange.Delivery `json:"recipients,omitempty"`
	Receipts   []exchange.Receipt  `json:"receipts,omitempty"`
}

func (p parcel) write(dir string) error { return writeJSON(filepath.Join(dir, "state.json"), p) }

func readParcel(dir string) (p parcel, err error) {
	return p, readJSON(filepath.Join(dir, "state.json"), &p)
}

// sendAll brings everything in the outbox and in sending as far as it goes, and
// looks after what was sent.
func (a *agent) sendAll(ctx context.Context) (time.Duration, error) {
	if err := a.take(ctx); err != nil {
		return 0, err
	}
	names, err := visible(a.path("sending"))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err := a.advance(ctx, a.path("sending", name)); err != nil {
			return 0, err
		}
	}
	return glance, a.follow(ctx)
}

// advance brings one parcel on. It returns an error only if others would meet it too.
func (a *agent) advance(ctx context.Context, dir string) error {
	p, err := readParcel(dir)
	if errors.Is(err, fs.ErrNotExist) { // nothing was moved into it yet
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	if time.Now().Before(p.Next) {
		return nil
	}
	switch p.State {
	case taking:
		if err = a.carry(dir, &p); err == nil {
			err = a.send(ctx, dir, &p)
		}
	case sending:
		err = a.send(ctx, dir, &p)
	}
	if err != nil {
		if err := a.trouble(ctx, dir, &p, err); err != nil {
			return err
		}
	}
	switch p.State {
	case accepted:
		return a.sent(dir, p)
	case refused:
		return a.failed(dir, p)
	}
	return nil
}

// trouble notes why a parcel does not go on: it waits, or is given up.
func (a *agent) trouble(ctx context.Context, dir string, p *parcel, err error) error {
	if ctx.Err() != nil || unreachable(err) {
		return err
	}
	p.Trouble = troubleOf(err)
	p.Attempts++
	if p.Trouble.lasting {
		p.State, p.Next = refused, time.Time{}
		a.log.WarnContext(ctx, "not sent", "name", p.Name, "code", p.Trouble.Code, "rule", p.Trouble.Rule, "why", p.Trouble.En)
	} else {
		pause := pauseAfter(p.Attempts, p.Trouble)
		p.Next = time.Now().Add(pause)
		a.log.InfoContext(ctx, "not sent yet", "name", p.Name, "code", p.Trouble.Code, "why", p.Trouble.En, "again", pause)
	}
	return p.write(dir)
}

// send makes the package, unless it was made before, and submits it.
func (a *agent) send(ctx context.Context, dir string, p *parcel) error {
	file := filepath.Join(dir, "package.edxml")
	if !exists(file) {
		done, err := a.make(ctx, dir, p, file)
		if err != nil || done {
			return err
		}
	}
	_, pkg, err := decodePackage(file)
	if err != nil {
		return err
	}
	p.Kind, p.Document, p.Subject, p.Notation = string(pkg.Kind), pkg.DocumentID, pkg.Subject, document(pkg)
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	digest, size, err := digestOf(f)
	if err != nil {
		return err
	}
	p.Digest = digest
	s, err := a.hub.Submit(ctx, f, size)
	if err != nil {
		a.keepRejection(ctx, dir, err)
		return err
	}
	if err := checkReceipt(s.Receipt.Raw, digest, a.sealing, exchange.SubmissionAcceptance); err != nil {
		return lastingf("receipt-mismatch", "the hub's answer is no receipt for this package: %v. Ask the hub's operators, with package %s",
			"biên nhận trục trả về không khớp với gói tin: %v. Hãy hỏi người vận hành trục, nêu gói tin %s", err, s.Package)
	}
	p.State, p.Package, p.Receipt, p.Accepted, p.Trouble = accepted, s.Package, s.Receipt.ID, s.Receipt.Time, nil
	p.Next = time.Time{}
	a.log.InfoContext(ctx, "sent", "name", p.Name, "package", p.Package, "receipt", p.Receipt, "resubmitted", s.Resubmitted)
	return p.write(dir)
}

// make makes the signed package of what was dropped. An answer is no package:
// then it is done.
func (a *agent) make(ctx context.Context, dir string, p *parcel, file string) (done bool, err error) {
	from := filepath.Join(dir, "document")
	names, err := visible(from)
	if err != nil {
		return false, err
	}
	if len(names) == 1 {
		if info, err := os.Stat(filepath.Join(from, names[0])); err == nil && info.IsDir() { // a directory was dropped
			from = filepath.Join(from, names[0])
			if names, err = visible(from); err != nil {
				return false, err
			}
		}
	}
	for _, name := range names {
		if isPackage(name) && len(names) == 1 {
			return false, a.signed(filepath.Join(from, name), file)
		}
	}
	descriptions := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !isDescription(n) })
	if len(descriptions) != 1 {
		return false, lastingf("invalid-description", "there must be one package (.edxml) alone, or one description (.yaml or .json) with its files; there are %d descriptions among %d files",
			"phải có đúng một gói tin .edxml, hoặc đúng một bản mô tả (.yaml hay .json) kèm các tệp; ở đây có %d bản mô tả trong %d tệp", len(descriptions), len(names))
	}
	d, err := readDescription(filepath.Join(from, descriptions[0]))
	if err != nil {
		return false, err
	}
	if d.Answer != "" {
		return true, a.answerByFile(ctx, dir, p, d)
	}
	attachments := d.Attach
	if len(attachments) == 0 {
		attachments = slices.DeleteFunc(names, isDescription)
	}
	for i, name := range attachments {
		attachments[i] = filepath.Join(from, name)
		if info, err := os.Stat(attachments[i]); err != nil || !info.Mode().IsRegular() {
			return false, lastingf("missing-attachment", "the attachment %q is not beside the description", "không có tệp đính kèm %q bên cạnh bản mô tả", name)
		}
	}
	unsigned := filepath.Join(dir, ".unsigned.edxml")
	if err := a.compose(ctx, d, attachments, unsigned); err != nil {
		return false, err
	}
	if err := a.signed(unsigned, file); err != nil {
		return false, err
	}
	return false, os.Remove(unsigned)
}

// keepRejection keeps the evidence of a refusal; the refusal is what matters.
func (a *agent) keepRejection(ctx context.Context, dir string, err error) {
	t := troubleOf(err)
	if t.Receipt == "" {
		return
	}
	if _, err := saveReceipt(ctx, a.hub, exchange.Receipt{ID: t.Receipt}, dir); err != nil {
		a.log.WarnContext(ctx, "the evidence of a refusal is not kept", "receipt", t.Receipt, "error", err)
	}
}

// sent moves a parcel that the hub has to where it is kept, and notes that its
// recipients are to be followed.
func (a *agent) sent(dir string, p parcel) error {
	sweepStages(dir)
	if p.Package == "" { // an answer: it is in the delivery's folder
		return os.RemoveAll(dir)
	}
	to := free(a.path("sent", month(p.Accepted)), p.Name)
	rel, err := filepath.Rel(a.root, to)
	if err != nil {
		return err
	}
	for _, about := range []string{p.Document, p.Notation} {
		if about != "" && p.Kind != string(exchange.KindStatus) {
			if err := writeJSON(a.path(own("index"), key("sent", about)), place{rel, string(p.Package)}); err != nil {
				return err
			}
		}
	}
	if err := writeJSON(a.path(own("open"), string(p.Package)), place{rel, string(p.Package)}); err != nil {
		return err
	}
	return move(dir, to)
}

// failed moves a parcel to where people look after it.
func (a *agent) failed(dir string, p parcel) error {
	sweepStages(dir)
	if err := writeDurable(filepath.Join(dir, "reason.txt"), p.Trouble.text(p.Name)); err != nil {
		return err
	}
	return move(dir, free(a.path("failed"), p.Name))
}

// place is where the folder of a package or a delivery is.
type place struct {
	Path string `json:"path"` // below the agent's directory
	ID   string `json:"id"`
}

// hurry ends the name of a second marker in open: something came about the
// package, so that it is asked about now, even if it was done.
const hurry = ".now"

// follow looks after sent packages that are not done: their recipients' states,
// and all receipts.
func (a *agent) follow(ctx context.Context) error {
	names, err := visible(a.path(own("open")))
	if err != nil {
		return err
	}
	for _, name := range names {
		id, now := strings.CutSuffix(name, hurry)
		pkg := exchange.PackageID(id)
		if !now && time.Now().Before(a.due[pkg]) {
			continue
		}
		err := a.followOne(ctx, pkg, a.path(own("open"), name))
		if ctx.Err() != nil || unreachable(err) {
			return err
		}
		if err != nil {
			a.due[pkg] = time.Now().Add(mostPause)
			a.log.WarnContext(ctx, "a sent package cannot be followed", "package", id, "error", err)
		}
	}
	return nil
}

func (a *agent) followOne(ctx context.Context, id exchange.PackageID, marker string) error {
	var at place
	if err := readJSON(marker, &at); err != nil {
		return err
	}
	dir := a.path(at.Path)
	p, err := readParcel(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(marker) // people moved it away
	}
	if err != nil {
		return err
	}
	if strings.HasSuffix(marker, hurry) { // an ordinary one goes on; before asking, so that a later one counts again
		if err := writeJSON(strings.TrimSuffix(marker, hurry), at); err != nil {
			return err
		}
		if err := os.Remove(marker); err != nil {
			return err
		}
	}
	view, err := a.hub.Package(ctx, id)
	if err != nil {
		return err
	}
	list, err := a.hub.Receipts(ctx, id)
	if err != nil {
		return err
	}
	p.Done = !slices.ContainsFunc(view.Deliveries, func(d exchange.Delivery) bool { return !d.State.Final() })
	stamped := true
	for _, r := range list {
		stamped = stamped && r.TimeStamp != exchange.TimeStampPending
		if err := a.keepReceipt(ctx, r, filepath.Join(dir, "receipts")); err != nil {
			return err
		}
	}
	p.Recipients, p.Receipts = view.Deliveries, list
	if err := p.write(dir); err != nil {
		return err
	}
	if p.Done && stamped {
		delete(a.due, id)
		return os.Remove(a.path(own("open"), string(id)))
	}
	age := time.Since(p.Accepted)
	a.due[id] = time.Now().Add(min(max(age/20, 2*time.Second), mostPause))
	return nil
}

// keepReceipt saves a receipt with its proof, and its time-stamped form once
// there is one, unless it is there.
func (a *agent) keepReceipt(ctx context.Context, r exchange.Receipt, dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	file := filepath.Join(dir, string(r.ID)+".xml")
	if exists(proofOf(file)) && (r.TimeStamp != exchange.TimeStampKept || exists(filepath.Join(dir, string(r.ID)+".timestamped.xml"))) {
		return nil
	}
	if _, err := saveReceipt(ctx, a.hub, r, dir); err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	parsed, evidence, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		return err
	}
	if len(evidence.Parts) > 0 {
		if err := checkReceipt(raw, evidence.Parts[0].Digest, a.sealing, cmp.Or(r.Event, parsed.Event)); err != nil {
			return err
		}
	}
	return syncDir(dir)
}
