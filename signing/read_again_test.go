package signing

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// twice is a document whose signature takes a second reading: SHA-512, and an
// attachment with a reference of its own.
func twice(t *testing.T, content string) string {
	t.Helper()
	base := pkg(content)
	ref := `<ds:Reference URI="cid:c1"><ds:DigestMethod Algorithm="` + algSHA384 + `"></ds:DigestMethod><ds:DigestValue>` +
		sumOf(crypto.SHA384, []byte(content)) + `</ds:DigestValue></ds:Reference>`
	return sign(t, base, form3(t, strings.Replace(base, here, "", 1), exclusiveForm(""), crypto.SHA512, func(s string) string {
		return replace(t, replace(t, s, algSHA256, algSHA512), "</ds:SignedInfo>", ref+"</ds:SignedInfo>")
	}))
}

func TestSecondReading(t *testing.T) {
	document := twice(t, pdf)
	o := inHeader()
	o.Part = partByID
	d, err := Read(strings.NewReader(document), o)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Signature
	if s.DigestMethod != algSHA512 || len(s.Parts) != 1 || s.Parts[0].URI != "cid:c1" || s.Parts[0].Decoded ||
		s.Parts[0].Element != d.Root.Child(nsQCVN, "AttachmentEncoded").Children[0].Child(nsQCVN, "ContentTransferEncoded") {
		t.Errorf("got %+v", s)
	}

	// From where the reading began, not from where the file does.
	file := strings.NewReader("before" + document)
	_, _ = file.Seek(6, io.SeekStart)
	if _, err := Read(file, o); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeReadAgain(t *testing.T) {
	document := twice(t, pdf)
	other := strings.Replace(document, "H12.40", "H99.99", 1)
	for name, again := range map[string]func() (io.ReadCloser, error){
		"failed without a rule: reading the document again: gone": func() (io.ReadCloser, error) { return nil, errors.New("gone") },
		"failed without a rule: the document read again is not the one that was read first": func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(other)), nil
		},
		"failed without a rule: reading the document: timeout": func() (io.ReadCloser, error) {
			return io.NopCloser(iotest.TimeoutReader(iotest.HalfReader(strings.NewReader(document)))), nil
		},
		string(SecondReading): nil,
	} {
		o := inHeader()
		o.Part, o.Again = partByID, again
		if _, err := Read(io.MultiReader(strings.NewReader(document)), o); outcome(err) != name {
			t.Errorf("is %s, want %s", outcome(err), name)
		}
	}
	// Who vouches for the bytes is believed, and the digests decide all the same.
	o := inHeader()
	o.Part, o.NoDigest = partByID, true
	o.Again = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(other)), nil }
	if _, err := Read(strings.NewReader(document), o); outcome(err) != string(DigestMismatch) {
		t.Errorf("other bytes are %s", outcome(err))
	}
}

// TestSHA1 lets it pass where the caller asks for that, and says so.
func TestSHA1(t *testing.T) {
	base := pkg(pdf)
	plain := strings.Replace(base, here, "", 1)
	digest := digestAs(t, plain, exclusiveForm(""), crypto.SHA1)
	for name, document := range map[string]string{
		"method": sign(t, base, form{method: algRSASHA1}),
		"digest": sign(t, base, form{digest: digest, info: changing(t, algSHA256, algSHA1)}),
		"both":   sign(t, base, form{method: algRSASHA1, digest: digest, info: changing(t, algSHA256, algSHA1)}),
	} {
		o := inHeader()
		if _, err := Read(strings.NewReader(document), o); outcome(err) != string(SHA1) {
			t.Errorf("%s is %s", name, outcome(err))
		}
		o.SHA1 = true
		d, err := Read(strings.NewReader(document), o)
		if err != nil || !d.Signature.SHA1 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Read(strings.NewReader(replace(t, document, "H12.12", "H12.13")), o); outcome(err) != string(DigestMismatch) {
			t.Errorf("%s changed is %s", name, outcome(err))
		}
	}
	o := inHeader()
	o.SHA1 = true
	d, err := Read(strings.NewReader(sign(t, base, form{})), o)
	if err != nil || d.Signature.SHA1 {
		t.Errorf("SHA-256 rests on SHA-1: %v", err)
	}
}

// TestRefusedBeforeTheBody: what a signature in the header says of itself is
// judged before a long body is read.
func TestRefusedBeforeTheBody(t *testing.T) {
	document := sign(t, pkg(pdf), form{info: changing(t, algRSASHA256, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")})
	end := strings.Index(document, "</ds:Signature>") + len("</ds:Signature>")
	body := &counting{r: strings.NewReader(strings.Repeat("A", 100<<20))}
	_, err := Read(io.MultiReader(strings.NewReader(document[:end]), body), discard(inHeader()))
	if outcome(err) != string(HMAC) {
		t.Errorf("is %s", outcome(err))
	}
	if body.n > windowBytes {
		t.Errorf("%d bytes of the body were read", body.n)
	}
	if !bytes.Contains([]byte(document), []byte("hmac")) {
		t.Error("the document is not what the test thinks")
	}
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
