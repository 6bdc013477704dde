package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
)

var fullSize = flag.Bool("full", false, "TestConstantMemory sends a package of 1 GB instead of one of 200 MB")

// TestConstantMemory lets a large package go from one agency to another. The
// peak of the hub's resident memory is held to what it was before the first
// package came, and those of the agencies' commands to a few megabytes.
//
//	go test -run ConstantMemory -v ./cmd/hub -full
func TestConstantMemory(t *testing.T) {
	t.Parallel()
	const grows, command = 32 << 20, 64 << 20
	size := int64(200 << 20)
	if *fullSize {
		size = 1000 << 20
	}
	s := newSite(t).start()
	from, to := s.desk(s.join("H12.07")), s.desk(s.join("H12.12"))
	writeLarge(t, from.path("large.edxml"), from.m.letter(100, 1, "H12.12"), size)

	peak := from.watched("sign", "large.edxml")
	held(t, "agency sign", peak, command)
	must(t, os.Remove(from.path("large.edxml")))

	pid := fmt.Sprint(s.serving.Process.Pid)
	idle := resident(t, pid, "VmRSS")
	must(t, os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0)) // VmHWM begins again
	held(t, "agency submit", from.watched("submit", "large.signed.edxml"), command)
	list, err := to.m.hub.Inbox(t.Context(), "H12.12", "", 100, 10*time.Second)
	must(t, err)
	must(t, os.Remove(from.path("large.signed.edxml")))
	held(t, "agency fetch", to.watched("fetch", string(list.Items[len(list.Items)-1].Delivery.ID), "--extract"), command)
	held(t, "the hub's growth", resident(t, pid, "VmHWM")-idle, grows)
}

// held reports a peak that is larger than it may be.
func held(t *testing.T, what string, peak, most int64) {
	t.Helper()
	t.Logf("%s: %.1f MB", what, float64(peak)/1e6)
	if peak > most && !raced() {
		t.Errorf("%s: %d bytes, at most %d may be", what, peak, most)
	}
}

// watched runs the agency command and returns the most memory that it had
// resident, looked at while it ran.
func (d desk) watched(args ...string) int64 {
	d.t.Helper()
	ctx, stop := context.WithTimeout(d.t.Context(), 5*time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, "agency", args...)
	c.Dir = d.dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	must(d.t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for peak := int64(0); ; {
		select {
		case err := <-ended:
			if err != nil {
				d.t.Fatalf("agency %s: %v\n%s", strings.Join(args, " "), err, out.String())
			}
			if peak == 0 {
				d.t.Fatalf("agency %s: it ended before it was looked at", strings.Join(args, " "))
			}
			return peak
		case <-time.After(5 * time.Millisecond):
			if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid)); err == nil {
				peak = max(peak, kilobytes(string(status), "VmHWM"))
			}
		}
	}
}

// resident reads how much of a process is in memory: VmRSS now, VmHWM at most.
func resident(t *testing.T, pid, what string) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	must(t, err)
	n := kilobytes(string(status), what)
	if n == 0 {
		t.Fatalf("the system does not tell %s", what)
	}
	return n
}

func kilobytes(status, what string) int64 {
	_, rest, _ := strings.Cut(status, what+":")
	var n int64
	_, _ = fmt.Sscan(rest, &n) // 0 if it is not there
	return n << 10
}

// writeLarge writes a package of that many bytes, and of more attachments than
// one: files that are sent as they are, and one that is wrapped.
func writeLarge(t *testing.T, file string, d edxml.Document, size int64) {
	t.Helper()
	content := size / 4 * 3
	d.Attachments = nil
	for _, a := range []struct {
		name  string
		bytes int64
	}{{"a.pdf", content * 6 / 10}, {"b.docx", content * 3 / 10}, {"c.bin", content / 10}} {
		d.Attachments = append(d.Attachments, edxml.Attachment{Name: a.name, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(rand.NewChaCha8([32]byte{}), a.bytes)), nil
		}})
	}
	out, err := os.Create(file)
	must(t, err)
	must(t, edxml.Write(out, d))
	must(t, out.Close())
}
