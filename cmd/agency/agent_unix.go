//go:build !windows

package main

import (
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// lockFile takes a lock that ends with the process.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// tellManager tells systemd, if it started the agent (sd_notify(3)).
func tellManager(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(state)) // the agent runs all the same
	_ = conn.Close()
}

// serviceCommands: systemd has packaging/tram-agent@.service.
func (p *program) serviceCommands() []*cobra.Command { return nil }

// asService reports whether a service manager of the platform runs main.
func asService(func(stop <-chan struct{}) int) bool { return false }
