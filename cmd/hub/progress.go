package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// progress shows on one line what long work is at and how long it has taken. It
// uses neither colours nor escape sequences, so NO_COLOR (no-color.org) leaves it
// nothing to take away.
type progress struct {
	text atomic.Pointer[string]
	stop chan struct{}
	done chan struct{}
}

// progress begins to show where work is, if standard error is a terminal and
// nobody asked for JSON. Its end must be called.
func (o *options) progress(c *cobra.Command, what string) *progress {
	w := c.ErrOrStderr()
	if o.json || !terminal(w) {
		w = io.Discard
	}
	return newProgress(w, what)
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{stop: make(chan struct{}), done: make(chan struct{})}
	p.at("%s", what)
	go p.draw(w)
	return p
}

// terminal reports whether w is a terminal that can go back on a line.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// at says what the work is at now.
func (p *progress) at(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.text.Store(&text)
}

// end clears the line.
func (p *progress) end() {
	close(p.stop)
	<-p.done
}

func (p *progress) draw(w io.Writer) {
	defer close(p.done)
	begun, width := time.Now(), 0
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			line := fmt.Sprintf("%s, %s", *p.text.Load(), time.Since(begun).Truncate(time.Second))
			width = max(width, utf8.RuneCountInString(line))
			fmt.Fprintf(w, "\r%-*s", width, line)
		case <-p.stop:
			if width > 0 {
				fmt.Fprintf(w, "\r%*s\r", width, "")
			}
			return
		}
	}
}
