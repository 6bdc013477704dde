package audit

import (
	"fmt"

	"tram/exchange"
)

// Names of findings: what does not hold. Once published a name keeps its
// meaning, so that programs may rely on it.
const (
	sealBroken       = "seal-broken"             // the receipt was changed after it was sealed, or is no receipt
	sealUnknown      = "seal-unknown"            // sealed by a certificate that the hub did not publish: forged
	sealOutOfTerm    = "seal-out-of-term"        // sealed by a key of the hub's after its time was over, or before it began
	sealUntrusted    = "seal-untrusted"          // the certificate does not lead to the authorities given
	proofMissing     = "proof-missing"           // nothing shows that the receipt is in the log
	proofBroken      = "proof-broken"            // the proof does not show it
	packageDiffers   = "package-differs"         // the package is not the one the receipt is about
	answerBroken     = "acknowledgement-broken"  // the recipient's signed answer does not hold
	answerDiffers    = "acknowledgement-differs" // it answers something else than the receipt says
	stampBroken      = "timestamp-broken"        // the time-stamp does not hold, or its authority is another
	stampEarly       = "timestamp-early"         // the time-stamp is older than what the receipt is about
	stampMissing     = "timestamp-missing"       // a time-stamp was asked for, and none holds
	revocationOdd    = "revocation-odd"          // what the receipt says of revocation contradicts itself
	checkpointBroken = "checkpoint-broken"       // not signed by the hub's log key, or not of this log
	rootDiffers      = "root-differs"            // the leaves are not those that the checkpoint was signed for
	tileDiffers      = "tile-differs"            // the hub serves hashes that are not those of its leaves
	recordIncomplete = "record-incomplete"       // a part of the record is not to be had
	entryMalformed   = "entry-malformed"         // a leaf is not what a hub writes
	entryRepeated    = "entry-repeated"          // an identifier stands in the log twice
	entryBackDated   = "entry-back-dated"        // a leaf is older than the ones before it
	entryPostDated   = "entry-post-dated"        // a leaf is from the future
	receiptMissing   = "receipt-missing"         // a leaf's receipt is not to be had: dropped
	receiptChanged   = "receipt-changed"         // a receipt is not the one in the log
	actionMissing    = "action-missing"          // what a leaf says somebody did is not told: dropped
	actionChanged    = "action-changed"          // what is told that somebody did is not what the log has
	receiptNotInLog  = "receipt-not-in-log"      // a sealed receipt that the log does not have: dropped or forged
	forked           = "fork"                    // the hub signed two records that exclude each other
	rolledBack       = "rollback"                // the hub shows an older record than it showed before
	keysChanged      = "keys-changed"            // the hub publishes another log key than before
)

// findingsOfEachName are kept at most; the rest is counted.
const findingsOfEachName = 20

// Finding is one thing that does not hold.
type Finding struct {
	Name    string             `json:"name"`
	Detail  string             `json:"detail"`
	Leaf    *int64             `json:"leaf,omitempty"`
	Receipt exchange.ReceiptID `json:"receipt,omitempty"`
	File    string             `json:"file,omitempty"`
}

func (f Finding) String() string {
	s := f.Name
	if f.File != "" {
		s += " " + f.File
	}
	if f.Leaf != nil {
		s += fmt.Sprintf(" leaf %d", *f.Leaf)
	}
	if f.Receipt != "" {
		s += " receipt " + string(f.Receipt)
	}
	return s + ": " + f.Detail
}

func finding(name, format string, args ...any) Finding {
	return Finding{Name: name, Detail: fmt.Sprintf(format, args...)}
}

func (f Finding) at(leaf int64) Finding            { f.Leaf = &leaf; return f }
func (f Finding) of(id exchange.ReceiptID) Finding { f.Receipt = id; return f }
func (f Finding) in(file string) Finding           { f.File = file; return f }

// findings collects them: of a thousand of one kind, some.
type findings struct {
	list  []Finding
	count map[string]int
}

func (f *findings) add(more ...Finding) {
	if f.count == nil {
		f.count = make(map[string]int)
	}
	for _, m := range more {
		if f.count[m.Name]++; f.count[m.Name] <= findingsOfEachName {
			f.list = append(f.list, m)
		}
	}
}

// all are the findings, with what was left out said at the end.
func (f *findings) all() []Finding {
	all := append([]Finding{}, f.list...)
	for _, m := range f.list {
		if n := f.count[m.Name] - findingsOfEachName; n > 0 {
			all = append(all, finding(m.Name, "%d further findings of this kind", n))
			f.count[m.Name] = findingsOfEachName // said once
		}
	}
	return all
}
