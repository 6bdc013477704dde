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

func (p *program) status() *cobra.Command {
	var byDocument bool
	c := &cobra.Command{
		Use:   "status PACKAGE",
		Short: "Show where a package is, recipient by recipient",
		Long: `status shows how far a package has come with each recipient:

  queued       on its way
  held         stopped by the hub's operators
  consigned    in the recipient's inbox, not answered yet
  handed-over  accepted by the recipient
  rejected     refused by the recipient
  failed       not delivered or not answered in time, or cancelled
  withdrawn    recalled before anyone fetched it

and beside it what recipients have said about the document since (01 arrived,
03 accepted, 06 done, …). With --document the argument is the document's own
identifier instead of the package's.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			ids := []exchange.PackageID{exchange.PackageID(args[0])}
			if byDocument {
				if ids, err = p.packagesOf(c.Context(), hub, args[0]); err != nil {
					return err
				}
			}
			return p.showStatus(c.Context(), hub, ids)
		},
	}
	c.Flags().BoolVar(&byDocument, "document", false, "the argument is a document's identifier")
	return c
}

// packagesOf are the packages that the agency sent about a document.
func (p *program) packagesOf(ctx context.Context, hub *httpclient.Client, document string) ([]exchange.PackageID, error) {
	page, err := hub.Packages(ctx, exchange.PackageQuery{Sender: p.settings.Agency, DocumentID: document})
	if err != nil {
		return nil, err
	}
	if len(page.Packages) == 0 {
		return nil, fmt.Errorf("the agency has sent no document %q", document)
	}
	var ids []exchange.PackageID
	for _, pkg := range page.Packages {
		ids = append(ids, pkg.ID)
	}
	return ids, nil
}

func (p *program) showStatus(ctx context.Context, hub *httpclient.Client, ids []exchange.PackageID) error {
	views := make([]exchange.PackageView, 0, len(ids))
	for _, id := range ids {
		v, err := hub.Package(ctx, id)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	return p.show(views, func(w io.Writer) {
		for _, v := range views {
			fmt.Fprintf(w, "package %s, %s, %s\n", v.Package.ID, oneLine(document(v.Package)), oneLine(v.Package.Subject))
			if v.Package.DocumentID != "" { // what recalls and --document ask for
				fmt.Fprintf(w, "document %s\n", oneLine(v.Package.DocumentID))
			}
			if r := v.Recheck; r != nil && r.Open() {
				fmt.Fprintln(w, "it is not known yet whether the certificate it is signed with was revoked; the hub asks again, and issues a receipt then")
			}
			fmt.Fprintln(w, "RECIPIENT\tSTATE\tSINCE\tDOCUMENT STATUS\tREASON")
			for _, d := range v.Deliveries {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Recipient, d.State, moment(since(d)), lastStatus(d), oneLine(reason(d)+revokedNote(d)))
			}
		}
	})
}

// since is when a delivery came into its state.
func since(d exchange.Delivery) time.Time {
	switch {
	case !d.SettledAt.IsZero():
		return d.SettledAt
	case !d.ConsignedAt.IsZero():
		return d.ConsignedAt
	}
	return d.AcceptedAt
}

func lastStatus(d exchange.Delivery) string {
	if len(d.Statuses) == 0 {
		return "-"
	}
	return d.Statuses[len(d.Statuses)-1].Code
}

// revokedNote says what was found out about certificates afterwards.
func revokedNote(d exchange.Delivery) string {
	switch {
	case !d.SenderRevoked.IsZero():
		return " (the package's certificate had been revoked)"
	case !d.RecipientRevoked.IsZero():
		return " (the answer's certificate had been revoked)"
	}
	return ""
}

func reason(d exchange.Delivery) string {
	switch {
	case d.Reason == "":
		return d.Detail
	case d.Detail == "":
		return string(d.Reason)
	}
	return string(d.Reason) + ": " + d.Detail
}
