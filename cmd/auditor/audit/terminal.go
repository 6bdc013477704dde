package audit

import (
	"os"

	"tram/cmd/progress"
)

// progress begins to show what the work is at, and how far, if its total of bytes
// is not 0.
func (p *program) progress(what string, total int64) *progress.Bar {
	return progress.New(p.stderr, p.json, what, total)
}

// reading is the progress of going through a log.
func (p *program) reading() *progress.Bar { return p.progress("reading the log", 0) }

// colours paints words, or leaves them as they are.
type colours bool

// colour is on for terminals, unless NO_COLOR is set (no-color.org).
func (p *program) colour() colours {
	return colours(os.Getenv("NO_COLOR") == "" && progress.Terminal(p.stdout))
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
