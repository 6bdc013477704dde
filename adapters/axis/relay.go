package axis

import (
	"context"
	"io"
	"time"

	"tram/exchange"
)

// Relay is the way to an axis, for the exchange.
type Relay struct{ *Client }

var _ exchange.Relay = Relay{}

func kindOf(statuses bool) Kind {
	if statuses {
		return Statuses
	}
	return Documents
}

// Send implements exchange.Relay.
func (r Relay) Send(ctx context.Context, p exchange.Package, to []string, content io.Reader) (string, error) {
	return r.Client.Send(ctx, Parcel{Kind: kindOf(p.Kind == exchange.KindStatus), From: p.SenderAs, To: to, Digest: p.Digest, Size: p.Size, Content: content})
}

// Waiting implements exchange.Relay.
func (r Relay) Waiting(ctx context.Context, statuses bool) ([]exchange.Parcel, error) {
	rows, err := r.Received(ctx, kindOf(statuses), time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	var list []exchange.Parcel
	for _, row := range rows {
		if row.Status != "done" && row.DocID != "" {
			list = append(list, exchange.Parcel{ID: string(row.DocID), From: plain(string(row.From))})
		}
	}
	return list, nil
}

// Sent implements exchange.Relay.
func (r Relay) Sent(ctx context.Context, statuses bool, since time.Time) ([]exchange.Progress, error) {
	rows, err := r.Client.Sent(ctx, kindOf(statuses), since, time.Time{})
	if err != nil {
		return nil, err
	}
	list := make([]exchange.Progress, 0, len(rows))
	for _, row := range rows {
		list = append(list, exchange.Progress{ID: string(row.SenderDocID), To: string(row.To), Undelivered: row.Sending == "fail",
			State: exchange.MailState(row.Receiving), Words: plain(string(row.Words))})
	}
	return list, nil
}
