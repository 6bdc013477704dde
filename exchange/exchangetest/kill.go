package exchangetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

const (
	childTest  = "EXCHANGETEST_CHILD"
	childDir   = "EXCHANGETEST_DIR"
	childRound = "EXCHANGETEST_ROUND"
)

// Kill runs work in a child process, which is this test run again, and kills it
// without warning (SIGKILL) at a random moment, several times in the same
// directory. work goes on until it is killed; it says what it was promised by
// calling promised, one line each. After each kill, after gets all promises so
// far and sees whether they were kept.
//
// A killed process loses what it had in memory, not what the system had not yet
// written: this shows the order of writes, not that they are synced.
func Kill(t *testing.T, rounds int, work func(dir string, round int, promised func(string)) error,
	after func(t *testing.T, dir string, promises []string)) {
	if os.Getenv(childTest) == t.Name() {
		beKilled(t, work)
		return
	}
	dir := t.TempDir()
	var promises []string
	for round := range rounds {
		promises = append(promises, killedChild(t, dir, round)...)
		after(t, dir, promises)
	}
	if len(promises) < rounds {
		t.Errorf("only %d promises in %d rounds: this shows nothing", len(promises), rounds)
	}
	t.Logf("%d promises before %d kills", len(promises), rounds)
}

func beKilled(t *testing.T, work func(dir string, round int, promised func(string)) error) {
	round, err := strconv.Atoi(os.Getenv(childRound))
	if err != nil {
		t.Fatal(err)
	}
	parent := os.NewFile(3, "parent")
	err = work(os.Getenv(childDir), round, func(s string) {
		if _, err := io.WriteString(parent, s+"\n"); err != nil {
			t.Error(err) // the parent is gone, and so will be this process
		}
	})
	t.Fatal("the work ended by itself:", err)
}

// killedChild starts a child, kills it some time after its first promise, and
// returns its promises.
func killedChild(t *testing.T, dir string, round int) []string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	child.Env = append(os.Environ(), childTest+"="+t.Name(), childDir+"="+dir, childRound+"="+strconv.Itoa(round))
	child.ExtraFiles = []*os.File{w}
	var output limited
	child.Stdout, child.Stderr = &output, &output
	if err := errors.Join(child.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	promises := killWhileReading(child, bufio.NewReader(r))
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child ended before it was killed: %v\n%s", err, output.b)
	}
	return promises
}

// killWhileReading returns whole lines only: half of one was not promised.
func killWhileReading(child *exec.Cmd, r *bufio.Reader) []string {
	var promises []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return promises
		}
		if len(promises) == 0 {
			time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() {
				_ = child.Process.Kill() // it may have ended; Wait tells
			})
		}
		promises = append(promises, line[:len(line)-1])
	}
}

// limited keeps the beginning of what a child prints.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(l.b) < 10_000 {
		l.b = fmt.Appendf(l.b, "%s", p)
	}
	return len(p), nil
}
