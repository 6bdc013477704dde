package bench

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// check sees that the record holds what was done, all of it and nothing else.
func (b *bench) check(ctx context.Context, before, after state, r *Report) error {
	for _, s := range exchange.States {
		want := int64(0)
		if s == exchange.HandedOver {
			want = b.settled.Load()
		}
		if got := after.deliveries[s] - before.deliveries[s]; got != want {
			return fmt.Errorf("the ledger has %d more deliveries that are %s, and it should be %d", got, s, want)
		}
	}
	// One leaf for each package, and two for each delivery: consigned, handed over.
	r.Leaves = after.tree.N - before.tree.N
	if want := b.accepted.Load() + 2*b.settled.Load(); r.Leaves != want {
		return fmt.Errorf("the log has %d leaves more, and it should be %d", r.Leaves, want)
	}
	hashes := b.admin.Tiles(ctx, "").Hashes(after.tree)
	proof, err := tlog.ProveTree(after.tree.N, before.tree.N, hashes)
	if err != nil {
		return fmt.Errorf("proving the log: %w", err)
	}
	if err := tlog.CheckTree(proof, after.tree.N, after.tree.Hash, before.tree.N, before.tree.Hash); err != nil {
		return fmt.Errorf("the log does not go on from what it was: %w", err)
	}
	r.Verified = int(b.verified.Load())
	return nil
}

// tree is what the hub's checkpoint commits to, its signature verified.
func (b *bench) tree(ctx context.Context) (tlog.Tree, error) {
	keys, err := b.admin.Keys(ctx)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(keys.LogKey)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := b.admin.Checkpoint(ctx)
	if err != nil {
		return tlog.Tree{}, err
	}
	return exchange.ParseCheckpoint(signed, keys.Origin, verifier)
}

var deliveriesMetric = regexp.MustCompile(`(?m)^tram_deliveries\{state="([a-z-]+)"\} (\S+)$`)

// deliveries are how many there are in each state.
func (b *bench) deliveries(ctx context.Context) (map[exchange.State]int64, error) {
	text, err := get(ctx, "http://"+b.site.Operators+"/metrics")
	if err != nil {
		return nil, err
	}
	counts := map[exchange.State]int64{}
	for _, m := range deliveriesMetric.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return nil, err
		}
		counts[exchange.State(m[1])] = int64(n)
	}
	if len(counts) != len(exchange.States) {
		return nil, fmt.Errorf("the hub's metrics count deliveries in %d states, there are %d", len(counts), len(exchange.States))
	}
	return counts, nil
}

// List is how long one question to the ledger takes, through the API.
type List struct {
	Name   string  `json:"name"`
	Millis float64 `json:"millis"`
	Most   float64 `json:"maxMillis"`
	Found  int     `json:"found"`
}

// lists asks what operators ask, each question eleven times.
func (b *bench) lists(ctx context.Context) ([]List, error) {
	agency := b.site.Agencies[7].Code
	other := b.site.Agencies[8].Code
	var all []List
	for _, q := range []struct {
		name  string
		query exchange.DeliveryQuery
	}{
		{"the newest deliveries", exchange.DeliveryQuery{}},
		{"to one agency", exchange.DeliveryQuery{Recipient: agency}},
		{"from one agency", exchange.DeliveryQuery{Sender: agency}},
		{"from one to another", exchange.DeliveryQuery{Sender: agency, Recipient: other}},
		{"failed", exchange.DeliveryQuery{State: exchange.Failed}},
		{"rejected by one agency", exchange.DeliveryQuery{State: exchange.Rejected, Recipient: agency}},
		{"queued", exchange.DeliveryQuery{State: exchange.Queued}},
	} {
		l := List{Name: q.name}
		q.query.Limit = 50
		l.Millis = median(11, 1, func() {
			began := time.Now()
			page, err := b.admin.Deliveries(ctx, q.query)
			if err != nil {
				l.Found = -1
				return
			}
			l.Found, l.Most = len(page.Deliveries), max(l.Most, millis(time.Since(began)))
		}) / 1000
		if l.Found < 0 {
			return nil, fmt.Errorf("listing deliveries %s: the hub does not answer", q.name)
		}
		all = append(all, l)
	}
	return all, nil
}
