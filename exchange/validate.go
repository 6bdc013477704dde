package exchange

import (
	"context"
	"io"
	"regexp"
	"slices"

	"tram/signing"
)

// Severity is what becomes of a package that a finding is about.
type Severity string

// The severities.
const (
	SeverityRefused Severity = "refused" // the package is not taken in
	SeverityWarning Severity = "warning" // it is, and receivers may stumble
)

// Finding is one rule that a package breaks, for those who write packages. Rule,
// Code and Severity are stable; the words are in both languages.
type Finding struct {
	Rule     string   `json:"rule"`
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Path and Line are of the element; empty and 0 if it is about none.
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"`
	// Found is what stands there, Expected what could: data, or a pattern.
	Found    string `json:"found,omitempty"`
	Expected string `json:"expected,omitempty"`
	// Example is a correct piece of a document.
	Example string `json:"example,omitempty"`
	Vi      string `json:"vi"`
	En      string `json:"en"`
	// Link leads to the rule's description, below the hub's address.
	Link string `json:"link"`
}

// Text is what is wrong and what to do next, in "vi" or, for any other language,
// English.
func (f Finding) Text(lang string) string { return Words{f.En, f.Vi}.In(lang) }

// Validation is all that is wrong with one document.
type Validation struct {
	// Findings stand in the order in which they were found. The first one that
	// refuses is the hub's refusal.
	Findings []Finding
	// More is how many further findings there were.
	More int
	// Package is what could be read; of a document that is refused not everything
	// could.
	Package Package
	// Signed says whether there is a signature, Signature what it says if it holds.
	Signed    bool
	Signature *signing.Signature
	// Registry says whether the hub's registry was asked.
	Registry bool
}

// OK reports whether nothing refuses the package.
func (v Validation) OK() bool {
	return !slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Severity == SeverityRefused })
}

// RuleHelp describes a rule: for whom it reads, an example of what is right and of
// what breaks it.
type RuleHelp struct {
	Rule     Rule
	Severity Severity
	// Expected is what may stand there: data, or a pattern.
	Expected string
	// Good and Bad are pieces of documents; empty where none is short enough.
	Good, Bad string
}

// Sample is a correct package, not signed.
type Sample struct {
	Kind     Kind
	Document string
}

// Samples are correct packages, one of each kind.
func (x *Exchange) Samples() ([]Sample, error) { return x.c.Format.Samples() }

// Link leads to the rule's description, below the hub's address.
func (r Rule) Link() string { return "/rules#" + r.Name }

// argument is where a rule's words take what was found.
var argument = regexp.MustCompile(`%[a-z]`)

// Plain are the rule's words where nothing was found: "…" stands for it.
func (r Rule) Plain(lang string) string {
	return argument.ReplaceAllString(Words{r.En, r.Vi}.In(lang), "…")
}

// RefusalOf is the refusal in an error of reading a document, if it is one.
func RefusalOf(err error) (*Error, bool) {
	e, ok := refusal(err).(*Error) //nolint:errorlint // refusal unwraps
	return e, ok
}

// Unsigned is the warning about a package without a signature, where it is not
// known whether its sender may do without.
func Unsigned() Rule { return unsignedPackage }

// FindingOf is the finding that a refusal makes.
func FindingOf(e *Error, s Severity, found string) Finding {
	return Finding{Rule: e.Rule.Name, Code: e.Code(), Severity: s, Path: e.Path, Line: e.Line, Found: found,
		Vi: e.Text("vi"), En: e.Text("en"), Link: e.Rule.Link()}
}

// Rules describes every rule that a package can break: those of the format, and
// those of admission.
func (x *Exchange) Rules() []RuleHelp {
	return append(slices.Clone(x.c.Format.Rules()), admissionRules()...)
}

// admissionRules are those of the registry, of earlier packages and of the scanner.
// examine does not ask the scanner, and examines nothing that another axis brings.
func admissionRules() []RuleHelp {
	var list []RuleHelp
	for _, r := range []Rule{unknownSender, systemNotForAgency, closedAgency, mergedAgency, closedCode, codeNotYetValid, unknownRecipient,
		notServed, noRecipient, signatureRequired, signerNotSender, certificateNotRegistered, subjectRuleAmbiguous, certificateRevoked,
		revocationUnknown, duplicateDocument, unknownTarget, malwareFound} {
		list = append(list, RuleHelp{Rule: r, Severity: SeverityRefused})
	}
	return list
}

// Validate tells everything that is wrong with a package. Nothing of it is kept,
// and nothing is put on record. Who says who it is hears what the registry and
// earlier packages have to say, too; the public does not.
func (x *Exchange) Validate(ctx context.Context, by Caller, body io.Reader) (Validation, error) {
	body, err := x.withSpace(ctx, body)
	if err != nil {
		return Validation{}, err
	}
	draft, err := x.c.Vault.Create(ctx)
	if err != nil {
		return Validation{}, err
	}
	defer draft.Discard() // it is never kept
	if _, err := io.Copy(draft, body); err != nil {
		return Validation{}, err
	}
	known := by.System != nil || by.Watches()
	v, err := x.c.Format.Validate(draft.Again, known) // of SHA-1 the sender's entry decides
	if err != nil || !known || v.Package.SenderAs == "" {
		return v, err
	}
	v.Registry = true
	found, err := x.examine(ctx, by, &v)
	for _, e := range found {
		v.Findings = append(v.Findings, FindingOf(e, SeverityRefused, ""))
	}
	return v, err
}

// examine asks everything that submitting asks of the registry and of earlier
// packages. Where Submit stops at the first refusal, it goes on.
func (x *Exchange) examine(ctx context.Context, by Caller, v *Validation) ([]*Error, error) {
	e := examination{x: x, pkg: v.Package}
	if err := e.sender(ctx, by); err != nil {
		return nil, err
	}
	if e.agency != nil && v.OK() {
		_, err := x.c.Ledger.FirstReceipt(ctx, e.pkg)
		if err == nil {
			return nil, nil // it was accepted before: its first receipt is the answer
		}
		if CodeOf(err) != NotFound {
			return nil, err
		}
	}
	if e.agency != nil {
		v.Findings = slices.DeleteFunc(v.Findings, func(f Finding) bool { return f.Rule == unsignedPackage.Name })
		if err := e.signature(ctx, v); err != nil {
			return nil, err
		}
	}
	if err := e.recipients(ctx); err != nil {
		return nil, err
	}
	if e.agency != nil {
		if err := e.earlier(ctx); err != nil {
			return nil, err
		}
	}
	return e.found, nil
}

// examination collects refusals.
type examination struct {
	x      *Exchange
	pkg    Package
	agency *Agency // the sender; nil: unknown, or not the caller's
	found  []*Error
}

// note keeps a refusal, and returns any other error.
func (e *examination) note(err error) error {
	if err == nil {
		return nil
	}
	refused, ok := RefusalOf(err)
	if !ok {
		return err
	}
	e.found = append(e.found, refused)
	return nil
}

// sender finds who sends it. To a person it is as if the sender's own system asked.
func (e *examination) sender(ctx context.Context, by Caller) error {
	if by.Watches() {
		by = Caller{System: &System{}}
		if a, err := e.x.c.Ledger.Agency(ctx, e.pkg.SenderAs); err == nil {
			by.System.Agencies = []string{a.Code}
		}
	}
	agency, err := e.x.sender(ctx, &e.pkg, by)
	if err != nil {
		return e.note(err)
	}
	e.agency = &agency
	return e.note(e.pkg.fromOpen(agency, e.x.now()))
}

// signature asks whether the signer may sign for the sender, and whether the
// certificate was revoked.
func (e *examination) signature(ctx context.Context, v *Validation) error {
	at := e.pkg.SenderPlace
	if !v.Signed && e.agency.Signs() {
		return e.note(signatureRequired.With(e.agency.Code).At(at.Path, at.Line))
	}
	if v.Signature == nil {
		return nil
	}
	now := e.x.now()
	by, err := e.x.signedBy(ctx, *e.agency, v.Signature, now)
	if err != nil {
		return e.note(err)
	}
	_, err = e.x.rely(ctx, SignatureOf(v.Signature), by, v.Signature, now)
	return e.note(err)
}

// recipients looks each of them up by itself.
func (e *examination) recipients(ctx context.Context) error {
	if e.pkg.Status != nil && e.pkg.Status.ToAs != "" {
		status, one := *e.pkg.Status, e.pkg
		one.Status = &status
		return e.note(e.x.resolve(ctx, &one, Caller{}, e.x.now()))
	}
	list := slices.Clone(e.pkg.Recipients)
	for _, code := range e.pkg.Added {
		list = append(list, Recipient{As: code, Place: e.pkg.TargetPlace})
	}
	for _, r := range list {
		if r.As == "" {
			continue // said already
		}
		_, err := e.x.recipientCode(ctx, r, &e.pkg, Caller{}, e.x.now())
		if err := e.note(err); err != nil {
			return err
		}
	}
	return nil
}

// earlier compares the package with earlier ones of its sender.
func (e *examination) earlier(ctx context.Context) error {
	for _, target := range e.pkg.Targets {
		one := e.pkg
		one.Targets = []string{target}
		if target == "" {
			continue // said already
		}
		if err := e.note(e.x.owns(ctx, one)); err != nil {
			return err
		}
	}
	if e.pkg.DocumentID == "" {
		return nil
	}
	return e.note(e.x.unused(ctx, e.pkg))
}

// Verdict is a validation for those who asked for it.
type Verdict struct {
	// OK says that the package would be accepted, as far as was asked.
	OK bool `json:"ok"`
	// Registry says whether the directory and earlier documents were asked.
	Registry   bool   `json:"registry"`
	Kind       Kind   `json:"kind,omitempty"`
	Sender     string `json:"sender,omitempty"` // as written
	DocumentID string `json:"documentId,omitempty"`
	// Signed says whether there is a signature; Signer is the subject of its
	// certificate, if it holds.
	Signed   bool      `json:"signed"`
	Signer   string    `json:"signer,omitempty"`
	Findings []Finding `json:"findings"`
	// More is how many findings there were beyond these.
	More int `json:"more"`
}

// Verdict is what to tell of a validation.
func (v Validation) Verdict() Verdict {
	said := Verdict{OK: v.OK(), Registry: v.Registry, Kind: v.Package.Kind, Sender: v.Package.SenderAs,
		DocumentID: v.Package.DocumentID, Signed: v.Signed, Findings: v.Findings, More: v.More}
	if v.Signature != nil {
		said.Signer = v.Signature.Certificate.Subject.String()
	}
	if said.Findings == nil {
		said.Findings = []Finding{}
	}
	return said
}
