package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tram/exchange"
)

func (p *program) hubKeys() *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "Fetch the hub's published keys again, and say which are new",
		Long: `keys fetches what the hub publishes at /v1/keys into the file that the settings name
as keys. Hubs change the key that they seal receipts with now and then, and publish
the next one ahead: run this now and then too, or when a hub announces a change.

The file is replaced only by keys that go on from those in it: of the same log, with
every sealing certificate that was known, and no other end for one that had ended.
What the hub says is believed as its TLS certificate is.`,
		Example: "  agency keys --keys hub-keys.json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return p.runHubKeys(c.Context()) },
	}
}

// sealingKey is one certificate that the hub publishes.
type sealingKey struct {
	Subject string          `json:"subject"`
	SHA256  exchange.Digest `json:"sha256"`
	Seals   string          `json:"seals"`
	New     bool            `json:"new"`
}

func (p *program) runHubKeys(ctx context.Context) error {
	file := p.settings.Keys
	if file == "" {
		return usagef("into which file? give --keys, or keys in the settings file")
	}
	old, err := readHubKeys(file)
	first := errors.Is(err, fs.ErrNotExist)
	if err != nil && !first {
		return usagef("keys: %w", err)
	}
	hub, err := p.client()
	if err != nil {
		return err
	}
	defer hub.Close()
	fresh, err := hub.Keys(ctx)
	if err != nil {
		return err
	}
	if !first {
		if err := fresh.GoOn(old, time.Now()); err != nil {
			return fmt.Errorf("the hub's keys do not go on from those in %s, which stays as it is: %w; ask the hub's operators", file, err)
		}
	}
	list, err := listed(old, fresh)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(fresh, "", "  ")
	if err != nil {
		return err
	}
	if err := writeBytes(file, true, 0o644, append(b, '\n')); err != nil {
		return err
	}
	return p.show(list, func(w io.Writer) {
		for _, k := range list {
			fmt.Fprintf(w, "%s\t%s\tSHA-256 %s\tseals %s\n", map[bool]string{true: "new", false: "known"}[k.New], oneLine(k.Subject), k.SHA256, k.Seals)
		}
	})
}

func listed(old, fresh exchange.Keys) ([]sealingKey, error) {
	seals, err := fresh.Seals()
	if err != nil {
		return nil, err
	}
	list := []sealingKey{}
	for i, s := range seals {
		list = append(list, sealingKey{Subject: s.Certificate.Subject.String(), SHA256: exchange.DigestOf(s.Certificate.Raw),
			Seals: cmp.Or(s.When(), "at any time"), New: !slices.Contains(old.Sealing, fresh.Sealing[i])})
	}
	return list, nil
}
