package bolt

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tram/exchange/exchangetest"
)

// TestOpensInALimitedAddressSpace runs itself under RLIMIT_AS: less than the
// ledger would like to reserve.
func TestOpensInALimitedAddressSpace(t *testing.T) {
	if path := os.Getenv("LEDGER_OF_A_LIMITED_PROCESS"); path != "" {
		limit := uint64(8 << 30)
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		l, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Compact(t.Context()); err != nil { // a second file is open at once
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "ledger")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run=^TestOpensInALimitedAddressSpace$")
	c.Env = append(os.Environ(), "LEDGER_OF_A_LIMITED_PROCESS="+path)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestOpenSaysWhatIsDamaged: bbolt panics on pages that cannot be, in Open or when
// they are first read.
func TestOpenSaysWhatIsDamaged(t *testing.T) {
	l, path := newLedger(t, Options{})
	s := exchangetest.NewSamples()
	for n := range 50 {
		if err := accept(t.Context(), l, s, s.Submission("A", fmt.Sprint(n), "B")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	found := 0
	for at := 2 * page; at < len(whole) && at < 80*page; at += page { // all but the two meta pages
		torn := bytes.Clone(whole)
		copy(torn[at:at+page], bytes.Repeat([]byte{0xff}, page))
		path := fmt.Sprint(path, at) // what bbolt panics on it does not let go of
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(path, Options{})
		if err == nil { // it is a page that opening does not read
			_ = l.Close()
			continue
		}
		found++
		if !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("page %d: %v", at/page, err)
		}
	}
	if found == 0 {
		t.Error("no damage was noticed: the test tests nothing")
	}
}
