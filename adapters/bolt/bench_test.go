package bolt

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// rawSize is that of a sealed receipt with its certificate.
const rawSize = 6000

func benchmarkAccept(b *testing.B, writers int, recipients ...string) {
	l, _ := newLedger(b, Options{})
	s := exchangetest.NewSamples()
	raw := make([]byte, rawSize)
	before, _, _ := l.durable.reached()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				p := s.Submission(fmt.Sprintf("H12.%02d", n%440), fmt.Sprintf("H12.%02d.2026.%d", w, n), recipients...)
				c := s.Acceptance(p)
				c.Receipts[0].Raw = raw
				if _, _, err := l.Accept(b.Context(), p, c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	after, _, _ := l.durable.reached()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s")
	b.ReportMetric(float64(b.N)/float64(after-before), "accepted/commit")
}

func BenchmarkAccept(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) { benchmarkAccept(b, writers, "H12.07") })
	}
}

func BenchmarkBroadcast(b *testing.B) {
	var recipients []string
	for n := range 440 {
		recipients = append(recipients, fmt.Sprintf("H12.%03d", n))
	}
	benchmarkAccept(b, 1, recipients...)
}

// BenchmarkDue is what each sweep costs while one agency of a province cannot be
// reached: it has thousands due, and 440 others one delivery each.
func BenchmarkDue(b *testing.B) {
	l, _ := newLedger(b, Options{})
	s := exchangetest.NewSamples()
	var all, one []string
	for n := range 440 {
		all, one = append(all, fmt.Sprintf("H12.%03d", n)), append(one, "H12.100")
	}
	for n, recipients := range [][]string{all, one, one, one, one, one, one, one, one, one, one} {
		if err := accept(b.Context(), l, s, s.Submission("H12.01", fmt.Sprint(n), recipients...)); err != nil {
			b.Fatal(err)
		}
	}
	at := time.Now().AddDate(10, 0, 0)
	for b.Loop() {
		if list, err := l.Due(b.Context(), at, 200); err != nil || len(list) != 639 {
			b.Fatal(len(list), err)
		}
	}
}

// BenchmarkCycle writes what one package's whole way writes: accepted, attempt
// counted, consigned, fetched, handed over.
func BenchmarkCycle(b *testing.B) {
	l, _ := newLedger(b, Options{})
	s := exchangetest.NewSamples()
	raw := make([]byte, rawSize)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				p := s.Submission(fmt.Sprintf("H12.%02d", n%440), fmt.Sprintf("H12.%02d.2026.%d", w, n), "H12.07")
				if err := cycle(b, l, s, p, raw); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
}

func cycle(b *testing.B, l *Ledger, s *exchangetest.Samples, p exchange.Package, raw []byte) error {
	c := s.Acceptance(p)
	c.Receipts[0].Raw = raw
	if _, _, err := l.Accept(b.Context(), p, c); err != nil {
		return err
	}
	for _, move := range []func(exchange.Delivery) (exchange.Change, error){
		func(d exchange.Delivery) (exchange.Change, error) {
			d.Attempts++
			return exchange.Change{Deliveries: []exchange.Delivery{d}}, nil
		},
		s.Consign,
		func(d exchange.Delivery) (exchange.Change, error) {
			return exchange.Change{Deliveries: []exchange.Delivery{d.Fetch(p.AcceptedAt)}}, nil
		},
		func(d exchange.Delivery) (exchange.Change, error) { return s.Answer(d, exchange.AnswerAccepted) },
	} {
		d, err := l.Delivery(b.Context(), exchange.NewDeliveryID(p.ID, 1))
		if err != nil {
			return err
		}
		c, err := move(d)
		if err != nil {
			return err
		}
		for i := range c.Receipts {
			c.Receipts[i].Raw = raw
		}
		if err := l.Update(b.Context(), c); err != nil {
			return err
		}
	}
	return nil
}
