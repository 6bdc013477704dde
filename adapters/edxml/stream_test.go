package edxml

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// noise reads as n bytes that do not compress: they repeat only after more than
// deflate looks back.
func noise(n int64) io.Reader {
	block, at := make([]byte, 64<<10), 0
	_, _ = rand.NewChaCha8([32]byte{}).Read(block) // it never fails
	return io.LimitReader(readerFunc(func(p []byte) (int, error) {
		n := copy(p, block[at:])
		at = (at + n) % len(block)
		return n, nil
	}), n)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// large is a document with a file of n bytes, sent as it is or wrapped.
func large(name string, n int64) Document {
	d := document(exchange.KindNew)
	d.Attachments = []Attachment{{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(noise(n)), nil }}}
	return d
}

// A package far larger than the memory that reading takes goes through from the
// writer to the reader.
func TestMemoryDoesNotGrowWithThePackage(t *testing.T) {
	const size = 8 << 20
	for _, name := range []string{"a.pdf", "a.bin"} {
		from, to := io.Pipe()
		go func() { to.CloseWithError(Write(to, large(name, size))) }()
		var peak uint64
		watched := readerFunc(func(p []byte) (int, error) {
			n, err := from.Read(p)
			peak = max(peak, heap())
			return n, err
		})
		before := heap()
		p, err := decode(New(Options{}), &every{r: watched, direct: from, n: 120})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		_, _ = io.Copy(sum, noise(size))
		if a := p.Attachments[0]; a.Size != size || !bytes.Equal(a.Digest[:], sum.Sum(nil)) {
			t.Errorf("%s: %d bytes with another digest, want the %d that were sent", name, a.Size, size)
		}
		// A compressor and the buffers on both sides take a megabyte, whatever the size.
		if grown := int64(peak) - int64(before); grown > size/3 {
			t.Errorf("%s: the heap grew by %d bytes for a file of %d", name, grown, size)
		}
	}
}

// every reads through r once in n times: measuring the heap stops the world.
type every struct {
	r, direct io.Reader
	n, i      int
}

func (e *every) Read(p []byte) (int, error) {
	if e.i++; e.i%e.n == 0 {
		return e.r.Read(p)
	}
	return e.direct.Read(p)
}

// heap is what is in use after collecting the garbage.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestSignedWhereTheStandardSigns(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "So Tai chinh"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string][]signing.Name{"in the header": SignaturePlace(), "last in the root": nil} {
		t.Run(name, func(t *testing.T) {
			var signed bytes.Buffer
			if err := signing.Sign(&signed, bytes.NewReader(written(t, document(exchange.KindUpdate))), key, []*x509.Certificate{cert}, at); err != nil {
				t.Fatal(err)
			}
			p, err := decode(New(Options{}), &signed)
			if err != nil {
				t.Fatal(err)
			}
			want := exchange.Signature{Method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
				Certificate: exchange.DigestOf(der), Subject: "CN=So Tai chinh", Serial: "7"}
			if p.Signature == nil || *p.Signature != want {
				t.Errorf("signature %+v, want %+v", p.Signature, want)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, file := range []string{"samples/new-signed", "vxp/sdk-01-new"} {
		doc, err := os.ReadFile(filepath.Join("../../testdata", file+".edxml"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(file), func(b *testing.B) { benchmark(b, doc) })
	}
	for _, name := range []string{"a.pdf", "a.bin"} {
		b.Run("10MB "+strings.TrimPrefix(name, "a."), func(b *testing.B) {
			var doc bytes.Buffer
			if err := Write(&doc, large(name, 10<<20)); err != nil {
				b.Fatal(err)
			}
			benchmark(b, doc.Bytes())
		})
	}
}

func benchmark(b *testing.B, doc []byte) {
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(New(Options{}), bytes.NewReader(doc)); err != nil {
			b.Fatal(err)
		}
	}
}
