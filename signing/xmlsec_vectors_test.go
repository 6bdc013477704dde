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
# xmlsec1    whether xmlsec1 accepts it, with its suite's own arguments if it has it
# value      SignatureValue over the canonical SignedInfo: holds, and by which key
# references "holds" or why not, of each
#
# file	read	xmlsec1	value	references
`

// TestXmlsecVectors reads every signature of xmlsec1's package. None is accepted
// that xmlsec1 refuses, every refusal has its rule, and the outcome of each is in
// the list.
func TestXmlsecVectors(t *testing.T) {
	dir, version := xmlsecTests(t)
	program, err := exec.LookPath("xmlsec1")
	if err != nil {
		missing(t, "xmlsec1")
	}
	suite := xmlsecSuite(t, dir)
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
		theirs := xmlsecVerdict(program, dir, name, suite)
		m := mathematicsOf(string(data), keys)
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

// xmlsecSuite is the arguments that xmlsec1's own tests verify each file with.
func xmlsecSuite(t *testing.T, dir string) map[string][]string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(dir, "testDSig.sh"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	pairs := []string{"$topfolder", folder, "$cert_format", "pem", "$priv_key_option", "--pkcs12", "$priv_key_suffix", "", "$priv_key_format", "p12"}
	for _, m := range regexp.MustCompile(`(url_map_\w+)="(--[^"]+)"`).FindAllStringSubmatch(string(script), -1) {
		pairs = append(pairs, "$"+m[1], strings.ReplaceAll(m[2], "$topfolder", folder))
	}
	variables := strings.NewReplacer(longestFirst(pairs)...)
	arguments := map[string][]string{}
	for _, block := range strings.Split(string(script), "execDSigTest $res_success")[1:] {
		quoted := regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(block, 5)
		if len(quoted) < 5 {
			continue
		}
		name := filepath.Join(quoted[0][1], quoted[1][1]) + ".xml"
		arguments[name] = strings.Fields(variables.Replace(quoted[4][1]))
	}
	if len(arguments) < 60 {
		t.Fatalf("%d tests found in the script", len(arguments))
	}
	return arguments
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

// xmlsecVerdict runs xmlsec1 as its suite does, or without trust.
func xmlsecVerdict(program, dir, name string, suite map[string][]string) string {
	with, found := suite[name]
	tested := "by its suite"
	if !found {
		with, tested = []string{"--insecure"}, "not in its suite"
	}
	file := filepath.Base(name)
	cmd := exec.Command(program, append(append([]string{"verify", "--X509-skip-strict-checks"}, with...), file)...)
	cmd.Dir = filepath.Join(dir, filepath.Dir(name))
	if cmd.Run() != nil {
		return "invalid, " + tested
	}
	return "valid, " + tested
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
	document = plainXML(document)
	v, err := looseSignature(document)
	if err != nil {
		return mathematics{value: outcome(err)}
	}
	m := mathematics{value: v.valueBy(keys)}
	for _, e := range v.signed.All(nsDS, "Reference") {
		m.references = append(m.references, v.referenceTo(document, e))
	}
	if without != "" {
		m.value += without
	}
	return m
}

// A looseVerification verifies a signature wherever it stands.
type looseVerification struct{ *verification }

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
	s := newScanner(strings.NewReader(wrapped), Options{scanOnly: true, NoDigest: true})
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
		if err := s.markup(); err != nil {
			return fail(err)
		}
		if s.sig.info != nil && inScope == nil {
			inScope = s.scopeInForce()
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
	return looseVerification{v}, nil
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
func (v looseVerification) valueBy(keys []keyFile) string {
	if len(v.signed.Children) < 2 {
		return "no SignatureMethod"
	}
	alg, m, err := v.checkMethod(v.signed.Children[1])
	if err != nil {
		return outcome(err)
	}
	v.info.algorithm = alg
	own := v.ownKeys()
	outcomes := map[string]bool{}
	for _, k := range append(own, keys...) {
		err := v.holdsBy(m, k.key)
		if err == nil {
			return "holds by " + k.name
		}
		outcomes[outcome(err)] = true
	}
	if outcomes[string(SignatureBase64)] {
		return string(SignatureBase64)
	}
	return string(SignatureMismatch)
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

// referenceTo computes a reference into the document, with the signature left out
// or not, in one canonical form.
func (v looseVerification) referenceTo(document string, e *Element) string {
	uri, found := e.Attr("", "URI")
	if !found || uri != "" && !strings.HasPrefix(uri, "#") || strings.HasPrefix(uri, "#xpointer") {
		return "not into the document"
	}
	form, enveloped := forms[algC14N], false
	if transforms := e.Child(nsDS, "Transforms"); transforms != nil {
		for _, t := range transforms.Children {
			alg, _ := t.Attr("", "Algorithm")
			if alg == algEnveloped {
				enveloped = true
				continue
			}
			var err error
			if _, form, err = v.form(t, TransformNotAllowed); err != nil {
				return outcome(err)
			}
		}
	}
	if e.Child(nsDS, "DigestMethod") == nil {
		return string(SignatureStructure)
	}
	_, hash, err := v.digestMethod(e.Child(nsDS, "DigestMethod"))
	if err != nil {
		return outcome(err)
	}
	canonical, err := looseTarget(document, uri, form, enveloped)
	if err != nil {
		return outcome(err)
	}
	digest, err := v.base64(e.Child(nsDS, "DigestValue"))
	if err != nil {
		return outcome(err)
	}
	if !bytes.Equal(digest, (method{hash: hash}).digest(canonical)) {
		return string(DigestMismatch)
	}
	return "holds"
}

// looseTarget is the canonical form of what a URI means. The signature's
// namespace is another while it is made, so that none is looked for.
func looseTarget(document, uri string, form c14nForm, enveloped bool) ([]byte, error) {
	all := stretches(document)
	if enveloped {
		for _, e := range all {
			if localName(e.name) == "Signature" {
				document = document[:e.from] + document[e.to:]
				break
			}
		}
	}
	document = twoTags(document)
	nth := 0
	if uri != "" {
		id := regexp.MustCompile(`\s(Id|ID|id)\s*=\s*["']` + regexp.QuoteMeta(uri[1:]) + `["']`)
		for i, e := range stretches(document) {
			if id.MatchString(document[e.from:e.inner]) {
				nth = i + 1
				break
			}
		}
		if nth == 0 {
			return nil, Refuse(ReferenceNotAllowed, "nothing has this identifier")
		}
	}
	other := strings.Replace(nsDS, "dsig", "none", 1)
	canonical, err := canonicalAs(strings.ReplaceAll(document, nsDS, other), form, nth)
	return []byte(strings.ReplaceAll(canonical, other, nsDS)), err
}
