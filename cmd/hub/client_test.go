package main

import (
	"strings"
	"testing"
)

func TestWhatOthersWroteDoesNotDraw(t *testing.T) {
	var out strings.Builder
	if _, err := (plain{&out}).Write([]byte("V/v \x1b[2J\tkhẩn\u009b\n")); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "V/v \ufffd[2J\ufffdkhẩn\ufffd\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
