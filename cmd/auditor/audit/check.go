package audit

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sync/errgroup"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

// defaultTolerance is how far times in the log may go back: receipts are dated
// before they queue for the log.
const defaultTolerance = time.Minute

// downloads are made at once.
const downloads = 4

func (p *program) check() *cobra.Command {
	var o hubOptions
	var receipts string
	var tolerance time.Duration
	c := &cobra.Command{
		Use:   "check URL|DIR",
		Short: "Check the whole record of a hub, or of a mirror of it",
		Long: `check goes through the whole record: every leaf of the log, every hash of the tree,
and the checkpoint that the hub signed for it.

It checks that
  - the leaves, in their order, give the root that the checkpoint was signed for,
  - all hashes that the hub serves follow from the leaves,
  - leaves are well formed, none stands there twice, and their times do not go
    back by more than --tolerance,
  - with credentials (--user): every receipt of the log is to be had, is the one
    in the log, unchanged, and sealed by the hub; and every action of the hub's
    operators and administrators is told as it is in the log,
  - with --receipts: every receipt that somebody else has kept is in the log, and
    the checkpoint of each proof is of this log and no other.

DIR is a mirror that "auditor follow" keeps: keys.json, checkpoint, tile/…, and
checkpoints/ and receipts/ if they are there. It is checked without the hub.

Without --keys the hub's own word on its keys is taken: that finds contradictions,
not a hub that is another altogether.`,
		Example: `  auditor check https://hub.example
  TRAM_SECRET_FILE=secret auditor check https://hub.example --keys keys.json --user an
  auditor check https://hub.example --receipts ./kept-by-agency
  auditor check ./mirror --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.runCheck(c.Context(), args[0], o, receipts, tolerance)
		},
	}
	o.flags(c.Flags())
	c.Flags().StringVar(&receipts, "receipts", "", "`directory` of receipts (*.xml, with *.tlog-proof) to look for in the record")
	c.Flags().DurationVar(&tolerance, "tolerance", defaultTolerance, "how far times may go back from leaf to leaf")
	return c
}

func (p *program) runCheck(ctx context.Context, target string, o hubOptions, receipts string, tolerance time.Duration) error {
	from, hub, err := p.open(target, o)
	if err != nil {
		return err
	}
	by, err := o.authority(ctx, from)
	if err != nil {
		return err
	}
	c := checking{by: by, source: from, hub: hub, tolerance: tolerance, progress: p.reading,
		held: &held{receipts: map[exchange.ReceiptID]*heldReceipt{}, behind: hub == nil}}
	if err := c.hold(receipts); err != nil {
		return err
	}
	result, err := c.run(ctx)
	if err != nil {
		return err
	}
	result.Source, result.KeysFrom = target, o.keysFrom()
	if err := p.printCheck(result, c.held); err != nil {
		return err
	}
	if !result.OK {
		return errDoesNotHold
	}
	return nil
}

// open is the source that a command line names, and the hub's client if it is a
// hub and credentials are given.
func (p *program) open(target string, o hubOptions) (source, *httpclient.Client, error) {
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return directory(target), nil, nil
	}
	if !strings.Contains(target, "://") {
		return nil, nil, usagef("%s is neither a directory nor an address such as https://hub.example", target)
	}
	client, err := o.client(target)
	return client, client, err
}

// checking is one check of a record.
type checking struct {
	by        *authority
	source    source
	hub       *httpclient.Client // nil: a mirror
	held      *held
	tolerance time.Duration
	progress  func() *progress.Bar

	deeds deeds

	mu       sync.Mutex // of what follows: receipts are checked several at once
	findings findings
	doubts   doubts
	inLog    int64
	checked  int64
}

// checked is what check found.
type checkResult struct {
	OK       bool   `json:"ok"`
	Source   string `json:"source"`
	KeysFrom string `json:"keysFrom"`
	Origin   string `json:"origin"`
	Leaves   int64  `json:"leaves"`
	Root     string `json:"root"`
	// Receipts are the leaves that are receipts; ReceiptsChecked those whose
	// document was checked too.
	Receipts        int64 `json:"receipts"`
	ReceiptsChecked int64 `json:"receiptsChecked"`
	// Actions are the leaves of what people did; ActionsChecked those that the
	// hub told of.
	Actions        int64 `json:"actions"`
	ActionsChecked int64 `json:"actionsChecked"`
	// Doubtful are the signatures that were accepted while nothing was known of
	// their certificates' revocation, and of which no receipt says more.
	Doubtful int       `json:"doubtful"`
	Held     int       `json:"held"`
	Findings []Finding `json:"findings"`
	Do       []string  `json:"do,omitempty"` // about the findings, in both languages
}

// hold reads what others than the hub have.
func (c *checking) hold(receipts string) error {
	if receipts != "" {
		if _, err := os.Stat(receipts); err != nil {
			return usagef("--receipts: %w", err)
		}
		if err := c.by.readReceipts(c.held, receipts, &c.findings); err != nil {
			return err
		}
	}
	d, ok := c.source.(directory)
	if !ok {
		return nil
	}
	if err := c.by.readReceipts(c.held, d.path("receipts"), &c.findings); err != nil {
		return err
	}
	return c.by.readCheckpoints(c.held, d.path("checkpoints"), &c.findings)
}

func (c *checking) run(ctx context.Context) (checkResult, error) {
	signed, err := c.source.Checkpoint(ctx)
	if err != nil {
		return checkResult{}, fmt.Errorf("reading the checkpoint: %w", err)
	}
	tree, err := c.by.checkpoint(signed)
	if err != nil {
		c.findings.add(finding(checkpointBroken, "%v", err))
		return c.result(tree), nil
	}
	if err := c.walk(ctx, tree); err != nil {
		return checkResult{}, err
	}
	return c.result(tree), nil
}

func (c *checking) walk(ctx context.Context, tree tlog.Tree) error {
	var walked findings
	roots := c.held.sizes()
	work, working := errgroup.WithContext(ctx)
	work.SetLimit(downloads)
	r := record{source: c.source, findings: &walked, progress: c.progress, roots: roots,
		leaves: leaves{tolerance: c.tolerance, now: time.Now(), seen: map[[16]byte]struct{}{}},
		visit: func(_ context.Context, i int64, e exchange.LogEntry) error {
			c.held.leaf(i, e, &walked)
			c.deeds.leaf(i, e)
			if e.Type != "receipt" {
				return nil
			}
			c.inLog++
			if c.identified() {
				work.Go(func() error { return c.receipt(working, i, e) })
			}
			return nil
		}}
	whole, err := r.walk(working, tree)
	if werr := work.Wait(); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	c.held.compare(tree, roots, whole, &walked)
	c.findings.add(walked.all()...)
	if c.identified() {
		return c.deeds.compare(ctx, c)
	}
	return nil
}

// identified reports whether there is a hub that knows who asks.
func (c *checking) identified() bool { return c.hub != nil && c.hub.Identified() }

// receipt gets a leaf's receipt from the hub and checks it.
func (c *checking) receipt(ctx context.Context, i int64, e exchange.LogEntry) error {
	id := exchange.ReceiptID(e.ID)
	raw, err := c.hub.Receipt(ctx, id)
	if absent(err) {
		c.add(finding(receiptMissing, "the hub does not give the receipt: it was dropped, or is kept from you").at(i).of(id))
		return nil
	}
	if err != nil {
		return err
	}
	evidence, list := c.by.compareReceipt(raw, i, e)
	c.add(list...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubts.note(evidence)
	c.checked++
	return nil
}

func (c *checking) add(f ...Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings.add(f...)
}

// compareReceipt holds a receipt to its leaf.
func (a *authority) compareReceipt(raw []byte, i int64, e exchange.LogEntry) (exchange.Evidence, []Finding) {
	id := exchange.ReceiptID(e.ID)
	if got := exchange.DigestOf(raw); got != e.SHA256 {
		return exchange.Evidence{}, []Finding{finding(receiptChanged, "the receipt has the SHA-256 %s, the log says %s", got, e.SHA256).at(i).of(id)}
	}
	receipt, evidence, list := a.checkReceipt(raw)
	for n := range list {
		list[n] = list[n].at(i).of(id)
	}
	if receipt == nil {
		return evidence, list
	}
	if said := receipt.LogEntry(); string(said.Bytes()) != string(e.Bytes()) {
		list = append(list, finding(receiptChanged, "the receipt says %s, its leaf %s", said.Bytes(), e.Bytes()).at(i).of(id))
	}
	return evidence, list
}

func (c *checking) result(tree tlog.Tree) checkResult {
	list := c.findings.all()
	return checkResult{OK: len(list) == 0, Origin: c.by.keys.Origin, Leaves: tree.N, Root: tree.Hash.String(),
		Receipts: c.inLog, ReceiptsChecked: c.checked, Actions: c.deeds.inLog, ActionsChecked: c.deeds.checked, Doubtful: c.doubts.open(), Held: len(c.held.receipts), Findings: list, Do: advise(list)}
}
