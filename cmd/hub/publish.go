package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
)

// keysCommand prints what auditors and agencies keep to verify without the hub.
func keysCommand(o *options) *cobra.Command {
	c := asking(o, "keys", "Print the hub's published keys, for those who verify receipts without it", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		keys, err := hub.Keys(c.Context())
		if err != nil {
			return err
		}
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(keys)
	})
	c.Example = "  hub keys > keys.json"
	c.AddCommand(rotateCommand(o), reloadCommand(o), recipientCommand(o), axisKeyCommand(o))
	return watch(c)
}
