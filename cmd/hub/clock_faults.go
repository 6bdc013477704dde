//go:build faults

package main

import (
	"os"
	"strings"
	"time"
)

// now is the hub's clock in the build that tests do their worst to: it is wrong
// by the duration in the file that TRAM_FAULTS_CLOCK names, read each time. No
// file, or nothing in it that is a duration: it is right.
func now() time.Time {
	text, _ := os.ReadFile(os.Getenv("TRAM_FAULTS_CLOCK"))          // absent: right
	wrong, _ := time.ParseDuration(strings.TrimSpace(string(text))) // half written: right
	return time.Now().Add(wrong)
}
