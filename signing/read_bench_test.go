package signing

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

var benchSizes = []struct {
	name  string
	bytes int
}{{"5kB", 5 << 10}, {"1MB", 1 << 20}, {"100MB", 100 << 20}}

// benchDocument is a signed package of about that size, one long attachment.
func benchDocument(b *testing.B, size int) []byte {
	b.Helper()
	empty := pkg("")
	content := strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk", max(size-len(empty)-3000, 0)/40)
	document := pkg(content)
	s := newScanner(strings.NewReader(strings.Replace(document, here, "", 1)), Options{NoDigest: true, Limits: Limits{TextBytes: 1 << 30}})
	defer s.release()
	if err := s.document(); err != nil {
		b.Fatal(err)
	}
	sum := s.canon.sum()
	return []byte(sign(b, document, form{digest: base64.StdEncoding.EncodeToString(sum[:])}))
}

// discard streams attachments to nowhere, as a hub streams them to a vault.
func discard(o Options) Options {
	o.Stream = func(e *Element) io.Writer {
		if e.Local == "ContentTransferEncoded" {
			return io.Discard
		}
		return nil
	}
	return o
}

func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		for _, digest := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/digest=%v", size.name, digest), func(b *testing.B) {
				document := benchDocument(b, size.bytes)
				o := discard(inHeader())
				o.NoDigest = !digest
				b.SetBytes(int64(len(document)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Read(bytes.NewReader(document), o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkFloor is what no verifier can do without: the digest of the bytes
// and one operation with the key.
func BenchmarkFloor(b *testing.B) {
	p := signer(b, "agency-rsa")
	info := sha256.Sum256([]byte("info"))
	value, err := p.key.Sign(nil, info[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range benchSizes {
		b.Run(size.name, func(b *testing.B) {
			document := benchDocument(b, size.bytes)
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				_ = sha256.Sum256(document)
				if err := rsa.VerifyPKCS1v15(p.cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, info[:], value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGoxmldsig is the library on its own, for comparison.
func BenchmarkGoxmldsig(b *testing.B) {
	p := signer(b, "agency-rsa")
	for _, size := range benchSizes[:2] {
		b.Run(size.name, func(b *testing.B) {
			document := benchDocument(b, size.bytes)
			b.SetBytes(int64(len(document)))
			b.ReportAllocs()
			for b.Loop() {
				doc := etree.NewDocument()
				if err := doc.ReadFromBytes(document); err != nil {
					b.Fatal(err)
				}
				ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{p.cert}})
				if _, err := ctx.Validate(doc.Root()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
