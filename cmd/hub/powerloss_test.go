package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestPowerLoss lets a hub work under strace, which records what it asks the
// system to write, sync and name, and takes the power away at many moments: what
// was not synced by then is kept, lost or torn, each by chance. What is left must
// open, and hold all that had been acknowledged.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	seed := *campaignSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	points := 40
	if *campaign > time.Minute {
		points = 400 * int(*campaign/(10*time.Minute)+1)
	}
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	r := recordPower(t, seed)
	pending, torn := 0, 0
	for n := range points {
		at := r.trace.moments[dice.IntN(len(r.trace.moments))]
		dir := filepath.Join(r.images, fmt.Sprint(n))
		image := r.trace.powerOff(at, dice)
		must(t, image.write(dir, r.base))
		pending, torn = pending+image.pending, torn+image.torn
		for _, err := range auditOf(t.Context(), dir, r.notesBefore(r.trace.lines[at].at)) {
			t.Errorf("power off at line %d of %d, %s: %v", at, len(r.trace.lines), image, err)
		}
		must(t, os.RemoveAll(dir))
		if t.Failed() {
			break
		}
	}
	last := r.notes[len(r.notes)-1].notes
	t.Logf("power off at %d of %d moments; %d operations were not synced, %d of them torn; %d packages and %d answers were acknowledged in all",
		points, len(r.trace.moments), pending, torn, len(last.accepted), len(last.answered))
	if len(last.accepted) < 10 || pending < points || torn == 0 {
		t.Error("there was hardly anything to lose")
	}
}

// recording is some work of a hub.
type recording struct {
	images string            // where to write what is left
	base   map[string][]byte // its files before, by path below dir
	trace  *trace
	notes  []timed
}

// timed is what clients had noted at a time.
type timed struct {
	at    time.Time
	notes notes
}

func (r *recording) notesBefore(at time.Time) notes {
	n, _ := slices.BinarySearchFunc(r.notes, at, func(a timed, at time.Time) int { return a.at.Compare(at) })
	if n == 0 {
		return notes{}
	}
	return r.notes[n-1].notes
}

func recordPower(t *testing.T, seed uint64) *recording {
	t.Helper()
	strace := program(t, "strace")
	parent := t.TempDir()
	r := &recording{images: mountSmall(t, parent), base: map[string][]byte{}}
	if r.images == "" {
		r.images = filepath.Join(parent, "images")
		must(t, os.Mkdir(r.images, 0o700))
	}
	s := newSite(t, setting("  key: keys/webhook.key", "  key: keys/webhook.key\n  allow: [\"127.0.0.0/8\"]\n  roots: trust/roots.pem"), setting("retry_first: 30s", "retry_first: 1s")).start()
	l := newLoad(t, s, seed)
	s.stop()
	ledger, err := os.ReadFile(s.path("ledger.db"))
	must(t, err)
	r.base["ledger.db"] = ledger

	file := filepath.Join(parent, "trace")
	s.tracer = []string{strace, "-D", "-f", "-qq", "--seccomp-bpf", "-ttt", "-xx", "-y", "-s", fmt.Sprint(1 << 26), "-e", "signal=none",
		"-e", "trace=pwrite64,write,ftruncate,fsync,fdatasync,openat,renameat,unlinkat,linkat,mkdirat", "-o", file}
	s.start()
	l.begin()
	var noting sync.WaitGroup
	noting.Go(func() {
		for l.working.Err() == nil {
			n := l.notes()
			r.notes = append(r.notes, timed{time.Now(), n}) // the time after the copy: all of it was acknowledged by then
			pause(l.working, 25*time.Millisecond)
		}
	})
	pause(t.Context(), 4*time.Second)
	l.stop()
	l.stopSend()
	l.workers.Wait()
	l.sends.Wait()
	noting.Wait()
	s.kill()
	r.trace, err = readTrace(file, s.dir)
	must(t, err)
	must(t, exec.Command("rm", file).Run())
	return r
}
