package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tram/exchange"
)

// The buckets; what they hold is written in the package comment.
const (
	meta               = "meta"
	packages           = "packages"
	packageNumbers     = "package-numbers"
	searchPostings     = "search-postings"
	searchBlocks       = "search-blocks"
	senders            = "senders"
	documents          = "documents"
	contents           = "contents"
	deliveries         = "deliveries"
	deliveryStates     = "delivery-states"
	deliveryRecipients = "delivery-recipients"
	inbox              = "inbox"
	due                = "due"
	counts             = "counts"
	receiptLeaves      = "receipt-leaves"
	receiptMarks       = "receipt-marks"
	packageReceipts    = "package-receipts"
	unstamped          = "unstamped"
	timeStamps         = "time-stamps"
	agencies           = "agencies"
	agencyCodes        = "agency-codes"
	agencyCertificates = "agency-certificates"
	agencySubjects     = "agency-subjects"
	systems            = "systems"
	systemCertificates = "system-certificates"
	users              = "users"
	rechecks           = "rechecks"
	rechecksDue        = "rechecks-due"
	erasures           = "erasures"
	orphans            = "orphans"
	actions            = "actions"
	log                = "log"
	hashes             = "hashes"
	shapesKept         = "shapes"
)

// buckets are all of them, as Create makes and Check reads them.
func buckets() []string {
	return []string{meta, packages, senders, documents, contents, deliveries, deliveryStates,
		deliveryRecipients, inbox, due, counts, receiptLeaves, packageReceipts, agencies, agencyCodes,
		agencyCertificates, agencySubjects, systems, systemCertificates, users, rechecks, rechecksDue, erasures, orphans, actions, log, hashes, unstamped, timeStamps, shapesKept,
		packageNumbers, receiptMarks, searchPostings, searchBlocks}
}

// filling is how full to make the pages of buckets whose keys come in order, or
// nearly so; bbolt's half is for those that do not. What grows later, or has
// something put beside it, needs room for that: a full page would become two that
// are half empty.
func filling() map[string]float64 {
	return map[string]float64{log: 1, actions: 1, hashes: 1, packages: 0.95, timeStamps: 0.9,
		receiptLeaves: 0.75, receiptMarks: 1, deliveries: 0.7, packageReceipts: 0.7,
		senders: 0.8, deliveryRecipients: 0.8, // each agency's entries come in order
		packageNumbers: 1, searchPostings: 1, searchBlocks: 1}
}

// longestPart keeps the longest key, of four parts, well below bbolt's limit of
// 32 KiB.
const longestPart = 4096

// checkPart refuses what cannot be part of a key. Invalid UTF-8 is refused too:
// JSON would change it, and the entry would no longer agree with its index.
func checkPart(what, s string) error {
	switch {
	case len(s) > longestPart:
		return exchange.InvalidError("%s is longer than %d bytes; shorten it", "%s dài hơn %d byte; hãy rút ngắn lại", what, longestPart)
	case strings.IndexByte(s, 0) >= 0:
		return exchange.InvalidError("%s holds a zero byte; remove it", "%s chứa byte 0; hãy bỏ byte đó", what)
	}
	return checkText(what, s)
}

func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return exchange.InvalidError("%s is not UTF-8; write it in UTF-8", "%s không dùng bảng mã UTF-8; hãy ghi lại bằng UTF-8", what)
	}
	return nil
}

// checkName is checkPart for what must not be empty.
func checkName(what, s string) error {
	if s == "" {
		return exchange.InvalidError("%s is empty; fill it in", "%s đang để trống; hãy ghi giá trị", what)
	}
	return checkPart(what, s)
}

// join makes a key of parts.
func join(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }

// under is the prefix of all keys that begin with these parts.
func under(parts ...string) []byte { return append(join(parts...), 0) }

// leafSize is that of a leaf's number in keys and values: a log of 2^40 leaves.
const leafSize = 5

func leafKey(n int64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(n))[8-leafSize:]
}

func leafOf(key []byte) int64 {
	n := int64(0)
	for _, b := range key {
		n = n<<8 | int64(b)
	}
	return n
}

// stateKey is a state in one byte: its place among words.
func stateKey(s exchange.State) []byte { return []byte{byte(slices.Index(words, string(s)) + 1)} }

// timeKey orders times of any year; the sign bit is turned so that years before
// 1970 come first.
func timeKey(t time.Time) []byte {
	key := binary.BigEndian.AppendUint64(nil, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

const timeSize = 12

func deliveryKey(p exchange.PackageID, index int) []byte {
	return binary.BigEndian.AppendUint32(idKey(p), uint32(index))
}

// parseDelivery is the key of a delivery's identifier, false if there can be no
// such delivery.
func parseDelivery(id exchange.DeliveryID) ([]byte, bool) {
	dot := strings.LastIndexByte(string(id), '.')
	if dot < 0 {
		return nil, false
	}
	index, digits := 0, string(id[dot+1:])
	for _, c := range digits {
		if c < '0' || c > '9' || index > 1<<27 {
			return nil, false
		}
		index = index*10 + int(c-'0')
	}
	if digits == "" || digits[0] == '0' || checkName("", string(id[:dot])) != nil {
		return nil, false
	}
	return deliveryKey(exchange.PackageID(id[:dot]), index), true
}

// cutDelivery reads a delivery's key; an empty identifier if it is none.
func cutDelivery(key []byte) (exchange.PackageID, int) {
	p, rest := cutID[exchange.PackageID](key)
	if len(rest) != 4 {
		return "", 0
	}
	return p, int(binary.BigEndian.Uint32(rest))
}

// deliveryID is the identifier of the delivery with this key.
func deliveryID(key []byte) exchange.DeliveryID { return exchange.NewDeliveryID(cutDelivery(key)) }

// after is the first key behind all keys with the prefix, nil if there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
