package exchange

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var answeredAt = time.Date(2026, 11, 20, 9, 25, 10, 250_999_999, time.FixedZone("ICT", 7*3600))

// acknowledged is a package that there is an answer to.
var acknowledged = Package{ID: "0197a1b2-c3d4-7000-8000-000000000000", DocumentID: "H12.07,2026/11/20,1250/STC-NS",
	Digest: DigestOf([]byte("package")), Sender: "H12.07"}

func acknowledgements() map[string]Acknowledgement {
	status := acknowledged
	status.DocumentID = ""
	return map[string]Acknowledgement{
		"accepted":         NewAcknowledgement(acknowledged, "H12.12", AnswerAccepted, "", answeredAt),
		"refused":          NewAcknowledgement(acknowledged, "H12.12", AnswerRefused, "gửi <nhầm> & \"sai\" cơ quan\x01", answeredAt),
		"a note":           NewAcknowledgement(acknowledged, "000.00.12.H12", AnswerAccepted, "số đến 881", answeredAt),
		"a blank note":     NewAcknowledgement(acknowledged, "H12.12", AnswerAccepted, " ", answeredAt),
		"about a status":   NewAcknowledgement(status, "H12.12", AnswerAccepted, "", answeredAt),
		"a status refused": NewAcknowledgement(status, "H12.12", AnswerRefused, "không có văn bản này", answeredAt),
	}
}

func TestAcknowledgementsReadAsWritten(t *testing.T) {
	t.Parallel()
	sealer, valid, xmllint := hubSealer(t), validates(t, "acknowledgement.xsd"), program(t, "xmllint")
	for name, want := range acknowledgements() {
		t.Run(name, func(t *testing.T) {
			canonical := want.Canonical()
			if got := run(t, canonical, xmllint, "--exc-c14n", "-"); string(got) != string(canonical) {
				t.Errorf("xmllint's canonical form differs:\n%s\n%s", got, canonical)
			}
			sealed, err := sealer.Seal(canonical, want.Time)
			if err != nil {
				t.Fatal(err)
			}
			valid(canonical)
			valid(sealed)
			got, doc, err := ParseAcknowledgement(bytes.NewReader(sealed))
			if err != nil {
				t.Fatal(err)
			}
			if doc.Signature == nil || got.Signature == nil || got.Signature.Certificate != DigestOf(sealer.Certificate().Raw) {
				t.Error("the signature is not read")
			}
			if string(got.Raw) != string(sealed) {
				t.Error("the bytes are not kept as they came")
			}
			want.Reason, got.Signature, got.Raw = plain(want.Reason), nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestAnyAcknowledgementReadsAsWritten also writes again what was read, whatever
// zone its time was given in.
func TestAnyAcknowledgementReadsAsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p := acknowledged
		p.DocumentID = plain(text(r, "document"))
		a := NewAcknowledgement(p, "H12.12", rapid.SampledFrom([]Outcome{AnswerAccepted, AnswerRefused}).Draw(r, "outcome"),
			"vì "+text(r, "reason"), time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(r, "ms")))
		got, _, err := ParseAcknowledgement(bytes.NewReader(a.Canonical()))
		if err != nil {
			r.Fatal(err)
		}
		got.Time = got.Time.In(answeredAt.Location())
		if again := got.Canonical(); string(again) != string(a.Canonical()) {
			r.Fatalf("written again:\n%s\n%s", again, a.Canonical())
		}
	})
}

func TestParseAcknowledgementRefuses(t *testing.T) {
	t.Parallel()
	doc := string(NewAcknowledgement(acknowledged, "H12.12", AnswerRefused, "sai", answeredAt).Canonical())
	doc = strings.ReplaceAll(doc, "><", ">\n<") // one element a line
	edit := func(from, to string) string {
		if !strings.Contains(doc, from) {
			t.Fatalf("no %q in the acknowledgement", from)
		}
		return strings.Replace(doc, from, to, 1)
	}
	sealed, err := hubSealer(t).Seal(NewAcknowledgement(acknowledged, "H12.12", AnswerAccepted, "", answeredAt).Canonical(), answeredAt)
	if err != nil {
		t.Fatal(err)
	}
	digest := doc[strings.Index(doc, "<PackageDigest") : strings.Index(doc, "</PackageDigest>")+len("</PackageDigest>")]
	const shape, root = "acknowledgement-shape", "/Acknowledgement"
	for _, c := range []struct {
		name, doc, rule, path string
		line                  int
		code                  Code
	}{
		{"another root", `<Receipt xmlns="` + NamespaceAcknowledgement + `"></Receipt>`, shape, "/Receipt", 1, InvalidAcknowledgement},
		{"another namespace", edit(NamespaceAcknowledgement, "urn:tram:acknowledgement:2"), shape, root, 1, InvalidAcknowledgement},
		{"another version", edit(`version="1"`, `version="2"`), shape, root, 1, InvalidAcknowledgement},
		{"no version", edit(` version="1"`, ``), shape, root, 1, InvalidAcknowledgement},
		{"no package", edit("<PackageIdentifier>"+string(acknowledged.ID)+"</PackageIdentifier>", ""), shape, root + "/DocumentId", 3, InvalidAcknowledgement},
		{"two documents", edit("<DocumentId>", "<DocumentId>x</DocumentId><DocumentId>"), shape, root + "/DocumentId[2]", 3, InvalidAcknowledgement},
		{"the recipient before the sender", edit("<Sender>H12.07</Sender>\n<Recipient>H12.12</Recipient>", "<Recipient>H12.12</Recipient>\n<Sender>H12.07</Sender>"), shape, root + "/Recipient", 5, InvalidAcknowledgement},
		{"two outcomes", edit("<Outcome>", "<Outcome>accepted</Outcome><Outcome>"), shape, root + "/Outcome[2]", 7, InvalidAcknowledgement},
		{"an element of another namespace", edit("<Outcome>", `<Outcome xmlns="urn:x">`), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"something after the time", edit("</Acknowledgement>", "<Note></Note></Acknowledgement>"), shape, root + "/Note", 10, InvalidAcknowledgement},
		{"no time", edit("<Time>2026-11-20T02:25:10.250Z</Time>", ""), shape, root, 1, InvalidAcknowledgement},
		{"a local time", edit(".250Z", ""), shape, root + "/Time", 9, InvalidAcknowledgement},
		{"an outcome not known", edit(">refused<", ">received<"), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"a refusal without a reason", edit("<Reason>sai</Reason>", ""), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"a refusal with a blank reason", edit(">sai<", "> <"), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"a digest that is not base64", edit("</PackageDigest>", "!</PackageDigest>"), shape, root + "/PackageDigest", 4, InvalidAcknowledgement},
		{"another answer in the outcome", edit(">refused<", "><x>accepted </x>refused<"), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"another answer beside the outcome", edit("<Outcome>", `<Outcome is="accepted">`), shape, root + "/Outcome", 7, InvalidAcknowledgement},
		{"an attribute of the root", edit(` version="1"`, ` version="1" outcome="accepted"`), shape, root, 1, InvalidAcknowledgement},
		{"an answer between the elements", edit("<Outcome>", "accepted<Outcome>"), shape, root, 1, InvalidAcknowledgement},
		{"a reason as long as a document", edit(">sai<", ">"+strings.Repeat("đ", maxReason+1)+"<"), shape, root + "/Reason", 8, InvalidAcknowledgement},
		{"a digest too short", edit(digest, `<PackageDigest Algorithm="`+uriSHA256+`">MAA=</PackageDigest>`), shape, root + "/PackageDigest", 4, InvalidAcknowledgement},
		{"another algorithm", edit(uriSHA256, "http://www.w3.org/2000/09/xmldsig#sha1"), shape, root + "/PackageDigest", 4, InvalidAcknowledgement},
		{"no XML", "accepted", "text-outside-root", "", 1, Malformed},
		{"a DOCTYPE", "<!DOCTYPE a>" + doc, "doctype", "", 1, Harmful},
		{"cut off", doc[:len(doc)-5], "truncated", root, 10, Malformed},
		{"changed after it was signed", strings.Replace(string(sealed), ">accepted<", ">refused<", 1), "digest-mismatch", "/Acknowledgement/Signature", 1, InvalidSignature},
		{"too long", doc + strings.Repeat("\n", maxAcknowledgement), "body-too-large", "", 0, TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, read, err := ParseAcknowledgement(strings.NewReader(c.doc))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want a refusal", err)
			}
			if e.Rule.Name != c.rule || e.Code() != c.code || e.Line != c.line || !strings.HasPrefix(e.Path, c.path) {
				t.Errorf("%s (%s) at %s, line %d; want %s (%s) at %s, line %d", e.Rule.Name, e.Code(), e.Path, e.Line, c.rule, c.code, c.path, c.line)
			}
			if read != nil || a.Package != "" {
				t.Error("something is returned all the same")
			}
		})
	}
}
