package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// held is what others than the hub have in their hands and what the record must
// agree with: receipts, and checkpoints the hub signed.
type held struct {
	receipts map[exchange.ReceiptID]*heldReceipt
	trees    []heldTree
	// behind: the record may be older than what is held without anyone's fault.
	behind bool
}

// heldReceipt is a receipt in a file.
type heldReceipt struct {
	file  string
	entry exchange.LogEntry
	leaf  int64 // by its proof; -1 without
	found bool
}

// heldTree is a checkpoint in a file, or in a proof.
type heldTree struct {
	file string
	tlog.Tree
}

// readReceipts reads the receipts in a directory, with their proofs. What does
// not hold by itself is a finding, and not looked for in the record.
func (a *authority) readReceipts(h *held, dir string, f *findings) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		receipt, _, list := a.checkReceipt(raw)
		for _, l := range list {
			f.add(l.in(file))
		}
		if receipt == nil {
			continue
		}
		r := &heldReceipt{file: file, entry: receipt.LogEntry(), leaf: -1}
		if other := h.receipts[receipt.ID]; other != nil && string(other.entry.Bytes()) != string(r.entry.Bytes()) {
			f.add(finding(receiptChanged, "%s is of the same identifier and has other content", other.file).in(file).of(receipt.ID))
		}
		h.receipts[receipt.ID] = r
		if err := a.readProof(h, r, f); err != nil {
			return err
		}
	}
	return nil
}

func (a *authority) readProof(h *held, r *heldReceipt, f *findings) error {
	file := proofFile(r.file)
	proof, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	tree, leaf, err := exchange.VerifyProof(proof, r.entry, a.keys.Origin, a.log)
	if err != nil {
		f.add(finding(proofBroken, "%v", err).in(file).of(exchange.ReceiptID(r.entry.ID)))
		return nil
	}
	r.leaf = leaf
	h.trees = append(h.trees, heldTree{file, tree})
	return nil
}

// readCheckpoints reads the checkpoints that a mirror has seen.
func (a *authority) readCheckpoints(h *held, dir string, f *findings) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		signed, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree, err := a.checkpoint(signed)
		if err != nil {
			f.add(finding(checkpointBroken, "%v", err).in(file))
			continue
		}
		h.trees = append(h.trees, heldTree{file, tree})
	}
	return nil
}

// checkReceipt verifies a receipt by itself; nil if it cannot be read.
func (a *authority) checkReceipt(raw []byte) (*exchange.Receipt, exchange.Evidence, []Finding) {
	receipt, evidence, doc, err := exchange.ParseReceipt(raw)
	if err != nil {
		return nil, evidence, []Finding{finding(sealBroken, "%v", err)}
	}
	stamp, list := a.timeStamp(doc.Signature, receipt)
	for i := range list {
		list[i] = list[i].of(receipt.ID)
	}
	if f, ok := a.seal(doc.Signature, receipt, stamp); !ok {
		list = append(list, f.of(receipt.ID))
	}
	for _, f := range checkRevocation(evidence) {
		list = append(list, f.of(receipt.ID))
	}
	if len(evidence.Acknowledgement) > 0 {
		answers, _ := checkAnswer(evidence)
		for _, f := range answers {
			list = append(list, f.of(receipt.ID))
		}
	}
	return &receipt, evidence, list
}

// leaf notes a leaf of the record.
func (h *held) leaf(i int64, e exchange.LogEntry, f *findings) {
	r := h.receipts[exchange.ReceiptID(e.ID)]
	if r == nil || e.Type != "receipt" {
		return
	}
	r.found = true
	if string(r.entry.Bytes()) != string(e.Bytes()) {
		f.add(finding(receiptChanged, "the log has a receipt of this identifier with other content").in(r.file).at(i).of(exchange.ReceiptID(e.ID)))
	}
}

// compare holds what is held to the record, once it has been walked: roots are
// the leaves' at the sizes asked for. Leaves that are not whole, that is, not
// those of the checkpoint, say nothing about what the hub signed.
func (h *held) compare(record tlog.Tree, roots map[int64]tlog.Hash, whole bool, f *findings) {
	roots[record.N] = record.Hash
	for _, t := range h.trees {
		if t.N > record.N {
			f.add(h.older(t, record).in(t.file))
			continue
		}
		if root := roots[t.N]; root != t.Hash && (whole || t.N == record.N) {
			f.add(finding(forked, "the hub signed the root %s for its first %d leaves, and the record with %s for them: there are two records", t.Hash, t.N, root).in(t.file))
		}
	}
	if !whole {
		return
	}
	missing := make([]*heldReceipt, 0)
	for _, r := range h.receipts {
		if !r.found && r.leaf < record.N { // beyond its end the older record was found already
			missing = append(missing, r)
		}
	}
	slices.SortFunc(missing, func(a, b *heldReceipt) int { return cmp.Compare(a.file, b.file) })
	for _, r := range missing {
		f.add(finding(receiptNotInLog, "no leaf of the record is of this receipt: it was dropped from the log, or never was in it").
			in(r.file).of(exchange.ReceiptID(r.entry.ID)))
	}
}

func (h *held) older(t heldTree, record tlog.Tree) Finding {
	if h.behind {
		return finding(recordIncomplete, "the hub signed a log of %d leaves, the mirror has %d; follow the hub and check again", t.N, record.N)
	}
	return finding(rolledBack, "the hub signed a log of %d leaves and now shows %d: it went back to an older record", t.N, record.N)
}

// sizes are those of the record's trees that compare needs.
func (h *held) sizes() map[int64]tlog.Hash {
	m := make(map[int64]tlog.Hash, len(h.trees))
	for _, t := range h.trees {
		m[t.N] = tlog.Hash{}
	}
	var none stack
	if _, ok := m[0]; ok {
		m[0] = none.root()
	}
	return m
}

func (h *held) String() string {
	return fmt.Sprintf("%d receipts and %d checkpoints held by others than the hub", len(h.receipts), len(h.trees))
}
