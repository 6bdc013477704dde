package exchange

import (
	"strings"
	"time"
)

// ReceiptID identifies a receipt: a UUID version 7.
type ReceiptID string

// Event is what a receipt attests to, a name of ETSI EN 319 522-3 table 2 or
// one of our own.
type Event string

// The events that the hub attests to.
const (
	SubmissionAcceptance      Event = "SubmissionAcceptance"
	SubmissionRejection       Event = "SubmissionRejection"
	ContentConsignment        Event = "ContentConsignment"
	ContentConsignmentFailure Event = "ContentConsignmentFailure"
	ContentHandover           Event = "ContentHandover"
	ContentHandoverFailure    Event = "ContentHandoverFailure"
	ConsignmentRejection      Event = "ConsignmentRejection"
	AcceptanceRejectionExpiry Event = "AcceptanceRejectionExpiry"
	// RelayAcceptance says that another axis took the package on, RelayRejection that
	// it does not, RelayFailure that it could not be reached in time.
	RelayAcceptance Event = "RelayAcceptance"
	RelayRejection  Event = "RelayRejection"
	RelayFailure    Event = "RelayFailure"
	// RevocationEstablished says what was found out later about a signature that
	// was accepted while nothing was known of its certificate's revocation. The
	// standard has no such event: it is our own.
	RevocationEstablished Event = "RevocationEstablished"
)

// Consigns reports whether the event puts a delivery at the recipient's disposal,
// here or at another axis.
func (e Event) Consigns() bool { return e == ContentConsignment || e == RelayAcceptance }

const (
	eventBase    = "http://uri.etsi.org/19522/Event/"
	ownEventBase = "urn:tram:event:"
)

// URI is the event as an evidence's ERDSEventId.
func (e Event) URI() string {
	if e == RevocationEstablished {
		return ownEventBase + string(e)
	}
	return eventBase + string(e)
}

// eventOf is the event with this URI; one that no hub attests to keeps it whole.
func eventOf(uri string) Event {
	for _, base := range []string{eventBase, ownEventBase} {
		if name, ok := strings.CutPrefix(uri, base); ok && Event(name).URI() == uri {
			return Event(name)
		}
	}
	return Event(uri)
}

// Receipt is the hub's signed evidence of one event.
type Receipt struct {
	ID       ReceiptID  `json:"id"`
	Event    Event      `json:"event"`
	Time     time.Time  `json:"time"`
	Package  PackageID  `json:"package,omitempty"`
	Delivery DeliveryID `json:"delivery,omitempty"`
	Reason   Code       `json:"reason,omitempty"`
	// Agencies are the canonical codes that may read it: sender, and the
	// recipient it is about.
	Agencies []string `json:"agencies,omitempty"`
	// System may read it too: the system that submitted.
	System string `json:"system,omitempty"`
	// Leaf is its place in the log, set by the ledger.
	Leaf int64 `json:"leaf"`
	// TimeStamp says whether it has a time-stamp. The document stays as it was
	// sealed: the time-stamp is kept beside it.
	TimeStamp TimeStampState `json:"timeStamp,omitempty"`
	// Raw is the sealed Evidence document (ETSI EN 319 522-3, 5.2.2.3).
	Raw []byte `json:"-"`
}

// LogEntry is the leaf that records the receipt. It can be rebuilt from Raw
// alone: that is how a receipt is found in the log without the hub.
func (r Receipt) LogEntry() LogEntry {
	return LogEntry{Type: "receipt", ID: string(r.ID), Event: string(r.Event), Time: r.Time,
		Package: r.Package, SHA256: DigestOf(r.Raw)}
}

// Outcome is a recipient's answer to a delivery.
type Outcome string

// The answers.
const (
	AnswerAccepted Outcome = "accepted"
	AnswerRefused  Outcome = "refused"
)

// Acknowledgement is the recipient's answer to a delivery, as it came.
type Acknowledgement struct {
	Package    PackageID `json:"package"`
	DocumentID string    `json:"documentId,omitempty"`
	// Digest is of the package's bytes, as the recipient got them.
	Digest    Digest     `json:"digest"`
	Sender    string     `json:"sender"`
	Recipient string     `json:"recipient"`
	Outcome   Outcome    `json:"outcome"`
	Reason    string     `json:"reason,omitempty"`
	Time      time.Time  `json:"time"`
	Signature *Signature `json:"signature,omitempty"`
	Raw       []byte     `json:"-"`
}

// Action is what an operator or an administrator did. It is a leaf of the log.
type Action struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`  // "user:an"
	Verb   string    `json:"verb"`   // "hold", "put-agency", …
	Object string    `json:"object"` // delivery, agency, system or user
	Reason string    `json:"reason,omitempty"`
	// Entry is the digest of the registry entry as it became, if one changed.
	Entry Digest `json:"entry,omitzero"`
	// Leaf is its place in the log, set by the ledger.
	Leaf int64 `json:"leaf"`
}

// LogEntry is the leaf that records the action. Its digest is of the whole
// action; the reason's words stay out of the log, which anyone may read.
func (a Action) LogEntry() LogEntry {
	a.Leaf, a.Time = 0, a.Time.UTC()
	return LogEntry{Type: "action", ID: a.ID, Event: a.Verb, Time: a.Time, Actor: a.Actor,
		Object: a.Object, SHA256: digestOfJSON(a)}
}
