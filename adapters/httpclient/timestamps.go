package httpclient

import (
	"context"

	"tram/exchange"
)

// TimeStamped is a receipt's document with its time-stamp in it: NotFound, by the
// rule timestamp-pending, while it waits for that.
func (c *Client) TimeStamped(ctx context.Context, id exchange.ReceiptID) ([]byte, error) {
	return c.getBytes(ctx, receiptLimit, "v1", "receipts", string(id), "timestamped")
}

// TimeStamps tells how time-stamping goes, and lists the receipts that wait for it.
func (c *Client) TimeStamps(ctx context.Context, cursor string, n int) (exchange.StampPage, error) {
	v := values("cursor", cursor)
	limit(v, n)
	return getJSON[exchange.StampPage](ctx, c, v, "v1", "timestamps")
}
