package edxml

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"tram/signing"
)

// A subject verifies files.
type subject struct {
	name    string
	most    int64 // the largest package it is asked to verify
	measure func(b *testing.B, file string, size int64) cost
}

const (
	mB = 1_000_000
	gB = 1_000 * mB

	floor = "floor: SHA-256, one RSA verification"

	compareSubject = "TRAM_COMPARE_SUBJECT"
	compareFile    = "TRAM_COMPARE_FILE"
)

// own are the subjects that run in processes of this test program.
var own = []struct {
	name   string
	most   int64
	verify func(*testing.B, *os.File) error
}{
	{floor, gB, verifyFloor},
	{"signing.Read", gB, readOnly},
	{"… attachments decoded and digested", gB, func(_ *testing.B, f *os.File) error { return throughFormat(f) }},
	{"… and spooled, as in the hub", gB, func(b *testing.B, f *os.File) error { return spool(b.TempDir(), f) }},
	{"goxmldsig on etree", 10 * mB, verifyGoxmldsig},
}

// subjects are those that can be measured here.
func subjects(b *testing.B, dir string) []subject {
	b.Helper()
	var all []subject
	for _, s := range own {
		all = append(all, subject{s.name, s.most, func(b *testing.B, file string, _ int64) cost { return inOwnProcess(b, s.name, file) }})
	}
	if xmlsec1, err := exec.LookPath("xmlsec1"); err == nil {
		all = append(all, subject{"xmlsec1, without its start", gB, xmlsecSubject(b, xmlsec1, dir)})
	}
	if javac, err := exec.LookPath("javac"); err == nil {
		watched(b, exec.Command(javac, "-d", dir, "../../signing/testdata/CompareXML.java"))
		all = append(all,
			subject{"JDK, warm", 100 * mB, func(b *testing.B, file string, size int64) cost { return jdk(b, dir, file, times(size), times(size)) }},
			subject{"JDK, one run with its start", 100 * mB, func(b *testing.B, file string, _ int64) cost { return jdk(b, dir, file, 1, 0) }})
	}
	return all
}

// times is how often a package of that size is verified in one process.
func times(size int64) int { return int(min(max(100*mB/size, 1), 2000)) }

// inOwnProcess lets this test program run again, as one subject.
func inOwnProcess(b *testing.B, name, file string) cost {
	b.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkCompare$", "-test.benchtime=1x")
	c.Env = append(os.Environ(), compareSubject+"="+name, compareFile+"="+file)
	out, whole := watched(b, c)
	_, figures, _ := strings.Cut(out, "\nMEASURED ")
	var cpu, peak int64
	if _, err := fmt.Sscan(figures, &cpu, &peak); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return cost{time.Duration(cpu), max(peak, whole.peak)}
}

// ownProcess is the other side of inOwnProcess.
func ownProcess(b *testing.B, name, file string) {
	var verify func(*testing.B, *os.File) error
	for _, s := range own {
		if s.name == name {
			verify = s.verify
		}
	}
	once := func() {
		in, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(verify(b, in), in.Close()); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	n := times(info.Size())
	for range n / 4 {
		once() // to warm up
	}
	before := used(b)
	for range n {
		once()
	}
	fmt.Printf("\nMEASURED %d %d\n", int64(used(b)-before)/int64(n), peakOf("self"))
}

// used is the CPU time of this process.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakOf is the most memory that a process had resident, in bytes; 0 once it has
// ended.
func peakOf(pid string) int64 {
	status, _ := os.ReadFile("/proc/" + pid + "/status") // it may have ended
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB int64
	_, _ = fmt.Sscan(rest, &kB) // as above
	return kB << 10
}

// watched runs a program, and returns what it said and what it took. Its peak is
// looked at while it runs: what the kernel reports at the end counts the memory
// of this process too, from which it was started.
func watched(b *testing.B, c *exec.Cmd) (string, cost) {
	b.Helper()
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() {
		most, tick := int64(0), time.NewTicker(2*time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				peak <- most
				return
			case <-tick.C:
				most = max(most, peakOf(strconv.Itoa(c.Process.Pid)))
			}
		}
	}()
	err := c.Wait()
	close(ended)
	most := <-peak
	if err != nil {
		b.Fatalf("%s: %v\n%s", c.Path, err, out.String())
	}
	return out.String(), cost{c.ProcessState.UserTime() + c.ProcessState.SystemTime(), most}
}

// xmlsecSubject repeats the verification in one process. What the process takes
// to start and to read its keys is measured with a package of 5 kB and taken off.
func xmlsecSubject(b *testing.B, xmlsec1, dir string) func(*testing.B, string, int64) cost {
	b.Helper()
	small := signedFile(b, b.TempDir(), 5000)
	run := func(b *testing.B, file string, n int) cost {
		b.Helper()
		_, c := watched(b, exec.Command(xmlsec1, "--verify", "--repeat", strconv.Itoa(n), "--trusted-pem", keys+"ca.pem", file))
		return c
	}
	return func(b *testing.B, file string, size int64) cost {
		b.Helper()
		start, n := run(b, small, 1), times(size)
		c := run(b, file, n)
		return cost{max(c.cpu-start.cpu, 0) / time.Duration(n), c.peak}
	}
}

// jdk verifies so often to warm up, and so often to be measured; without the
// latter the whole run counts.
func jdk(b *testing.B, classes, file string, warm, measured int) cost {
	b.Helper()
	out, c := watched(b, exec.Command("java", "-cp", classes, "CompareXML", file, strconv.Itoa(warm), strconv.Itoa(measured)))
	if measured == 0 {
		return c
	}
	cpu, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return cost{time.Duration(cpu), c.peak}
}

const keys = "../../testdata/vectors/keys/"

// agencyKey is an agency's key of the vectors, issued by their authority.
func agencyKey(t testing.TB) (crypto.Signer, []*x509.Certificate) {
	t.Helper()
	data, err := os.ReadFile(keys + "agency-rsa.pem")
	if err != nil {
		t.Fatal(err)
	}
	first, rest := pem.Decode(data)
	second, _ := pem.Decode(rest)
	cert, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(second.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer), []*x509.Certificate{cert}
}

func verifyFloor(b *testing.B, f *os.File) error {
	document := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{document}, struct{ io.Reader }{f}, make([]byte, 64<<10)); err != nil {
		return err
	}
	some := floorSignature(b)
	return rsa.VerifyPKCS1v15(some.key, crypto.SHA256, some.digest[:], some.value)
}

// someSignature is any one by the agency's key: verifying one costs what
// verifying another does.
type someSignature struct {
	key    *rsa.PublicKey
	digest [sha256.Size]byte
	value  []byte
}

var theSignature someSignature // made once in the process of the floor

func floorSignature(b *testing.B) someSignature {
	b.Helper()
	if theSignature.key != nil {
		return theSignature
	}
	key, _ := agencyKey(b)
	value, err := key.Sign(nil, theSignature.digest[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	theSignature.key, theSignature.value = key.Public().(*rsa.PublicKey), value
	return theSignature
}

func readOnly(_ *testing.B, f *os.File) error {
	discard := func(e *signing.Element) io.Writer {
		if e.Local == "ContentTransferEncoded" {
			return io.Discard
		}
		return nil
	}
	doc, err := signing.Read(f, signing.Options{Stream: discard, SignatureIn: [][]signing.Name{SignaturePlace()}, NoDigest: true})
	return verified(doc, err)
}

func verified(doc *signing.Document, err error) error {
	if err == nil && doc.Signature == nil {
		return errors.New("the package is not signed")
	}
	return err
}

// throughFormat reads a package as the exchange does.
func throughFormat(r io.Reader) error {
	d := New(Options{}).Decoder()
	o := d.Options()
	o.NoDigest = true
	doc, err := signing.Read(r, o)
	if err := verified(doc, err); err != nil {
		return err
	}
	_, err = d.Decode(doc)
	return err
}

// spool writes the package to a file and digests it while it is read, as the
// vault does.
func spool(dir string, r io.Reader) error {
	file, err := os.CreateTemp(dir, "spool")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	return throughFormat(io.TeeReader(r, io.MultiWriter(file, sha256.New())))
}

func verifyGoxmldsig(b *testing.B, f *os.File) error {
	_, chain := agencyKey(b)
	doc := etree.NewDocument()
	if _, err := doc.ReadFrom(f); err != nil {
		return err
	}
	_, err := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: chain}).Validate(doc.Root())
	return err
}
