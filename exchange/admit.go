package exchange

import (
	"context"
	"errors"
	"slices"
	"time"

	"tram/signing"
)

// sender resolves who sends the package, and holds the system to the agencies
// it speaks for.
func (x *Exchange) sender(ctx context.Context, pkg *Package, from Caller) (Agency, error) {
	at := pkg.SenderPlace
	agency, err := x.c.Ledger.Agency(ctx, pkg.SenderAs)
	if CodeOf(err) == NotFound {
		return Agency{}, unknownSender.With(pkg.SenderAs).At(at.Path, at.Line)
	}
	if err != nil {
		return Agency{}, err
	}
	if !from.Speaks(agency.Code) {
		return Agency{}, systemNotForAgency.With(from.System.ID, agency.Code).At(at.Path, at.Line)
	}
	pkg.Sender, pkg.System = agency.Code, from.System.ID
	return agency, nil
}

// admit decides whether the package may enter: the signer speaks for the
// sender, the recipients resolve, the rules of the kind hold.
func (x *Exchange) admit(ctx context.Context, pkg *Package, sender Agency, s *signing.Signature) error {
	now := x.now()
	if err := openCode(sender, pkg.SenderAs, now); err != nil {
		return err.At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	if s == nil && sender.Signs() {
		return signatureRequired.With(sender.Code).At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	if s != nil {
		if err := x.signedBy(ctx, sender, s, now); err != nil {
			return err
		}
		if s.SHA1 {
			pkg.Signature.SHA1Until = sender.SHA1Until
		}
	}
	if err := x.resolve(ctx, pkg, now); err != nil {
		return err
	}
	if err := x.owns(ctx, *pkg); err != nil {
		return err
	}
	return x.unused(ctx, *pkg)
}

// signedBy holds a verified signature to the agency: the certificate is trusted
// and registered for it, and SHA-1 is let pass for it if that is what it rests on.
// A signature proves who signed, not that they may.
func (x *Exchange) signedBy(ctx context.Context, a Agency, s *signing.Signature, now time.Time) error {
	if s.SHA1 && !a.MaySHA1(now) {
		return atSignature(refusal(signing.Refuse(signing.SHA1, a.Code)), s)
	}
	if err := x.c.Trust.Check(s.Certificate, s.Others, now); err != nil {
		return atSignature(refusal(err), s)
	}
	digest := DigestOf(s.Certificate.Raw)
	if a.Holds(digest, now) {
		return nil
	}
	other, err := x.c.Ledger.AgencyOfCertificate(ctx, digest)
	if err == nil && other.Code != a.Code {
		return atSignature(signerNotSender.With(other.Code, a.Code), s)
	}
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	return atSignature(certificateNotRegistered.With(digest.String(), a.Code), s)
}

// atSignature gives a refusal the signature's line, if it has no place yet.
func atSignature(err error, s *signing.Signature) error {
	var e *Error
	if errors.As(err, &e) && e.Path == "" {
		return e.At("Signature", s.Line)
	}
	return err
}

// resolve finds every recipient's canonical code. A recipient written twice, or
// under two of its codes, is one recipient.
func (x *Exchange) resolve(ctx context.Context, pkg *Package, now time.Time) error {
	if pkg.Status != nil {
		if err := x.resolveStatus(ctx, pkg); err != nil {
			return err
		}
	}
	for _, code := range pkg.Added { // an update may name a new recipient only there
		pkg.Recipients = append(pkg.Recipients, Recipient{As: code, Place: pkg.TargetPlace})
	}
	var recipients []Recipient
	for _, r := range pkg.Recipients {
		agency, err := x.c.Ledger.Agency(ctx, r.As)
		if CodeOf(err) == NotFound {
			return unknownRecipient.With(r.As).At(r.Place.Path, r.Place.Line)
		}
		if err != nil {
			return err
		}
		// A closed code still takes answers to what was sent from it.
		if refused := openCode(agency, r.As, now); refused != nil && pkg.Kind != KindStatus {
			return refused.At(r.Place.Path, r.Place.Line)
		}
		r.Code = agency.Code
		if !slices.ContainsFunc(recipients, func(o Recipient) bool { return o.Code == r.Code }) {
			recipients = append(recipients, r)
		}
	}
	if len(recipients) == 0 {
		return noRecipient.With().At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	pkg.Recipients = recipients
	return nil
}

// resolveStatus addresses a status package: it names no recipient of its own
// and goes back to the agency that sent the document. A recall by status (13)
// comes from that agency itself: it goes to whoever got the document, except
// those that refused it or agreed to give it back.
func (x *Exchange) resolveStatus(ctx context.Context, pkg *Package) error {
	s := pkg.Status
	origin, err := x.c.Ledger.Agency(ctx, s.ToAs)
	if CodeOf(err) == NotFound {
		return unknownRecipient.With(s.ToAs).At(s.Place.Path, s.Place.Line)
	}
	if err != nil {
		return err
	}
	s.To = origin.Code
	pkg.Recipients = []Recipient{{As: s.ToAs, Place: s.Place}}
	if s.Code != StatusRecall || origin.Code != pkg.Sender {
		return nil
	}
	sent, err := x.deliveriesOfDocument(ctx, pkg.Sender, s.DocumentID)
	if err != nil {
		return err
	}
	if len(sent) == 0 {
		return unknownTarget.With(pkg.Sender, s.DocumentID).At(s.Place.Path, s.Place.Line)
	}
	pkg.Recipients = nil
	for _, d := range sent {
		if !d.gaveUp() {
			pkg.Recipients = append(pkg.Recipients, Recipient{As: d.Recipient, Place: s.Place})
		}
	}
	return nil
}

// gaveUp reports whether the recipient refused the document or agreed to give
// it back.
func (d Delivery) gaveUp() bool {
	return slices.ContainsFunc(d.Statuses, func(s BusinessStatus) bool { return s.Code == "02" || s.Code == "15" })
}

// owns holds recalls, updates and replacements to documents of their sender.
func (x *Exchange) owns(ctx context.Context, pkg Package) error {
	for _, target := range pkg.Targets {
		sent, err := x.deliveriesOfDocument(ctx, pkg.Sender, target)
		if err != nil {
			return err
		}
		if len(sent) == 0 {
			return unknownTarget.With(pkg.Sender, target).At(pkg.TargetPlace.Path, pkg.TargetPlace.Line)
		}
	}
	return nil
}

// unused refuses an identifier that the sender used for other content, so that
// no bytes are kept of it. Of two that come at once, Ledger.Accept refuses one.
func (x *Exchange) unused(ctx context.Context, pkg Package) error {
	if !pkg.Exclusive() {
		return nil
	}
	earlier, err := x.packagesOfDocument(ctx, pkg.Sender, pkg.DocumentID)
	if err != nil {
		return err
	}
	other := func(p Package) bool {
		return p.Exclusive() && (p.Kind != pkg.Kind || p.Content != pkg.Content) // the same may have come at this moment
	}
	if i := slices.IndexFunc(earlier, other); i >= 0 {
		return DuplicateError(pkg.Sender, pkg.DocumentID, earlier[i].ID)
	}
	return nil
}

// openCode refuses a code that was closed before now, or is not in use yet.
func openCode(a Agency, as string, now time.Time) *Error {
	if !a.Closed.IsZero() && !now.Before(a.Closed) {
		return closedAgency.With(a.Code, a.Closed.Format(time.DateOnly))
	}
	for _, alias := range a.Aliases {
		if alias.Code == as && now.Before(alias.From) {
			return codeNotYetValid.With(as, alias.From.Format(time.DateOnly), a.Code)
		}
		if alias.Code == as && !alias.Until.IsZero() && !now.Before(alias.Until) {
			return closedCode.With(as, alias.Until.Format(time.DateOnly), a.Code)
		}
	}
	return nil
}
