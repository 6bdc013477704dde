package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"tram/exchange"
)

// show prints a result as JSON, or by text, whose columns are lined up.
func (p *program) show(v any, text func(w io.Writer)) error {
	if p.json {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// note tells people what a program need not know.
func (p *program) note(format string, args ...any) {
	if !p.json {
		fmt.Fprintf(p.stderr, format+"\n", args...)
	}
}

// printable keeps what others wrote from drawing on the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || (r >= 0x7f && r < 0xa0)) {
			return ' '
		}
		return r
	}, s)
}

// oneLine does so too, and keeps it in its column.
func oneLine(s string) string { return strings.ReplaceAll(printable(s), "\n", " ") }

// moment is a time as people here count it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(exchange.Vietnam).Format("2006-01-02 15:04:05 UTC+7")
}

// writing makes a file appear when it is complete and durable, and not before.
// What is there already is replaced only if that was asked for.
func writing(name string, replace bool, mode os.FileMode, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); !replace && err == nil {
		return usagef("%s is there already and is not overwritten", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect once it has its name
	defer f.Close()           // likewise once closed
	if err := f.Chmod(mode); err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return named(f.Name(), name, replace)
}

// named gives a finished file its name. A link fails if somebody took the name
// meanwhile, a renaming would not.
func named(from, name string, replace bool) error {
	if replace {
		return os.Rename(from, name)
	}
	err := os.Link(from, name)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already and is not overwritten", name)
	}
	if err != nil { // a file system without links
		return os.Rename(from, name)
	}
	return nil
}

func writeBytes(name string, replace bool, mode os.FileMode, b []byte) error {
	return writing(name, replace, mode, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
