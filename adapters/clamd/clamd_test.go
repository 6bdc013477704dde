package clamd_test

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/clamd"
	"tram/exchange"
)

const harm = "tram-harmless-test-of-the-scanner"

// daemon runs a ClamAV daemon that knows one signature.
func daemon(t *testing.T) *clamd.Client {
	t.Helper()
	program, err := exec.LookPath("clamd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("clamd is missing: apt-get install clamav-daemon")
		}
		t.Skip("clamd is missing: apt-get install clamav-daemon")
	}
	dir, err := os.MkdirTemp("", "clamd") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	for name, text := range map[string]string{
		"tram.ndb":   "Tram.Test:0:*:" + hex.EncodeToString([]byte(harm)) + "\n",
		"clamd.conf": fmt.Sprintf("LocalSocket %s\nDatabaseDirectory %s\nForeground yes\nStreamMaxLength 1M\n", socket, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	c := exec.Command(program, "--config-file", filepath.Join(dir, "clamd.conf"))
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	client, err := clamd.New("unix:" + socket)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if _, err = client.Engine(t.Context()); err == nil {
			return client
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("clamd does not answer: %v\n%s", err, out.Bytes())
	return nil
}

// TestTakes: the daemon's own setting is found, to the byte.
func TestTakes(t *testing.T) {
	client := daemon(t)
	for most, want := range map[int64]int64{1: 1, 1 << 20: 1 << 20, 1<<20 + 1: 1 << 20, 1 << 30: 1 << 20, 1 << 40: 1 << 20} {
		if got, err := client.Takes(t.Context(), most); got != want || err != nil {
			t.Errorf("of %d it takes %d, %v; want %d", most, got, err, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.Local)
	for engine, want := range map[string]time.Duration{
		"ClamAV 1.4.6/27500/Thu Nov 26 01:00:00 2026": time.Hour,
		"ClamAV 1.4.6/27500/Sun Nov  1 02:00:00 2026": 25 * 24 * time.Hour,
		"ClamAV 1.4.6": -1, "": -1, "ClamAV 1.4.6/27500/never": -1,
	} {
		age, known := clamd.Signatures(engine, now)
		if known != (want >= 0) || known && age != want {
			t.Errorf("%q: %v, %t; want %v", engine, age, known, want)
		}
	}
}

func zipped(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("a.txt")
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestScans(t *testing.T) {
	client := daemon(t)
	if engine, err := client.Engine(t.Context()); err != nil || !strings.HasPrefix(engine, "ClamAV ") {
		t.Errorf("the engine is %q, %v", engine, err)
	}
	for _, test := range []struct{ name, content, found, err string }{
		{"nothing at all", "", "", ""},
		{"a clean content", strings.Repeat("công văn ", 1000), "", ""},
		{"malware", "x" + harm, "Tram.Test.UNOFFICIAL", ""},
		{"malware inside a ZIP", zipped(t, harm), "Tram.Test.UNOFFICIAL", ""},
		{"more than the daemon takes", strings.Repeat("x", 3<<20), "", "StreamMaxLength"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := client.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for piece := range strings.SplitSeq(test.content, " ") { // in pieces
				if _, err := s.Write([]byte(piece + " ")); err != nil {
					t.Fatal(err)
				}
			}
			found, err := s.Verdict()
			if test.err != "" && !errors.Is(err, exchange.ErrTooLongToScan) {
				t.Errorf("%v does not say that the content is too long", err)
			}
			if found != test.found || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("found %q, %v; want %q, %q", found, err, test.found, test.err)
			}
		})
	}
}

func TestAway(t *testing.T) {
	client, err := clamd.New("unix:" + filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Engine(t.Context()); err == nil {
		t.Error("a daemon that is away gave its version")
	}
	if _, err := client.Begin(t.Context()); err == nil {
		t.Error("a daemon that is away begins to scan")
	}
	for _, address := range []string{"", "unix:", "/run/clamd", "http://localhost"} {
		if _, err := clamd.New(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}
