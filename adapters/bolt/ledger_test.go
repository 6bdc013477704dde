package bolt

import (
	"context"
	"path/filepath"
	"testing"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// createChecked makes a ledger whose every closing, and end, is preceded by a
// whole check.
func createChecked(t *testing.T) func() exchange.Ledger {
	path := filepath.Join(t.TempDir(), "ledger")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	blocksOf(t, path, 5) // so that there are many
	var open *Ledger
	end := func() {
		if open == nil {
			return
		}
		if err := open.Check(context.Background()); err != nil { // the test's own context ends before its cleanup
			t.Error(err)
		}
		if err := open.Close(); err != nil {
			t.Error(err)
		}
		open = nil
	}
	t.Cleanup(end)
	return func() exchange.Ledger {
		end()
		l, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		open = l
		return l
	}
}

func TestLedger(t *testing.T) { exchangetest.TestLedger(t, createChecked) }
