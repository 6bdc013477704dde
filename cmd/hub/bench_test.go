package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tram/adapters/bolt"
	"tram/cmd/hub/bench"
	"tram/exchange"
	"tram/signing"
)

// TestBench runs every scenario in miniature, as people do, and holds the numbers
// of its report to one another.
func TestBench(t *testing.T) {
	for _, c := range []struct {
		args  []string
		steps map[string]int // how often each was timed
	}{
		{[]string{"small", "--packages", "40", "--pairs", "8"},
			map[string]int{"submit": 40, "arrive": 40, "fetch": 40, "acknowledge": 40, "whole cycle": 40}},
		{[]string{"small", "--duration", "1s", "--rate", "20", "--pairs", "4"}, map[string]int{"submit": 20, "whole cycle": 20}},
		{[]string{"typical", "--packages", "6", "--pairs", "2"}, map[string]int{"whole cycle": 6}},
		{[]string{"large", "--packages", "1", "--pairs", "1"}, map[string]int{"whole cycle": 1}},
		{[]string{"broadcast", "--packages", "1"}, map[string]int{"submit": 1, "in all inboxes": 1, "acknowledge": 440, "all answered": 1}},
		{[]string{"resubmit", "--packages", "12", "--pairs", "4"}, map[string]int{"submit": 12, "submit again": 48, "whole cycle": 12}},
		{[]string{"province", "--packages", "5", "--duration", "4s"}, nil},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if testing.Short() && c.args[0] == "large" {
				t.Skip("it takes 400 MB of disk")
			}
			r := benchReport(t, c.args...)
			sensible(t, r)
			for _, s := range r.Steps {
				if want, listed := c.steps[s.Name]; listed && s.N != want {
					t.Errorf("%s was timed %d times, want %d", s.Name, s.N, want)
				}
				delete(c.steps, s.Name)
			}
			if len(c.steps) > 0 {
				t.Errorf("steps that were not timed: %v", c.steps)
			}
		})
	}
}

func benchReport(t *testing.T, args ...string) (r bench.Report) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "hub", append([]string{"bench", "--json"}, args...)...)
	c.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var errOut strings.Builder
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	must(t, json.Unmarshal(out, &r))
	return r
}

// sensible holds a report to what must be true of any.
func sensible(t *testing.T, r bench.Report) {
	t.Helper()
	if r.Done == 0 || r.Seconds <= 0 || math.Abs(r.PerSecond*r.Seconds-float64(r.Done)) > 0.01 {
		t.Errorf("%d in %v s is not %v a second", r.Done, r.Seconds, r.PerSecond)
	}
	if r.Deliveries < r.Done || r.Leaves < 3 || r.Leaves > 3*int64(r.Deliveries) || r.Verified == 0 {
		t.Errorf("checked %d deliveries, %d leaves and %d receipts for %d done", r.Deliveries, r.Leaves, r.Verified, r.Done)
	}
	for _, s := range r.Steps {
		if s.N < 1 || s.P50 < 0 || s.P50 > s.P99 || s.P99 > s.P999 || s.P999 > s.Max || s.Max > 1000*r.Seconds {
			t.Errorf("the times of %s are not in order: %+v", s.Name, s)
		}
	}
	share := 0.0
	for _, p := range r.Hub.Parts {
		share += p.Share
	}
	if len(r.Hub.Parts) > 0 && math.Abs(share-1) > 0.001 {
		t.Errorf("the parts of the hub's CPU time make %v of it: %+v", share, r.Hub.Parts)
	}
	h := r.Hub
	if math.Abs(h.UserMicros+h.SystemMicros-h.CPUMicros) > 1 || h.MemoryPeak < h.MemoryEnd || h.MemoryEnd < 1<<20 || h.VaultBytes < 1000 {
		t.Errorf("what the hub used: %+v", h)
	}
	f := r.Floor
	if !raced() && f.RSAVerify*5 > 100_000 || min(f.RSAVerify, f.ECSign, f.ECVerify, f.SHA256, f.NewFile, f.Overwrite, f.CycleMicros) <= 0 {
		t.Errorf("the machine's floor: %+v", f)
	}
	if r.StartMillis <= 0 || r.Signed == 0 || r.PackageBytes < 1000 {
		t.Errorf("started in %v ms, %d packages signed of %d bytes", r.StartMillis, r.Signed, r.PackageBytes)
	}
}

func TestBenchSeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "big")
	out, err := exec.CommandContext(t.Context(), "hub", "bench", "seed", "--dir", dir, "--deliveries", "300", "--json").Output()
	must(t, err)
	var made seeded
	must(t, json.Unmarshal(out, &made))
	if made.Deliveries != 300 || made.Packages < 10 || made.Receipts < made.Packages+2*made.Deliveries-40 {
		t.Errorf("made %+v", made)
	}
	trueHistory(t, dir)
	r := benchReport(t, "small", "--dir", dir, "--packages", "10", "--pairs", "2")
	sensible(t, r)
	if r.Seeded != 300 || len(r.Lists) == 0 || r.Lists[0].Found != 50 {
		t.Errorf("seeded %d, lists %+v", r.Seeded, r.Lists)
	}
	out, err = exec.CommandContext(t.Context(), "hub", "bench", "seed", "--dir", dir, "--deliveries", "500", "--json").Output()
	must(t, err)
	must(t, json.Unmarshal(out, &made))
	if made.Deliveries != 200 || made.InAll != 500 {
		t.Errorf("gone on to 500 from 300: made %+v", made)
	}
	trueHistory(t, dir)
	if out, err := exec.CommandContext(t.Context(), "hub", "bench", "seed", "--dir", dir, "--deliveries", "1").CombinedOutput(); err == nil || !strings.Contains(string(out), "holds a hub already") {
		t.Errorf("a second history in one directory: %v\n%s", err, out)
	}
}

// trueHistory sees that the ledger agrees with itself, and verifies every receipt of
// a delivery whole, its seal included.
func trueHistory(t *testing.T, dir string) {
	t.Helper()
	ledger, err := bolt.Open(filepath.Join(dir, "hub", "ledger.db"), bolt.Options{})
	must(t, err)
	defer ledger.Close()
	must(t, ledger.Check(t.Context()))
	list, _, err := ledger.Packages(t.Context(), exchange.PackageQuery{Limit: 20})
	must(t, err)
	seen := map[exchange.Event]int{}
	for _, p := range list {
		receipts, err := ledger.Receipts(t.Context(), p.ID)
		must(t, err)
		for _, kept := range receipts {
			r, e, _, err := exchange.ParseReceipt(kept.Raw)
			must(t, err)
			if r.Event != kept.Event || !r.Time.Equal(kept.Time) || e.Parts[0].Digest != p.Digest {
				t.Errorf("receipt %s says %s of %s, the ledger %s of %s", kept.ID, r.Event, e.Parts[0].Digest, kept.Event, p.Digest)
			}
			seen[r.Event]++
		}
	}
	if seen[exchange.SubmissionAcceptance] != len(list) || seen[exchange.ContentConsignment] < len(list) || seen[exchange.ContentHandover] == 0 {
		t.Errorf("%d packages have receipts %v", len(list), seen)
	}
}

// TestBenchShowsStalls stops the hub's process for two of three seconds: at a fixed
// rate, most of what was to begin is late, though few requests were under way.
func TestBenchShowsStalls(t *testing.T) {
	site, err := benchSite(t.Context(), t.TempDir(), 8, time.Now().Add(-2*signing.NewKey))
	must(t, err)
	site.Program, err = exec.LookPath("hub")
	must(t, err)
	loaded := make(chan bool)
	go func() {
		<-loaded
		time.Sleep(500 * time.Millisecond)
		pid := servingFrom(t, site.Config)
		_ = syscall.Kill(pid, syscall.SIGSTOP) // the report shows whether it stopped
		time.Sleep(2 * time.Second)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}()
	r, err := bench.Run(t.Context(), site, bench.Options{Scenario: "small", Pairs: 4, Rate: 20, Duration: 3 * time.Second, Say: func(what string, _ ...any) {
		if strings.Contains(what, "load") {
			close(loaded)
		}
	}})
	must(t, err)
	if s := r.Steps[0]; s.Name != "submit" || s.P50 < 300 || s.Max < 1500 {
		t.Errorf("the hub stood still for two of three seconds, and the report says %+v", s)
	}
}

// servingFrom is the process that serves a configuration.
func servingFrom(t *testing.T, config string) int {
	t.Helper()
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "serve\x00--config\x00"+config) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	t.Errorf("no process serves %s", config)
	return os.Getpid() << 8 // nobody
}

func TestBenchUsage(t *testing.T) {
	for _, args := range [][]string{{"bench", "huge"}, {"bench", "small", "--rate", "-1"}, {"bench", "seed", "--dir", "x"}, {"bench", "seed", "--dir", "x", "--deliveries", "0"}} {
		if code := run(context.Background(), args, nil, new(strings.Builder), new(strings.Builder)); code != exitUsage {
			t.Errorf("hub %v ends with %d, want %d", args, code, exitUsage)
		}
	}
}
