package signing

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tram/signing/pdftest"
)

// nss makes a database of certificates for pdfsig that trusts the root, and knows
// the official's key.
func nss(t *testing.T, o official) string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(o.key)
	if err != nil {
		t.Fatal(err)
	}
	root, cert, secret := file("root.pem", "CERTIFICATE", o.root.Raw), file("cert.pem", "CERTIFICATE", o.cert.Raw), file("key.pem", "PRIVATE KEY", key)
	store, db := filepath.Join(dir, "signer.p12"), "sql:"+dir
	done(t, found(t, "openssl"), "pkcs12", "-export", "-in", cert, "-inkey", secret, "-name", "signer", "-passout", "pass:x", "-out", store)
	done(t, found(t, "certutil"), "-N", "-d", db, "--empty-password")
	done(t, found(t, "certutil"), "-A", "-d", db, "-n", "root", "-t", "CT,C,C", "-i", root)
	done(t, found(t, "pk12util"), "-i", store, "-d", db, "-W", "x")
	return dir
}

// TestPDFAgainstPoppler compares with pdfsig: it judges what our tests write, and we
// judge what it signs.
func TestPDFAgainstPoppler(t *testing.T) {
	pdfsig, qpdf := found(t, "pdfsig"), found(t, "qpdf")
	o := rsaOfficial(t)
	trust, err := NewTrust(only(o.root), nil)
	if err != nil {
		t.Fatal(err)
	}
	db := nss(t, o)
	path := filepath.Join(t.TempDir(), "a.pdf")
	plain := pdftest.Document("Cong van", 100)
	signed := pdftest.Sign(plain, pdftest.Form{CMS: o.signer().CMS})
	for _, test := range []struct {
		name   string
		file   []byte
		ours   string
		theirs []string
	}{
		{"signed", signed, "valid whole", []string{"Signature is Valid.", "Total document signed"}},
		{"signed twice", pdftest.Sign(signed, pdftest.Form{CMS: o.signer().CMS}), "valid; valid whole", []string{"Signature #2", "Signature is Valid.", "Not total document signed", "Total document signed"}},
		{"changed", bytes.Replace(signed, []byte("Cong van"), []byte("Cong vam"), 1), "invalid digest-mismatch whole", []string{"Digest Mismatch."}},
		{"an update", append(bytes.Clone(signed), "% more\n"...), "valid", []string{"Signature is Valid.", "Not total document signed"}},
	} {
		if err := os.WriteFile(path, test.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if test.name != "an update" {
			done(t, qpdf, "--check", path)
		}
		out, _ := exec.Command(pdfsig, "-nssdir", db, "-no-ocsp", path).CombinedOutput() // its words count
		for _, want := range test.theirs {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: pdfsig does not say %q:\n%s", test.name, want, out)
			}
		}
		if got := told(pdfFindings(t, test.file, 1000, trust)); got != test.ours {
			t.Errorf("%s: %s, want %s", test.name, got, test.ours)
		}
	}

	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	by := filepath.Join(t.TempDir(), "b.pdf")
	done(t, pdfsig, "-nssdir", db, "-add-signature", "-nick", "signer", "-digest", "SHA256", path, by)
	theirs, err := os.ReadFile(by)
	if err != nil {
		t.Fatal(err)
	}
	list := pdfFindings(t, theirs, 1000, trust)
	if told(list) != "valid whole" || list[0].Signer.Subject.CommonName != o.cert.Subject.CommonName {
		t.Errorf("signed by pdfsig: %s, %+v", told(list), list)
	}
}

// TestPDFAgainstOpenSSL has openssl make the CMS.
func TestPDFAgainstOpenSSL(t *testing.T) {
	openssl, o, dir := found(t, "openssl"), rsaOfficial(t), t.TempDir()
	trust, err := NewTrust(only(o.root), nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(o.key)
	if err != nil {
		t.Fatal(err)
	}
	party := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.cert.Raw})...)
	in, out, signer := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "signer.pem")
	if err := os.WriteFile(signer, party, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		options []string
		want    string
	}{
		{[]string{"-md", "sha256"}, "valid whole"},
		{[]string{"-md", "sha384", "-cades"}, "valid whole"},
		{[]string{"-md", "sha512", "-keyid"}, "valid whole"},
		{[]string{"-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, "valid whole"},
		{[]string{"-md", "sha1"}, "weak sha1 whole"},
		{[]string{"-md", "sha256", "-noattr"}, "unsupported no-signed-attributes whole"},
		{[]string{"-md", "sha256", "-nodetach"}, "unsupported cms whole"},
	} {
		file := pdftest.Sign(pdftest.Document("x", 0), pdftest.Form{CMS: func(covered []byte) []byte {
			if err := os.WriteFile(in, covered, 0o600); err != nil {
				t.Fatal(err)
			}
			done(t, openssl, append([]string{"cms", "-sign", "-binary", "-outform", "DER", "-in", in, "-out", out, "-signer", signer}, test.options...)...)
			cms, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			return cms
		}})
		if got := told(pdfFindings(t, file, 1000, trust)); got != test.want {
			t.Errorf("openssl cms %s: %s, want %s", test.options, got, test.want)
		}
	}
}

// done runs a program that must succeed.
func done(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
}
