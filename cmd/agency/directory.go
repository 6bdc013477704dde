package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func (p *program) directory() *cobra.Command {
	return &cobra.Command{
		Use:   "directory [CODE]",
		Short: "List the agencies that can be reached, or find one by any of its codes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			list, err := agencies(c.Context(), hub, args)
			if err != nil {
				return err
			}
			return p.show(list, func(w io.Writer) {
				fmt.Fprintln(w, "CODE\tNAME\tCLOSED")
				for _, a := range list {
					fmt.Fprintf(w, "%s\t%s\t%s\n", a.Code, oneLine(a.Name), moment(a.Closed))
				}
			})
		},
	}
}

func agencies(ctx context.Context, hub *httpclient.Client, codes []string) ([]exchange.Agency, error) {
	if len(codes) == 1 {
		a, err := hub.Agency(ctx, codes[0])
		return []exchange.Agency{a}, err
	}
	list, cursor := []exchange.Agency{}, ""
	for {
		page, err := hub.Agencies(ctx, cursor, 0)
		if err != nil {
			return nil, err
		}
		list = append(list, page.Agencies...)
		if cursor = page.Cursor; cursor == "" {
			return list, nil
		}
	}
}
