package disk

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkKeep keeps packages of the usual size, 11.5 kB, each another.
func BenchmarkKeep(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "vault")
			if err := Create(dir); err != nil {
				b.Fatal(err)
			}
			v, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = v.Close() }() // nothing is written by it
			b.ResetTimer()
			var next atomic.Int64
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := keepOne(b, v, n); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "kept/s")
		})
	}
}

func keepOne(b *testing.B, v *Vault, n int64) error {
	d, err := v.Create(b.Context())
	if err != nil {
		return err
	}
	defer d.Discard()
	if _, err := d.Write(fmt.Appendf(make([]byte, 0, 11_500), "%011500d", n)); err != nil {
		return err
	}
	_, err = d.Keep()
	return err
}
