package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// A strongroom is a directory of SoftHSM's tokens, and the programs that were
// built with the tag pkcs11.
type strongroom struct {
	t           *testing.T
	dir, module string
}

const tokenPIN = "123456"

// newStrongroom has a token "hub" and a token "officer", each with a key, and
// certificates of them by the authority.
func newStrongroom(t *testing.T, authority issuer) strongroom {
	t.Helper()
	for _, name := range []string{"gcc", "softhsm2-util", "pkcs11-tool", "openssl", "xmlsec1"} {
		program(t, name)
	}
	list, _ := filepath.Glob("/usr/lib/*/softhsm/libsofthsm2.so")
	if len(list) == 0 {
		t.Fatal("softhsm2-util is there, its module is not")
	}
	r := strongroom{t, t.TempDir(), list[0]}
	must(t, os.Mkdir(r.path("tokens"), 0o700))
	r.write("softhsm2.conf", "directories.tokendir = "+r.path("tokens")+"\nobjectstore.backend = file\n")
	t.Setenv("SOFTHSM2_CONF", r.path("softhsm2.conf"))
	must(t, writeKey(r.path("ca.key"), authority.key))
	must(t, writeCertificates(r.path("ca.pem"), authority.certificate))
	r.write("pin", tokenPIN+"\n")
	r.write("wrong", "000000\n")
	r.token("hub", "EC:prime256v1")
	r.token("next", "EC:prime256v1")
	r.token("officer", "rsa:2048")

	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "nomsgpack pkcs11", "-o", r.dir+"/bin/", "tram/cmd/hub", "tram/cmd/agency")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return r
}

func (r strongroom) path(name string) string { return filepath.Join(r.dir, name) }

func (r strongroom) write(name, text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.path(name), []byte(text), 0o600))
}

func (r strongroom) run(name string, args ...string) {
	r.t.Helper()
	c := exec.CommandContext(r.t.Context(), name, args...)
	c.Dir = r.dir
	if out, err := c.CombinedOutput(); err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// token makes a token with a key in it, and the key's certificate beside it and
// in NAME.pem.
func (r strongroom) token(name, kind string) {
	r.t.Helper()
	tool := func(args ...string) {
		r.t.Helper()
		r.run("pkcs11-tool", append([]string{"--module", r.module, "--token-label", name, "--login", "--pin", tokenPIN}, args...)...)
	}
	r.run("softhsm2-util", "--init-token", "--free", "--label", name, "--pin", tokenPIN, "--so-pin", "87654321")
	tool("--keypairgen", "--key-type", kind, "--id", "01", "--label", "seal")
	tool("--read-object", "--type", "pubkey", "--id", "01", "--output-file", name+".pub.der")
	r.run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", name+".pub.der", "-out", name+".pub")
	r.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "none.key", "-out", name+".csr", "-subj", "/CN="+name)
	r.write("ext", "keyUsage=critical,digitalSignature\n")
	r.run("openssl", "x509", "-req", "-in", name+".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-force_pubkey", name+".pub",
		"-out", name+".pem", "-days", "99", "-extfile", "ext")
	r.run("openssl", "x509", "-in", name+".pem", "-outform", "DER", "-out", name+".der")
	tool("--write-object", name+".der", "--type", "cert", "--id", "01", "--label", "seal")
}

func (r strongroom) uri(token string) string {
	return fmt.Sprintf("pkcs11:token=%s;object=seal?module-path=%s", token, r.module)
}

// TestSealingByAToken runs a hub whose key is in a token, and an agency whose
// officer signs with one; others verify what they sealed and signed.
func TestSealingByAToken(t *testing.T) {
	s := newSite(t)
	r := newStrongroom(t, s.authority)
	seal := func(pinFile string) string {
		return fmt.Sprintf("  key: %q\n  password_file: %q", r.uri("hub"), r.path(pinFile))
	}
	s.configure(setting("  key: keys/seal.key           # or a PKCS #12 file, or \"pkcs11:token=…;object=…?module-path=/usr/lib/….so\"", seal("wrong")),
		setting("  certificate: keys/seal.pem ", "  # "))

	// The default build says what is missing.
	if _, errOut, code := s.hub("serve", "-c", s.config()); code != exitUsage || !strings.Contains(errOut, "-tags 'nomsgpack pkcs11'") {
		t.Errorf("the default build: exit code %d: %s", code, errOut)
	}
	s.program = r.path("bin/hub")

	// A supervisor starts a hub with a wrong PIN again and again: the token is
	// not locked by it.
	for i := range 5 {
		want := "refuses the PIN"
		if i > 0 {
			want = "so none is tried"
		}
		if _, errOut, code := s.hub("serve", "-c", s.config()); code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("a wrong PIN: exit code %d: %s", code, errOut)
		}
	}
	r.run("pkcs11-tool", "--module", r.module, "--token-label", "hub", "--login", "--pin", tokenPIN, "--list-objects")
	s.configure(setting(r.path("wrong"), r.path("pin")))
	if out, errOut, code := s.hub("check", "-c", s.config()); code == exitUsage || code == exitFailed {
		t.Errorf("hub check: exit code %d\n%s%s", code, out, errOut)
	}
	s.start()

	officer, recipient := s.join("H12.07"), s.join("H12.12")
	entry, err := s.admin.Agency(t.Context(), officer.code)
	must(t, err)
	pem, err := os.ReadFile(r.path("officer.pem"))
	must(t, err)
	_, err = s.admin.PutAgency(t.Context(), exchange.Agency{Code: entry.Code, Name: entry.Name, Version: entry.Version}, string(pem))
	must(t, err)
	d := s.desk(officer)
	settings, err := os.ReadFile(d.path("agency.yaml"))
	must(t, err)
	settings = bytes.Replace(settings, []byte("key: agency.key\ncertificate: agency.crt\n"), fmt.Appendf(nil, "key: %q\npassword_file: %q\n", r.uri("officer"), r.path("pin")), 1)
	must(t, os.WriteFile(d.path("agency.yaml"), settings, 0o600))
	must(t, os.WriteFile(d.path("1.edxml"), unsigned(t, officer.letter(1, 1000, recipient.code)), 0o600))
	sign := exec.CommandContext(t.Context(), r.path("bin/agency"), "sign", "1.edxml")
	sign.Dir = d.dir
	if out := output(t, sign); !strings.Contains(out, "CN=officer") {
		t.Error(out)
	}
	pkg := the(t, `package (\S+)`, output(t, inDir(exec.CommandContext(t.Context(), r.path("bin/agency"), "submit", "1.signed.edxml"), d.dir)))
	output(t, inDir(exec.CommandContext(t.Context(), r.path("bin/agency"), "receipts", pkg, "--dir", "evidence"), d.dir))

	// The next key is in another token, which the running hub opens.
	out := s.mustHub("keys", "rotate", "-c", s.config(), "--key", r.uri("next"), "--password-file", r.path("pin"))
	if keys := s.mustHub("keys", "-c", s.config()); !strings.Contains(out, "CN=next") || strings.Count(keys, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("%s%s", out, keys)
	}
	if out, errOut, code := s.hub("check", "-c", s.config()); code == exitUsage || code == exitFailed || !strings.Contains(out, "CN=next: next, seals from") {
		t.Errorf("hub check: exit code %d\n%s%s", code, out, errOut)
	}

	// The token is taken out, and put back.
	must(t, os.Rename(r.path("tokens"), r.path("away")))
	began := time.Now()
	var refused *httpclient.Problem
	if _, err := recipient.submit(t.Context(), recipient.signed(t, recipient.letter(2, 100, officer.code))); !errors.As(err, &refused) || refused.Rule != "cannot-seal" {
		t.Errorf("without the token: %v", err)
	} else if time.Since(began) > 10*time.Second {
		t.Errorf("it takes %v to say that the token is away", time.Since(began))
	}
	must(t, os.Rename(r.path("away"), r.path("tokens")))
	time.Sleep(1500 * time.Millisecond)
	_, err = recipient.submit(t.Context(), recipient.signed(t, recipient.letter(2, 100, officer.code)))
	must(t, err)
	s.log.forgive() // the hub told of the token that was away
	s.stop()

	files, err := filepath.Glob(d.path("evidence/*.xml"))
	must(t, err)
	out, errOut, code := s.run("auditor", append([]string{"verify", "--keys", d.path("evidence/keys.json")}, files...)...)
	if code != 0 || len(files) < 2 || !strings.Contains(out, "Sealed by   CN=hub") {
		t.Errorf("the auditor: exit code %d\n%s%s", code, out, errOut)
	}
	for _, file := range append(files, d.path("1.signed.edxml")) {
		r.run("xmlsec1", "--verify", "--trusted-pem", "ca.pem", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", file)
	}
}

func inDir(c *exec.Cmd, dir string) *exec.Cmd {
	c.Dir = dir
	return c
}
