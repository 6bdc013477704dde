package exchange

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"tram/signing"
)

// sender resolves who sends the package, and holds the system to the agencies
// it speaks for.
func (x *Exchange) sender(ctx context.Context, pkg *Package, from Caller) (Agency, error) {
	at := pkg.SenderPlace
	agency, err := x.find(ctx, pkg.SenderAs, "")
	if CodeOf(err) == NotFound {
		return Agency{}, unknownSender.With(pkg.SenderAs).At(at.Path, at.Line)
	}
	if err != nil {
		return Agency{}, err
	}
	pkg.Sender, pkg.System = agency.Code, from.System.ID
	if agency.Mode == Relayed || from.Upstream != "" {
		return agency, x.fromUpstream(pkg, agency, from)
	}
	if !from.Speaks(agency.Code) {
		return Agency{}, systemNotForAgency.With(from.System.ID, agency.Code).At(at.Path, at.Line)
	}
	return agency, nil
}

// fromUpstream holds packages of agencies that live at an axis to come from there,
// and what comes from there to be of such agencies.
func (x *Exchange) fromUpstream(pkg *Package, sender Agency, from Caller) error {
	if sender.Mode != Relayed || sender.Upstream != from.Upstream {
		return systemNotForAgency.With(from.System.ID, sender.Code).At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	pkg.strange(sender)
	return nil
}

// strange notes an agency that is not in the directory yet.
func (p *Package) strange(a Agency) {
	if a.Version == 0 && !slices.ContainsFunc(p.Strangers, func(o Agency) bool { return o.Code == a.Code }) {
		p.Strangers = append(p.Strangers, a)
	}
}

// cameBack reports whether another axis brings what an agency of this hub has
// submitted itself: it goes nowhere again.
func (x *Exchange) cameBack(ctx context.Context, pkg Package, from Caller) bool {
	if from.Upstream == "" || pkg.Sender == "" {
		return false
	}
	_, err := x.c.Ledger.FirstReceipt(ctx, pkg)
	return err == nil
}

// admit decides whether the package may enter: the signer speaks for the
// sender, the recipients resolve, the rules of the kind hold. Whether the
// certificate was revoked is asked last: somebody else may have to be asked.
func (x *Exchange) admit(ctx context.Context, pkg *Package, sender Agency, s *signing.Signature, from Caller) error {
	now := x.now()
	if err := pkg.fromOpen(sender, now); err != nil {
		return err
	}
	if s == nil && sender.Signs() {
		return signatureRequired.With(sender.Code).At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	var by standing
	if s != nil {
		var err error
		if by, err = x.signedBy(ctx, sender, s, now); err != nil {
			return err
		}
		if s.SHA1 {
			pkg.Signature.SHA1Until = sender.SHA1Until
		}
	}
	if err := x.resolve(ctx, pkg, from, now); err != nil {
		return err
	}
	if err := x.owns(ctx, *pkg); err != nil {
		return err
	}
	if err := x.unused(ctx, *pkg); err != nil {
		return err
	}
	var err error
	pkg.Doubtful, err = x.rely(ctx, pkg.Signature, by, s, now)
	return err
}

// standing is why a certificate may sign for an agency: the chain it is trusted
// by, and how it was found to be the agency's.
type standing struct {
	chain   []*x509.Certificate
	matched string
}

// signedBy holds a verified signature to the agency: the certificate is trusted
// and is the agency's, and SHA-1 is let pass for it if that is what it rests on.
// A signature proves who signed, not that they may.
func (x *Exchange) signedBy(ctx context.Context, a Agency, s *signing.Signature, now time.Time) (standing, error) {
	if s.SHA1 && !a.MaySHA1(now) {
		return standing{}, atSignature(refusal(signing.Refuse(signing.SHA1, a.Code)), s)
	}
	chain, err := x.c.Trust.Chain(s.Certificate, s.Others, now)
	if err != nil {
		return standing{}, atSignature(refusal(err), s)
	}
	digest := DigestOf(s.Certificate.Raw)
	if a.Mode == Relayed && len(a.Certificates)+len(a.SubjectRules) == 0 {
		return x.vouched(ctx, a, s, chain)
	}
	if a.Holds(digest, now) {
		return standing{chain, MatchedRegistered}, nil
	}
	other, err := x.c.Ledger.AgencyOfCertificate(ctx, digest)
	switch {
	case CodeOf(err) == NotFound:
		return x.matchedBy(ctx, a, s, chain, now)
	case err != nil:
		return standing{}, err
	case a.succeededBy(other, now) && other.Holds(digest, now):
		return standing{chain, MatchedRegistered}, nil
	case other.Code != a.Code:
		return standing{}, atSignature(signerNotSender.With(other.Code, a.Code), s)
	}
	// It is registered for the agency and its time is over, or has not come: no
	// rule brings it back.
	return standing{}, atSignature(certificateNotRegistered.With(digest.String(), a.Code), s)
}

// vouched takes the word of the axis that a package came from for whose certificate
// it is, unless somebody else has it here.
func (x *Exchange) vouched(ctx context.Context, a Agency, s *signing.Signature, chain []*x509.Certificate) (standing, error) {
	other, err := x.c.Ledger.AgencyOfCertificate(ctx, DigestOf(s.Certificate.Raw))
	if err == nil {
		return standing{}, atSignature(signerNotSender.With(other.Code, a.Code), s)
	}
	if CodeOf(err) != NotFound {
		return standing{}, err
	}
	return standing{chain, MatchedUpstream}, nil
}

// matchedBy looks for a subject rule that takes the certificate, which nobody
// has registered: the agency's own, and no other agency's.
func (x *Exchange) matchedBy(ctx context.Context, a Agency, s *signing.Signature, chain []*x509.Certificate, now time.Time) (standing, error) {
	agencies, err := x.c.Ledger.AgenciesBySubject(ctx, SubjectOf(chain[0].Subject))
	if err != nil {
		return standing{}, err
	}
	agencies = slices.DeleteFunc(agencies, func(o Agency) bool { return !o.takes(chain, now) })
	mine := slices.ContainsFunc(agencies, func(o Agency) bool { return o.Code == a.Code })
	others := slices.DeleteFunc(agencies, func(o Agency) bool { return o.Code == a.Code })
	digest := DigestOf(chain[0].Raw).String()
	switch {
	case mine && len(others) > 0:
		return standing{}, atSignature(subjectRuleAmbiguous.With(digest, a.Code, others[0].Code), s)
	case mine:
		return standing{chain, MatchedSubject}, nil
	case len(others) > 0:
		return standing{}, atSignature(signerNotSender.With(others[0].Code, a.Code), s)
	}
	return standing{}, atSignature(certificateNotRegistered.With(digest, a.Code), s)
}

// takes reports whether a subject rule of the agency takes the certificate that
// the chain begins with.
func (a Agency) takes(chain []*x509.Certificate, at time.Time) bool {
	return slices.ContainsFunc(a.SubjectRules, func(r SubjectRule) bool { return r.Matches(chain, at) })
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
// under two of its codes, is one recipient. Where the caller sends in part
// (Caller.Partial), one that is not found, or whose code was closed, does not keep
// the package from the others.
func (x *Exchange) resolve(ctx context.Context, pkg *Package, from Caller, now time.Time) error {
	if pkg.Status != nil {
		if err := x.resolveStatus(ctx, pkg); err != nil {
			return err
		}
	}
	for _, code := range pkg.Added { // an update may name a new recipient only there
		pkg.Recipients = append(pkg.Recipients, Recipient{As: code, Place: pkg.TargetPlace})
	}
	var recipients, unknown []Recipient
	var first error
	for _, r := range pkg.Recipients {
		code, err := x.recipientCode(ctx, r, pkg, from, now)
		if CodeOf(err) == UnknownAgency && from.Partial {
			first = cmp.Or(first, err)
			unknown = append(unknown, r)
			continue
		}
		if err != nil {
			return err
		}
		r.Code = code
		if !slices.ContainsFunc(recipients, func(o Recipient) bool { return o.Code == r.Code }) {
			recipients = append(recipients, r)
		}
	}
	if len(recipients) == 0 && first != nil {
		return first
	}
	if len(recipients) == 0 {
		return noRecipient.With().At(pkg.SenderPlace.Path, pkg.SenderPlace.Line)
	}
	pkg.Unknown = unknown
	pkg.Recipients = recipients
	return nil
}

// recipientCode is the canonical code of a recipient that takes packages.
func (x *Exchange) recipientCode(ctx context.Context, r Recipient, pkg *Package, from Caller, now time.Time) (string, error) {
	agency, err := x.find(ctx, r.As, r.Name)
	if CodeOf(err) == NotFound {
		return "", unknownRecipient.With(r.As).At(r.Place.Path, r.Place.Line)
	}
	if err != nil {
		return "", err
	}
	// A closed code still takes answers to what was sent from it.
	if refused := openCode(agency, r.As, now); refused != nil && pkg.Kind != KindStatus {
		return "", refused.At(r.Place.Path, r.Place.Line)
	}
	if from.Upstream != "" && agency.Mode == Relayed {
		// It goes neither back to where it came from, nor round: who sent it to
		// this hub sends it there too.
		return "", notServed.With(agency.Code, from.Upstream).At(r.Place.Path, r.Place.Line)
	}
	pkg.strange(agency)
	return agency.Code, nil
}

// resolveStatus addresses a status package: it names no recipient of its own
// and goes back to the agency that sent the document. A recall by status (13)
// comes from that agency itself: it goes to whoever got the document, except
// those that refused it or agreed to give it back.
func (x *Exchange) resolveStatus(ctx context.Context, pkg *Package) error {
	s := pkg.Status
	origin, err := x.find(ctx, s.ToAs, "")
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
	sent, err := x.meant(ctx, pkg.Sender, *s)
	if err != nil {
		return err
	}
	if len(sent) == 0 {
		return unknownTarget.With(pkg.Sender, cmp.Or(s.DocumentID, s.Notation)).At(s.Place.Path, s.Place.Line)
	}
	pkg.Recipients = nil
	for _, d := range sent {
		if !d.returned() {
			pkg.Recipients = append(pkg.Recipients, Recipient{As: d.Recipient, Place: s.Place})
		}
	}
	return nil
}

// returned reports whether the recipient refused the document or agreed to give
// it back.
func (d Delivery) returned() bool {
	return d.State == Rejected || d.TakenBack() || d.CurrentStatus() == StatusRefused
}

// gaveUp reports whether the recipient does not have the document and will not.
func (d Delivery) gaveUp() bool { return d.State == Failed || d.State == Withdrawn || d.returned() }

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

// dayOf is the day of a time in Vietnam, for those who read it there.
func dayOf(at time.Time) string {
	return at.In(Vietnam).Format(time.DateOnly)
}

// fromOpen refuses what a closed agency sends anew. It still answers what it got,
// and takes back what it sent.
func (p Package) fromOpen(sender Agency, now time.Time) error {
	refused := openCode(sender, p.SenderAs, now)
	if refused == nil || p.Kind == KindStatus || p.Kind == KindRecall {
		return nil
	}
	return refused.At(p.SenderPlace.Path, p.SenderPlace.Line)
}

// openCode refuses a code that was closed before now, or is not in use yet.
func openCode(a Agency, as string, now time.Time) *Error {
	if over(a.Closed, now) {
		if a.Successor != "" {
			return mergedAgency.With(a.Code, dayOf(a.Closed), a.Successor)
		}
		return closedAgency.With(a.Code, dayOf(a.Closed))
	}
	for _, alias := range a.Aliases {
		if alias.Code == as && now.Before(alias.From) {
			return codeNotYetValid.With(as, dayOf(alias.From), a.Code)
		}
		if alias.Code == as && over(alias.Until, now) {
			return closedCode.With(as, dayOf(alias.Until), a.Code)
		}
	}
	return nil
}
