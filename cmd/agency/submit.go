package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

func (p *program) submit() *cobra.Command {
	c := &cobra.Command{
		Use:   "submit PACKAGE.edxml…",
		Short: "Submit packages and keep the hub's receipts",
		Long: `submit sends signed packages to the hub. When it is done the hub has each of them, and
answers for it: its receipt is beside the package, in PACKAGE.edxml.receipt.xml,
and the proof that it is in the log in PACKAGE.edxml.receipt.tlog-proof.

Submitting a package again does no harm and gives the same receipt, so after an
error whose cause is not the package simply repeat it. A package that the hub
refuses leaves the evidence of that in PACKAGE.edxml.rejection.xml.`,
		Example: "  agency submit 1250.signed.edxml\n  agency submit --json outbox/*.edxml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			hub, err := p.client()
			if err != nil {
				return err
			}
			defer hub.Close()
			sealing, err := p.sealing()
			if err != nil {
				return err
			}
			return p.each(args, func(file string) (any, func(io.Writer), error) {
				return p.submitFile(c.Context(), hub, sealing, file)
			})
		},
	}
	return c
}

// submitted is what became of one package.
type submitted struct {
	File        string             `json:"file"`
	Package     exchange.PackageID `json:"package"`
	Receipt     exchange.ReceiptID `json:"receipt"`
	ReceiptFile string             `json:"receiptFile"`
	Leaf        int64              `json:"leaf"`
	Resubmitted bool               `json:"resubmitted"`
}

func (p *program) submitFile(ctx context.Context, hub *httpclient.Client, sealing []exchange.PublishedSeal, file string) (any, func(io.Writer), error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	digest, size, err := digestOf(f)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", file, err)
	}
	bar := progress.New(p.stderr, p.json, "submitting "+file, size)
	s, err := hub.Submit(ctx, bar.Reader(f), size)
	bar.End()
	if err != nil {
		return nil, nil, p.keepRejection(ctx, hub, file, err)
	}
	r := submitted{File: file, Package: s.Package, Receipt: s.Receipt.ID, ReceiptFile: file + ".receipt.xml", Leaf: s.Receipt.Leaf, Resubmitted: s.Resubmitted}
	if err := writeBytes(r.ReceiptFile, true, 0o644, s.Receipt.Raw); err != nil { // the same receipt each time
		return nil, nil, fmt.Errorf("keeping the receipt: %w", err)
	}
	if err := checkReceipt(s.Receipt.Raw, digest, sealing, exchange.SubmissionAcceptance); err != nil {
		return nil, nil, fmt.Errorf("%s is no receipt for %s: %w", r.ReceiptFile, file, err)
	}
	p.keepProof(ctx, hub, s.Receipt.ID, r.ReceiptFile)
	return r, func(w io.Writer) {
		again := ""
		if s.Resubmitted {
			again = " (as before)"
		}
		fmt.Fprintf(w, "%s\taccepted%s\tpackage %s\treceipt %s\n", file, again, r.Package, r.ReceiptFile)
	}, nil
}

// digestOf reads a file through and goes back to its beginning.
func digestOf(f *os.File) (exchange.Digest, int64, error) {
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return exchange.Digest{}, 0, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return exchange.Digest(h.Sum(nil)), size, err
}

// keepRejection keeps the evidence of a refusal, if there is any.
func (p *program) keepRejection(ctx context.Context, hub *httpclient.Client, file string, refusal error) error {
	var problem *httpclient.Problem
	if !errors.As(refusal, &problem) || problem.Receipt == "" {
		return refusal
	}
	raw, err := hub.Receipt(ctx, problem.Receipt)
	if err == nil {
		err = writeBytes(file+".rejection.xml", true, 0o644, raw)
	}
	if err != nil { // the refusal is what matters
		p.note("agency: the evidence of the refusal, receipt %s, could not be kept: %v", problem.Receipt, err)
		return refusal
	}
	p.keepProof(ctx, hub, problem.Receipt, file+".rejection.xml")
	return fmt.Errorf("%w; the evidence of it is in %s", refusal, file+".rejection.xml")
}

// keepProof keeps the proof that a receipt is in the log beside it, so that the
// two are verified together without the hub. A missing one can be had later:
// what was submitted or answered stands.
func (p *program) keepProof(ctx context.Context, hub *httpclient.Client, id exchange.ReceiptID, receiptFile string) {
	proof, err := hub.Proof(ctx, id)
	if err == nil {
		err = writeBytes(proofOf(receiptFile), true, 0o644, proof)
	}
	if err != nil {
		p.note("agency: the proof of receipt %s could not be kept; \"agency receipts\" gets it: %v", id, err)
	}
}

// proofOf is where the proof of a receipt's file is looked for.
func proofOf(receiptFile string) string {
	return strings.TrimSuffix(receiptFile, ".xml") + ".tlog-proof"
}

// checkReceipt checks that a receipt is of the event, about the content, and
// sealed by the hub, if it is known what the hub seals with.
func checkReceipt(raw []byte, content exchange.Digest, sealing []exchange.PublishedSeal, events ...exchange.Event) error {
	receipt, evidence, doc, err := exchange.ParseReceipt(raw)
	if err != nil {
		return err
	}
	if !slices.Contains(events, receipt.Event) {
		return fmt.Errorf("it attests to %s", receipt.Event)
	}
	if len(evidence.Parts) == 0 || evidence.Parts[0].Digest != content {
		// The same signed content in other bytes (KeyInfo is not signed) was
		// submitted before: then the receipt is about those.
		return fmt.Errorf("it is about other bytes than those with SHA-256 %s; if the package was signed twice, submit the first one", content)
	}
	if len(sealing) == 0 {
		return nil
	}
	by := doc.Signature.Certificate
	i := slices.IndexFunc(sealing, func(p exchange.PublishedSeal) bool { return p.Certificate.Equal(by) })
	if i < 0 {
		return fmt.Errorf("it is sealed by %q, which the hub's keys do not name; "+
			"if the hub has announced a new sealing key, fetch its keys again (agency keys)", by.Subject)
	}
	if p := sealing[i]; !p.Covers(receipt.Time) {
		return fmt.Errorf("it is of %s and sealed by %q, which the hub's keys say seals %s only", moment(receipt.Time), by.Subject, p.When())
	}
	return nil
}

// each does something for every name, goes on after a failure, and says at the
// end that there was one.
func (p *program) each(names []string, do func(name string) (any, func(io.Writer), error)) error {
	results, failed := []any{}, false
	for _, name := range names {
		result, text, err := do(name)
		if err != nil && len(names) == 1 {
			return err
		}
		if err != nil {
			failed = true
			p.complain(fmt.Errorf("%s: %w", name, err))
			continue
		}
		results = append(results, result)
		if !p.json {
			if err := p.show(nil, text); err != nil {
				return err
			}
		}
	}
	if p.json {
		if err := p.show(results, nil); err != nil {
			return err
		}
	}
	if failed {
		return errSomeFailed
	}
	return nil
}
