package audit

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

// TestLargePackages: the programs, as built, sign, verify and explain a package of
// 300 MB in memory that does not grow with it.
func TestLargePackages(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes 600 MB")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("peak memory is read from /proc")
	}
	const attachment, most = 225 << 20, 48 << 20
	dir := t.TempDir()
	auditor, agency := build(t, dir, "auditor"), build(t, dir, "agency")
	peak(t, agency, dir, "keygen", "ca", "--authority", "--name", "Test authority")
	peak(t, agency, dir, "keygen", "a", "--name", "Agency A", "--ca", "ca.crt", "--ca-key", "ca.key")
	large := filepath.Join(dir, "large.edxml")
	writePackage(t, large, attachment)
	info, err := os.Stat(large)
	if err != nil || info.Size() < 300e6 {
		t.Fatalf("the package has %v bytes, %v", info, err)
	}
	for _, c := range []struct {
		program string
		args    []string
		says    string
	}{
		{agency, []string{"sign", large, "--key", "a.key", "--certificate", "a.crt", "-o", "signed.edxml"}, "signed by CN=Agency A"},
		{auditor, []string{"verify", "--trust", "ca.crt", "signed.edxml"}, "signed.edxml: holds"},
		{auditor, []string{"explain", "--lang", "en", "--trust", "ca.crt", "signed.edxml"}, "(package): holds"},
	} {
		rss, said := peak(t, c.program, dir, c.args...)
		if !strings.Contains(said, c.says) {
			t.Errorf("%v says %s", c.args, said)
		}
		if rss > most {
			t.Errorf("%v takes %d MB of memory, at most %d", c.args, rss>>20, most>>20)
		}
		t.Logf("%s %s: %d MB at most", filepath.Base(c.program), c.args[0], rss>>20)
	}
}

func build(t *testing.T, dir, name string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", file, "tram/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return file
}

func writePackage(t *testing.T, file string, attachment int64) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	err = edxml.Write(f, edxml.Document{From: edxml.Organ{Code: "H12.07"}, To: []edxml.Organ{{Code: "H12.12"}},
		Number: "1250", Notation: "STC-NS", Date: time.Now(), TypeName: "Công văn", Subject: "V/v bản đồ", Sent: time.Now(),
		Attachments: []edxml.Attachment{{Name: "a.pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.LimitReader(rand.NewChaCha8([32]byte{}), attachment)), nil
		}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

var peakPattern = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peak runs a program to its end and returns the most memory that it was seen to
// have. What the kernel tells afterwards would count this test's own memory, which
// the program has until it begins.
func peak(t *testing.T, program, dir string, args ...string) (rss int64, said string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out.String())
			}
			return rss, out.String()
		case <-tick.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)) // gone when it has ended
			exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
			if m := peakPattern.FindSubmatch(status); m != nil && exe == program {
				kB, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
				rss = max(rss, kB<<10)
			}
		}
	}
}

// TestHugeReceiptsAreNotRead: what is longer than a receipt can be is refused, not
// kept in memory.
func TestHugeReceiptsAreNotRead(t *testing.T) {
	hub := hubtest.New(t)
	file := correspond(t, hub, 1).of(t, exchange.SubmissionAcceptance)[0]
	if err := os.Truncate(file, 1<<40); err != nil { // a terabyte of nothing behind it
		t.Skip(err)
	}
	code, stdout, _ := audit(t, "verify", "--keys", hub.KeysFile(t), "--seal-only", "--json", file)
	if code != 1 || verifyNames(t, stdout) != "seal-broken" || !strings.Contains(stdout, "document-too-large") && !strings.Contains(stdout, "text-outside-root") {
		t.Errorf("exits with %d: %s", code, stdout)
	}
}
