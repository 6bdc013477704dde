package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

// receipts are those that came in while the sealing key was changed, by the
// certificate that sealed them.
type receipts struct {
	mu sync.Mutex
	by map[exchange.Digest][]exchange.Receipt
}

func (r *receipts) add(receipt exchange.Receipt) error {
	_, _, doc, err := exchange.ParseReceipt(receipt.Raw)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := exchange.DigestOf(doc.Signature.Certificate.Raw)
	r.by[digest] = append(r.by[digest], receipt)
	return nil
}

// keep writes the receipts of a certificate into a directory.
func (r *receipts) keep(t *testing.T, dir string, by exchange.Digest) []string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	var files []string
	for i, receipt := range r.by[by] {
		files = append(files, filepath.Join(dir, fmt.Sprintf("%03d.xml", i)))
		must(t, os.WriteFile(files[i], receipt.Raw, 0o600))
	}
	return files
}

// TestRotationUnderLoad changes the sealing key while packages come in. Nothing is
// refused; what was sealed before and after holds; what the wrong one of the two
// keys seals does not.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender, recipient := s.join("H12.07"), s.join("H12.12")
	must(t, os.WriteFile(s.path("before.json"), []byte(s.mustHub("keys", "-c", s.config())), 0o600))

	got := receipts{by: map[exchange.Digest][]exchange.Receipt{}}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for worker := range 3 {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				done, err := sender.submit(t.Context(), sender.signed(t, sender.letter(1000*worker+n, 100, recipient.code)))
				if err == nil {
					err = got.add(done.Receipt)
				}
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	from := time.Now().Add(rotationLeast + 2*time.Second).UTC().Truncate(time.Second)
	var next rotated
	must(t, json.Unmarshal([]byte(s.mustHub("keys", "rotate", "-c", s.config(), "--json", "--from", from.Format(time.RFC3339), "--reason", "diễn tập")), &next))
	if !next.Published || !next.From.Equal(from) {
		t.Errorf("rotated: %+v", next)
	}
	must(t, os.WriteFile(s.path("after.json"), []byte(s.mustHub("keys", "-c", s.config())), 0o600)) // before the next key seals
	time.Sleep(time.Until(from.Add(time.Second)))
	stop()
	work.Wait()

	first, err := keystore.ReadCertificates(s.path("keys", "seal.pem"))
	must(t, err)
	former := exchange.DigestOf(first[0].Raw)
	old, fresh := got.keep(t, s.path("old"), former), got.keep(t, s.path("new"), next.SHA256)
	if len(old) < 10 || len(fresh) < 10 || len(got.by) != 2 {
		t.Fatalf("%d receipts of the former key, %d of the next, %d keys in all", len(old), len(fresh), len(got.by))
	}
	if out := s.mustHub("actions", "-c", s.config(), "--limit", "5"); !strings.Contains(out, "rotate-seal") || !strings.Contains(out, next.SHA256.String()) {
		t.Errorf("the actions are\n%s", out)
	}
	whole := []string{"check", "https://" + s.address, "--roots", s.path("keys", "tls-root.pem"), "--user", "admin", "--secret-file", s.path("admin.secret"), "--keys", s.path("after.json")}
	if out, errOut, code := s.run("auditor", whole...); code != 0 {
		t.Errorf("the whole record: %d\n%s%s", code, out, errOut)
	}
	s.stop()

	verify := func(keys string, files ...string) (string, int) {
		t.Helper()
		out, errOut, code := s.run("auditor", append([]string{"verify", "--seal-only", "--keys", s.path(keys)}, files...)...)
		return out + errOut, code
	}
	if out, code := verify("after.json", append(old, fresh...)...); code != 0 {
		t.Errorf("receipts of both keys: exit code %d\n%s", code, out)
	}
	if out, code := verify("before.json", old...); code != 0 {
		t.Errorf("the former key's receipts, by what was published before: exit code %d\n%s", code, out)
	}
	if out, code := verify("before.json", fresh[0]); code != 1 || !strings.Contains(out, "seal-unknown") {
		t.Errorf("the next key's receipts, by what was published before: exit code %d\n%s", code, out)
	}
	for name, forged := range map[string][]byte{
		"after its time":  reseal(t, got.by[next.SHA256][0].Raw, s.path("keys", "seal.key"), s.path("keys", "seal.pem")),
		"before its time": reseal(t, got.by[former][0].Raw, s.path(next.Key), s.path(next.Certificate)),
	} {
		file := s.path("forged.xml")
		must(t, os.WriteFile(file, forged, 0o600))
		if out, code := verify("after.json", file); code != 1 || !strings.Contains(out, "seal-out-of-term") || !strings.Contains(out, from.Format(time.RFC3339)) {
			t.Errorf("sealed by a key %s: exit code %d\n%s", name, code, out)
		}
	}

	// The former key is put away.
	must(t, os.Remove(s.path("keys", "seal.key")))
	s.configure(setting("  - key: keys/seal.key", "  - # its key was put away"))
	s.start()
	out, _, code := s.hub("check", "-c", s.config())
	if code == exitUsage || code == exitFailed || !strings.Contains(out, "former, sealed until") || strings.Count(out, "sealing certificate") != 2 {
		t.Errorf("hub check: exit code %d\n%s", code, out)
	}
	done, err := sender.submit(t.Context(), sender.signed(t, sender.letter(9999, 100, recipient.code)))
	must(t, err)
	must(t, got.add(done.Receipt))
}

// reseal puts another seal on a receipt.
func reseal(t *testing.T, raw []byte, key, certificate string) []byte {
	t.Helper()
	begin, end := bytes.LastIndex(raw, []byte("<ds:Signature ")), bytes.LastIndex(raw, []byte("</ds:Signature>"))
	plain := append(bytes.Clone(raw[:begin]), raw[end+len("</ds:Signature>"):]...)
	pair, err := keystore.Open(keystore.Source{Key: key, Certificate: certificate})
	must(t, err)
	by, err := signing.NewSealer(pair.Key, pair.Chain)
	must(t, err)
	receipt, _, _, err := exchange.ParseReceipt(raw)
	must(t, err)
	sealed, err := by.Seal(plain, receipt.Time)
	must(t, err)
	return sealed
}

// TestRotateWhileStopped puts the change on record in the ledger itself.
func TestRotateWhileStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	openssl := program(t, "openssl")
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=Trục", "-days", "400", "-addext", "keyUsage=digitalSignature"},
		{"pkcs12", "-export", "-inkey", "k", "-in", "c", "-out", "next.p12", "-passout", "file:password"},
	} {
		must(t, os.WriteFile(s.path("password"), []byte("bí mật\n"), 0o600))
		for i, a := range args {
			if a == "k" || a == "c" || a == "next.p12" {
				args[i] = s.path(a)
			}
			args[i] = strings.Replace(args[i], "file:password", "file:"+s.path("password"), 1)
		}
		if out, errOut, code := s.run(openssl, args...); code != 0 {
			t.Fatal(out, errOut)
		}
	}
	before, err := os.ReadFile(s.config())
	must(t, err)
	out := s.mustHub("keys", "rotate", "-c", s.config(), "--key", s.path("next.p12"), "--password-file", s.path("password"), "--from", "now", "--reason", "hết hạn")
	if !strings.Contains(out, "once the hub is started") {
		t.Error(out)
	}
	after, err := os.ReadFile(s.config())
	must(t, err)
	if lost := missingLines(string(before), string(after)); len(lost) > 0 {
		t.Errorf("hub.yaml lost %q", lost)
	}
	s.start()
	if out := s.mustHub("actions", "-c", s.config()); !strings.Contains(out, "hub keys rotate") || !strings.Contains(out, "hết hạn") {
		t.Error(out)
	}
	keys := s.mustHub("keys", "-c", s.config())
	if strings.Count(keys, "BEGIN CERTIFICATE") != 2 || !strings.Contains(keys, `"until"`) {
		t.Error(keys)
	}
	out, errOut, code := s.run("auditor", "check", "https://"+s.address, "--roots", s.path("keys", "tls-root.pem"), "--user", "admin", "--secret-file", s.path("admin.secret"))
	if code != 0 {
		t.Errorf("%d\n%s%s", code, out, errOut)
	}
}

func missingLines(before, after string) (lost []string) {
	for line := range strings.SplitSeq(before, "\n") {
		bare := strings.TrimSpace(line)
		if !strings.Contains(after, bare) {
			lost = append(lost, bare)
		}
	}
	return lost
}

// TestRotateRefuses leaves the configuration as it was, and no file behind.
func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	must(t, os.WriteFile(s.path("wrong"), []byte("wrong\n"), 0o600))
	other, err := newECKey()
	must(t, err)
	must(t, writeKey(s.path("other.key"), other))
	short, err := newSealCertificate("Trục", "truc", other, time.Now().AddDate(-sealYears, 0, 1))
	must(t, err)
	must(t, writeCertificates(s.path("short.pem"), short))
	agency, err := s.authority.signing("x", "y", other.Public(), time.Now())
	must(t, err)
	der, err := keystore.EncodePKCS12(keystore.Pair{Key: other, Chain: []*x509.Certificate{agency}}, "right")
	must(t, err)
	must(t, os.WriteFile(s.path("other.p12"), der, 0o600))
	before, err := os.ReadFile(s.config())
	must(t, err)
	files := func() string {
		list, err := filepath.Glob(s.path("keys", "*"))
		must(t, err)
		hidden, err := filepath.Glob(s.path(".hub-*"))
		must(t, err)
		return fmt.Sprint(list, hidden)
	}
	was := files()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a time that is none", []string{"--from", "tomorrow"}, "is no time such as"},
		{"a time that is over", []string{"--from", "2020-01-01T00:00:00Z"}, "is over, or almost"},
		{"a wrong password", []string{"--key", s.path("other.p12"), "--password-file", s.path("wrong")}, "does not open"},
		{"no password", []string{"--key", s.path("other.p12")}, "locked by a password"},
		{"another's certificate", []string{"--key", s.path("other.key"), "--certificate", s.path("keys", "seal.pem")}, "does not belong"},
		{"the key that seals now", []string{"--key", s.path("keys", "seal.key"), "--certificate", s.path("keys", "seal.pem")}, "that of the last key already"},
		{"a certificate that ends before", []string{"--key", s.path("other.key"), "--certificate", s.path("short.pem")}, "when it is to begin"},
		{"a certificate without a key", []string{"--certificate", s.path("short.pem")}, "give --key too"},
		{"a token, by a program without PKCS #11", []string{"--key", "pkcs11:token=x?module-path=/x.so"}, "built without PKCS #11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, errOut, code := s.hub(append([]string{"keys", "rotate", "-c", s.config()}, c.args...)...)
			if code != exitUsage || !strings.Contains(errOut, c.want) {
				t.Errorf("exit code %d: %s", code, errOut)
			}
		})
	}
	// A hub that is there and refuses: the administrator is not known to it.
	s.start()
	must(t, os.WriteFile(s.path("admin.secret"), []byte("x\n"), 0o600))
	if _, errOut, code := s.hub("keys", "rotate", "-c", s.config()); code != exitFailed || !strings.Contains(errOut, "did not take the change") || !strings.Contains(errOut, "is as it was") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
	after, err := os.ReadFile(s.config())
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Errorf("hub.yaml is\n%s", after)
	}
	if now := files(); now != was {
		t.Errorf("there are %s, and were %s", now, was)
	}
}

func TestAppendSeal(t *testing.T) {
	t.Parallel()
	item := []string{"- key: new", "  from: then"}
	for _, c := range []struct{ name, before, after string }{
		{"one key", "a: b\nseal:   # words\n  key: k # more\n\n  # and more\n  certificate: c\n\n# of the log\nlog:\n  x: y\n",
			"a: b\nseal:   # words\n  - key: k # more\n\n    # and more\n    certificate: c\n  - key: new\n    from: then\n\n# of the log\nlog:\n  x: y\n"},
		{"a list", "seal:\n  - key: k\n    certificate: c\nlog: x\n", "seal:\n  - key: k\n    certificate: c\n  - key: new\n    from: then\nlog: x\n"},
		{"a list without indentation", "seal:\n- key: k\nlog: x\n", "seal:\n- key: k\n- key: new\n  from: then\nlog: x\n"},
		{"at the end", "seal:\n    key: k", "seal:\n    - key: k\n    - key: new\n      from: then"},
		{"on one line", "seal: {key: k}\n", ""},
		{"nothing", "seal:\nlog: x\n", ""},
		{"none", "log: x\n", ""},
	} {
		if got, ok := appendSeal(c.before, item); got != c.after || ok != (c.after != "") {
			t.Errorf("%s: %v\n%s", c.name, ok, got)
		}
	}
}
