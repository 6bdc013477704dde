package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tram/adapters/backup"
	"tram/exchange"
)

// fault is some harm, done to a hub that runs; it runs again afterwards.
type fault struct {
	name  string
	often int // in one round
	do    func(c *chapter)
}

// faults is the list. What else may go on while a hub is killed is a line here.
func faults() []fault {
	return []fault{
		{"killed", 8, func(c *chapter) { c.kill(); c.s.start() }},
		{"killed while it starts", 4, killedAtStart},
		{"killed while it is backed up", 2, killedInBackup},
		{"compacted", 1, compacted},
		{"killed while it is compacted", 3, killedInCompaction},
		{"stopped and started", 1, func(c *chapter) { c.s.stop(); c.s.start() }},
		{"frozen", 1, frozen},
		{"the clock jumps by seconds", 1, func(c *chapter) { c.jump(10 * time.Second) }},
		{"the clock jumps by hours", 2, func(c *chapter) { c.jump(5 * time.Hour) }},
		{"the clock jumps by days", 1, func(c *chapter) { c.jump(5 * 24 * time.Hour) }},
		{"the disk is full", 1, fullDisk},
		{"the disk may not be written", 1, readOnly},
		{"fdatasync of the ledger fails", 2, func(c *chapter) { c.diskError("fdatasync", "EIO", 12) }},
		{"writing the ledger fails", 2, func(c *chapter) { c.diskError("pwrite64", "EIO", 60) }},
		{"fsync in the vault fails", 1, func(c *chapter) { c.diskError("fsync", "EIO", 20) }},
		{"naming in the vault fails", 1, func(c *chapter) { c.diskError("renameat", "EIO", 8) }},
		{"a second hub on the ledger", 1, secondHub},
	}
}

func killedAtStart(c *chapter) {
	c.kill()
	for range 1 + c.dice.IntN(3) {
		c.s.launch()
		pause(c.t.Context(), c.some(100*time.Millisecond))
		c.kill()
	}
	c.s.start()
}

// killedInBackup leaves a backup behind that may be half. What has its name is
// whole.
func killedInBackup(c *chapter) {
	dir := filepath.Join(c.t.TempDir(), "backup")
	done := make(chan error, 1)
	go func() {
		_, err := c.s.admin.Backup(c.t.Context(), exchange.BackupOrder{Directory: dir})
		done <- err
	}()
	pause(c.t.Context(), c.some(150*time.Millisecond))
	c.kill()
	told := <-done
	c.s.start()
	found, _, err := backup.Find(dir)
	if err != nil {
		if told == nil {
			c.l.problem("the backup was acknowledged, and is not there: %v", err)
		}
		return
	}
	if _, err := stores.Restore(c.t.Context(), backup.Order{Backup: found, Dir: filepath.Join(c.t.TempDir(), "restored")}); err != nil {
		c.l.problem("the backup of a hub that was killed: %v", err)
	}
}

// compacted has the ledger's file exchanged under load, and sometimes a kill right
// after.
func compacted(c *chapter) {
	if _, err := c.s.admin.Compact(c.t.Context()); err != nil {
		c.l.problem("compacting: %v", err)
	}
	if c.dice.IntN(2) == 0 {
		c.kill()
		c.s.start()
	}
}

// killedInCompaction is at any moment of it: the ledger is the old file or the new
// one, and both hold everything.
func killedInCompaction(c *chapter) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.s.admin.Compact(c.t.Context()) // mostly cut off
	}()
	pause(c.t.Context(), c.some(150*time.Millisecond))
	c.kill()
	<-done
	c.s.start()
}

func frozen(c *chapter) {
	must(c.t, c.s.serving.Process.Signal(syscall.SIGSTOP))
	pause(c.t.Context(), c.some(2*time.Second))
	must(c.t, c.s.serving.Process.Signal(syscall.SIGCONT))
}

// mostWrong is how wrong a hub's clock gets, either way.
const mostWrong = 20 * 24 * time.Hour

// jump sets the clock to a time nearby, while the hub runs or across a crash.
func (c *chapter) jump(most time.Duration) {
	wrong := c.wrong + c.some(2*most) - most
	wrong = max(-mostWrong, min(wrong, mostWrong))
	if c.dice.IntN(2) == 0 {
		c.setClock(wrong)
		return
	}
	c.kill()
	c.setClock(wrong)
	c.s.start()
}

// smallSize is of the file system that a hub of the campaign has.
const smallSize = "192m"

// mountSmall mounts a small file system for a hub in dir.
func mountSmall(t *testing.T, dir string) string {
	t.Helper()
	at := filepath.Join(dir, "hub")
	must(t, os.Mkdir(at, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+smallSize+",mode=700", "tram-campaign", at).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" && os.Getuid() == 0 && !strings.Contains(string(out), "permission") {
			t.Fatalf("no small file system for a full disk: %v\n%s", err, out)
		}
		t.Logf("no small file system, so the disk does not get full: %s", bytes.TrimSpace(out))
		must(t, os.Remove(at))
		return ""
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", at).Run() }) // the temporary directory goes next, and would tell
	return at
}

// fullDisk takes all space away: senders are told so, readers go on, and there is
// nothing to repair when there is space again.
func fullDisk(c *chapter) {
	if c.small == "" {
		return
	}
	c.l.broken.Store(true)
	ballast := filepath.Join(c.small, "ballast")
	fill(c.t, ballast)
	pause(c.t.Context(), 300*time.Millisecond+c.some(700*time.Millisecond))
	if c.dice.IntN(2) == 0 {
		c.kill()
		c.s.start() // also with no space at all
	}
	c.reads("a full disk")
	c.toldFull("a full disk")
	must(c.t, os.Remove(ballast))
	c.recovered()
}

// fill writes until nothing more fits.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size >= 1; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			size /= 2
		}
	}
}

func readOnly(c *chapter) {
	if c.small == "" {
		return
	}
	// A file system with files open for writing is not made read-only; a mount is.
	c.l.broken.Store(true)
	c.s.stop()
	must(c.t, exec.Command("mount", "-o", "remount,ro", c.small).Run())
	_, errOut, code := c.s.hub("serve", "--config", c.s.config())
	must(c.t, exec.Command("mount", "-o", "remount,rw", c.small).Run())
	if code != exitFailed || !strings.Contains(errOut, "read-only file system") {
		c.l.problem("on a disk that may not be written the hub ends with exit code %d: %s", code, errOut)
	}
	c.s.start()
	c.recovered()
}

// reads sees that what was kept can be read.
func (c *chapter) reads(when string) {
	c.l.mu.Lock()
	var some exchange.Submission
	for _, some = range c.l.accepted {
		break
	}
	c.l.mu.Unlock()
	if some.Package == "" {
		return
	}
	raw, err := c.s.admin.Receipt(c.t.Context(), some.Receipt.ID)
	if err != nil || !bytes.Equal(raw, some.Receipt.Raw) {
		c.l.problem("with %s receipt %s cannot be read: %v", when, some.Receipt.ID, err)
	}
}

// toldFull sees what a sender is told, in time.
func (c *chapter) toldFull(when string) {
	m := c.l.senders[1]
	d := m.letter(1, 200_000, silent)
	d.ID = fmt.Sprintf("%s,full,%d", m.code, c.r.Rounds)
	_, err := m.submit(c.t.Context(), m.signed(c.t, d))
	if rule := ruleOf(err); rule != "no-space" {
		c.l.problem("with %s a sender is told %v, not that there is no space", when, err)
	}
}

// recovered waits until a hub whose disk was broken takes packages in again.
func (c *chapter) recovered() {
	m := c.l.senders[2]
	d := m.letter(1, 100, silent)
	d.ID = fmt.Sprintf("%s,again,%d", m.code, c.r.Rounds)
	text := m.signed(c.t, d)
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, err := m.submit(ctx, text)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			c.l.problem("the disk is well again, and a sender is told %v", err)
			break
		}
		pause(ctx, 100*time.Millisecond)
	}
	pause(c.t.Context(), 300*time.Millisecond) // requests that had failed are answered by now
	c.l.broken.Store(false)
	c.s.log.forgive()
}

// diskError makes one system call fail, some time after the start, and sees that
// a hub which cannot go on is well after a restart.
func (c *chapter) diskError(call, with string, within int) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		program(c.t, "strace")
	}
	c.l.broken.Store(true)
	c.kill()
	nth := fmt.Sprintf("when=%d", 1+c.dice.IntN(within))
	if c.dice.IntN(3) == 0 {
		nth += "+" // and all that come later
	}
	c.s.tracer = []string{strace, "-D", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=" + call,
		"-e", "inject=" + call + ":error=" + with + ":" + nth, "-o", os.DevNull}
	c.s.launch()
	select {
	case <-c.s.ready:
		pause(c.t.Context(), 500*time.Millisecond+c.some(time.Second))
	case <-time.After(30 * time.Second):
		c.t.Fatal("a hub with a broken disk neither starts nor ends")
	}
	c.s.tracer = nil
	c.kill() // it may have ended by itself
	c.s.start()
	c.recovered()
}

// secondHub starts another hub on the same ledger; it is told why it may not.
func secondHub(c *chapter) {
	_, errOut, code := c.s.hub("serve", "--config", c.s.config())
	if code != exitFailed || !strings.Contains(errOut, "already in use by a running hub") {
		c.l.problem("a second hub on one ledger ends with exit code %d: %s", code, errOut)
	}
}
