package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestDebianPackage installs the package as Debian does: in a copy of this
// machine's root that is thrown away (an overlay), a hub is made, served,
// upgraded, removed and purged.
func TestDebianPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and packs all commands")
	}
	tools := os.Getenv("TRAM_TOOLS")
	if tools == "" {
		cache, err := os.UserCacheDir()
		must(t, err)
		tools = filepath.Join(cache, "tram", "tools")
	}
	nfpm := program(t, filepath.Join(tools, "nfpm-v2.45.0"))
	lintian := program(t, "lintian")
	program(t, "dpkg-deb")
	if runtime.GOARCH != "amd64" {
		t.Skip("the package is for amd64")
	}
	packages := []string{}
	for _, version := range []string{"0.1.0~1", "0.1.0~2"} {
		c := exec.Command("make", "-C", "../..", "deb", "VERSION="+version, "NFPM="+nfpm)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("make deb: %v\n%s", err, out)
		}
		file, err := filepath.Abs("../../bin/tram_" + version + "_amd64.deb")
		must(t, err)
		packages = append(packages, file)
		t.Cleanup(func() { _ = os.Remove(file) })
	}
	if out, err := exec.Command(lintian, "--fail-on", "error,warning", "--allow-root", packages[0]).CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	if os.Getuid() != 0 {
		t.Skip("it is installed by root only")
	}
	work := t.TempDir()
	c := exec.Command("unshare", "--mount", "bash", "testdata/deb.sh", work, packages[0], packages[1])
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all is well") {
		t.Errorf("%v\n%s", err, out)
	}
}
