package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tram/exchange"
)

func (p *program) search() *cobra.Command {
	var q exchange.Search
	var kind, state, from, to string
	c := &cobra.Command{
		Use:   "search [WORD…]",
		Short: "Find packages that the agency sent or received",
		Long: `search finds what the system's agencies sent or received, newest first. Every word
must be found: an identifier (of a package, a delivery, a receipt or a document), the
digest of a package or an attachment, a number and notation (1250/STC-NS), or a word of
the subject. Without diacritics a word finds all words of these letters, with
diacritics that word only; '"ngân sách"' finds words that stand together.`,
		Example: `  agency search 1250/STC-NS
  agency search '"ngân sách"' --from 2026-11-01 --state rejected`,
		RunE: func(c *cobra.Command, args []string) error {
			q.Text, q.Kind, q.State = strings.Join(args, " "), exchange.Kind(kind), exchange.State(state)
			var err, wrong error
			q.From, err = exchange.SearchBegin(from)
			q.To, wrong = exchange.SearchEnd(to)
			if err := errors.Join(err, wrong); err != nil {
				return usagef("%v", err)
			}
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			page, err := hub.Search(c.Context(), q)
			if err != nil {
				return err
			}
			return p.show(page, func(w io.Writer) { listFound(w, page) })
		},
	}
	f := c.Flags()
	f.StringVar(&q.Sender, "sender", "", "only from this agency")
	f.StringVar(&q.Recipient, "recipient", "", "only to this agency")
	f.StringVar(&kind, "kind", "", "only of this kind: new, recall, update, replace, status")
	f.StringVar(&state, "state", "", "only with a delivery in this state; see status --help")
	f.StringVar(&from, "from", "", "only accepted from this day (2026-11-20) or moment on")
	f.StringVar(&to, "to", "", "only accepted up to the end of this day, or before this moment")
	f.StringVar(&q.Cursor, "cursor", "", "go on from here")
	f.IntVar(&q.Limit, "limit", 50, "how many packages at most")
	return c
}

// listFound has a line for each delivery that was found, and one for a package
// without any.
func listFound(w io.Writer, page exchange.SearchPage) {
	fmt.Fprintln(w, "DELIVERY\tFROM\tTO\tSTATE\tACCEPTED\tDOCUMENT\tSUBJECT")
	for _, f := range page.Found {
		pkg := f.Package
		if len(f.Deliveries) == 0 {
			fmt.Fprintf(w, "%s\t%s\t-\t-\t%s\t%s\t%s\n", pkg.ID, pkg.Sender, moment(pkg.AcceptedAt), oneLine(document(pkg)), oneLine(pkg.Subject))
		}
		for _, d := range f.Deliveries {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Sender, d.Recipient, d.State, moment(pkg.AcceptedAt), oneLine(document(pkg)), oneLine(pkg.Subject))
		}
		if f.More {
			fmt.Fprintf(w, "%s\tand more: agency status %s\n", pkg.ID, pkg.ID)
		}
	}
	if page.Cursor != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
	}
}
