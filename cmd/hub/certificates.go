package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func certificatesCommand(o *options) *cobra.Command {
	var expiring string
	c := asking(o, "certificates", "List certificates and lists of revoked ones by what ends first", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		days, err := parseDays("--expiring", expiring)
		if err != nil {
			return err
		}
		list, err := hub.Certificates(c.Context(), days)
		if err != nil {
			return err
		}
		return o.show(c, list, func(w io.Writer) {
			fmt.Fprintln(w, "DAYS\tUNTIL\tKIND\tAGENCY\tSUBJECT\tSHA-256")
			for _, t := range list {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", t.DaysLeft, moment(t.Until), t.Kind, t.Agency, t.Subject+t.URL+replaced(t), digestOf(t))
			}
		})
	})
	c.Long = `certificates lists what the hub relies on by what ends first: certificates that
agencies sign with, those of the hub, of the authorities it trusts, and the lists of
revoked certificates that it has.`
	c.Example = "  hub certificates --expiring 60d"
	c.Flags().StringVar(&expiring, "expiring", "36500d", "only what ends within so many days, or has ended")
	return watch(c)
}

func replaced(t exchange.Term) string {
	if t.Replaced {
		return " (another holds for longer)"
	}
	return ""
}

func digestOf(t exchange.Term) string {
	if t.SHA256.IsZero() {
		return ""
	}
	return t.SHA256.String()
}

var daysShape = regexp.MustCompile(`^(\d{1,5})d?$`)

// parseDays reads a number of days: 60 or 60d.
func parseDays(flag, text string) (int, error) {
	m := daysShape.FindStringSubmatch(text)
	if m == nil {
		return 0, usageError{fmt.Errorf("%s is %q, which is no number of days such as 60d", flag, text)}
	}
	return strconv.Atoi(m[1])
}

func revocationCommand(o *options) *cobra.Command {
	return watch(asking(o, "revocation", "Show how the hub finds out about revoked certificates, and what it still has to", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		v, err := hub.Revocation(c.Context())
		if err != nil {
			return err
		}
		return o.show(c, v, func(w io.Writer) { describeRevocation(w, v) })
	}))
}

func describeRevocation(w io.Writer, v exchange.RevocationView) {
	policy := v.Policy
	if policy == "" {
		policy = "off: nobody is asked"
	}
	fmt.Fprintf(w, "policy\t%s\n", policy)
	for _, s := range v.Sources {
		fmt.Fprintf(w, "%s\t%s\tof %s\n", s.Kind, s.URL, s.Issuer)
		if !s.NextUpdate.IsZero() {
			fmt.Fprintf(w, "\t%d entries, until %s\n", s.Entries, moment(s.NextUpdate))
		}
		if s.Reason != "" {
			fmt.Fprintf(w, "\t%s: %s\n", s.Reason, exchange.RevocationWords(s.Reason).En)
		}
		if s.LastError != "" {
			fmt.Fprintf(w, "\t%s: %s\n", moment(s.LastErrorAt), s.LastError)
		}
	}
	fmt.Fprintf(w, "doubtful\t%d signatures were accepted while nothing was known, and are asked about again\n", v.Doubtful)
	for _, r := range v.Oldest {
		fmt.Fprintf(w, "\t%s of %s, asked %d times, next %s: %s\n", r.ID, moment(r.At), r.Tries, moment(r.Next), r.Signature.Revocation.Reason)
	}
}
