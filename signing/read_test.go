package signing

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSamples reads packages as agencies' software writes them.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("../testdata/samples/*.edxml")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Read(bytes.NewReader(data), inHeader())
			if err != nil {
				t.Fatal(err)
			}
			if (d.Signature != nil) != strings.Contains(file, "-signed") {
				t.Errorf("signature: %v", d.Signature)
			}
			if d.Size != int64(len(data)) || d.Digest != sha256.Sum256(data) {
				t.Error("size or digest of the bytes is wrong")
			}
		})
	}
}

func TestSignatureOfTheSample(t *testing.T) {
	f, err := os.Open("../testdata/samples/new-signed.edxml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Read(f, inHeader())
	if err != nil {
		t.Fatal(err)
	}
	got := d.Signature
	if got.Method != algRSASHA256 || got.DigestMethod != algSHA256 || got.Line != 78 || !got.SigningTime.IsZero() ||
		got.Certificate.Subject.CommonName != "So Tai chinh (TEST)" || len(got.Others) != 0 {
		t.Errorf("got %+v", got)
	}
	const header = "/edXML/edXMLEnvelope/edXMLHeader"
	in := d.Root.Child(nsQCVN, "edXMLEnvelope").Child(nsQCVN, "edXMLHeader")
	if in.Path() != header || in.Child(nsDS, "Signature") != nil {
		t.Error("the header is not there, or its signature still is")
	}
	to := in.Child(nsQCVN, "MessageHeader").All(nsQCVN, "To")
	if len(to) != 2 || to[1].Child(nsQCVN, "OrganName").Value() != "UBND phường An Xuyên" || to[1].Line != 19 {
		t.Errorf("recipients: %+v", to)
	}
	if id, ok := in.Child(nsQCVN, "TraceHeaderList").Attr("", "id"); !ok || !strings.HasPrefix(id, "7c0f3a52") {
		t.Errorf("id is %q", id)
	}
	absent := in.Child(nsQCVN, "Nothing").Child(nsQCVN, "Further")
	if _, ok := absent.Attr("", "id"); ok || absent.Value() != "" || absent.All("", "x") != nil || absent.Path() != "" {
		t.Error("what is not there answers with something")
	}
}

// TestTree: text and attributes as they are meant, mixed content in order.
func TestTree(t *testing.T) {
	const document = "<a xmlns:p='urn:p' p:x=' 1\n2&#10;&quot;'>one<b>x&lt;&#x1EC7;</b> two <![CDATA[<&]]><p:b/><b/>\r\nthree</a>"
	d, err := Read(strings.NewReader(document), Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := d.Root
	if a.Text != "one two <&\nthree" {
		t.Errorf("text of the root is %q", a.Text)
	}
	if a.Children[0].Text != "x<ệ" {
		t.Errorf("text of the child is %q", a.Children[0].Text)
	}
	if want := []Attr{{Name{"urn:p", "x"}, "p", " 1 2\n\""}}; !cmp.Equal(a.Attrs, want) {
		t.Error(cmp.Diff(want, a.Attrs))
	}
	var paths []string
	for _, c := range a.Children {
		paths = append(paths, c.Path())
	}
	if want := []string{"/a/b[1]", "/a/b[2]", "/a/b[3]"}; !cmp.Equal(paths, want) {
		t.Error(cmp.Diff(want, paths))
	}
	if d.Signature != nil {
		t.Error("a signature out of nowhere")
	}
}

// TestResubmission: SignedInfo's digest stays while unsigned bytes change.
func TestResubmission(t *testing.T) {
	signed := sign(t, pkg(pdf), form{by: signer(t, "agency-p256")})
	changed := replace(t, signed, "<ds:KeyInfo>", "\n<ds:KeyInfo Id='k'>\n")
	changed = replace(t, changed, "<ds:SignedInfo ", "<ds:SignedInfo\n")
	a, err := Read(strings.NewReader(signed), inHeader())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Read(strings.NewReader(changed), inHeader())
	if err != nil {
		t.Fatal(err)
	}
	if a.Signature.SignedInfo != b.Signature.SignedInfo {
		t.Error("the key for recognising a resubmission changed with unsigned bytes")
	}
	if a.Digest == b.Digest {
		t.Error("the digest of the bytes did not change")
	}
	if sum := sha256.Sum256([]byte(infoPattern.FindString(signed))); a.Signature.SignedInfo != sum {
		t.Error("it is not the digest of the canonical SignedInfo")
	}
}

func TestSignedProperties(t *testing.T) {
	p, ca := signer(t, "agency-rsa"), signer(t, "ca")
	f := xadesForm(t, propertiesText(p.cert, claimedTime))
	f.certs = only(p.cert, ca.cert)
	d, err := Read(strings.NewReader(sign(t, pkg(pdf), f)), inHeader())
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Signature.SigningTime; !got.Equal(time.Date(2026, 11, 20, 2, 20, 31, 0, time.UTC)) {
		t.Errorf("signing time is %v", got)
	}
	if !d.Signature.Certificate.Equal(p.cert) || len(d.Signature.Others) != 1 || !d.Signature.Others[0].Equal(ca.cert) {
		t.Error("certificates are not told apart")
	}
}

// A spool is a Stream writer that keeps what it gets.
type spool struct {
	bytes.Buffer
	closed   bool
	writeErr error
	closeErr error
}

func (s *spool) Write(b []byte) (int, error) {
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	return s.Buffer.Write(b)
}

func (s *spool) Close() error {
	s.closed = true
	return s.closeErr
}

func streaming(s *spool) Options {
	o := inHeader()
	o.Stream = func(e *Element) io.Writer {
		if e.Local == "ContentTransferEncoded" && e.Parent.Child(nsQCVN, "ContentId").Value() == "c1" {
			return s
		}
		return nil
	}
	return o
}

func TestStream(t *testing.T) {
	content := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("nội dung tệp đính kèm "), 20000))
	signed := sign(t, pkg(content), form{})
	s := &spool{}
	d, err := Read(strings.NewReader(signed), streaming(s))
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != content || !s.closed {
		t.Error("the content did not come whole, or its end was not told")
	}
	attachment := d.Root.Child(nsQCVN, "AttachmentEncoded").Child(nsQCVN, "Attachment")
	if got := attachment.Child(nsQCVN, "ContentTransferEncoded").Text; got != "" {
		t.Errorf("streamed text was kept: %d bytes", len(got))
	}
	if attachment.Child(nsQCVN, "AttachmentName").Value() != "CV_1250.pdf" {
		t.Error("what follows the content is lost")
	}
}

func TestStreamErrors(t *testing.T) {
	signed := sign(t, pkg(pdf), form{})
	const path = "/edXML/AttachmentEncoded/Attachment/ContentTransferEncoded"
	full := errors.New("disk full")
	own := &Error{Kind: Harmful, Rule: "unsafe-name", Detail: "x"}
	for _, c := range []struct {
		name string
		s    *spool
		want error
	}{
		{"write fails", &spool{writeErr: full}, full},
		{"close fails", &spool{closeErr: full}, full},
		{"write refuses", &spool{writeErr: fmt.Errorf("decoding: %w", own)}, own},
		{"close refuses", &spool{closeErr: own}, own},
	} {
		t.Run(c.name, func(t *testing.T) {
			own.Path, own.Line = "", 0
			_, err := Read(strings.NewReader(signed), streaming(c.s))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			refusal := (*Error)(nil)
			if errors.As(err, &refusal) && (refusal.Path != path || refusal.Line != 25) {
				t.Errorf("placed in %q at line %d", refusal.Path, refusal.Line)
			}
			if refusal == nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%q does not say where", err)
			}
		})
	}
	inside := replace(t, signed, pdf, pdf[:8]+"<b/>"+pdf[8:])
	if _, err := Read(strings.NewReader(inside), streaming(&spool{})); outcome(err) != "element-in-streamed-text" {
		t.Errorf("an element in streamed text: %v", err)
	}
}
