package bench

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// prepareCycles signs packages of one size, for each pair its own, and warms up.
func (b *bench) prepareCycles(ctx context.Context) (_ load, err error) {
	pairs := make([]*pair, b.o.Pairs)
	for i := range pairs {
		pairs[i] = b.pair(i)
	}
	// A short run first: connections are made, caches filled.
	warm := max(2*b.o.Pairs, 50)
	if b.scenario.size > 1<<20 {
		warm = b.o.Pairs
	}
	if _, err := b.play(ctx, pairs, warm); err != nil {
		return nil, err
	}
	n := b.o.Packages
	if n == 0 {
		perSecond := b.o.Rate
		if perSecond == 0 { // another tells how many packages a time will take at most
			if perSecond, err = b.play(ctx, pairs, 5*warm); err != nil {
				return nil, err
			}
			perSecond *= 1.4
		}
		n = max(int(perSecond*b.o.Duration.Seconds()), 1)
	}
	queue, err := b.sign(pairs, n, b.scenario.size)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int, error) {
		defer func() {
			for _, p := range pairs {
				p.close()
			}
		}()
		if b.o.Rate > 0 {
			return b.open(ctx, pairs, queue)
		}
		var until time.Time
		if b.o.Duration > 0 {
			until = time.Now().Add(b.o.Duration)
		}
		return b.closed(ctx, pairs, queue, until)
	}, nil
}

// play signs packages and sends them as fast as it goes, which it returns.
func (b *bench) play(ctx context.Context, pairs []*pair, n int) (perSecond float64, err error) {
	queue, err := b.sign(pairs, n, b.scenario.size)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = b.closed(ctx, pairs, queue, time.Time{})
	return float64(n) / time.Since(began).Seconds(), err
}

// sign makes n letters, in turn for each of the pairs.
func (b *bench) sign(pairs []*pair, n int, size int64) ([]letter, error) {
	drafts := make([]draft, n)
	for i := range drafts {
		p := pairs[i%len(pairs)]
		number := int(b.numbers.Add(1))
		drafts[i] = draft{from: p.from, to: []*Agency{p.to}, number: number, subject: Subject(number), size: size}
	}
	return b.letters.write(drafts)
}

// closed lets each pair begin its next cycle when the last is done, until a time
// if there is one.
func (b *bench) closed(ctx context.Context, pairs []*pair, queue []letter, until time.Time) (int, error) {
	return b.each(ctx, pairs, func(ctx context.Context, p *pair, i int) (done int, err error) {
		for ; i < len(queue) && (until.IsZero() || time.Now().Before(until)); i += len(pairs) {
			if err := b.cycle(ctx, p, queue[i], time.Now()); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	})
}

// open begins cycles at a fixed rate. A cycle whose pair is still busy begins
// late, and what it takes counts from when it was to begin: a stall of the hub
// shows in everything that came during it.
func (b *bench) open(ctx context.Context, pairs []*pair, queue []letter) (int, error) {
	began := time.Now()
	return b.each(ctx, pairs, func(ctx context.Context, p *pair, i int) (done int, err error) {
		for ; i < len(queue); i += len(pairs) {
			begin := began.Add(time.Duration(float64(i) / b.o.Rate * float64(time.Second)))
			if err := sleepUntil(ctx, begin); err != nil {
				return done, err
			}
			if err := b.cycle(ctx, p, queue[i], begin); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	})
}

// each plays all pairs at once and adds up what they did.
func (b *bench) each(ctx context.Context, pairs []*pair, play func(ctx context.Context, p *pair, i int) (int, error)) (int, error) {
	group, ctx := errgroup.WithContext(ctx)
	done := make([]int, len(pairs))
	for i, p := range pairs {
		group.Go(func() (err error) {
			done[i], err = play(ctx, p, i)
			return err
		})
	}
	err := group.Wait()
	total := 0
	for _, n := range done {
		total += n
	}
	return total, err
}

func sleepUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
