package edxml

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tram/exchange"
	"tram/signing"
)

var fullSize = flag.Bool("full", false, "TestConstantMemory reads fifty packages of 100 MB at once instead of fifty of 10 MB")

// TestConstantMemory holds the peak of a process that reads packages to that of
// one that reads a small package. Contents are decoded and digested; a single
// package is spooled to a file too, as in the hub.
//
//	go test -run ConstantMemory -v ./adapters/edxml -full
func TestConstantMemory(t *testing.T) {
	if packages := os.Getenv("TRAM_MEMORY_PACKAGES"); packages != "" {
		memoryProcess(t, packages)
		return
	}
	one, fifty := int64(gB), int64(10*mB)
	if *fullSize {
		fifty = 100 * mB
	}
	if raceDetector {
		one, fifty = 50*mB, mB // it is many times slower
	}
	small := peakOfReading(t, 1, 5000, "read")
	for _, c := range []struct {
		packages   int
		size, most int64
		how        string
	}{
		{1, one, 32 << 20, "read"},
		{50, fifty, 100 * mB, "read"},
		{1, one, 32 << 20, "validated"},
	} {
		grown := peakOfReading(t, c.packages, c.size, c.how) - small
		t.Logf("%d of %d MB %s: the peak grows by %.1f MB", c.packages, c.size/mB, c.how, float64(grown)/mB)
		if grown > c.most {
			t.Errorf("%d of %d bytes: the peak grows by %d bytes, want at most %d", c.packages, c.size, grown, c.most)
		}
	}
}

// peakOfReading reads packages in a process of its own, all of them open at
// once, and returns the most memory that it had resident.
func peakOfReading(t *testing.T, packages int, size int64, how string) int64 {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestConstantMemory$", "-test.v")
	c.Env = append(os.Environ(), fmt.Sprintf("TRAM_MEMORY_PACKAGES=%d of %d %s", packages, size, how))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, figure, _ := strings.Cut(string(out), "\nPEAK ")
	peak, err := strconv.ParseInt(strings.SplitN(figure, "\n", 2)[0], 10, 64)
	if err != nil || peak == 0 {
		t.Fatalf("no peak in %s", out)
	}
	return peak
}

func memoryProcess(t *testing.T, asked string) {
	var packages int
	var size int64
	var how string
	if _, err := fmt.Sscanf(asked, "%d of %d %s", &packages, &size, &how); err != nil {
		t.Fatal(err)
	}
	s := newStream(t, size)
	if how == "validated" {
		validateStream(t, s)
		fmt.Printf("\nPEAK %d\n", peakOf("self"))
		return
	}
	var middle, all sync.WaitGroup
	middle.Add(packages)
	for range packages {
		all.Go(func() {
			in, read := s.reader(func() { middle.Done(); middle.Wait() }), throughFormat
			if packages == 1 {
				read = func(r io.Reader) error { return spool(t.TempDir(), r) }
			}
			if err := read(in); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	fmt.Printf("\nPEAK %d\n", peakOf("self"))
}

// validateStream validates a package that was changed after it was signed: it is
// read as often as it ever is.
func validateStream(t *testing.T, s stream) {
	const told = "1250</edXML:CodeNumber>"
	if !strings.Contains(s.head, told) {
		t.Fatalf("nothing to change in %s", s.head)
	}
	s.head = strings.Replace(s.head, told, "1251</edXML:CodeNumber>", 1)
	opened := 0
	v, err := New(Options{}).Validate(func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(s.reader(nil)), nil
	}, true)
	if err != nil || v.OK() || v.Findings[0].Rule != "digest-mismatch" || opened < 4 {
		t.Errorf("%v after it was read %d times, %v", rulesOf(v), opened, err)
	}
}

// A stream is a signed package that is made while it is read: its beginning with
// the signature in it, content as long as wanted, its end.
type stream struct {
	head, tail string
	noise      string // base64 that does not compress
	times      int64
}

// newStream signs a package of about that size. The signature is made over all
// of it, as any package's is; only that all of it never exists.
func newStream(t testing.TB, size int64) stream {
	t.Helper()
	block := make([]byte, min(size/4*3, 48<<10)/3*3)
	_, _ = rand.NewChaCha8([32]byte{}).Read(block) // it never fails
	noise := base64.StdEncoding.EncodeToString(block)
	s := stream{noise: noise, times: size / int64(len(noise))}

	const mark = "mark"
	d := document(exchange.KindNew)
	d.Attachments = []Attachment{{Name: "a.pdf", Open: bytesOf([]byte(mark))}}
	var plain bytes.Buffer
	if err := Write(&plain, d); err != nil {
		t.Fatal(err)
	}
	found := false
	s.head, s.tail, found = strings.Cut(plain.String(), base64.StdEncoding.EncodeToString([]byte(mark)))
	if !found {
		t.Fatal("the package does not hold what was put into it")
	}
	key, chain := agencyKey(t)
	out := beginning{limit: 2*len(s.head) + 16<<10}
	if err := signing.Sign(&out, &rewinding{open: func() io.Reader { return s.reader(nil) }}, key, chain, SignaturePlace()); err != nil {
		t.Fatal(err)
	}
	s.head = out.String()[:strings.Index(out.String(), noise[:64])]
	return s
}

// reader reads the package. In the middle of it, pause is called.
func (s stream) reader(pause func()) io.Reader {
	return io.MultiReader(strings.NewReader(s.head), &repeating{text: s.noise, left: s.times, half: s.times / 2, pause: pause}, strings.NewReader(s.tail))
}

// repeating is a text many times.
type repeating struct {
	text       string
	at         int
	left, half int64
	pause      func() // called once, half-way
}

func (r *repeating) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	if r.at += n; r.at < len(r.text) {
		return n, nil
	}
	r.at = 0
	if r.left--; r.pause != nil && r.left <= r.half {
		r.pause()
		r.pause = nil
	}
	return n, nil
}

// rewinding is a reader that Sign can read twice.
type rewinding struct {
	open func() io.Reader
	io.Reader
}

func (r *rewinding) Read(p []byte) (int, error) {
	if r.Reader == nil {
		r.Reader = r.open()
	}
	return r.Reader.Read(p)
}

func (r *rewinding) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	r.Reader = nil
	return 0, nil
}

// beginning keeps the beginning of what is written to it.
type beginning struct {
	strings.Builder
	limit int
}

func (b *beginning) Write(p []byte) (int, error) {
	_, _ = b.Builder.Write(p[:min(len(p), b.limit-b.Len())]) // it never fails
	return len(p), nil
}
