package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemo plays the demonstration, and then does what it says can be done with
// what is left.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	said := output(t, exec.Command("hub", "demo", dir))
	for _, scene := range []string{
		`1\. The province's office writes to all, urgently; one agency is down`,
		`H12\.01 +submits an urgent document .* to 11 agencies`,
		`hub +H12\.41 was not reached: attempt \d+, the next at \d\d:`,
		`2\. Two departments write to each other`,
		`H12\.04 +submits status 03 `,
		`3\. A ward refuses what was not meant for it`,
		`hub +seals ConsignmentRejection with the ward's signed answer inside`,
		`4\. A department recalls a document`,
		`hub +the recalled document to H12\.05 is withdrawn`,
		`hub +the recalled document to H12\.42 is handed-over`,
		`5\. Somebody changes a package on its way to the hub`,
		`hub +refuses it: The document was changed after it was signed`,
		`hub +the refusal is on record as SubmissionRejection [0-9a-f-]{36}`,
		`6\. The agency that was down comes back`,
		`H12\.41 +is told of a delivery that waits for it`,
		`7\. The auditor checks the whole record`,
	} {
		if !regexp.MustCompile(scene).MatchString(said) {
			t.Errorf("the demonstration does not say %s", scene)
		}
	}
	if t.Failed() {
		t.Logf("it says:\n%s", said)
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.txt"))
	must(t, err)
	if !strings.Contains(said, string(readme)) {
		t.Error("README.txt does not say what the demonstration ends with")
	}
	commands := commandsIn(string(readme))
	whileServed(t, commands, func() {
		for _, c := range commands {
			if c[1] != "serve" {
				tried(t, c)
			}
		}
	})
	recorded(t, dir)

	if out, err := exec.Command("hub", "demo", dir).CombinedOutput(); exitCode(err) != exitUsage || !strings.Contains(string(out), "exists already") {
		t.Errorf("a second demonstration in the same place: %v\n%s", err, out)
	}
}

// commandsIn are the lines of a text that are commands of ours.
func commandsIn(text string) (all [][]string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if strings.HasPrefix(line, "  ") && len(words) > 1 && (words[0] == "hub" || words[0] == "agency" || words[0] == "auditor") {
			all = append(all, words)
		}
	}
	return all
}

// whileServed runs the text's "hub serve" while do does the rest.
func whileServed(t *testing.T, commands [][]string, do func()) {
	t.Helper()
	for _, words := range commands {
		if words[1] != "serve" {
			continue
		}
		c := exec.Command(words[0], words[1:]...)
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		if n, err := out.Read(make([]byte, 100)); n == 0 { // "listening on …"
			t.Fatalf("%s: %v", strings.Join(words, " "), err)
		}
		do()
		must(t, c.Process.Signal(os.Interrupt))
		must(t, c.Wait())
		return
	}
	t.Error("README.txt does not say how to start the hub again")
}

// tried runs a command. What goes on until it is stopped must have something to
// say, and say nothing wrong.
func tried(t *testing.T, words []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if words[1] == "follow" {
		words = append(words, "--once")
	}
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err != nil || len(out) == 0 {
		t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// recorded runs "hub check" on what the demonstration left.
func recorded(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("hub", "check", "--json", "--config", filepath.Join(dir, "hub", "hub.yaml")).Output()
	if code := exitCode(err); code != exitOK && code != exitWarnings {
		t.Errorf("hub check: %v\n%s", err, out)
	}
	var findings []finding
	must(t, json.Unmarshal(out, &findings))
	if last := findings[len(findings)-1]; last.What != "record" || last.State != "ok" {
		t.Errorf("hub check ends with %+v", last)
	}
}

func exitCode(err error) int {
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode()
	}
	return exitOK
}
