package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

func purgeCommand(o *options) *cobra.Command {
	var reason string
	var yes, compact bool
	c := asking(o, "purge PACKAGE --reason WHY", "Take all that a package held out of the hub, for good; receipts and proofs stay", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		id := exchange.PackageID(args[0])
		if !yes {
			if err := confirm(c, hub, id); err != nil {
				return err
			}
		}
		done, err := hub.Purge(c.Context(), id, reason)
		if err != nil {
			return err
		}
		if compact {
			p := progress.New(c.ErrOrStderr(), o.json, "the hub is compacting its ledger", 0)
			_, err = hub.Compact(c.Context())
			p.End()
		}
		shown := o.show(c, done, func(w io.Writer) { describePurge(w, done, compact && err == nil) })
		if err != nil {
			err = fmt.Errorf("the package is purged, but the ledger's file was not compacted and may hold its words; run \"hub compact\": %w", err)
		}
		return errors.Join(err, shown)
	})
	c.Long = `purge is for what should never have come: a document with a state secret. Its bytes
go at once; subject, number, type and names of attachments go from the record and
from what is searched, and the ledger is compacted, so that no free space of its file
has them. Deliveries that nobody fetched fail, and both sides get a receipt of it.

Who sent it to whom and when, identifiers, digests, receipts and their proofs stay.
So does the reason: keep what is secret out of it.

It tells what it cannot reach: recipients that have the package, packages about it,
what receipts quote, and backups from before. To purge several packages, give --compact=false
to all but the last.`
	c.Flags().StringVar(&reason, "reason", "", "why; it stays on record")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask again")
	c.Flags().BoolVar(&compact, "compact", true, "compact the ledger afterwards")
	_ = c.MarkFlagRequired("reason") // the flag is there
	return watch(c)
}

// confirm has the package's identifier typed again, after showing what it is.
func confirm(c *cobra.Command, hub *httpclient.Client, id exchange.PackageID) error {
	view, err := hub.Package(c.Context(), id)
	if err != nil {
		return err
	}
	out := plain{c.ErrOrStderr()}
	fmt.Fprintf(out, "%s of %s, %s: %s\nIt cannot be had back. Type the package's identifier to purge it: ",
		view.Package.Kind, view.Package.Sender, moment(view.Package.AcceptedAt), view.Package.Subject)
	line, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != string(id) {
		return errors.New("nothing was purged: the identifier was not typed (or give --yes)")
	}
	return nil
}

func describePurge(w io.Writer, done exchange.Purged, compacted bool) {
	fmt.Fprintf(w, "purged\t%s\t%s\tby action %s\n", done.Package, moment(done.At), done.Action)
	for _, d := range done.Ended {
		seen := "never shown to it"
		if !d.ConsignedAt.IsZero() {
			seen = "not fetched, but its inbox showed the subject"
		}
		fmt.Fprintf(w, "ended\t%s\t%s\t%s\n", d.Recipient, d.ID, seen)
	}
	for _, d := range done.Had {
		at := d.FetchedAt
		if at.IsZero() {
			at = d.SettledAt
		}
		fmt.Fprintf(w, "tell\t%s\t%s\thas it since %s\n", d.Recipient, d.ID, moment(at))
	}
	for _, id := range done.Related {
		fmt.Fprintf(w, "look at\t%s\tis about the same document\n", id)
	}
	if !compacted {
		fmt.Fprintf(w, "then\thub compact\tfree space of the ledger's file may hold its words\n")
	}
	fmt.Fprintf(w, "backups\tmade before %s have it still: make a new one in another directory, and destroy the old directories\n", moment(done.At))
}
