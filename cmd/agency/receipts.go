package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

func (p *program) receipts() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "receipts PACKAGE",
		Short: "Save the receipts of a package, with proofs that they are in the log",
		Long: `receipts saves every receipt of a package that the agency may read: RECEIPT.xml, and
beside it RECEIPT.tlog-proof, which shows that it is in the hub's log. Where the
hub has a time-stamp authority, RECEIPT.timestamped.xml is the same receipt with
its time-stamp, which shows when it existed; a receipt that waits for its
time-stamp is told, ask again later. Keep them with the document: they count
without the hub, for as long as they are kept.

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
	// Stamped is the file of the receipt with its time-stamp; empty: it has none
	// yet.
	Stamped string `json:"timestamped,omitempty"`
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
		fmt.Fprintln(w, "EVENT\tTIME\tLEAF\tDELIVERY\tTIME-STAMP\tFILE")
		for _, s := range saved {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Event, moment(s.Time), s.Leaf, s.Delivery, cmp.Or(string(s.TimeStamp), "-"), s.File)
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
	if err := writeBytes(s.Proof, true, 0o644, proof); err != nil {
		return s, err
	}
	return s, s.saveStamped(ctx, hub, raw, strings.TrimSuffix(s.File, ".xml")+".timestamped.xml")
}

// saveStamped saves the receipt with its time-stamp, if it has one: the same
// document, or else the hub gave out two.
func (s *savedReceipt) saveStamped(ctx context.Context, hub *httpclient.Client, raw []byte, file string) error {
	if s.TimeStamp != exchange.TimeStampKept {
		return nil
	}
	stamped, err := hub.TimeStamped(ctx, s.ID)
	if err != nil {
		return err
	}
	if sealed, token := signing.WithoutTimeStamp(stamped); token == nil || !bytes.Equal(sealed, raw) {
		return fmt.Errorf("the hub gives receipt %s with a time-stamp and without as two different documents", s.ID)
	}
	s.Stamped = file
	return writeBytes(file, true, 0o644, stamped)
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
