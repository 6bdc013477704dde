//go:build pkcs11

package keystore_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/adapters/keystore"
)

// A drawer is a place of tokens: SoftHSM's directory. A process's module reads it
// once, so that there is one, made before a test opens anything.
type drawer struct {
	bench
	module string
}

const pin = "123456"

func newDrawer(t *testing.T, tokens ...string) drawer {
	t.Helper()
	d := drawer{newBench(t), softhsm(t)}
	if err := os.Mkdir(d.path("tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", d.write("softhsm2.conf", "directories.tokendir = "+d.path("tokens")+"\nobjectstore.backend = file\n"))
	for _, name := range tokens {
		d.run("softhsm2-util", "--init-token", "--free", "--label", name, "--pin", pin, "--so-pin", "87654321")
	}
	d.write("pin", pin+"\n")
	d.write("wrong", "000000\n")
	return d
}

// softhsm is where Debian has the module.
func softhsm(t *testing.T) string {
	t.Helper()
	program(t, "softhsm2-util")
	program(t, "pkcs11-tool")
	list, _ := filepath.Glob("/usr/lib/*/softhsm/libsofthsm2.so")
	if len(list) == 0 {
		t.Fatal("softhsm2-util is there, its module is not")
	}
	return list[0]
}

func (d drawer) tool(token string, args ...string) string {
	d.t.Helper()
	return d.run("pkcs11-tool", append([]string{"--module", d.module, "--token-label", token, "--login", "--pin", pin}, args...)...)
}

// bring puts a key that was made elsewhere into a token, with its certificate.
func (d drawer) bring(token, label, id string, kind ...string) {
	d.t.Helper()
	d.issue(label, "ca", "leaf.ext", kind...)
	d.run("softhsm2-util", "--import", label+".key", "--token", token, "--label", label, "--id", id, "--pin", pin)
	d.run("openssl", "x509", "-in", label+".pem", "-outform", "DER", "-out", label+".der")
	d.tool(token, "--write-object", label+".der", "--type", "cert", "--id", id, "--label", label)
}

// put makes a key in a token, of pkcs11-tool's kind, and a certificate of it.
func (d drawer) put(token, label, id, kind string) {
	d.t.Helper()
	d.tool(token, "--keypairgen", "--key-type", kind, "--id", id, "--label", label)
	d.tool(token, "--read-object", "--type", "pubkey", "--id", id, "--output-file", label+".pub.der")
	d.run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", label+".pub.der", "-out", label+".pub")
	d.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tmp.key", "-out", label+".csr", "-subj", "/CN="+label)
	d.run("openssl", "x509", "-req", "-in", label+".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-force_pubkey", label+".pub",
		"-out", label+".pem", "-days", "9", "-extfile", "leaf.ext")
	d.run("openssl", "x509", "-in", label+".pem", "-outform", "DER", "-out", label+".der")
	d.tool(token, "--write-object", label+".der", "--type", "cert", "--id", id, "--label", label)
}

func (d drawer) source(uri, pinFile string) keystore.Source {
	s := keystore.Source{Key: "pkcs11:" + uri + "?module-path=" + d.module}
	if pinFile != "" {
		s.PasswordFile = d.path(pinFile)
	}
	return s
}

// serial is the serial number that SoftHSM gave a token.
func (d drawer) serial(token string) string {
	d.t.Helper()
	_, after, _ := strings.Cut(d.run("pkcs11-tool", "--module", d.module, "--list-slots"), ": "+token+"\n")
	m := regexp.MustCompile(`serial num\s*: (\S+)`).FindStringSubmatch(after)
	if m == nil {
		d.t.Fatal("pkcs11-tool tells no serial number")
	}
	return m[1]
}

func (d drawer) open(uri string) keystore.Pair {
	d.t.Helper()
	pair, err := keystore.Open(d.source(uri, "pin"))
	if err != nil {
		d.t.Fatal(err)
	}
	return pair
}

func TestTokens(t *testing.T) {
	d := newDrawer(t, "hub", "two", "bare", "twin", "twin", "careful")
	d.put("hub", "p256", "01", "EC:prime256v1")
	d.bring("hub", "p384", "02", kinds["P-384"]...)
	d.put("hub", "rsa", "03", "rsa:2048")
	d.put("two", "a", "01", "EC:prime256v1")
	d.put("two", "b", "02", "EC:prime256v1")
	d.put("bare", "c", "03", "EC:prime256v1")
	d.tool("bare", "--delete-object", "--type", "cert", "--id", "03")
	d.put("careful", "a", "01", "EC:prime256v1")
	d.run("openssl", "x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der")
	d.tool("hub", "--write-object", "ca.der", "--type", "cert", "--id", "09", "--label", "issuer")
	d.tool("two", "--write-object", "ca.der", "--type", "cert", "--id", "09", "--label", "issuer")

	t.Run("keys seal", func(t *testing.T) { d.with(t).keysSeal() })
	t.Run("refusals", func(t *testing.T) { d.with(t).refuses() })
	t.Run("a wrong PIN", func(t *testing.T) { d.with(t).isNotLockedByAWrongPIN() })
	t.Run("many at once", func(t *testing.T) { d.with(t).signsForManyAtOnce() })
	t.Run("taken out and put back", func(t *testing.T) { d.with(t).isTakenOutAndPutBack() })
}

func (d drawer) with(t *testing.T) drawer {
	d.t = t
	return d
}

func (d drawer) keysSeal() {
	t := d.t
	for _, c := range []struct{ name, uri, subject string }{
		{"by its label", "token=hub;object=p256", "p256"},
		{"by its id", "token=hub;id=%02", "p384"},
		{"by both", "token=hub;object=rsa;id=%03;type=private", "rsa"},
		{"with a PIN's file in the URI", "token=hub;object=p256", "p256"},
		{"by a serial", "serial=" + d.serial("hub") + ";object=rsa", "rsa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := d.source(c.uri, "pin")
			if strings.Contains(c.name, "in the URI") {
				source = d.source(c.uri, "")
				source.Key += "&pin-source=file:" + d.path("pin")
			}
			pair, err := keystore.Open(source)
			if err != nil {
				t.Fatal(err)
			}
			if len(pair.Chain) != 2 || pair.Chain[0].Subject.CommonName != c.subject || pair.Chain[1].Subject.CommonName != "ca" {
				t.Errorf("the chain begins with %v and has %d certificates", pair.Chain[0].Subject, len(pair.Chain))
			}
			works(t, pair)
		})
	}
	t.Run("with its certificate in a file", func(t *testing.T) {
		source := d.source("token=hub;object=p256", "pin")
		source.Certificate = d.path("p256.pem")
		pair, err := keystore.Open(source)
		if err != nil {
			t.Fatal(err)
		}
		works(t, pair)
	})
	t.Run("RSA-PSS, as TLS has it", func(t *testing.T) {
		pair := d.with(t).open("token=hub;object=rsa")
		digest := sha256.Sum256([]byte("x"))
		for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 20} {
			opts := &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}
			signature, err := pair.Key.Sign(rand.Reader, digest[:], opts)
			if err != nil {
				t.Fatal(err)
			}
			if err := rsa.VerifyPSS(pair.Key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], signature, opts); err != nil {
				t.Errorf("salt %d: %v", salt, err)
			}
		}
	})
}

func (d drawer) refuses() {
	t := d.t
	for _, c := range []struct {
		name, uri, pin, certificate string
		want                        []string
	}{
		{"no PIN", "token=two;object=a", "", "", []string{"asks for its PIN", "password_file"}},
		{"no such token", "token=hubb;object=a", "pin", "", []string{"no token fits", `"hub" (serial `}},
		{"tokens of one name", "token=twin;object=a", "pin", "", []string{"2 tokens fit", "serial"}},
		{"no such object", "token=two;object=z", "pin", "", []string{"no private key", "object=a;id=%01", "object=b;id=%02"}},
		{"several keys that fit", "token=two", "pin", "", []string{"several private keys", "object=a;id=%01"}},
		{"no certificate", "token=bare;object=c", "pin", "", []string{"no certificate", "certificate's file"}},
		{"the certificate of another", "token=bare;object=c", "pin", "a.pem", []string{"does not belong"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := d.source(c.uri, c.pin)
			if c.certificate != "" {
				source.Certificate = d.path(c.certificate)
			}
			_, err := keystore.Open(source)
			if err == nil {
				t.Fatal("opened")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), pin) {
				t.Errorf("%v: tells the PIN", err)
			}
		})
	}
	t.Run("no such module", func(t *testing.T) {
		_, err := keystore.Open(keystore.Source{Key: "pkcs11:token=hub?module-path=/none.so"})
		if err == nil || !strings.Contains(err.Error(), "/none.so cannot be loaded") {
			t.Error(err)
		}
	})
}

// One wrong PIN is given to the token, however often a supervisor starts the
// program again: then it is for somebody to look.
func (d drawer) isNotLockedByAWrongPIN() {
	t := d.t
	source := d.source("token=careful;object=a", "wrong")
	if _, err := keystore.Open(source); err == nil || !strings.Contains(err.Error(), "refuses the PIN, which is not tried again") {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := keystore.Open(source); err == nil || !strings.Contains(err.Error(), "so none is tried") {
			t.Fatal(err)
		}
	}
	d.tool("careful", "--list-objects") // the right PIN, by hand: the token is not locked
	d.open("token=careful;object=a")
}

func (d drawer) signsForManyAtOnce() {
	t := d.t
	pair := d.open("token=two;object=a")
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 20 {
				works(t, pair)
			}
		})
	}
	all.Wait()
}

// A token that is taken out is found when it is back, and meanwhile every
// signature fails at once.
func (d drawer) isTakenOutAndPutBack() {
	t := d.t
	pair := d.open("token=two;object=a")
	works(t, pair)
	if err := os.Rename(d.path("tokens"), d.path("away")); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	for range 3 {
		began := time.Now()
		if _, err := pair.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err == nil {
			t.Error("signs without the token")
		} else {
			t.Log(err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it takes %v to say so", took)
		}
	}
	if err := os.Rename(d.path("away"), d.path("tokens")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // it is not looked for all the time
	works(t, pair)
}
