package exchange_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
	"tram/signing"
	"tram/signing/tsatest"
)

// stamper asks OpenSSL, and fails as the test says.
type stamper struct {
	openssl *tsatest.Authority
	mu      sync.Mutex
	fails   func(nth int, data []byte) error // of the call, from 1; nil: none fails
	calls   int
	under   int // way at the moment
	most    int // under way at once, so far
}

var errAway = errors.New("the authority is away")

func away(int, []byte) error { return errAway }

func (s *stamper) Stamp(ctx context.Context, data []byte) ([]byte, error) {
	if err := s.begin(data); err != nil {
		return nil, err
	}
	defer func() { s.mu.Lock(); s.under--; s.mu.Unlock() }()
	request := signing.TimeStampRequest{Digest: sha256.Sum256(data), Nonce: big.NewInt(1)}
	query, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	answer, err := s.openssl.Answer(query)
	if err != nil {
		return nil, err
	}
	return request.Token(answer)
}

func (s *stamper) begin(data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fails != nil {
		if err := s.fails(s.calls, data); err != nil {
			return err
		}
	}
	s.under++
	s.most = max(s.most, s.under)
	return nil
}

func (s *stamper) set(fails func(int, []byte) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

// stampedProvince is a province with a time-stamp authority.
func stampedProvince(t *testing.T) (*province, *stamper) {
	t.Helper()
	p := newProvince(t)
	s := &stamper{openssl: tsatest.New(t, nil)}
	p.stamper = s
	p.x = must(exchange.New(p.config()))
	return p, s
}

// stampAll has everything time-stamped that waits, and expects no end of it by
// failing.
func (p *province) stampAll() {
	p.Helper()
	for range 100 {
		if must(p.x.StampReport(p.Context())).Pending == 0 {
			return
		}
		must(p.x.StampReceipts(p.Context()))
	}
	p.Error("receipts still wait for time-stamps")
}

func stampedData(t testing.TB, raw []byte) []byte {
	t.Helper()
	return must(signing.Read(bytes.NewReader(raw), signing.Options{})).Signature.Stamped
}

func (p *province) rule(err error, want string) {
	p.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) || e.Rule.Name != want {
		p.Errorf("%v, want %s", err, want)
	}
}

func TestReceiptsGetTimeStamps(t *testing.T) {
	t.Parallel()
	p, s := stampedProvince(t)
	body := signed(p, document("1250", health))
	first := p.submit(finance, body)
	p.work()
	if first.Receipt.TimeStamp != exchange.TimeStampPending {
		t.Errorf("the acceptance's time-stamp is %q", first.Receipt.TimeStamp)
	}
	_, _, err := p.x.TimeStamped(t.Context(), system(finance), first.Receipt.ID)
	p.rule(err, "timestamp-pending")
	p.stampAll()

	all := must(p.x.Receipts(t.Context(), auditor, first.Package))
	trust := must(signing.NewTrust([]*x509.Certificate{s.openssl.Root}, nil))
	for _, r := range all {
		_, stamped, err := p.x.TimeStamped(t.Context(), auditor, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, doc, err := exchange.ParseReceipt(stamped)
		if err != nil || !bytes.Equal(parsed.Raw, r.Raw) || string(parsed.LogEntry().Bytes()) != string(r.LogEntry().Bytes()) {
			t.Errorf("with its time-stamp, receipt %s makes another leaf: %v", r.ID, err)
		}
		if said, err := trust.CheckTimeStamp(doc.Signature.TimeStamps[0], doc.Signature.Stamped); err != nil || time.Since(said.Time).Abs() > time.Minute {
			t.Errorf("%+v, %v", said, err)
		}
	}
	if len(all) != 2 || s.calls != 2 {
		t.Errorf("%d receipts and %d calls to the authority, want 2 each", len(all), s.calls)
	}
	again := p.submit(finance, body)
	if !again.Resubmitted || !bytes.Equal(again.Receipt.Raw, first.Receipt.Raw) {
		t.Error("submitted again, the receipt is another one since it has a time-stamp")
	}
	_, _, err = p.x.TimeStamped(t.Context(), system(ward), first.Receipt.ID)
	p.rule(err, "not-found")
	_, _, err = p.x.Unstamped(t.Context(), system(finance), "", 10)
	p.rule(err, "not-permitted")
}

func TestWithoutAnAuthority(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	done := p.submit(finance, signed(p, document("1250", health)))
	_, _, err := p.x.TimeStamped(t.Context(), system(finance), done.Receipt.ID)
	p.rule(err, "not-timestamped")
	if r := must(p.x.StampReport(t.Context())); r.Configured || r.Pending != 0 || done.Receipt.TimeStamp != "" {
		t.Errorf("%+v, %q", r, done.Receipt.TimeStamp)
	}
}

// TestTheAuthorityIsAway: it is asked for one receipt at a time, with growing
// waits, and for all when it is back; nothing is lost by a restart in between.
func TestTheAuthorityIsAway(t *testing.T) {
	t.Parallel()
	p, s := stampedProvince(t)
	s.set(away)
	for n := range 6 {
		p.submit(finance, signed(p, document(fmt.Sprint(n), health)))
	}
	must(p.x.StampReceipts(t.Context()))
	began := p.clock.Now()
	for round := 2; round < 14; round++ {
		p.clock.advance(time.Minute)
		before := s.calls
		wait := must(p.x.StampReceipts(t.Context()))
		full := min(time.Second<<(round-1), 5*time.Minute)
		if wait < full/2 || wait > full || s.calls != before+1 {
			t.Errorf("round %d: asked %d times, then a wait of %v; want once, %v at most", round, s.calls-before, wait, full)
		}
	}
	r := must(p.x.StampReport(t.Context()))
	if r.Pending != 6 || !r.Since.Equal(began) || r.Error == "" || !r.Next.After(p.clock.Now()) || r.Failed != 6+12 || r.Stamped != 0 {
		t.Errorf("away: %+v", r)
	}
	p.close()
	p.open()
	p.x = must(exchange.New(p.config()))
	must(p.x.StampReceipts(t.Context()))
	s.set(nil)
	if wait := must(p.x.StampReceipts(t.Context())); wait != 0 {
		t.Errorf("it is back, and the next call waits %v", wait)
	}
	p.stampAll()
	if r := must(p.x.StampReport(t.Context())); r.Stamped != 6 || r.Error != "" || !r.Since.IsZero() || !r.Oldest.IsZero() {
		t.Errorf("back: %+v", r)
	}
	if s.most > 4 {
		t.Errorf("%d requests at once, want 4 at most", s.most)
	}
}

// TestOneThatAlwaysFails does not hold up those behind it, and is not given up.
func TestOneThatAlwaysFails(t *testing.T) {
	t.Parallel()
	p, s := stampedProvince(t)
	poison := stampedData(t, p.submit(finance, signed(p, document("0", health))).Receipt.Raw)
	s.set(func(_ int, data []byte) error {
		if bytes.Equal(data, poison) {
			return errAway
		}
		return nil
	})
	for n := range 70 { // more than are taken at a time
		p.submit(finance, signed(p, document(fmt.Sprint(n+1), health)))
	}
	for range 5 {
		must(p.x.StampReceipts(t.Context()))
	}
	if r := must(p.x.StampReport(t.Context())); r.Pending != 1 || r.Stamped != 70 {
		t.Errorf("%+v", r)
	}
	s.set(nil)
	p.stampAll()
}

// TestFaultsOfTimeStamping fails each call to the ledger while receipts are being
// time-stamped: what was kept is kept once, the rest comes again.
func TestFaultsOfTimeStamping(t *testing.T) {
	t.Parallel()
	openssl, vault := tsatest.New(t, nil), newVault(t)
	exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
		p := provinceOn(t, vault)
		p.stamper = &stamper{openssl: openssl}
		p.x = must(exchange.New(p.config()))
		p.submit(finance, signed(p, document("1250", health)))
		_, err := p.faulty(f).StampReceipts(t.Context())
		injected(t, err)
		p.close()
		p.open()
		p.x = must(exchange.New(p.config()))
		p.stampAll()
		if r := must(p.x.Receipts(t.Context(), auditor, p.one("1250").ID)); r[0].TimeStamp != exchange.TimeStampKept {
			t.Errorf("the receipt's time-stamp is %q", r[0].TimeStamp)
		}
	})
}

// TestTimeStampingEndsWithTheHub: Run returns once the requests under way have.
func TestTimeStampingEndsWithTheHub(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	asked := make(chan struct{}, 10)
	p.stamper = stampFunc(func(ctx context.Context, _ []byte) ([]byte, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	p.x = must(exchange.New(p.config()))
	p.submit(finance, signed(p, document("1250", health)))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.x.Run(ctx) }()
	<-asked
	stop()
	<-done
	p.close() // a write whose context ended may still take hold until here
	p.open()
	if n := must(p.ledger.UnstampedCount(t.Context())); n == 0 {
		t.Error("the hub ended, and nothing waits for its time-stamp any more")
	}
}

type stampFunc func(context.Context, []byte) ([]byte, error)

func (f stampFunc) Stamp(ctx context.Context, data []byte) ([]byte, error) { return f(ctx, data) }
