package audit

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/edxml"
	"tram/cmd/locale"
	"tram/exchange"
	"tram/signing"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	lang, keys, trust, certificate, proof, at, tsaRoots string
	crls                                                []string
	sha1                                                bool
}

func (p *program) explain() *cobra.Command {
	var o explainOptions
	c := &cobra.Command{
		Use:   "explain FILE",
		Short: "Show step by step how a signed file was checked, and where it failed",
		Long: `explain checks a package, a receipt or any other signed XML document, and shows every
step: what was looked at, what was found, and, where a step fails, the rule, the
element with its line, and what to do about it. It goes on after a failure as far
as it can, so that one look shows everything: which algorithms were asked for and
which would be accepted, which digest the signature states and which the document
has.

A step that was not taken says what it needs: --trust for the chain of the
certificate, --crl for its revocation, --certificate for the one that is
registered, --keys for the seal and the log of a receipt, --tsa-roots for a
time-stamp whose authority the hub's keys do not name.

Words are Vietnamese or English: by --lang, else by LC_ALL or LANG. Rules, element
paths and the names in --json are the same in both.`,
		Example: `  auditor explain 1250-STC-NS.edxml
  auditor explain --lang vi --trust rootca.pem 1250-STC-NS.edxml
  auditor explain --keys keys.json --json 0198f2c4.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.runExplain(c.Context(), o, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.lang, "lang", "", "language of the words: vi or en")
	f.StringVar(&o.trust, "trust", "", "PEM `file` of certificate authorities that the signer's certificate must lead to")
	f.BoolVar(&o.sha1, "sha1", false, "let the signature rest on SHA-1, as a hub may for an agency until a date")
	f.StringArrayVar(&o.crls, "crl", nil, "`file` of an authority's list of revoked certificates, PEM or DER; repeat for more")
	f.StringVar(&o.certificate, "certificate", "", "PEM `file` of the certificates that are registered for the agency")
	f.StringVar(&o.at, "at", "", "`time` at which the certificate is judged; without it that of the receipt, or that which the signer claims, or now")
	f.StringVar(&o.keys, "keys", "", "`file` of the hub's published keys, for receipts")
	f.StringVar(&o.tsaRoots, "tsa-roots", "", "PEM `file` of the roots of time-stamp authorities, instead of those in the keys file")
	f.StringVar(&o.proof, "proof", "", "proof `file` of the receipt, if it is not beside it")
	return c
}

func (p *program) runExplain(ctx context.Context, o explainOptions, file string) error {
	e, err := p.newExplanation(o, file)
	if err != nil {
		return err
	}
	if err := e.run(ctx); err != nil {
		return err
	}
	if err := p.printExplanation(e); err != nil {
		return err
	}
	if !e.OK {
		return errDoesNotHold
	}
	return nil
}

// explanation is what explain finds about one file.
type explanation struct {
	File  string    `json:"file"`
	OK    bool      `json:"ok"`
	Kind  string    `json:"kind"` // "package", "receipt", "document"
	Steps []stepOut `json:"steps"`

	program      *program
	options      explainOptions
	lang         string
	trust        *signing.Trust
	by           *authority     // nil: without the hub's keys
	tsa          *signing.Trust // of time-stamps; nil: no authority is known
	at           time.Time      // zero: not given
	root         signing.Name
	doc          *signing.Document   // nil: refused
	chain        []*x509.Certificate // of KeyInfo, the signer's first
	path         []*x509.Certificate // of the signer's to a root of trust; nil: there is none
	properties   stepOut             // the XAdES step: a time-stamp stands in its element
	stampRefused error               // a time-stamp that the document is refused for
	stamp        *stamp              // nil: none, or it does not hold
	receipt      *exchange.Receipt   // nil: it is none, or it cannot be read
	evidence     exchange.Evidence
}

// Outcomes of a step.
const (
	holds      = "holds"
	fails      = "fails"
	notChecked = "not-checked" // it was not asked for, or there is nothing to check
)

// stepOut is one step, for programs.
type stepOut struct {
	Step    string `json:"step"`
	Outcome string `json:"outcome"`
	Path    string `json:"path,omitempty"`
	Line    int    `json:"line,omitempty"`
	// Rule is the stable name of what was broken.
	Rule string `json:"rule,omitempty"`
	// Text is in the language asked for.
	Text  string    `json:"text,omitempty"`
	Facts []factOut `json:"facts,omitempty"`
}

type factOut struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p *program) newExplanation(o explainOptions, file string) (*explanation, error) {
	e := &explanation{File: file, OK: true, Steps: []stepOut{}, program: p, options: o, lang: cmp.Or(o.lang, locale.Language())}
	if e.lang != "vi" && e.lang != "en" {
		return nil, usagef("--lang must be vi or en, not %q", o.lang)
	}
	var err error
	if e.at, err = parseMoment(o.at); err != nil {
		return nil, usagef("--at: %w", err)
	}
	if e.trust, err = readTrust(o.trust); err != nil {
		return nil, &usageError{err}
	}
	var keys exchange.Keys
	if o.keys != "" {
		if keys, err = readKeys(o.keys); err != nil {
			return nil, &usageError{err}
		}
		if e.by, err = newAuthority(keys, ""); err != nil {
			return nil, &usageError{err}
		}
	}
	if e.tsa, err = trustStamps(keys, o.tsaRoots); err != nil {
		return nil, &usageError{err}
	}
	return e, nil
}

// run takes the steps in order. The error is of reading files; what does not hold
// is among the steps.
func (e *explanation) run(ctx context.Context) error {
	decoder, err := e.read()
	if err != nil {
		return err
	}
	e.content(decoder)
	e.claimedTime()
	e.timeStamp()
	if err := e.registered(); err != nil {
		return err
	}
	at := e.judge()
	if err := e.revocation(ctx, at); err != nil {
		return err
	}
	if e.Kind != "receipt" {
		return nil
	}
	e.seal()
	e.evidenceAgrees()
	e.answer()
	return e.log()
}

// read reads the file, whatever it is, and notes the steps that signing takes.
func (e *explanation) read() (exchange.Decoder, error) {
	f, size, err := openSized(e.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	decoder := edxml.New(limitsFor(size)).Decoder()
	options := decoder.Options()
	options.Stream, options.SHA1 = e.streaming(options.Stream), e.options.sha1
	bar := e.program.progress("reading "+e.File, 2*size) // it is read twice
	e.doc, err = signing.Explain(bar.Reader(f), options, e.told)
	bar.End()
	e.Kind = kindOf(e.root)
	if err != nil && !refused(err) {
		return nil, fmt.Errorf("reading %s: %w", e.File, err)
	}
	if err != nil && e.OK && e.stampRefused == nil { // no step has it
		e.add(stepOut{Step: string(signing.StepDocument)}, err)
	}
	if err == nil && e.doc.Signature == nil {
		e.found(stepOut{Step: string(signing.StepSignature)}, &Finding{Name: packageUnsigned})
	}
	return decoder, nil
}

// kindOf says what a root makes of a document.
func kindOf(root signing.Name) string {
	switch {
	case strings.HasPrefix(strings.ToLower(root.Local), "edxml"):
		return "package"
	case root.Local == "Evidence":
		return "receipt"
	}
	return "document"
}

// streaming notes the root, and lets attachments that are refused pass: the
// signature can be judged all the same.
func (e *explanation) streaming(stream func(*signing.Element) io.Writer) func(*signing.Element) io.Writer {
	return func(el *signing.Element) io.Writer {
		if el.Parent == nil {
			e.root = el.Name
		}
		w := stream(el)
		if w == nil {
			return nil
		}
		return &forgiving{w: w, refused: func(err error) { e.add(stepOut{Step: stepAttachment, Path: el.Path(), Line: el.Line}, err) }}
	}
}

// forgiving takes what its writer refuses, and tells that it was refused.
type forgiving struct {
	w       io.Writer // nil: it has refused
	refused func(error)
}

func (f *forgiving) Write(b []byte) (int, error) {
	if f.w != nil {
		if _, err := f.w.Write(b); err != nil {
			f.refuse(err)
		}
	}
	return len(b), nil
}

func (f *forgiving) Close() error {
	if c, ok := f.w.(io.Closer); ok {
		if err := c.Close(); err != nil {
			f.refuse(err)
		}
	}
	return nil
}

func (f *forgiving) refuse(err error) {
	f.w = nil
	f.refused(err)
}

// told notes a step that signing took.
func (e *explanation) told(s signing.Step) {
	step := stepOut{Step: string(s.Name), Path: s.Path, Line: s.Line}
	for _, f := range s.Facts {
		step.Facts = append(step.Facts, factOut(f))
	}
	if len(s.Certificates) > 0 {
		e.chain = s.Certificates
	}
	if s.Name == signing.StepSignedProperties {
		e.properties = step
	}
	if ofTimeStamp(s.Err) { // it has a step of its own; what is signed was not looked at then
		e.stampRefused, s.Skipped = s.Err, true
	}
	if s.Skipped {
		step.Outcome = notChecked
		step.Text = phrase(e.lang, "cannot be judged: something that it needs does not hold", "chưa thể xét: một bước mà nó cần không hợp lệ")
		e.Steps = append(e.Steps, step)
		return
	}
	e.add(step, s.Err)
}

// ofTimeStamp says whether a document is refused for what nobody signed: its
// time-stamps, or what stands in their place.
func ofTimeStamp(err error) bool {
	var refusal *signing.Error
	return errors.As(err, &refusal) && strings.Contains(refusal.Path, unsignedProperties)
}

// add notes a step, which fails if there is an error.
func (e *explanation) add(s stepOut, err error) {
	s.Outcome = holds
	if err != nil {
		r := refusalIn(err, e.lang)
		e.OK, s.Outcome = false, fails
		s.Rule, s.Text = cmp.Or(r.rule, "error"), r.text
		s.Path, s.Line = cmp.Or(r.path, s.Path), cmp.Or(r.line, s.Line)
	}
	s.Text = strings.TrimSpace(s.Text + " " + s.hint(e.lang))
	e.Steps = append(e.Steps, s)
}

// skip notes a step that was not taken, and why.
func (e *explanation) skip(step, en, vi string) {
	e.Steps = append(e.Steps, stepOut{Step: step, Outcome: notChecked, Text: phrase(e.lang, en, vi)})
}

// found notes a step of this program's own, which fails by a finding. Its detail
// is English: it is said only where there are no words.
func (e *explanation) found(s stepOut, f *Finding) {
	s.Outcome = holds
	if f != nil {
		e.OK, s.Outcome, s.Rule, s.Text = false, fails, f.Name, f.Detail
		if words, ok := findingWords[f.Name]; ok {
			s.Text = words.In(e.lang)
		}
	}
	e.Steps = append(e.Steps, s)
}

// Steps and facts that are this program's own. Once published a name keeps its
// meaning.
const (
	stepAttachment  = "attachment" // one that streams by; noted only if it is refused
	stepContent     = "content"    // the package's or the receipt's own form
	stepSigningTime = "signing-time"
	stepRegistered  = "registered"
	stepChain       = "chain"
	stepRevocation  = "revocation"
	stepTimeStamp   = "time-stamp"
	stepSeal        = "seal"
	stepEvidence    = "evidence"        // the receipt does not contradict itself; noted only if it does
	stepAnswer      = "acknowledgement" // the recipient's own answer, if the receipt holds one
	stepLog         = "log"

	factDetail   = "detail"
	factDocument = "document"
	factSender   = "sender"
	factTo       = "recipient"
	factEvent    = "event"
	factJudged   = "judged"
	factOrigin   = "origin"
	factLeaf     = "leaf"
	factLogRoot  = "log-root"
	factReceipt  = "receipt"

	factAccuracy   = "accuracy"
	factAuthority  = "authority"  // of a time-stamp: subject of its certificate
	factPolicy     = "policy"     // of a time-stamp: object identifier
	factRegistered = "registered" // SHA-256 of one that is
	factPublished  = "published"  // likewise, by the hub
	factOutcome    = "outcome"    // of the recipient's answer

	factSource    = "source"
	factState     = "state"
	factRevokedAt = "revoked-at"
)

// content reads what was signed, as a hub reads it.
func (e *explanation) content(decoder exchange.Decoder) {
	switch {
	case e.doc == nil && e.Kind != "document":
		e.skip(stepContent, "not read: the document was refused", "chưa đọc: tài liệu đã bị từ chối")
	case e.Kind == "package":
		p, err := decoder.Decode(e.doc)
		step := stepOut{Step: stepContent, Facts: []factOut{{factDocument, p.DocumentID}, {factSender, p.SenderAs}}}
		for _, r := range p.Recipients {
			step.Facts = append(step.Facts, factOut{factTo, r.As})
		}
		if err != nil {
			step.Facts = nil
		}
		e.add(step, err)
	case e.Kind == "receipt":
		e.readReceipt()
	}
}

func (e *explanation) readReceipt() {
	raw, err := readReceipt(e.File)
	if err != nil {
		e.add(stepOut{Step: stepContent}, err)
		return
	}
	receipt, evidence, _, err := exchange.ParseReceipt(raw)
	if err != nil {
		e.add(stepOut{Step: stepContent}, err)
		return
	}
	e.receipt, e.evidence = &receipt, evidence
	e.add(stepOut{Step: stepContent, Facts: []factOut{{factReceipt, string(receipt.ID)}, {factEvent, string(receipt.Event)},
		{signing.FactTime, receipt.Time.Format(time.RFC3339Nano)}}}, nil)
}
