package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/google/pprof/profile"
)

// The parts that the hub's CPU time is split into.
const (
	partRuntime  = "memory, GC and scheduling"
	partSyscalls = "system calls"
	partSealing  = "sealing receipts"
	partVerify   = "verifying signatures"
	partDigests  = "digests of packages"
	partScanning = "scanning XML"
	partLedger   = "ledger"
	partVault    = "vault"
	partHTTP     = "HTTP and TLS"
	partJSON     = "JSON"
	partLog      = "the program's log and metrics"
	partRest     = "the rest"
)

// runtimeWork are functions of the runtime that nobody called for its own sake.
var runtimeWork = []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.mallocgc", "runtime.bgsweep", "runtime.bgscavenge",
	"runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.newproc", "runtime.goexit0", "runtime.gopreempt_m", "runtime.sysmon",
	"runtime.newstack", "runtime.mstart", "runtime.gcStart", "runtime.gcMarkTermination", "runtime.ready", "runtime.goready"}

// owners tell whose work a function is, by the beginning of its name. The first
// that fits counts.
var owners = []struct{ prefix, part string }{
	{"crypto/sha", "digest"}, {"crypto/internal/fips140/sha", "digest"}, // whose, the functions that call them tell
	{"crypto/tls.", partHTTP}, {"net/http.", partHTTP}, {"net.", partHTTP}, {"internal/poll.", partHTTP}, {"net/textproto.", partHTTP},
	{"github.com/gin-gonic/", partHTTP}, {"tram/adapters/httpapi.(*metrics)", partLog}, {"tram/adapters/httpapi.", partHTTP},
	{"encoding/json.", partJSON}, {"encoding/json/", partJSON},
	{"log/slog", partLog}, {"github.com/prometheus/", partLog},
	{"go.etcd.io/bbolt", partLedger}, {"tram/adapters/bolt.", partLedger}, {"golang.org/x/mod/sumdb/tlog.", partLedger},
	{"tram/adapters/disk.", partVault},
	{"crypto/rsa.", partVerify}, {"crypto/ecdsa.", partVerify}, {"crypto/x509.", partVerify},
	{"tram/signing.(*Trust)", partVerify}, {"tram/signing.", partScanning}, {"tram/adapters/edxml.", partScanning},
}

// partOf classifies a stack of functions, the innermost first.
func partOf(stack []string) string {
	if len(stack) == 0 {
		return partRest
	}
	begins := func(prefixes []string) bool {
		return slices.ContainsFunc(stack, func(f string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f, p) })
		})
	}
	if strings.HasPrefix(stack[0], "internal/runtime/syscall") || strings.HasPrefix(stack[0], "syscall.") {
		return partSyscalls
	}
	if begins(runtimeWork) {
		return partRuntime
	}
	if begins([]string{"tram/signing.(*Sealer)", "tram/exchange.(*Exchange).seal"}) {
		return partSealing
	}
	digest := false
	for _, f := range stack {
		i := slices.IndexFunc(owners, func(o struct{ prefix, part string }) bool { return strings.HasPrefix(f, o.prefix) })
		switch {
		case i < 0:
		case owners[i].part == "digest":
			digest = true
		case digest && (owners[i].part == partScanning || owners[i].part == partVault):
			return partDigests
		default:
			return owners[i].part
		}
	}
	return partRest
}

// Part is a part of the hub's CPU time.
type Part struct {
	Name   string  `json:"name"`
	Share  float64 `json:"share"`  // of the hub's CPU time, 0 to 1
	Micros float64 `json:"micros"` // for one cycle
}

// profiler takes one profile after another of the hub's CPU time.
type profiler struct {
	stop  context.CancelFunc
	done  sync.WaitGroup
	taken []*profile.Profile
	err   error
}

// sliceSeconds is how long one profile is. The last goes on for as long after the
// load, with nothing in it.
const sliceSeconds = 1

func startProfile(ctx context.Context, operators string) *profiler {
	ctx, cancel := context.WithCancel(ctx)
	p := &profiler{stop: cancel}
	p.done.Go(func() {
		for ctx.Err() == nil {
			one, err := takeProfile(context.WithoutCancel(ctx), operators)
			if err != nil {
				p.err = err
				return
			}
			p.taken = append(p.taken, one)
		}
	})
	return p
}

func takeProfile(ctx context.Context, operators string) (*profile.Profile, error) {
	body, err := get(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", operators, sliceSeconds))
	if err != nil {
		return nil, fmt.Errorf("profiling the hub: %w", err)
	}
	return profile.ParseData(body)
}

// get reads a page of the operators' listener.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, resp.Status)
	}
	return body, err
}

// parts ends profiling and splits the CPU time, in microseconds for one cycle,
// by what it went to; the largest first. The whole profile goes to a file too, if
// one is named, as "go tool pprof" and "go build -pgo" read it.
func (p *profiler) parts(perCycle float64, file string) ([]Part, error) {
	p.stop()
	p.done.Wait()
	if p.err != nil {
		return nil, p.err
	}
	if file != "" {
		if err := p.keep(file); err != nil {
			return nil, fmt.Errorf("keeping the profile: %w", err)
		}
	}
	return split(p.taken, perCycle), nil
}

func (p *profiler) keep(file string) error {
	whole, err := profile.Merge(p.taken)
	if err != nil {
		return err
	}
	f, err := os.Create(file) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	return errors.Join(whole.Write(f), f.Close())
}

func split(profiles []*profile.Profile, perCycle float64) []Part {
	sums, total := map[string]int64{}, int64(0)
	for _, one := range profiles {
		for _, sample := range one.Sample {
			n := sample.Value[len(sample.Value)-1] // nanoseconds of CPU
			sums[partOf(functions(sample))] += n
			total += n
		}
	}
	var parts []Part
	for name, n := range sums {
		share := float64(n) / float64(max(total, 1))
		parts = append(parts, Part{name, share, share * perCycle})
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(parts, func(a, b Part) int { return int(b.Micros*1000) - int(a.Micros*1000) })
	return parts
}

// functions are the names of a sample's stack, the innermost first.
func functions(s *profile.Sample) []string {
	var names []string
	for _, at := range s.Location {
		for _, line := range at.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}
