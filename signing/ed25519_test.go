package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"tram/signing"
)

// TestEd25519 seals and signs with Ed25519. xmlsec1 and the JDK of our time do not
// know it in XML; so etree and goxmldsig give the canonical SignedInfo, and openssl
// verifies that this itself was signed, not its digest (RFC 9231, 2.3.12).
func TestEd25519(t *testing.T) {
	openssl := program(t, "openssl")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := newHolder(key)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, signed := range map[string][]byte{
		"sealed":               sealed(t, canonicalDocuments()["evidence"], h),
		"signed in the header": sign(t, packages()["Vietnamese"], h, header),
		"signed in the root":   sign(t, packages()["Vietnamese"], h, nil),
	} {
		t.Run(name, func(t *testing.T) {
			o := signing.Options{}
			if name == "signed in the header" {
				o.SignatureIn = [][]signing.Name{header}
			}
			read, err := signing.Read(bytes.NewReader(signed), o)
			if err != nil {
				t.Fatal(err)
			}
			if !read.Signature.Certificate.Equal(h.chain[0]) {
				t.Errorf("signed by %v", read.Signature.Certificate.Subject)
			}
			doc := etree.NewDocument()
			if err := doc.ReadFromBytes(signed); err != nil {
				t.Fatal(err)
			}
			info, value := doc.FindElement("//SignedInfo"), doc.FindElement("//SignatureValue")
			if got := info.FindElement("./SignatureMethod").SelectAttrValue("Algorithm", ""); got != "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519" {
				t.Errorf("the method is %s", got)
			}
			canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(detached(info))
			if err != nil {
				t.Fatal(err)
			}
			signature, err := base64.StdEncoding.DecodeString(value.Text())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
			writeFile(t, filepath.Join(dir, "info"), canonical)
			writeFile(t, filepath.Join(dir, "signature"), signature)
			verify := exec.CommandContext(t.Context(), openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "info", "-sigfile", "signature")
			verify.Dir = dir
			if out, err := verify.CombinedOutput(); err != nil {
				t.Errorf("openssl: %v\n%s", err, out)
			}
		})
	}
}

// detached is an element on its own, with the namespaces that hold inside it.
func detached(e *etree.Element) *etree.Element {
	alone := e.Copy()
	for outer := e.Parent(); outer != nil; outer = outer.Parent() {
		for _, a := range outer.Attr {
			declares := a.Space == "xmlns" || (a.Space == "" && a.Key == "xmlns")
			if declares && alone.SelectAttr(a.FullKey()) == nil {
				alone.CreateAttr(a.FullKey(), a.Value)
			}
		}
	}
	return alone
}
