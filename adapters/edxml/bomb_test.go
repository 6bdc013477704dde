package edxml

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"tram/exchange"
	"tram/signing"
)

// TestBombs: whatever an attachment's base64 is made of, decoding it takes little
// memory and ends; what is wrong with it is noticed when it is met. Bombs in ZIPs
// are among the refusals of ZIPs.
func TestBombs(t *testing.T) {
	const kiB, miB = 1 << 10, 1 << 20
	sample, err := os.ReadFile("../../testdata/samples/replace.edxml")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(sample), "<ContentTransferEncoded>")
	_, after, found := strings.Cut(rest, "</ContentTransferEncoded>")
	if !found {
		t.Fatal("the sample has no content")
	}
	before, after = before+"<ContentTransferEncoded>", "</ContentTransferEncoded>"+after
	many := func(text string, n int64) io.Reader { // in pieces
		return &repeating{text: strings.Repeat(text, 256), left: n / 256}
	}
	inside := func(content io.Reader) io.Reader {
		return io.MultiReader(strings.NewReader(before), content, strings.NewReader(after))
	}
	attachments := func(n int) io.Reader {
		one := "<Attachment><ContentId>x%d</ContentId><ContentTransferEncoded>QUJD</ContentTransferEncoded></Attachment>"
		start, end, _ := strings.Cut(string(sample), "</AttachmentEncoded>")
		var list strings.Builder
		for i := range n {
			fmt.Fprintf(&list, one, i)
		}
		return strings.NewReader(start + list.String() + "</AttachmentEncoded>" + end)
	}
	for _, c := range []struct {
		name   string
		r      io.Reader
		rule   string // empty: accepted
		read   int64  // at most
		memory int64  // allocated in all, at most
	}{
		{"one character in a line", inside(many("Q\nU\nJ\nD\n", 256*kiB)), "", 3 * miB, miB},
		{"one character in a line of Windows", inside(many("Q\r\nU\r\nJ\r\nD\r\n", 128*kiB)), "", 3 * miB, miB},
		{"indented far", inside(many("QUJD"+strings.Repeat(" ", 16*kiB), 256)), "", 5 * miB, miB},
		{"nothing but white space", inside(many(" \n\t ", miB)), "missing-element", 5 * miB, miB},
		{"character references", inside(many("&#81;&#x55;&#74;&#68;", 128*kiB)), "", 3 * miB, miB},
		{"white space by number", inside(many("&#32;&#10;&#9;&#13;", 64*kiB)), "missing-element", 3 * miB, miB},
		{"sections of one character", inside(many("<![CDATA[Q]]><![CDATA[U]]>J<![CDATA[D]]>", 64*kiB)), "", 4 * miB, miB},
		{"byte by byte", iotest.OneByteReader(inside(many("QUJD", 256*kiB))), "", 5 * miB, miB},
		{"padding without end", inside(many("====", 4*miB)), "base64-padding", 128 * kiB, miB},
		{"padding in the middle", inside(many("QUI=", 4*miB)), "base64-padding", 128 * kiB, miB},
		{"a character less", inside(io.MultiReader(many("QUJD", miB), strings.NewReader("QUJ"))), "base64-cut-off", 5 * miB, miB},
		{"left-over bits", inside(io.MultiReader(many("QUJD", miB), strings.NewReader("QUK="))), "base64-bits", 5 * miB, miB},
		{"of another alphabet", inside(many("-_-_", 4*miB)), "base64-character", 128 * kiB, miB},
		{"elements in it", inside(many("<a/>", 4*miB)), "element-in-streamed-text", 128 * kiB, miB},
		{"more than may be decoded", inside(many("QUJD", 16*miB)), "attachments-too-large", 45 * miB, miB},
		{"ten thousand attachments", attachments(10_000), "too-many-attachments", 2 * miB, 12 * miB},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &counting{Reader: c.r}
			var start, end runtime.MemStats
			runtime.ReadMemStats(&start)
			began := time.Now()
			_, err := decode(New(Options{Total: 32 * miB}), in)
			took := time.Since(began)
			runtime.ReadMemStats(&end)
			if got := ruleOf(err); got != c.rule {
				t.Errorf("%q, want %q: %v", got, c.rule, err)
			}
			if in.n > c.read {
				t.Errorf("read %d bytes, want at most %d", in.n, c.read)
			}
			if used := int64(end.TotalAlloc - start.TotalAlloc); used > c.memory {
				t.Errorf("allocated %d bytes, want at most %d", used, c.memory)
			}
			if took > 20*time.Second { // far more than anything here takes
				t.Errorf("took %v", took)
			}
		})
	}
}

// counting counts what a reader was asked for.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// ruleOf is the name of the rule that refused; empty if none did.
func ruleOf(err error) string {
	if e, ok := errors.AsType[*exchange.Error](err); ok {
		return e.Rule.Name
	}
	if e, ok := errors.AsType[*signing.Error](err); ok {
		return string(e.Rule)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
