package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tram/exchange"
	"tram/schemas"
)

// A desk is where somebody works with the agency command: a directory with the
// agency's settings, key and papers.
type desk struct {
	t   *testing.T
	dir string
	m   *member
}

// desk lays out what a member's clerk needs.
func (s *site) desk(m *member) desk {
	s.t.Helper()
	d := desk{s.t, filepath.Join(s.t.TempDir(), m.code), m}
	must(s.t, os.MkdirAll(d.dir, 0o700))
	must(s.t, writeKey(d.path("agency.key"), m.key))
	must(s.t, writeCertificates(d.path("agency.crt"), m.certificate))
	must(s.t, writeCertificates(d.path("authority.pem"), s.authority.certificate))
	must(s.t, os.WriteFile(d.path("secret"), []byte(m.secret+"\n"), 0o600))
	must(s.t, os.WriteFile(d.path("agency.yaml"), fmt.Appendf(nil, "url: https://%s\nroots: %s\nsystem: %s\nsecret_file: secret\nagency: %s\nkey: agency.key\ncertificate: agency.crt\ntrust: authority.pem\n",
		s.address, s.path("keys", "tls-root.pem"), m.system, m.code), 0o600))
	return d
}

func (d desk) path(name string) string { return filepath.Join(d.dir, name) }

// agency runs the agency command at the desk.
func (d desk) agency(args ...string) string {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), "agency", args...)
	c.Dir = d.dir
	return output(d.t, c)
}

// output is what a command prints that must succeed.
func output(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var errOut bytes.Buffer
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), err, out, errOut.String())
	}
	return string(out)
}

// the finds what one group of a pattern matches.
func the(t *testing.T, pattern, text string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing like %s in\n%s", pattern, text)
	}
	return m[1]
}

// TestThreeCommands lets a package go from one agency to two and an answer back,
// by the programs that people have; what is left is verified without the hub.
func TestThreeCommands(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	finance, health, ward := s.desk(s.join("H12.07")), s.desk(s.join("H12.12")), s.desk(s.join("H12.40"))

	file := bytes.Repeat([]byte("Phụ lục kinh phí\n"), 20_000)
	must(t, os.WriteFile(finance.path("CV_1250.pdf"), file, 0o600))
	finance.agency("compose", "new", "--to", "H12.12", "--to", "H12.40", "--number", "1250", "--notation", "STC-NS", "--date", "2026-11-20",
		"--subject", "V/v phân bổ kinh phí quý IV", "--attach", "CV_1250.pdf", "-o", "1250.edxml")
	finance.agency("sign", "1250.edxml")
	pkg := the(t, `package (\S+)`, finance.agency("submit", "1250.signed.edxml"))
	first, err := os.ReadFile(finance.path("1250.signed.edxml.receipt.xml"))
	must(t, err)
	finance.agency("submit", "1250.signed.edxml")
	again, err := os.ReadFile(finance.path("1250.signed.edxml.receipt.xml"))
	must(t, err)
	if !bytes.Equal(first, again) {
		t.Error("submitting again brought another receipt")
	}

	health.take(pkg + ".1")
	ward.take(pkg+".2", "--refuse", "--reason", "Gửi nhầm cơ quan")
	for _, d := range []desk{health, ward} {
		sent, err := os.ReadFile(finance.path("1250.signed.edxml"))
		must(t, err)
		got, err := filepath.Glob(d.path("in/*.edxml"))
		must(t, err)
		came, err := os.ReadFile(got[0])
		must(t, err)
		unpacked, err := filepath.Glob(d.path("in/*.files/CV_1250.pdf"))
		must(t, err)
		attachment, err := os.ReadFile(unpacked[0])
		must(t, err)
		if !bytes.Equal(came, sent) || !bytes.Equal(attachment, file) {
			t.Errorf("%s did not get what was sent", d.m.code)
		}
	}
	health.agency("compose", "new", "--to", "H12.07", "--number", "88", "--notation", "SYT-KH", "--subject", "V/v giải trình", "--attach", "agency.crt", "--sign", "-o", "88.edxml")
	back := the(t, `package (\S+)`, health.agency("submit", "88.edxml"))
	finance.take(back + ".1")

	finance.agency("receipts", pkg, "--dir", "evidence")
	finance.agency("receipts", back, "--dir", "evidence")
	mirror := filepath.Join(t.TempDir(), "mirror")
	output(t, exec.Command("auditor", "follow", "https://"+s.address, "--roots", s.path("keys", "tls-root.pem"), "--dir", mirror, "--once"))
	output(t, exec.Command("auditor", "check", "https://"+s.address, "--roots", s.path("keys", "tls-root.pem"), "--user", "admin",
		"--secret-file", s.path("admin.secret"), "--receipts", finance.path("evidence")))
	s.stop()
	healthy(t, s)

	// Elsewhere, later: nothing is left but the papers.
	elsewhere := filepath.Join(t.TempDir(), "court")
	must(t, os.CopyFS(elsewhere, os.DirFS(finance.path("evidence"))))
	seal := filepath.Join(t.TempDir(), "seal.pem")
	must(t, os.WriteFile(seal, sealOf(t, filepath.Join(elsewhere, "keys.json")), 0o600))
	must(t, os.RemoveAll(s.dir))
	papers := receiptsIn(t, elsewhere)
	said := output(t, exec.Command("auditor", append([]string{"verify", "--keys", filepath.Join(elsewhere, "keys.json")}, papers...)...))
	for _, event := range []exchange.Event{exchange.SubmissionAcceptance, exchange.ContentConsignment, exchange.ContentHandover, exchange.ConsignmentRejection} {
		if !strings.Contains(said, string(event)) {
			t.Errorf("the auditor does not speak of %s:\n%s", event, said)
		}
	}
	if len(papers) != 1+2*2+2 { // of its own package: accepted, and each delivery consigned and ended; of the other's: the delivery to it
		t.Errorf("%d receipts are left", len(papers))
	}
	output(t, exec.Command("auditor", "check", mirror, "--receipts", elsewhere))
	notFooled(t, elsewhere, papers[0])
	judgedByOthers(t, seal, papers)
}

// take waits for a delivery, fetches it and answers it.
func (d desk) take(id string, answer ...string) {
	d.t.Helper()
	if listed := d.agency("inbox", "--wait", "10s"); !strings.Contains(listed, id) {
		d.t.Fatalf("%s is not in the inbox:\n%s", id, listed)
	}
	d.agency("fetch", id, "--dir", "in", "--extract")
	d.agency(append([]string{"ack", id, "--dir", "in"}, answer...)...)
}

func receiptsIn(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	must(t, err)
	return list
}

// sealOf is the certificate that the hub publishes for its seals.
func sealOf(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	var keys exchange.Keys
	must(t, json.Unmarshal(text, &keys))
	return []byte(keys.Sealing[0])
}

// notFooled shows the auditor a receipt that was changed, and one without proof.
func notFooled(t *testing.T, dir, receipt string) {
	t.Helper()
	keys := filepath.Join(dir, "keys.json")
	raw, err := os.ReadFile(receipt)
	must(t, err)
	other := filepath.Join(t.TempDir(), filepath.Base(receipt))
	for name, text := range map[string][]byte{
		"another document":         bytes.Replace(raw, []byte("1250/STC-NS"), []byte("1251/STC-NS"), 1),
		"another second":           regexp.MustCompile(`T(\d\d:\d\d):\d\d`).ReplaceAll(raw, []byte("T$1:61")),
		"a proof that is not here": raw,
	} {
		must(t, os.WriteFile(other, text, 0o600))
		if out, err := exec.Command("auditor", "verify", "--keys", keys, other).CombinedOutput(); err == nil {
			t.Errorf("the auditor believes a receipt with %s:\n%s", name, out)
		}
	}
}

// judgedByOthers asks programs that share nothing with ours.
func judgedByOthers(t *testing.T, seal string, receipts []string) {
	t.Helper()
	xmlsec, xmllint := program(t, "xmlsec1"), program(t, "xmllint")
	dir := t.TempDir()
	must(t, os.CopyFS(dir, schemas.Files))
	for _, r := range receipts {
		output(t, exec.Command(xmlsec, "--verify", "--trusted-pem", seal, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", r))
		output(t, exec.Command(xmllint, "--nonet", "--noout", "--schema", filepath.Join(dir, "evidence.xsd"), r))
	}
}

// toBeSigned is what xmlsec1 fills in.
const toBeSigned = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>` +
	`<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
	`<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
	`<Reference URI=""><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
	`<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>` +
	`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference></SignedInfo>` +
	`<SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo></Signature>`

// TestSignedByOthers submits packages that were signed by xmlsec1 and by the
// JDK, with certificates of the authority that the hub trusts.
func TestSignedByOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	sender, to := s.joinWith("H12.07", key), s.join("H12.12")
	d := s.desk(sender)

	t.Run("xmlsec1", func(t *testing.T) {
		plain := unsigned(t, sender.letter(1, 5000, to.code))
		must(t, os.WriteFile(d.path("1.xml"), spliced(t, plain, "</edXML:edXMLHeader>", toBeSigned+"</edXML:edXMLHeader>"), 0o600))
		output(t, exec.Command(program(t, "xmlsec1"), "--sign", "--privkey-pem", d.path("agency.key")+","+d.path("agency.crt"), "--output", d.path("1.edxml"), d.path("1.xml")))
		s.acceptedFrom(t, sender, d.path("1.edxml"))
	})
	t.Run("the JDK", func(t *testing.T) {
		java := program(t, "java")
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)
		must(t, os.WriteFile(d.path("2.xml"), unsigned(t, sender.letter(2, 5000, to.code)), 0o600))
		must(t, os.WriteFile(d.path("key.der"), der, 0o600))
		must(t, os.WriteFile(d.path("agency.cer"), sender.certificate.Raw, 0o600))
		const exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
		job := []string{d.path("2.xml"), "edXMLHeader", d.path("key.der"), "RSA", d.path("agency.cer"), "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
			exclusive, "-", exclusive, "-", "http://www.w3.org/2001/04/xmlenc#sha256", d.path("2.edxml")}
		must(t, os.WriteFile(d.path("job"), []byte(strings.Join(job, "\t")+"\n"), 0o600))
		output(t, exec.Command(java, "../../signing/testdata/SignXML.java", d.path("job")))
		s.acceptedFrom(t, sender, d.path("2.edxml"))
	})
}

// acceptedFrom submits a file; the recipient gets it byte for byte.
func (s *site) acceptedFrom(t *testing.T, m *member, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	done, err := m.submit(t.Context(), text)
	must(t, err)
	if done.Receipt.Event != exchange.SubmissionAcceptance {
		t.Errorf("it brought %s", done.Receipt.Event)
	}
	digest := exchange.DigestOf(text).String()
	raw, err := os.ReadFile(s.path("vault", digest[:2], digest[2:]))
	must(t, err)
	if !bytes.Equal(raw, text) {
		t.Error("what was kept is not what came")
	}
}

// TestStopsForUpdates stops a hub while people wait for something: those that
// wait are answered, and everything is there when it comes back.
func TestStopsForUpdates(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender, to := s.join("H12.07"), s.join("H12.12")
	waiting := make(chan error)
	go func() {
		page, err := to.hub.Inbox(t.Context(), to.code, "", 0, time.Minute)
		if err == nil && len(page.Items) > 0 {
			err = fmt.Errorf("%d deliveries came out of nowhere", len(page.Items))
		}
		waiting <- err
	}()
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	s.stop()
	if err := <-waiting; err != nil {
		t.Errorf("who waited was told %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	s.start()
	_, err := sender.submit(t.Context(), sender.signed(t, sender.letter(1, 10, to.code)))
	must(t, err)
	page, err := to.hub.Inbox(t.Context(), to.code, "", 0, 10*time.Second)
	must(t, err)
	if len(page.Items) != 1 {
		t.Errorf("%d deliveries came", len(page.Items))
	}
}

// TestStopsInTheMiddle stops a hub that somebody sends a package to, and does
// not come to the end of it.
func TestStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits as long as a hub does")
	}
	s := newSite(t).start()
	sender := s.join("H12.07")
	given := make(chan error)
	go func() {
		_, err := sender.hub.Submit(t.Context(), &dripping{text: "<edXML>"}, -1)
		given <- err
	}()
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	s.stop()
	if took := time.Since(began); took < drainTime {
		t.Errorf("it was given %s to come to an end", took)
	}
	if err := <-given; err == nil {
		t.Error("half a package was accepted")
	}
	s.start()
	nothingKept(t, s)
}
