package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

// answering is one run of ack.
type answering struct {
	hub      *httpclient.Client
	dir      string
	file     string
	refuse   bool
	reason   string
	unsigned bool
}

func (p *program) ack() *cobra.Command {
	var a answering
	c := &cobra.Command{
		Use:   "ack DELIVERY",
		Short: "Accept or refuse a delivery, with the agency's signature",
		Long: `ack answers a delivery that was fetched: the agency accepts it, or with --refuse does
not. The answer names the very bytes that the agency holds, and is signed with the
agency's key. The hub's receipt of it holds the answer inside: it proves to the
sender what the agency said.

An answer cannot be changed. It is kept in DELIVERY.acknowledgement.xml, the
receipt in DELIVERY.receipt.xml; repeating the command sends the same answer.`,
		Example: `  agency ack --dir in 0198f2c4-5b6a-7c3d-8e9f-0a1b2c3d4e5f.1
  agency ack --dir in 0198f2c4-5b6a-7c3d-8e9f-0a1b2c3d4e5f.1 --refuse --reason "Gửi nhầm cơ quan"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if a.refuse && a.reason == "" {
				return usagef("a refusal needs its --reason")
			}
			if !a.refuse && a.reason != "" {
				return usagef("--reason is for a refusal")
			}
			return p.runAck(c.Context(), a, exchange.DeliveryID(args[0]))
		},
	}
	f := c.Flags()
	f.BoolVar(&a.refuse, "refuse", false, "refuse it instead of accepting it")
	f.StringVar(&a.reason, "reason", "", "why it is refused")
	f.StringVar(&a.dir, "dir", ".", "`directory` that it was fetched into")
	f.StringVar(&a.file, "package", "", "the fetched `file`; DIR/DELIVERY.edxml without it")
	f.BoolVar(&a.unsigned, "unsigned", false, "do not sign; only for agencies that the hub lets answer by their system's word")
	return c
}

// answered is what became of an answer.
type answered struct {
	Delivery    exchange.DeliveryID `json:"delivery"`
	Outcome     exchange.Outcome    `json:"outcome"`
	Receipt     exchange.ReceiptID  `json:"receipt"`
	Event       exchange.Event      `json:"event"`
	ReceiptFile string              `json:"receiptFile"`
	Leaf        int64               `json:"leaf"`
	Before      bool                `json:"before"` // the same answer was given before
}

func (p *program) runAck(ctx context.Context, a answering, id exchange.DeliveryID) error {
	name, err := fileName(id)
	if err != nil {
		return err
	}
	sealing, err := p.sealing()
	if err != nil {
		return err
	}
	if a.hub, err = p.client(); err != nil {
		return err
	}
	defer a.hub.Close()
	base := filepath.Join(a.dir, name)
	item, err := a.hub.Delivery(ctx, id)
	if err != nil {
		return err
	}
	if err := a.holds(item, cmp.Or(a.file, base+".edxml")); err != nil {
		return err
	}
	answer, err := p.answer(a, item, base+".acknowledgement.xml")
	if err != nil {
		return err
	}
	receipt, before, err := a.hub.Acknowledge(ctx, id, answer)
	if err != nil {
		return err
	}
	r := answered{Delivery: id, Outcome: a.outcome(), Receipt: receipt.ID, Event: receipt.Event,
		ReceiptFile: base + ".receipt.xml", Leaf: receipt.Leaf, Before: before}
	if err := writeBytes(r.ReceiptFile, true, 0o644, receipt.Raw); err != nil {
		return fmt.Errorf("keeping the receipt: %w", err)
	}
	if err := checkReceipt(receipt.Raw, item.Package.Digest, sealing, a.event()); err != nil {
		return fmt.Errorf("%s is no receipt for the answer: %w", r.ReceiptFile, err)
	}
	p.keepProof(ctx, a.hub, receipt.ID, r.ReceiptFile)
	return p.show(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s: the hub attests to %s in %s\n", id, r.Outcome, r.Event, r.ReceiptFile)
	})
}

func (a answering) outcome() exchange.Outcome {
	if a.refuse {
		return exchange.AnswerRefused
	}
	return exchange.AnswerAccepted
}

func (a answering) event() exchange.Event {
	if a.refuse {
		return exchange.ConsignmentRejection
	}
	return exchange.ContentHandover
}

// holds makes sure that the agency has the bytes that it is about to answer for.
func (a answering) holds(item exchange.InboxItem, file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("%s is not there: fetch the delivery first, or name the fetched file with --package", file)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	digest, _, err := digestOf(f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if digest != item.Package.Digest {
		return fmt.Errorf("%s is not what was delivered: its SHA-256 is %s, the delivery's %s; fetch it again", file, digest, item.Package.Digest)
	}
	return nil
}

// answer is the acknowledgement that was made before, or a new one, kept before
// it is sent: what the agency said must not get lost.
func (p *program) answer(a answering, item exchange.InboxItem, file string) ([]byte, error) {
	kept, err := os.ReadFile(file)
	if err == nil {
		return kept, a.sameAs(kept, item, file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	now := time.Now()
	canonical := exchange.NewAcknowledgement(item.Package, item.Delivery.Recipient, a.outcome(), a.reason, now).Canonical()
	if !a.unsigned {
		by, err := p.signer()
		if err != nil {
			return nil, fmt.Errorf("%w; an agency that the hub lets answer without a signature says --unsigned", err)
		}
		sealer, err := signing.NewSealer(by.key, by.chain)
		if err != nil {
			return nil, &usageError{err}
		}
		if canonical, err = sealer.Seal(canonical, now); err != nil {
			return nil, err
		}
	}
	return canonical, writeBytes(file, false, 0o644, canonical)
}

// sameAs makes sure that an answer from before says what is to be said now.
func (a answering) sameAs(kept []byte, item exchange.InboxItem, file string) error {
	before, _, err := exchange.ParseAcknowledgement(bytes.NewReader(kept))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if before.Package != item.Package.ID || before.Outcome != a.outcome() || before.Digest != item.Package.Digest {
		return usagef("%s holds another answer (%s); if it was never sent, remove it first", file, before.Outcome)
	}
	return nil
}
