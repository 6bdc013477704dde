package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tram/exchange"
	"tram/signing"
)

// TestSHA1ForAWhile lets one agency's packages rest on SHA-1 until a day, and the
// receipt says that it did.
func TestSHA1ForAWhile(t *testing.T) {
	t.Parallel()
	s, sender := attacked(t)
	read := func(file string) []byte {
		document, err := os.ReadFile(filepath.Join(vectors, file))
		must(t, err)
		return document
	}
	old, digest := read("rsa-sha1.xml"), read("sha1-digest.xml")
	is := func(document []byte) {
		t.Helper()
		refused(t, sender, bytes.NewReader(document), int64(len(document)), exchange.InvalidSignature, string(signing.SHA1))
	}
	is(old)
	s.mustHub("--config", s.config(), "agency", "put", "H12.07", "--sha1-until", "2020-01-01")
	is(old)
	if out := s.mustHub("--config", s.config(), "agency", "put", "H12.07", "--sha1-until", "2099-12-31"); !strings.Contains(out, "sha-1 until") {
		t.Errorf("the entry does not say it: %s", out)
	}
	// Who has no exception profits by nobody else's.
	s.mustHub("--config", s.config(), "agency", "put", "H12.08", "--sha1-until", "2099-12-31")

	done, err := sender.submit(t.Context(), old)
	must(t, err)
	_, e, _, err := exchange.ParseReceipt(done.Receipt.Raw)
	must(t, err)
	if got := e.Basis.SHA1Until.Format("2006-01-02T15:04Z"); got != "2099-12-30T17:00Z" {
		t.Errorf("the receipt's exception ends %s", got)
	}
	s.mustHub("--config", s.config(), "agency", "put", "H12.07", "--sha1-until", "never")
	is(digest)
	again, err := sender.submit(t.Context(), old)
	must(t, err)
	if !bytes.Equal(again.Receipt.Raw, done.Receipt.Raw) {
		t.Error("submitted again after the exception's end, it gets another receipt")
	}
	if _, stderr, code := s.hub("--config", s.config(), "agency", "put", "H12.07", "--sha1-until", "soon"); code != 2 || !strings.Contains(stderr, "yyyy-mm-dd") {
		t.Errorf("a day that is none: %d, %s", code, stderr)
	}
}
