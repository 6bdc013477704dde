package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/exchange"
)

func agencyCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "agency", Short: "Keep the directory of agencies", GroupID: "registry"}
	c.AddCommand(agencyList(o), agencyShow(o), agencyPut(o), agencyRotate(o), agencyClose(o), agencyMerge(o))
	return c
}

func agencyList(o *options) *cobra.Command {
	return asking(o, "list", "List the agencies", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		all, err := allAgencies(c.Context(), hub)
		if err != nil {
			return err
		}
		return o.show(c, all, func(w io.Writer) {
			fmt.Fprintln(w, "CODE\tNAME\tPOLICY\tMODE\tCERTIFICATES\tALIASES")
			for _, a := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", a.Code, a.Name, policyOf(a), modeOf(a), len(a.Certificates), aliasesOf(a))
			}
		})
	})
}

func policyOf(a exchange.Agency) exchange.SignaturePolicy {
	if a.Policy == "" {
		return exchange.Required
	}
	return a.Policy
}

func modeOf(a exchange.Agency) exchange.DeliveryMode {
	if a.Mode == "" {
		return exchange.Pull
	}
	return a.Mode
}

func aliasesOf(a exchange.Agency) string {
	codes := make([]string, len(a.Aliases))
	for i, alias := range a.Aliases {
		codes[i] = alias.Code
		if !alias.Until.IsZero() {
			codes[i] += " (until " + alias.Until.Format(time.DateOnly) + ")"
		}
	}
	return strings.Join(codes, ", ")
}

func agencyShow(o *options) *cobra.Command {
	return asking(o, "show CODE", "Show one agency, found by any of its codes", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		a, err := hub.Agency(c.Context(), args[0])
		if err != nil {
			return err
		}
		return o.show(c, a, func(w io.Writer) { describeAgency(w, a) })
	})
}

func describeAgency(w io.Writer, a exchange.Agency) {
	fmt.Fprintf(w, "code\t%s\nname\t%s\nparent\t%s\naliases\t%s\npolicy\t%s\nmode\t%s %s\n",
		a.Code, a.Name, a.Parent, aliasesOf(a), policyOf(a), modeOf(a), a.Webhook)
	if !a.SHA1Until.IsZero() {
		fmt.Fprintf(w, "sha-1 until\t%s\n", a.SHA1Until.Format(time.RFC3339))
	}
	for _, cert := range a.Certificates {
		fmt.Fprintf(w, "certificate\t%s\t%s%s\n", cert.SHA256, cert.Subject, term(cert.From, cert.Until))
	}
	for _, r := range a.SubjectRules {
		issuer := ""
		if r.Issuer != "" {
			issuer = " issued by " + r.Issuer
		}
		fmt.Fprintf(w, "subject rule\t%s%s%s\n", r, issuer, term(r.From, r.Until))
	}
	if !a.Closed.IsZero() {
		fmt.Fprintf(w, "closed\t%s\n", a.Closed.Format(time.RFC3339))
	}
	if a.Successor != "" {
		fmt.Fprintf(w, "merged into\t%s\n", a.Successor)
	}
	if len(a.Merged) > 0 {
		fmt.Fprintf(w, "merged agencies\t%s\n", strings.Join(a.Merged, ", "))
	}
}

// term says from and until when, where the registry does.
func term(from, until time.Time) string {
	var text string
	if !from.IsZero() {
		text += ", from " + moment(from)
	}
	if !until.IsZero() {
		text += ", until " + moment(until)
	}
	return text
}

// agencyFlags are what "agency put" may change.
type agencyFlags struct {
	name, parent, policy, mode, webhook, upstream, sha1Until string
	aliases, certificates, drop                              []string
	rules, dropRules                                         []string
	ruleIssuer, ruleUntil                                    string
}

func agencyPut(o *options) *cobra.Command {
	var f agencyFlags
	c := asking(o, "put CODE", "Register an agency, or change its entry", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		a, err := hub.Agency(c.Context(), args[0])
		if err != nil && !httpclient.IsNotFound(err) {
			return err
		}
		if err != nil {
			a = exchange.Agency{Code: args[0]}
		}
		pem, err := f.apply(c, &a)
		if err != nil {
			return usageError{err}
		}
		a, err = hub.PutAgency(c.Context(), a, pem...)
		if err != nil {
			return err
		}
		if err := f.warn(c, o); err != nil {
			return err
		}
		suggestCode(c, a)
		return o.show(c, a, func(w io.Writer) { describeAgency(w, a) })
	})
	c.Long = `put registers an agency or changes the entry it has; what no flag names stays.

An agency's certificates are those it signs packages with. "hub agency rotate"
registers a new one and lets the former ones end some time later.

A subject rule takes certificates that nobody registered, by their subject: every
attribute that it names must be there, and its value the same character for
character. Attributes are CN, O, OU, SERIALNUMBER, UID, organizationIdentifier, C and
others by short name, or by an identifier such as 2.5.4.97. A certificate that is
registered for an agency is that agency's only, whatever rules say; one that rules of
two agencies take is refused.`
	c.Example = "  hub agency put H12.07 --name 'Sở Tài chính' --alias 000.00.07.H12 --certificate stc.crt\n" +
		"  hub agency put H12.07 --subject-rule 'O=Sở Tài chính;SERIALNUMBER=MST:0100' --rule-issuer issuer.pem"
	c.Flags().StringVar(&f.name, "name", "", "the agency's name")
	c.Flags().StringVar(&f.parent, "parent", "", "code of the agency in charge")
	c.Flags().StringVar(&f.policy, "policy", "", "required: it must sign; if-present: its system's word may stand in")
	c.Flags().StringVar(&f.mode, "mode", "", "pull: it looks into its inbox; push: it is told by webhook; relay: it lives at another axis (--upstream)")
	c.Flags().StringVar(&f.upstream, "upstream", "", "name of the axis that it lives at, for --mode relay")
	c.Flags().StringVar(&f.webhook, "webhook", "", "URL that deliveries are announced to")
	c.Flags().StringVar(&f.sha1Until, "sha1-until", "", "yyyy-mm-dd: until then its packages may rest on SHA-1, as old software signs them; \"never\" ends that now")
	c.Flags().StringArrayVar(&f.aliases, "alias", nil, "another code, CODE or CODE@until-yyyy-mm-dd; repeat for more")
	c.Flags().StringArrayVar(&f.certificates, "certificate", nil, "PEM file of a signing certificate to add; repeat for more")
	c.Flags().StringArrayVar(&f.drop, "drop-certificate", nil, "SHA-256 of a certificate to drop; repeat for more")
	c.Flags().StringArrayVar(&f.rules, "subject-rule", nil, "attributes of a subject to take certificates by, TYPE=VALUE;TYPE=VALUE; repeat for more rules")
	c.Flags().StringVar(&f.ruleIssuer, "rule-issuer", "", "PEM file, SHA-256 or subject of the only authority that the subject rules are for")
	c.Flags().StringVar(&f.ruleUntil, "rule-until", "", "yyyy-mm-dd: the subject rules end at the beginning of that day")
	c.Flags().StringArrayVar(&f.dropRules, "drop-subject-rule", nil, "attributes of a subject rule to drop, as they are shown; repeat for more")
	return c
}

// suggestCode names the code that the agency probably has in the other form, and
// which software may still write.
func suggestCode(c *cobra.Command, a exchange.Agency) {
	other := exchange.OtherForm(a.Code)
	if other == "" || slices.ContainsFunc(a.Aliases, func(o exchange.Alias) bool { return o.Code == other }) {
		return
	}
	fmt.Fprintf(c.ErrOrStderr(), "hub: %s may be its code in the other form; if it is: hub agency put %s --alias %s\n", other, a.Code, other)
}

// warn tells of certificates that are registered now and that the hub would
// refuse all the same: nobody should learn it from the first submission.
func (f agencyFlags) warn(c *cobra.Command, o *options) error {
	if len(f.certificates) == 0 {
		return nil
	}
	cfg, err := loadConfig(o.config)
	if err != nil {
		return err
	}
	trust, err := loadTrust(cfg)
	if err != nil {
		return usageError{err}
	}
	for _, path := range f.certificates {
		list, err := keystore.ReadCertificates(path)
		if err != nil {
			return usageError{err}
		}
		if err := trust.Check(list[0], list[1:], time.Now()); err != nil {
			fmt.Fprintf(c.ErrOrStderr(), "hub: warning: %s is registered, but what it signs will be refused: %v\n", path, err)
		}
	}
	return nil
}

// apply changes the entry by the flags that were given, and returns the
// certificates to add, in PEM.
func (f agencyFlags) apply(c *cobra.Command, a *exchange.Agency) (pem []string, err error) {
	for name, set := range map[string]func(){
		"name": func() { a.Name = f.name }, "parent": func() { a.Parent = f.parent },
		"policy": func() { a.Policy = exchange.SignaturePolicy(f.policy) },
		"mode":   func() { a.Mode = exchange.DeliveryMode(f.mode) }, "webhook": func() { a.Webhook = f.webhook }, "upstream": func() { a.Upstream = f.upstream },
	} {
		if c.Flags().Changed(name) {
			set()
		}
	}
	if c.Flags().Changed("sha1-until") {
		if a.SHA1Until, err = parseEnd(f.sha1Until); err != nil {
			return nil, fmt.Errorf("--sha1-until: %w", err)
		}
	}
	for _, text := range f.aliases {
		alias, err := parseAlias(text)
		if err != nil {
			return nil, err
		}
		a.Aliases = append(slices.DeleteFunc(a.Aliases, func(o exchange.Alias) bool { return o.Code == alias.Code }), alias)
	}
	for _, digest := range f.drop {
		before := len(a.Certificates)
		a.Certificates = slices.DeleteFunc(a.Certificates, func(o exchange.Certificate) bool { return o.SHA256.String() == digest })
		if len(a.Certificates) == before {
			return nil, fmt.Errorf("%s has no certificate %s", a.Code, digest)
		}
	}
	if err := f.applyRules(a); err != nil {
		return nil, err
	}
	for _, path := range f.certificates {
		if _, err := keystore.ReadCertificates(path); err != nil {
			return nil, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		pem = append(pem, string(text))
	}
	return pem, nil
}

// applyRules drops and adds subject rules. One that is given again replaces the
// one with the same attributes.
func (f agencyFlags) applyRules(a *exchange.Agency) error {
	for _, text := range f.dropRules {
		before := len(a.SubjectRules)
		a.SubjectRules = slices.DeleteFunc(a.SubjectRules, func(o exchange.SubjectRule) bool { return o.String() == text })
		if len(a.SubjectRules) == before {
			return fmt.Errorf("%s has no subject rule %s", a.Code, text)
		}
	}
	if len(f.rules) == 0 && (f.ruleIssuer != "" || f.ruleUntil != "") {
		return errors.New("--rule-issuer and --rule-until are about rules that --subject-rule gives")
	}
	issuer, err := f.issuer()
	if err != nil {
		return err
	}
	var until time.Time
	if f.ruleUntil != "" {
		if until, err = time.ParseInLocation(time.DateOnly, f.ruleUntil, exchange.Vietnam); err != nil {
			return fmt.Errorf("--rule-until %s: the date is not yyyy-mm-dd", f.ruleUntil)
		}
	}
	for _, text := range f.rules {
		subject, err := exchange.ParseSubject(text)
		if err != nil {
			return err
		}
		r := exchange.SubjectRule{Subject: subject, Issuer: issuer, Until: until}
		a.SubjectRules = append(slices.DeleteFunc(a.SubjectRules, func(o exchange.SubjectRule) bool { return o.String() == r.String() }), r)
	}
	return nil
}

// issuer is what --rule-issuer names: a certificate's file, or the text itself.
func (f agencyFlags) issuer() (string, error) {
	if _, err := os.Stat(f.ruleIssuer); f.ruleIssuer == "" || err != nil {
		return f.ruleIssuer, nil
	}
	list, err := keystore.ReadCertificates(f.ruleIssuer)
	if err != nil {
		return "", err
	}
	return exchange.DigestOf(list[0].Raw).String(), nil
}

func agencyRotate(o *options) *cobra.Command {
	var path, overlap, from string
	c := asking(o, "rotate CODE", "Register a new certificate, and let the former ones end later", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		days, err := parseDays("--overlap", overlap)
		if err != nil {
			return err
		}
		list, err := keystore.ReadCertificates(path)
		if err != nil {
			return usageError{err}
		}
		next := exchange.Certificate{DER: list[0].Raw, SHA256: exchange.DigestOf(list[0].Raw)}
		begins := time.Now().UTC().Truncate(time.Second)
		if from != "" {
			if next.From, err = time.ParseInLocation(time.DateOnly, from, exchange.Vietnam); err != nil {
				return usageError{fmt.Errorf("--from %s: the date is not yyyy-mm-dd", from)}
			}
			begins = next.From
		}
		a, err := hub.Agency(c.Context(), args[0])
		if err != nil {
			return err
		}
		rotate(&a, next, begins.AddDate(0, 0, days))
		if a, err = hub.PutAgency(c.Context(), a); err != nil {
			return err
		}
		if err := (agencyFlags{certificates: []string{path}}).warn(c, o); err != nil {
			return err
		}
		return o.show(c, a, func(w io.Writer) { describeAgency(w, a) })
	})
	c.Long = `rotate registers a new signing certificate of an agency. The former ones are taken
for some days more, so that what is under way still counts, and end then.`
	c.Example = "  hub agency rotate H12.07 --certificate stc-2027.crt\n  hub agency rotate H12.07 --certificate stc-2027.crt --from 2027-01-01 --overlap 14d"
	c.Flags().StringVar(&path, "certificate", "", "PEM file of the new certificate")
	c.Flags().StringVar(&overlap, "overlap", "30d", "how many days the former ones are still taken once the new one is")
	c.Flags().StringVar(&from, "from", "", "yyyy-mm-dd: the new one is taken from the beginning of that day; now when absent")
	_ = c.MarkFlagRequired("certificate") // the flag is there
	return c
}

// rotate adds a certificate and ends the others, unless they end earlier. Those
// that would only begin after that are dropped: they have never counted.
func rotate(a *exchange.Agency, next exchange.Certificate, until time.Time) {
	a.Certificates = slices.DeleteFunc(a.Certificates, func(o exchange.Certificate) bool {
		return o.SHA256 == next.SHA256 || !o.From.Before(until)
	})
	for i := range a.Certificates {
		o := &a.Certificates[i]
		if o.Until.IsZero() || o.Until.After(until) {
			o.Until = until
		}
	}
	a.Certificates = append(a.Certificates, next)
}

func parseAlias(text string) (exchange.Alias, error) {
	code, until, limited := strings.Cut(text, "@until-")
	alias := exchange.Alias{Code: code}
	if !limited {
		return alias, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, until, exchange.Vietnam)
	if err != nil {
		return alias, fmt.Errorf("--alias %s: the date is not yyyy-mm-dd", text)
	}
	alias.Until = at
	return alias, nil
}

// parseEnd reads the day at whose beginning something ends; zero for "never" any more.
func parseEnd(text string) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, exchange.Vietnam)
	if err != nil {
		return at, fmt.Errorf("%q is neither a date, yyyy-mm-dd, nor \"never\"", text)
	}
	return at, nil
}

func systemCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "system", Short: "Keep the systems that connect for agencies", GroupID: "registry"}
	c.AddCommand(
		asking(o, "list", "List the systems", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
			list, err := hub.Systems(c.Context())
			if err != nil {
				return err
			}
			return o.show(c, list, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tNAME\tAGENCIES\tCERTIFICATES\tSTATE")
				for _, s := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", s.ID, s.Name, strings.Join(s.Agencies, ","), len(s.Certificates), enabled(s.Disabled))
				}
			})
		}),
		systemPut(o),
		systemSecret(o),
	)
	return c
}

func systemSecret(o *options) *cobra.Command {
	var axis bool
	var file string
	c := asking(o, "secret ID", "Issue a new secret; the former one is taken for seven days more", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		if !axis && file == "" {
			secret, err := hub.IssueSystemSecret(c.Context(), args[0])
			return o.showSecret(c, secret, err)
		}
		given := ""
		if file != "" {
			var err error
			if given, err = readSecret(file); err != nil {
				return err
			}
		}
		secret, err := hub.IssueSharedSecret(c.Context(), args[0], given)
		return o.showSecret(c, secret, err)
	})
	c.Long = `secret issues the secret by which a system says who it is.

With --axis it is one that software of the national axis signs its requests with.
Software that was connected to another axis keeps its secret: --import takes it
from a file, and only the address has to be changed in the software. The system's
ID must be the systemid that the software is configured with.`
	c.Example = "  hub system secret stc\n  hub system secret H12.07 --axis\n  hub system secret H12.07 --import former.secret"
	c.Flags().BoolVar(&axis, "axis", false, "a secret that the system signs requests of the national axis's protocol with")
	c.Flags().StringVar(&file, "import", "", "such a secret, which the software has already, alone in this `file`")
	return c
}

func (o *options) showSecret(c *cobra.Command, secret string, err error) error {
	if err != nil {
		return err
	}
	return o.show(c, map[string]string{"secret": secret}, func(w io.Writer) { fmt.Fprintln(w, secret) })
}

func enabled(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func systemPut(o *options) *cobra.Command {
	var name string
	var agencies, certificates []string
	var disable bool
	c := asking(o, "put ID", "Register a system, or change its entry", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		s, err := hub.System(c.Context(), args[0])
		if err != nil && !httpclient.IsNotFound(err) {
			return err
		}
		s.ID = args[0]
		if c.Flags().Changed("name") {
			s.Name = name
		}
		if c.Flags().Changed("agency") {
			s.Agencies = agencies
		}
		if c.Flags().Changed("disabled") {
			s.Disabled = disable
		}
		for _, path := range certificates {
			list, err := keystore.ReadCertificates(path)
			if err != nil {
				return usageError{err}
			}
			if d := exchange.DigestOf(list[0].Raw); !slices.Contains(s.Certificates, d) {
				s.Certificates = append(s.Certificates, d)
			}
		}
		s, err = hub.PutSystem(c.Context(), s)
		if err != nil {
			return err
		}
		return o.show(c, s, func(w io.Writer) {
			fmt.Fprintf(w, "id\t%s\nname\t%s\nagencies\t%s\nstate\t%s\n", s.ID, s.Name, strings.Join(s.Agencies, ","), enabled(s.Disabled))
			for _, d := range s.Certificates {
				fmt.Fprintf(w, "certificate\t%s\n", d)
			}
		})
	})
	c.Example = "  hub system put stc --name 'Phần mềm của Sở Tài chính' --agency H12.07\n  hub system secret stc > stc.secret\n  hub system put snv --name 'Phần mềm của Sở Nội vụ' --agency H12.12 --certificate snv-tls.crt"
	c.Flags().StringVar(&name, "name", "", "the system's name")
	c.Flags().StringSliceVar(&agencies, "agency", nil, "codes of the agencies that it speaks for")
	c.Flags().StringArrayVar(&certificates, "certificate", nil, "PEM file of a client certificate that it may present")
	c.Flags().BoolVar(&disable, "disabled", false, "whether it is shut out")
	return c
}

func userCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Keep the people who operate, administer and audit", GroupID: "registry"}
	var name, role string
	var disable bool
	put := asking(o, "put ID", "Register a person, or change the entry", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		u, err := findUser(c, hub, args[0])
		if err != nil {
			return err
		}
		if c.Flags().Changed("name") {
			u.Name = name
		}
		if c.Flags().Changed("role") {
			u.Role = exchange.Role(role)
		}
		if c.Flags().Changed("disabled") {
			u.Disabled = disable
		}
		u, err = hub.PutUser(c.Context(), u)
		if err != nil {
			return err
		}
		return o.show(c, u, func(w io.Writer) {
			fmt.Fprintf(w, "id\t%s\nname\t%s\nrole\t%s\nstate\t%s\n", u.ID, u.Name, u.Role, enabled(u.Disabled))
		})
	})
	put.Flags().StringVar(&name, "name", "", "the person's name")
	put.Flags().StringVar(&role, "role", "", "operator, auditor or administrator")
	put.Flags().BoolVar(&disable, "disabled", false, "whether the person is shut out")
	c.AddCommand(put,
		asking(o, "list", "List the people", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
			list, err := hub.Users(c.Context())
			if err != nil {
				return err
			}
			return o.show(c, list, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tNAME\tROLE\tSTATE")
				for _, u := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.ID, u.Name, u.Role, enabled(u.Disabled))
				}
			})
		}),
		asking(o, "secret ID", "Issue a new secret; the former one is taken for seven days more", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
			secret, err := hub.IssueUserSecret(c.Context(), args[0])
			return o.showSecret(c, secret, err)
		}))
	return c
}

func findUser(c *cobra.Command, hub *httpclient.Client, id string) (exchange.User, error) {
	list, err := hub.Users(c.Context())
	if err != nil {
		return exchange.User{}, err
	}
	if i := slices.IndexFunc(list, func(u exchange.User) bool { return u.ID == id }); i >= 0 {
		return list[i], nil
	}
	return exchange.User{ID: id, Role: exchange.Operator}, nil
}
