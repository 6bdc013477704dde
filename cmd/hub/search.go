package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func searchCommand(o *options) *cobra.Command {
	var q exchange.Search
	var kind, state, from, to string
	c := asking(o, "search [WORD…]", "Find packages by words, numbers, identifiers, agencies, state and time", cobra.ArbitraryArgs, func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		q.Text, q.Kind, q.State = strings.Join(args, " "), exchange.Kind(kind), exchange.State(state)
		var err, wrong error
		q.From, err = exchange.SearchBegin(from)
		q.To, wrong = exchange.SearchEnd(to)
		if err := errors.Join(err, wrong); err != nil {
			return usageError{err}
		}
		page, err := hub.Search(c.Context(), q)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) { listFound(w, page) })
	})
	c.Long = `search finds packages, newest first, in which every word is found:

  an identifier       of a package, a delivery, a receipt or a document; a digest of a package or an attachment
  number, notation    1250, STC-NS, 1250/STC-NS
  a word              of the subject; "quyet" finds quyết, quyệt and quyet, "quyết" finds quyết only
  '"ngân sách"'       words that stand together

Flags narrow that down. Codes of agencies may be former ones too.`
	c.Example = `  hub search 1250/STC-NS
  hub search '"ngân sách"' quyet dinh --sender H12.07 --from 2026-11-01 --to 2026-11-30
  hub search --state rejected --recipient H12.12`
	c.Flags().StringVar(&q.Sender, "sender", "", "only from this agency")
	c.Flags().StringVar(&q.Recipient, "recipient", "", "only to this agency")
	c.Flags().StringVar(&kind, "kind", "", "only of this kind: new, recall, update, replace, status")
	c.Flags().StringVar(&state, "state", "", "only with a delivery in this state: queued, held, consigned, handed-over, rejected, failed, withdrawn")
	c.Flags().StringVar(&from, "from", "", "only accepted from this day (2026-11-20) or moment on")
	c.Flags().StringVar(&to, "to", "", "only accepted up to the end of this day, or before this moment")
	c.Flags().StringVar(&q.Cursor, "cursor", "", "go on from here")
	c.Flags().IntVar(&q.Limit, "limit", 50, "how many packages at most")
	return watch(c)
}

// listFound has a line for each delivery that was found, and one for a package
// without any.
func listFound(w io.Writer, page exchange.SearchPage) {
	fmt.Fprintln(w, "DELIVERY\tFROM\tTO\tSTATE\tACCEPTED\tNUMBER\tSUBJECT")
	for _, f := range page.Found {
		p := f.Package
		if len(f.Deliveries) == 0 {
			fmt.Fprintf(w, "%s\t%s\t-\t-\t%s\t%s\t%s\n", p.ID, p.Sender, moment(p.AcceptedAt), numberOf(p), p.Subject)
		}
		for _, d := range f.Deliveries {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Sender, d.Recipient, d.State, moment(p.AcceptedAt), numberOf(p), p.Subject)
		}
		if f.More {
			fmt.Fprintf(w, "%s\tand more: hub packages %s\n", p.ID, p.ID)
		}
	}
	if page.Cursor != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
	}
}

func numberOf(p exchange.Package) string {
	if p.Notation == "" {
		return p.Number
	}
	return p.Number + "/" + p.Notation
}
