package exchange

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// RelayView is how it stands with another axis, for people.
type RelayView struct {
	Name     string   `json:"name"`
	Prefixes []string `json:"prefixes"`
	Except   []string `json:"except,omitempty"`
	// PolledAt is when the axis was last asked what waits there, and all went well;
	// SentAt when it last took a package. Zero: not since the hub started.
	PolledAt time.Time `json:"polledAt,omitzero"`
	SentAt   time.Time `json:"sentAt,omitzero"`
	// FailedAt is when a call last did not go well, Error says why.
	FailedAt time.Time `json:"failedAt,omitzero"`
	Error    string    `json:"error,omitempty"`
	// Queued are deliveries that wait to be taken by the axis.
	Queued int64 `json:"queued"`
	// Aside are parcels that could not be taken in from there, the latest first.
	Aside []SetAside `json:"aside"`
}

// Up reports whether the last call went well.
func (v RelayView) Up() bool {
	return !v.PolledAt.Before(v.FailedAt) || !v.SentAt.Before(v.FailedAt)
}

// Relays tells how it stands with the other axes, for people.
func (x *Exchange) Relays(ctx context.Context, by Caller) ([]RelayView, error) {
	if !by.Watches() {
		return nil, notPermitted.With(by, Words{"see relays", "xem kết nối với các trục khác"})
	}
	return x.RelayStates(ctx)
}

// RelayStates is the same for machines, by name.
func (x *Exchange) RelayStates(ctx context.Context) ([]RelayView, error) {
	list := make([]RelayView, 0, len(x.relays))
	if len(x.relays) == 0 {
		return list, nil
	}
	queued, err := x.queuedFor(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(x.relays)) {
		v := x.relays[name].view()
		v.Queued = queued[name]
		list = append(list, v)
	}
	return list, nil
}

func (r *relay) view() RelayView {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := RelayView{Name: r.Name, Prefixes: r.Prefixes, Except: r.Except, PolledAt: r.polled, SentAt: r.sent, FailedAt: r.failed, Error: r.words, Aside: []SetAside{}}
	for _, s := range r.aside {
		v.Aside = append(v.Aside, s)
	}
	slices.SortFunc(v.Aside, func(a, b SetAside) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
	return v
}

// queuedFor counts what waits to be sent, by axis. Deliveries to local agencies do
// not stay queued, unless they are out of reach.
func (x *Exchange) queuedFor(ctx context.Context) (map[string]int64, error) {
	count := map[string]int64{}
	err := x.eachDelivery(ctx, DeliveryQuery{State: Queued}, func(d Delivery) error {
		a, err := x.c.Ledger.Agency(ctx, d.Recipient)
		if err == nil && a.Mode == Relayed {
			count[a.Upstream]++
		}
		return err
	})
	return count, err
}
