package httpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tram/exchange"
)

// Inbox lists the deliveries that wait for an agency's answer: urgent ones
// first, and the oldest first among equals. With nothing after the cursor it
// waits for as long as wait says, and returns an empty page then. agency may be
// empty if the system speaks for one only.
func (c *Client) Inbox(ctx context.Context, agency, cursor string, limitTo int, wait time.Duration) (exchange.InboxPage, error) {
	v := values("agency", agency, "cursor", cursor)
	limit(v, limitTo)
	if wait > 0 {
		v.Set("wait", wait.String())
	}
	return getJSON[exchange.InboxPage](ctx, c, v, "v1", "inbox")
}

// Delivery is a delivery with its package.
func (c *Client) Delivery(ctx context.Context, id exchange.DeliveryID) (exchange.InboxItem, error) {
	return getJSON[exchange.InboxItem](ctx, c, nil, "v1", "deliveries", string(id))
}

// DeliveryPage is a part of a list of deliveries. Cursor goes on from it; it is
// empty at the end.
type DeliveryPage struct {
	Deliveries []exchange.Delivery `json:"deliveries"`
	Cursor     string              `json:"cursor"`
}

// Deliveries lists deliveries from the newest to the oldest.
func (c *Client) Deliveries(ctx context.Context, q exchange.DeliveryQuery) (DeliveryPage, error) {
	v := values("state", string(q.State), "recipient", q.Recipient, "sender", q.Sender, "cursor", q.Cursor)
	limit(v, q.Limit)
	return getJSON[DeliveryPage](ctx, c, v, "v1", "deliveries")
}

// Acknowledge sends the recipient's answer, a signed acknowledgement, and
// returns the hub's receipt of it, and whether the same answer was given before.
func (c *Client) Acknowledge(ctx context.Context, id exchange.DeliveryID, acknowledgement []byte) (exchange.Receipt, bool, error) {
	//nolint:bodyclose // readReceipt closes it
	resp, err := c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "deliveries", string(id), "acknowledgement"},
		body: bytesBody(acknowledgement), again: true, header: map[string]string{"Content-Type": mediaPackage}})
	if err != nil {
		return exchange.Receipt{}, false, err
	}
	return readReceipt(resp)
}

// Hold takes a delivery out of the recipient's sight until it is released. Like
// the three below it is for operators, and is not repeated when its answer is
// lost: look at the delivery then.
func (c *Client) Hold(ctx context.Context, id exchange.DeliveryID, reason string) (exchange.Delivery, error) {
	return c.act(ctx, id, "hold", reason)
}

// Release puts a held delivery back to where it was.
func (c *Client) Release(ctx context.Context, id exchange.DeliveryID, reason string) (exchange.Delivery, error) {
	return c.act(ctx, id, "release", reason)
}

// Retry makes a queued delivery due now.
func (c *Client) Retry(ctx context.Context, id exchange.DeliveryID, reason string) (exchange.Delivery, error) {
	return c.act(ctx, id, "retry", reason)
}

// Cancel fails a delivery for good.
func (c *Client) Cancel(ctx context.Context, id exchange.DeliveryID, reason string) (exchange.Delivery, error) {
	return c.act(ctx, id, "cancel", reason)
}

// Rescan has packages with an open delivery scanned for malware again: some, and
// the cursor of the answer goes on, until it is empty. The first call has none.
func (c *Client) Rescan(ctx context.Context, reason, cursor string) (exchange.Rescanned, error) {
	return sendJSON[exchange.Rescanned](ctx, c, http.MethodPost, map[string]string{"reason": reason, "cursor": cursor}, "v1", "rescans")
}

func (c *Client) act(ctx context.Context, id exchange.DeliveryID, verb, reason string) (exchange.Delivery, error) {
	return sendJSON[exchange.Delivery](ctx, c, http.MethodPost, map[string]string{"reason": reason},
		"v1", "deliveries", string(id), verb)
}

// sendJSON sends v and reads the answer. It is not repeated when the answer was
// lost: the entry's version, or the state, has moved on then.
func sendJSON[T any](ctx context.Context, c *Client, method string, v any, path ...string) (T, error) {
	b, err := json.Marshal(v)
	if err != nil {
		var none T
		return none, fmt.Errorf("writing the request: %w", err)
	}
	return doJSON[T](ctx, c, call{method: method, path: path, body: bytesBody(b),
		header: map[string]string{"Content-Type": "application/json"}})
}
