package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tram/exchange"
)

// broadcasts is how many recipients one package has at most.
const broadcasts = 440

// prepareBroadcast signs packages to all, and opens a connection for each
// recipient: what is measured is not that.
func (b *bench) prepareBroadcast(ctx context.Context) (load, error) {
	from := b.site.Agencies[0]
	to := b.site.Agencies[1:min(1+broadcasts, len(b.site.Agencies))]
	sender := b.site.connection(from)
	recipients := make([]*connection, len(to))
	for i, a := range to {
		recipients[i] = b.site.connection(a)
		if _, err := b.look(ctx, recipients[i], a.Code, 1, false); err != nil {
			return nil, err
		}
	}
	drafts := make([]draft, max(b.o.Packages, 1))
	for i := range drafts {
		number := int(b.numbers.Add(1))
		drafts[i] = draft{from: from, to: to, number: number, subject: Subject(number), size: b.scenario.size}
	}
	queue, err := b.letters.write(drafts)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int, error) {
		began := time.Now()
		for i, l := range queue {
			if b.o.Duration > 0 && time.Since(began) > b.o.Duration {
				return i, nil
			}
			if err := b.broadcast(ctx, sender, recipients, l); err != nil {
				return i, err
			}
		}
		return len(queue), nil
	}, nil
}

// broadcast sends one package to all, waits until the hub has consigned it to all,
// and lets all answer, so many at once as there are pairs.
func (b *bench) broadcast(ctx context.Context, sender *connection, recipients []*connection, l letter) error {
	begin := time.Now()
	s, err := b.submit(ctx, sender, l)
	if err != nil {
		return err
	}
	b.times.add(stepSubmit, time.Since(begin))
	last, err := b.consigned(ctx, sender, s.pkg)
	if err != nil {
		return err
	}
	b.times.add(stepConsigned, last.Sub(begin))
	answering := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range b.o.Pairs {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(recipients); i = int(next.Add(1)) - 1 {
				looked := time.Now()
				items, err := b.look(ctx, recipients[i], l.to[i].Code, 1, false)
				if err != nil {
					return err
				}
				b.times.add(stepInbox, time.Since(looked))
				if len(items) != 1 || items[0].Package.ID != s.pkg || items[0].Package.Digest != l.digest {
					return fmt.Errorf("package %s is not in the inbox of %s: %v", s.pkg, l.to[i].Code, items)
				}
				if err := b.take(ctx, recipients[i], l.to[i], items[0], time.Time{}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	b.times.add(stepAnswered, time.Since(answering))
	return err
}

// consigned waits until a package is in every recipient's inbox, and returns when
// the last came in, by the hub's own record: asking more often would only disturb.
func (b *bench) consigned(ctx context.Context, c *connection, id exchange.PackageID) (last time.Time, err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if err := sleepUntil(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
			return last, err
		}
		a, err := c.ask(ctx, http.MethodGet, "/v1/packages/"+string(id), nil)
		if err != nil {
			return last, err
		}
		var view struct{ Deliveries []exchange.Delivery }
		if err := json.Unmarshal(a.body, &view); err != nil || a.status != http.StatusOK {
			return last, unexpected("looking at package "+string(id), a)
		}
		open := 0
		for _, d := range view.Deliveries {
			if d.State == exchange.Queued {
				open++
			}
			if d.ConsignedAt.After(last) {
				last = d.ConsignedAt
			}
		}
		if open == 0 && len(view.Deliveries) > 0 {
			return last, nil
		}
	}
	return last, fmt.Errorf("package %s is not in every inbox after a minute", id)
}
