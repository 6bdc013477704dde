package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"tram/exchange"
)

// syncDir makes names in a directory durable. Windows does so by itself.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("making %s durable: %w", dir, err)
	}
	return nil
}

// makeDir makes a directory and those above it, durable.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// move renames, durable on both sides.
func move(from, to string) error {
	if err := makeDir(filepath.Dir(to)); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}

// writeJSON makes a durable file of v, in the place of a former one.
func writeJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeDurable(name, append(b, '\n'))
}

func writeDurable(name string, b []byte) error {
	if err := writeBytes(name, true, 0o640, b); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func readJSON(name string, v any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// visible are the names in a directory, but those that begin with a dot.
func visible(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// free is a name in a directory that nobody has: name, name-2, …
func free(dir, name string) string {
	path := filepath.Join(dir, name)
	for n := 2; exists(path); n++ {
		path = filepath.Join(dir, fmt.Sprintf("%s-%d", name, n))
	}
	return path
}

// month is the part of a path that a time falls into, as people here count it.
func month(t time.Time) string {
	return filepath.FromSlash(t.In(exchange.Vietnam).Format("2006/01"))
}

// key names a file of the index by what it is about.
func key(parts ...string) string {
	return exchange.DigestOf([]byte(strings.Join(parts, "\x00"))).String()
}

// sweepStages removes what a writer that was killed left of a file.
func sweepStages(dir string) {
	stages, _ := filepath.Glob(filepath.Join(dir, ".new-*")) // the pattern is sound
	for _, stage := range stages {
		_ = os.Remove(stage) // it does no harm
	}
}
