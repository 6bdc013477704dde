package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// describeLife tells what became of the document after it came: what its recipient
// said, what its sender asked since.
func describeLife(w io.Writer, d exchange.Delivery) {
	if current := d.CurrentStatus(); current != "" {
		fmt.Fprintf(w, "business status\t%s\n", current)
	}
	if at := d.WaitingSince(); !at.IsZero() {
		fmt.Fprintf(w, "waits for 15 or 16\tsince %s\n", moment(at))
	}
	for _, s := range d.Statuses {
		fmt.Fprintf(w, "status %s\t%s\t%s\t%s\n", s.Code, moment(s.At), s.Description, s.Flag)
	}
	for _, r := range d.Requests {
		fmt.Fprintf(w, "%s\t%s\tby package %s\t%s\n", r.Kind, moment(r.At), r.Package, answered(r))
	}
}

func answered(r exchange.Request) string {
	switch {
	case r.Answer != "":
		return fmt.Sprintf("answered %s at %s", r.Answer, moment(r.AnsweredAt))
	case r.Kind == exchange.KindReplace:
		return ""
	}
	return "not answered"
}

func orphansCommand(o *options) *cobra.Command {
	var cursor string
	var limit int
	c := asking(o, "orphans", "List statuses on documents that the hub has not brought to their sender", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		page, err := hub.Orphans(c.Context(), cursor, limit)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) {
			fmt.Fprintln(w, "PACKAGE\tFROM\tTO\tSTATUS\tDOCUMENT\tNUMBER\tACCEPTED")
			for _, p := range page.Packages {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Sender, p.Status.To, p.Status.Code, p.Status.DocumentID, p.Status.Notation, moment(p.AcceptedAt))
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
