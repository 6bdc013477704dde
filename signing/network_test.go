package signing

import (
	"net"
	"strings"
	"testing"
)

// TestNothingIsFetched: every place in a document that could name one names a
// listener, which must hear nothing.
func TestNothingIsFetched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string)
	go func() {
		defer close(heard)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			heard <- conn.RemoteAddr().String()
			_ = conn.Close() // only that it was opened matters
		}
	}()
	url := "http://" + l.Addr().String() + "/x"
	signed := sign(t, pkg(pdf), form{})
	root := `<edXML xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x ` + url + `" `
	for name, document := range map[string]string{
		"document type":    replace(t, signed, "<edXML ", `<!DOCTYPE edXML SYSTEM "`+url+`"><edXML `),
		"external entity":  replace(t, signed, "<edXML ", `<!DOCTYPE edXML [<!ENTITY x SYSTEM "`+url+`">]><edXML `),
		"style sheet":      replace(t, signed, "<edXML ", `<?xml-stylesheet href="`+url+`"?><edXML `),
		"schema":           replace(t, signed, "<edXML ", root),
		"inclusion":        replace(t, replace(t, signed, "<edXML ", root), "<Paper>", `<xi:include href="`+url+`"/><Paper>`),
		"reference":        sign(t, pkg(pdf), form{info: changing(t, `URI=""`, `URI="`+url+`"`)}),
		"algorithm":        sign(t, pkg(pdf), form{info: changing(t, algEnveloped, url)}),
		"retrieval method": replace(t, signed, "<ds:X509Data>", `<ds:RetrievalMethod URI="`+url+`"/><ds:X509Data>`),
		"signed schema":    sign(t, strings.Replace(pkg(pdf), "<edXML ", root, 1), form{}),
	} {
		_, err := Read(strings.NewReader(document), inHeader())
		if (err == nil) != (name == "signed schema") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for from := range heard {
		t.Errorf("a connection came from %s", from)
	}
}
