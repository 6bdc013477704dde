package exchange

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// LogEntry is a leaf of the log: digests and identifiers, no content, so that a
// document can be erased and its evidence stays. Its JSON, in this order of
// fields, is the leaf's bytes.
type LogEntry struct {
	Type    string    `json:"type"` // "receipt" or "action"
	ID      string    `json:"id"`
	Event   string    `json:"event"` // the event, or the action's verb
	Time    time.Time `json:"time"`  // UTC
	Package PackageID `json:"package,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Object  string    `json:"object,omitempty"`
	// SHA256 is of the receipt's bytes, or of the action's JSON.
	SHA256 Digest `json:"sha256,omitzero"`
}

// Bytes are the leaf's bytes.
func (e LogEntry) Bytes() []byte {
	e.Time = e.Time.UTC()
	return mustJSON(e)
}

// Hash is the leaf's hash (RFC 6962, 2.1).
func (e LogEntry) Hash() tlog.Hash { return tlog.RecordHash(e.Bytes()) }

// Entries are the leaves a change adds, in the order of the log.
func (c Change) Entries() []LogEntry {
	entries := make([]LogEntry, 0, len(c.Receipts)+len(c.Actions))
	for _, r := range c.Receipts {
		entries = append(entries, r.LogEntry())
	}
	for _, a := range c.Actions {
		entries = append(entries, a.LogEntry())
	}
	return entries
}

func digestOfJSON(v any) Digest { return DigestOf(mustJSON(v)) }

// mustJSON writes a value of our own plain types.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a value of plain fields cannot be written: %v", err)) // no caller can cause it
	}
	return b
}
