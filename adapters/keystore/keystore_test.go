package keystore_test

import (
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/keystore"
	"tram/signing"
)

// program is where a program is that a test cannot do without. In CI it must be
// there.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI must have it", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// A bench is a directory of keys that openssl made.
type bench struct {
	t   *testing.T
	dir string
}

// newBench makes an authority with an issuer below it.
func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{t, t.TempDir()}
	b.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root", "-days", "9")
	b.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
	b.write("leaf.ext", "keyUsage=critical,digitalSignature\n")
	b.issue("ca", "root", "ca.ext", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
	return b
}

// issue makes NAME.key and NAME.pem.
func (b bench) issue(name, by, ext string, kind ...string) {
	b.t.Helper()
	b.run("openssl", append([]string{"req", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name}, kind...)...)
	b.run("openssl", "x509", "-req", "-in", name+".csr", "-CA", by+".pem", "-CAkey", by+".key", "-CAcreateserial", "-out", name+".pem", "-days", "9", "-extfile", ext)
}

func (b bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b bench) write(name, text string) string {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

func (b bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b bench) run(name string, args ...string) string {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), program(b.t, name), args...)
	c.Dir, c.WaitDelay = b.dir, 10*time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// works seals something with a key as it was opened: the sealer verifies it.
func works(t *testing.T, pair keystore.Pair) {
	t.Helper()
	sealer, err := signing.NewSealer(pair.Key, pair.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer.Seal([]byte("<a></a>"), time.Now()); err != nil {
		t.Error(err)
	}
}

// kinds are keys that openssl makes.
var kinds = map[string][]string{
	"P-256":    {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"},
	"P-384":    {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"},
	"RSA-2048": {"-newkey", "rsa:2048"},
}

func TestOpenKeepsWhatOpensslWrites(t *testing.T) {
	b := newBench(t)
	for kind, args := range kinds {
		name := "k" + kind
		b.issue(name, "ca", "leaf.ext", args...)
		b.write("password", "mật khẩu 1\n")
		b.write("chain.pem", b.read("root.pem")+b.read("ca.pem")) // in no order
		export := []string{"pkcs12", "-export", "-inkey", name + ".key", "-in", name + ".pem", "-passout", "file:password", "-certfile", "chain.pem"}
		b.run("openssl", append(export, "-out", name+".p12")...)
		b.run("openssl", append(export, "-legacy", "-out", name+".old.p12")...)
		b.run("openssl", append(export, "-nomac", "-keypbe", "NONE", "-certpbe", "NONE", "-out", name+".open.p12")...)
		b.run("openssl", "pkcs12", "-export", "-inkey", name+".key", "-in", name+".pem", "-passout", "pass:", "-out", name+".empty.p12")
		b.run("openssl", "pkey", "-traditional", "-in", name+".key", "-out", name+".traditional.key")
		b.write(name+".both.pem", b.read("ca.pem")+b.read(name+".key")+b.read(name+".pem"))
		b.write(name+".certs.pem", b.read(name+".pem")+b.read("ca.pem"))
		for _, c := range []struct {
			name   string
			source keystore.Source
			chain  int
		}{
			{"PKCS #8", keystore.Source{Key: name + ".key", Certificate: name + ".certs.pem"}, 2},
			{"the older form", keystore.Source{Key: name + ".traditional.key", Certificate: name + ".pem"}, 1},
			{"one file of all", keystore.Source{Key: name + ".both.pem"}, 2},
			{"PKCS #12", keystore.Source{Key: name + ".p12", PasswordFile: "password"}, 2},
			{"PKCS #12 of the older encryption", keystore.Source{Key: name + ".old.p12", PasswordFile: "password"}, 2},
			{"PKCS #12 with an open key", keystore.Source{Key: name + ".open.p12"}, 2},
			{"PKCS #12 without a password", keystore.Source{Key: name + ".empty.p12"}, 1},
			{"PKCS #12 and a certificate of its own", keystore.Source{Key: name + ".p12", PasswordFile: "password", Certificate: name + ".pem"}, 1},
		} {
			t.Run(kind+", "+c.name, func(t *testing.T) {
				for _, p := range []*string{&c.source.Key, &c.source.Certificate, &c.source.PasswordFile} {
					if *p != "" {
						*p = b.path(*p)
					}
				}
				pair, err := keystore.Open(c.source)
				if err != nil {
					t.Fatal(err)
				}
				if len(pair.Chain) != c.chain || pair.Chain[0].Subject.CommonName != name {
					t.Errorf("%d certificates, the first of %v", len(pair.Chain), pair.Chain[0].Subject)
				}
				works(t, pair)
			})
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	b := newBench(t)
	b.issue("a", "ca", "leaf.ext", kinds["P-256"]...)
	b.issue("b", "ca", "leaf.ext", kinds["P-256"]...)
	b.run("openssl", "pkcs12", "-export", "-inkey", "a.key", "-in", "a.pem", "-passout", "pass:rightly", "-out", "a.p12")
	b.run("openssl", "pkcs12", "-export", "-inkey", "a.key", "-in", "a.pem", "-passout", "pass:rightly", "-legacy", "-out", "old.p12")
	b.run("openssl", "pkcs12", "-export", "-nocerts", "-inkey", "a.key", "-passout", "pass:rightly", "-out", "bare.p12")
	b.run("openssl", "pkey", "-in", "a.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
	b.run("openssl", "pkey", "-in", "a.key", "-aes256", "-passout", "pass:x", "-traditional", "-out", "locked.old.key")
	several(b)
	for name, text := range map[string]string{"right": "rightly\n", "wrong": "wrong\n", "lines": "rightly\nwrong\n", "noise": "\x30\x82noise", "empty": ""} {
		b.write(name, text)
	}
	for _, c := range []struct {
		name, key, certificate, password string
		want                             []string
	}{
		{"no file", "none.key", "a.pem", "", []string{"no such file"}},
		{"no certificate anywhere", "a.key", "", "", []string{"no certificate beside the key"}},
		{"no certificate in PKCS #12", "bare.p12", "", "right", []string{"certificate missing"}},
		{"the certificate of another", "a.key", "b.pem", "", []string{"does not belong", "CN=b", "b.pem"}},
		{"the certificate of another beside PKCS #12", "a.p12", "b.pem", "right", []string{"does not belong"}},
		{"locked PKCS #8", "locked.key", "a.pem", "", []string{"passphrase", "openssl pkey -in", "openssl pkcs12 -export"}},
		{"a locked key of the older form", "locked.old.key", "a.pem", "", []string{"passphrase", "openssl pkey -in"}},
		{"PKCS #12 and no password", "a.p12", "", "", []string{"locked by a password", "password_file"}},
		{"PKCS #12 and a wrong password", "a.p12", "", "wrong", []string{"does not open"}},
		{"old PKCS #12 and a wrong password", "old.p12", "", "wrong", []string{"does not open"}},
		{"a password file with more in it", "a.p12", "", "lines", []string{"one line and nothing else"}},
		{"no password file", "a.p12", "", "none", []string{"password file"}},
		{"several keys in PKCS #12", "several.p12", "", "right", []string{"several keys", "openssl pkcs12"}},
		{"something else", "noise", "a.pem", "", []string{"neither PEM nor a PKCS #12"}},
		{"an empty file", "empty", "a.pem", "", []string{"neither PEM nor a PKCS #12"}},
		{"a certificate for a key", "a.pem", "a.pem", "", []string{"no private key"}},
		{"a token's URI without a module", "pkcs11:token=x", "", "", []string{"names no module", "module-path"}},
		{"a token's URI with its PIN in it", "pkcs11:token=x?module-path=/x.so&pin-value=1234", "", "", []string{"pin-source or password_file"}},
		{"a token's URI with something mistyped", "pkcs11:tokn=x?module-path=/x.so", "", "", []string{`"tokn"`, "token, serial"}},
		{"a token's URI that says it twice", "pkcs11:token=x;token=y?module-path=/x.so", "", "", []string{"token twice"}},
		{"a token's URI with a relative path", "pkcs11:token=x?module-path=lib/x.so", "", "", []string{"absolute"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := keystore.Source{Key: c.key}
			if !keystore.IsToken(c.key) {
				s.Key = b.path(c.key)
			}
			if c.certificate != "" {
				s.Certificate = b.path(c.certificate)
			}
			if c.password != "" {
				s.PasswordFile = b.path(c.password)
			}
			_, err := keystore.Open(s)
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
			}
			for _, secret := range []string{"rightly", "1234"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v: tells the secret", err)
				}
			}
		})
	}
}

// several makes a file of two keys, as the JDK does.
func several(b bench) {
	b.t.Helper()
	for _, name := range []string{"a", "b"} {
		b.run("openssl", "pkcs12", "-export", "-inkey", name+".key", "-in", name+".pem", "-name", name, "-passout", "pass:rightly", "-out", "one.p12")
		b.run("keytool", "-importkeystore", "-srckeystore", "one.p12", "-srcstoretype", "PKCS12", "-srcstorepass", "rightly",
			"-destkeystore", "several.p12", "-deststoretype", "PKCS12", "-deststorepass", "rightly", "-noprompt")
	}
}

func TestEncodedPKCS12IsReadByOpenssl(t *testing.T) {
	b := newBench(t)
	b.issue("a", "ca", "leaf.ext", kinds["P-384"]...)
	b.write("chain.pem", b.read("a.pem")+b.read("ca.pem"))
	pair, err := keystore.Open(keystore.Source{Key: b.path("a.key"), Certificate: b.path("chain.pem")})
	if err != nil {
		t.Fatal(err)
	}
	der, err := keystore.EncodePKCS12(pair, "mật khẩu")
	if err != nil {
		t.Fatal(err)
	}
	b.write("a.p12", string(der))
	got := b.run("openssl", "pkcs12", "-in", "a.p12", "-passin", "pass:mật khẩu", "-nodes")
	if n := strings.Count(got, "BEGIN CERTIFICATE"); n != 2 {
		t.Errorf("openssl reads %d certificates", n)
	}
	same, err := keystore.ReadKey(b.write("again.key", got))
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(same) {
		t.Error("openssl reads another key")
	}
	if c := exec.CommandContext(t.Context(), "openssl", "pkcs12", "-in", b.path("a.p12"), "-passin", "pass:x", "-nodes"); c.Run() == nil {
		t.Error("any password opens it")
	}
}
