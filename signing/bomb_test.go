package signing

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
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
	namespaces, using := numbered(`<x xmlns:n%d="urn:`+strings.Repeat("x", 10*kB)+`">`, 30), numbered(` n%d:a%[1]d=""`, 30)
	beforeInfo, afterInfo, _ := strings.Cut(signed, "<ds:CanonicalizationMethod")
	afterInfo = "<ds:CanonicalizationMethod" + afterInfo
	beforeDigest, afterDigest, _ := strings.Cut(signed, "</ds:DigestValue>")
	afterDigest = "</ds:DigestValue>" + afterDigest
	first, _, _ := strings.Cut(signed, "<edXMLBody>") // the signature stands in the header
	const exclusive = `<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>`
	transforms := func(n int) string { return replace(t, signed, exclusive, strings.Repeat(exclusive, n)) }
	prefixes := func(list string) string {
		return replace(t, signed, exclusive, strings.Replace(exclusive, "></", `><ec:InclusiveNamespaces xmlns:ec="`+algExcC14N+`" PrefixList="`+list+`"></ec:InclusiveNamespaces></`, 1))
	}
	certificates := func(n int) string {
		one := base64.StdEncoding.EncodeToString(signer(t, "other-agency").cert.Raw)
		return strings.Repeat("<ds:X509Certificate>"+one+"</ds:X509Certificate>", n)
	}
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
		{"namespaces of different names", strings.NewReader("<a>" + numbered(`<b xmlns="urn:%d`+strings.Repeat("x", 200)+`"/>`, 2e4)), "too-much-text", 3 * mB, 8 * mB},
		{"a namespace of 30 kB", strings.NewReader(`<a xmlns="urn:` + strings.Repeat("x", 30*kB) + `"/>`), "name-too-long", 64 * kB, mB},
		{"namespaces that signed info writes again and again", strings.NewReader(beforeInfo + namespaces + strings.Repeat("<x"+using+"/>", 300) + strings.Repeat("</x>", 30) + afterInfo), "name-too-long", 128 * kB, mB},
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
		{"signed info of what is longer in canonical form", strings.NewReader(beforeInfo + "<x>" + strings.Repeat(">", mB-64*kB) + "</x>" + afterInfo), "signature-structure", 512 * kB, 16 * mB},
		{"signed info of attributes that are longer in canonical form", strings.NewReader(beforeInfo + strings.Repeat("<x a='"+strings.Repeat(`"`, 30*kB)+"'/>", 32) + afterInfo), "signature-structure", 512 * kB, 16 * mB},
		{"endless white space first", repeated(" ", 100*mB), "document-too-large", 17 * mB, mB},
		{"endless white space last", around("<a/>", repeated("\n", 100*mB), ""), "document-too-large", 17 * mB, mB},
		{"a thousand references", strings.NewReader(sign(t, pkg(pdf), form{refs: strings.Repeat(referenceText("", "x"), 1000)})), "too-many-references", 256 * kB, mB},
		{"a hundred transforms", strings.NewReader(transforms(100)), "transform-not-allowed", 64 * kB, mB},
		{"ten thousand transforms", strings.NewReader(transforms(10_000)), "signature-structure", 256 * kB, mB},
		{"a prefix list of 30 kB", strings.NewReader(prefixes(strings.Repeat("n ", 15*kB))), "inclusive-prefixes", 64 * kB, 2 * mB},
		{"a prefix list of one name of 30 kB", strings.NewReader(prefixes(strings.Repeat("n", 30*kB))), "signature-mismatch", 64 * kB, 2 * mB},
		{"a reference's URI of 30 kB", strings.NewReader(replace(t, signed, `URI=""`, `URI="`+strings.Repeat("x", 30*kB)+`"`)), "reference-not-allowed", 64 * kB, 2 * mB},
		{"a digest of 512 kB", strings.NewReader(replace(t, signed, "<ds:DigestValue>", "<ds:DigestValue>"+strings.Repeat("QUJD", mB/8))), "signature-base64", 2 * mB, 12 * mB},
		{"a digest of white space", around(beforeDigest, repeated(" ", 4*mB), afterDigest), "too-much-text", 3 * mB, 24 * mB},
		{"a signature value of white space", strings.NewReader(replace(t, signed, "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("\n", mB/2))), accepted, 2 * mB, 12 * mB},
		{"a signature value of padding", strings.NewReader(replace(t, signed, "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("=", mB/2))), "signature-base64", 2 * mB, 12 * mB},
		{"a signature value of line ends by number", strings.NewReader(replace(t, signed, "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("&#10;", mB/2))), accepted, 4 * mB, 12 * mB},
		{"a hundred certificates", strings.NewReader(replace(t, signed, "<ds:X509Certificate>", certificates(100)+"<ds:X509Certificate>")), "key-info-not-allowed", 256 * kB, 4 * mB},
		{"ten thousand empty certificates", strings.NewReader(replace(t, signed, "<ds:X509Certificate>", strings.Repeat("<ds:X509Certificate/>", 1e4)+"<ds:X509Certificate>")), "signature-structure", 256 * kB, mB},
		{"a subject name of 512 kB", strings.NewReader(replace(t, signed, "<ds:X509Certificate>", "<ds:X509SubjectName>"+strings.Repeat("x", mB/2)+"</ds:X509SubjectName><ds:X509Certificate>")), accepted, 2 * mB, 8 * mB},
		{"an endless body after a signature that does not hold", around(replace(t, first, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA"), repeated("QUJD", 16*mB), "</x>"), "signature-mismatch", 128 * kB, mB},
		{"a thousand identifiers that are one", strings.NewReader("<a>" + strings.Repeat("<b Id='x'/>", 1000)), "duplicate-id", 64 * kB, mB},
		{"identifiers by the ten thousand", around("<a>", strings.NewReader(numbered("<b Id='%d' ID='a%[1]d' id='b%[1]d' xml:id='c%[1]d'/>", 2e4)), "</a>"), "too-much-text", 2 * mB, 8 * mB},
		{"prefixes by the ten thousand", strings.NewReader("<a>" + numbered("<n%d:b xmlns:n%[1]d='urn:n'/>", 2e4)), "too-much-text", mB, 8 * mB},
		{"an attribute of references", strings.NewReader(`<a b="` + strings.Repeat("&#x10FFFF;", 3000) + `"></b>`), "mismatched-tag", 64 * kB, mB},
		{"attributes whose order is the reverse", strings.NewReader("<a>" + strings.Repeat("<b"+reversed(64)+"/>", 2e4)), "too-much-text", mB, 8 * mB},
		{"elements in the signature", strings.NewReader(signature(strings.Repeat("<ds:x/>", 15000))), "signature-structure", 192 * kB, mB},
		{"deep in the signature", strings.NewReader(signature(strings.Repeat("<ds:x>", 500))), "too-deep", 64 * kB, mB},
		{"declarations in signed info", strings.NewReader(replace(t, signed, "<ds:Transforms>", strings.Repeat("<ds:Transforms"+wide+">", 7))), "mismatched-tag", 64 * kB, mB},
		{"signature value of 512 kB", strings.NewReader(replace(t, signed, "<ds:SignatureValue>", "<ds:SignatureValue>"+strings.Repeat("QUJD", mB/8))), "signature-mismatch", 2 * mB, 12 * mB},
		{"certificate of 512 kB", strings.NewReader(replace(t, signed, "<ds:X509Certificate>", "<ds:X509Certificate>"+strings.Repeat("QUJD", mB/8))), "certificate-malformed", 2 * mB, 12 * mB},
		{"rsa key of 300 kbit", strings.NewReader(replace(t, signed, keyInfoText(signer(t, "agency-rsa").cert), keyInfoText(hugeKey(t)))), "weak-key", 192 * kB, 4 * mB},
		{"text byte by byte", iotest.OneByteReader(io.LimitReader(around("<a>", repeated("x\r\n&lt;é", mB), "</a>"), mB)), "truncated", 2 * mB, 8 * mB},
		{"cdata byte by byte", iotest.OneByteReader(io.LimitReader(around("<a><![CDATA[", repeated("]]<\r", mB), ""), 2*mB)), "too-much-text", 2 * mB, 8 * mB},
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
			if took > hang {
				t.Errorf("took %v", took)
			}
		})
	}
}

// hang is far more than anything here takes: what is bounded are the bytes that
// are read and the memory that is spent.
const hang = 20 * time.Second

// reversed is n attributes whose canonical order is the reverse of how they stand.
func reversed(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%02d=''", n-i)
	}
	return b.String()
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

// TestWorstAccepted: what the limits still let through is cheap as well, in every
// canonical form: prefixes that are looked up behind many, namespaces that are
// written again and again.
func TestWorstAccepted(t *testing.T) {
	const wide, width = 7, 32 // elements inside one another, of so many declarations
	open := ""
	for i := range wide {
		open += "<s" + numbered(fmt.Sprintf(` xmlns:p%d_%%d="urn:n"`, i), width) + ">"
	}
	deep := open + strings.Repeat("<d>", 50)
	end := strings.Repeat("</d>", 50) + strings.Repeat("</s>", wide)
	attributes := numbered(` p0_31:a%d="&#10;"`, 60)
	documents := map[string]string{
		"attributes": deep + strings.Repeat("<b"+attributes+"/>", 1900) + end,
		"elements":   deep + strings.Repeat("<b/>", 19_000) + end,
		"prefixes":   deep + strings.Repeat("<p0_0:b p0_1:a='' p0_2:b='' p0_3:c=''/>", 19_000) + end,
		"declared":   deep + strings.Repeat("<b"+numbered(` xmlns:q%d="urn:q"`, 24)+" q0:a=''/>", 6000) + end,
	}
	listed := strings.TrimSpace(numbered(" p0_%d", width)) // the outermost: found last
	for in, change := range map[string]func(string) string{
		"exclusive": func(info string) string { return info },
		"inclusive": func(info string) string { return strings.ReplaceAll(info, algExcC14N, algC14N) },
		"listed prefixes": changing(t, `<ds:Transform Algorithm="`+algExcC14N+`">`,
			`<ds:Transform Algorithm="`+algExcC14N+`"><ec:InclusiveNamespaces xmlns:ec="`+algExcC14N+`" PrefixList="`+listed+`"></ec:InclusiveNamespaces>`),
	} {
		for name, document := range documents {
			signed := sign(t, "<r>"+document+here+"</r>", form{digest: base64.StdEncoding.EncodeToString(make([]byte, 32)), info: change})
			began := time.Now()
			_, err := Read(strings.NewReader(signed), Options{})
			took := time.Since(began)
			t.Logf("%s, %s: %d bytes, %v", in, name, len(signed), took)
			if took > hang {
				t.Errorf("%s, %s: %d bytes took %v", in, name, len(signed), took)
			}
			if outcome(err) != "digest-mismatch" { // after all the work
				t.Errorf("%s, %s: %v", in, name, err)
			}
		}
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
