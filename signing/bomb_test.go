package signing

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// repeated is text that never exists as a whole.
func repeated(unit string, times int) io.Reader {
	const piece = 64 << 10
	per := max(piece/len(unit), 1)
	block := strings.Repeat(unit, per)
	readers := []io.Reader{}
	for ; times >= per; times -= per {
		readers = append(readers, strings.NewReader(block))
	}
	return io.MultiReader(append(readers, strings.NewReader(block[:times*len(unit)]))...)
}

func around(before string, middle io.Reader, after string) io.Reader {
	return io.MultiReader(strings.NewReader(before), middle, strings.NewReader(after))
}

// numbered is text in which every piece is different.
func numbered(format string, times int) string {
	var b strings.Builder
	for i := range times {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// counted counts what a reader was asked for.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

// TestBombs: whatever a document asks for, reading it ends soon, with little
// memory, and before more of it was read than needed.
func TestBombs(t *testing.T) {
	const (
		kB = 1 << 10
		mB = 1 << 20
	)
	signed := sign(t, pkg(pdf), form{})
	signature := func(inside string) string { return replace(t, signed, "<ds:KeyInfo>", inside+"<ds:KeyInfo>") }
	wide := numbered(` xmlns:n%d="urn:n"`, 30)
	beforeInfo, afterInfo, _ := strings.Cut(signed, "<ds:CanonicalizationMethod")
	afterInfo = "<ds:CanonicalizationMethod" + afterInfo
	for _, c := range []struct {
		name   string
		r      io.Reader
		want   string
		read   int64 // at most
		memory int64 // allocated in all, at most
	}{
		{"deep", repeated("<a>", 5000), "too-deep", 64 * kB, mB},
		{"ten million elements", around("<a>", repeated("<b/>", 1e7), "</a>"), "too-many-elements", 192 * kB, 8 * mB},
		{"a hundred thousand attributes", around("<a", strings.NewReader(numbered(` a%d=""`, 1e5)), "/>"), "tag-too-long", 128 * kB, mB},
		{"a thousand short attributes", strings.NewReader("<a" + numbered(` a%d=""`, 1000) + "/>"), "too-many-attributes", 64 * kB, mB},
		{"attributes by the million", around("<a>", repeated("<b"+numbered(` a%d=""`, 64)+"/>", 2e4), "</a>"), "too-much-text", mB, 8 * mB},
		{"names by the million", strings.NewReader("<a>" + numbered("<b%d"+strings.Repeat("x", 200)+"/>", 3e4)), "too-much-text", 3 * mB, 8 * mB},
		{"long names by the thousand", strings.NewReader("<a>" + numbered(numbered2("<b%%d"+strings.Repeat("x", 200)+" c%%d"+strings.Repeat("y", 200)+"='' d%%[1]d"+strings.Repeat("z", 200)+"=''/>"), 2e4)), "too-much-text", 3 * mB, 8 * mB},
		{"namespaces on one element", strings.NewReader("<a" + numbered(` xmlns:n%d="urn:n"`, 33) + "/>"), "too-many-namespaces", 64 * kB, mB},
		{"namespaces in depth", repeated("<a"+wide+">", 990), "too-many-namespaces", 64 * kB, mB},
		{"declarations by the million", around("<a>", repeated("<b"+numbered(` xmlns:n%d="urn:n"`, 32)+"/>", 1e5), "</a>"), "too-many-elements", 16 * mB, 8 * mB},
		{"namespaces of different names", strings.NewReader("<a>" + numbered(`<b xmlns="urn:%d`+strings.Repeat("x", 1000)+`"/>`, 2e4)), "too-much-text", 3 * mB, 8 * mB},
		{"attribute of 64 MB", around(`<a b="`, repeated("x", 64*mB), `"/>`), "tag-too-long", 128 * kB, mB},
		{"name of 64 MB", around("<", repeated("a", 64*mB), "/>"), "tag-too-long", 128 * kB, mB},
		{"name of 10 kB", around("<", repeated("a", 10*kB), "/>"), "name-too-long", 64 * kB, mB},
		{"white space in a tag", around("<a", repeated(" ", 64*mB), "/>"), "tag-too-long", 128 * kB, mB},
		{"endless comment", around("<a><!--", repeated("x", 64*mB), "--></a>"), "comment", 64 * kB, mB},
		{"endless document type", around("<!DOCTYPE a [", repeated("<!ENTITY a 'b'>", mB), "]><a/>"), "doctype", 64 * kB, mB},
		{"endless xml declaration", around("<?xml ", repeated(" ", 64*mB), "?><a/>"), "xml-declaration", 64 * kB, mB},
		{"endless text", around("<a>", repeated("x", 64*mB), "</a>"), "too-much-text", 3 * mB, 16 * mB},
		{"endless references", around("<a>", repeated("&#65;", 4*mB), "</a>"), "too-much-text", 11 * mB, 16 * mB},
		{"endless reference", around("<a>&#", repeated("0", 64*mB), "65;</a>"), "invalid-reference", 64 * kB, mB},
		{"endless cdata", around("<a><![CDATA[", repeated("]]", 32*mB), "]]></a>"), "too-much-text", 3 * mB, 16 * mB},
		{"cdata of odd characters", around("<a><![CDATA[", repeated("]<", 4*mB), "]]></a>"), "too-much-text", 3 * mB, 16 * mB},
		{"carriage returns in signed info", around(beforeInfo, repeated("\r", 4*mB), afterInfo), "too-much-text", 3 * mB, 16 * mB},
		{"a million carriage returns in signed info", around(beforeInfo, repeated("\r", mB-64*kB), afterInfo), "signature-mismatch", 2 * mB, 40 * mB},
		{"endless white space first", repeated(" ", 100*mB), "document-too-large", 17 * mB, mB},
		{"endless white space last", around("<a/>", repeated("\n", 100*mB), ""), "document-too-large", 17 * mB, mB},
		{"a thousand references", strings.NewReader(sign(t, pkg(pdf), form{refs: strings.Repeat(referenceText("", "x"), 1000)})), "too-many-references", 256 * kB, mB},
		{"elements in the signature", strings.NewReader(signature(strings.Repeat("<ds:x/>", 15000))), "signature-structure", 192 * kB, mB},
		{"deep in the signature", strings.NewReader(signature(strings.Repeat("<ds:x>", 500))), "too-deep", 64 * kB, mB},
		{"declarations in signed info", strings.NewReader(replace(t, signed, "<ds:Transforms>", strings.Repeat("<ds:Transforms"+wide+">", 7))), "mismatched-tag", 64 * kB, mB},
		{"signature value of 512 kB", strings.NewReader(replace(t, signed, "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("QUJD", mB/8))), "signature-mismatch", 2 * mB, 12 * mB},
		{"certificate of 512 kB", strings.NewReader(replace(t, signed, "<ds:X509Certificate>", "<ds:X509Certificate>"+strings.Repeat("QUJD", mB/8))), "certificate-malformed", 2 * mB, 12 * mB},
		{"rsa key of 300 kbit", strings.NewReader(replace(t, signed, keyInfoText(signer(t, "agency-rsa").cert), keyInfoText(hugeKey(t)))), "weak-key", 192 * kB, 4 * mB},
		{"a long tag byte by byte", iotest.OneByteReader(strings.NewReader(`<a b="` + strings.Repeat("x", 30*kB) + `"></b>`)), "mismatched-tag", 64 * kB, mB},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &counted{Reader: c.r}
			o := inHeader()
			o.Limits.Bytes, o.Limits.TextBytes = 16*mB, mB // so that the test is quick
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := Read(in, o)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if outcome(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if in.n > c.read {
				t.Errorf("read %d bytes, want at most %d", in.n, c.read)
			}
			if used := int64(after.TotalAlloc - before.TotalAlloc); used > c.memory {
				t.Errorf("allocated %d bytes, want at most %d", used, c.memory)
			}
			if took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// numbered2 makes a format of which every verb is the same number.
func numbered2(format string) string {
	return strings.ReplaceAll(strings.ReplaceAll(format, "%%[1]d", "%[1]d"), "%%d", "%[1]d")
}

// hugeKey is a certificate whose key nobody needs to have.
func hugeKey(t *testing.T) *x509.Certificate {
	t.Helper()
	n := make([]byte, 300_000/8)
	if _, err := rand.Read(n); err != nil {
		t.Fatal(err)
	}
	n[0] |= 0x80
	n[len(n)-1] |= 1
	ca := signer(t, "ca")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "huge"}, NotAfter: judgedAt.AddDate(1, 0, 0)}
	authority(template)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWorstAccepted: what the limits still let through is cheap as well.
func TestWorstAccepted(t *testing.T) {
	scope := "<s" + numbered(` xmlns:n%d="urn:n"`, 32) + ">"
	deep := strings.Repeat(scope, 7) + strings.Repeat("<d>", 50)
	attributes := numbered(` n31:a%d="&#10;"`, 60)
	document := deep + strings.Repeat("<b"+attributes+"/>", 1900) + strings.Repeat("</d>", 50) + strings.Repeat("</s>", 7)
	began := time.Now()
	if _, err := Read(strings.NewReader(document), Options{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d bytes took %v", len(document), took)
	}
}

// TestConstantMemory: a large attachment passes through a small window.
func TestConstantMemory(t *testing.T) {
	o := inHeader()
	o.Stream = func(e *Element) io.Writer {
		if e.Local == "ContentTransferEncoded" {
			return io.Discard
		}
		return nil
	}
	empty := strings.Replace(pkg("@CONTENT@"), here, "", 1)
	before, after, _ := strings.Cut(empty, "@CONTENT@")
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	d, err := Read(around(before, repeated("QUJDREVG", 4<<20), after), o)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&end)
	if d.Size < 32<<20 {
		t.Errorf("only %d bytes were read", d.Size)
	}
	if used := end.TotalAlloc - start.TotalAlloc; used > 1<<20 {
		t.Errorf("allocated %d bytes for a document of %d", used, d.Size)
	}
}
