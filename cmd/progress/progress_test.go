package progress

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown strings.Builder
		b := begin(&shown, "checking the ledger", 0)
		time.Sleep(700 * time.Millisecond)
		b.At("%d packages", 7)
		time.Sleep(900 * time.Millisecond)
		b.End()
		lines := strings.Split(shown.String(), "\r")
		want := []string{"", "checking the ledger, 0s", "7 packages, 1s         ", "7 packages, 1s         ", strings.Repeat(" ", 23), ""}
		if strings.Join(lines, "|") != strings.Join(want, "|") {
			t.Errorf("it shows %q, want %q", lines, want)
		}
	})
}

// TestBytes: how many, of how many, how fast, how long still.
func TestBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown strings.Builder
		b := begin(&shown, "signing a.edxml", 300e6)
		r := b.Reader(strings.NewReader(strings.Repeat("x", 75e6)))
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(600 * time.Millisecond)
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(b, r); err != nil { // read and written: counted twice
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		b.End()
		lines := strings.Split(shown.String(), "\r")
		want := []string{"",
			"signing a.edxml [##........]  25 %  75.0 MB of 300 MB, 150 MB/s, 0:02 left",
			"signing a.edxml [#######...]  75 %  225 MB of 300 MB, 225 MB/s, 0:01 left ",
			strings.Repeat(" ", 74), ""}
		if strings.Join(lines, "|") != strings.Join(want, "|") {
			t.Errorf("it shows %q, want %q", lines, want)
		}
	})
}

func TestLinesFitTheTerminal(t *testing.T) {
	for _, total := range []int64{0, 1, 999, 1e6, 1e12} {
		for _, done := range []int64{0, 1, total / 2, total, total + 1} {
			b := &Bar{total: total}
			b.At("đang ký %s", strings.Repeat("đường/dẫn/", 30)+"1250.edxml")
			b.count.Store(done)
			line := b.line(time.Hour)
			if n := utf8.RuneCountInString(line); n > 79 {
				t.Errorf("%d columns: %s", n, line)
			}
			if !strings.Contains(line, ".edxml") {
				t.Errorf("nobody can tell which file: %s", line)
			}
		}
	}
}

func TestTimeLeft(t *testing.T) {
	for _, c := range []struct {
		rest, rate float64
		want       string
	}{{0, 1, "0:00"}, {1, 0, "?"}, {90, 1, "1:30"}, {59.5, 1, "1:00"}, {3600, 1, "1:00 h"}, {1e12, 1, "?"}} {
		if got := left(c.rest, c.rate); got != c.want {
			t.Errorf("%v at %v: %q, want %q", c.rest, c.rate, got, c.want)
		}
	}
}

func TestNoProgressForWhatIsSoonDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown strings.Builder
		b := begin(&shown, "checking the ledger", 0)
		time.Sleep(400 * time.Millisecond)
		b.End()
		if shown.Len() > 0 {
			t.Errorf("it shows %q", shown.String())
		}
	})
}

// TestProgressIsForTerminals: what is written to a file holds none of it, and
// neither does a terminal of one who asked for JSON.
func TestProgressIsForTerminals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := New(f, false, "checking the ledger", 0)
	time.Sleep(600 * time.Millisecond)
	b.End()
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("a file was shown the progress: %v, %v", info, err)
	}
}
