package bolt

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
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
