package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain builds the commands once and puts them first in PATH: these tests run
// the programs that people run. With TRAM_TEST_RACE set they are built with the
// race detector; what they report then ends the test that runs them.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tram-commands-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if out, err := build(dir).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the commands: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string) *exec.Cmd {
	args, cgo := []string{"build", "-tags", "nomsgpack", "-o", dir + string(filepath.Separator)}, "CGO_ENABLED=0"
	if raced() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	c := exec.Command("go", append(args, "tram/cmd/hub", "tram/cmd/agency", "tram/cmd/auditor")...)
	c.Env = append(os.Environ(), cgo)
	return c
}

// raced reports whether the commands are built with the race detector, which
// makes them larger and slower than what is promised of them.
func raced() bool { return os.Getenv("TRAM_TEST_RACE") != "" }

// program is where a program is that a test cannot do without. In CI it must be
// there.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI must have it", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}
