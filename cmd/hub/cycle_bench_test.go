package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// BenchmarkCycle measures full cycles through a hub on loopback with TLS:
// submit, accept, consign, inbox, fetch, signed acknowledgement, handover. Every
// step is durable and leaves its receipt. Packages of 11.5 kB are signed with
// RSA-2048 beforehand; acknowledgements are sealed with P-256 on the way. The
// load generator shares the machine's cores.
//
//	go test -run '^$' -bench Cycle -benchtime 5000x -cpu 2 ./cmd/hub
func BenchmarkCycle(b *testing.B) {
	for _, pairs := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("pairs=%d", pairs), func(b *testing.B) { benchmarkCycle(b, pairs) })
	}
}

func benchmarkCycle(b *testing.B, pairs int) {
	ctx := context.Background()
	s := benchStage(b, ctx, pairs)
	packages := make([][][]byte, pairs)
	for i := range b.N {
		p := i % pairs
		packages[p] = append(packages[p], s.signedPackage(b, s.sender(p), s.recipient(p), i))
	}
	var bytesIn atomic.Int64
	failed := make(chan error, pairs)
	b.ResetTimer()
	for p := range pairs {
		go func() { failed <- s.cycles(ctx, p, packages[p], &bytesIn) }()
	}
	for range pairs {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
	b.SetBytes(bytesIn.Load() / int64(b.N))
}

// benchStage is a running hub with pairs of agencies.
func benchStage(b *testing.B, ctx context.Context, pairs int) *stage {
	b.Helper()
	s := &stage{dir: b.TempDir(), out: io.Discard, began: time.Now()}
	if err := s.build(ctx); err != nil {
		b.Fatal(err)
	}
	cfg, err := loadConfig(s.hubConfig())
	if err != nil {
		b.Fatal(err)
	}
	cfg.Limits.RequestsPerSecond = 1e6
	serving, stop := context.WithCancel(ctx)
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- serve(serving, cfg, newLog(io.Discard), nil, func(a net.Addr) { ready <- a }) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		b.Fatal(err)
	}
	if s.admin, err = dial(&options{config: s.hubConfig()}); err != nil {
		b.Fatal(err)
	}
	for p := range pairs {
		for i, code := range []string{fmt.Sprintf("H12.S%03d", p), fmt.Sprintf("H12.R%03d", p)} {
			a, err := s.newAgency(code, "Agency "+code, i == 1)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.registerAgency(ctx, a, 100+2*p+i); err != nil {
				b.Fatal(err)
			}
			s.agencies[code] = a
		}
	}
	return s
}

func (s *stage) sender(p int) *agency    { return s.agencies[fmt.Sprintf("H12.S%03d", p)] }
func (s *stage) recipient(p int) *agency { return s.agencies[fmt.Sprintf("H12.R%03d", p)] }

// cycles plays one pair's packages, one after another.
func (s *stage) cycles(ctx context.Context, p int, packages [][]byte, bytesIn *atomic.Int64) error {
	from, to := s.sender(p), s.recipient(p)
	for _, text := range packages {
		if _, err := from.hub.Submit(ctx, bytes.NewReader(text), int64(len(text))); err != nil {
			return err
		}
		bytesIn.Add(int64(len(text)))
		page, err := to.hub.Inbox(ctx, to.code, "", 1, 30*time.Second)
		if err != nil {
			return err
		}
		if len(page.Items) != 1 {
			return fmt.Errorf("the inbox of %s holds %d", to.code, len(page.Items))
		}
		item := page.Items[0]
		if err := to.hub.Fetch(ctx, item, io.Discard); err != nil {
			return err
		}
		ack := exchange.NewAcknowledgement(item.Package, to.code, exchange.AnswerAccepted, "", time.Now())
		sealed, err := to.sealer.Seal(ack.Canonical(), ack.Time)
		if err != nil {
			return err
		}
		if _, _, err := to.hub.Acknowledge(ctx, item.Delivery.ID, sealed); err != nil {
			return err
		}
	}
	return nil
}

// signedPackage is a package of 11.5 kB, as typical software writes it.
func (s *stage) signedPackage(b *testing.B, from, to *agency, n int) []byte {
	b.Helper()
	page := append(pdf(fmt.Sprint(n), from.code), bytes.Repeat([]byte("% padding\n"), 520)...)
	text, err := from.sign(edxml.Document{
		From: edxml.Organ{Code: from.code, Name: from.name}, To: []edxml.Organ{{Code: to.code, Name: to.name}},
		Number: fmt.Sprint(n), Notation: "VB", Place: "Cà Mau", Date: time.Now(), Sent: time.Now(), TypeName: "Công văn",
		Subject: "V/v đo hiệu năng", Signer: edxml.Signer{FullName: "Nguyễn Văn A"},
		Attachments: []edxml.Attachment{{Name: "van-ban.pdf", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(page)), nil }}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return text
}
