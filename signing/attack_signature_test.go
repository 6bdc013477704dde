package signing

import (
	"crypto"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"regexp"
	"strings"
	"testing"
)

var (
	sigPattern  = regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`)
	rootPattern = regexp.MustCompile(`(?s)<edXML .*</edXML>`)
)

func sigOf(t *testing.T, document string) string {
	t.Helper()
	signature := sigPattern.FindString(document)
	if signature == "" {
		t.Fatal("the document has no signature")
	}
	return signature
}

// bare is the root of a document without its signature.
func bare(document string) string {
	return rootPattern.FindString(sigPattern.ReplaceAllLiteralString(document, ""))
}

// wrappingVectors move the signed content to where it is verified but not read
// (XML signature wrapping, in the numbering of Somorovsky et al.).
func wrappingVectors(t *testing.T) []vector {
	withID := replace(t, pkg(pdf), "<edXML xmlns", `<edXML Id="p1" xmlns`)
	signed := sign(t, withID, form{info: changing(t, `URI=""`, `URI="#p1"`)})
	evil := strings.ReplaceAll(signed, "H12.12", "H99.99")
	original := bare(signed)
	unnamed := func(s string) string {
		return strings.Replace(strings.Replace(s, `<edXML Id="p1"`, "<edXML", 1), ` id="trace-1"`, "", 1)
	}
	inSignature := func(s, what string) string {
		return replace(t, s, "</ds:Signature>", what+"</ds:Signature>")
	}
	holding := func(id string) string {
		return `<edXML xmlns="` + nsQCVN + `"` + id + `>` + rootPattern.FindString(signed) + `</edXML>`
	}
	return []vector{
		{"wrapping 1", inSignature(evil, "<ds:Object>"+original+"</ds:Object>"), "duplicate-id"},
		{"wrapping 1 without an id outside", unnamed(inSignature(evil, "<ds:Object>"+original+"</ds:Object>")), "reference-not-allowed"},
		{"wrapping 2", replace(t, evil, "</edXMLHeader>", original+"</edXMLHeader>"), "duplicate-id"},
		{"wrapping 3", holding(` Id="p2"`), "signature-misplaced"},
		{"wrapping 4", holding(""), "signature-misplaced"},
		{"wrapping 5", replace(t, evil, "</edXML>\n", original+"</edXML>\n"), "duplicate-id"},
		{"wrapping 6", inSignature(evil, original), "duplicate-id"},
		{"wrapping 7", unnamed(replace(t, evil, "</edXML>\n", "<Extensions>"+original+"</Extensions></edXML>\n")), "reference-not-allowed"},
		{"wrapping 8", unnamed(inSignature(evil, "<ds:Object><Extensions>"+original+"</Extensions></ds:Object>")), "reference-not-allowed"},
		{"duplicate id of two spellings", replace(t, signed, `id="trace-1"`, `ID="p1"`), "duplicate-id"},
		{"duplicate id by xml id", replace(t, signed, `id="trace-1"`, `xml:id="p1"`), "duplicate-id"},
		{"duplicate id under the signature", sign(t, replace(t, withID, `id="trace-1"`, `Id="p1"`), form{}), "duplicate-id"},
		{"duplicate id inside the signature", replace(t, signed, "<ds:KeyInfo>", `<ds:KeyInfo Id="p1">`), "duplicate-id"},
	}
}

// referenceVectors are signed by an insider: their mathematics hold.
func referenceVectors(t *testing.T) []vector {
	base := pkg(pdf)
	insider := func(old, with string) string { return sign(t, base, form{info: changing(t, old, with)}) }
	uri := func(uri string) string { return insider(`URI=""`, `URI="`+uri+`"`) }
	const (
		enveloped = `<ds:Transform Algorithm="` + algEnveloped + `"></ds:Transform>`
		exclusive = `<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>`
		none      = "Jyf8pOjNTQzmFjMuwTdXQAVKkGfFzBSZ3BBfMDlvFYo="
	)
	transform := func(alg string) string {
		return insider(enveloped+exclusive, enveloped+exclusive+`<ds:Transform Algorithm="`+alg+`"></ds:Transform>`)
	}
	withPrefixes := `<ds:Transform Algorithm="` + algExcC14N + `"><ec:InclusiveNamespaces xmlns:ec="` + algExcC14N + `" PrefixList="ds"></ec:InclusiveNamespaces></ds:Transform>`
	withID := replace(t, base, "<edXML xmlns", `<edXML Id="p1" xmlns`)
	return []vector{
		{"second reference with a wrong digest", sign(t, base, form{refs: referenceText("", none)}), "extra-reference"},
		{"reference to an attachment that is not there", sign(t, base, form{refs: referenceText("208", none)}), "reference-not-allowed"},
		{"thirty one references", sign(t, base, form{refs: strings.Repeat(referenceText("", none), 30)}), "too-many-references"},
		{"reference without a uri", insider(` URI=""`, ""), "reference-not-allowed"},
		{"reference to an id without its mark", sign(t, withID, form{info: changing(t, `URI=""`, `URI="p1"`)}), "reference-not-allowed"},
		{"reference to an id with another mark", sign(t, withID, form{info: changing(t, `URI=""`, `URI="Xp1"`)}), "reference-not-allowed"},
		{"reference to an id that is not there", uri("#p1"), "reference-not-allowed"},
		{"reference to nothing", uri("#"), "reference-not-allowed"},
		{"reference to an element", uri("#trace-1"), "reference-not-allowed"},
		{"reference by xpointer", uri("#xpointer(/)"), "reference-not-allowed"},
		{"reference over http", uri("http://127.0.0.1/x"), "reference-not-allowed"},
		{"reference to a file", uri("file:///etc/hostname"), "reference-not-allowed"},
		{"reference to an attachment as if it were the document", uri("cid:c1"), "reference-not-allowed"},
		{"reference to a manifest", insider(`URI=""`, `Type="http://www.w3.org/2000/09/xmldsig#Manifest" URI=""`), "reference-not-allowed"},
		{"no reference", sign(t, base, form{info: func(s string) string {
			return s[:strings.Index(s, "<ds:Reference")] + "</ds:SignedInfo>"
		}}), "signature-structure"},
		{"xslt", transform("http://www.w3.org/TR/1999/REC-xslt-19991116"), "transform-not-allowed"},
		{"xpath", transform("http://www.w3.org/TR/1999/REC-xpath-19991116"), "transform-not-allowed"},
		{"xpath filter", transform("http://www.w3.org/2002/06/xmldsig-filter2"), "transform-not-allowed"},
		{"base64 transform", transform("http://www.w3.org/2000/09/xmldsig#base64"), "transform-not-allowed"},
		{"decryption transform", transform("http://www.w3.org/2002/07/decrypt#XML"), "transform-not-allowed"},
		{"transforms in the other order", insider(enveloped+exclusive, exclusive+enveloped), "transform-not-allowed"},
		{"no canonicalization transform", insider(exclusive, ""), "transform-not-allowed"},
		{"no enveloped transform", insider(enveloped, ""), "transform-not-allowed"},
		{"no transforms", insider("<ds:Transforms>"+enveloped+exclusive+"</ds:Transforms>", ""), "transform-not-allowed"},
		{"canonicalization twice", insider(exclusive, exclusive+exclusive), "transform-not-allowed"},
		{"a hundred transforms", insider(exclusive, strings.Repeat(exclusive, 100)), "transform-not-allowed"},
		{"xpath expression in a transform", insider(algExcC14N+`"></ds:Transform>`, algExcC14N+`"><ds:XPath>1</ds:XPath></ds:Transform>`), "transform-not-allowed"},
		{"prefix list with a name that is none", insider(exclusive, strings.Replace(withPrefixes, `"ds"`, `"a:b"`, 1)), "inclusive-prefixes"},
		{"prefix list of many", insider(exclusive, strings.Replace(withPrefixes, `"ds"`, `"`+strings.Repeat("a ", 33)+`"`, 1)), "inclusive-prefixes"},
		{"prefix list of another name", insider(exclusive, strings.Replace(withPrefixes, "PrefixList", "Prefixes", 1)), "signature-structure"},
		{"prefix list for inclusive canonicalization", insider(exclusive, strings.Replace(withPrefixes, algExcC14N, algC14N, 1)), "transform-not-allowed"},
		{"default prefix in the canonicalization methods list", insider(algExcC14N+`"></ds:CanonicalizationMethod>`, algExcC14N+
			`"><ec:InclusiveNamespaces xmlns:ec="`+algExcC14N+`" PrefixList="#default"></ec:InclusiveNamespaces></ds:CanonicalizationMethod>`), "inclusive-prefixes"},
		{"unknown element in signed info", insider("</ds:SignedInfo>", "<ds:Extra></ds:Extra></ds:SignedInfo>"), "signature-structure"},
		{"unknown attribute in signed info", insider("<ds:Transforms>", `<ds:Transforms x="1">`), "signature-structure"},
		{"digest of another length", sign(t, base, form{digest: "QUJD"}), "signature-base64"},
		{"digest with trailing bits", insider(`=</ds:DigestValue>`, `=A</ds:DigestValue>`), "signature-base64"},
		{"digest of something else", sign(t, base, form{digest: none}), "digest-mismatch"},
	}
}

// algorithmVectors name algorithms that are not accepted.
func algorithmVectors(t *testing.T) []vector {
	base := pkg(pdf)
	method := func(uri string) string { return sign(t, base, form{info: changing(t, algRSASHA256, uri)}) }
	c14n := func(uri string) string {
		return sign(t, base, form{info: changing(t, `CanonicalizationMethod Algorithm="`+algExcC14N, `CanonicalizationMethod Algorithm="`+uri)})
	}
	digest := func(uri string) string { return sign(t, base, form{info: changing(t, algSHA256, uri)}) }
	p256 := signer(t, "agency-p256")
	n := elliptic.P256().Params().N
	ecdsa := func(change func([]byte) []byte) string { return sign(t, base, form{by: p256, value: change}) }
	half := func(r, s *big.Int) string {
		return ecdsa(func(v []byte) []byte {
			if r != nil {
				r.FillBytes(v[:32])
			}
			if s != nil {
				s.FillBytes(v[32:])
			}
			return v
		})
	}
	return []vector{
		{"hmac with the certificate as the key", method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), "hmac"},
		{"hmac sha1", method("http://www.w3.org/2000/09/xmldsig#hmac-sha1"), "hmac"},
		{"rsa sha1", sign(t, base, form{method: algRSASHA1}), "sha1"},
		{"ecdsa sha1", method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"), "sha1"},
		{"dsa sha1", method("http://www.w3.org/2000/09/xmldsig#dsa-sha1"), "sha1"},
		{"sha1 digest", sign(t, base, form{digest: digestAs(t, strings.Replace(base, here, "", 1), exclusiveForm(""), crypto.SHA1), info: changing(t, algSHA256, algSHA1)}), "sha1"},
		{"md5 digest", digest("http://www.w3.org/2001/04/xmldsig-more#md5"), "algorithm-not-allowed"},
		{"sha512 digest of another length", digest(algSHA512), "signature-base64"},
		{"sha224 digest", digest("http://www.w3.org/2001/04/xmldsig-more#sha224"), "algorithm-not-allowed"},
		{"sha3 digest", digest("http://www.w3.org/2007/05/xmldsig-more#sha3-256"), "algorithm-not-allowed"},
		{"rsa md5", method("http://www.w3.org/2001/04/xmldsig-more#rsa-md5"), "algorithm-not-allowed"},
		{"no algorithm at all", method("none"), "algorithm-not-allowed"},
		{"empty algorithm", method(""), "algorithm-not-allowed"},
		{"algorithm with a trailing space", method(algRSASHA256 + " "), "algorithm-not-allowed"},
		{"output length in the signature method", sign(t, base, form{info: changing(t, algRSASHA256+`">`, algRSASHA256+`"><ds:HMACOutputLength>1</ds:HMACOutputLength>`)}), "algorithm-not-allowed"},
		{"inclusive canonicalization under which another form was signed", c14n(algC14N), "signature-mismatch"},
		{"canonicalization 2", c14n("http://www.w3.org/2010/xml-c14n2"), "canonicalization-not-allowed"},
		{"canonicalization method by the samples name", c14n(algExcC14NAlias), "canonicalization-not-allowed"},
		{"ecdsa in der", ecdsa(inDER(t)), "signature-mismatch"},
		{"ecdsa too short", ecdsa(func(v []byte) []byte { return v[:63] }), "signature-mismatch"},
		{"ecdsa too long", ecdsa(func(v []byte) []byte { return append(v, 0) }), "signature-mismatch"},
		{"ecdsa r zero", half(new(big.Int), nil), "signature-mismatch"},
		{"ecdsa s zero", half(nil, new(big.Int)), "signature-mismatch"},
		{"ecdsa both zero", half(new(big.Int), new(big.Int)), "signature-mismatch"},
		{"ecdsa r the order", half(n, nil), "signature-mismatch"},
		{"ecdsa s the order", half(nil, n), "signature-mismatch"},
		{"rsa method with an ecdsa key", sign(t, base, form{by: p256, info: changing(t, algECDSASHA256, algRSASHA256)}), "key-mismatch"},
		{"ecdsa method with an rsa key", sign(t, base, form{info: changing(t, algRSASHA256, algECDSASHA256)}), "key-mismatch"},
		{"rsa sha384 value under the name of sha256", sign(t, base, form{method: algRSASHA384, value: nil,
			info: changing(t, algRSASHA384, algRSASHA256)}), "signature-mismatch"},
	}
}

// otherRoot gives the second valid signature that every ECDSA signature has:
// why a signature's bytes are no key for recognising a resubmission.
func otherRoot(t *testing.T) func([]byte) []byte {
	t.Helper()
	return func(v []byte) []byte {
		s := new(big.Int).SetBytes(v[32:])
		s.Sub(elliptic.P256().Params().N, s).FillBytes(v[32:])
		return v
	}
}

func inDER(t *testing.T) func([]byte) []byte {
	t.Helper()
	return func(v []byte) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(v[:32]), new(big.Int).SetBytes(v[32:])})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
}

// keyVectors are about KeyInfo and the certificate in it.
func keyVectors(t *testing.T) []vector {
	base := pkg(pdf)
	signed := sign(t, base, form{})
	rsa, other, stranger, ca := signer(t, "agency-rsa"), signer(t, "other-agency"), signer(t, "stranger"), signer(t, "ca")
	keyInfo := keyInfoText(rsa.cert)
	instead := func(with string) string { return replace(t, signed, keyInfo, with) }
	by := func(file string) string { return sign(t, base, form{by: signer(t, file)}) }
	der := base64.StdEncoding.EncodeToString(rsa.cert.Raw)
	naming := func(with string) string { return replace(t, signed, "<ds:X509Data>", "<ds:X509Data>"+with) }
	const sender = `<From xmlns="` + nsQCVN + `"><OrganId>H99.99</OrganId></From>`
	return []vector{
		{"no key info", instead(""), "key-info-missing"},
		{"empty key info", instead("<ds:KeyInfo/>"), "key-info-missing"},
		{"empty x509 data", instead("<ds:KeyInfo><ds:X509Data/></ds:KeyInfo>"), "key-info-missing"},
		{"key value beside the certificate", replace(t, signed, "<ds:X509Data>", "<ds:KeyValue/><ds:X509Data>"), "key-info-not-allowed"},
		{"retrieval method", instead(`<ds:KeyInfo><ds:RetrievalMethod URI="http://127.0.0.1/cert"/></ds:KeyInfo>`), "key-info-not-allowed"},
		{"retrieval method beside the certificate", replace(t, signed, "</ds:KeyInfo>", `<ds:RetrievalMethod URI="http://127.0.0.1/cert"/></ds:KeyInfo>`), "key-info-not-allowed"},
		{"revocation list in key info", replace(t, signed, "<ds:X509Data>", "<ds:X509Data><ds:X509CRL>AAAA</ds:X509CRL>"), "key-info-not-allowed"},
		{"certificate in another namespace", instead(strings.ReplaceAll(keyInfo, "ds:X509Certificate", "X509Certificate")), "key-info-not-allowed"},
		{"eleven certificates", sign(t, base, form{certs: only(rsa.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert, ca.cert)}), "key-info-not-allowed"},
		{"another certificate", instead(keyInfoText(other.cert)), "signature-mismatch"},
		{"a strangers certificate", instead(keyInfoText(stranger.cert)), "signature-mismatch"},
		{"the signers certificate second", instead(keyInfoText(other.cert, rsa.cert)), "signature-mismatch"},
		{"right certificate other key", sign(t, base, form{by: stranger, certs: only(rsa.cert)}), "signature-mismatch"},
		{"certificate that is none", instead(strings.Replace(keyInfo, der, "QUJD", 1)), "certificate-malformed"},
		{"certificate with bytes after it", instead(strings.Replace(keyInfo, der, base64.StdEncoding.EncodeToString(append(rsa.cert.Raw[:len(rsa.cert.Raw):len(rsa.cert.Raw)], 0)), 1)), "certificate-malformed"},
		{"certificate in pem", instead(strings.Replace(keyInfo, der, "-----BEGIN CERTIFICATE-----\n"+der, 1)), "signature-base64"},
		{"element in the certificate", instead(strings.Replace(keyInfo, der, der+"<x/>", 1)), "signature-structure"},
		{"element in the subject name", naming("<ds:X509SubjectName>CN=x" + sender + "</ds:X509SubjectName>"), "signature-structure"},
		{"element in the key identifier", naming("<ds:X509SKI>AAAA" + sender + "</ds:X509SKI>"), "signature-structure"},
		{"element instead of the issuer and serial", naming("<ds:X509IssuerSerial>" + sender + "</ds:X509IssuerSerial>"), "signature-structure"},
		{"element in the issuers name", naming("<ds:X509IssuerSerial><ds:X509IssuerName>CN=y" + sender + "</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial>"), "signature-structure"},
		{"attribute of the subject name", naming(`<ds:X509SubjectName role="x">CN=x</ds:X509SubjectName>`), "signature-structure"},
		{"rsa of 1024 bits", by("weak-rsa"), "weak-key"},
		{"p224", by("weak-p224"), "weak-key"},
		{"signed by a stranger", by("stranger"), "untrusted-chain"},
		{"a strangers certificate with the authoritys", sign(t, base, form{by: stranger, certs: only(stranger.cert, ca.cert)}), "untrusted-chain"},
		{"expired certificate", by("expired"), "certificate-expired"},
		{"certificate not yet valid", by("not-yet-valid"), "certificate-not-yet-valid"},
		{"certificate for encipherment only", by("encipherment"), "key-usage"},
		{"certificate of an authority", by("authority"), "ca-certificate"},
		{"certificate with an unknown critical extension", by("critical"), "certificate-constraint"},
	}
}
