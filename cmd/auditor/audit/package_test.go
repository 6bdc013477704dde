package audit

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/cmd/hub/hubtest"
	"tram/exchange"
)

// packageNames are the findings on one package.
func packageNames(t *testing.T, stdout string) string {
	t.Helper()
	var r struct{ Packages []json.RawMessage }
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Packages) != 1 {
		t.Fatalf("%v in %s", err, stdout)
	}
	return names(t, string(r.Packages[0]))
}

func TestVerifyPackages(t *testing.T) {
	authority := hubtest.NewKey(t, "Authority", nil)
	signed := packageFor(t, hubtest.NewKey(t, "Agency A", authority), 0)
	dir := t.TempDir()
	trust := hubtest.WriteFile(t, filepath.Join(dir, "roots.pem"), []byte(authority.PEM()))
	others := hubtest.WriteFile(t, filepath.Join(dir, "others.pem"), []byte(hubtest.NewKey(t, "Other authority", nil).PEM()))
	yesterday := time.Now().Add(-24 * time.Hour).Format(time.RFC3339)
	unsigned := func(b []byte) []byte {
		begin, end := bytes.Index(b, []byte("<Signature ")), bytes.Index(b, []byte("</Signature>"))
		return append(bytes.Clone(b[:begin]), b[end+len("</Signature>"):]...)
	}
	changed := func(old, with string) func([]byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
	}
	same := func(b []byte) []byte { return b }
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		args   []string
		want   string
	}{
		{"as it is", same, nil, ""},
		{"as it is, of an authority that counts", same, []string{"--trust", trust}, ""},
		{"of an authority that does not count", same, []string{"--trust", others}, "signer-untrusted"},
		{"before its certificate was in force", same, []string{"--trust", trust, "--at", yesterday}, "signer-untrusted"},
		{"a letter changed", changed("V/v thử", "V/v thứ"), []string{"--trust", trust}, "package-refused"},
		{"cut short", func(b []byte) []byte { return b[:len(b)/2] }, nil, "package-refused"},
		{"with a document type", func(b []byte) []byte { return append([]byte("<!DOCTYPE edXML>"), b...) }, nil, "package-refused"},
		{"without a signature", unsigned, []string{"--trust", trust}, "package-unsigned"},
		{"in another namespace", changed("QCVN_102_2016", "QCVN_102_2017"), nil, "package-refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), c.change(signed))
			code, stdout, stderr := audit(t, append(append([]string{"verify", "--json"}, c.args...), file)...)
			if got := packageNames(t, stdout); got != c.want || (code == 0) != (c.want == "") {
				t.Errorf("exits with %d, finds %q, want %q\n%s%s", code, got, c.want, stdout, stderr)
			}
		})
	}
}

// TestSHA1 is accepted only where it is asked for.
func TestSHA1(t *testing.T) {
	const file = "../../../testdata/vectors/rsa-sha1.xml"
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"verify", file}, 1, "package-refused: sha1 at line"},
		{[]string{"verify", "--sha1", file}, 0, "rests on SHA-1"},
		{[]string{"explain", "--lang", "en", file}, 1, "sha1: SHA-1 is no longer safe"},
		{[]string{"explain", "--lang", "en", "--sha1", file}, 0, "✓ Signature value"},
	} {
		if code, stdout, stderr := audit(t, c.args...); code != c.code || !strings.Contains(stdout, c.says) {
			t.Errorf("%v exits with %d: %s%s", c.args, code, stdout, stderr)
		}
	}
}

// TestVerifyPackageBesideItsReceipt: both kinds of files on one command line.
func TestVerifyPackageBesideItsReceipt(t *testing.T) {
	hub := hubtest.New(t)
	c := correspond(t, hub, 1)
	var signed []byte
	for _, signed = range c.packages {
	}
	pkg := hubtest.WriteFile(t, filepath.Join(t.TempDir(), "p.edxml"), signed)
	receipt := c.of(t, exchange.SubmissionAcceptance)[0]
	code, stdout, stderr := audit(t, "verify", "--keys", hub.KeysFile(t), pkg, receipt)
	if code != 0 || strings.Count(stdout, ": holds\n") != 2 || strings.Index(stdout, pkg) > strings.Index(stdout, receipt) {
		t.Errorf("exits with %d: %s%s", code, stdout, stderr)
	}
	for _, want := range []string{"Signed by   CN=Agency A", "with ecdsa-sha256", "not judged: name the authorities", "From        H12.07",
		"document H12.07,", "V/v thử", "a.pdf (application/pdf, 4 bytes), SHA-256 ", exchange.DigestOf(signed).String()} {
		if !strings.Contains(stdout, want) {
			t.Errorf("does not say %q:\n%s", want, stdout)
		}
	}
}
