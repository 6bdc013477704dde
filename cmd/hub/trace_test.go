package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// trace is what a process asked the system to do with the files below one
// directory, as strace recorded it.
type trace struct {
	lines   []traceLine
	moments []int // lines of operations on these files: good moments for the end
}

// traceLine begins or ends an operation, or both; op is nil if it is none of
// ours.
type traceLine struct {
	at           time.Time
	op           *operation
	begins, ends bool
}

// operation is one change, or one sync.
type operation struct {
	call  string
	path  string // below the directory, when it began
	to    string // where a renamed or linked file goes
	data  []byte
	place int64 // where the data goes; -1 for the end, or the new size
	begun int   // lines
	ended int   // beyond all if it did not end, or failed
}

const never = int(^uint(0) >> 1)

var (
	traceShape   = regexp.MustCompile(`^(\d+) +(\d+)\.(\d{6}) (.*)$`)
	callShape    = regexp.MustCompile(`^(\w+)\((.*)$`)
	resumedShape = regexp.MustCompile(`^<\.\.\. (\w+) resumed>(.*)$`)
	resultShape  = regexp.MustCompile(`\) += (-?\d+)[^=]*$`)
	placeShape   = regexp.MustCompile(`, \d+, (\d+)(?:\) += .*| <unfinished \.\.\.>)$`)
	sizeShapeOf  = regexp.MustCompile(`>, (\d+)(?:\) += .*| <unfinished \.\.\.>)$`)
	descriptor   = regexp.MustCompile(`^\d+<((?:\\x[0-9a-f]{2})*)>`)
	quoted       = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

func unhex(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if err != nil {
		panic(err) // the pattern let it through
	}
	return b
}

func readTrace(file, dir string) (*trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &trace{}
	open := map[string]*operation{} // by thread
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		text, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return t, nil // what is not a whole line never happened
		}
		if err != nil {
			return nil, err
		}
		m := traceShape.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			return nil, fmt.Errorf("strace said %.200q", text)
		}
		if err := t.line(m[1], m[2], m[3], m[4], dir, open); err != nil {
			return nil, err
		}
	}
}

func (t *trace) line(thread, seconds, micros, text, dir string, open map[string]*operation) error {
	n := len(t.lines)
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return err
	}
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return err
	}
	line := traceLine{at: time.Unix(s, us*1000)}
	if m := callShape.FindStringSubmatch(text); m != nil {
		line.op, line.begins = operationOf(m[1], m[2], dir), true
		open[thread] = line.op
		if line.op != nil {
			line.op.begun, line.op.ended = n, never
		}
	} else if resumedShape.MatchString(text) {
		line.op = open[thread]
	}
	if result := resultShape.FindStringSubmatch(text); result != nil && line.op != nil {
		line.ends = true
		if !strings.HasPrefix(result[1], "-") {
			line.op.ended = n
		}
	}
	if line.op != nil {
		t.moments = append(t.moments, n)
	}
	t.lines = append(t.lines, line)
	return nil
}

// operationOf reads a call's arguments; nil if it has nothing to do with files
// in dir.
func operationOf(call, args, dir string) *operation {
	o := &operation{call: call}
	if m := descriptor.FindStringSubmatch(args); m != nil && call != "openat" && call != "renameat" {
		o.path = string(unhex(m[1]))
	}
	var words [][]byte
	for _, m := range quoted.FindAllStringSubmatch(args, 2) {
		words = append(words, unhex(m[1]))
	}
	switch call {
	case "openat":
		if !strings.Contains(args, "O_CREAT") || len(words) < 1 {
			return nil
		}
		o.path = string(words[0])
	case "unlinkat", "mkdirat":
		o.path = string(words[0])
	case "renameat", "linkat":
		o.path, o.to = string(words[0]), string(words[1])
	case "pwrite64":
		o.data, o.place = words[0], number64(placeShape, args)
	case "write":
		if len(words) < 1 {
			return nil
		}
		o.data, o.place = words[0], -1
	case "ftruncate":
		o.place = number64(sizeShapeOf, args)
	}
	path, inside := strings.CutPrefix(o.path, dir+"/")
	if !inside {
		return nil
	}
	o.path = path
	if o.to != "" {
		o.to = strings.TrimPrefix(o.to, dir+"/")
	}
	return o
}

func number64(shape *regexp.Regexp, args string) int64 {
	m := shape.FindStringSubmatch(args)
	if m == nil {
		panic(fmt.Sprintf("strace said %.100q … %q", args, args[max(0, len(args)-100):]))
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// disk image after the power went.
type powerImage struct {
	how     string
	files   map[string]*inode
	pending int // operations that were not synced
	torn    int // of them, those of which a part was kept
}

// inode is a file: what was written to it.
type inode struct {
	base   string // what it held before; "" for a new file
	writes []write
	size   int64 // as far as the process knows
}

type write struct {
	at   int64
	data []byte
}

func (p powerImage) String() string { return p.how }

// tearing is the unit that a disk writes as a whole.
const tearing = 512

// powerOff is what may be left on the disk if the power goes after a line. An
// operation is safe if a sync of its file, or for names of a directory that it
// changed, began after it had ended, and had ended itself.
func (t *trace) powerOff(at int, dice *rand.Rand) *powerImage {
	p := &powerImage{files: map[string]*inode{}, how: []string{"all kept", "all lost", "by chance", "by chance", "by chance"}[dice.IntN(5)]}
	synced := t.syncs(at)
	now := map[string]*inode{} // names as the process sees them
	lookup := func(path string) *inode {
		if now[path] == nil {
			now[path] = &inode{base: path}
			p.files[path] = now[path]
		}
		return now[path]
	}
	named := map[*inode]bool{} // its name is on the disk
	lookup("ledger.db")
	for _, line := range t.lines[:at+1] {
		o := line.op
		if o == nil || !line.begins {
			continue
		}
		if line.ends && o.ended == never {
			continue // it failed
		}
		safe := func(path string) bool {
			return slices.ContainsFunc(synced[path], func(s *operation) bool { return s.begun > o.ended })
		}
		switch o.call {
		case "pwrite64", "write", "ftruncate":
			f := lookup(o.path)
			p.change(f, o, o.ended <= at && safe(o.path), dice)
		case "openat":
			if now[o.path] == nil && o.path != "ledger.db" {
				f := &inode{}
				now[o.path] = f
				if p.keeps(o.ended <= at && safe(filepath.Dir(o.path)), dice) {
					p.files[o.path], named[f] = f, true
				}
			}
		case "renameat":
			f := now[o.path]
			if f == nil || o.ended > at {
				continue
			}
			delete(now, o.path)
			now[o.to] = f
			if p.keeps(safe(filepath.Dir(o.to)) || safe(filepath.Dir(o.path)), dice) {
				delete(p.files, o.path)
				p.files[o.to] = f
			}
			moveSyncs(synced, o.path, o.to)
		case "unlinkat":
			if o.ended > at {
				continue
			}
			delete(now, o.path)
			if p.keeps(safe(filepath.Dir(o.path)), dice) {
				delete(p.files, o.path)
			}
		}
	}
	return p
}

// syncs are those that had ended, by path.
func (t *trace) syncs(at int) map[string][]*operation {
	synced := map[string][]*operation{}
	for _, line := range t.lines[:at+1] {
		if o := line.op; o != nil && line.begins && (o.call == "fsync" || o.call == "fdatasync") && o.ended <= at {
			synced[o.path] = append(synced[o.path], o)
		}
	}
	return synced
}

// moveSyncs: a file is known by the name it has at each moment; what was synced
// under the old one stays so.
func moveSyncs(synced map[string][]*operation, from, to string) {
	synced[to] = append(slices.Clone(synced[from]), synced[to]...)
	delete(synced, from)
}

// keeps decides over something that is not safe.
func (p *powerImage) keeps(safe bool, dice *rand.Rand) bool {
	if safe {
		return true
	}
	p.pending++
	switch p.how {
	case "all kept":
		return true
	case "all lost":
		return false
	}
	return dice.IntN(2) == 0
}

func (p *powerImage) change(f *inode, o *operation, safe bool, dice *rand.Rand) {
	place := o.place
	switch {
	case o.call == "ftruncate":
		if p.keeps(safe, dice) {
			f.writes = append(f.writes, write{max(0, place-1), nil})
		}
		f.size = place
		return
	case place < 0:
		place = f.size
	}
	f.size = max(f.size, place+int64(len(o.data)))
	if !safe && p.how == "by chance" && dice.IntN(2) == 0 {
		p.pending++
		p.torn++
		for n := 0; n < len(o.data); n += tearing {
			if dice.IntN(2) == 0 {
				f.writes = append(f.writes, write{place + int64(n), o.data[n:min(n+tearing, len(o.data))]})
			}
		}
		return
	}
	if p.keeps(safe, dice) {
		f.writes = append(f.writes, write{place, o.data})
	}
}

// write makes the image's files in dir.
func (p *powerImage) write(dir string, base map[string][]byte) error {
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		f := p.files[path]
		content := bytes.Clone(base[f.base])
		for _, w := range f.writes {
			end := int(w.at) + max(len(w.data), 1)
			if w.data != nil {
				end = int(w.at) + len(w.data)
			}
			if end > len(content) {
				content = append(content, make([]byte, end-len(content))...)
			}
			copy(content[w.at:], w.data)
		}
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(dir, "vault", "incoming"), 0o700)
}
