package audit

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/edxml"
	"tram/adapters/revocation"
	"tram/cmd/locale"
	"tram/exchange"
	"tram/signing"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	lang, keys, trust, certificate, proof, at string
	crls                                      []string
	sha1                                      bool
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
registered, --keys for the seal and the log of a receipt.

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

	program  *program
	options  explainOptions
	lang     string
	trust    *signing.Trust
	roots    []*x509.Certificate // of trust
	by       *authority          // nil: without the hub's keys
	at       time.Time           // zero: not given
	root     signing.Name
	doc      *signing.Document // nil: refused
	chain    []*x509.Certificate
	receipt  *exchange.Receipt // nil: it is none, or it cannot be read
	evidence exchange.Evidence
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
	if e.roots, err = readRoots(o.trust); err != nil {
		return nil, &usageError{err}
	}
	if e.roots != nil {
		if e.trust, err = signing.NewTrust(e.roots, nil); err != nil {
			return nil, &usageError{err}
		}
	}
	if o.keys == "" {
		return e, nil
	}
	keys, err := readKeys(o.keys)
	if err != nil {
		return nil, &usageError{err}
	}
	if e.by, err = newAuthority(keys, ""); err != nil {
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
	if err := e.registered(); err != nil {
		return err
	}
	at := e.judge()
	if err := e.revocation(ctx, at); err != nil {
		return err
	}
	e.timeStamp()
	if e.Kind != "receipt" {
		return nil
	}
	e.seal()
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
	if err != nil && e.OK { // no step has it
		e.add(stepOut{Step: string(signing.StepDocument)}, err)
	}
	if err == nil && e.doc.Signature == nil {
		e.found(stepOut{Step: string(signing.StepSignature)}, &Finding{Name: packageUnsigned, Detail: "there is no signature"})
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
	if s.Skipped {
		step.Outcome = notChecked
		step.Text = phrase(e.lang, "cannot be judged: something that it needs does not hold", "chưa thể xét: một bước mà nó cần không hợp lệ")
		e.Steps = append(e.Steps, step)
		return
	}
	e.add(step, s.Err)
}

// add notes a step, which fails if there is an error.
func (e *explanation) add(s stepOut, err error) {
	s.Outcome = holds
	if err != nil {
		e.OK, s.Outcome = false, fails
		s.Rule, s.Text = "error", err.Error()
		var form *exchange.Error
		var signature *signing.Error
		switch {
		case errors.As(err, &form):
			s.Rule, s.Text = form.Rule.Name, form.Text(e.lang)
			s.Path, s.Line = cmp.Or(form.Path, s.Path), cmp.Or(form.Line, s.Line)
		case errors.As(err, &signature):
			s.Rule, s.Text = string(signature.Rule), signature.Text(e.lang)
			s.Path, s.Line = cmp.Or(signature.Path, s.Path), cmp.Or(signature.Line, s.Line)
		}
	}
	e.Steps = append(e.Steps, s)
}

// skip notes a step that was not taken, and why.
func (e *explanation) skip(step, en, vi string) {
	e.Steps = append(e.Steps, stepOut{Step: step, Outcome: notChecked, Text: phrase(e.lang, en, vi)})
}

// found notes a step of this program's own, which fails by a finding.
func (e *explanation) found(s stepOut, f *Finding) {
	s.Outcome = holds
	if f != nil {
		e.OK, s.Outcome, s.Rule, s.Text = false, fails, f.Name, f.Detail
		if words, ok := findingWords[f.Name]; ok {
			s.Text = words.In(e.lang)
			s.Facts = append(s.Facts, factOut{factDetail, f.Detail})
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

// claimed is the time that the signer claims; zero if none does.
func (e *explanation) claimed() time.Time {
	if e.doc == nil || e.doc.Signature == nil {
		return time.Time{}
	}
	return e.doc.Signature.SigningTime
}

func (e *explanation) claimedTime() {
	at := e.claimed()
	if at.IsZero() {
		e.skip(stepSigningTime, "the signature claims no time that could be believed to be the signer's word",
			"chữ ký số không nêu thời gian ký nào có thể coi là lời của người ký")
		return
	}
	e.add(stepOut{Step: stepSigningTime, Facts: []factOut{{signing.FactTime, at.Format(time.RFC3339)}}}, nil)
}

// registered asks whether the certificate is one of those given.
func (e *explanation) registered() error {
	if e.options.certificate == "" || len(e.chain) == 0 {
		e.skip(stepRegistered, "give --certificate: the file of the certificates that are registered for the agency; \"hub agency\" shows their SHA-256",
			"hãy nêu --certificate: tệp chứng thư số đã đăng ký cho cơ quan; lệnh \"hub agency\" cho biết SHA-256 của chúng")
		return nil
	}
	pemBytes, err := os.ReadFile(e.options.certificate)
	if err != nil {
		return usagef("reading --certificate: %w", err)
	}
	list, err := signing.ParseCertificates(pemBytes)
	if err != nil {
		return usagef("%s: %w", e.options.certificate, err)
	}
	step := stepOut{Step: stepRegistered}
	for _, c := range list {
		step.Facts = append(step.Facts, factOut{signing.FactSHA256, exchange.DigestOf(c.Raw).String()})
	}
	if slices.ContainsFunc(list, e.chain[0].Equal) {
		e.found(step, nil)
		return nil
	}
	f := finding(certificateUnregistered, "SHA-256 %s", exchange.DigestOf(e.chain[0].Raw))
	e.found(step, &f)
	return nil
}

// judge asks whether the signer's certificate leads to the authorities given, and
// returns the time it is judged at.
func (e *explanation) judge() time.Time {
	j := judgedAt(e.at, e.claimed())
	if e.at.IsZero() && e.receipt != nil {
		j = judgement{At: e.receipt.Time, Basis: atReceipt}
	}
	switch {
	case len(e.chain) == 0:
		e.skip(stepChain, "there is no certificate to judge", "không có chứng thư số để xét")
	case e.trust == nil:
		e.skip(stepChain, "give --trust: the file of the authorities that the certificate must lead to",
			"hãy nêu --trust: tệp chứng thư số của các tổ chức chứng thực được tin cậy")
	default:
		e.add(stepOut{Step: stepChain, Facts: []factOut{{factJudged, j.in(e.lang)}}}, e.trust.Check(e.chain[0], e.chain[1:], j.At))
	}
	return j.At
}

// revocation asks the lists given whether the certificate, or one above it, was
// revoked at the time. Nobody is called.
func (e *explanation) revocation(ctx context.Context, at time.Time) error {
	if len(e.options.crls) == 0 {
		e.skip(stepRevocation, "not looked at: give --crl, the file of the authority's list of revoked certificates",
			"chưa xét: hãy nêu --crl, tệp danh sách chứng thư số bị thu hồi của tổ chức chứng thực")
		return nil
	}
	chain := e.path(at)
	if chain == nil {
		e.skip(stepRevocation, "not looked at: only an authority that the certificate leads to can tell",
			"chưa xét: chỉ tổ chức chứng thực cấp ra chứng thư số mới cho biết được")
		return nil
	}
	found, err := e.askLists(ctx, chain, at)
	if err != nil {
		return err
	}
	step := stepOut{Step: stepRevocation, Text: exchange.RevocationWords(found.Reason).In(e.lang),
		Facts: []factOut{{signing.FactSHA256, found.Certificate.String()}, {factSource, found.Source}, {factState, string(found.State)}}}
	if !found.RevokedAt.IsZero() {
		step.Facts = append(step.Facts, factOut{factRevokedAt, found.RevokedAt.Format(time.RFC3339)})
	}
	switch found.State {
	case exchange.RevocationGood:
		step.Outcome = holds
	case exchange.RevocationRevoked:
		e.OK, step.Outcome, step.Rule = false, fails, string(exchange.Revoked)
	case exchange.RevocationUnknown:
		step.Outcome = notChecked
	}
	e.Steps = append(e.Steps, step)
	return nil
}

// path is a chain of the certificate to the authorities given, which are known to
// be its own; nil if there is none.
func (e *explanation) path(at time.Time) []*x509.Certificate {
	if e.trust == nil || len(e.chain) == 0 || e.trust.Check(e.chain[0], e.chain[1:], at) != nil {
		return nil
	}
	roots, hints := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range e.roots {
		roots.AddCert(c)
	}
	for _, c := range e.chain[1:] {
		hints.AddCert(c)
	}
	chains, err := e.chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: hints, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil || len(chains) == 0 {
		return nil
	}
	return chains[0]
}

// askLists looks the chain up in the lists, as they stood at --at if it is given.
func (e *explanation) askLists(ctx context.Context, chain []*x509.Certificate, at time.Time) (exchange.RevocationFinding, error) {
	dir, err := os.MkdirTemp("", "auditor-crl-")
	if err != nil {
		return exchange.RevocationFinding{}, err
	}
	defer os.RemoveAll(dir)
	c := revocation.Config{Dir: dir}
	if !e.at.IsZero() {
		c.Now = func() time.Time { return e.at }
	}
	for _, issuer := range chain[1:] {
		c.Issuers = append(c.Issuers, revocation.Issuer{Certificate: issuer, CRLs: e.options.crls})
	}
	service, err := revocation.New(c)
	if err != nil {
		return exchange.RevocationFinding{}, &usageError{err}
	}
	defer service.Close()
	return service.Check(ctx, chain, at), nil
}

// timeStamp is where the time of an authority will be told.
func (e *explanation) timeStamp() {
	e.skip(stepTimeStamp, "the signature carries none: the time is the signer's own word",
		"chữ ký số không kèm dấu thời gian: thời gian chỉ là lời của người ký")
}

// seal asks whether the receipt was sealed by the hub.
func (e *explanation) seal() {
	if e.by == nil || len(e.chain) == 0 {
		e.skip(stepSeal, "give --keys: the file of the hub's published keys, which https://HUB/v1/keys gives",
			"hãy nêu --keys: tệp khóa công bố của trục, lấy tại https://TRỤC/v1/keys")
		return
	}
	step := stepOut{Step: stepSeal, Facts: []factOut{{signing.FactSHA256, exchange.DigestOf(e.chain[0].Raw).String()}}}
	if f, ok := e.by.seal(&signing.Signature{Certificate: e.chain[0], Others: e.chain[1:]}, time.Time{}); !ok {
		e.found(step, &f)
		return
	}
	e.found(step, nil)
}

// log asks whether the receipt is in the hub's log.
func (e *explanation) log() error {
	file := cmp.Or(e.options.proof, strings.TrimSuffix(e.File, filepath.Ext(e.File))+proofSuffix)
	if e.by == nil || e.receipt == nil {
		e.skip(stepLog, "give --keys: a proof counts only with the hub's log key, and for a receipt that can be read",
			"hãy nêu --keys: bằng chứng chỉ có giá trị với khóa nhật ký của trục, và với biên nhận đọc được")
		return nil
	}
	if _, err := os.Stat(file); err != nil && e.options.proof == "" {
		e.skip(stepLog, "there is no proof beside the receipt; \"agency receipts\" keeps both, --proof names one",
			"không có bằng chứng bên cạnh biên nhận; lệnh \"agency receipts\" lưu cả hai, --proof chỉ ra tệp khác")
		return nil
	}
	v := verified{File: e.File, receipt: *e.receipt}
	if err := e.by.prove(&v, verifyOptions{proof: file}); err != nil {
		return err
	}
	step := stepOut{Step: stepLog}
	if v.Log != nil {
		step.Facts = []factOut{{factOrigin, v.Log.Origin}, {factLeaf, fmt.Sprintf("%d / %d", v.Log.Leaf, v.Log.Size)}, {factLogRoot, v.Log.Root}}
	}
	if len(v.Findings) > 0 {
		e.found(step, &v.Findings[0])
		return nil
	}
	e.found(step, nil)
	return nil
}
