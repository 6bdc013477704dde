package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/backup"
	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

// In a drill that is not full, the seals of the first allSeals receipts are
// verified, and of those after them each sampleSeals-th.
const (
	allSeals    = 1000
	sampleSeals = 100
)

// drilled is how a drill went.
type drilled struct {
	Backup   string  `json:"backup"`
	Passed   bool    `json:"passed"`
	Failure  string  `json:"failure,omitempty"`
	Leaves   int64   `json:"leaves"`
	Packages int64   `json:"packages"`
	Bytes    int64   `json:"bytes"` // of packages
	Receipts int64   `json:"receipts"`
	Seals    int64   `json:"seals"` // verified
	Seconds  float64 `json:"seconds"`
}

// runDrill asks the running hub for its keys first: a drill whose outcome cannot
// be put on record is not begun.
func (r *restoring) runDrill(c *cobra.Command, o *options, from string) error {
	hub, err := dial(o)
	if err != nil {
		return err
	}
	defer hub.Close()
	order, err := r.order(from, "")
	if err != nil {
		return err
	}
	if order.Keys == nil {
		keys, err := hub.Keys(c.Context())
		if err != nil {
			return err
		}
		order.Keys = &keys
	}
	p := progress.New(c.ErrOrStderr(), o.json, "restoring aside", 0)
	order.Progress = p.At
	result, checkpoint, failure := r.tryOut(c.Context(), order)
	p.End()
	if err := c.Context().Err(); err != nil {
		return err // stopped by its operator: nothing is known
	}
	result.Passed = failure == nil
	if failure != nil {
		result.Failure = failure.Error()
	}
	recorded := record(c.Context(), hub, result, checkpoint)
	err = o.show(c, result, func(w io.Writer) {
		if result.Passed {
			fmt.Fprintf(w, "%s can be restored: a log of %d leaves, %d packages with %.1f MiB, %d receipts, %d seals verified, in %.1f s\n",
				result.Backup, result.Leaves, result.Packages, mib(result.Bytes), result.Receipts, result.Seals, result.Seconds)
		}
	})
	return errors.Join(failure, recorded, err)
}

func record(ctx context.Context, hub *httpclient.Client, d drilled, checkpoint string) error {
	err := hub.RecordDrill(ctx, exchange.Drill{Backup: d.Backup, Checkpoint: checkpoint, Failure: d.Failure})
	if err != nil {
		return fmt.Errorf("putting the drill on record: %w", err)
	}
	return nil
}

// tryOut restores aside and removes it all again.
func (r *restoring) tryOut(ctx context.Context, order backup.Order) (d drilled, checkpoint string, err error) {
	began := time.Now()
	d.Backup = order.Backup
	if dir, m, err := backup.Find(order.Backup); err == nil {
		d.Backup, checkpoint = dir, m.Checkpoint
	} else if abs, absErr := filepath.Abs(order.Backup); absErr == nil {
		d.Backup = abs
	}
	dir, err := os.MkdirTemp(r.dir, "hub-drill-")
	if err != nil {
		return d, checkpoint, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	order.Dir = dir
	done, err := stores.Restore(ctx, order)
	d.Leaves, d.Packages, d.Bytes = done.Leaves, done.Packages, done.Bytes
	if err == nil {
		order.Progress("checking receipts and deliveries")
		err = r.checkReceipts(ctx, dir, *order.Keys, &d)
	}
	d.Seconds = time.Since(began).Seconds()
	return d, checkpoint, err
}

// checkReceipts holds deliveries against their receipts and verifies seals. That
// the log has every receipt's digest was checked with the ledger.
func (r *restoring) checkReceipts(ctx context.Context, dir string, keys exchange.Keys, d *drilled) (err error) {
	seals, err := keys.Seals()
	if err != nil {
		return err
	}
	ledger, err := stores.OpenLedger(filepath.Join(dir, "ledger.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	return exchange.CheckReceipts(ctx, ledger, func(receipt exchange.Receipt) error {
		d.Receipts++
		if !r.full && d.Receipts > allSeals && d.Receipts%sampleSeals != 0 {
			return nil
		}
		d.Seals++
		_, err := exchange.VerifySeal(receipt.Raw, seals)
		return err
	})
}

func readKeys(path string) (*exchange.Keys, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys exchange.Keys
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, fmt.Errorf("%s is not a file of the hub's keys: %w", path, err)
	}
	return &keys, nil
}
