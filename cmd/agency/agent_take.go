package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An item is what belongs together in the outbox.
type item struct {
	name  string   // without endings
	files []string // names in the outbox
	lacks string   // what it waits for
}

// sighting is what an item was like when it was last looked at.
type sighting struct {
	shape string
	since time.Time
	told  bool
}

// waiting reports whether something in the outbox could not be taken yet.
func (a *agent) waiting() bool { return len(a.seen) > 0 }

// take moves what is complete in the outbox into sending.
func (a *agent) take(ctx context.Context) error {
	names, err := visible(a.path("outbox"))
	if err != nil {
		return err
	}
	seen := map[string]sighting{}
	for _, it := range a.items(names) {
		now, err := a.look(it)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being moved at this moment
		}
		if err != nil {
			return err
		}
		before, known := a.seen[it.name]
		if known && before.shape == now.shape {
			now = before
		}
		ready := a.marker(it)
		if it.lacks == "" && (ready != "" || time.Since(now.since) >= a.settle) {
			if err := a.takeItem(it, ready); err != nil {
				return err
			}
			continue
		}
		if it.lacks != "" && !now.told && time.Since(now.since) >= a.settle {
			now.told = true
			a.log.WarnContext(ctx, "something in the outbox waits", "name", it.name, "lacks", it.lacks)
		}
		seen[it.name] = now
	}
	a.seen = seen
	return nil
}

// items puts together what belongs together.
func (a *agent) items(names []string) []item {
	var list []item
	used := map[string]bool{}
	for _, name := range names { // descriptions first: they name their files
		if isDescription(name) && !a.isDir(name) {
			it := a.described(name, names)
			list = append(list, it)
			for _, file := range it.files {
				used[file] = true
			}
		}
	}
	for _, name := range names {
		switch {
		case used[name] || unfinished(name):
		case a.isDir(name):
			list = append(list, item{name: name, files: []string{name}, lacks: a.directoryLacks(name)})
		case isPackage(name):
			list = append(list, item{name: stem(name), files: []string{name}})
		default:
			list = append(list, item{name: name, files: []string{name}, lacks: "a description: " + stem(name) + ".yaml"})
		}
	}
	return list
}

// unfinished are names that other programs give to what they are still writing,
// and the markers.
func unfinished(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".ready", ".tmp", ".part", ".partial", ".crdownload":
		return true
	}
	return strings.HasPrefix(name, "~")
}

func (a *agent) isDir(name string) bool {
	info, err := os.Lstat(a.path("outbox", name))
	return err == nil && info.IsDir()
}

// described is a description with its files: those it lists, else those of its name.
func (a *agent) described(name string, names []string) item {
	it := item{name: stem(name), files: []string{name}}
	d, err := readDescription(a.path("outbox", name))
	if err == nil && len(d.Attach) > 0 {
		for _, file := range d.Attach {
			if !slices.Contains(names, file) {
				it.lacks = "the file " + file
			}
			if !slices.Contains(it.files, file) {
				it.files = append(it.files, file)
			}
		}
		return it
	}
	for _, file := range names {
		if stem(file) == it.name && !isDescription(file) && !isPackage(file) && !unfinished(file) && !a.isDir(file) {
			it.files = append(it.files, file)
		}
	}
	return it
}

func (a *agent) directoryLacks(dir string) string {
	names, err := visible(a.path("outbox", dir))
	if err != nil || !slices.ContainsFunc(names, func(n string) bool { return isDescription(n) || isPackage(n) }) {
		return "a description or a package in the directory"
	}
	return ""
}

// look measures an item: size and time of every file in it.
func (a *agent) look(it item) (sighting, error) {
	shape := map[string]string{}
	for _, name := range it.files {
		err := filepath.WalkDir(a.path("outbox", name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.Mode().IsRegular() && !completePDF(path) {
				shape["incomplete"] = path
			}
			shape[path] = fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Mode())
			return nil
		})
		if err != nil && (it.lacks == "" || !errors.Is(err, fs.ErrNotExist)) {
			return sighting{}, err
		}
	}
	s := sighting{since: time.Now()}
	for _, path := range slices.Sorted(maps.Keys(shape)) {
		s.shape += path + " " + shape[path] + "\n"
	}
	if shape["incomplete"] != "" { // it never settles
		s.shape += fmt.Sprint(time.Now().UnixNano())
	}
	return s, nil
}

// completePDF reports whether a PDF has its end (ISO 32000-1, 7.5.5, and the
// 1,024 bytes that readers allow). Other files are taken for complete.
func completePDF(path string) bool {
	if !strings.EqualFold(filepath.Ext(path), ".pdf") {
		return true
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	end := make([]byte, min(info.Size(), 1024))
	if _, err := io.ReadFull(io.NewSectionReader(f, info.Size()-int64(len(end)), int64(len(end))), end); err != nil {
		return false
	}
	return bytes.Contains(end, []byte("%%EOF"))
}

// marker is the file that says that an item is complete, if there is one.
func (a *agent) marker(it item) string {
	for _, name := range []string{it.name + ".ready", it.files[0] + ".ready"} {
		if exists(a.path("outbox", name)) {
			return name
		}
	}
	return ""
}

// takeItem notes what it takes before it takes it, so that after a crash the
// rest of it is taken too.
func (a *agent) takeItem(it item, ready string) error {
	dir := free(a.path("sending"), folderName(it.name))
	if err := makeDir(dir); err != nil {
		return err
	}
	if ready != "" {
		it.files = append(it.files, ready)
	}
	p := parcel{Name: filepath.Base(dir), State: taking, Taken: it.files}
	if err := p.write(dir); err != nil {
		return err
	}
	return a.carry(dir, &p)
}

// carry moves what was noted and is not moved yet.
func (a *agent) carry(dir string, p *parcel) error {
	document := filepath.Join(dir, "document")
	if err := makeDir(document); err != nil {
		return err
	}
	for _, name := range p.Taken {
		from, to := a.path("outbox", name), filepath.Join(document, name)
		if exists(to) || !exists(from) {
			continue
		}
		if strings.HasSuffix(name, ".ready") {
			if err := os.Remove(from); err != nil {
				return err
			}
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	if err := errors.Join(syncDir(document), syncDir(a.path("outbox"))); err != nil {
		return err
	}
	p.State = sending
	return p.write(dir)
}

// folderName is a name for a folder, anywhere.
func folderName(s string) string {
	name, err := safeName(s, 1, map[string]bool{})
	if err != nil {
		return "document"
	}
	return cmp.Or(name, "document")
}
