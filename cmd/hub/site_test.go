package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/adapters/keystore"
)

// A site is a hub as an operator has it: a directory made by "hub init" and, once
// started, a process of "hub serve".
type site struct {
	t         *testing.T
	dir       string
	address   string
	operators string
	authority issuer // of agencies' certificates
	roots     *x509.CertPool
	admin     *httpclient.Client

	born    time.Time // what certificates count from
	program string    // "hub", or another build of it
	tracer  []string  // a program and its arguments that "hub serve" runs under
	env     []string  // beside this process's own
	serving *exec.Cmd // nil while it is stopped
	ready   chan bool // closed when agencies can connect, or the process ended
	waited  chan error
	log     *hubLog
}

// newSite makes a hub. Each change edits hub.yaml.
func newSite(t *testing.T, changes ...func(yaml string) string) *site {
	t.Helper()
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "hub"), program: "hub", born: time.Now()}
	return s.create(changes...)
}

// create makes the hub of a site that has its directory, program and birth.
func (s *site) create(changes ...func(yaml string) string) *site {
	t := s.t
	t.Helper()
	authority, err := newAuthority("Test Authority", "Example Province", s.born)
	must(t, err)
	s.address, s.operators, s.authority, s.log = freeAddress(t), freeAddress(t), authority, &hubLog{}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, writeCertificates(ca, authority.certificate))
	s.mustHub("init", s.dir, "--code", "truc.test.example", "--name", "Trục thử nghiệm", "--listen", s.address, "--operators", s.operators, "--roots", ca)
	s.configure(append(changes, setting("requests_per_second: 200", "requests_per_second: 100000"))...)
	list, err := keystore.ReadCertificates(s.path("keys", "tls-root.pem"))
	must(t, err)
	s.roots = x509.NewCertPool()
	s.roots.AddCert(list[0])
	secret, err := readSecret(s.path("admin.secret"))
	must(t, err)
	t.Cleanup(func() { s.log.clean(t) })
	s.admin = s.client("user:admin", secret)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// setting changes one line of hub.yaml.
func setting(old, with string) func(string) string {
	return func(yaml string) string { return strings.Replace(yaml, old, with, 1) }
}

func (s *site) configure(changes ...func(string) string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config())
	must(s.t, err)
	for _, change := range changes {
		before := string(text)
		if text = []byte(change(before)); string(text) == before {
			s.t.Fatal("hub.yaml does not have the setting that this test changes")
		}
	}
	must(s.t, os.WriteFile(s.config(), text, 0o600))
}

func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *site) config() string { return s.path("hub.yaml") }

// client speaks to the hub for one caller. Lost connections are the tests' own
// business.
func (s *site) client(id, secret string) *httpclient.Client {
	s.t.Helper()
	c, err := httpclient.New(httpclient.Config{URL: "https://" + s.address, ID: id, Secret: secret, Roots: s.roots, Attempts: 1})
	must(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

// freeAddress finds a loopback address below the ports that the system gives to
// connections: a hub that was killed must get its port again.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 18000+rand.IntN(14000)))
		if err != nil {
			continue
		}
		must(t, l.Close())
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// start runs "hub serve" until it listens.
func (s *site) start() *site {
	s.t.Helper()
	return s.startWith()
}

func (s *site) startWith(flags ...string) *site {
	s.t.Helper()
	s.launch(flags...)
	select {
	case <-s.ready:
	case <-time.After(30 * time.Second):
		s.t.Fatal("the hub does not begin to listen")
	}
	if !s.listening() {
		s.t.Fatalf("the hub does not start: %v\n%s", <-s.waited, s.log)
	}
	return s
}

// launch starts the process and does not wait for anything.
func (s *site) launch(flags ...string) {
	s.t.Helper()
	args := append(slices.Clone(s.tracer), s.program, "serve", "--config", s.config())
	args = append(args, flags...)
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), s.env...)
	c.Stderr = s.log
	out, err := c.StdoutPipe()
	must(s.t, err)
	must(s.t, c.Start())
	ready, waited := make(chan bool), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		_ = lines.Scan() // "listening on …", or the end
		close(ready)
		for lines.Scan() { // to its end, as Wait wants it
		}
		waited <- c.Wait()
	}()
	s.serving, s.ready, s.waited = c, ready, waited
	s.t.Cleanup(func() { _ = c.Process.Kill() }) // it may have ended
}

// listening reports whether the hub answers.
func (s *site) listening() bool {
	c, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close() // it was only a knock
	return true
}

// kill ends the hub as a power cut would.
func (s *site) kill() {
	s.t.Helper()
	if err := s.serving.Process.Kill(); !errors.Is(err, os.ErrProcessDone) { // a hub may end before
		must(s.t, err)
	}
	<-s.waited
	s.serving = nil
}

// stop ends the hub as an operator would, and sees that it says goodbye.
func (s *site) stop() {
	s.t.Helper()
	must(s.t, s.serving.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-s.waited:
		if err != nil {
			s.t.Errorf("the hub was stopped and says %v\n%s", err, s.log)
		}
	case <-time.After(drainTime + 5*time.Second):
		s.t.Fatal("the hub does not stop")
	}
	s.serving = nil
}

// hub runs one command of the hub's own and returns what it printed.
func (s *site) hub(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return s.run(s.program, args...)
}

func (s *site) run(name string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, errOut bytes.Buffer
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), s.env...)
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil && c.ProcessState == nil {
		s.t.Fatal(err)
	}
	return out.String(), errOut.String(), c.ProcessState.ExitCode()
}

// mustHub runs a command that must succeed.
func (s *site) mustHub(args ...string) string {
	s.t.Helper()
	out, errOut, code := s.hub(args...)
	if code != exitOK {
		s.t.Fatalf("hub %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// metric reads one number from the operators' listener.
func (s *site) metric(name string) int {
	s.t.Helper()
	body, err := get("http://" + s.operators + "/metrics")
	must(s.t, err)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		s.t.Fatalf("no metric %s", name)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	must(s.t, err)
	return int(n)
}

// files counts what the hub's process has open.
func (s *site) files() int {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.serving.Process.Pid))
	must(s.t, err)
	return len(open)
}

// memory is what the hub's process holds in memory, in bytes; what is mapped
// from files does not count.
func (s *site) memory() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.serving.Process.Pid))
	must(s.t, err)
	m := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		s.t.Fatal("the system does not tell the process's memory")
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	must(s.t, err)
	return n << 10
}

// kept are the files in the vault, drafts too.
func (s *site) kept() []string {
	s.t.Helper()
	files, err := filepath.Glob(s.path("vault", "*", "*"))
	must(s.t, err)
	return files
}

// drafts are the files in the vault that are not kept.
func (s *site) drafts() []string {
	s.t.Helper()
	files, err := filepath.Glob(s.path("vault", "incoming", "*"))
	must(s.t, err)
	return files
}

// hubLog keeps the end of what the hub writes to its log, and what must never be
// in it.
type hubLog struct {
	mu    sync.Mutex
	text  []byte
	wrong []string
}

// shameful is what no hub may ever say.
var shameful = regexp.MustCompile(`WARNING: DATA RACE|panic: |fatal error: |"level":"ERROR"[^\n]*`)

func (l *hubLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, found := range shameful.FindAll(p, -1) {
		l.wrong = append(l.wrong, string(found))
	}
	if l.text = append(l.text, p...); len(l.text) > 1<<20 {
		l.text = append([]byte{}, l.text[len(l.text)-1<<19:]...)
	}
	return len(p), nil
}

// forgive forgets the errors told until now: the test brought them about. Panics
// and races stay.
func (l *hubLog) forgive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = slices.DeleteFunc(l.wrong, func(wrong string) bool {
		return strings.HasPrefix(wrong, `"level":"ERROR"`) && !strings.Contains(wrong, "panic: ")
	})
}

func (l *hubLog) clean(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wrong := range l.wrong {
		t.Errorf("the hub's log has: %s", wrong)
	}
	if len(l.wrong) > 0 {
		t.Logf("it ends with:\n%s", l.text[max(0, len(l.text)-8000):])
	}
}

func (l *hubLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text[max(0, len(l.text)-4000):])
}
