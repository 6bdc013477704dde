package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/exchange"
	"tram/signing"
)

const vectors = "../../testdata/vectors"

// A vector is a published document, and what must become of it.
type vector struct {
	file, kind, rule string
	document         []byte
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(vectors, "vectors.txt"))
	must(t, err)
	var all []vector
	for _, m := range regexp.MustCompile(`(?m)^([^#\s]\S*)\texpect: (\S+)\t(\S+)$`).FindAllSubmatch(index, -1) {
		document, err := os.ReadFile(filepath.Join(vectors, string(m[1])))
		must(t, err)
		all = append(all, vector{string(m[1]), string(m[2]), string(m[3]), document})
	}
	files, err := filepath.Glob(filepath.Join(vectors, "*.xml"))
	must(t, err)
	if len(all) == 0 || len(all) != len(files) {
		t.Fatalf("the index names %d documents, and there are %d", len(all), len(files))
	}
	return all
}

// vectorCertificate is the certificate of one of the vectors' parties.
func vectorCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	list, err := keystore.ReadCertificates(filepath.Join(vectors, "keys", name+".pem"))
	must(t, err)
	return list[0]
}

// attacked is a hub with the agencies that the vectors speak of.
func attacked(t *testing.T) (*site, *member) {
	t.Helper()
	s := newSite(t)
	roots, err := os.ReadFile(s.path("trust", "roots.pem"))
	must(t, err)
	must(t, os.WriteFile(s.path("trust", "roots.pem"), append(roots, pemOf(vectorCertificate(t, "ca"))...), 0o600))
	s.start()
	sender := &member{code: "H12.07", system: "system-h12.07"}
	var certificates []*x509.Certificate
	for _, name := range []string{"agency-rsa", "agency-p256", "agency-p384", "agency-p521", "agency-ed25519"} {
		certificates = append(certificates, vectorCertificate(t, name))
	}
	s.enter(sender, certificates)
	s.enter(&member{code: "H12.08", system: "system-h12.08"}, []*x509.Certificate{vectorCertificate(t, "other-agency")})
	s.join("H12.12")
	s.join("H12.40")
	return s, sender
}

// atTheHub is what the hub, beyond its signatures' reader, makes of a vector:
// code and rule, empty if it is accepted.
func (v vector) atTheHub(t *testing.T) (exchange.Code, string) {
	t.Helper()
	switch {
	case v.kind == "unsigned":
		return exchange.InvalidSignature, "signature-required"
	case v.file == "signed-by-another-agency.xml":
		return exchange.NotPermitted, "signer-not-sender"
	case v.rule == string(signing.CertificateExpired) && time.Now().Before(vectorCertificate(t, "expired").NotAfter.Add(signing.DefaultSkew)),
		v.rule == string(signing.CertificateNotYetValid) && time.Now().After(vectorCertificate(t, "not-yet-valid").NotBefore.Add(-signing.DefaultSkew)):
		return exchange.Untrusted, "certificate-not-registered" // the index is written for another day
	case v.kind == "accepted":
		return "", ""
	}
	return exchange.Code(v.kind), v.rule
}

// TestAttacksThroughTheDoor submits what is made to deceive, as a
// system that may submit. The hub names what is wrong, keeps nothing of it, and
// is afterwards as it was.
func TestAttacksThroughTheDoor(t *testing.T) {
	t.Parallel()
	s, sender := attacked(t)
	quiet := restOf(s)
	for _, v := range readVectors(t) {
		code, rule := v.atTheHub(t)
		if code == "" {
			continue
		}
		t.Run(v.file, func(t *testing.T) {
			refused(t, sender, bytes.NewReader(v.document), int64(len(v.document)), code, rule)
		})
	}
	nothingKept(t, s)
	quiet.again(t)
}

// refused submits a body that must be refused by the rule.
func refused(t *testing.T, m *member, body io.Reader, size int64, code exchange.Code, rule string) {
	t.Helper()
	done, err := m.hub.Submit(t.Context(), body, size)
	var p *httpclient.Problem
	if !errors.As(err, &p) {
		t.Fatalf("the hub says %v %v, not %s (%s)", done.Package, err, code, rule)
	}
	if p.Code != code || p.Rule != rule {
		t.Errorf("refused as %s (%s), not as %s (%s): %v", p.Code, p.Rule, code, rule, p)
	}
	if p.Receipt == "" {
		t.Error("no receipt attests to the refusal")
	}
}

// nothingKept sees that no package came in: not to the ledger, not to the vault,
// nor to its doorstep.
func nothingKept(t *testing.T, s *site) {
	t.Helper()
	packages, err := s.admin.Packages(t.Context(), exchange.PackageQuery{})
	must(t, err)
	deliveries, err := s.admin.Deliveries(t.Context(), exchange.DeliveryQuery{})
	must(t, err)
	if len(packages.Packages)+len(deliveries.Deliveries) > 0 {
		t.Errorf("the ledger has %d packages and %d deliveries", len(packages.Packages), len(deliveries.Deliveries))
	}
	eventually(t, "the vault is empty", func() bool { return len(s.kept()) == 0 }) // an answer may leave before the draft does
}

// rest is what a hub holds while it has nothing to do.
type rest struct {
	s                 *site
	slack             int
	goroutines, files int
}

func restOf(s *site) rest {
	s.t.Helper()
	s.admin.Close()
	time.Sleep(100 * time.Millisecond)
	_ = s.metric("go_goroutines") // opens what a first reading opens
	return rest{s, slack, s.metric("go_goroutines"), s.files()}
}

// again waits until the hub holds no more than it did. Connections that clients
// keep for later are theirs.
func (r rest) again(t *testing.T) {
	t.Helper()
	eventually(t, "goroutines are back", func() bool { return r.s.metric("go_goroutines") <= r.goroutines+r.slack })
	eventually(t, "files are closed", func() bool { return r.s.files() <= r.files+r.slack })
}

// slack is for connections of this test that are still open: each has two
// goroutines and a file.
const slack = 6

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("it is not so that %s", what)
			return
		}
	}
}

// TestGoodVectorsThroughTheDoor submits what must be accepted, each to a hub
// that has nothing yet: all vectors are one document.
func TestGoodVectorsThroughTheDoor(t *testing.T) {
	t.Parallel()
	s, sender := attacked(t)
	s.stop()
	empty := t.TempDir()
	must(t, os.CopyFS(empty, os.DirFS(s.dir)))
	accepted := 0
	for _, v := range readVectors(t) {
		if code, _ := v.atTheHub(t); code != "" {
			continue
		}
		if accepted++; testing.Short() && accepted > 3 {
			continue
		}
		t.Run(v.file, func(t *testing.T) {
			must(t, os.RemoveAll(s.dir))
			must(t, os.CopyFS(s.dir, os.DirFS(empty)))
			s.start()
			defer s.kill()
			done, err := sender.submit(t.Context(), v.document)
			must(t, err)
			if done.Receipt.Event != exchange.SubmissionAcceptance {
				t.Errorf("the receipt is of %s", done.Receipt.Event)
			}
			raw, err := os.ReadFile(s.kept()[0])
			must(t, err)
			if !bytes.Equal(raw, v.document) {
				t.Error("what was kept is not what came")
			}
		})
	}
	if accepted == 0 {
		t.Error("no vector is to be accepted")
	}
}

// TestNothingIsFetched names an address of this test wherever XML has a place
// for one. Nobody may come.
func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	trap, visits := listenForVisits(t)
	s := newSite(t).start()
	sender, to := s.join("H12.07"), s.join("H12.12")
	plain := unsigned(t, sender.letter(1, 100, to.code))
	signed := sender.sign(t, plain)

	for _, attack := range []struct {
		name     string
		document []byte
		code     exchange.Code
		rule     signing.Rule
	}{
		{"document type", spliced(t, signed, `<edXML `, `<!DOCTYPE edXML SYSTEM "`+trap+`/a.dtd"><edXML `), exchange.Harmful, signing.Doctype},
		{"public document type", spliced(t, signed, `<edXML `, `<!DOCTYPE edXML PUBLIC "-//A//B" "`+trap+`/a.dtd"><edXML `), exchange.Harmful, signing.Doctype},
		{"external entity", spliced(t, signed, `<edXML `, `<!DOCTYPE edXML [<!ENTITY a SYSTEM "`+trap+`/a.txt">]><edXML `), exchange.Harmful, signing.Doctype},
		{"parameter entity", spliced(t, signed, `<edXML `, `<!DOCTYPE edXML [<!ENTITY % a SYSTEM "`+trap+`/a.txt"> %a;]><edXML `), exchange.Harmful, signing.Doctype},
		{"style sheet", spliced(t, signed, `<edXML `, `<?xml-stylesheet href="`+trap+`/a.xsl" type="text/xsl"?><edXML `), exchange.Malformed, signing.ProcessingInstruction},
		{"reference, signed by the sender", sender.resigned(t, signed, `URI=""`, `URI="`+trap+`/a.xml"`), exchange.InvalidSignature, signing.ReferenceNotAllowed},
		{"second reference, signed by the sender", sender.resigned(t, signed, `</Reference>`, `</Reference><Reference URI="`+trap+`/b.xml"><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod><DigestValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</DigestValue></Reference>`), exchange.InvalidSignature, signing.ReferenceNotAllowed},
		{"retrieval method", spliced(t, signed, `<X509Data>`, `<RetrievalMethod URI="`+trap+`/key" Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate"></RetrievalMethod><X509Data>`), exchange.InvalidSignature, signing.KeyInfoNotAllowed},
		{"style sheet as a transform", sender.resigned(t, signed, `<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>`,
			`<Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:include href="`+trap+`/a.xsl"></xsl:include></xsl:stylesheet></Transform>`), exchange.InvalidSignature, signing.TransformNotAllowed},
	} {
		t.Run(attack.name, func(t *testing.T) {
			refused(t, sender, bytes.NewReader(attack.document), int64(len(attack.document)), attack.code, string(attack.rule))
		})
	}
	nothingKept(t, s)

	// These are data like any other: the sender signed them, and the hub looks
	// nothing up.
	for i, harmless := range []string{
		`<edXML xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.mic.gov.vn/TBT/QCVN_102_2016 ` + trap + `/a.xsd" `,
		`<edXML xml:base="` + trap + `/" `,
	} {
		other := unsigned(t, sender.letter(100+i, 100, to.code))
		_, err := sender.submit(t.Context(), sender.sign(t, spliced(t, other, `<edXML `, harmless)))
		must(t, err)
	}
	if visits.Load() > 0 {
		t.Errorf("the hub connected %d times to an address that a package named", visits.Load())
	}
}

// listenForVisits listens where nobody has any business.
func listenForVisits(t *testing.T) (url string, visits *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() }) // ends Accept
	visits = &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = c.Close() // it was not invited
		}
	}()
	return "http://" + l.Addr().String(), visits
}

// spliced replaces the first occurrence of a text that must be there.
func spliced(t *testing.T, document []byte, old, with string) []byte {
	t.Helper()
	if !bytes.Contains(document, []byte(old)) {
		t.Fatalf("the document has no %s", old)
	}
	return bytes.Replace(document, []byte(old), []byte(with), 1)
}

var (
	signedInfoPattern = regexp.MustCompile(`(?s)<SignedInfo>.*</SignedInfo>`)
	valuePattern      = regexp.MustCompile(`<SignatureValue>[^<]*</SignatureValue>`)
)

// resigned changes what was signed and signs it again: the sender itself is the
// attacker. SignedInfo is written canonically, so its text, with the namespace
// that is in scope, is what is signed.
func (m *member) resigned(t *testing.T, document []byte, old, with string) []byte {
	t.Helper()
	info := spliced(t, signedInfoPattern.Find(document), old, with)
	canonical := bytes.Replace(info, []byte("<SignedInfo>"), []byte(`<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">`), 1)
	document = signedInfoPattern.ReplaceAllLiteral(document, info)
	return valuePattern.ReplaceAllLiteral(document, []byte("<SignatureValue>"+m.rawSignature(t, sha256.Sum256(canonical))+"</SignatureValue>"))
}

// TestReplayedWithOtherWrapping submits a package again after changing what its
// signature does not cover: it is the same package, with the same receipt.
func TestReplayedWithOtherWrapping(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	sender, to := s.join("H12.07"), s.join("H12.12")
	signed := sender.signed(t, sender.letter(1, 100, to.code))
	first, err := sender.submit(t.Context(), signed)
	must(t, err)
	for name, again := range map[string][]byte{
		"the very same":                signed,
		"a subject name less":          regexp.MustCompile(`<X509SubjectName>[^<]*</X509SubjectName>`).ReplaceAll(signed, nil),
		"white space in the signature": spliced(t, signed, `<KeyInfo>`, "\n<KeyInfo>"),
		"another declaration":          spliced(t, signed, `encoding="utf-8"`, `encoding="UTF-8"`),
	} {
		done, err := sender.submit(context.WithoutCancel(t.Context()), again)
		must(t, err)
		if !done.Resubmitted || done.Package != first.Package || !bytes.Equal(done.Receipt.Raw, first.Receipt.Raw) {
			t.Errorf("%s: package %s, receipt %s; the first were %s, %s", name, done.Package, done.Receipt.ID, first.Package, first.Receipt.ID)
		}
	}
	view, err := sender.hub.Package(t.Context(), first.Package)
	must(t, err)
	if len(view.Deliveries) != 1 {
		t.Errorf("it is delivered %d times", len(view.Deliveries))
	}
}
