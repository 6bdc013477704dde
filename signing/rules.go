package signing

import "slices"

// Rule names what a document broke. Once published a name keeps its meaning.
type Rule string

// Malformed: not XML.
const (
	Encoding              Rule = "encoding"
	XMLDeclaration        Rule = "xml-declaration"
	InvalidCharacter      Rule = "invalid-character"
	BadMarkup             Rule = "bad-markup"
	InvalidName           Rule = "invalid-name"
	MismatchedTag         Rule = "mismatched-tag"
	DuplicateAttribute    Rule = "duplicate-attribute"
	UndeclaredPrefix      Rule = "undeclared-prefix"
	NamespaceDeclaration  Rule = "namespace-declaration"
	RelativeNamespace     Rule = "relative-namespace"
	InvalidReference      Rule = "invalid-reference"
	CDATAEndInText        Rule = "cdata-end-in-text"
	Comment               Rule = "comment"
	ProcessingInstruction Rule = "processing-instruction"
	TextOutsideRoot       Rule = "text-outside-root"
	SecondRoot            Rule = "second-root"
	Truncated             Rule = "truncated"
	ElementInStreamedText Rule = "element-in-streamed-text"
	DuplicateID           Rule = "duplicate-id"
	SecondSignature       Rule = "second-signature"
	SignatureMisplaced    Rule = "signature-misplaced"
)

// Harmful: could hurt a receiver.
const (
	Doctype Rule = "doctype"
)

// Too large: beyond the limits.
const (
	DocumentTooLarge  Rule = "document-too-large"
	TooDeep           Rule = "too-deep"
	TooManyElements   Rule = "too-many-elements"
	TooManyAttributes Rule = "too-many-attributes"
	TooManyNamespaces Rule = "too-many-namespaces"
	TagTooLong        Rule = "tag-too-long"
	TooMuchText       Rule = "too-much-text"
	NameTooLong       Rule = "name-too-long"
	TooManyReferences Rule = "too-many-references"
)

// Invalid signature: its form.
const (
	SignatureStructure         Rule = "signature-structure"
	UnsignedObject             Rule = "unsigned-object"
	SignedProperties           Rule = "signed-properties"
	UnsignedProperties         Rule = "unsigned-properties"
	SigningCertificateMismatch Rule = "signing-certificate-mismatch"
	CanonicalizationNotAllowed Rule = "canonicalization-not-allowed"
	InclusivePrefixes          Rule = "inclusive-prefixes"
	AlgorithmNotAllowed        Rule = "algorithm-not-allowed"
	SHA1                       Rule = "sha1"
	HMAC                       Rule = "hmac"
	TransformNotAllowed        Rule = "transform-not-allowed"
	ReferenceNotAllowed        Rule = "reference-not-allowed"
	ExtraReference             Rule = "extra-reference"
	SecondReading              Rule = "second-reading"
	SignatureBase64            Rule = "signature-base64"
	KeyInfoMissing             Rule = "key-info-missing"
	KeyInfoNotAllowed          Rule = "key-info-not-allowed"
	CertificateMalformed       Rule = "certificate-malformed"
	WeakKey                    Rule = "weak-key"
)

// Invalid signature: its mathematics.
const (
	KeyMismatch       Rule = "key-mismatch"
	DigestMismatch    Rule = "digest-mismatch"
	SignatureMismatch Rule = "signature-mismatch"
)

// Untrusted: the certificate does not count.
const (
	UntrustedChain         Rule = "untrusted-chain"
	CertificateExpired     Rule = "certificate-expired"
	CertificateNotYetValid Rule = "certificate-not-yet-valid"
	KeyUsage               Rule = "key-usage"
	CACertificate          Rule = "ca-certificate"
	CertificateConstraint  Rule = "certificate-constraint"
)

// Time-stamps: all but the last are invalid signatures.
const (
	TimeStampForm        Rule = "timestamp-form"
	TimeStampRefused     Rule = "timestamp-refused"
	TimeStampNonce       Rule = "timestamp-nonce"
	TimeStampPolicy      Rule = "timestamp-policy"
	TimeStampImprint     Rule = "timestamp-imprint"
	TimeStampAlgorithm   Rule = "timestamp-algorithm"
	TimeStampSignature   Rule = "timestamp-signature"
	TimeStampCertificate Rule = "timestamp-certificate"
	TimeStampPurpose     Rule = "timestamp-purpose"
	TimeStampUntrusted   Rule = "timestamp-untrusted"
)

// Kind is the group that the rule belongs to; empty for a rule that is not of
// this package.
func (r Rule) Kind() Kind { return rules[r].kind }

// Text says in "vi" or "en" what is wrong and the next step. Other languages
// get English, rules that are not of this package their name.
func (r Rule) Text(lang string) string {
	words, ok := rules[r]
	if !ok {
		return string(r)
	}
	if lang == "vi" {
		return words.vi
	}
	return words.en
}

// Rules lists every rule, sorted.
func Rules() []Rule {
	all := make([]Rule, 0, len(rules))
	for r := range rules {
		all = append(all, r)
	}
	slices.Sort(all)
	return all
}
