package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func (p *program) inbox() *cobra.Command {
	var wait time.Duration
	var follow bool
	c := &cobra.Command{
		Use:   "inbox",
		Short: "List deliveries that wait for the agency's answer",
		Long: `inbox lists what was delivered to the agency and not answered yet: urgent deliveries
first, then the oldest. Get one with "agency fetch", answer it with "agency ack".

With --wait it waits so long for something to come if there is nothing. With
--follow it goes on and prints each delivery once as it comes, until it is stopped;
with --json one line for each.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			if follow {
				return p.followInbox(c.Context(), hub, max(wait, 30*time.Second))
			}
			items, err := p.wholeInbox(c.Context(), hub, wait)
			if err != nil {
				return err
			}
			return p.show(items, func(w io.Writer) { listItems(w, items, true) })
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait if there is nothing, such as 30s")
	c.Flags().BoolVar(&follow, "follow", false, "go on and print what comes")
	return c
}

// wholeInbox reads all pages of the inbox; it waits for the first only.
func (p *program) wholeInbox(ctx context.Context, hub *httpclient.Client, wait time.Duration) ([]exchange.InboxItem, error) {
	items, cursor := []exchange.InboxItem{}, ""
	for {
		page, err := hub.Inbox(ctx, p.settings.Agency, cursor, 0, wait)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if cursor, wait = page.Cursor, 0; cursor == "" {
			return items, nil
		}
	}
}

// followInbox prints every delivery once. What is not answered stays in the
// inbox, so that an inbox with something in it answers at once: then it is asked
// again after a while.
func (p *program) followInbox(ctx context.Context, hub *httpclient.Client, wait time.Duration) error {
	seen := map[exchange.DeliveryID]bool{}
	for {
		items, err := p.wholeInbox(ctx, hub, wait)
		if ctx.Err() != nil {
			return nil // stopped by whoever started it
		}
		if err != nil {
			return err
		}
		now := map[exchange.DeliveryID]bool{}
		for _, item := range items {
			now[item.Delivery.ID] = true
			if seen[item.Delivery.ID] {
				continue
			}
			if err := p.printItem(item); err != nil {
				return err
			}
		}
		seen = now // what left the inbox and comes back is news
		if len(items) == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

func (p *program) printItem(item exchange.InboxItem) error {
	if p.json {
		e := json.NewEncoder(p.stdout)
		e.SetEscapeHTML(false)
		return e.Encode(item)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	listItems(w, []exchange.InboxItem{item}, false)
	return w.Flush()
}

func listItems(w io.Writer, items []exchange.InboxItem, header bool) {
	if header && len(items) == 0 {
		fmt.Fprintln(w, "the inbox is empty")
		return
	}
	if header {
		fmt.Fprintln(w, "DELIVERY\tFROM\tKIND\tDOCUMENT\tSUBJECT\tDELIVERED")
	}
	for _, i := range items {
		kind := string(i.Package.Kind)
		if i.Package.Urgent() {
			kind += ", urgent"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Delivery.ID, i.Delivery.Sender, kind,
			oneLine(document(i.Package)), oneLine(i.Package.Subject), moment(i.Delivery.ConsignedAt))
	}
}

// document names a package's document as people do.
func document(p exchange.Package) string {
	if p.Status != nil {
		return "status " + p.Status.Code + " on " + p.Status.Notation
	}
	return cmp.Or(p.FullNumber(), p.DocumentID)
}
