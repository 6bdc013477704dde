package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

// validating are the flags of validate.
type validating struct {
	lang string
	hub  bool
	sha1 bool
}

func (p *program) validate() *cobra.Command {
	var o validating
	c := &cobra.Command{
		Use:   "validate PACKAGE.edxml…",
		Short: "Tell everything that is wrong with packages, before they are submitted",
		Long: `validate reads packages as a hub does and tells every rule that they break, not only
the first: the element with its line, what was found, what is expected, a correct
example, and what to do. What would be let pass and may trip receivers is a warning.
The packages may be of any size, and need not be signed yet.

It works without a hub. With trust in the settings it also looks whether the
signer's certificate leads to them. With --hub it asks the hub as well, which knows
the directory, the registered certificates and earlier documents, and keeps nothing.

Exit code 1: a package would be refused. Rules are described by "agency rules" and
at /rules on the hub.`,
		Example: `  agency validate 1250.edxml
  agency validate --hub --lang vi 1250.signed.edxml
  agency validate --json outbox/*.edxml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.runValidate(c.Context(), o, args) },
	}
	c.Flags().StringVar(&o.lang, "lang", "", "language of the words: vi or en; without it, that of the settings")
	c.Flags().BoolVar(&o.hub, "hub", false, "ask the hub, too")
	c.Flags().BoolVar(&o.sha1, "sha1", false, "let the signature rest on SHA-1, as a hub may for an agency until a date")
	return c
}

// validated is what was found in one file.
type validated struct {
	File string `json:"file"`
	exchange.Verdict
}

func (p *program) runValidate(ctx context.Context, o validating, files []string) error {
	lang, err := p.wordsIn(o.lang)
	if err != nil {
		return err
	}
	var hub *httpclient.Client
	if o.hub {
		if hub, err = p.client(); err != nil {
			return err
		}
		defer hub.Close()
	}
	results, refused := []validated{}, false
	for _, file := range files {
		v, err := p.validateFile(ctx, hub, file, o.sha1)
		if err != nil {
			return err
		}
		refused = refused || !v.OK
		results = append(results, v)
	}
	if err := p.show(results, func(w io.Writer) {
		for _, v := range results {
			v.print(w, lang, p.settings.URL)
		}
	}); err != nil {
		return err
	}
	if refused {
		return errSomeFailed
	}
	return nil
}

// wordsIn is the language that was asked for.
func (p *program) wordsIn(lang string) (string, error) {
	lang = cmp.Or(lang, p.language())
	if lang != "vi" && lang != "en" {
		return "", usagef("--lang must be vi or en, not %q", lang)
	}
	return lang, nil
}

func (p *program) validateFile(ctx context.Context, hub *httpclient.Client, file string, sha1 bool) (validated, error) {
	info, err := os.Stat(file)
	if err != nil {
		return validated{}, err
	}
	bar := progress.New(p.stderr, p.json, "validating "+file, info.Size())
	defer bar.End()
	found, err := edxml.New(edxml.Options{}).Validate(func() (io.ReadCloser, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{bar.Reader(f), f}, nil
	}, sha1)
	if err != nil {
		return validated{}, fmt.Errorf("reading %s: %w", file, err)
	}
	if err := p.trusts(&found); err != nil {
		return validated{}, err
	}
	v := validated{file, found.Verdict()}
	if hub == nil {
		return v, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return validated{}, err
	}
	defer f.Close()
	told, err := hub.Validate(ctx, f, info.Size())
	if err != nil {
		return validated{}, fmt.Errorf("%s: %w", file, err)
	}
	return validated{file, together(told, v.Verdict)}, nil
}

// trusts adds what is wrong with the certificate's chain, if the settings name
// authorities.
func (p *program) trusts(v *exchange.Validation) error {
	trust, err := p.trust()
	if err != nil || trust == nil || v.Signature == nil {
		return err
	}
	err = trust.Check(v.Signature.Certificate, v.Signature.Others, time.Now())
	if err == nil {
		return nil
	}
	refused, ok := exchange.RefusalOf(err)
	if !ok {
		return err
	}
	v.Findings = append(v.Findings, exchange.FindingOf(refused.At("Signature", v.Signature.Line), exchange.SeverityRefused, ""))
	return nil
}

// together is the hub's verdict, and what it does not mind but was found here: it
// may trust other authorities.
func together(hub, here exchange.Verdict) exchange.Verdict {
	for _, f := range here.Findings {
		same := func(o exchange.Finding) bool { return o.Rule == f.Rule && o.Line == f.Line }
		if f.Severity == exchange.SeverityRefused && !slices.ContainsFunc(hub.Findings, same) {
			hub.Findings = append(hub.Findings, f)
			hub.OK = false
		}
	}
	return hub
}

// labels are the words around findings.
var labels = map[string]struct{ taken, refused, warning, line, found, expected, example, see, more string }{
	"en": {"would be accepted", "would be refused", "warning", "line", "found", "expected", "example", "see", "further findings"},
	"vi": {"được chấp nhận", "bị từ chối", "cảnh báo", "dòng", "tìm thấy", "giá trị đúng", "ví dụ đúng", "xem", "điểm khác"},
}

func (v validated) print(w io.Writer, lang, hub string) {
	l := labels[lang]
	verdict := l.taken
	if !v.OK {
		verdict = l.refused
	}
	fmt.Fprintf(w, "%s: %s\n", printable(v.File), verdict)
	for _, f := range v.Findings {
		severity := l.refused
		if f.Severity == exchange.SeverityWarning {
			severity = l.warning
		}
		place := ""
		if f.Line > 0 {
			place = fmt.Sprintf(", %s %d", l.line, f.Line)
		}
		fmt.Fprintf(w, "\n  %s (%s)%s\n", f.Rule, severity, place)
		if f.Path != "" {
			fmt.Fprintf(w, "    %s\n", oneLine(f.Path))
		}
		fmt.Fprintf(w, "    %s\n", oneLine(f.Text(lang)))
		for _, part := range [][2]string{{l.found, f.Found}, {l.expected, f.Expected}, {l.example, f.Example}} {
			if part[1] != "" {
				fmt.Fprintf(w, "    %s: %s\n", part[0], oneLine(part[1]))
			}
		}
		if hub != "" {
			fmt.Fprintf(w, "    %s: %s%s\n", l.see, strings.TrimRight(hub, "/"), f.Link)
		}
	}
	if v.More > 0 {
		fmt.Fprintf(w, "\n  + %d %s\n", v.More, l.more)
	}
}

func (p *program) rules() *cobra.Command {
	var lang string
	c := &cobra.Command{
		Use:   "rules [NAME…]",
		Short: "Describe the rules that packages are read by, with examples",
		RunE: func(_ *cobra.Command, names []string) error {
			lang, err := p.wordsIn(lang)
			if err != nil {
				return err
			}
			list, err := described(names)
			if err != nil {
				return err
			}
			return p.show(list, func(w io.Writer) {
				for _, r := range list {
					fmt.Fprintf(w, "%s (%s)\n  %s\n", r.Name, r.Code, oneLine(exchange.Words{En: r.En, Vi: r.Vi}.In(lang)))
					if r.Good != "" {
						fmt.Fprintf(w, "  + %s\n  - %s\n", oneLine(r.Good), oneLine(r.Bad))
					}
				}
			})
		},
	}
	c.Flags().StringVar(&lang, "lang", "", "language of the words: vi or en; without it, that of the settings")
	return c
}

// description is a rule, for programs.
type description struct {
	Name     string            `json:"rule"`
	Code     exchange.Code     `json:"code"`
	Severity exchange.Severity `json:"severity"`
	En       string            `json:"en"`
	Vi       string            `json:"vi"`
	Expected string            `json:"expected,omitempty"`
	Good     string            `json:"good,omitempty"`
	Bad      string            `json:"bad,omitempty"`
}

// described are the rules of those names; all, if none is named.
func described(names []string) ([]description, error) {
	var list []description
	for _, r := range edxml.New(edxml.Options{}).Rules() {
		if len(names) == 0 || slices.Contains(names, r.Rule.Name) {
			list = append(list, description{r.Rule.Name, r.Rule.Code, r.Severity, r.Rule.Plain("en"), r.Rule.Plain("vi"), r.Expected, r.Good, r.Bad})
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(d description) bool { return d.Name == name }) {
			return nil, usagef("there is no rule %q; \"agency rules\" lists them all", name)
		}
	}
	return list, nil
}
