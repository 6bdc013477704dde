package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Explain reads a document as Read does, and tells why: each thing that was looked
// at, in order, what was found and whether it holds. It goes on after a failure as
// far as it can, so that a refused algorithm does not hide a wrong digest.
//
// The document and the error are Read's own: the steps are for people. A refusal
// that no step has, which no document is known to bring about, is in the error all
// the same. r is read two or three times from its beginning, in constant memory.
func Explain(r io.ReadSeeker, o Options, tell func(Step)) (*Document, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	doc, refused := Read(r, o)
	e := &explainer{tell: tell, src: r, options: o}
	if err := e.run(); err != nil {
		return nil, errors.Join(refused, err)
	}
	return doc, refused
}

// A Step is one thing that was looked at. Names of steps and facts, once
// published, keep their meaning.
type Step struct {
	Name StepName
	// Path and Line are of the element that the step is about; empty and 0 if it
	// is about none.
	Path string
	Line int
	// Facts are what was found, in the order to show it.
	Facts []Fact
	// Certificates are those of KeyInfo, the signer's first; in StepCertificate
	// alone.
	Certificates []*x509.Certificate
	// Err is why the step does not hold: an *Error, or that of an attachment's
	// decoder. Nil: it holds, unless Skipped.
	Err error
	// Skipped says that the step could not be judged, because one that it needs did
	// not hold.
	Skipped bool
}

// Fact is something found, under a stable name: data, the same in every language.
type Fact struct{ Name, Value string }

// StepName says what a step looks at.
type StepName string

// The steps, in order. There is a StepReference for each ds:Reference, and none of
// a signature where there is no signature.
const (
	StepDocument         StepName = "document"          // well-formed, within the limits, read to its end
	StepSignature        StepName = "signature"         // stands where it may, in the schema's form
	StepCanonicalization StepName = "canonicalization"  // of SignedInfo
	StepSignatureMethod  StepName = "signature-method"  // one that is accepted
	StepReference        StepName = "reference"         // its form, its algorithms and its digest
	StepCertificate      StepName = "certificate"       // KeyInfo holds one, with a key that is strong enough
	StepSignatureValue   StepName = "signature-value"   // verifies with the certificate's key
	StepSignedProperties StepName = "signed-properties" // XAdES: covered, and naming this certificate
)

// Facts' names.
const (
	FactRoot         = "root"   // the root element's expanded name, {namespace}local
	FactSize         = "size"   // bytes read
	FactSHA256       = "sha256" // of the document's bytes or the certificate's DER; hexadecimal
	FactAlgorithm    = "algorithm"
	FactAccepted     = "accepted"          // what would be, when an algorithm is not
	FactPrefixes     = "prefixes"          // PrefixList of an exclusive canonicalisation
	FactCanonical    = "signed-info"       // SHA-256 of the canonical SignedInfo, hexadecimal
	FactURI          = "uri"               // of a reference
	FactCovers       = "covers"            // CoversDocument, CoversProperties, or an element's path
	FactType         = "type"              // of a reference
	FactTransform    = "transform"         // its algorithm, and its prefixes if it lists any
	FactDigestMethod = "digest-method"     // of a reference
	FactStated       = "stated"            // the digest that the signature states, base64; of a value that does not hold, the one inside it
	FactComputed     = "computed"          // the digest of what was read, base64; of such a value, that of SignedInfo
	FactComputedText = "computed-of-text"  // likewise, of an attachment's base64 text
	FactSubject      = "subject"           // of the certificate, RFC 2253
	FactIssuer       = "issuer"            // likewise
	FactSerial       = "serial"            // decimal
	FactNotBefore    = "not-before"        // RFC 3339
	FactNotAfter     = "not-after"         // RFC 3339
	FactKey          = "key"               // "RSA 2048", "ECDSA P-256", "Ed25519"
	FactKeyUsage     = "key-usage"         // names of RFC 5280, 4.2.1.3
	FactOther        = "other-certificate" // subject of a further one in KeyInfo
	FactLength       = "length"            // bytes of SignatureValue
	FactTime         = "time"              // claimed, RFC 3339
)

// What a reference covers, as FactCovers says it, if it is not an attachment.
const (
	CoversDocument   = "document"
	CoversProperties = "signed-properties"
)

// An explainer looks at a document's signature piece by piece, in the order in
// which the scanner meets the pieces, and tells of them in the order of the steps.
type explainer struct {
	tell    func(Step)
	src     io.ReadSeeker
	options Options

	check            *verification // of what was met; nil: no SignedInfo
	signature        Step
	canonicalization Step
	method           Step
	references       []explained
	certificate      Step
	value            Step
	properties       Step
}

// explained is a reference; nil if its form is refused.
type explained struct {
	Step
	ref *reference
}

func (e *explainer) run() error {
	if _, err := e.src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	o := e.options
	o.NoDigest = false
	o.Stream = func(el *Element) io.Writer {
		if e.options.Stream == nil || e.options.Stream(el) == nil {
			return nil
		}
		return io.Discard
	}
	s := newScanner(e.src, o)
	defer s.release()
	s.explainer = e
	refused := s.document()
	if refused != nil && !errors.As(refused, new(*Error)) {
		return refused
	}
	if refused == nil {
		if err := e.digests(s); err != nil {
			return err
		}
	}
	e.report(s, refused)
	return nil
}

// report tells the steps.
func (e *explainer) report(s *scanner, refused error) {
	doc := Step{Name: StepDocument, Err: refused}
	if s.root != nil {
		doc.Facts = append(doc.Facts, Fact{FactRoot, "{" + clipped(s.root.Space) + "}" + s.root.Local})
	}
	if refused == nil {
		doc.Facts = append(doc.Facts, Fact{FactSize, strconv.FormatInt(s.size, 10)}, Fact{FactSHA256, hex.EncodeToString(s.raw.Sum(nil))})
	}
	if s.sig.el == nil {
		e.tell(doc)
		return
	}
	if e.signature.Name == "" { // it has no end
		e.signature = e.about(StepSignature, s.sig.el)
		e.signature.Skipped = true
	}
	if misplaced := (*Error)(nil); errors.As(refused, &misplaced) && ofSignature(misplaced.Rule) {
		doc.Err, doc.Skipped = nil, true
		e.signature.Err, e.signature.Skipped = refused, false
		e.signature.Path, e.signature.Line = misplaced.Path, misplaced.Line
	}
	e.tell(doc)
	e.tell(e.signature)
	for _, step := range []Step{e.canonicalization, e.method} {
		e.told(step)
	}
	for _, r := range e.references {
		r.Skipped = r.Skipped || refused != nil && r.Err == nil // its digest was not made
		e.tell(r.Step)
	}
	for _, step := range []Step{e.certificate, e.value, e.properties} {
		e.told(step)
	}
}

// told tells a step that was taken.
func (e *explainer) told(s Step) {
	if s.Name != "" {
		e.tell(s)
	}
}

// ofSignature says whether the scanner refuses a signature by the rule.
func ofSignature(r Rule) bool {
	return r == SecondSignature || r == SignatureMisplaced || r == TooManyReferences || r.Kind() == InvalidSignature
}

// about begins a step on an element, which may be one read back from canonical
// form.
func (e *explainer) about(name StepName, el *Element) Step {
	if e.check != nil {
		el = e.check.original(el)
	}
	return Step{Name: name, Path: el.Path(), Line: el.Line}
}

// signedInfo looks at SignedInfo when it has ended. Its elements are looked at one
// by one; where there is no canonical form, as they came.
func (e *explainer) signedInfo(v *verification, inScope []binding) {
	e.check, v.info = v, &signedInfo{}
	info := v.scan.info
	form, err := v.signedForm()
	if err == nil {
		err = v.canonicalise(form, inScope)
	}
	if v.signed != nil {
		info = v.signed
	}
	e.canonicalization = e.about(StepCanonicalization, info)
	for _, c := range info.Children {
		switch c.Name {
		case Name{nsDS, "CanonicalizationMethod"}:
			e.canonicalization = e.about(StepCanonicalization, c)
			e.canonicalization.Facts = algorithmFacts(c, FactAlgorithm)
		case Name{nsDS, "SignatureMethod"}:
			e.signatureMethod(c)
		case Name{nsDS, "Reference"}:
			e.reference(c)
		}
	}
	e.canonicalization.Err = err
	e.canonicalization.accepts(acceptedForms())
	if err == nil {
		sum := sha256.Sum256(v.canonical)
		e.canonicalization.Facts = append(e.canonicalization.Facts, Fact{FactCanonical, hex.EncodeToString(sum[:])})
	}
}

func (e *explainer) signatureMethod(el *Element) {
	v := e.check
	e.method = e.about(StepSignatureMethod, el)
	e.method.Facts = algorithmFacts(el, FactAlgorithm)
	alg, m, err := v.checkMethod(el)
	if err == nil {
		v.info.algorithm, v.info.method = alg, m
	}
	e.method.Err = err
	e.method.accepts(acceptedMethods(e.options.SHA1))
}

// reference looks at a reference's form; its digest comes later.
func (e *explainer) reference(el *Element) {
	v := e.check
	before := *v.info
	r := explained{Step: e.about(StepReference, el)}
	r.Facts = referenceFacts(el)
	r.Err = v.addReference(v.info, el)
	switch {
	case r.Err != nil:
		*v.info = before
		r.accepts(acceptedIn(r.Err, e.options.SHA1))
	case v.info.document != before.document:
		r.ref = v.info.document
		r.Facts = append(r.Facts, Fact{FactCovers, CoversDocument})
	case v.info.properties != before.properties:
		r.ref = v.info.properties
		r.Facts = append(r.Facts, Fact{FactCovers, CoversProperties})
	default:
		r.ref = v.info.parts[len(v.info.parts)-1]
	}
	e.references = append(e.references, r)
}

// ended looks at the signature as a whole when it has ended.
func (e *explainer) ended(v *verification) {
	e.signature = e.about(StepSignature, v.el)
	e.signature.Err = v.checkChildren()
	if e.signature.Err == nil && e.check != nil {
		e.signature.Err = e.wholeInfo()
	}
	child := func(i int, local string) bool {
		return len(v.el.Children) > i && v.el.Children[i].Name == Name{nsDS, local}
	}
	if child(2, "KeyInfo") {
		e.keyInfo(v)
	}
	if child(1, "SignatureValue") {
		e.signatureValue(v)
	}
	if child(3, "Object") || v.info != nil && v.info.properties != nil {
		e.signedProperties(v)
	}
}

// wholeInfo is what checkSignedInfo asks of SignedInfo besides its parts.
func (e *explainer) wholeInfo() error {
	v := e.check
	if err := v.shape(v.scan.info, "Id"); err != nil {
		return err
	}
	c := v.scan.info.Children
	if len(c) < 3 || c[0].Name != (Name{nsDS, "CanonicalizationMethod"}) || c[1].Name != (Name{nsDS, "SignatureMethod"}) {
		return v.refusef(v.scan.info, SignatureStructure, "it needs CanonicalizationMethod, SignatureMethod and Reference, in this order")
	}
	refused := false
	for _, r := range e.references {
		refused = refused || r.Err != nil
	}
	for _, r := range c[2:] {
		if r.Name != (Name{nsDS, "Reference"}) {
			return v.refusef(r, SignatureStructure, "%s is not expected here", r.Local)
		}
	}
	if v.info.document == nil && !refused {
		return v.refusef(v.scan.info, ReferenceNotAllowed, "no reference covers the document")
	}
	return nil
}

func (e *explainer) keyInfo(v *verification) {
	e.certificate = e.about(StepCertificate, v.el.Children[2])
	certs, err := v.certificates()
	if err != nil {
		e.certificate.Err = err
		return
	}
	e.certificate.Certificates, e.certificate.Facts = certs, certificateFacts(certs)
	if refusal := checkKey(certs[0].PublicKey); refusal != nil {
		e.certificate.Err = v.placed(v.el.Children[2], refusal)
	}
}

func (e *explainer) signatureValue(v *verification) {
	e.value = e.about(StepSignatureValue, v.el.Children[1])
	if e.check == nil || e.canonicalization.Err != nil || v.canonical == nil || v.info.algorithm == "" || e.certificate.Err != nil || e.certificate.Certificates == nil {
		e.value.Skipped = true
		return
	}
	e.value.Err = v.checkValue(v.info.method, e.certificate.Certificates[0])
	e.value.Facts = []Fact{{FactAlgorithm, v.info.algorithm}, {FactLength, strconv.Itoa(len(v.value))}}
	var refusal *Error
	if !errors.As(e.value.Err, &refusal) || refusal.Rule != SignatureMismatch {
		return
	}
	if stated := digestInside(v.value, e.certificate.Certificates[0], v.info.method); stated != nil {
		e.value.Facts = append(e.value.Facts, Fact{FactStated, base64.StdEncoding.EncodeToString(stated)},
			Fact{FactComputed, base64.StdEncoding.EncodeToString(v.info.method.digest(v.canonical))})
	}
}

// digestInside is the digest of what an RSA key signed, which its signature shows
// (RFC 8017, 9.2); nil if this key did not make it, or signs in another way. It
// tells another SignedInfo from another key, and decides nothing.
func digestInside(value []byte, cert *x509.Certificate, m method) []byte {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || m.scheme != schemeRSA || len(value) != key.Size() {
		return nil
	}
	padded := new(big.Int).Exp(new(big.Int).SetBytes(value), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	if !bytes.HasPrefix(padded, []byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}) {
		return nil
	}
	return padded[len(padded)-m.hash.Size():]
}

func (e *explainer) signedProperties(v *verification) {
	at := v.el
	if len(v.el.Children) > 3 {
		at = v.el.Children[3]
	}
	e.properties = e.about(StepSignedProperties, at)
	if e.check == nil || e.certificate.Certificates == nil {
		e.properties.Skipped = true
		return
	}
	claimed, err := v.checkProperties(v.info.properties, e.certificate.Certificates[0])
	var mismatch *Error
	if errors.As(err, &mismatch) && mismatch.Rule == DigestMismatch { // the reference's step has it
		e.properties.Skipped, err = true, nil
	}
	e.properties.Err = err
	if !claimed.IsZero() {
		e.properties.Facts = []Fact{{FactTime, claimed.Format(time.RFC3339)}}
	}
}

// digests compares the digests of the references whose form is accepted.
func (e *explainer) digests(s *scanner) error {
	v := e.check
	if v == nil {
		return nil
	}
	once := s.canon.sum()
	parts := make(map[int]*partDigest)
	again := v.info.document != nil && !v.info.document.onePass()
	for i := range e.references {
		r := &e.references[i]
		switch {
		case r.ref == nil:
		case r.ref == v.info.properties:
			r.compare(v, s.sig.digest)
			if r.Err != nil {
				r.Err = v.refusef(r.ref.value, DigestMismatch, "of the signed properties")
			}
		case r.ref != v.info.document:
			again = e.findPart(r, parts) || again
		case r.ref.onePass():
			r.compare(v, once)
		}
	}
	if !again {
		return nil
	}
	return e.digestAgain(parts)
}

// findPart finds the attachment that a reference names.
func (e *explainer) findPart(r *explained, parts map[int]*partDigest) bool {
	v := e.check
	p, found := v.part(v.root, r.ref.uri)
	switch {
	case !found:
		r.Err = v.refuse(r.ref.value.Parent, ReferenceNotAllowed, excerpt([]byte(r.ref.uri)))
	case parts[p.Element.order] != nil:
		r.Err = v.refuse(r.ref.value.Parent, ExtraReference, excerpt([]byte(r.ref.uri)))
	default:
		r.ref.part = p
		parts[p.Element.order] = newPartDigest(p, r.ref.hash)
		r.Facts = append(r.Facts, Fact{FactCovers, p.Element.Path()})
		return true
	}
	return false
}

// digestAgain makes the digests that one reading cannot make.
func (e *explainer) digestAgain(parts map[int]*partDigest) error {
	if _, err := e.src.Seek(0, io.SeekStart); err != nil {
		return err
	}
	v := e.check
	s := newScanner(e.src, Options{Limits: e.options.Limits, SignatureIn: e.options.SignatureIn, NoDigest: true, scanOnly: true})
	defer s.release()
	s.forget, s.parts = true, parts
	if v.info.document != nil {
		s.canon.reset(v.info.document.form, v.info.document.hash)
	}
	refused := s.document() // an attachment's own text can be
	for i := range e.references {
		r := &e.references[i]
		switch {
		case r.ref == nil:
		case refused != nil && (r.ref.part.Element != nil || !r.ref.onePass()):
			r.Err = refused
		case r.ref == v.info.document && !r.ref.onePass():
			r.compare(v, s.canon.sum())
		case r.ref.part.Element != nil:
			found := parts[r.ref.part.Element.order]
			r.Err = v.checkPart(r.ref, found)
			r.Facts = append(r.Facts, Fact{FactComputed, base64.StdEncoding.EncodeToString(found.decoded.Sum(nil))},
				Fact{FactComputedText, base64.StdEncoding.EncodeToString(found.text.Sum(nil))})
		}
	}
	return nil
}

// compare holds a digest to the one that the signature states.
func (r *explained) compare(v *verification, computed []byte) {
	if computed == nil {
		r.Skipped = true
		return
	}
	r.Facts = append(r.Facts, Fact{FactComputed, base64.StdEncoding.EncodeToString(computed)})
	if !bytes.Equal(r.ref.digest, computed) {
		r.Err = v.refuse(r.ref.value, DigestMismatch, "")
	}
}

// accepts adds what would be accepted to a step whose algorithm is not. Of one
// that would be, it is something else that is refused: a parameter.
func (s *Step) accepts(list []string) {
	var refusal *Error
	if !errors.As(s.Err, &refusal) || s.Name != StepReference && len(s.Facts) > 0 && slices.Contains(list, s.Facts[0].Value) {
		return
	}
	switch refusal.Rule {
	case CanonicalizationNotAllowed, AlgorithmNotAllowed, SHA1, HMAC, TransformNotAllowed:
		for _, alg := range list {
			s.Facts = append(s.Facts, Fact{FactAccepted, alg})
		}
	}
}

func acceptedForms() []string { return slices.Sorted(maps.Keys(forms)) }

func acceptedMethods(sha1 bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(methods)), func(alg string) bool { return methods[alg].hash == crypto.SHA1 && !sha1 })
}

// acceptedIn is what a reference could have had instead of what is refused: a
// digest, or the transforms.
func acceptedIn(err error, sha1 bool) []string {
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Rule == TransformNotAllowed {
		return append([]string{algEnveloped}, acceptedForms()...)
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(digests)), func(alg string) bool { return digests[alg] == crypto.SHA1 && !sha1 })
}

// algorithmFacts are the Algorithm of an element and its PrefixList, if it has one.
func algorithmFacts(el *Element, name string) []Fact {
	alg, _ := el.Attr("", "Algorithm")
	facts := []Fact{{name, clipped(alg)}}
	if list, ok := el.Child(algExcC14N, "InclusiveNamespaces").Attr("", "PrefixList"); ok {
		facts = append(facts, Fact{FactPrefixes, clipped(list)})
	}
	return facts
}

func referenceFacts(el *Element) []Fact {
	var facts []Fact
	if uri, ok := el.Attr("", "URI"); ok {
		facts = append(facts, Fact{FactURI, clipped(uri)})
	}
	if kind, ok := el.Attr("", "Type"); ok {
		facts = append(facts, Fact{FactType, clipped(kind)})
	}
	for _, t := range el.Child(nsDS, "Transforms").All(nsDS, "Transform") {
		facts = append(facts, algorithmFacts(t, FactTransform)...)
	}
	if d := el.Child(nsDS, "DigestMethod"); d != nil {
		facts = append(facts, algorithmFacts(d, FactDigestMethod)...)
	}
	if d := el.Child(nsDS, "DigestValue"); d != nil {
		facts = append(facts, Fact{FactStated, clipped(withoutSpace(d.Text))})
	}
	return facts
}

func certificateFacts(certs []*x509.Certificate) []Fact {
	c := certs[0]
	sum := sha256.Sum256(c.Raw)
	facts := []Fact{{FactSubject, clipped(c.Subject.String())}, {FactIssuer, clipped(c.Issuer.String())}, {FactSerial, c.SerialNumber.String()},
		{FactNotBefore, c.NotBefore.Format(time.RFC3339)}, {FactNotAfter, c.NotAfter.Format(time.RFC3339)},
		{FactKey, keyName(c.PublicKey)}, {FactKeyUsage, usages(c.KeyUsage)}, {FactSHA256, hex.EncodeToString(sum[:])}}
	for _, other := range certs[1:] {
		facts = append(facts, Fact{FactOther, clipped(other.Subject.String())})
	}
	return facts
}

func keyName(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return "RSA " + strconv.Itoa(key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", public)
}

// usages names key usage bits; "–" if the certificate has none.
func usages(u x509.KeyUsage) string {
	var list []string
	for i, name := range []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"} {
		if u&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	if list == nil {
		return "–"
	}
	return strings.Join(list, ", ")
}

// clipped keeps what a document says from filling a screen.
func clipped(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
