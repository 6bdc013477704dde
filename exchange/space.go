package exchange

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// Space is how much can still be kept, in bytes.
type Space struct {
	Vault, Ledger int64
	// Reserve is what must be free for packages to be taken in.
	Reserve int64
}

// Space asks the stores how much they can still keep.
func (x *Exchange) Space(ctx context.Context) (Space, error) {
	s := Space{Reserve: x.c.Reserve}
	var err error
	if s.Vault, err = x.c.Vault.Free(ctx); err != nil {
		return Space{}, err
	}
	s.Ledger, err = x.c.Ledger.Free(ctx)
	return s, err
}

// Short reports that space should be made soon: less than four times the reserve
// is free.
func (s Space) Short() bool { return min(s.Vault, s.Ledger)/4 < s.Reserve }

// enough is a refusal if less than a part of the reserve is free.
func (s Space) enough(part int64) error {
	if least := min(s.Vault, s.Ledger); least < s.Reserve/part {
		return noSpace.With(spacePause)
	}
	return nil
}

// spacePause is how many seconds callers are asked to wait while there is no
// space: people have to make some.
const spacePause = 60

// spaceStep is how many bytes of a package may come between two looks at the
// space that is left.
const spaceStep = 16 << 20

// spaceReader is a package's body, which ends with a refusal when half of the
// reserve is used up while it comes. The other half is for what is under way:
// acknowledgements, deadlines, receipts.
type spaceReader struct {
	io.Reader
	left func(part int64) error
	next int64 // bytes until the next look
}

func (x *Exchange) withSpace(ctx context.Context, body io.Reader) (io.Reader, error) {
	left := func(part int64) error {
		space, err := x.Space(ctx)
		if err != nil {
			return err
		}
		return space.enough(part)
	}
	r := &spaceReader{body, left, spaceStep}
	if x.spaceSeen.recent() {
		return r, nil
	}
	if err := left(1); err != nil {
		return nil, err
	}
	x.spaceSeen.note()
	return r, nil
}

// spaceSeen is when there was enough space: asking twice for each package would
// cost as much as verifying it.
type spaceSeen struct{ at atomic.Int64 }

// spaceFresh is how long an answer counts.
const spaceFresh = 100 * time.Millisecond

func (s *spaceSeen) note() { s.at.Store(time.Now().UnixNano()) }

func (s *spaceSeen) recent() bool {
	since := time.Now().UnixNano() - s.at.Load()
	return since >= 0 && since < int64(spaceFresh)
}

func (r *spaceReader) Read(p []byte) (int, error) {
	if r.next <= 0 {
		if err := r.left(2); err != nil {
			return 0, err
		}
		r.next = spaceStep
	}
	n, err := r.Reader.Read(p)
	r.next -= int64(n)
	return n, err
}

// watchSpace warns while space is short.
func (x *Exchange) watchSpace(ctx context.Context) error {
	space, err := x.Space(ctx)
	if err == nil && space.Short() {
		x.c.Log.WarnContext(ctx, "space is running out: make some, or nothing will be taken in", "vault", space.Vault, "ledger", space.Ledger, "reserve", space.Reserve)
	}
	return err
}
