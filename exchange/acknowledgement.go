package exchange

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"tram/signing"
)

// NamespaceAcknowledgement is the namespace of acknowledgements
// (schemas/acknowledgement.xsd).
const NamespaceAcknowledgement = "urn:tram:acknowledgement:1"

// maxAcknowledgement bounds an acknowledgement's bytes.
const maxAcknowledgement = 1 << 20

// NewAcknowledgement is the recipient's answer to a package it holds.
func NewAcknowledgement(p Package, recipient string, o Outcome, reason string, at time.Time) Acknowledgement {
	return Acknowledgement{Package: p.ID, DocumentID: p.DocumentID, Digest: p.Digest, Sender: p.Sender,
		Recipient: recipient, Outcome: o, Reason: reason, Time: at.UTC().Truncate(time.Millisecond)}
}

// Canonical is the acknowledgement's document in exclusive canonical form,
// without a signature: what the recipient seals.
func (a Acknowledgement) Canonical() []byte {
	w := xmlWriter{b: make([]byte, 0, 1024)}
	w.open("Acknowledgement", "xmlns", NamespaceAcknowledgement, "version", "1")
	w.leaf("PackageIdentifier", string(a.Package))
	if a.DocumentID != "" { // status packages have none
		w.leaf("DocumentId", a.DocumentID)
	}
	w.leaf("PackageDigest", base64.StdEncoding.EncodeToString(a.Digest[:]), "Algorithm", uriSHA256)
	w.leaf("Sender", a.Sender)
	w.leaf("Recipient", a.Recipient)
	w.leaf("Outcome", string(a.Outcome))
	if plain(a.Reason) != "" {
		w.leaf("Reason", a.Reason)
	}
	w.leaf("Time", a.Time.UTC().Format(timeLayout))
	w.close(1)
	return w.b
}

// ParseAcknowledgement reads an acknowledgement and verifies its signature's
// mathematics, if it has one. Who signed is for the caller to decide.
func ParseAcknowledgement(r io.Reader) (Acknowledgement, *signing.Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxAcknowledgement+1))
	if err != nil {
		return Acknowledgement{}, nil, err
	}
	if len(raw) > maxAcknowledgement {
		return Acknowledgement{}, nil, bodyTooLarge.With(maxAcknowledgement)
	}
	doc, err := signing.Read(bytes.NewReader(raw), signing.Options{Limits: signing.Limits{Bytes: maxAcknowledgement}})
	if err != nil {
		return Acknowledgement{}, nil, refusal(err)
	}
	a, err := parseAcknowledgement(doc.Root)
	if err != nil {
		return Acknowledgement{}, nil, err
	}
	a.Raw = raw
	a.Signature = SignatureOf(doc.Signature)
	return a, doc, nil
}

func parseAcknowledgement(root *signing.Element) (Acknowledgement, error) {
	if root.Name != (signing.Name{Space: NamespaceAcknowledgement, Local: "Acknowledgement"}) {
		return Acknowledgement{}, ackShape.With(Words{
			"the root element is not Acknowledgement in the namespace " + NamespaceAcknowledgement,
			"phần tử gốc không phải Acknowledgement trong không gian tên " + NamespaceAcknowledgement}).At(root.Path(), root.Line)
	}
	if v, _ := root.Attr("", "version"); v != "1" {
		return Acknowledgement{}, ackShape.With(Words{"its version is not 1", "thuộc tính version phải là 1"}).At(root.Path(), root.Line)
	}
	if err := ackSequence(root); err != nil {
		return Acknowledgement{}, err
	}
	if err := ackPlain(root); err != nil {
		return Acknowledgement{}, err
	}
	text := func(local string) string { return root.Child(NamespaceAcknowledgement, local).Value() }
	a := Acknowledgement{Package: PackageID(text("PackageIdentifier")), DocumentID: text("DocumentId"),
		Sender: text("Sender"), Recipient: text("Recipient"), Outcome: Outcome(text("Outcome")), Reason: text("Reason")}

	digest := root.Child(NamespaceAcknowledgement, "PackageDigest")
	d, err := base64.StdEncoding.DecodeString(digest.Value())
	if m, _ := digest.Attr("", "Algorithm"); err != nil || len(d) != len(a.Digest) || m != uriSHA256 {
		return Acknowledgement{}, ackShape.With(Words{
			"PackageDigest is not a SHA-256 digest in base64", "PackageDigest không phải mã băm SHA-256 dạng base64"}).At(digest.Path(), digest.Line)
	}
	copy(a.Digest[:], d)

	at := root.Child(NamespaceAcknowledgement, "Time")
	if a.Time, err = time.Parse(time.RFC3339Nano, at.Value()); err != nil {
		return Acknowledgement{}, ackShape.With(Words{
			"Time is not a date and time with a zone, such as 2026-11-23T08:00:00Z",
			"Time phải gồm ngày, giờ và múi giờ, ví dụ 2026-11-23T08:00:00Z"}).At(at.Path(), at.Line)
	}
	outcome := root.Child(NamespaceAcknowledgement, "Outcome")
	if a.Outcome != AnswerAccepted && a.Outcome != AnswerRefused {
		return Acknowledgement{}, ackShape.With(Words{"Outcome is neither accepted nor refused", "Outcome phải là accepted hoặc refused"}).At(outcome.Path(), outcome.Line)
	}
	if a.Outcome == AnswerRefused && a.Reason == "" {
		return Acknowledgement{}, ackShape.With(Words{"a refusal must give its Reason", "khi từ chối phải ghi lý do trong Reason"}).At(outcome.Path(), outcome.Line)
	}
	if n := utf8.RuneCountInString(a.Reason); n > maxReason {
		reason := root.Child(NamespaceAcknowledgement, "Reason")
		return Acknowledgement{}, ackShape.With(Words{
			fmt.Sprintf("Reason has %d characters, at most %d are taken", n, maxReason),
			fmt.Sprintf("Reason dài %d ký tự, tối đa là %d", n, maxReason)}).At(reason.Path(), reason.Line)
	}
	return a, nil
}

// maxReason is in characters: the reason is shown in lists, of many deliveries
// at once.
const maxReason = 4096

// ackPlain holds the children to text, and the text to them: an answer that has
// another beside it or in it is none.
func ackPlain(root *signing.Element) error {
	if root.Value() != "" {
		return ackShape.With(Words{"there is text between its elements", "có văn bản nằm giữa các phần tử"}).At(root.Path(), root.Line)
	}
	for _, el := range append([]*signing.Element{root}, root.Children...) {
		if el != root && len(el.Children) > 0 {
			return ackShape.With(Words{el.Local + " holds an element", el.Local + " chứa phần tử con"}).At(el.Path(), el.Line)
		}
		for _, a := range el.Attrs {
			if a.Space == nsSchemaInstance || a.Name == ackAttributes[el.Local] {
				continue
			}
			return ackShape.With(Words{
				"the attribute " + a.Local + " does not belong to " + el.Local,
				"thuộc tính " + a.Local + " không thuộc phần tử " + el.Local}).At(el.Path(), el.Line)
		}
	}
	return nil
}

const nsSchemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// ackAttributes are all attributes that there are; it is never written.
var ackAttributes = map[string]signing.Name{
	"Acknowledgement": {Local: "version"},
	"PackageDigest":   {Local: "Algorithm"},
}

// ackSequence holds the children to the schema's sequence: readers must not
// differ on which of two elements they take.
func ackSequence(root *signing.Element) error {
	want := []string{"PackageIdentifier", "DocumentId", "PackageDigest", "Sender", "Recipient", "Outcome", "Reason", "Time"}
	optional := func(name string) bool { return name == "DocumentId" || name == "Reason" }
	i := 0
	for _, el := range root.Children {
		if i < len(want) && optional(want[i]) && el.Local != want[i] {
			i++
		}
		if i == len(want) || el.Space != NamespaceAcknowledgement || el.Local != want[i] {
			return ackShape.With(Words{"the element " + el.Local + " does not belong here", "phần tử " + el.Local + " không được đặt ở đây"}).At(el.Path(), el.Line)
		}
		i++
	}
	if i < len(want) && optional(want[i]) {
		i++
	}
	if i < len(want) {
		return ackShape.With(Words{"the element " + want[i] + " is missing", "thiếu phần tử " + want[i]}).At(root.Path(), root.Line)
	}
	return nil
}
