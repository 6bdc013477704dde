package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const xmlsecListHead = `# What becomes of the XML signatures in the tests folder of xmlsec1 %s.
# Almost all are enveloping, detached, without a certificate or by SHA-1: outside
# of what the hub accepts. So that their mathematics count all the same, each
# SignedInfo, value and reference is computed by the same code, in tests only.
#
# read       what signing.Read says: accepted, or the rule that refuses it
# xmlsec1    what xmlsec1 says, with its suite's own arguments if it has the file
# value      SignatureValue over the canonical SignedInfo: holds, and by which key
# references of each: holds, or a rule; reference-not-allowed is about another document
#
# file	read	xmlsec1	value	references
`

// TestXmlsecVectors reads every signature of xmlsec1's package. None is accepted
// that xmlsec1 refuses, every refusal has its rule, and the outcome of each is in
// the list.
func TestXmlsecVectors(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // the mathematics of short keys too
	dir, version := xmlsecTests(t)
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "xmlsec1")
	}
	xmlsec := xmlsecSuite(t, program, dir)
	keys := xmlsecKeys(t, dir)
	list, values, references := fmt.Sprintf(xmlsecListHead, version), 0, 0
	for _, file := range xmlFiles(t, dir) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(file) != ".xml" || !bytes.Contains(data, []byte("<SignedInfo")) && !bytes.Contains(data, []byte(":SignedInfo")) {
			continue
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		read := readVector(t, name, string(data))
		m := mathematicsOf(string(data), keys)
		theirs := xmlsec.verdict(t, name, m.key)
		if xmlsec.refused[name] {
			theirs += ", its suite wants it refused"
		}
		if valid := strings.HasPrefix(theirs, "valid"); !valid && (read == accepted || m.holds()) {
			t.Errorf("%s: xmlsec1 says %s; read: %s; value: %s; references: %s", name, theirs, read, m.value, m.references)
		}
		if strings.HasPrefix(m.value, "holds") {
			values++
		}
		for _, r := range m.references {
			if strings.HasPrefix(r, "holds") {
				references++
			}
		}
		list += fmt.Sprintf("%s\t%s\t%s\t%s\t%s\n", name, read, theirs, m.value, strings.Join(m.references, "; "))
	}
	if values < 30 || references < 60 {
		t.Errorf("%d values and %d references hold", values, references)
	}
	list += fmt.Sprintf("# %d values and %d references hold\n", values, references)
	golden(t, "testdata/xmlsec-vectors.txt", list)
}

// readVector reads as the hub does, but for trust: nobody here would be believed.
func readVector(t *testing.T, name, document string) string {
	t.Helper()
	d, err := Read(strings.NewReader(document), optionsFor(document))
	if err != nil && !errors.As(err, new(*Error)) {
		t.Errorf("%s: refused without a rule: %v", name, err)
	}
	if err == nil && d.Signature == nil {
		return unsigned
	}
	return outcome(err)
}

// xmlsecSuite reads the script of xmlsec1's own tests.
func xmlsecSuite(t *testing.T, program, dir string) xmlsecProgram {
	t.Helper()
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(dir, "testDSig.sh"))
	if err != nil {
		t.Fatal(err)
	}
	pairs := []string{"$topfolder", dir, "$cert_format", "der", "$priv_key_option", "--pkcs12", "$priv_key_suffix", "", "$priv_key_format", "p12"}
	for _, m := range regexp.MustCompile(`(url_map_\w+)="(--[^"]+)"`).FindAllStringSubmatch(string(script), -1) {
		pairs = append(pairs, "$"+m[1], strings.ReplaceAll(m[2], "$topfolder", dir))
	}
	variables := strings.NewReplacer(longestFirst(pairs)...)
	x := xmlsecProgram{program, dir, map[string][]string{}, map[string]bool{}}
	quotation := regexp.MustCompile(`"([^"]*)"`)
	for _, block := range strings.Split(string(script), "execDSigTest $res_")[1:] {
		quoted := quotation.FindAllStringSubmatch(block, 5)
		if len(quoted) < 5 {
			continue
		}
		name := filepath.Join(quoted[0][1], quoted[1][1]) + ".xml"
		if strings.HasPrefix(block, "fail") {
			x.refused[name] = true
			continue
		}
		x.suite[name] = strings.Fields(variables.Replace(quoted[4][1]))
	}
	if len(x.suite) < 60 || len(x.refused) < 5 {
		t.Fatalf("%d and %d tests found in the script", len(x.suite), len(x.refused))
	}
	return x
}

// longestFirst orders replacements so that no name hides a longer one.
func longestFirst(pairs []string) []string {
	for i := 0; i < len(pairs); i += 2 {
		for j := i; j > 0 && len(pairs[j]) > len(pairs[j-2]); j -= 2 {
			pairs[j], pairs[j-2], pairs[j+1], pairs[j-1] = pairs[j-2], pairs[j], pairs[j-1], pairs[j+1]
		}
	}
	return pairs
}

// An xmlsecProgram is xmlsec1 and what it is to judge.
type xmlsecProgram struct {
	program, dir string
	suite        map[string][]string // arguments by file
	refused      map[string]bool     // files that its suite wants refused, under arguments of its own
}

// verdict runs xmlsec1 as its suite does; then without trust and without the
// manifests, some of which are about a document that Debian leaves out; then with
// the key that we found, whatever KeyInfo asks for.
func (x xmlsecProgram) verdict(t *testing.T, name string, key crypto.PublicKey) string {
	t.Helper()
	accepts := func(with ...string) bool {
		with = append(append([]string{"verify", "--X509-skip-strict-checks"}, with...), filepath.Base(name))
		cmd := exec.Command(x.program, with...)
		cmd.Dir = filepath.Join(x.dir, filepath.Dir(name))
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(x.dir, "openssl3.cnf"),
			"http_proxy=http://127.0.0.1:9", "ftp_proxy=http://127.0.0.1:9") // nothing is fetched
		return cmd.Run() == nil
	}
	with, found := x.suite[name]
	switch {
	case found && accepts(with...):
		return "valid"
	case accepts(append([]string{"--insecure", "--ignore-manifests"}, with...)...):
		return "valid but for trust and manifests"
	case key == nil:
		return "invalid"
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := save(t, t.TempDir(), "key.der", der)
	if accepts("--ignore-manifests", "--enabled-key-data", "key-name", "--pubkey-der", file) {
		return "valid by that key"
	}
	return "invalid"
}

// A keyFile is a public key of the package's.
type keyFile struct {
	name string
	key  crypto.PublicKey
}

// xmlsecKeys are the package's certificates that can be read.
func xmlsecKeys(t *testing.T, dir string) []keyFile {
	t.Helper()
	var keys []keyFile
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pem" && filepath.Ext(path) != ".der" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if block, _ := pem.Decode(data); block != nil {
			data = block.Bytes
		}
		cert, err := x509.ParseCertificate(data)
		if err != nil {
			return nil //nolint:nilerr // a private key, or of a kind that is not for us
		}
		name, _ := filepath.Rel(dir, path)
		keys = append(keys, keyFile{name, cert.PublicKey})
		return nil
	})
	if err != nil || len(keys) < 10 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	return keys
}

// mathematics is what a signature amounts to, whatever its form.
type mathematics struct {
	value      string
	key        crypto.PublicKey // it holds by
	references []string
}

func (m mathematics) holds() bool {
	for _, r := range m.references {
		if !strings.HasPrefix(r, "holds") {
			return false
		}
	}
	return strings.HasPrefix(m.value, "holds") && len(m.references) > 0
}

// mathematicsOf computes the first signature of a document. A document with
// comments or a document type is taken without them, which the outcome says: it
// may not hold then.
func mathematicsOf(document string, keys []keyFile) mathematics {
	without := ""
	if strings.Contains(document, "<!DOCTYPE") {
		without = " (without its document type)"
	}
	comments := strings.Contains(document, "<!--")
	document = plainXML(document)
	v, err := looseSignature(document)
	if err != nil {
		return mathematics{value: outcome(err)}
	}
	v.comments = comments
	m := mathematics{}
	m.value, m.key = v.valueBy(keys)
	for _, e := range v.signed.All(nsDS, "Reference") {
		m.references = append(m.references, v.referenceTo(document, e))
	}
	if without != "" {
		m.value += without
	}
	return m
}

// A looseVerification verifies a signature wherever it stands.
type looseVerification struct {
	*verification
	comments bool // the document had some
}

// looseSignature scans for the signature. It is put into an element of its own:
// an enveloping signature is no root then, and its canonical form the same.
func looseSignature(document string) (looseVerification, error) {
	fail := func(err error) (looseVerification, error) { return looseVerification{}, err }
	all := stretches(document)
	if len(all) == 0 {
		return fail(errors.New("no element"))
	}
	root := all[0]
	wrapped := "<x>" + document[root.from:root.to] + "</x>"
	s := newScanner(strings.NewReader(wrapped), Options{NoDigest: true})
	defer s.release()
	if err := s.prolog(); err != nil {
		return fail(err)
	}
	var inScope []binding
	for first := true; len(s.stack) > 0 || first; first = false {
		if !first {
			if err := s.text(); err != nil {
				return fail(err)
			}
		}
		s.sig.in = [][]Name{pathTo(s)}
		ends := s.sig.open != nil && s.sig.open == s.sig.tree && bytes.HasPrefix(s.buf[s.pos:s.end], []byte("</"))
		if ends { // SignedInfo is judged here, not there
			inScope = s.scopeInForce()
			s.sig.copyText()
			s.sig.open, s.scanOnly = nil, true
		}
		if err := s.markup(); err != nil {
			return fail(err)
		}
		if ends {
			s.info.flush()
			s.sig.form, s.out = bytes.Clone(s.infoForm.Bytes()), nil
		}
		if s.sig.info != nil && s.sig.depth == 0 {
			break
		}
	}
	if s.sig.info == nil {
		return fail(errors.New("no SignedInfo is met"))
	}
	sig := s.sig
	v := &verification{el: sig.el, root: s.root, limits: s.lim, scan: &sig, sha1: true, info: &signedInfo{}}
	form, err := v.signedForm()
	if err != nil {
		return fail(err)
	}
	if err := v.canonicalise(form, inScope); err != nil {
		return fail(err)
	}
	return looseVerification{verification: v}, nil
}

// pathTo is where the innermost open element is: so that the signature may stand
// wherever it does.
func pathTo(s *scanner) []Name {
	var path []Name
	for _, f := range s.stack {
		path = append(path, f.el.Name)
	}
	return path
}

// valueBy verifies SignatureValue by the key in KeyInfo, or by each of the
// package's.
func (v looseVerification) valueBy(keys []keyFile) (string, crypto.PublicKey) {
	if len(v.signed.Children) < 2 {
		return "no SignatureMethod", nil
	}
	alg, m, err := v.checkMethod(v.signed.Children[1])
	if err != nil {
		return outcome(err), nil
	}
	v.info.algorithm = alg
	own := v.ownKeys()
	outcomes := map[string]bool{}
	for _, k := range append(own, keys...) {
		err := v.holdsBy(m, k.key)
		if err == nil {
			return "holds by " + k.name, k.key
		}
		outcomes[outcome(err)] = true
	}
	if outcomes[string(SignatureBase64)] {
		return string(SignatureBase64), nil
	}
	return string(SignatureMismatch), nil
}

// holdsBy leaves out only whether the key is strong enough.
func (v looseVerification) holdsBy(m method, public crypto.PublicKey) (err error) {
	el := v.el.Child(nsDS, "SignatureValue")
	if v.value, err = v.base64(el); err != nil {
		return err
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if m.scheme != schemeRSA && m.scheme != schemePSS {
			return Refuse(KeyMismatch, "")
		}
		return v.checkRSA(el, key, m)
	case *ecdsa.PublicKey:
		if m.scheme != schemeECDSA {
			return Refuse(KeyMismatch, "")
		}
		return v.checkECDSA(el, key, m.digest(v.canonical), v.value)
	}
	return Refuse(KeyMismatch, "")
}

// ownKeys are those in KeyInfo.
func (v looseVerification) ownKeys() []keyFile {
	var keys []keyFile
	info := v.el.Child(nsDS, "KeyInfo")
	for _, value := range info.All(nsDS, "KeyValue") {
		if r := value.Child(nsDS, "RSAKeyValue"); r != nil {
			n, _ := v.base64(r.Child(nsDS, "Modulus"))
			e, _ := v.base64(r.Child(nsDS, "Exponent"))
			keys = append(keys, keyFile{"KeyValue", &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}})
		}
		const ns11 = "http://www.w3.org/2009/xmldsig11#"
		if ec := value.Child(ns11, "ECKeyValue"); ec != nil {
			point, _ := v.base64(ec.Child(ns11, "PublicKey"))
			for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
				if key, err := ecdsa.ParseUncompressedPublicKey(curve, point); err == nil {
					keys = append(keys, keyFile{"KeyValue", key})
				}
			}
		}
	}
	for _, data := range info.All(nsDS, "X509Data") {
		for _, c := range data.All(nsDS, "X509Certificate") {
			der, _ := base64.StdEncoding.DecodeString(withoutSpace(c.Text))
			if cert, err := x509.ParseCertificate(der); err == nil {
				keys = append(keys, keyFile{"X509Certificate", cert.PublicKey})
			}
		}
	}
	return keys
}

var xpointerID = regexp.MustCompile(`^#xpointer\(id\(['"]([^'"]+)['"]\)\)$`)

// referenceTo verifies a reference into the document.
func (v looseVerification) referenceTo(document string, e *Element) string {
	content, hash, err := v.referenced(document, e)
	if err != nil {
		return outcome(err)
	}
	digest, err := v.base64(e.Child(nsDS, "DigestValue"))
	if err != nil {
		return outcome(err)
	}
	if sumOf(hash, content) != base64.StdEncoding.EncodeToString(digest) {
		return string(DigestMismatch)
	}
	return "holds"
}

// referenced is what a reference into the document digests: an element or all of
// it, with the signature left out or not, in one canonical form or as base64.
func (v looseVerification) referenced(document string, e *Element) ([]byte, crypto.Hash, error) {
	uri, found := e.Attr("", "URI")
	if m := xpointerID.FindStringSubmatch(uri); m != nil {
		uri = "#" + m[1]
	}
	if uri == "#xpointer(/)" {
		uri = ""
	}
	if !found || uri != "" && !strings.HasPrefix(uri, "#") {
		return nil, 0, Refuse(ReferenceNotAllowed, "about another document")
	}
	target := looseTarget{document: document, uri: uri, form: forms[algC14N]}
	for _, t := range e.Child(nsDS, "Transforms").All(nsDS, "Transform") {
		if err := target.transform(v, t); err != nil {
			return nil, 0, err
		}
	}
	method := e.Child(nsDS, "DigestMethod")
	if method == nil {
		return nil, 0, Refuse(SignatureStructure, "")
	}
	_, hash, err := v.digestMethod(method)
	if err != nil {
		return nil, 0, err
	}
	content, err := target.bytes()
	return content, hash, err
}

// A looseTarget is what a reference means.
type looseTarget struct {
	document, uri     string
	form              c14nForm
	enveloped, base64 bool
}

func (l *looseTarget) transform(v looseVerification, t *Element) (err error) {
	switch alg, _ := t.Attr("", "Algorithm"); alg {
	case algEnveloped:
		l.enveloped = true
	case algBase64:
		l.base64 = true
	default:
		if strings.HasSuffix(alg, "#WithComments") && v.comments {
			return Refuse(Comment, "")
		}
		_, l.form, err = v.form(t, TransformNotAllowed)
	}
	return err
}

// bytes are what is digested. The signature's namespace is another while they are
// made, so that none is looked for.
func (l *looseTarget) bytes() ([]byte, error) {
	document := l.document
	if l.enveloped {
		for _, e := range stretches(document) {
			if localName(e.name) == "Signature" {
				document = document[:e.from] + document[e.to:]
				break
			}
		}
	}
	document = twoTags(document)
	nth, err := l.element(document)
	if err != nil {
		return nil, err
	}
	other := strings.Replace(nsDS, "dsig", "none", 1)
	canonical, err := canonicalAs(strings.ReplaceAll(document, nsDS, other), l.form, nth)
	if err != nil || !l.base64 {
		return []byte(strings.ReplaceAll(canonical, other, nsDS)), err
	}
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(canonical, "")
	return base64.StdEncoding.DecodeString(withoutSpace(text))
}

// element is the number of the element that the URI means; 0 for the document.
func (l *looseTarget) element(document string) (int, error) {
	if l.uri == "" {
		return 0, nil
	}
	id := regexp.MustCompile(`\s(Id|ID|id)\s*=\s*["']` + regexp.QuoteMeta(l.uri[1:]) + `["']`)
	for i, e := range stretches(document) {
		if id.MatchString(document[e.from:e.inner]) {
			return i + 1, nil
		}
	}
	return 0, Refuse(ReferenceNotAllowed, "nothing has this identifier")
}
