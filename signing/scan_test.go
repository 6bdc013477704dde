package signing

import (
	"strings"
	"testing"
)

// TestScan reads documents whose signatures do not hold, or stand anywhere, and
// takes them for elements.
func TestScan(t *testing.T) {
	const ds = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>`
	for name, doc := range map[string]string{
		"an empty signature": `<a>` + ds + `</a>`,
		"one in the middle":  `<a>` + ds + `<b/></a>`,
		"two of them":        `<a>` + ds + ds + `</a>`,
	} {
		if _, err := Read(strings.NewReader(doc), Options{}); err == nil {
			t.Errorf("%s: it is read as if it held", name)
		}
		d, err := Scan(strings.NewReader(doc), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Signature != nil || d.Root.Child(nsDS, "Signature").Child(nsDS, "SignedInfo") == nil {
			t.Errorf("%s: scanned as %+v", name, d.Root)
		}
	}
	if _, err := Scan(strings.NewReader(`<a>`+ds), Options{}); err == nil {
		t.Error("a document without an end is scanned")
	}
	// The next reading looks for signatures again.
	if _, err := Read(strings.NewReader(`<a>`+ds+`</a>`), Options{}); err == nil {
		t.Error("a scanner that was used for Scan takes any signature")
	}
}
