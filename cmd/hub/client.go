package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
)

// dial connects to the running hub as the operator that the configuration
// names. Operators' commands ask the hub: the ledger's file has one owner.
func dial(o *options) (*httpclient.Client, error) {
	cfg, err := loadConfig(o.config)
	if err != nil {
		return nil, err
	}
	return connect(cfg)
}

func connect(cfg config) (*httpclient.Client, error) {
	secret, err := readSecret(cfg.Client.SecretFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("client.secret_file: %w", err)}
	}
	c := httpclient.Config{URL: cfg.Client.URL, ID: "user:" + cfg.Client.User, Secret: secret, UserAgent: "tram-hub", Attempts: 2}
	if c.Roots, err = readRoots(cfg.Client.Roots); err != nil {
		return nil, usageError{fmt.Errorf("client.roots: %w", err)}
	}
	client, err := httpclient.New(c)
	if err != nil {
		return nil, usageError{fmt.Errorf("client: %w", err)}
	}
	return client, nil
}

// asking is a command that asks the running hub.
func asking(o *options, use, short string, args cobra.PositionalArgs,
	ask func(c *cobra.Command, hub *httpclient.Client, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
		hub, err := dial(o)
		if err != nil {
			return err
		}
		defer hub.Close()
		return ask(c, hub, args)
	}}
}

// show prints a value as JSON, or by text.
func (o *options) show(c *cobra.Command, v any, text func(w io.Writer)) error {
	out := c.OutOrStdout()
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(plain{out}, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// plain keeps what others wrote (subjects, reasons) from drawing on the
// terminal: control characters but line ends become a mark.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	shown := bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return '\ufffd'
		}
		return r
	}, b)
	_, err := p.w.Write(shown)
	return len(b), err
}
