package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

var (
	differential = flag.Duration("differential", 3*time.Second, "how long to compare verdicts with xmlsec1 and goxmldsig")
	differSeed   = flag.Uint64("differential.seed", 1, "first state of chance; 0: the time")
	differKeep   = flag.String("differential.keep", "", "keep an example of every disagreement in this directory")
)

// Who judges: the JDK knows the methods that xmlsec1 does not.
const (
	xmlsec1 = "xmlsec1"
	jdk     = "the JDK"
	libxml2 = "libxml2" // of canonical form alone
)

// An original is a signed document, and the number of the party that signed it.
type original struct {
	name    string
	party   int
	text    string
	jdkOnly bool
}

// TestDifferential changes signed documents for as long as it is asked to and
// compares what becomes of each with xmlsec1 and with goxmldsig.
//
//	make differential FOR=1h
//
// It fails if something is accepted that xmlsec1 refuses, or whose data are not
// what was signed, or if something is refused without a rule. What others
// accept and is refused here is counted by the rule. One thing among that fails
// as well: mathematics that hold for xmlsec1 and not here.
func TestDifferential(t *testing.T) {
	seed := *differSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-differential.seed %d", seed)
	record := &tally{counts: map[string]int{}, examples: map[string]string{}}
	originals := originals(t)
	ends := time.Now().Add(*differential)
	var working sync.WaitGroup
	for i, judge := range []string{xmlsec1, xmlsec1, jdk} {
		d := differ{
			t: t, record: record, judge: judge, signed: map[string]bool{}, trust: vectorTrust(t),
			m: mutator{Rand: rand.New(rand.NewPCG(seed, uint64(i)))},
		}
		if judge == jdk {
			d.arbiter = startArbiter(t, javaProgram(t), "testdata/Judge.java")
		} else {
			d.arbiter = xmlsecArbiter(t)
		}
		for _, p := range parties {
			d.certs = append(d.certs, signer(t, p).cert)
			d.keys = append(d.keys, signer(t, p).key)
		}
		for _, o := range originals {
			if o.jdkOnly && judge != jdk || judge == jdk && strings.HasSuffix(o.name, "SHA-1") {
				continue
			}
			d.originals = append(d.originals, o)
			d.m.others = append(d.m.others, o.text)
			d.know(o)
		}
		working.Go(func() { d.until(ends) })
	}
	reader := differ{
		t: t, record: record, judge: libxml2, arbiter: xmlsecArbiter(t), originals: originals,
		m: mutator{Rand: rand.New(rand.NewPCG(seed, 99)), others: []string{pkg(pdf), awkward(t)}},
	}
	working.Go(func() { reader.readUntil(ends) })
	working.Wait()
	record.report(t)
}

func javaProgram(t *testing.T) string {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		missing(t, "java")
	}
	return java
}

// originals are documents signed in all the ways that there are.
func originals(t *testing.T) []original {
	t.Helper()
	base, odd := pkg(pdf), replace(t, awkward(t), "</edXMLHeader>", here+"</edXMLHeader>")
	last := func(s string) string {
		return replace(t, strings.Replace(s, here, "", 1), "</edXML>\n", here+"</edXML>\n")
	}
	byID := replace(t, base, "<edXML xmlns", `<edXML Id="p1" xmlns`)
	var all []original
	for i, name := range parties {
		p := signer(t, name)
		add := func(what, document string, f form) {
			f.by = p
			all = append(all, original{name + ", " + what, i, sign(t, document, f), name == "agency-ed25519" || strings.Contains(f.method, "MGF1") || f.method == algRSAPSS})
		}
		add("in the header", base, form{})
		add("in the root", last(base), form{})
		add("an awkward document", odd, form{digest: libxml2Digest(t, odd)})
		add("by its id", byID, form{info: changing(t, `URI=""`, `URI="#p1"`)})
		xades := xadesForm(t, propertiesText(p.cert, claimedTime))
		add("with properties", base, xades)
		add("with properties, in the root", last(base), xades)
		if name == "agency-rsa" {
			add("PSS", base, form{method: algRSAPSSSHA256})
			add("PSS in the root", last(base), form{method: algRSAPSSSHA512})
			add("PSS without parameters", base, form{method: algRSAPSS})
			add("SHA-1", last(base), form{method: algRSASHA1})
		}
	}
	return all
}

// libxml2Digest is for documents that goxmldsig canonicalises otherwise.
func libxml2Digest(t *testing.T, document string) string {
	t.Helper()
	forms := askOracle(t, []string{strings.Replace(document, here, "", 1)})
	if forms[0] == nil {
		t.Fatal("libxml2 refuses the document")
	}
	return sumOf(crypto.SHA256, []byte(*forms[0]))
}

// A differ makes mutants and has them judged.
type differ struct {
	t         *testing.T
	record    *tally
	judge     string // whose verdicts the arbiter gives
	arbiter   *arbiter
	m         mutator
	originals []original
	certs     []*x509.Certificate // of the parties
	keys      []crypto.Signer
	trust     *Trust
	signed    map[string]bool // the data that somebody signed
}

// A mutant is a document under judgement.
type mutant struct {
	original
	how  []string
	ours string // accepted, unsigned or a rule; read, of an unsigned document
	err  error
	peer error
}

func (d *differ) until(ends time.Time) {
	for time.Now().Before(ends) {
		from := d.originals[d.m.IntN(len(d.originals))]
		switch d.m.IntN(4) {
		case 0:
			from = d.insider(from)
		case 1:
			d.adversary(from)
		}
		batch := make([]mutant, 24)
		for i := range batch {
			o := from
			if i%2 == 1 {
				o = d.originals[d.m.IntN(len(d.originals))]
			}
			batch[i].original = o
			batch[i].text, batch[i].how = d.m.change(o.text)
			d.read(&batch[i])
			d.arbiter.ask('v', byte(batch[i].party), batch[i].text)
		}
		d.arbiter.send()
		for i := range batch {
			batch[i].peer = byLibrary(batch[i].text, d.certs[batch[i].party])
		}
		for i := range batch {
			d.compare(batch[i], d.arbiter.answer(d.t))
		}
	}
}

// insider has xmlsec1 sign a document that was changed before. Where it cannot,
// the original is as good.
func (d *differ) insider(from original) original {
	if d.judge != xmlsec1 {
		return from
	}
	text, how := from.text, []string(nil)
	if d.m.IntN(4) > 0 {
		text, how = d.m.change(text)
	}
	if d.m.IntN(2) == 0 {
		text = d.template(from.party)
		how = []string{"made at random"}
	}
	if text = d.arbiter.sign(d.t, from.party, text); text == "" {
		return from
	}
	made := original{from.name + ", " + strings.Join(how, ", ") + ", signed by xmlsec1", from.party, text, false}
	if d.m.IntN(2) == 0 { // as it is
		d.know(made)
		alone := mutant{original: made}
		d.read(&alone)
		d.arbiter.ask('v', byte(made.party), text)
		d.arbiter.send()
		alone.peer = byLibrary(text, d.certs[made.party])
		d.compare(alone, d.arbiter.answer(d.t))
		return made
	}
	d.know(made)
	return made
}

// adversary signs a changed document so that it holds for our own code, and asks
// whether it does for others.
func (d *differ) adversary(from original) {
	for range 8 {
		o := d.originals[d.m.IntN(len(d.originals))]
		text, how := d.m.change(o.text)
		if d.m.IntN(3) == 0 {
			text = from.text // which xmlsec1 may have signed
			text, how = d.m.change(text)
			o = from
		}
		text = d.forge(text, o.party)
		if text == "" {
			continue
		}
		m := mutant{original: original{o.name, o.party, text, o.jdkOnly}, how: append(how, "signed as we compute it")}
		d.know(m.original)
		d.read(&m)
		d.arbiter.ask('v', byte(m.party), text)
		d.arbiter.send()
		m.peer = byLibrary(text, d.certs[m.party])
		d.compare(m, d.arbiter.answer(d.t))
	}
}

// forge fills in the digests and the value that our own code computes.
func (d *differ) forge(text string, party int) string {
	v, err := looseSignature(text)
	if err != nil || len(v.signed.Children) < 3 {
		return ""
	}
	for i, e := range v.signed.All(nsDS, "Reference") {
		content, hash, err := v.referenced(text, e)
		if err != nil {
			return ""
		}
		text = setText(text, "DigestValue", i, sumOf(hash, content))
	}
	if v, err = looseSignature(text); err != nil {
		return ""
	}
	alg, _ := v.signed.Children[1].Attr("", "Algorithm")
	fits := map[x509.PublicKeyAlgorithm][]scheme{x509.RSA: {schemeRSA, schemePSS}, x509.ECDSA: {schemeECDSA}, x509.Ed25519: {schemeEd25519}}
	m, ok := methods[alg]
	if !ok || !slices.Contains(fits[d.certs[party].PublicKeyAlgorithm], m.scheme) || d.judge == xmlsec1 && m.scheme != schemeRSA && m.scheme != schemeECDSA {
		return ""
	}
	value := rawSignature(d.t, d.keys[party], alg, string(v.canonical))
	return setText(text, "SignatureValue", 0, base64.StdEncoding.EncodeToString(value))
}

// setText sets the content of the nth element of a name.
func setText(text, local string, nth int, content string) string {
	for _, e := range stretches(text) {
		if localName(e.name) != local {
			continue
		}
		if nth == 0 && e.inner < e.to {
			return text[:e.inner] + content + text[e.innerEnd:]
		}
		nth--
	}
	return text
}

// know remembers the data of a document that its party did sign.
func (d *differ) know(o original) {
	if read, err := Read(strings.NewReader(o.text), d.options(o.text)); err == nil {
		d.signed[says(read)] = true
	}
}

// template is a document at random with a template of a signature at its end.
func (d *differ) template(party int) string {
	document := generator{d.m.Rand}.document()
	end := strings.LastIndex(document, "</")
	if end < 0 {
		return document
	}
	method := d.m.pick(algRSASHA256, algRSASHA384, algRSASHA512, algRSASHA1)
	if d.certs[party].PublicKeyAlgorithm == x509.ECDSA {
		method = d.m.pick(algECDSASHA256, algECDSASHA384, algECDSASHA512)
	}
	object, refs := "", ""
	if d.m.IntN(3) == 0 {
		object = strings.NewReplacer("<ds:Object", "<Object", "</ds:Object", "</Object").Replace(objectText(propertiesText(d.certs[party], claimedTime)))
		refs = `<Reference Type="` + typeSignedProperties + `" URI="#sp"><Transforms>` + d.canonicalization("Transform") + `</Transforms>` + d.digest()
	}
	return document[:end] + `<Signature xmlns="` + nsDS + `" Id="sig"><SignedInfo` + d.m.pick("", ` Id="si"`) + `>` + d.canonicalization("CanonicalizationMethod") +
		`<SignatureMethod Algorithm="` + method + `"/><Reference URI=""><Transforms><Transform Algorithm="` + algEnveloped + `"/>` +
		d.canonicalization("Transform") + `</Transforms>` + d.digest() + refs + `</SignedInfo>` +
		`<SignatureValue/>` + strings.ReplaceAll(keyInfoText(d.certs[party]), "ds:", "") + object + `</Signature>` + document[end:]
}

func (d *differ) digest() string {
	return `<DigestMethod Algorithm="` + d.m.pick(algSHA256, algSHA384, algSHA512, algSHA1) + `"/><DigestValue/></Reference>`
}

func (d *differ) canonicalization(element string) string {
	alg := d.m.pick(algExcC14N, algExcC14N+"WithComments", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
		"http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2006/12/xml-c14n11#WithComments")
	if !strings.HasPrefix(alg, algExcC14N) || d.m.IntN(2) == 0 {
		return `<` + element + ` Algorithm="` + alg + `"/>`
	}
	list := d.m.pick("a", "#default", "a b", "ns1 z-1 #default", "nowhere", "xml")
	return `<` + element + ` Algorithm="` + alg + `"><InclusiveNamespaces xmlns="` + algExcC14N + `" PrefixList="` + list + `"/></` + element + `>`
}

// readUntil makes unsigned documents, whole or changed, and compares one of their
// canonical forms with libxml2's: what it does not read is not read here.
func (d *differ) readUntil(ends time.Time) {
	other := strings.Replace(nsDS, "dsig", "none", 1)
	for time.Now().Before(ends) {
		text, nth := generator{d.m.Rand}.document(), 0
		if d.m.IntN(3) == 0 {
			text = d.originals[d.m.IntN(len(d.originals))].text
		}
		m := mutant{original: original{name: "unsigned"}}
		if d.m.IntN(4) > 0 {
			text, m.how = d.m.change(text)
		} else {
			text = twoTags(text)
			nth = d.m.IntN(len(stretches(text)) + 1)
		}
		w := wantedForms[d.m.IntN(len(wantedForms))].listed(generator{d.m.Rand})
		m.text = strings.ReplaceAll(text, nsDS, other) // no signature is looked for
		if w.form.v11 && strings.Contains(m.text, "xml:base") {
			continue // refused where it matters
		}
		m.how = append(m.how, fmt.Sprintf("%s, element %d", w.name, nth))
		d.arbiter.canonical(w.number, w.prefixes, nth, m.text)
		d.arbiter.send()
		d.compareForms(m, w.form, nth, d.arbiter.answer(d.t))
	}
}

func (d *differ) compareForms(m mutant, form c14nForm, nth int, judged judgement) {
	is, err := canonicalAs(m.text, form, nth)
	m.ours, m.err = "read", err
	why := ""
	switch {
	case err != nil && !errors.As(err, new(*Error)):
		m.ours, why = "fails without a rule", "so it does"
	case err != nil:
		m.ours = outcome(err)
	case !judged.yes:
		why = "libxml2 refuses it"
	case is != judged.text:
		m.ours, why = "another canonical form", fmt.Sprintf("%q, not %q", is, judged.text)
	}
	said := "libxml2 refuses"
	if judged.yes {
		said = "libxml2 reads"
	}
	d.record.add(m, said, why, "")
}

// optionsFor is how the hub reads a document.
func optionsFor(text string) Options {
	o := inHeader()
	o.Again = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	return o
}

// options lets SHA-1 pass, as the hub does for some agencies. The JDK never does.
func (d *differ) options(text string) Options {
	o := optionsFor(text)
	o.SHA1 = d.judge == xmlsec1
	return o
}

// read reads the mutant as the hub does and asks for trust. If another party's
// certificate verified it, it is that party's.
func (d *differ) read(m *mutant) {
	read, err := Read(strings.NewReader(m.text), d.options(m.text))
	if err == nil && read.Signature != nil {
		err = d.trust.Check(read.Signature.Certificate, read.Signature.Others, judgedAt)
	}
	m.err = err
	switch {
	case err != nil && !errors.As(err, new(*Error)):
		m.ours = "fails without a rule"
	case err != nil:
		m.ours = outcome(err)
	case read.Signature == nil:
		m.ours = unsigned
	default:
		m.ours = accepted
		party := slices.IndexFunc(d.certs, read.Signature.Certificate.Equal)
		if party < 0 {
			m.ours = "accepted under a certificate of nobody"
			return
		}
		m.party = party
		if !d.signed[says(read)] {
			m.ours = "accepted with data that nobody signed"
		}
	}
}

// byLibrary is goxmldsig's verdict with the certificate that the document is
// said to be signed with.
func byLibrary(text string, cert *x509.Certificate) (err error) {
	if cert.PublicKeyAlgorithm != x509.RSA {
		return errors.New("no ECDSA")
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		return fmt.Errorf("etree: %w", err)
	}
	if doc.Root() == nil {
		return errors.New("etree: no root")
	}
	trust := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: only(cert)})
	trust.IdAttribute = "Id"
	trust.Clock = dsig.NewFakeClockAt(judgedAt)
	_, err = trust.Validate(doc.Root())
	return err
}

// compare puts the verdicts on record.
func (d *differ) compare(m mutant, judged judgement) {
	verdict := func(accepts bool) string {
		if accepts {
			return " accepts"
		}
		return " refuses"
	}
	others := d.judge + verdict(judged.yes)
	if d.certs[m.party].PublicKeyAlgorithm == x509.RSA {
		others += ", goxmldsig" + verdict(m.peer == nil)
	}
	why := ""
	switch {
	case m.ours == accepted && !judged.yes && strings.Contains(m.text, `"`+algExcC14NAlias+`"`):
		m.ours = "accepted under the national sample's name of exclusive form" // which is nobody else's
	case m.ours == accepted && !judged.yes && strings.HasPrefix(judged.text, "org.xml.sax.SAXParseException"):
		m.ours = "accepted, but Xerces has the names of XML 1.0 before its fifth edition"
	case m.ours == accepted && !judged.yes:
		why = d.judge + " refuses it"
	case strings.HasPrefix(m.ours, accepted) && m.ours != accepted, strings.HasPrefix(m.ours, "fails"):
		why = m.ours
	case judged.yes && slices.Contains([]string{unsigned, string(DigestMismatch), string(SignatureMismatch)}, m.ours) && names(m.text, d.certs[m.party]):
		why = "the mathematics hold for " + d.judge
	}
	d.record.add(m, others, why, judged.text)
}

// names says whether a document's first certificate is that one: xmlsec1 was
// given the key and does not look.
func names(text string, cert *x509.Certificate) bool {
	for _, e := range stretches(text) {
		if localName(e.name) == "X509Certificate" {
			return withoutSpace(text[e.inner:e.innerEnd]) == base64.StdEncoding.EncodeToString(cert.Raw)
		}
	}
	return false
}

// says writes the data that a caller gets, whatever the order of attributes.
func says(d *Document) string {
	var b strings.Builder
	dumpTo(&b, d.Root)
	if s := d.Signature; s != nil {
		fmt.Fprintf(&b, "%x %s %s %s %v %v", s.SignedInfo, s.Method, s.Canonicalization, s.DigestMethod, s.SHA1, s.SigningTime)
	}
	return b.String()
}

func dumpTo(b *strings.Builder, e *Element) {
	attrs := make([]string, 0, len(e.Attrs))
	for _, a := range e.Attrs {
		attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", a.Space, a.Local, a.Value))
	}
	sort.Strings(attrs)
	fmt.Fprintf(b, "<{%s}%s:%s %s %q", e.Space, e.Prefix, e.Local, attrs, e.Text)
	for _, c := range e.Children {
		dumpTo(b, c)
	}
	b.WriteByte('>')
}

// A tally counts verdicts.
type tally struct {
	mu       sync.Mutex
	mutants  int
	counts   map[string]int
	examples map[string]string // a line on the first of each
	wrong    int
}

func (c *tally) add(m mutant, others, why, said string) {
	key := m.ours + "; " + others
	if why != "" {
		key = "WRONG: " + key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mutants++
	c.counts[key]++
	if why != "" {
		c.wrong++
	}
	if c.counts[key] > 1 && (why == "" || c.counts[key] > 20) {
		return
	}
	c.examples[key] = fmt.Sprintf("%s: %s: %s; here: %v; the judge: %s; goxmldsig: %v", why, m.name, strings.Join(m.how, ", "), m.err, said, m.peer)
	c.save(key, m.text)
}

// save keeps an example for whoever looks into it.
func (c *tally) save(key, text string) {
	if *differKeep == "" {
		return
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ;:,()/'", r) {
			return '-'
		}
		return r
	}, key)
	file := filepath.Join(*differKeep, fmt.Sprintf("%s-%d.xml", name, c.counts[key]))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.examples[key] += "; not kept: " + err.Error()
	}
}

func (c *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d documents in %v", c.mutants, *differential)
	keys := make([]string, 0, len(c.counts))
	for k := range c.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return c.counts[b] - c.counts[a] })
	for _, k := range keys {
		t.Logf("%8d  %s", c.counts[k], k)
	}
	if c.wrong == 0 {
		return
	}
	for _, k := range keys {
		if strings.HasPrefix(k, "WRONG") {
			t.Errorf("%s\n\t%s", k, c.examples[k])
		}
	}
}
