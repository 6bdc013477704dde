package exchange

import (
	"context"
	"errors"
	"io"

	"tram/signing"
)

// Submission is what a submitting system gets back.
type Submission struct {
	Package PackageID
	Receipt Receipt
	// Resubmitted reports that the same signed content had been accepted
	// before: the receipt is the first one.
	Resubmitted bool
}

// Submit takes a package in and returns the receipt of its acceptance.
// Submitting the same signed content again returns the same receipt. A refusal
// is an *Error whose Receipt names the SubmissionRejection that attests to it.
func (x *Exchange) Submit(ctx context.Context, from Caller, body io.Reader) (Submission, error) {
	if from.System == nil {
		return Submission{}, notPermitted.With(from, Words{"submit packages", "gửi gói tin"})
	}
	var pkg Package
	done, err := x.submit(ctx, from, body, &pkg)
	if err == nil {
		x.c.Log.InfoContext(ctx, "package accepted", "package", done.Package, "resubmitted", done.Resubmitted, "sender", pkg.Sender, "kind", pkg.Kind)
		return done, nil
	}
	return Submission{}, x.rejected(ctx, from, pkg, err)
}

func (x *Exchange) submit(ctx context.Context, from Caller, body io.Reader, pkg *Package) (Submission, error) {
	body, err := x.withSpace(ctx, body)
	if err != nil {
		return Submission{}, err
	}
	draft, err := x.c.Vault.Create(ctx)
	if err != nil {
		return Submission{}, err
	}
	defer draft.Discard() // once kept: the ledger has its package now, or never

	decoder := x.c.Format.Decoder()
	options := decoder.Options()
	options.NoDigest = true // the draft takes it
	options.Again = draft.Again
	options.SHA1 = true // admit asks whether the sender may
	doc, err := signing.Read(io.TeeReader(body, draft), options)
	if err != nil {
		return Submission{}, refusal(err)
	}
	doc.Digest = draft.Digest()
	if *pkg, err = decoder.Decode(doc); err != nil {
		return Submission{}, err
	}
	sender, err := x.sender(ctx, pkg, from)
	if err != nil && !x.cameBack(ctx, *pkg, from) {
		return Submission{}, err
	}
	// A resubmission is answered before anything that may have changed since
	// is judged again: the certificate's dates, the recipients' codes.
	if first, err := x.c.Ledger.FirstReceipt(ctx, *pkg); CodeOf(err) != NotFound {
		return Submission{Package: first.Package, Receipt: first, Resubmitted: true}, err
	}
	if err := x.admit(ctx, pkg, sender, doc.Signature, from); err != nil {
		return Submission{}, err
	}
	if err := x.screen(ctx, pkg, draft.Again); err != nil {
		return Submission{}, err
	}
	x.verifyPDFs(ctx, pkg, draft.Again)
	if err := x.meet(ctx, pkg.Strangers); err != nil {
		return Submission{}, err
	}
	if _, err := draft.Keep(); err != nil { // synced before it is promised
		return Submission{}, err
	}
	return x.accept(ctx, *pkg, sender)
}

// accept enters the package, its deliveries, what it changes of earlier ones,
// the receipts and their leaves: one transaction. Then the queue hears of it.
func (x *Exchange) accept(ctx context.Context, pkg Package, sender Agency) (Submission, error) {
	for attempt := 1; ; attempt++ {
		change, err := x.acceptance(ctx, &pkg, sender)
		if err != nil {
			return Submission{}, err
		}
		receipt, again, err := x.c.Ledger.Accept(ctx, pkg, change)
		if CodeOf(err) == Conflict && attempt < mostTries {
			continue // a delivery that a recall or a status touches was changed meanwhile
		}
		if CodeOf(err) == Conflict {
			return Submission{}, BusyError(1) // nothing is wrong with the package: it is not rejected
		}
		if err != nil {
			return Submission{}, err
		}
		if !again {
			x.publish(ctx, change.Deliveries)
		}
		return Submission{Package: receipt.Package, Receipt: receipt, Resubmitted: again}, nil
	}
}

// acceptance builds all that accepting the package writes.
func (x *Exchange) acceptance(ctx context.Context, pkg *Package, sender Agency) (Change, error) {
	now := x.now()
	id, err := x.newID(now)
	if err != nil {
		return Change{}, err
	}
	pkg.ID, pkg.AcceptedAt = packageID(id), now

	e := EvidenceOf(*pkg, SubmissionAcceptance, now)
	e.Sender = partyOf(sender)
	for _, r := range pkg.Recipients {
		e.Recipients = append(e.Recipients, Party{Scheme: SchemeAgency, Code: r.Code})
	}
	e.Scan, e.PDFs = pkg.Scan, pdfFindings(*pkg)
	receipt, err := x.issue(ctx, e)
	if err != nil {
		return Change{}, err
	}
	receipt.System = pkg.System
	receipt.Agencies = []string{pkg.Sender}

	change := Change{Receipts: []Receipt{receipt}}
	quarantine := x.quarantine(pkg.Scan)
	for i, r := range pkg.Recipients {
		d := Delivery{
			ID: NewDeliveryID(pkg.ID, i+1), Package: pkg.ID, Index: i + 1, Sender: pkg.Sender, Recipient: r.Code,
			Priority: pkg.Priority, State: Queued, Next: now, Deadline: now.Add(x.c.Deadline), AcceptedAt: now,
		}
		if quarantine != "" {
			d.State, d.Quarantine, d.Detail = Held, quarantine, pkg.Scan.String()
		}
		change.Deliveries = append(change.Deliveries, d)
	}
	if quarantine == "" && len(change.Deliveries) <= x.c.AtOnce {
		if err := x.consignAtOnce(ctx, *pkg, sender, &change); err != nil {
			return Change{}, err
		}
	}
	change.Rechecks = recheckOf(pkg.ID, "", pkg.Signature, pkg.Doubtful, now)
	return change, x.effects(ctx, *pkg, &change)
}

// consignAtOnce puts the deliveries into the inboxes of those agencies that only
// look there: nothing has to be attempted. They enter the ledger as consigned,
// with their receipts.
func (x *Exchange) consignAtOnce(ctx context.Context, pkg Package, sender Agency, change *Change) error {
	for i, d := range change.Deliveries {
		recipient, err := x.c.Ledger.Agency(ctx, d.Recipient)
		if err != nil {
			return err
		}
		if recipient.Mode == Push || recipient.Mode == Relayed {
			continue // to be announced first, or to be sent
		}
		d, event, err := d.Consign(pkg.AcceptedAt)
		if err != nil {
			return err
		}
		receipt, err := x.attest(ctx, matter{pkg, sender, recipient}, d, event, func(*Evidence) {})
		if err != nil {
			return err
		}
		change.Deliveries[i] = d
		change.Receipts = append(change.Receipts, receipt)
	}
	return nil
}

// publish tells those who look into their inboxes of new deliveries there, and
// the queue of those to be attempted. The packages are safe: if the queue does
// not hear of them now, the next sweep tells it.
func (x *Exchange) publish(ctx context.Context, deliveries []Delivery) {
	var jobs []Job
	for _, d := range deliveries {
		switch {
		case d.Version > 0: // of an earlier package
		case d.State == Consigned:
			x.ring(ctx, d.Recipient)
		case d.State == Queued:
			jobs = append(jobs, jobOf(d))
		}
	}
	if len(jobs) == 0 {
		return
	}
	if err := x.c.Queue.Publish(ctx, jobs...); err != nil {
		x.c.Log.WarnContext(ctx, "queue did not hear of deliveries; the sweep will tell it", "deliveries", len(jobs), "err", err)
	}
}

func jobOf(d Delivery) Job {
	return Job{Delivery: d.ID, Recipient: d.Recipient, Urgent: d.Urgent()}
}

// rejected issues the SubmissionRejection for a refusal. What is not a refusal
// of the document (the hub is busy, the disk is broken, the body did not come
// whole) gets none: it says nothing about the package.
func (x *Exchange) rejected(ctx context.Context, from Caller, pkg Package, err error) error {
	var refused *Error
	if !errors.As(err, &refused) || refused.Code() == Busy || refused.Rule.Name == truncatedBody.Name || ctx.Err() != nil {
		return err
	}
	now := x.now()
	e := EvidenceOf(pkg, SubmissionRejection, now)
	e.Reason, e.Detail = refused.Code(), refused.Text("en")
	e.Sender = Party{Scheme: SchemeSystem, Code: from.System.ID}
	if pkg.Sender != "" {
		e.Sender = Party{Scheme: SchemeAgency, Code: pkg.Sender}
	}
	e.Submitter = from.System.ID
	e.Basis = Basis{Method: BasisHub}
	if pkg.Signature != nil {
		e.Basis.Revocation = pkg.Signature.Revocation
	}
	receipt, err := x.issue(ctx, e)
	if err == nil {
		receipt.System = from.System.ID
		err = x.c.Ledger.Update(ctx, Change{Receipts: []Receipt{receipt}})
	}
	if err != nil { // the refusal stands, only its evidence is missing
		x.c.Log.ErrorContext(ctx, "rejection not recorded", "err", err)
		return refused
	}
	x.c.Log.InfoContext(ctx, "package refused", "code", refused.Code(), "rule", refused.Rule.Name, "system", from.System.ID)
	refused.Receipt = receipt.ID
	return refused
}
