package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/signing"
	"tram/signing/tsatest"
)

func trustOf(t *testing.T, roots ...*x509.Certificate) *signing.Trust {
	t.Helper()
	return must(signing.NewTrust(roots, nil))
}

// ask gets a token from OpenSSL, with our request and our reading of its answer.
func ask(t *testing.T, a *tsatest.Authority, q signing.TimeStampRequest) ([]byte, error) {
	t.Helper()
	answer, err := a.Answer(must(q.Marshal()))
	if err != nil {
		t.Fatal(err)
	}
	return q.Token(answer)
}

// TestOpenSSLStamps has OpenSSL answer our requests, checks its tokens, and has
// OpenSSL check the same token against the same data.
func TestOpenSSLStamps(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	rsa2048 := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, key := range map[string]crypto.Signer{"P-256": nil, "P-384": p384, "RSA-2048": rsa2048} {
		t.Run(name, func(t *testing.T) {
			a := tsatest.New(t, key)
			data := []byte("the value of a signature")
			q := signing.TimeStampRequest{Digest: sha256.Sum256(data), Nonce: must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64)))}
			token, err := ask(t, a, q)
			if err != nil {
				t.Fatal(err)
			}
			said, err := trustOf(t, a.Root).CheckTimeStamp(token, data)
			if err != nil {
				t.Fatal(err)
			}
			if since := time.Since(said.Time); since < -2*time.Second || since > time.Minute || said.Accuracy != 1500*time.Millisecond || !said.Ordering || said.Policy != tsatest.Policy {
				t.Errorf("says %+v", said)
			}
			if _, err := trustOf(t, a.Root).CheckTimeStamp(token, data[1:]); err == nil {
				t.Error("the token is taken for one over other data")
			}
			other := tsatest.New(t, nil)
			if _, err := trustOf(t, other.Root).CheckTimeStamp(token, data); err == nil {
				t.Error("the token is taken for one of another authority")
			}
			verifyByOpenSSL(t, a, data, token)
		})
	}
}

func verifyByOpenSSL(t *testing.T, a *tsatest.Authority, data, token []byte) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range map[string][]byte{"data": data, "token": token, "root.pem": a.RootPEM()} {
		writeFile(t, filepath.Join(dir, name), b)
	}
	out, err := exec.Command(program(t, "openssl"), "ts", "-verify", "-data", filepath.Join(dir, "data"), "-in", filepath.Join(dir, "token"),
		"-token_in", "-CAfile", filepath.Join(dir, "root.pem")).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Verification: OK")) {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}

func TestOpenSSLRefuses(t *testing.T) {
	a := tsatest.New(t, nil)
	q := signing.TimeStampRequest{Nonce: big.NewInt(7), Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 3}}
	if _, err := ask(t, a, q); err == nil || !strings.Contains(err.Error(), "unacceptedPolicy") {
		t.Errorf("a policy that is not served: %v", err)
	}
	q.Policy = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}
	if _, err := ask(t, a, q); err != nil {
		t.Errorf("a policy that is served: %v", err)
	}
	if answer, err := a.Answer([]byte{0x30, 0}); err == nil {
		if _, err = q.Token(answer); err == nil || !strings.Contains(err.Error(), "timestamp-refused") {
			t.Errorf("a request that is none: %v", err)
		}
	}
}

// TestPeersVerifyTimeStampedDocuments: to xmlsec1 and the JDK a sealed document
// with its time-stamp is as good as without, and OpenSSL finds the time-stamp over
// the canonical form of the SignatureValue.
func TestPeersVerifyTimeStampedDocuments(t *testing.T) {
	a := tsatest.New(t, nil)
	dir := t.TempDir()
	java, xmlsec1 := program(t, "java"), program(t, "xmlsec1")
	args := []string{"testdata/VerifyXML.java"}
	var forged string
	for kind, h := range holders() {
		doc := sealed(t, canonicalDocuments()["evidence"], h)
		read := must(signing.Read(bytes.NewReader(doc), signing.Options{}))
		data := read.Signature.Stamped
		token, err := ask(t, a, signing.TimeStampRequest{Digest: sha256.Sum256(data), Nonce: big.NewInt(7)})
		if err != nil {
			t.Fatal(err)
		}
		stamped, err := signing.AddTimeStamp(doc, token)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, kind+".xml")
		writeFile(t, file, stamped)
		verifyByXmlsec(t, xmlsec1, h, file)
		verifyByOpenSSL(t, a, data, token)
		args = append(args, file)
		forged = filepath.Join(dir, "forged.xml")
		writeFile(t, forged, bytes.Replace(stamped, []byte("EN319522v1.1.1"), []byte("EN319522v1.1.2"), 1))
		if _, err := xmlsecCommand(t, xmlsec1, h, forged).CombinedOutput(); err == nil {
			t.Error("xmlsec1 takes a changed document")
		}
	}
	out, _ := exec.Command(java, append(args, forged)...).CombinedOutput() // it fails as it finds the forgery
	for _, file := range args[1:] {
		if !strings.Contains("\n"+string(out), "\ngood "+file+"\n") {
			t.Errorf("to the JDK %s is not good", file)
		}
	}
	if !strings.Contains(string(out), "bad "+forged) {
		t.Error("to the JDK the forgery is not bad")
	}
	if t.Failed() {
		t.Logf("the JDK says: %s", out)
	}
}
