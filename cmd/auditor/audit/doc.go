// Package audit is the auditor's command: it checks receipts, and the record of
// a hub or of a mirror of it, with nothing but published keys. The demonstration
// of the hub plays it too.
package audit
