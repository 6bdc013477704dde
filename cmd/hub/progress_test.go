package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown bytes.Buffer
		p := newProgress(&shown, "checking the ledger")
		time.Sleep(700 * time.Millisecond)
		p.at("%d packages", 7)
		time.Sleep(900 * time.Millisecond)
		p.end()
		lines := strings.Split(shown.String(), "\r")
		want := []string{"", "checking the ledger, 0s", "7 packages, 1s         ", "7 packages, 1s         ", strings.Repeat(" ", 23), ""}
		if strings.Join(lines, "|") != strings.Join(want, "|") {
			t.Errorf("it shows %q, want %q", lines, want)
		}
	})
}

func TestNoProgressForWhatIsSoonDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown bytes.Buffer
		p := newProgress(&shown, "checking the ledger")
		time.Sleep(400 * time.Millisecond)
		p.end()
		if shown.Len() > 0 {
			t.Errorf("it shows %q", shown.String())
		}
	})
}

// TestProgressIsForTerminals: what is written to a file holds none of it.
func TestProgressIsForTerminals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &cobra.Command{}
	c.SetErr(f)
	p := (&options{}).progress(c, "checking the ledger")
	time.Sleep(600 * time.Millisecond)
	p.end()
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("a file was shown the progress: %v, %v", info, err)
	}
}
