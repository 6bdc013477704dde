package audit

import (
	"fmt"
	"io"
	"os"
	"time"
)

// terminal reports whether w is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// colours paints words, or leaves them as they are.
type colours bool

// colour is on for terminals, unless NO_COLOR is set (no-color.org).
func (p *program) colour() colours {
	return colours(os.Getenv("NO_COLOR") == "" && terminal(p.stdout))
}

func (c colours) verdict(ok bool) string {
	if ok {
		return c.paint("32", "holds")
	}
	return c.bad("DOES NOT HOLD")
}

func (c colours) bad(s string) string { return c.paint("31", s) }

func (c colours) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// progress shows on a terminal how far long work is.
type progress struct {
	w     io.Writer // nil: shows nothing
	shown time.Time
}

func (p *program) progress() *progress {
	if p.json || !terminal(p.stderr) {
		return &progress{}
	}
	return &progress{w: p.stderr}
}

// at is called as often as there is something to say.
func (p *progress) at(format string, args ...any) {
	if p.w == nil || time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
}

// end clears the line.
func (p *progress) end() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
