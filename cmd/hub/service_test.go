package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tram/exchange"
)

// manager hears what a service manager hears (sd_notify).
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T, watchdog time.Duration) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // a socket's name is short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
	return &manager{t, conn}
}

// until waits for a message that has all of these lines, and returns what came.
func (m *manager) until(patience time.Duration, wanted ...string) string {
	m.t.Helper()
	must(m.t, m.conn.SetReadDeadline(time.Now().Add(patience)))
	buffer, heard := make([]byte, 4096), ""
	for {
		n, err := m.conn.Read(buffer)
		if err != nil {
			m.t.Fatalf("%q was not heard, but:\n%s", wanted, heard)
		}
		message := "\n" + string(buffer[:n]) + "\n"
		heard += message
		all := true
		for _, w := range wanted {
			all = all && strings.Contains(message, "\n"+w)
		}
		if all {
			return heard
		}
	}
}

func TestService(t *testing.T) {
	m := newManager(t, 2*time.Second)
	s := newSite(t)
	s.start()
	m.until(20*time.Second, "READY=1", "STATUS=serving")
	m.until(20*time.Second, "WATCHDOG=1", "STATUS=serving; 0 deliveries queued, 0 held, 0 consigned; 1 leaves in the log")

	first := s.shown()
	old, err := os.ReadFile(s.path("keys", "tls.pem"))
	must(t, err)
	s.newTLS()
	must(t, s.serving.Process.Signal(syscall.SIGHUP))
	m.until(10*time.Second, "RELOADING=1")
	m.until(10*time.Second, "READY=1", "STATUS=keys and certificates reloaded")
	second := s.shown()
	if second == first {
		t.Error("the hub shows the former certificate after SIGHUP")
	}

	must(t, os.WriteFile(s.path("keys", "tls.pem"), old, 0o600)) // does not fit the key
	must(t, s.serving.Process.Signal(syscall.SIGHUP))
	m.until(10*time.Second, "READY=1", "STATUS=not reloaded: see the log")
	if s.shown() != second {
		t.Error("the hub shows another certificate after a reload that failed")
	}
	if log := s.log.String(); !regexp.MustCompile(`not reloaded, the hub goes on with what it has.*private key does not match`).MatchString(log) {
		t.Errorf("the log does not say what was wrong:\n%s", log)
	}
	s.log.forgive()
	s.newTLS()
	must(t, s.serving.Process.Signal(syscall.SIGHUP))
	m.until(10*time.Second, "READY=1", "STATUS=keys and certificates reloaded")

	done := make(chan string, 1)
	go func() { done <- m.until(20*time.Second, "STOPPING=1") }()
	s.stop()
	<-done
}

// shown is the serial number of the certificate that the hub shows.
func (s *site) shown() string {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.address, &tls.Config{RootCAs: s.roots})
	must(s.t, err)
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// newTLS puts another pair in place, of an authority that the site's clients
// trust from now on.
func (s *site) newTLS() {
	s.t.Helper()
	now := time.Now()
	authority, err := newAuthority("Another TLS", "", now)
	must(s.t, err)
	key, err := newECKey()
	must(s.t, err)
	server, err := authority.server([]string{"127.0.0.1", "localhost"}, key.Public(), now)
	must(s.t, err)
	for _, old := range []string{"tls.key", "tls.pem"} {
		must(s.t, os.Remove(s.path("keys", old)))
	}
	must(s.t, errors.Join(writeKey(s.path("keys", "tls.key"), key), writeCertificates(s.path("keys", "tls.pem"), server, authority.certificate)))
	s.roots.AddCert(authority.certificate)
}

// hanging is a ledger that answers as long as it is told to.
type hanging struct {
	exchange.Ledger
	err error
}

func (l hanging) Counts(context.Context) (map[exchange.State]int64, error) { return nil, l.err }
func (l hanging) LogSize(context.Context) (int64, error)                   { return 7, nil }

func TestNoSignOfLifeWithoutTheLedger(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"it answers", nil, "WATCHDOG=1"},
		{"it does not", errors.New("the disk\nhangs"), "STATUS=the ledger does not answer: the disk hangs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newManager(t, 100*time.Millisecond)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan bool)
			go func() {
				keepAlive(ctx, hanging{err: test.err}, slog.New(slog.DiscardHandler))
				close(ended)
			}()
			heard := ""
			for range 3 {
				heard += m.until(10*time.Second, test.want)
			}
			stop()
			<-ended
			if test.err != nil && strings.Contains(heard, "WATCHDOG") {
				t.Errorf("a sign of life while the ledger does not answer:\n%s", heard)
			}
		})
	}
}

// TestUnit has systemd judge each unit: that it is valid, and how exposed it
// leaves the machine.
func TestUnit(t *testing.T) {
	analyze := program(t, "systemd-analyze")
	for _, u := range []struct {
		file, instance, command string
		most                    float64
	}{
		{"packaging/tram-hub.service", "tram-hub.service", "hub", 1.6},
		{"../agency/packaging/tram-agent@.service", "tram-agent@stc.service", "agency", 1.4},
	} {
		t.Run(u.command, func(t *testing.T) {
			out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", u.file).CombinedOutput()
			must(t, err)
			m := regexp.MustCompile(`Overall exposure level for tram-[a-z@]+\.service: ([0-9.]+)`).FindSubmatch(out)
			if m == nil {
				t.Fatalf("systemd-analyze says no level:\n%s", out)
			}
			if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > u.most {
				t.Errorf("exposure level %s, want at most %.1f\n%s", m[1], u.most, out)
			}

			// verify wants to find the programs: the tree that the package makes.
			root := t.TempDir()
			unit := "etc/systemd/system/" + filepath.Base(u.file)
			command, err := exec.LookPath(u.command)
			must(t, err)
			for from, to := range map[string]string{command: "usr/bin/" + u.command, "/bin/kill": "bin/kill", u.file: unit} {
				content, err := os.ReadFile(from)
				must(t, err)
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, to)), 0o755))
				must(t, os.WriteFile(filepath.Join(root, to), content, 0o755))
			}
			must(t, os.Chmod(filepath.Join(root, unit), 0o644))
			out, err = exec.Command(analyze, "verify", "--root="+root, "--man=no", "--recursive-errors=no", u.instance).CombinedOutput()
			if err != nil || strings.Contains(string(out), "tram-") {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
			if text, err := os.ReadFile(u.file); err != nil || strings.Contains(string(text), "notify-reload") {
				t.Error(fmt.Errorf("systemd 252 does not know Type=notify-reload: %w", err))
			}
		})
	}
}
