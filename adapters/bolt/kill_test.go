package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func TestKilledWhileWriting(t *testing.T) {
	exchangetest.Kill(t, 6, writeUntilKilled, keptPromises)
}

// writeUntilKilled accepts and consigns with several writers, and promises each
// package when its deliveries are consigned.
func writeUntilKilled(dir string, round int, promised func(string)) error {
	path := filepath.Join(dir, "ledger")
	if err := Create(path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	l, err := Open(path, Options{})
	if err != nil {
		return err
	}
	s := exchangetest.NewSamples().Later(time.Duration(round) * 24 * time.Hour)
	errs := make(chan error)
	for w := range 8 {
		go func() {
			for n := 0; ; n++ {
				id, err := acceptAndConsign(l, s, fmt.Sprint("S", round, w), fmt.Sprint("d", n))
				if err != nil {
					errs <- err
					return
				}
				promised(string(id))
			}
		}()
	}
	return <-errs
}

func acceptAndConsign(l *Ledger, s *exchangetest.Samples, sender, document string) (exchange.PackageID, error) {
	ctx, p := context.Background(), s.Submission(sender, document, "R1", "R2")
	if err := accept(ctx, l, s, p); err != nil {
		return "", err
	}
	list, err := l.DeliveriesOf(ctx, p.ID)
	if err != nil {
		return "", err
	}
	for _, d := range list {
		c, err := s.Consign(d)
		if err := errors.Join(err, l.Update(ctx, c)); err != nil {
			return "", err
		}
	}
	return p.ID, nil
}

func keptPromises(t *testing.T, dir string, promises []string) {
	l, err := Open(filepath.Join(dir, "ledger"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // only read
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, id := range promises {
		receipts, err := l.Receipts(t.Context(), exchange.PackageID(id))
		if err != nil || len(receipts) != 3 {
			t.Errorf("package %s has %d receipts, want 3: %v", id, len(receipts), err)
		}
		list, err := l.DeliveriesOf(t.Context(), exchange.PackageID(id))
		if err != nil || len(list) != 2 || list[0].State != exchange.Consigned || list[1].State != exchange.Consigned {
			t.Errorf("package %s has deliveries %+v: %v", id, list, err)
		}
	}
}
