package signing

import (
	"crypto"
	_ "crypto/sha1" // for crypto.Hash
	_ "crypto/sha256"
	_ "crypto/sha512"
)

// Namespaces and algorithm identifiers, as written in documents.
const (
	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"
	nsDS    = "http://www.w3.org/2000/09/xmldsig#"
	nsXAdES = "http://uri.etsi.org/01903/v1.3.2#"

	// nsMore2007 is also the namespace of parameters (RFC 9231, 2.3.9).
	nsMore2007 = "http://www.w3.org/2007/05/xmldsig-more#"

	algEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	algExcC14N   = "http://www.w3.org/2001/10/xml-exc-c14n#"
	// The national sample names this unregistered identifier as a transform. It
	// is read as exclusive canonicalisation and never written.
	algExcC14NAlias = "http://www.w3.org/TR/xml-exc-c14n#"

	algExcC14NComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
	algC14N            = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	algC14NComments    = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
	algC14N11          = "http://www.w3.org/2006/12/xml-c14n11"
	algC14N11Comments  = "http://www.w3.org/2006/12/xml-c14n11#WithComments"
	algBase64          = "http://www.w3.org/2000/09/xmldsig#base64"

	algSHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
	algSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	algSHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	algSHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

	algRSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	algRSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	algRSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	algECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	algECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	algECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"

	algRSASHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	// RFC 9231, 2.3.9, 2.3.10 and 2.3.12.
	algRSAPSS       = nsMore2007 + "rsa-pss"
	algRSAPSSSHA256 = nsMore2007 + "sha256-rsa-MGF1"
	algRSAPSSSHA384 = nsMore2007 + "sha384-rsa-MGF1"
	algRSAPSSSHA512 = nsMore2007 + "sha512-rsa-MGF1"
	algMGF1         = nsMore2007 + "MGF1"
	algEd25519      = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"

	// typeSignedProperties marks the reference that covers the XAdES signed
	// properties (EN 319 132-1, 4.3.1).
	typeSignedProperties = "http://uri.etsi.org/01903#SignedProperties"
)

// A c14nForm is a canonical form. Whether comments stand in it makes no
// difference here: a document with comments is refused.
type c14nForm struct {
	inclusive bool
	v11       bool     // Canonical XML 1.1: it inherits fewer xml: attributes
	prefixes  []string // of exclusive form: treated as inclusive form does; "" is the default namespace
}

// plain says whether the form is the one that a first reading makes.
func (f c14nForm) plain() bool { return !f.inclusive && len(f.prefixes) == 0 }

// forms are the canonical forms that are accepted; it is never written.
var forms = map[string]c14nForm{
	algExcC14N:         {},
	algExcC14NComments: {},
	algC14N:            {inclusive: true},
	algC14NComments:    {inclusive: true},
	algC14N11:          {inclusive: true, v11: true},
	algC14N11Comments:  {inclusive: true, v11: true},
}

// digests are the digests that are accepted; it is never written. SHA-1 is
// only where Options.SHA1 says so.
var digests = map[string]crypto.Hash{
	algSHA1:   crypto.SHA1,
	algSHA256: crypto.SHA256,
	algSHA384: crypto.SHA384,
	algSHA512: crypto.SHA512,
}

// A scheme is how a key signs.
type scheme int

const (
	schemeRSA   scheme = iota // RSASSA-PKCS1-v1_5
	schemePSS                 // RSASSA-PSS, the salt as long as the digest
	schemeECDSA               // r and s side by side
	schemeEd25519
)

// A method is a signature method: what is hashed how, and signed how. Ed25519
// has no hash of its own: it signs the bytes.
type method struct {
	hash   crypto.Hash
	scheme scheme
}

// methods are the signature methods that are accepted; it is never written.
// RSA with SHA-1 is only where Options.SHA1 says so.
var methods = map[string]method{
	algRSASHA1:      {crypto.SHA1, schemeRSA},
	algRSASHA256:    {crypto.SHA256, schemeRSA},
	algRSASHA384:    {crypto.SHA384, schemeRSA},
	algRSASHA512:    {crypto.SHA512, schemeRSA},
	algRSAPSS:       {crypto.SHA256, schemePSS}, // if its parameters do not say otherwise
	algRSAPSSSHA256: {crypto.SHA256, schemePSS},
	algRSAPSSSHA384: {crypto.SHA384, schemePSS},
	algRSAPSSSHA512: {crypto.SHA512, schemePSS},
	algECDSASHA256:  {crypto.SHA256, schemeECDSA},
	algECDSASHA384:  {crypto.SHA384, schemeECDSA},
	algECDSASHA512:  {crypto.SHA512, schemeECDSA},
	algEd25519:      {0, schemeEd25519},
}
