package main

import (
	"regexp"

	"github.com/rogpeppe/go-internal/testscript"
)

// pick FILE PATTERN VARIABLE: sets a variable to the first submatch in a file,
// "stdout" included.
func pick(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[0]))
	if m == nil {
		ts.Fatalf("%s does not match %s", args[0], args[1])
	}
	ts.Setenv(args[2], m[1])
}
