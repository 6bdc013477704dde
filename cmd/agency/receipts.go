package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func (p *program) receipts() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "receipts PACKAGE",
		Short: "Save the receipts of a package, with proofs that they are in the log",
		Long: `receipts saves every receipt of a package that the agency may read: RECEIPT.xml, and
beside it RECEIPT.tlog-proof, which shows that it is in the hub's log. Keep them
with the document: they count without the hub, for as long as they are kept.

The hub's published keys are saved too, as keys.json, if they are not there yet.
Compare them with what the hub's operators tell you by another way, then check
everything with: auditor verify --keys keys.json *.xml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			return p.saveReceipts(c.Context(), hub, exchange.PackageID(args[0]), dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "`directory` to save them in")
	return c
}

// savedReceipt is a receipt in a file.
type savedReceipt struct {
	exchange.Receipt
	File  string `json:"file"`
	Proof string `json:"proof"`
}

func (p *program) saveReceipts(ctx context.Context, hub *httpclient.Client, id exchange.PackageID, dir string) error {
	list, err := hub.Receipts(ctx, id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	saved := []savedReceipt{}
	for _, r := range list {
		s, err := saveReceipt(ctx, hub, r, dir)
		if err != nil {
			return err
		}
		saved = append(saved, s)
	}
	if err := saveKeys(ctx, hub, filepath.Join(dir, "keys.json")); err != nil {
		return err
	}
	return p.show(saved, func(w io.Writer) {
		fmt.Fprintln(w, "EVENT\tTIME\tLEAF\tDELIVERY\tFILE")
		for _, s := range saved {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", s.Event, moment(s.Time), s.Leaf, s.Delivery, s.File)
		}
	})
}

func saveReceipt(ctx context.Context, hub *httpclient.Client, r exchange.Receipt, dir string) (savedReceipt, error) {
	name := string(r.ID)
	if !plainName.MatchString(name) {
		return savedReceipt{}, fmt.Errorf("the hub calls a receipt %q, which names no file", name)
	}
	raw, err := hub.Receipt(ctx, r.ID)
	if err != nil {
		return savedReceipt{}, err
	}
	proof, err := hub.Proof(ctx, r.ID)
	if err != nil {
		return savedReceipt{}, err
	}
	s := savedReceipt{Receipt: r, File: filepath.Join(dir, name+".xml"), Proof: proofOf(filepath.Join(dir, name+".xml"))}
	if err := writeBytes(s.File, true, 0o644, raw); err != nil {
		return s, err
	}
	return s, writeBytes(s.Proof, true, 0o644, proof)
}

// saveKeys saves the hub's keys once: a later change is to be noticed.
func saveKeys(ctx context.Context, hub *httpclient.Client, file string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keys, err := hub.Keys(ctx)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return err
	}
	return writeBytes(file, false, 0o644, append(b, '\n'))
}
