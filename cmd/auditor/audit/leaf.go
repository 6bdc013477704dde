package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"tram/exchange"
)

// events are those that a hub's receipts attest to.
var events = []exchange.Event{exchange.SubmissionAcceptance, exchange.SubmissionRejection, exchange.ContentConsignment,
	exchange.ContentConsignmentFailure, exchange.ContentHandover, exchange.ContentHandoverFailure,
	exchange.ConsignmentRejection, exchange.AcceptanceRejectionExpiry,
	exchange.RelayAcceptance, exchange.RelayRejection, exchange.RelayFailure, exchange.RevocationEstablished}

// leaves checks one leaf after the other: its form, its identifier, its time.
type leaves struct {
	tolerance time.Duration // of the hub's clocks
	now       time.Time
	latest    time.Time
	seen      map[[16]byte]struct{} // of identifiers; nil: not kept
}

// check reads a leaf. One with a finding may still be a receipt's.
func (l *leaves) check(i int64, raw []byte) (exchange.LogEntry, []Finding) {
	var e exchange.LogEntry
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, []Finding{finding(entryMalformed, "it is not the JSON of a leaf: %v", err).at(i)}
	}
	var list []Finding
	if what := l.form(e, raw); what != "" {
		list = append(list, finding(entryMalformed, "%s", what).at(i))
	}
	if e.Time.Before(l.latest.Add(-l.tolerance)) {
		list = append(list, finding(entryBackDated, "its time is %s, %s before a leaf that stands in front of it",
			e.Time.Format(time.RFC3339Nano), l.latest.Sub(e.Time)).at(i))
	}
	if e.Time.After(l.now.Add(l.tolerance)) {
		list = append(list, finding(entryPostDated, "its time is %s, which has not come yet", e.Time.Format(time.RFC3339Nano)).at(i))
	}
	if e.Time.After(l.latest) && !e.Time.After(l.now.Add(l.tolerance)) {
		l.latest = e.Time
	}
	if l.repeated(e) {
		list = append(list, finding(entryRepeated, "another leaf has the identifier %s", e.ID).at(i))
	}
	return e, list
}

// form says what a hub would not have written.
func (l *leaves) form(e exchange.LogEntry, raw []byte) string {
	switch {
	case !bytes.Equal(e.Bytes(), raw):
		return "it is not written as leaves are"
	case e.Type != "receipt" && e.Type != "action":
		return "its type is neither receipt nor action"
	case e.ID == "" || e.SHA256.IsZero() || e.Time.IsZero():
		return "it lacks an identifier, a digest or a time"
	case e.Type == "receipt" && !slices.Contains(events, exchange.Event(e.Event)):
		return "there is no event of its name"
	case e.Type == "receipt" && e.Package == "" && e.Event != string(exchange.SubmissionRejection):
		return "it is about no package"
	case e.Type == "action" && e.Actor == "":
		return "nobody did it"
	}
	return ""
}

func (l *leaves) repeated(e exchange.LogEntry) bool {
	if l.seen == nil {
		return false
	}
	digest := sha256.Sum256([]byte(e.Type + "\x00" + e.ID))
	key := [16]byte(digest[:16])
	_, there := l.seen[key]
	l.seen[key] = struct{}{}
	return there
}
