package bolt

import (
	"bytes"
	"slices"
	"time"

	"tram/exchange"
)

// An entry is a key and its value in a bucket.
type entry struct {
	bucket     string
	key, value []byte
}

func (e entry) is(o entry) bool {
	return e.bucket == o.bucket && bytes.Equal(e.key, o.key) && bytes.Equal(e.value, o.value)
}

// Below, what the indexes hold about each kind of entry. Writing and checking
// both follow these functions.

// packageIndex names the acceptance's receipt by its leaf.
func packageIndex(p exchange.Package, acceptance int64) []entry {
	index := []entry{
		{senders, appendID(under(p.Sender), p.ID), nil},
		contentEntry(p),
	}
	if owns(p) { // there is no other: what it has says whether it is submitted again
		return append(index, entry{documents, documentKey(p, ownPackage), leafKey(acceptance)})
	}
	index = append(index, entry{documents, contentKey(p), leafKey(acceptance)})
	if p.DocumentID != "" {
		index = append(index, entry{documents, appendID(documentKey(p, alsoPackage), p.ID), nil})
	}
	return index
}

// contentEntry says that a package has the bytes of its digest.
func contentEntry(p exchange.Package) entry {
	return entry{contents, appendID(bytes.Clone(p.Digest[:halfDigest]), p.ID), nil}
}

// owns reports whether a package has its document's identifier to itself.
func owns(p exchange.Package) bool { return p.Exclusive() && p.DocumentID != "" }

// What stands in documents about one of a sender.
const (
	sameContent = 'c' // then the content's digest: recognises a resubmission
	ownPackage  = 'x' // a package has the identifier to itself
	alsoPackage = 'p' // then another package about it
)

// halfDigest is how much of a digest is told apart by in keys. No two of the same
// sender's contents can be made that agree in 128 bits, short of 2^64 attempts; and
// whoever makes them gets his own first receipt again.
const halfDigest = 16

// documentKey has half a digest of the document's identifier, which is long and would
// take more room than all else.
func documentKey(p exchange.Package, as byte) []byte {
	d := exchange.DigestOf([]byte(p.DocumentID))
	return append(append(under(p.Sender), d[:halfDigest]...), as)
}

func contentKey(p exchange.Package) []byte {
	d := exchange.DigestOf(append([]byte(p.Kind+"\x00"), p.Content[:]...))
	return append(documentKey(p, sameContent), d[:halfDigest]...)
}

// deliveryIndex is nil for the zero delivery: a new one has no index to replace.
func deliveryIndex(d exchange.Delivery) []entry {
	if d.ID == "" {
		return nil
	}
	key := deliveryKey(d.Package, d.Index)
	index := []entry{{deliveryRecipients, append(under(d.Recipient), key...), nil}}
	if listed(d.State) {
		index = append(index, entry{deliveryStates, append(stateKey(d.State), key...), nil})
	}
	if d.State == exchange.Consigned {
		index = append(index, entry{inbox, append(inboxPrefix(d), key...), nil})
	}
	if at := d.DueAt(); !at.IsZero() {
		index = append(index, entry{due, append(dueKey(d.Recipient, at), key...), nil})
	}
	return index
}

// listed reports whether deliveryStates has the deliveries in a state. Nearly all
// end up handed over: whoever looks for those looks at all.
func listed(s exchange.State) bool { return s != exchange.HandedOver }

func inboxPrefix(d exchange.Delivery) []byte {
	if d.Urgent() {
		return append(under(d.Recipient), '0')
	}
	return append(under(d.Recipient), '1')
}

// dueKey is what stands before the delivery: all of one recipient are together,
// in the order of their time.
func dueKey(recipient string, at time.Time) []byte { return append(under(recipient), timeKey(at)...) }

// receiptIndex has no entry in receiptLeaves: see receiptindex.go.
func receiptIndex(r exchange.Receipt) []entry {
	if r.TimeStamp != exchange.TimeStampPending {
		return nil
	}
	return []entry{{unstamped, idKey(r.ID), leafKey(r.Leaf)}}
}

func agencyIndex(a exchange.Agency) []entry {
	if a.Code == "" {
		return nil
	}
	index := []entry{{agencyCodes, []byte(a.Code), []byte(a.Code)}}
	for _, alias := range a.Aliases {
		index = append(index, entry{agencyCodes, []byte(alias.Code), []byte(a.Code)})
	}
	for _, c := range a.Certificates {
		index = append(index, entry{agencyCertificates, bytes.Clone(c.SHA256[:]), []byte(a.Code)})
	}
	for _, r := range a.SubjectRules {
		key := r.Key()
		index = append(index, entry{agencySubjects, join(key.Type, key.Value, a.Code), []byte(a.Code)})
	}
	return index
}

// recheckIndex has what is open, in the order of its time.
func recheckIndex(r exchange.Recheck) []entry {
	if r.ID == "" || !r.Open() {
		return nil
	}
	return []entry{{rechecksDue, append(timeKey(r.Next), r.ID...), []byte(r.ID)}}
}

func systemIndex(s exchange.System) []entry {
	var index []entry
	for _, c := range s.Certificates {
		index = append(index, entry{systemCertificates, bytes.Clone(c[:]), []byte(s.ID)})
	}
	return index
}

// without are the entries of a that b does not have.
func without(a, b []entry) []entry {
	var rest []entry
	for _, e := range a {
		if !slices.ContainsFunc(b, e.is) {
			rest = append(rest, e)
		}
	}
	return rest
}
