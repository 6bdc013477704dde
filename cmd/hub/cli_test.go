package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: the words that operators type, and those
// that they read. Each script has free addresses in $LISTEN and $OPERATORS, and a free $PORT.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("LISTEN", freeAddress(t))
			env.Setenv("PORT", strings.TrimPrefix(freeAddress(t), "127.0.0.1:"))
			env.Setenv("OPERATORS", freeAddress(t))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "ready": ready, "json": isJSON, "edit": edit, "take": take,
		},
		RequireExplicitExec: true,
	})
}

// exits CODE PROGRAM ARGS… runs a program that must end with this code, or with
// one of several: 0/3.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	code := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if !slices.Contains(strings.Split(args[0], "/"), strconv.Itoa(code)) {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// ready ADDRESS waits until somebody listens there.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", args[0], time.Second)
		if err == nil {
			_ = c.Close() // it was only a knock
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nobody listens at %s", args[0])
		}
	}
}

// json FILE… sees that each is one JSON value.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		d := json.NewDecoder(strings.NewReader(text))
		var v any
		if err := d.Decode(&v); (err == nil && !d.More()) == neg {
			ts.Fatalf("%s is JSON: %v, want %v\n%s", name, !neg, neg, text)
		}
	}
}

// edit FILE PATTERN TEXT changes what matches in a file; $1 is the first group.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE PATTERN TEXT")
	}
	pattern := regexp.MustCompile(`(?m)` + args[1])
	before := []byte(ts.ReadFile(args[0]))
	after := pattern.ReplaceAll(before, []byte(strings.ReplaceAll(args[2], `\n`, "\n")))
	if bytes.Equal(before, after) {
		ts.Fatalf("%s has nothing like %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), after, 0o600))
}

// take NAME PATTERN sets $NAME to what the pattern's group matches in stdout.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take NAME PATTERN")
	}
	out := ts.ReadFile("stdout")
	m := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(out)
	if m == nil {
		ts.Fatalf("stdout has nothing like %s\n%s", args[1], out)
	}
	ts.Setenv(args[0], m[1])
}
