package edxml

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tram/signing"
)

var (
	compareSizes  = flag.String("sizes", "5kB,50kB,1MB,10MB,100MB,1GB", "sizes that BenchmarkCompare compares")
	compareRounds = flag.Int("rounds", 3, "how often BenchmarkCompare measures each")
)

// BenchmarkCompare measures what it costs to verify a signed package, in CPU
// time and in memory: by us, by others, and by the floor that nobody can go
// under. Each measurement is a process of its own; the subjects take turns, and
// what is printed is the median of the rounds.
//
//	go test -run '^$' -bench Compare -timeout 1h ./adapters/edxml
//	go test -run '^$' -bench Compare ./adapters/edxml -sizes 5kB,1MB -rounds 5
//
// CPU time is that of all threads. Peak memory is the resident set of the whole
// process (VmHWM of Linux): for ours the test program is in it. A subject that
// is not in a table is not installed, or not asked for packages of that size.
func BenchmarkCompare(b *testing.B) {
	if name := os.Getenv(compareSubject); name != "" {
		ownProcess(b, name, os.Getenv(compareFile))
		return
	}
	dir := b.TempDir()
	all := subjects(b, dir)
	for size := range strings.SplitSeq(*compareSizes, ",") {
		bytes := parseSize(b, size)
		file := signedFile(b, dir, bytes)
		results := make(map[string][]cost)
		for range *compareRounds {
			for _, s := range all {
				if bytes <= s.most {
					results[s.name] = append(results[s.name], s.measure(b, file, bytes))
				}
			}
		}
		printCosts(size, bytes, all, results)
		if err := os.Remove(file); err != nil {
			b.Fatal(err)
		}
	}
}

// cost is what one verification took.
type cost struct {
	cpu  time.Duration
	peak int64 // bytes
}

// printCosts prints a table of medians. The ratio to the floor is the median of
// the rounds' ratios: what disturbs a round disturbs both.
func printCosts(size string, bytes int64, all []subject, results map[string][]cost) {
	fmt.Printf("\n%-36s %10s %8s %8s %8s\n", size, "CPU ms", "MB/s", "× floor", "peak MB")
	for _, s := range all {
		costs := results[s.name]
		if len(costs) == 0 {
			continue
		}
		var cpu, ratio []float64
		var peak []int64
		for i, c := range costs {
			cpu = append(cpu, c.cpu.Seconds())
			peak = append(peak, c.peak)
			ratio = append(ratio, c.cpu.Seconds()/results[floor][i].cpu.Seconds())
		}
		fmt.Printf("%-36s %10.3f %8.0f %8.2f %8.1f\n", s.name, 1e3*median(cpu), float64(bytes)/1e6/median(cpu), median(ratio), float64(median(peak))/1e6)
	}
}

func median[T cmp.Ordered](of []T) T {
	slices.Sort(of)
	return of[len(of)/2]
}

func parseSize(b *testing.B, size string) int64 {
	b.Helper()
	for i, unit := range []string{"kB", "MB", "GB"} {
		if digits, found := strings.CutSuffix(size, unit); found {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			for range i + 1 {
				n *= 1000
			}
			return n
		}
	}
	b.Fatalf("the size %q does not end with kB, MB or GB", size)
	return 0
}

// signedFile writes a signed package of about that many bytes.
func signedFile(t testing.TB, dir string, size int64) string {
	t.Helper()
	overhead := int64(0)
	for content := int64(1); ; content = max((size-overhead)/4*3, 1) {
		file := filepath.Join(dir, "signed.edxml")
		signFile(t, file, large("a.pdf", content))
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if overhead > 0 {
			return file
		}
		overhead = info.Size()
	}
}

func signFile(t testing.TB, file string, d Document) {
	t.Helper()
	plain, err := os.Create(filepath.Join(t.TempDir(), "plain.edxml"))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(plain.Name())
	defer plain.Close()
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	key, chain := agencyKey(t)
	for _, step := range []func() error{
		func() error { return Write(plain, d) },
		func() error { _, err := plain.Seek(0, io.SeekStart); return err },
		func() error { return signing.Sign(out, plain, key, chain, SignaturePlace()) },
		out.Close,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}
