package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
)

func compactCommand(o *options) *cobra.Command {
	c := asking(o, "compact", "Give back the space that the ledger no longer needs, while the hub works", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		p := progress.New(c.ErrOrStderr(), o.json, "the hub is compacting its ledger", 0)
		done, err := hub.Compact(c.Context())
		p.End()
		if err != nil {
			return err
		}
		return o.show(c, done, func(w io.Writer) {
			fmt.Fprintf(w, "the ledger took %.1f MiB and takes %.1f MiB now\n", mib(done.Before), mib(done.After))
		})
	})
	c.Long = `compact copies the ledger into a new file without what it no longer needs, and
goes on in that one, while packages are taken in. It needs as much free space as
the ledger takes. If it is cut off, nothing has changed. Freed space is reused by
the ledger in any case: this is for giving it back to the disk, after much was
erased or after a long backup during which the ledger grew.`
	return watch(c)
}
