package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func deliveriesCommand(o *options) *cobra.Command {
	var q exchange.DeliveryQuery
	var state string
	c := asking(o, "deliveries [ID]", "List deliveries, newest first, or show one", cobra.MaximumNArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		if len(args) == 1 {
			item, err := hub.Delivery(c.Context(), exchange.DeliveryID(args[0]))
			if err != nil {
				return err
			}
			return o.show(c, item, func(w io.Writer) { describeDelivery(w, item) })
		}
		q.State = exchange.State(state)
		page, err := hub.Deliveries(c.Context(), q)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) {
			fmt.Fprintln(w, "DELIVERY\tFROM\tTO\tSTATE\tSINCE\tATTEMPTS\tREASON")
			for _, d := range page.Deliveries {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", d.ID, d.Sender, d.Recipient, d.State, since(d), d.Attempts, why(d))
			}
			if page.Cursor != "" {
				fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
			}
		})
	})
	c.Flags().StringVar(&state, "state", "", "only those in this state: queued, held, consigned, handed-over, rejected, failed, withdrawn")
	c.Flags().StringVar(&q.Recipient, "to", "", "only those to this agency")
	c.Flags().StringVar(&q.Sender, "from", "", "only those from this agency")
	c.Flags().StringVar(&q.Cursor, "cursor", "", "go on from here")
	c.Flags().IntVar(&q.Limit, "limit", 50, "how many at most")
	return watch(c)
}

// watch puts a command into the group of those that watch and steer.
func watch(c *cobra.Command) *cobra.Command {
	c.GroupID = "watch"
	return c
}

func since(d exchange.Delivery) string {
	at := d.AcceptedAt
	for _, later := range []time.Time{d.ConsignedAt, d.SettledAt} {
		if !later.IsZero() {
			at = later
		}
	}
	return moment(at)
}

func why(d exchange.Delivery) string {
	if d.Detail == "" {
		return string(d.Reason)
	}
	if d.Reason == "" {
		return d.Detail
	}
	return string(d.Reason) + ": " + d.Detail
}

func describeDelivery(w io.Writer, item exchange.InboxItem) {
	d, p := item.Delivery, item.Package
	fmt.Fprintf(w, "delivery\t%s\nstate\t%s\t%s\nfrom\t%s\nto\t%s\ndocument\t%s\nsubject\t%s\nsize\t%d bytes\nattempts\t%d\n",
		d.ID, d.State, why(d), d.Sender, d.Recipient, p.DocumentID, p.Subject, p.Size, d.Attempts)
	for _, row := range []struct {
		name string
		at   time.Time
	}{{"accepted", d.AcceptedAt}, {"consigned", d.ConsignedAt}, {"fetched", d.FetchedAt}, {"settled", d.SettledAt}, {"next attempt", d.Next}, {"deadline", d.Deadline}} {
		if !row.at.IsZero() && !(d.State.Final() && (row.name == "next attempt" || row.name == "deadline")) {
			fmt.Fprintf(w, "%s\t%s\n", row.name, moment(row.at))
		}
	}
	for _, m := range []struct {
		whose string
		at    time.Time
	}{{"package", d.SenderRevoked}, {"answer", d.RecipientRevoked}} {
		if !m.at.IsZero() {
			fmt.Fprintf(w, "revoked\tthe %s was signed with a certificate that had been revoked, as was found out at %s\n", m.whose, moment(m.at))
		}
	}
	if d.Upstream != "" {
		fmt.Fprintf(w, "axis\t%s\t%s\n", d.Upstream, d.UpstreamID)
	}
	describeLife(w, d)
}

func packagesCommand(o *options) *cobra.Command {
	var q exchange.PackageQuery
	c := asking(o, "packages [ID]", "List packages, newest first, or show one with its deliveries", cobra.MaximumNArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		if len(args) == 1 {
			view, err := hub.Package(c.Context(), exchange.PackageID(args[0]))
			if err != nil {
				return err
			}
			return o.show(c, view, func(w io.Writer) { describePackage(w, view) })
		}
		page, err := hub.Packages(c.Context(), q)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) {
			fmt.Fprintln(w, "PACKAGE\tKIND\tFROM\tDOCUMENT\tRECIPIENTS\tACCEPTED\tSUBJECT")
			for _, p := range page.Packages {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.ID, p.Kind, p.Sender, p.DocumentID, len(p.Recipients),
					moment(p.AcceptedAt), p.Subject)
			}
			if page.Cursor != "" {
				fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
			}
		})
	})
	c.Flags().StringVar(&q.Sender, "from", "", "only those from this agency")
	c.Flags().StringVar(&q.DocumentID, "document", "", "only those with this document identifier (needs --from)")
	c.Flags().StringVar(&q.Cursor, "cursor", "", "go on from here")
	c.Flags().IntVar(&q.Limit, "limit", 50, "how many at most")
	return watch(c)
}

func describePackage(w io.Writer, view exchange.PackageView) {
	p := view.Package
	fmt.Fprintf(w, "package\t%s\nkind\t%s\nfrom\t%s\tby system %s\ndocument\t%s\nsubject\t%s\nsize\t%d bytes\nsha-256\t%s\n",
		p.ID, p.Kind, p.Sender, p.System, p.DocumentID, p.Subject, p.Size, p.Digest)
	if e := p.Purged; e != nil {
		fmt.Fprintf(w, "purged\t%s\tby action %s\n", moment(e.At), e.Action)
	}
	if e := view.Erased; e != nil {
		fmt.Fprintf(w, "erased\t%s\tby action %s\n", moment(e.At), e.Action)
	}
	if p.Signature != nil {
		fmt.Fprintf(w, "signed by\t%s%s\n", p.Signature.Subject, byRule(p.Signature))
		describeFinding(w, "revocation", p.Signature.Revocation)
	}
	if r := view.Recheck; r != nil && r.Open() {
		fmt.Fprintf(w, "\tasked %d times since, next %s\n", r.Tries, moment(r.Next))
	} else if r != nil {
		describeFinding(w, "found out later", r.Known)
	}
	for _, a := range p.Attachments {
		fmt.Fprintf(w, "attachment\t%s\t%d bytes\n", a.Name, a.Size)
		if len(a.Signatures) > 0 {
			fmt.Fprintf(w, "\t%s\n", exchange.PDFSummaryOf(a.Signatures))
		}
		for _, s := range a.Signatures {
			fmt.Fprintf(w, "\t%s\n", s)
		}
	}
	for _, d := range view.Deliveries {
		fmt.Fprintf(w, "to %s\t%s\t%s\t%s\n", d.Recipient, d.State, since(d), why(d))
	}
}

func byRule(s *exchange.Signature) string {
	if s.Matched == exchange.MatchedSubject {
		return ", by a subject rule"
	}
	if s.Matched == exchange.MatchedUpstream {
		return ", by the word of the axis that it came from"
	}
	return ""
}

// describeFinding says what was known of revocation; nothing if nobody asked.
func describeFinding(w io.Writer, name string, f exchange.RevocationFinding) {
	switch f.State {
	case exchange.RevocationGood:
		fmt.Fprintf(w, "%s\tnone, as %s says\n", name, f.Source)
	case exchange.RevocationRevoked:
		fmt.Fprintf(w, "%s\trevoked at %s, as %s says: %s\n", name, moment(f.RevokedAt), f.Source, exchange.RevocationWords(f.Reason).En)
	case exchange.RevocationUnknown:
		fmt.Fprintf(w, "%s\tunknown: %s\n", name, exchange.RevocationWords(f.Reason).En)
	}
}

// steering are the commands that act on one delivery.
func steering(o *options) []*cobra.Command {
	type act = func(*httpclient.Client, context.Context, exchange.DeliveryID, string) (exchange.Delivery, error)
	var commands []*cobra.Command
	for _, s := range []struct {
		verb, short string
		do          act
	}{
		{"hold", "Take a delivery out of its recipient's sight until it is released", (*httpclient.Client).Hold},
		{"release", "Put a held delivery back to where it was", (*httpclient.Client).Release},
		{"retry", "Make a queued delivery's next attempt due now", (*httpclient.Client).Retry},
		{"cancel", "Fail an open delivery; both sides get the receipt of it", (*httpclient.Client).Cancel},
	} {
		var reason string
		c := asking(o, s.verb+" DELIVERY --reason WHY", s.short, cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
			d, err := s.do(hub, c.Context(), exchange.DeliveryID(args[0]), reason)
			if err != nil {
				return err
			}
			return o.show(c, d, func(w io.Writer) { fmt.Fprintf(w, "%s\t%s\t%s\n", d.ID, d.State, why(d)) })
		})
		c.Flags().StringVar(&reason, "reason", "", "why; it stays on record")
		_ = c.MarkFlagRequired("reason") // the flag is there
		commands = append(commands, watch(c))
	}
	return commands
}

func actionsCommand(o *options) *cobra.Command {
	var cursor string
	var limit int
	c := asking(o, "actions", "List what people did, newest first, with each one's leaf of the log", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		page, err := hub.Actions(c.Context(), cursor, limit)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) {
			fmt.Fprintln(w, "LEAF\tTIME\tACTOR\tACTION\tOBJECT\tREASON")
			for _, a := range page.Actions {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", a.Leaf, moment(a.Time), a.Actor, a.Verb, a.Object, a.Reason)
			}
			if page.Cursor != "" {
				fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
			}
		})
	})
	c.Flags().StringVar(&cursor, "cursor", "", "go on from here")
	c.Flags().IntVar(&limit, "limit", 50, "how many at most")
	return watch(c)
}

// moment is a time as people here count it.
func moment(t time.Time) string { return t.In(exchange.Vietnam).Format("2006-01-02 15:04:05 UTC+7") }
