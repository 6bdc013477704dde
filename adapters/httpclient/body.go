package httpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// body is what a call sends. If it can be wound back it is sent again with each
// attempt; if not, there is one attempt.
type body struct {
	r    io.Reader
	size int64 // -1: not known
	sent *sending
	from int64 // where a body that can be wound back begins
}

func newBody(r io.Reader, size int64) (*body, error) {
	b := &body{r: r, size: size}
	s, ok := r.(io.Seeker)
	if !ok {
		return b, nil
	}
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil { // a pipe is a file that cannot be wound back
		b.r = struct{ io.Reader }{r}
		return b, nil
	}
	b.from = at
	if size >= 0 {
		return b, nil
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("measuring what is sent: %w", err)
	}
	b.size = end - at
	_, err = s.Seek(at, io.SeekStart)
	return b, err
}

func bytesBody(b []byte) *body { return &body{r: bytes.NewReader(b), size: int64(len(b))} }

// repeatable reports whether open may be called again. No body is.
func (b *body) repeatable() bool {
	if b == nil || b.sent == nil {
		return true
	}
	_, ok := b.r.(io.Seeker)
	return ok
}

// open returns the body from its beginning.
func (b *body) open() (io.ReadCloser, error) {
	if b.sent != nil {
		s, ok := b.r.(io.Seeker)
		if !ok {
			return nil, errors.New("what is sent cannot be wound back to be sent again")
		}
		if _, err := s.Seek(b.from, io.SeekStart); err != nil {
			return nil, fmt.Errorf("winding back what is sent: %w", err)
		}
	}
	b.sent = &sending{Reader: b.r, done: make(chan struct{})}
	if b.size >= 0 {
		b.sent.Reader = io.LimitReader(b.r, b.size)
	}
	return b.sent, nil
}

// wait returns when the transport has let go of the body: it may read on after
// its answer (http.RoundTripper). What cannot be wound back may block in Read
// and is not waited for.
func (b *body) wait(ctx context.Context) {
	if b == nil || b.sent == nil || !b.repeatable() {
		return
	}
	select {
	case <-b.sent.done:
	case <-ctx.Done():
	}
}

// sending tells when the transport has closed it. It does not close what it
// reads: that is the caller's.
type sending struct {
	io.Reader
	once sync.Once
	done chan struct{}
}

func (s *sending) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
