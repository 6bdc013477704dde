package signing

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// theirs are the ways that other software signs for us.
var theirs = []struct {
	name, by, method, place string
}{
	{"rsa sha256 in the header", "agency-rsa", algRSASHA256, "edXMLHeader"},
	{"rsa sha512 in the root", "agency-rsa", algRSASHA512, "edXML"},
	{"ecdsa p256", "agency-p256", algECDSASHA256, "edXMLHeader"},
	{"ecdsa p384", "agency-p384", algECDSASHA384, "edXMLHeader"},
	{"ecdsa p521", "agency-p521", algECDSASHA512, "edXML"},
}

// awkward is a package whose canonical form is nothing like its bytes. Both
// programs read and sign it.
func awkward(t *testing.T) string {
	t.Helper()
	text := strings.Replace(pkg("QUJD"+strings.Repeat("\r\nREVG", 5000)), here, "", 1)
	text = replace(t, text, `id="trace-1"`, "id='trace\n\t1 &#10;&quot;' xmlns:b='urn:b' xmlns:a='urn:z' a:x='1' b:x='2' y='>'")
	text = replace(t, text, "<Paper>0</Paper>", "<q:Paper xmlns:q='"+nsQCVN+"'>0<x xmlns=''/><y/><![CDATA[<&>\r\n]]>&#13;&gt;</q:Paper>")
	return text
}

// accept reads what another program signed.
func accept(t *testing.T, file, by string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Read(f, inHeader())
	if err != nil {
		t.Fatal(err)
	}
	if d.Signature == nil || !d.Signature.Certificate.Equal(signer(t, by).cert) {
		t.Errorf("signature: %+v", d.Signature)
	}
}

func save(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSignedByXmlsec(t *testing.T) {
	xmlsec, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "xmlsec1")
	}
	for _, c := range theirs {
		t.Run(c.name, func(t *testing.T) {
			dir, p := t.TempDir(), signer(t, c.by)
			template := `<Signature xmlns="` + nsDS + `">` + strings.NewReplacer("ds:", "", `:ds=`, "=").Replace(signedInfoText(c.method, "", "")) +
				`<SignatureValue/><KeyInfo><X509Data/></KeyInfo></Signature>`
			document := replace(t, awkward(t), "</"+c.place+">", template+"</"+c.place+">")
			in, out := save(t, dir, "in.xml", []byte(document)), filepath.Join(dir, "out.xml")
			keys := save(t, dir, "key.pem", pemKey(t, p)) + "," + save(t, dir, "cert.pem", pemCert(p))
			if said, err := exec.Command(xmlsec, "--sign", "--privkey-pem", keys, "--output", out, in).CombinedOutput(); err != nil {
				t.Fatalf("xmlsec1: %v\n%s", err, said)
			}
			accept(t, out, c.by)
		})
	}
}

func TestSignedByTheJDK(t *testing.T) {
	java, err := exec.LookPath("java")
	if err != nil {
		missing(t, "java")
	}
	dir := t.TempDir()
	in := save(t, dir, "in.xml", []byte(awkward(t)))
	args := []string{"testdata/SignXML.java"}
	for _, c := range theirs {
		p, kind := signer(t, c.by), "EC"
		if c.by == "agency-rsa" {
			kind = "RSA"
		}
		block, _ := pem.Decode(pemKey(t, p))
		args = append(args, in, c.place, save(t, dir, c.by+".key", block.Bytes), kind, save(t, dir, c.by+".cer", p.cert.Raw), c.method, filepath.Join(dir, c.name))
	}
	if said, err := exec.Command(java, args...).CombinedOutput(); err != nil {
		t.Fatalf("java: %v\n%s", err, said)
	}
	for _, c := range theirs {
		t.Run(c.name, func(t *testing.T) { accept(t, filepath.Join(dir, c.name), c.by) })
	}
}

// TestVectorsAgainstXmlsec: what is accepted here, xmlsec1 accepts too.
func TestVectorsAgainstXmlsec(t *testing.T) {
	xmlsec, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "xmlsec1")
	}
	dir := t.TempDir()
	for _, v := range acceptedVectors(t) {
		if v.want != accepted || strings.Contains(v.document, algExcC14NAlias) || strings.Contains(v.document, "#p1") ||
			strings.Contains(v.name, "issuer serial") { // xmlsec1 knows neither; the names are invented
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			path := save(t, dir, fileOf(v), []byte(v.document))
			said, err := exec.Command(xmlsec, "--verify", "--trusted-pem", filepath.Join(vectors, "keys", "ca.pem"), path).CombinedOutput()
			if err != nil {
				t.Errorf("xmlsec1: %v\n%s", err, said)
			}
		})
	}
}

func pemKey(t *testing.T, p party) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func pemCert(p party) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}
