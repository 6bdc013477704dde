package bench

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

func TestPartOf(t *testing.T) {
	for _, c := range []struct{ name, stack, want string }{ // the innermost function first
		{"RSA in a package's signature", "crypto/internal/fips140/bigmod.addMulVVW2048 crypto/rsa.VerifyPKCS1v15 tram/signing.(*signature).verify tram/signing.Read tram/exchange.(*Exchange).submit net/http.(*conn).serve", partVerify},
		{"a package's digest", "crypto/internal/fips140/sha256.blockSHANI crypto/internal/fips140/sha256.(*Digest).Write tram/adapters/disk.(*draft).Write io.(*teeReader).Read tram/signing.Read", partDigests},
		{"a secret's digest", "crypto/internal/fips140/sha256.blockSHANI crypto/sha256.Sum256 tram/exchange.DigestOf tram/adapters/httpapi.(*Server).caller net/http.(*conn).serve", partHTTP},
		{"the scanner", "bytes.IndexByte tram/signing.(*scanner).text tram/signing.Read tram/exchange.(*Exchange).submit", partScanning},
		{"the body behind the scanner", "crypto/internal/fips140/aes/gcm.open crypto/tls.(*Conn).Read net/http.(*body).Read tram/signing.(*scanner).fill tram/signing.Read", partHTTP},
		{"sealing, and the scanner that reads back", "tram/signing.(*scanner).text tram/signing.(*Sealer).readBack tram/signing.(*Sealer).Seal tram/exchange.(*Exchange).seal", partSealing},
		{"JSON of the ledger's", "encoding/json.(*decodeState).object encoding/json.Unmarshal tram/adapters/bolt.get go.etcd.io/bbolt.(*DB).View", partJSON},
		{"the ledger", "go.etcd.io/bbolt.(*Cursor).seek tram/adapters/bolt.(*Ledger).Delivery tram/exchange.(*Exchange).Deliver", partLedger},
		{"a sync", "internal/runtime/syscall/linux.Syscall6 syscall.Syscall syscall.Fdatasync go.etcd.io/bbolt.fdatasync", partSyscalls},
		{"allocating inside JSON", "runtime.nextFreeFast runtime.mallocgc runtime.newobject encoding/json.Unmarshal", partRuntime},
		{"the collector", "runtime.scanobject runtime.gcDrain runtime.gcBgMarkWorker", partRuntime},
		{"copying, for whom it is done", "runtime.memmove tram/adapters/disk.(*draft).Write", partVault},
		{"what nobody owns", "time.Now tram/exchange.(*Exchange).now", partRest},
		{"nothing", "", partRest},
	} {
		if got := partOf(strings.Fields(c.stack)); got != c.want {
			t.Errorf("%s counts as %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	at := func(name string) *profile.Location {
		return &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name}}}}
	}
	one := &profile.Profile{Sample: []*profile.Sample{
		{Location: []*profile.Location{at("go.etcd.io/bbolt.write")}, Value: []int64{1, 30}},
		{Location: []*profile.Location{at("tram/adapters/disk.keep")}, Value: []int64{1, 10}},
	}}
	got := split([]*profile.Profile{one, one}, 200)
	want := []Part{{partLedger, 0.75, 150}, {partVault, 0.25, 50}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSteps(t *testing.T) {
	times := newTimes()
	for i := range 1000 {
		times.add(stepFetch, time.Duration(1000-i)*time.Millisecond)
	}
	times.add(stepSubmit, 7*time.Millisecond)
	got := times.steps()
	want := []Step{{stepSubmit, 1, 7, 7, 7, 7}, {stepFetch, 1000, 500, 990, 999, 1000}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTheDay sees that the dice fall as the tables say.
func TestTheDay(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	const n = 20_000
	alone, all, morning, sum := 0, 0, 0, 0
	for range n {
		fan := Fan(dice)
		sum += fan
		switch fan {
		case 1:
			alone++
		case broadcasts:
			all++
		}
		at := moment(dice)
		if at < 0 || at > workingDay {
			t.Fatalf("the moment %v is not of the day", at)
		}
		if at >= time.Hour && at < 4*time.Hour { // 8:00 to 11:00
			morning++
		}
	}
	for _, c := range []struct {
		what           string
		got, low, high float64
	}{
		{"to one agency", float64(alone) / n, 0.60, 0.64},
		{"to all", float64(all) / n, 0.003, 0.007},
		{"recipients on average", float64(sum) / n, 5, 7.5},
		{"in three morning hours", float64(morning) / n, 0.50, 0.54},
	} {
		if c.got < c.low || c.got > c.high {
			t.Errorf("%s: %v, want %v to %v", c.what, c.got, c.low, c.high)
		}
	}
}

func TestPDF(t *testing.T) {
	a, err := io.ReadAll(pdf(1, 100_000))
	if err != nil || len(a) != 100_000 || !bytes.HasPrefix(a, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(a, []byte("%%EOF\n")) {
		t.Errorf("%d bytes, %v", len(a), err)
	}
	b, err := io.ReadAll(pdf(2, 100_000))
	if err != nil || sha256.Sum256(a) == sha256.Sum256(b) {
		t.Error("two documents have the same file")
	}
}

func TestFloor(t *testing.T) {
	f, err := MeasureFloor(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f.cycle(1e6)
	small := f
	small.cycle(0)
	if d := f.CycleMicros - small.CycleMicros; d < 0.99*f.SHA256 || d > 1.01*f.SHA256 {
		t.Errorf("a megabyte more costs %v, SHA-256 takes %v", d, f.SHA256)
	}
	if small.CycleMicros < f.RSAVerify+3*f.ECSign+f.ECVerify {
		t.Errorf("the floor %v is below its parts: %+v", small.CycleMicros, f)
	}
}
