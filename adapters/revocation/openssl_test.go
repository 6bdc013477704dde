package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

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

// opensslCA is an authority as the openssl command runs one.
const opensslCA = `[ca]
default_ca = here
[here]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
unique_subject = no
x509_extensions = agency
crl_extensions = list
[any]
commonName = supplied
[list]
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
prompt = no
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[agency]
keyUsage = critical,digitalSignature,nonRepudiation
authorityKeyIdentifier = keyid
[responder]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,OCSPSigning
noCheck = ignored
[sibling]
keyUsage = critical,digitalSignature
`

// A peer is such an authority, in a directory.
type peer struct {
	t    *testing.T
	path string
	dir  string
}

func newPeer(t *testing.T) *peer {
	p := &peer{t, program(t, "openssl"), t.TempDir()}
	for name, text := range map[string]string{"ca.cnf": opensslCA, "index.txt": "", "serial": "1000\n", "crlnumber": "01\n"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
		"-subj", "/CN=openssl ca", "-config", "ca.cnf", "-extensions", "root", "-days", "30")
	return p
}

func (p *peer) run(args ...string) string {
	p.t.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *peer) try(args ...string) (string, error) {
	cmd := exec.CommandContext(p.t.Context(), p.path, args...)
	cmd.Dir = p.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *peer) ca(args ...string) {
	p.t.Helper()
	p.run(append([]string{"ca", "-config", "ca.cnf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key"}, args...)...)
}

// certify issues name.pem for name.key.
func (p *peer) certify(name, extensions string) *x509.Certificate {
	p.t.Helper()
	key := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	if extensions == "responder" {
		key = []string{"-newkey", "rsa:2048"}
	}
	p.run(append(append([]string{"req"}, key...), "-nodes", "-keyout", name+".key", "-out", name+".csr", "-subj", "/CN="+name, "-config", "ca.cnf")...)
	p.ca("-in", name+".csr", "-out", name+".pem", "-extensions", extensions)
	return p.read(name + ".pem")
}

func (p *peer) read(file string) *x509.Certificate {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, file))
	if err != nil {
		p.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// list makes a CRL of what the authority knows now.
func (p *peer) list() string {
	p.t.Helper()
	p.ca("-gencrl", "-out", "ca.crl")
	return filepath.Join(p.dir, "ca.crl")
}

// agrees asks openssl the same of the same CRL.
func (p *peer) agrees(certificate string, f exchange.RevocationFinding) {
	p.t.Helper()
	out, err := p.try("verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "ca.crl", certificate)
	if revoked := strings.Contains(out, "certificate revoked"); revoked != (f.State == exchange.RevocationRevoked) || err != nil != revoked {
		p.t.Errorf("we say %+v, openssl %v: %s", f, err, out)
	}
}

// TestOpensslLists reads the CRLs of another implementation as it does itself.
func TestOpensslLists(t *testing.T) {
	p := newPeer(t)
	ca := p.read("ca.pem")
	w := newWorld(t)
	before := time.Now().Add(-time.Minute)
	for _, tt := range []struct {
		name   string
		revoke []string
		want   string
		past   string // a minute before all of this
	}{
		{"good", nil, "good", "good"},
		{"plain", []string{}, "revoked: unspecified", "good: unspecified"},
		{"compromised", []string{"-crl_reason", "keyCompromise"}, "revoked: keyCompromise", "good: keyCompromise"},
		{"lost", []string{"-crl_compromise", "20200101000000Z"}, "revoked: keyCompromise", "revoked: keyCompromise"},
		{"superseded", []string{"-crl_reason", "superseded"}, "revoked: superseded", "good: superseded"},
		{"held", []string{"-crl_hold", "holdInstructionReject"}, "revoked: certificateHold", "good: certificateHold"},
		{"released", []string{"-crl_reason", "removeFromCRL"}, "good", "good"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaf := p.certify(tt.name, "agency")
			if tt.revoke != nil {
				p.ca(append([]string{"-revoke", tt.name + ".pem"}, tt.revoke...)...)
			}
			file := p.list()
			chain := []*x509.Certificate{leaf, ca}
			s := w.service(func(c *Config) {
				c.Now = time.Now
				c.Issuers = []Issuer{{Certificate: ca, CRLs: []string{file}}}
			})
			f := s.Check(t.Context(), chain, time.Now())
			if got := outcomeOf(f); got != tt.want {
				t.Errorf("is %q, want %q: %+v", got, tt.want, s.Sources())
			}
			p.agrees(tt.name+".pem", f)
			if got := outcomeOf(s.Check(t.Context(), chain, before)); got != tt.past {
				t.Errorf("before, it was %q, want %q", got, tt.past)
			}
		})
	}
}

// TestOpensslResponder asks openssl's responder, one process for each question,
// behind a server on the loopback address.
func TestOpensslResponder(t *testing.T) {
	p := newPeer(t)
	ca := p.read("ca.pem")
	p.certify("responder", "responder")
	p.certify("sibling", "sibling")
	w := newWorld(t)
	for _, tt := range []struct {
		name    string
		revoke  []string
		signer  string
		options []string
		want    string
	}{
		{"good", nil, "responder", []string{"-ndays", "1"}, "good"},
		{"for two minutes", nil, "responder", []string{"-nmin", "2"}, "good"},
		{"without an end", nil, "responder", nil, "good"},
		{"by key", nil, "responder", []string{"-ndays", "1", "-resp_key_id"}, "good"},
		{"by the authority", nil, "ca", []string{"-ndays", "1"}, "good"},
		{"without certificates", nil, "ca", []string{"-ndays", "1", "-resp_no_certs"}, "good"},
		{"a responder without its certificate", nil, "responder", []string{"-ndays", "1", "-resp_no_certs"}, "unknown: ocsp-signature"},
		{"by a sibling", nil, "sibling", []string{"-ndays", "1"}, "unknown: ocsp-responder"},
		{"with SHA-512", nil, "responder", []string{"-ndays", "1", "-rmd", "sha512"}, "good"},
		{"with SHA-1", nil, "responder", []string{"-ndays", "1", "-rmd", "sha1"}, "unknown: ocsp-algorithm"},
		{"plain", []string{}, "responder", []string{"-ndays", "1"}, "revoked: unspecified"},
		{"compromised", []string{"-crl_reason", "keyCompromise"}, "responder", []string{"-ndays", "1"}, "revoked: keyCompromise"},
		{"held", []string{"-crl_reason", "certificateHold"}, "responder", []string{"-ndays", "1"}, "revoked: certificateHold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaf := p.certify("agency", "agency")
			if tt.revoke != nil {
				p.ca(append([]string{"-revoke", "agency.pem"}, tt.revoke...)...)
			}
			w.handle("/ocsp", p.respond(tt.signer, tt.options))
			s := w.service(func(c *Config) {
				c.Now, c.Nonce = time.Now, true // openssl answers it
				c.Issuers = []Issuer{{Certificate: ca, OCSP: []string{w.server.URL + "/ocsp"}}}
			})
			if got := outcomeOf(s.Check(t.Context(), []*x509.Certificate{leaf, ca}, time.Now())); got != tt.want {
				t.Errorf("is %q, want %q: %+v", got, tt.want, s.Sources())
			}
		})
	}
	t.Run("never issued", func(t *testing.T) {
		leaf := p.certify("agency", "agency")
		if err := os.WriteFile(filepath.Join(p.dir, "index.txt"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w.handle("/ocsp", p.respond("responder", []string{"-ndays", "1"}))
		s := w.service(func(c *Config) {
			c.Now = time.Now
			c.Issuers = []Issuer{{Certificate: ca, OCSP: []string{w.server.URL + "/ocsp"}}}
		})
		if got := outcomeOf(s.Check(t.Context(), []*x509.Certificate{leaf, ca}, time.Now())); got != "unknown: ocsp-unknown" {
			t.Errorf("is %q", got)
		}
	})
}

func (p *peer) respond(signer string, options []string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		if err := os.WriteFile(filepath.Join(p.dir, "question"), question, 0o600); err != nil {
			p.t.Error(err)
		}
		out, err := p.try(append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", signer + ".pem", "-rkey", signer + ".key",
			"-reqin", "question", "-respout", "answer"}, options...)...)
		answer, missing := os.ReadFile(filepath.Join(p.dir, "answer"))
		if err != nil || missing != nil {
			p.t.Errorf("openssl ocsp: %v, %v\n%s", err, missing, out)
		}
		_, _ = rw.Write(answer)
	}
}

// TestOpensslReadsOurQuestion, nonce and all.
func TestOpensslReadsOurQuestion(t *testing.T) {
	p := newPeer(t)
	leaf, ca := p.certify("agency", "agency"), p.read("ca.pem")
	nonce := bytes.Repeat([]byte{0xab}, nonceSize)
	question, err := createRequest(leaf, ca, nonce)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "question"), question, 0o600); err != nil {
		t.Fatal(err)
	}
	text := p.run("ocsp", "-reqin", "question", "-req_text")
	for _, want := range []string{"Serial Number: 1000", "OCSP Nonce", "0420ABABAB"} {
		if !strings.Contains(strings.ReplaceAll(text, " \n", "\n"), want) {
			t.Errorf("openssl does not see %q in\n%s", want, text)
		}
	}
}
