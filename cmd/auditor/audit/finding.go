package audit

import (
	"fmt"
	"slices"

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

// advice is what to do about findings that an auditor alone cannot settle.
var advice = map[string]exchange.Words{
	rolledBack: {
		En: "keep the mirror: it proves what the hub had signed. Ask the operators which backup they went back to, and why; an accepted rollback is the action accept-rollback of the log. Then begin a new mirror in another directory, and ask agencies to look for their receipts in it (auditor check --receipts)",
		Vi: "hãy giữ nguyên bản sao nhật ký: đó là bằng chứng về những gì trục đã ký. Hãy hỏi đơn vị vận hành đã khôi phục bản sao lưu nào và vì sao; việc này phải có bản ghi accept-rollback trong nhật ký. Sau đó tạo bản sao nhật ký mới ở thư mục khác và đề nghị các cơ quan đối chiếu biên nhận (auditor check --receipts)",
	},
	forked: {
		En: "keep the mirror and its checkpoints: two that exclude each other prove, by the hub's own signature, that it kept two records. Compare with other auditors, and ask the operators whether a copy of the hub runs elsewhere with the same key",
		Vi: "hãy giữ nguyên bản sao nhật ký và các điểm kiểm tra: hai điểm kiểm tra trái ngược nhau, do chính trục ký, chứng minh trục có hai nhật ký. Hãy đối chiếu với các đơn vị kiểm toán khác và hỏi đơn vị vận hành có bản sao nào của trục đang chạy ở nơi khác với cùng khóa hay không",
	},
}

// advise are the lines, in both languages, on what to do about the findings.
func advise(list []Finding) (lines []string) {
	for _, name := range []string{rolledBack, forked} {
		if slices.ContainsFunc(list, func(f Finding) bool { return f.Name == name }) {
			lines = append(lines, advice[name].En, advice[name].Vi)
		}
	}
	return lines
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
