package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

func TestKilledWhileKeeping(t *testing.T) {
	exchangetest.Kill(t, 6, keepUntilKilled, keptPromises)
}

func keepUntilKilled(dir string, round int, promised func(string)) error {
	dir = filepath.Join(dir, "vault")
	if round == 0 {
		if err := Create(dir); err != nil {
			return err
		}
	}
	v, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for w := range 4 {
		go func() {
			for n := 0; ; n++ {
				line := fmt.Sprintf("%d.%d.%d", round, w, n)
				d, err := v.Create(context.Background())
				if err == nil {
					_, err = d.Write(bytesOf(line, n))
				}
				var digest exchange.Digest
				if err == nil {
					digest, err = d.Keep()
				}
				if err != nil {
					errs <- err
					return
				}
				promised(fmt.Sprint(digest, " ", n, " ", line))
			}
		}()
	}
	return <-errs
}

// bytesOf are small and large, each package's own.
func bytesOf(line string, n int) []byte {
	return []byte(strings.Repeat(line+" ", 1+n%5*8000))
}

func keptPromises(t *testing.T, dir string, promises []string) {
	dir = filepath.Join(dir, "vault")
	v, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }() // only read
	promised := map[exchange.Digest]bool{}
	for _, promise := range promises {
		var hex, line string
		var n int
		if _, err := fmt.Sscan(promise, &hex, &n, &line); err != nil {
			t.Fatal(err)
		}
		digest, err := exchange.ParseDigest(hex)
		promised[digest] = true
		if err != nil || digest != exchange.DigestOf(bytesOf(line, n)) {
			t.Fatalf("promise %q: %v", promise, err)
		}
	}
	// Nothing has a name that is not that of its bytes, promised or not.
	err = eachKept(t.Context(), dir, func(d exchange.Digest) error {
		b, err := os.ReadFile(keptPath(dir, d))
		if exchange.DigestOf(b) != d {
			t.Errorf("%s has %d bytes of another digest", d, len(b))
		}
		delete(promised, d)
		return err
	})
	sweepErr := v.Sweep(t.Context(), 0, func(exchange.Digest) (bool, error) { return true, nil })
	if err := errors.Join(err, sweepErr); err != nil {
		t.Error(err)
	}
	if len(promised) > 0 {
		t.Errorf("%d of %d promised are lost", len(promised), len(promises))
	}
	left, err := os.ReadDir(filepath.Join(dir, incoming))
	if err != nil || len(left) > 0 {
		t.Errorf("%d drafts are left after a sweep: %v", len(left), err)
	}
}
