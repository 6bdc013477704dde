package httpclient

import (
	"context"
	"net/http"
	"time"

	"tram/exchange"
)

// Alert is an alert with its kind in words: what is the matter, and what to do.
type Alert struct {
	exchange.Alert
	En string `json:"en"`
	Vi string `json:"vi"`
}

// AlertPage are alerts, the oldest first. More says that further ones match; Counts
// are those not acknowledged, of each kind.
type AlertPage struct {
	Alerts []Alert                    `json:"alerts"`
	More   bool                       `json:"more"`
	Counts map[exchange.AlertKind]int `json:"counts"`
}

// Alerts lists what people should look into.
func (c *Client) Alerts(ctx context.Context, q exchange.AlertQuery) (AlertPage, error) {
	v := values("kind", string(q.Kind), "agency", q.Agency)
	if q.Open {
		v.Set("open", "true")
	}
	limit(v, q.Limit)
	return getJSON[AlertPage](ctx, c, v, "v1", "alerts")
}

// AcknowledgeAlert says that somebody looks into an alert.
func (c *Client) AcknowledgeAlert(ctx context.Context, id, reason string) (Alert, error) {
	return sendJSON[Alert](ctx, c, http.MethodPost, map[string]string{"reason": reason}, "v1", "alerts", id, "acknowledge")
}

// Report counts what was accepted from a time on (included) to another (excluded).
func (c *Client) Report(ctx context.Context, from, to time.Time) (exchange.Report, error) {
	return getJSON[exchange.Report](ctx, c, values("from", from.Format(time.RFC3339Nano), "to", to.Format(time.RFC3339Nano)), "v1", "reports")
}
