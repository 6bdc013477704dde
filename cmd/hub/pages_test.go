package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// judges is the folder of the programs from npm, which .ci/test installs under the
// digest of what they are.
func judges(t *testing.T, lockFile string) string {
	t.Helper()
	lock, err := os.ReadFile(lockFile)
	must(t, err)
	tools := os.Getenv("TRAM_TOOLS")
	if tools == "" {
		cache, err := os.UserCacheDir()
		must(t, err)
		tools = filepath.Join(cache, "tram", "tools")
	}
	sum := sha256.Sum256(lock)
	modules := filepath.Join(tools, "npm-"+hex.EncodeToString(sum[:6]), "node_modules")
	if _, err := os.Stat(modules); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed: %v", lockFile, err)
		}
		t.Skipf("%s is not there; .ci/test installs it", modules)
	}
	return modules
}

// TestPagesInABrowser lets a person without an account validate a package: with a
// real browser, without JavaScript, by labels and roles as a screen reader has them.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	chromium, node := program(t, "chromium"), program(t, "node")
	modules := judges(t, "testdata/npm/package-lock.json")
	s := newSite(t, func(yaml string) string {
		return strings.Replace(yaml, "# sandbox:\n#   public_validator: true ", "sandbox:\n  public_validator: true ", 1)
	}).start()
	sample, err := os.ReadFile(filepath.Join("..", "..", "testdata", "samples", "replace.edxml"))
	must(t, err)
	broken := strings.NewReplacer("<edXML:PromulgationDate>2026/11/23", "<edXML:PromulgationDate>23/11/2026",
		"<edXML:Priority>0", "<edXML:Priority>khẩn").Replace(string(sample))
	file := filepath.Join(t.TempDir(), "1268.edxml")
	must(t, os.WriteFile(file, []byte(broken), 0o600))
	shots := os.Getenv("TRAM_SCREENSHOTS") // to look at them
	if shots == "" {
		shots = t.TempDir()
	}
	c := exec.Command(node, "testdata/npm/look.cjs", chromium, "https://"+s.address, file, shots)
	c.Env = append(os.Environ(), "NODE_PATH="+modules)
	var seen struct {
		Console, Requests, Rows           []string
		Styled                            bool
		Result, Rule, English, FirstFocus string
		Pages                             []struct {
			Name       string
			Wide       bool
			Violations []string
		}
	}
	must(t, json.Unmarshal([]byte(output(t, c)), &seen))

	if len(seen.Console) > 0 || !seen.Styled {
		t.Errorf("the browser complains %q; the style sheet was used: %v", seen.Console, seen.Styled)
	}
	for _, r := range seen.Requests {
		if !slices.Contains([]string{"GET /validate", "POST /validate", "GET /rules", "GET /favicon.ico"}, r) {
			t.Errorf("the page asks for %s", r)
		}
	}
	if seen.Result != "1268.edxml: ✗ bị từ chối" || !slices.Equal(seen.Rows, []string{"date-form", "priority", "unsigned"}) {
		t.Errorf("it says %q, and lists %q", seen.Result, seen.Rows)
	}
	if seen.Rule != "date-form" || seen.English != "en" || seen.FirstFocus != "To the content" {
		t.Errorf("the rule %q, the language %q, the first focus %q", seen.Rule, seen.English, seen.FirstFocus)
	}
	if len(seen.Pages) != 6 {
		t.Errorf("%d pages were judged", len(seen.Pages))
	}
	for _, p := range seen.Pages {
		if len(p.Violations) > 0 || p.Wide {
			t.Errorf("%s: wider than the screen: %v, axe says\n%s", p.Name, p.Wide, strings.Join(p.Violations, "\n"))
		}
	}
}
