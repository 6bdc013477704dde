package signing

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
)

// A vector is a document and what must become of it: "accepted", "unsigned", or
// the rule that refuses it. It is for us and for those who write a client.
type vector struct {
	name     string // a phrase; with "-" for " " the file's name
	document string
	want     string
}

const (
	accepted = "accepted"
	unsigned = "unsigned"
)

func allVectors(t *testing.T) []vector {
	t.Helper()
	var all []vector
	for _, some := range []func(*testing.T) []vector{
		acceptedVectors, wrappingVectors, signatureVectors, referenceVectors, algorithmVectors,
		keyVectors, xadesVectors, stampVectors, formVectors, partVectors, pssVectors, markupVectors, namespaceVectors, encodingVectors, changeVectors,
	} {
		all = append(all, some(t)...)
	}
	return all
}

// TestVectors judges every document of the catalogue as a hub would, at once
// and byte by byte, and holds the published files to the same.
func TestVectors(t *testing.T) {
	all := allVectors(t)
	if *update {
		writeVectors(t, all)
	}
	trust := vectorTrust(t)
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			if got := judge(strings.NewReader(v.document), trust, false); got != v.want {
				t.Errorf("is %s, want %s", got, v.want)
			}
			if got := judge(strings.NewReader(v.document), trust, true); got != v.want {
				t.Errorf("byte by byte is %s, want %s", got, v.want)
			}
			published, err := os.ReadFile(filepath.Join(vectors, fileOf(v)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(published, []byte(v.document)) {
				t.Error("the published vector differs: run with -update and review")
			}
		})
	}
	index, err := os.ReadFile(filepath.Join(vectors, "vectors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if string(index) != indexOf(all) {
		t.Error("the published index differs: run with -update and review")
	}
}

func vectorTrust(t *testing.T) *Trust {
	t.Helper()
	trust, err := NewTrust(only(signer(t, "ca").cert), nil)
	if err != nil {
		t.Fatal(err)
	}
	trust.Skew = 0 // vectors miss their time by a second
	return trust
}

// partByID finds an attachment by its ContentId, as written with or without cid:.
func partByID(root *Element, uri string) (Part, bool) {
	for _, a := range root.Child(nsQCVN, "AttachmentEncoded").All(nsQCVN, "Attachment") {
		if a.Child(nsQCVN, "ContentId").Value() == strings.TrimPrefix(uri, "cid:") {
			return Part{a.Child(nsQCVN, "ContentTransferEncoded"), decodeInto}, true
		}
	}
	return Part{}, false
}

// decodeInto is a decoder as a Part needs one.
func decodeInto(to io.Writer) io.WriteCloser { return &decoding{to: to} }

type decoding struct {
	to   io.Writer
	text []byte
}

func (d *decoding) Write(p []byte) (int, error) {
	d.text = append(d.text, p...)
	return len(p), nil
}

func (d *decoding) Close() error {
	b, err := base64.StdEncoding.DecodeString(withoutSpace(string(d.text)))
	if err == nil {
		_, err = d.to.Write(b)
	}
	return err
}

// judge reads, then asks for trust.
func judge(r io.Reader, trust *Trust, slowly bool) string {
	document, err := io.ReadAll(r)
	if err != nil {
		return "failed to read: " + err.Error()
	}
	o := inHeader()
	o.Part = partByID
	o.Again = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(document)), nil }
	from := io.Reader(bytes.NewReader(document))
	if slowly {
		from = iotest.OneByteReader(from)
	}
	d, err := Read(from, o)
	if err == nil && d.Signature == nil {
		return unsigned
	}
	if err == nil {
		err = trust.Check(d.Signature.Certificate, d.Signature.Others, judgedAt)
	}
	return outcome(err)
}

func outcome(err error) string {
	refusal := (*Error)(nil)
	switch {
	case err == nil:
		return accepted
	case !errors.As(err, &refusal):
		return "failed without a rule: " + err.Error()
	case refusal.Kind != refusal.Rule.Kind():
		return fmt.Sprintf("%s of kind %s, not its own", refusal.Rule, refusal.Kind)
	}
	return string(refusal.Rule)
}

func fileOf(v vector) string {
	return regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(v.name), "-") + ".xml"
}

const indexHead = `# Documents and what must become of them, for this hub's tests and for clients.
# The signature's place is the last child of /edXML/edXMLEnvelope/edXMLHeader or
# of the root. Trust is keys/ca.pem; the time is 2026-11-25T09:00:00Z.
#
# file	expect: kind	rule
`

func indexOf(all []vector) string {
	index := indexHead
	for _, v := range all {
		kind, rule := v.want, "-"
		if k := Rule(v.want).Kind(); k != "" {
			kind, rule = string(k), v.want
		}
		index += fileOf(v) + "\texpect: " + kind + "\t" + rule + "\n"
	}
	return index
}

func writeVectors(t *testing.T, all []vector) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(vectors, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range all {
		if err := os.WriteFile(filepath.Join(vectors, fileOf(v)), []byte(v.document), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(vectors, "vectors.txt"), []byte(indexOf(all)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestVectorNames keeps two vectors from sharing a file, and every rule about
// documents from standing without one.
func TestVectorNames(t *testing.T) {
	files, covered := map[string]bool{}, map[string]bool{}
	for _, v := range allVectors(t) {
		if files[fileOf(v)] {
			t.Errorf("%s is there twice", fileOf(v))
		}
		files[fileOf(v)] = true
		covered[v.want] = true
	}
	for _, r := range Rules() {
		stamps := strings.HasPrefix(string(r), "timestamp-") // TestTimeStampTokens has them
		if r.Kind() != TooLarge && r != ElementInStreamedText && r != SecondReading && r != CertificateConstraint && !stamps && !covered[string(r)] {
			t.Errorf("no vector is refused by %s", r)
		}
	}
}
