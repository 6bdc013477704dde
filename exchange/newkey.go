package exchange

import (
	"context"
	"encoding/json"
	"sort"
	"time"

	"tram/signing"
)

// recogniseKey tells the sealer that its key is not new, if the record holds a
// receipt that shows it: sealed by the key before a new key's first minutes
// began, and verified here. A hub that starts again knows its key by that.
func (x *Exchange) recogniseKey(ctx context.Context) error {
	id, err := x.receiptBefore(ctx, x.now().Add(-signing.NewKey))
	if err != nil || id == "" {
		return err
	}
	kept, err := x.c.Ledger.Receipt(ctx, id)
	if err != nil {
		return err
	}
	r, _, doc, err := ParseReceipt(kept.Raw)
	if err != nil {
		return err
	}
	for _, s := range *x.seals.Load() {
		if s.Sealer != nil && doc.Signature.Certificate.Equal(s.Sealer.Certificate()) {
			s.Sealer.UsedSince(r.Time)
		}
	}
	return nil
}

// receiptBefore finds the log's last receipt up to a time; it is empty if the
// leaves before that time do not end with one or nearly so. The log is nearly
// in the order of time, and near is enough here.
func (x *Exchange) receiptBefore(ctx context.Context, at time.Time) (ReceiptID, error) {
	size, err := x.c.Ledger.LogSize(ctx)
	if err != nil {
		return "", err
	}
	end := sort.Search(int(size), func(i int) bool {
		entry, failed := x.leaf(ctx, int64(i))
		if err == nil {
			err = failed
		}
		return entry.Time.After(at)
	})
	const far = 256
	for i := end - 1; err == nil && i >= max(end-far, 0); i-- {
		var entry LogEntry
		if entry, err = x.leaf(ctx, int64(i)); err == nil && entry.Type == "receipt" {
			return ReceiptID(entry.ID), nil
		}
	}
	return "", err
}

func (x *Exchange) leaf(ctx context.Context, i int64) (entry LogEntry, err error) {
	leaves, err := x.c.Ledger.LogEntries(ctx, i, i+1)
	if err != nil {
		return LogEntry{}, err
	}
	return entry, json.Unmarshal(leaves[0], &entry)
}
