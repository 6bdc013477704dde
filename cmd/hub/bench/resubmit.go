package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"tram/exchange"
)

// atOnce is how often a package is submitted at the same time: a client that lost
// its patience, twice.
const atOnce = 3

// stormPair is a pair whose sender has several connections.
type stormPair struct {
	*pair
	more  []*connection
	first map[string]exchange.Digest // of the receipt, by document
}

// prepareResubmit signs packages that are each submitted five times.
func (b *bench) prepareResubmit(ctx context.Context) (load, error) {
	pairs := make([]*pair, b.o.Pairs)
	storms := map[*pair]*stormPair{}
	for i := range pairs {
		pairs[i] = b.pair(i)
		s := &stormPair{pair: pairs[i], more: []*connection{pairs[i].sending}, first: map[string]exchange.Digest{}}
		for len(s.more) < atOnce {
			s.more = append(s.more, b.site.connection(pairs[i].from))
		}
		storms[pairs[i]] = s
	}
	warm, err := b.sign(pairs, 2*len(pairs), b.scenario.size)
	if err != nil {
		return nil, err
	}
	if _, err := b.closed(ctx, pairs, warm, time.Time{}); err != nil {
		return nil, err
	}
	queue, err := b.sign(pairs, max(b.o.Packages, 1), b.scenario.size)
	if err != nil {
		return nil, err
	}
	play := func(ctx context.Context, p *pair, i int) (done int, err error) {
		first := i
		for ; i < len(queue); i += len(pairs) {
			if err := b.storm(ctx, storms[p], queue[i]); err != nil {
				return done, err
			}
			done++
		}
		for i = first; i < len(queue); i += len(pairs) { // much later, long settled
			if err := b.again(ctx, storms[p], p.sending, queue[i]); err != nil {
				return done, err
			}
		}
		return done, nil
	}
	return func(ctx context.Context) (int, error) { return b.each(ctx, pairs, play) }, nil
}

// storm submits a letter several times at once, brings it to its end, and submits
// it once more. All get the same receipt.
func (b *bench) storm(ctx context.Context, s *stormPair, l letter) error {
	begin := time.Now()
	group, gctx := errgroup.WithContext(ctx)
	answers := make([]submitted, len(s.more))
	took := make([]time.Duration, len(s.more))
	for i, c := range s.more {
		group.Go(func() (err error) {
			answers[i], err = b.submit(gctx, c, l)
			took[i] = time.Since(begin)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.first[l.document] = exchange.DigestOf(answers[0].receipt)
	fresh := 0
	for i, a := range answers {
		if exchange.DigestOf(a.receipt) != s.first[l.document] || a.pkg != answers[0].pkg {
			return fmt.Errorf("%s was submitted %d times at once and got different receipts", l.document, len(answers))
		}
		step := stepAgain
		if !a.again {
			step = stepSubmit
			fresh++
		}
		b.times.add(step, took[i])
	}
	if fresh != 1 {
		return fmt.Errorf("%s was submitted %d times at once, and %d were taken for the first", l.document, len(answers), fresh)
	}
	items, err := b.look(ctx, s.receiving, s.to.Code, 1, true)
	if err != nil {
		return err
	}
	if len(items) != 1 || items[0].Package.ID != answers[0].pkg {
		return fmt.Errorf("package %s does not come into the inbox of %s: %v", answers[0].pkg, s.to.Code, items)
	}
	if err := b.take(ctx, s.receiving, s.to, items[0], begin); err != nil {
		return err
	}
	return b.again(ctx, s, s.sending, l)
}

// again submits what was submitted before, and sees that it gets its first receipt.
func (b *bench) again(ctx context.Context, s *stormPair, c *connection, l letter) error {
	begin := time.Now()
	a, err := b.submit(ctx, c, l)
	if err != nil {
		return err
	}
	b.times.add(stepAgain, time.Since(begin))
	if !a.again || exchange.DigestOf(a.receipt) != s.first[l.document] {
		return fmt.Errorf("%s was submitted before, and does not get its first receipt", l.document)
	}
	return nil
}
