// Package progress shows on a terminal how far long work is: one line, drawn
// again twice a second and cleared at the end.
//
// It uses neither colours nor escape sequences, so NO_COLOR (no-color.org) leaves
// it nothing to take away. What is soon done shows nothing.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// A Bar is the line of one piece of work.
type Bar struct {
	text  atomic.Pointer[string]
	total int64 // bytes of the whole work; 0: not known, or not counted in bytes
	count atomic.Int64
	stop  chan struct{}
	done  chan struct{}
}

// New begins to show on w what the work is at, if w is a terminal; quiet work,
// such as that whose output is JSON, shows nothing. total is how many bytes it
// will go through; 0 if that is not known. End must be called.
func New(w io.Writer, quiet bool, what string, total int64) *Bar {
	if quiet || !Terminal(w) {
		w = io.Discard
	}
	return begin(w, what, total)
}

func begin(w io.Writer, what string, total int64) *Bar {
	b := &Bar{total: total, stop: make(chan struct{}), done: make(chan struct{})}
	b.At("%s", what)
	go b.draw(w)
	return b
}

// Terminal reports whether w is a terminal that can go back on a line.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// At says what the work is at now.
func (b *Bar) At(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.text.Store(&text)
}

// Write counts what passes, as a writer beside another. It never fails.
func (b *Bar) Write(p []byte) (int, error) {
	b.count.Add(int64(len(p)))
	return len(p), nil
}

// Reader is r, its reading counted. It can seek if r can: bytes that are read
// twice count twice.
func (b *Bar) Reader(r io.ReadSeeker) io.ReadSeeker { return counted{r, b} }

type counted struct {
	io.ReadSeeker
	bar *Bar
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	c.bar.count.Add(int64(n))
	return n, err
}

// End clears the line.
func (b *Bar) End() {
	close(b.stop)
	<-b.done
}

func (b *Bar) draw(w io.Writer) {
	defer close(b.done)
	begun, width := time.Now(), 0
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			line := b.line(time.Since(begun))
			width = max(width, utf8.RuneCountInString(line))
			fmt.Fprintf(w, "\r%s%s", line, strings.Repeat(" ", width-utf8.RuneCountInString(line)))
		case <-b.stop:
			if width > 0 {
				fmt.Fprintf(w, "\r%s\r", strings.Repeat(" ", width))
			}
			return
		}
	}
}

// line fits a terminal of 80 columns: one that is longer could not be taken back.
func (b *Bar) line(elapsed time.Duration) string {
	const columns, cells = 79, 10
	text := *b.text.Load()
	if b.total <= 0 {
		return shortened(text, columns-8) + ", " + elapsed.Truncate(time.Second).String()
	}
	done := min(b.count.Load(), b.total)
	share := float64(done) / float64(b.total)
	full := int(cells * share)
	rate := float64(done) / max(elapsed.Seconds(), 0.001)
	measure := fmt.Sprintf(" [%s%s] %3d %%  %s of %s, %s/s, %s left", strings.Repeat("#", full), strings.Repeat(".", cells-full),
		int(100*share), bytes(float64(done)), bytes(float64(b.total)), bytes(rate), left(float64(b.total-done), rate))
	return shortened(text, columns-len(measure)) + measure
}

// shortened keeps the end of a text, where paths differ.
func shortened(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return "…" + string(r[len(r)-max(most-1, 0):])
}

// bytes are counted as disks and networks are sold: a MB is a million.
func bytes(n float64) string {
	for _, unit := range []string{"B", "kB", "MB"} {
		if n < 1000 {
			return quantity(n, unit)
		}
		n /= 1000
	}
	return quantity(n, "GB")
}

func quantity(n float64, unit string) string {
	if unit == "B" || n >= 100 {
		return fmt.Sprintf("%.0f %s", n, unit)
	}
	return fmt.Sprintf("%.1f %s", n, unit)
}

// left is the time for the rest at the rate so far.
func left(rest, rate float64) string {
	const longest = 100 * time.Hour
	if rate <= 0 || rest/rate >= longest.Seconds() {
		return "?"
	}
	d := time.Duration(rest/rate*float64(time.Second)) + time.Second - 1
	if d >= time.Hour {
		return fmt.Sprintf("%d:%02d h", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
