package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// TestBombsThroughTheDoor submits what asks for more than there is, as a system
// that may submit. The hub refuses each by its rule, for little of its processor's
// time and little memory, keeps nothing of it, and is afterwards as it was.
func TestBombsThroughTheDoor(t *testing.T) {
	t.Parallel()
	const each, grows = 5 * time.Second, 96 << 20 // a header may have 8 MB, more than once while it grows
	s, sender := attacked(t)
	quiet := restOf(s)
	pid := fmt.Sprint(s.serving.Process.Pid)
	idle := resident(t, pid, "VmRSS")
	must(t, os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0)) // VmHWM begins again
	for _, b := range append(bombs(), signedBombs(t)...) {
		t.Run(b.name, func(t *testing.T) {
			before := spent(t, pid)
			refused(t, sender, b.body(), -1, b.code, string(b.rule))
			if took := spent(t, pid) - before; took > each && !raced() {
				t.Errorf("it cost the hub %v", took)
			}
		})
	}
	held(t, "the hub's growth", resident(t, pid, "VmHWM")-idle, grows)
	nothingKept(t, s)
	quiet.again(t)
}

// spent is the processor's time that a process has used.
func spent(t *testing.T, pid string) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	must(t, err)
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * time.Second / 100 // ticks, of which Linux shows a hundred each second
}

// A bomb is a small document that asks for much, or a large one that asks for
// more than there is.
type bomb struct {
	name string
	body func() io.Reader
	code exchange.Code
	rule signing.Rule
}

func bombs() []bomb {
	const root = `<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"`
	text := func(parts ...any) func() io.Reader {
		return func() io.Reader { return bodyOf(parts...) }
	}
	attributes := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i)
		}
		return b.String()
	}
	return []bomb{
		{"5,000 deep", text(root, ">", repeated{"<a>", 5000}), exchange.TooLarge, signing.TooDeep},
		{"ten million elements", text(root, ">", repeated{"<a/>", 10_000_000}), exchange.TooLarge, signing.TooManyElements},
		{"a thousand attributes", text(root, attributes(1000, ` a%d="%d"`), "/>"), exchange.TooLarge, signing.TooManyAttributes},
		{"a hundred thousand attributes", text(root, attributes(100_000, ` a%d="%d"`), "/>"), exchange.TooLarge, signing.TagTooLong},
		{"a thousand namespaces", text(root, attributes(1000, ` xmlns:n%d="urn:%d"`), "/>"), exchange.TooLarge, signing.TooManyNamespaces},
		{"namespaces nested", text(root, ">", repeated{"<a" + attributes(30, ` xmlns:n%d="urn:%d"`) + ">", 60}), exchange.TooLarge, signing.TooManyNamespaces},
		{"an attribute of 64 MB", text(root, ` a="`, repeated{"xxxxxxxxxxxxxxxx", 4 << 20}, `"/>`), exchange.TooLarge, signing.TagTooLong},
		{"a name of a thousand letters", text(root, "><", repeated{"x", 1000}, "/>"), exchange.TooLarge, signing.NameTooLong},
		{"a name of 64 MB", text(root, "><", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}, "/>"), exchange.TooLarge, signing.TagTooLong},
		{"64 MB of text in a header", text(root, "><edXMLEnvelope>", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.TooLarge, signing.TooMuchText},
		{"an endless comment", text(root, "><!--", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.Malformed, signing.Comment},
		{"an endless processing instruction", text("<?a ", repeated{"xxxxxxxxxxxxxxxx", 4 << 20}), exchange.Malformed, signing.ProcessingInstruction},
		{"nothing but white space", text(repeated{"                ", 4 << 20}), exchange.Malformed, signing.Truncated},
		{"nothing", text(), exchange.Malformed, signing.Truncated},
		{"zeros", text(repeated{"\x00\x00\x00\x00", 1 << 20}), exchange.Malformed, signing.Encoding},
		{"a zip", text("PK\x03\x04", repeated{"0123456789abcdef", 1000}), exchange.Malformed, signing.TextOutsideRoot},
		{"gzip", text("\x1f\x8b\x08\x00", repeated{"0123456789abcdef", 1000}), exchange.Malformed, signing.TextOutsideRoot},
		{"JSON", text(`{"subject":"V/v thử nghiệm"}`), exchange.Malformed, signing.TextOutsideRoot},
	}
}

// repeated is a text, many times.
type repeated struct {
	text  string
	times int
}

// bodyOf is a body of texts and repeated texts, made while it is read.
func bodyOf(parts ...any) io.Reader {
	var all []io.Reader
	for _, p := range parts {
		if r, ok := p.(repeated); ok {
			all = append(all, &repeating{text: []byte(r.text), left: r.times})
			continue
		}
		all = append(all, strings.NewReader(p.(string)))
	}
	return io.MultiReader(all...)
}

type repeating struct {
	text []byte
	left int
	at   int // in text
}

func (r *repeating) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 {
		c := copy(p[n:], r.text[r.at:])
		n += c
		if r.at += c; r.at == len(r.text) {
			r.at = 0
			r.left--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// signedBombs are made of a package whose signature held before.
func signedBombs(t *testing.T) []bomb {
	t.Helper()
	good, err := os.ReadFile(filepath.Join(vectors, "rsa-sha256.xml"))
	must(t, err)
	text := string(good)
	made := func(name string, rule signing.Rule, old string, with ...any) bomb {
		before, after, found := strings.Cut(text, old)
		if !found {
			t.Fatalf("the package does not hold %s", old)
		}
		code := exchange.Code(rule.Kind())
		if code == "" { // a rule of the format
			code = exchange.Malformed
		}
		return bomb{name, func() io.Reader { return bodyOf(append(append([]any{before}, with...), after)...) }, code, rule}
	}
	const (
		transform = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>`
		listing   = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="`
		content   = "<ContentTransferEncoded>"
		quarter   = 1 << 20 // of 64 MB, in pieces of 16
	)
	all := []bomb{
		made("a thousand references", signing.TooManyReferences, "<ds:Reference ", repeated{`<ds:Reference URI=""></ds:Reference>`, 1000}, "<ds:Reference "),
		made("a hundred transforms", signing.TransformNotAllowed, transform, repeated{transform, 100}),
		made("ten thousand transforms", signing.SignatureStructure, transform, repeated{transform, 10_000}),
		made("fifteen thousand listed prefixes", signing.InclusivePrefixes, transform, listing, repeated{"n ", 15_000}, `"></ec:InclusiveNamespaces></ds:Transform>`),
		made("a hundred thousand certificates", signing.SignatureStructure, "<ds:X509Certificate>", repeated{"<ds:X509Certificate></ds:X509Certificate>", 100_000}, "<ds:X509Certificate>"),
		made("a signature value of 64 MB", signing.TooMuchText, "<ds:SignatureValue>", "<ds:SignatureValue>", repeated{"QUJDQUJDQUJDQUJD", 4 * quarter}),
		made("a signature in a signature, and so on", signing.SecondSignature, "<ds:SignedInfo ", repeated{`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`, 60}, "<ds:SignedInfo "),
		made("64 MB of base64 that was not signed", signing.DigestMismatch, content, content, repeated{"QUJDQUJDQUJDQUJD", 4 * quarter}),
		made("64 MB of white space in base64", signing.DigestMismatch, content, content, repeated{" \n\t \n\t \n\t \n\t \n", 4 * quarter}),
		made("base64 of one character in a line", signing.DigestMismatch, content, content, repeated{"Q\r\nU\r\nJ\r\nD\r\n", quarter}),
		made("base64 of character references", signing.DigestMismatch, content, content, repeated{"&#81;&#x55;&#74;&#68;", quarter / 4}),
		made("64 MB of padding", "base64-padding", content, content, repeated{"================", 4 * quarter}),
		made("64 MB of another alphabet", "base64-character", content, content, repeated{"-_-_-_-_-_-_-_-_", 4 * quarter}),
		made("a million empty elements in base64", signing.ElementInStreamedText, content, content, repeated{"<a/>", 1_000_000}),
		made("an endless CDATA section", signing.TooMuchText, "<Subject>", "<Subject><![CDATA[", repeated{"]]>]]<![CDATA[]>", 4 * quarter}),
		made("a thousand elements of one identifier", signing.DuplicateID, "<Subject>", repeated{`<x Id="x"/>`, 1000}, "<Subject>"),
	}
	text = strings.Replace(text, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", 1)
	return append(all, made("64 MB after a signature that does not hold", signing.SignatureMismatch, content, content, repeated{"QUJDQUJDQUJDQUJD", 4 * quarter}))
}
