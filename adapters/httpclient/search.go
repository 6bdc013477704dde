package httpclient

import (
	"context"
	"time"

	"tram/exchange"
)

// Search finds packages, from the newest to the oldest. What the caller may see is
// the hub's to say: q.All and q.Of have no effect. A page is empty at the end only:
// where the hub looked at much and found nothing yet, Search goes on.
func (c *Client) Search(ctx context.Context, q exchange.Search) (exchange.SearchPage, error) {
	for {
		v := values("q", q.Text, "sender", q.Sender, "recipient", q.Recipient, "kind", string(q.Kind), "state", string(q.State),
			"from", searchTime(q.From), "to", searchTime(q.To), "cursor", q.Cursor)
		limit(v, q.Limit)
		page, err := getJSON[exchange.SearchPage](ctx, c, v, "v1", "search")
		if err != nil || len(page.Found) > 0 || page.Cursor == "" {
			return page, err
		}
		q.Cursor = page.Cursor
	}
}

func searchTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
