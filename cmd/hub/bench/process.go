package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// hub is the hub's process.
type hub struct {
	command *exec.Cmd
	log     *os.File
	started time.Duration // from the start to listening
	ended   chan error
}

// start runs the site's hub and waits until it listens.
func (s *Site) start() (*hub, error) {
	log, err := os.Create(filepath.Join(s.Dir, "hub.log"))
	if err != nil {
		return nil, err
	}
	h := &hub{command: exec.Command(s.Program, "serve", "--config", s.Config), log: log, ended: make(chan error, 1)} //nolint:noctx // it is stopped by its name for that, SIGTERM
	h.command.Stderr = log
	out, err := h.command.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	began := time.Now()
	if err := h.command.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() { // "listening on …", or the end
		err := h.command.Wait()
		return nil, errors.Join(fmt.Errorf("the hub does not start, see %s: %w", log.Name(), err), log.Close())
	}
	h.started = time.Since(began)
	go func() {
		for lines.Scan() { // to its end, as Wait wants it
		}
		h.ended <- h.command.Wait()
	}()
	return h, nil
}

// stop ends the hub as an operator does.
func (h *hub) stop() error {
	err := h.command.Process.Signal(syscall.SIGTERM)
	select {
	case ended := <-h.ended:
		err = errors.Join(err, ended)
	case <-time.After(time.Minute):
		err = errors.Join(err, errors.New("the hub does not stop"), h.command.Process.Kill())
	}
	return errors.Join(err, h.log.Close())
}

// usage is what a process has used until now.
type usage struct {
	user, system time.Duration
	written      int64 // bytes that it made the disk write
}

func (u usage) since(before usage) usage {
	return usage{u.user - before.user, u.system - before.system, u.written - before.written}
}

func (u usage) cpu() time.Duration { return u.user + u.system }

// tick is Linux's unit of CPU time in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// usageOf reads what Linux keeps of a process (proc(5)); pid may be "self".
func usageOf(pid string) (usage, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return usage{}, fmt.Errorf("what a process uses is read from Linux's /proc: %w", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("/proc/%s/stat has another form", pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	written, err3 := procField(pid, "io", "write_bytes")
	return usage{time.Duration(user) * tick, time.Duration(system) * tick, written}, errors.Join(err1, err2, err3)
}

// machineUsage is the CPU time that all processes have used until now.
func machineUsage() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	var used time.Duration
	for i, field := range strings.Fields(line) { // cpu user nice system idle iowait irq softirq …
		if i == 0 || i == 4 || i == 5 || i > 7 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", err)
		}
		used += time.Duration(n) * tick
	}
	return used, nil
}

// procField is a number in one of a process's files of lines "name: number".
func procField(pid, file, name string) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/%s/%s has no %s", pid, file, name)
}

// memory is what a process holds, in bytes. What is mapped from files, as the
// ledger is, is the system's cache and does not count.
type memory struct{ now, peak int64 }

// watchMemory looks five times a second until stopped.
func watchMemory(ctx context.Context, pid string) (stop func() memory) {
	ctx, cancel := context.WithCancel(ctx)
	var m memory
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			if kib, err := procField(pid, "status", "RssAnon"); err == nil { // the process may have ended
				m.now = kib << 10
				m.peak = max(m.peak, m.now)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return func() memory {
		cancel()
		watching.Wait()
		return m
	}
}

// sizeOf is how many bytes the files below a path have.
func sizeOf(path string) (int64, error) {
	var total int64
	err := filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil // a draft that was kept or discarded meanwhile
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
