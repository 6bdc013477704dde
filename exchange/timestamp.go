package exchange

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"tram/signing"
)

// TimeStampState says whether a receipt has a time-stamp.
type TimeStampState string

// The states. A receipt that was issued while the hub had no authority for
// time-stamps has none of them, and gets no time-stamp later.
const (
	TimeStampPending TimeStampState = "pending" // it is asked for until it comes
	TimeStampKept    TimeStampState = "kept"
)

// StampedReceipt is a time-stamp token for a receipt.
type StampedReceipt struct {
	Receipt ReceiptID
	Token   []byte // RFC 3161, DER
}

const (
	// stampEvery is how often the ledger is asked what waits for a time-stamp.
	stampEvery = time.Second
	// stampsAtOnce is how many requests to the authority are under way at a time.
	stampsAtOnce = 4
	// stampPage is how many receipts are taken from the ledger at a time.
	stampPage = 64
)

// stampRetry says when an authority that gives nothing is asked again.
var stampRetry = RetryPolicy{First: time.Second, Most: 5 * time.Minute}

// stamps is how time-stamping goes since the hub began to serve.
type stamps struct {
	mu     sync.Mutex
	cursor string // what stands before it failed in the present round
	report StampReport
	rounds int // in a row that gave nothing
}

// StampReport is how time-stamping goes, for operators.
type StampReport struct {
	Configured bool `json:"configured"`
	// Pending receipts wait for a time-stamp, the oldest since Oldest.
	Pending int64     `json:"pending"`
	Oldest  time.Time `json:"oldest,omitzero"`
	// Stamped and Failed count what the authority was asked since the hub began.
	Stamped int64 `json:"stamped"`
	Failed  int64 `json:"failed"`
	// Since is when the authority was last found not to answer, if it does not;
	// Next when it is asked again, Error what happened last.
	Since time.Time `json:"failingSince,omitzero"`
	Next  time.Time `json:"next,omitzero"`
	Error string    `json:"error,omitempty"`
}

// StampPage is a part of the receipts that wait for a time-stamp, the oldest first,
// with the report. Cursor goes on from it; it is empty at the end.
type StampPage struct {
	StampReport
	Receipts []Receipt `json:"receipts"`
	Cursor   string    `json:"cursor"`
}

// stampReceipts has receipts time-stamped until ctx ends.
func (x *Exchange) stampReceipts(ctx context.Context) {
	if x.c.TimeStamper == nil {
		return
	}
	for {
		wait, err := x.StampReceipts(ctx)
		if err != nil && ctx.Err() == nil {
			x.c.Log.ErrorContext(ctx, "time-stamping", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// StampReceipts has some of the receipts time-stamped that wait for it, and says
// how long to wait before the next call. The oldest go first, several at a time;
// one that fails does not hold up those behind it. While the authority gives
// nothing it is asked for one at a time, with growing waits: what waits is in the
// ledger, and nothing is lost however long that takes.
func (x *Exchange) StampReceipts(ctx context.Context) (time.Duration, error) {
	s := &x.stamps
	s.mu.Lock()
	cursor, limit := s.cursor, stampPage
	if s.rounds > 0 {
		limit = 1
	}
	s.mu.Unlock()
	list, next, err := x.c.Ledger.Unstamped(ctx, cursor, limit)
	if err != nil {
		return stampEvery, err
	}
	stamped, failed := x.stampAll(ctx, list)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return x.noteStamps(ctx, stamped, failed, next), nil
}

// stampAll time-stamps receipts, several at a time, and returns how many, and the
// last of the errors by which others were not.
func (x *Exchange) stampAll(ctx context.Context, list []Receipt) (stamped int, failed error) {
	var mu sync.Mutex
	var under sync.WaitGroup
	slots := make(chan struct{}, stampsAtOnce)
	for _, r := range list {
		slots <- struct{}{}
		under.Go(func() {
			defer func() { <-slots }()
			err := x.stamp(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = fmt.Errorf("receipt %s: %w", r.ID, err)
				x.stamps.failed()
				return
			}
			stamped++
		})
	}
	under.Wait()
	return stamped, failed
}

func (s *stamps) failed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Failed++
}

// stamp gets one receipt's time-stamp and keeps it. The receipt with it is made
// once here, so that what is kept can be given out.
func (x *Exchange) stamp(ctx context.Context, r Receipt) error {
	doc, err := signing.Read(bytes.NewReader(r.Raw), signing.Options{NoDigest: true})
	if err != nil {
		return err
	}
	if doc.Signature == nil {
		return fmt.Errorf("the receipt has no seal")
	}
	token, err := x.c.TimeStamper.Stamp(ctx, doc.Signature.Stamped)
	if err != nil {
		return err
	}
	if _, err := signing.AddTimeStamp(r.Raw, token); err != nil {
		return err
	}
	err = x.c.Ledger.Update(ctx, Change{TimeStamps: []StampedReceipt{{r.ID, token}}})
	if CodeOf(err) == Conflict {
		return nil // another hub on the same ledger was faster
	}
	return err
}

// noteStamps keeps the account of a round, tells operators when the authority
// fails and when it is back, and says how long to wait.
func (x *Exchange) noteStamps(ctx context.Context, stamped int, failed error, next string) time.Duration {
	s := &x.stamps
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Stamped += int64(stamped)
	s.cursor = ""
	if failed != nil {
		s.cursor = next // those of this page come again after the others
	}
	if stamped > 0 {
		x.stampsAreBack(ctx)
	}
	if failed != nil {
		return x.stampsFail(ctx, failed, stamped == 0)
	}
	if stamped > 0 && next != "" {
		return 0
	}
	return stampEvery
}

// stampsAreBack and stampsFail need mu.
func (x *Exchange) stampsAreBack(ctx context.Context) {
	r := &x.stamps.report
	if x.stamps.rounds > 0 {
		x.c.Log.InfoContext(ctx, "time-stamping goes on", "since", r.Since, "rounds", x.stamps.rounds)
	}
	x.stamps.rounds, r.Since, r.Next, r.Error = 0, time.Time{}, time.Time{}, ""
}

func (x *Exchange) stampsFail(ctx context.Context, err error, all bool) time.Duration {
	s, now, wait := &x.stamps, x.now(), stampEvery
	if all {
		s.rounds++
		wait = stampRetry.after(s.rounds, x.jitter())
	}
	if s.report.Since.IsZero() {
		s.report.Since = now
	}
	s.report.Next, s.report.Error = now.Add(wait), err.Error()
	x.c.Log.WarnContext(ctx, "no time-stamp", "failing since", s.report.Since, "next", s.report.Next, "err", err)
	return wait
}

// StampReport tells how time-stamping goes.
func (x *Exchange) StampReport(ctx context.Context) (StampReport, error) {
	x.stamps.mu.Lock()
	r := x.stamps.report
	x.stamps.mu.Unlock()
	r.Configured = x.c.TimeStamper != nil
	var err error
	if r.Pending, err = x.c.Ledger.UnstampedCount(ctx); err != nil {
		return StampReport{}, err
	}
	oldest, _, err := x.c.Ledger.Unstamped(ctx, "", 1)
	if err != nil || len(oldest) == 0 {
		return r, err
	}
	r.Oldest = oldest[0].Time
	return r, nil
}

// Unstamped lists receipts that wait for a time-stamp, the oldest first, for
// people.
func (x *Exchange) Unstamped(ctx context.Context, by Caller, cursor string, limit int) ([]Receipt, string, error) {
	if !by.Watches() {
		return nil, "", notPermitted.With(by, Words{"see which receipts wait for time-stamps", "xem các biên nhận đang chờ dấu thời gian"})
	}
	return x.c.Ledger.Unstamped(ctx, cursor, limited(limit))
}

// TimeStamped is a receipt with its time-stamp, XAdES B-T, if the caller may read
// it. Without the time-stamp it is the receipt's own document, byte for byte, and
// that is what the log has.
func (x *Exchange) TimeStamped(ctx context.Context, by Caller, id ReceiptID) (Receipt, []byte, error) {
	r, err := x.Receipt(ctx, by, id)
	if err != nil {
		return Receipt{}, nil, err
	}
	switch r.TimeStamp {
	case TimeStampPending:
		return Receipt{}, nil, timeStampPending.With(string(id))
	case TimeStampKept:
	default:
		return Receipt{}, nil, notTimeStamped.With(string(id))
	}
	token, err := x.c.Ledger.TimeStamp(ctx, id)
	if err != nil {
		return Receipt{}, nil, err
	}
	stamped, err := signing.AddTimeStamp(r.Raw, token)
	return r, stamped, err
}
