package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

const serviceName = "TramAgent"

// lockFile takes a lock that ends with the process.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func tellManager(string) {} // the service's handler tells it

// asService runs main as a Windows service, if the service manager started it.
func asService(main func(stop <-chan struct{}) int) bool {
	if service, err := svc.IsWindowsService(); err != nil || !service {
		return false
	}
	if err := svc.Run(serviceName, handler{main}); err != nil {
		os.Exit(exitFailed)
	}
	return true
}

// handler is the service's conversation with the service manager.
type handler struct {
	main func(stop <-chan struct{}) int
}

func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	stop, ended := make(chan struct{}), make(chan int, 1)
	go func() { ended <- h.main(stop) }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	status <- running
	stopping := false
	for {
		select {
		case code := <-ended:
			return false, uint32(code)
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: 30_000}
				if !stopping {
					close(stop)
				}
				stopping = true
			}
		}
	}
}

// serviceCommands install and remove the service.
func (p *program) serviceCommands() []*cobra.Command {
	install := &cobra.Command{
		Use:   "install SETTINGS.yaml…",
		Short: "Have Windows run the agent as a service",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			return p.withManager(func(m *mgr.Mgr) error { return p.installService(m, files) })
		},
	}
	remove := &cobra.Command{
		Use:   "remove",
		Short: "Remove the service; folders stay",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return p.withManager(p.removeService) },
	}
	return []*cobra.Command{install, remove}
}

func (p *program) withManager(do func(*mgr.Mgr) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("the service manager does not answer; run this as an administrator: %w", err)
	}
	return errors.Join(do(m), m.Disconnect())
}

func (p *program) installService(m *mgr.Mgr, files []string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"agent"}
	for _, file := range files {
		full, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		args = append(args, full)
	}
	s, err := m.CreateService(serviceName, exe, mgr.Config{StartType: mgr.StartAutomatic, DelayedAutoStart: true,
		DisplayName: "Tram agent", Description: "Carries documents between folders and the document exchange hub"}, args...)
	if err != nil {
		return fmt.Errorf("installing the service: %w", err)
	}
	defer s.Close()
	if err := s.Start(); err != nil {
		return fmt.Errorf("the service is installed and does not start: %w", err)
	}
	return p.show(map[string]string{"service": serviceName}, func(w io.Writer) { fmt.Fprintln(w, serviceName, "is installed and runs") })
}

func (p *program) removeService(m *mgr.Mgr) error {
	s, err := m.OpenService(serviceName)
	if err != nil {
		return fmt.Errorf("%s: %w", serviceName, err)
	}
	defer s.Close()
	_, _ = s.Control(svc.Stop) // it may not run
	if err := s.Delete(); err != nil {
		return err
	}
	return p.show(map[string]string{"service": serviceName}, func(w io.Writer) { fmt.Fprintln(w, serviceName, "is removed") })
}
