package signing_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"tram/signing"
)

// The programs in this file verify what we sign. None of them shares code with
// ours, but for goxmldsig's part in reading SignedInfo.

// A specimen is a file that was signed, and the signer.
type specimen struct {
	file string
	by   holder
}

// specimens are documents sealed and packages signed with each kind of key.
func specimens(t *testing.T) []specimen {
	t.Helper()
	dir := t.TempDir()
	var all []specimen
	add := func(h holder, content []byte, names ...string) {
		file := filepath.Join(dir, strings.Join(names, ", ")+".xml")
		writeFile(t, file, content)
		all = append(all, specimen{file, h})
	}
	for kind, h := range holders() {
		for name, doc := range canonicalDocuments() {
			if kind == "P-256" || name == "evidence" {
				add(h, sealed(t, doc, h), "sealed", kind, name)
			}
		}
		for name, doc := range packages() {
			if kind == "RSA-2048" || name == "Vietnamese" {
				add(h, sign(t, doc, h, header), "signed in the header", kind, name)
				add(h, sign(t, doc, h, nil), "signed in the root", kind, name)
			}
		}
	}
	return all
}

// forgeries are specimens that were changed afterwards.
func forgeries(t *testing.T) []specimen {
	t.Helper()
	dir, h := t.TempDir(), holders()["P-256"]
	doc := string(sealed(t, canonicalDocuments()["evidence"], h))
	content, at := filepath.Join(dir, "other content.xml"), filepath.Join(dir, "other signing time.xml")
	writeFile(t, content, []byte(strings.Replace(doc, "EN319522v1.1.1", "EN319522v1.1.2", 1)))
	writeFile(t, at, []byte(strings.Replace(doc, "T02:20:31Z", "T02:20:32Z", 1)))
	return []specimen{{content, h}, {at, h}}
}

func sealed(t testing.TB, doc string, h holder) []byte {
	t.Helper()
	sealed, err := h.sealer(t).Seal([]byte(doc), sealedAt)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestXmlsecAgrees(t *testing.T) {
	xmlsec1 := program(t, "xmlsec1")
	for _, s := range specimens(t) {
		verifyByXmlsec(t, xmlsec1, s.by, s.file)
	}
	for _, s := range forgeries(t) {
		if out, err := xmlsecCommand(t, xmlsec1, s.by, s.file).CombinedOutput(); err == nil {
			t.Errorf("%s: %s", s.file, out)
		}
	}
}

// TestXadesjsAgrees, which is of npm. It takes prefixes to mean in SignedInfo what
// they mean in the root, even where the signature gives them another meaning.
func TestXadesjsAgrees(t *testing.T) {
	args := []string{"verify"}
	good := slices.DeleteFunc(specimens(t), func(s specimen) bool { return strings.HasSuffix(s.file, "our prefixes with other meanings.xml") })
	bad := forgeries(t)
	for _, s := range slices.Concat(good, bad) {
		args = append(args, s.file)
	}
	out, _ := signing.Xadesjs(t, args...).CombinedOutput() // it fails as it finds the forgeries
	said := "\n" + string(out)
	for _, s := range good {
		if !strings.Contains(said, "\ngood "+s.file+"\n") {
			t.Errorf("%s is not good", s.file)
		}
	}
	for _, s := range bad {
		if !strings.Contains(said, "\nbad "+s.file+": ") || !strings.Contains(said, "Invalid digest") {
			t.Errorf("%s is not bad", s.file)
		}
	}
	if t.Failed() {
		t.Logf("xadesjs says: %s", out)
	}
}

// mutants are specimens with something changed that the signature covers: we
// refuse them for their mathematics, not for their form.
func mutants(t *testing.T, n int) []specimen {
	t.Helper()
	g, dir, from := rand.New(rand.NewPCG(19, 45)), t.TempDir(), specimens(t)
	slices.SortFunc(from, func(a, b specimen) int { return strings.Compare(a.file, b.file) })
	var all []specimen
	for i := 0; len(all) < n && i < 200*n; i++ {
		s := from[i%len(from)]
		original, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		if len(original) > 100_000 {
			continue
		}
		changed := mutated(g, original)
		_, err = signing.Read(bytes.NewReader(changed), signing.Options{SignatureIn: [][]signing.Name{header}})
		var refusal *signing.Error
		if !errors.As(err, &refusal) || refusal.Rule != signing.DigestMismatch && refusal.Rule != signing.SignatureMismatch {
			continue
		}
		file := filepath.Join(dir, fmt.Sprintf("%d, %s", len(all), filepath.Base(s.file)))
		writeFile(t, file, changed)
		all = append(all, specimen{file, s.by})
	}
	if len(all) < n {
		t.Fatalf("%d of %d documents were changed so that only mathematics tells", len(all), n)
	}
	return all
}

func mutated(g *rand.Rand, original []byte) []byte {
	changed, at := bytes.Clone(original), g.IntN(len(original))
	switch g.IntN(5) {
	case 0:
		changed[at] ^= 1 << g.IntN(7)
	case 1:
		changed = slices.Delete(changed, at, at+1)
	case 2:
		changed = slices.Insert(changed, at, changed[at])
	case 3: // the same word, decomposed: it looks alike
		changed = bytes.Replace(changed, []byte("ấ"), []byte("a\u0302\u0301"), 1)
		changed = bytes.Replace(changed, []byte("á"), []byte("a\u0301"), 1)
	case 4: // two neighbours in each other's place
		next := (at + 1) % len(changed)
		changed[at], changed[next] = changed[next], changed[at]
	}
	return changed
}

// TestJudgesRefuseWhatWeRefuse: nobody takes for good what we refuse for its
// mathematics.
func TestJudgesRefuseWhatWeRefuse(t *testing.T) {
	all := mutants(t, 90)
	files := make([]string, len(all))
	for i, s := range all {
		files[i] = s.file
	}
	xmlsec1 := program(t, "xmlsec1")
	for _, s := range all {
		if out, err := xmlsecCommand(t, xmlsec1, s.by, s.file).CombinedOutput(); err == nil {
			t.Errorf("xmlsec1 accepts %s: %s", s.file, out)
		}
	}
	judges := map[string]*exec.Cmd{
		"the JDK": exec.Command(program(t, "java"), append([]string{"testdata/VerifyXML.java"}, files...)...),
		"xadesjs": signing.Xadesjs(t, append([]string{"verify"}, files...)...),
	}
	for name, judge := range judges {
		out, _ := judge.CombinedOutput() // it fails as all are bad
		for _, file := range files {
			if !strings.Contains("\n"+string(out), "\nbad "+file+": ") {
				t.Errorf("%s does not refuse %s", name, file)
			}
		}
		if t.Failed() {
			t.Logf("%s says: %s", name, out)
		}
	}
}

// TestTheJDKAgrees runs one virtual machine: it takes longest to begin.
func TestTheJDKAgrees(t *testing.T) {
	args := []string{"testdata/VerifyXML.java"}
	good, bad := specimens(t), forgeries(t)
	for _, s := range append(good, bad...) {
		args = append(args, s.file)
	}
	out, _ := exec.Command(program(t, "java"), args...).CombinedOutput() // it fails as it finds the forgeries
	said := "\n" + string(out)
	for _, s := range good {
		if !strings.Contains(said, "\ngood "+s.file+"\n") {
			t.Errorf("%s is not good", s.file)
		}
	}
	for _, s := range bad {
		if !strings.Contains(said, "\nbad "+s.file+": the digest of ") {
			t.Errorf("%s is not bad", s.file)
		}
	}
	if t.Failed() {
		t.Logf("the JDK says: %s", out)
	}
}

// TestGoxmldsigAgrees is for what that library can verify: RSA, one reference,
// attribute values without line ends.
func TestGoxmldsigAgrees(t *testing.T) {
	for name, doc := range packages() {
		for kind, h := range holders() {
			if name != "attribute over lines" && strings.HasPrefix(kind, "RSA") {
				verifyByGoxmldsig(t, sign(t, doc, h, header), h.chain[0])
			}
		}
	}
}

func verifyByGoxmldsig(t *testing.T, signed []byte, leaf *x509.Certificate) {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(signed); err != nil {
		t.Fatal(err)
	}
	trust := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{leaf}})
	if _, err := trust.Validate(doc.Root()); err != nil {
		t.Errorf("goxmldsig: %v", err)
	}
}

// program finds a command that a test needs.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: %v", name, err)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// run runs a command that must succeed and returns what it prints.
func run(t *testing.T, command string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", command, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

func writeFile(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func verifyByXmlsec(t *testing.T, xmlsec1 string, h holder, file string) {
	t.Helper()
	if out, err := xmlsecCommand(t, xmlsec1, h, file).CombinedOutput(); err != nil {
		t.Errorf("xmlsec1 refuses %s: %v\n%s", filepath.Base(file), err, out)
	}
}

// xmlsecCommand verifies with the key of the certificate in the signature,
// chained to the holder's root.
func xmlsecCommand(t *testing.T, xmlsec1 string, h holder, file string) *exec.Cmd {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root.pem")
	writeFile(t, root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.root.Raw}))
	return exec.Command(xmlsec1, "--verify", "--trusted-pem", root,
		"--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", file)
}
