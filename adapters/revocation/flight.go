package revocation

import (
	"context"

	"tram/exchange"
)

// A flight is work that several wait for: its owner is the service.
type flight struct{ done chan struct{} }

// fly begins work that goes on whoever gives up waiting. It returns nil once the
// service is closed.
func (s *Service) fly(work func(context.Context)) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	f := &flight{make(chan struct{})}
	s.work.Go(func() {
		defer close(f.done)
		work(s.ctx)
	})
	return f
}

// wait returns when the work is done, or with a problem when ctx ends.
func (f *flight) wait(ctx context.Context) error {
	if f == nil {
		return because(exchange.RevocationTimeout, "the hub is ending")
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return because(exchange.RevocationTimeout, "no answer in time: %w", ctx.Err())
	}
}
