package signing

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// An arbiter is another implementation in a process of its own, which answers as
// testdata/judge.py says. Questions may be asked ahead of their answers, as long as
// those are short: a pipe holds 64 KiB.
type arbiter struct {
	in      io.WriteCloser
	buf     *bufio.Writer
	answers *bufio.Reader
}

// A judgement is an arbiter's answer: yes or no, and the form asked for or the
// reason.
type judgement struct {
	yes  bool
	text string
}

// parties are whose keys an arbiter has, by their number.
var parties = []string{"agency-rsa", "agency-p256", "agency-p384", "agency-p521", "other-agency", "agency-ed25519"}

// xmlsecArbiter starts one that has xmlsec1's library and libxml2.
func xmlsecArbiter(t *testing.T) *arbiter {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(python)
		if err != nil || exec.Command(path, "-c", "import xmlsec, lxml").Run() != nil {
			continue
		}
		return startArbiter(t, path, "testdata/judge.py")
	}
	missing(t, "python3 with xmlsec and lxml")
	return nil
}

func startArbiter(t *testing.T, program string, args ...string) *arbiter {
	t.Helper()
	for _, p := range parties {
		args = append(args, filepath.Join(vectors, "keys", p+".pem"))
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends when nothing more is asked
		_ = cmd.Wait()
	})
	return &arbiter{in, bufio.NewWriterSize(in, 1<<16), bufio.NewReaderSize(out, 1<<16)}
}

func (a *arbiter) ask(kind, number byte, body string) {
	head := binary.BigEndian.AppendUint32([]byte{kind, number}, uint32(len(body)))
	_, _ = a.buf.Write(head) // one that is gone is noticed when it does not answer
	_, _ = a.buf.WriteString(body)
}

// send lets the arbiter see what was asked.
func (a *arbiter) send() { _ = a.buf.Flush() }

func (a *arbiter) answer(t *testing.T) judgement {
	t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(a.answers, head[:]); err != nil {
		t.Fatalf("the arbiter does not answer: %v", err)
	}
	text := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(a.answers, text); err != nil {
		t.Fatalf("the arbiter does not answer: %v", err)
	}
	return judgement{head[0] == 1, string(text)}
}

// sign has the arbiter fill in a template; empty where it cannot.
func (a *arbiter) sign(t *testing.T, party int, template string) string {
	t.Helper()
	a.ask('s', byte(party), template)
	a.send()
	if signed := a.answer(t); signed.yes {
		return signed.text
	}
	return ""
}

// canonical asks for a canonical form; see testdata/judge.py.
func (a *arbiter) canonical(form byte, prefixes string, element int, document string) {
	a.ask('c', form, prefixes+"\n"+strconv.Itoa(element)+"\n"+document)
}
