package signing

import (
	"crypto/x509"
	"strings"
	"testing"
)

func only(c ...*x509.Certificate) []*x509.Certificate { return c }

// acceptedVectors are what agencies may send.
func acceptedVectors(t *testing.T) []vector {
	base := pkg(pdf)
	signed := sign(t, base, form{})
	atEnd := strings.Replace(strings.Replace(base, here, "", 1), "</edXML>\n", here+"</edXML>\n", 1)
	withID := replace(t, base, "<edXML xmlns", `<edXML Id="p1" xmlns`)
	rsa, ca := signer(t, "agency-rsa"), signer(t, "ca")
	oddText := pkg(strings.Replace(pdf, "JVBERi0", "<![CDATA[JVBE]]>&#82;i0", 1))
	oddText = replace(t, oddText, `id="trace-1"`, `id='trace "1" &#xA;&#9;&lt;&amp;' b="2" a="1"`)
	return []vector{
		{"rsa sha256", signed, accepted},
		{"rsa sha384", sign(t, base, form{method: algRSASHA384}), accepted},
		{"rsa sha512", sign(t, base, form{method: algRSASHA512}), accepted},
		{"ecdsa p256 sha256", sign(t, base, form{by: signer(t, "agency-p256")}), accepted},
		{"ecdsa p384 sha384", sign(t, base, form{by: signer(t, "agency-p384"), method: algECDSASHA384}), accepted},
		{"ecdsa p521 sha512", sign(t, base, form{by: signer(t, "agency-p521"), method: algECDSASHA512}), accepted},
		{"ecdsa p256 sha512", sign(t, base, form{by: signer(t, "agency-p256"), method: algECDSASHA512}), accepted},
		{"signature last in the root", sign(t, atEnd, form{}), accepted},
		{"reference to the root by its id", sign(t, withID, form{info: changing(t, `URI=""`, `URI="#p1"`)}), accepted},
		{"reference with an id", sign(t, base, form{info: changing(t, `<ds:Reference URI`, `<ds:Reference Id="r1" URI`)}), accepted},
		{"canonicalization by the national samples name", sign(t, base, form{info: changing(t,
			`<ds:Transform Algorithm="`+algExcC14N, `<ds:Transform Algorithm="`+algExcC14NAlias)}), accepted},
		{"chain in key info", sign(t, base, form{certs: only(rsa.cert, ca.cert)}), accepted},
		{"subject name and issuer serial in key info", replace(t, signed, "<ds:X509Data>",
			"<ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName><ds:X509IssuerSerial><ds:X509IssuerName>CN=y</ds:X509IssuerName>"+
				"<ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial><ds:X509SKI>AAAA</ds:X509SKI>"), accepted},
		{"white space in the signature", replace(t, strings.ReplaceAll(signed, "<ds:X509Certificate>M", "<ds:X509Certificate>\n\tM"),
			"</ds:SignatureValue>", " \r\n </ds:SignatureValue>\n"), accepted},
		{"byte order mark", "\xEF\xBB\xBF" + signed, accepted},
		{"no xml declaration", strings.TrimPrefix(signed, `<?xml version="1.0" encoding="utf-8"?>`+"\n"), accepted},
		{"cdata references and quotation marks", sign(t, oddText, form{}), accepted},
		{"carriage returns at line ends", strings.ReplaceAll(signed, "\n", "\r\n"), accepted},
		{"cdata for text after signing", replace(t, signed, "<Subject>V/v phân bổ", "<Subject><![CDATA[V/v]]> phân bổ"), accepted},
		{"attributes in another order", replace(t, sign(t, oddText, form{}), ` b="2" a="1"`, ` a = "1"  b='2' `), accepted},
		{"the other root of an ecdsa signature", sign(t, base, form{by: signer(t, "agency-p256"), value: otherRoot(t)}), accepted},
		{"signed by another agency", sign(t, base, form{by: signer(t, "other-agency")}), accepted}, // for whom it speaks is not asked here
		{"no signature", strings.Replace(base, here, "", 1), unsigned},
		{"signature in the national namespace is data", strings.Replace(base, here, "<Signature><SignedInfo>x</SignedInfo></Signature>", 1), unsigned},
	}
}

// signatureVectors break the form of the Signature.
func signatureVectors(t *testing.T) []vector {
	base := pkg(pdf)
	signed := sign(t, base, form{})
	signature := sigOf(t, signed)
	other := sigOf(t, sign(t, base, form{by: signer(t, "stranger")}))
	value := valuePattern.FindString(signed)
	inRoot := strings.Replace(strings.Replace(base, here, "", 1), "</edXMLEnvelope>", "</edXMLEnvelope>"+here, 1)
	return []vector{
		{"own signature twice", replace(t, signed, signature, signature+signature), "second-signature"},
		{"a strangers signature added first", replace(t, signed, signature, other+signature), "second-signature"},
		{"a strangers signature added last", replace(t, signed, "</edXML>\n", other+"</edXML>\n"), "second-signature"},
		{"signature within the signature", replace(t, signed, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object>"+signature+"</ds:Object>"), "second-signature"},
		{"signature in the body", replace(t, replace(t, signed, signature, ""), "<edXMLManifest>", signature+"<edXMLManifest>"), "signature-misplaced"},
		{"signature not last in the root", sign(t, inRoot, form{}), "signature-misplaced"},
		{"signature as the root", strings.TrimSpace(signature), "signature-misplaced"},
		{"empty signature", replace(t, signed, signature, `<ds:Signature xmlns:ds="`+nsDS+`"/>`), "signature-structure"},
		{"signature without a value", replace(t, signed, value, ""), "signature-structure"},
		{"signature without signed info", replace(t, signed, infoPattern.FindString(signed), ""), "signature-structure"},
		{"two signed infos", replace(t, signed, value, infoPattern.FindString(signed)+value), "signature-structure"},
		{"two signature values", replace(t, signed, value, value+value), "signature-structure"},
		{"unknown element in the signature", replace(t, signed, "</ds:KeyInfo>", `</ds:KeyInfo><x xmlns=""/>`), "signature-structure"},
		{"unknown attribute of the signature", replace(t, signed, "<ds:Signature xm", `<ds:Signature role="x" xm`), "signature-structure"},
		{"text in the signature", replace(t, signed, "</ds:KeyInfo>", "</ds:KeyInfo>x"), "signature-structure"},
		{"signed info in another namespace", replace(t, signed, `<ds:SignedInfo xmlns:ds="`+nsDS+`">`, `<ds:SignedInfo xmlns:ds="urn:other">`), "signature-structure"},
		{"signed info in no namespace", strings.NewReplacer("<ds:SignedInfo", "<SignedInfo", "</ds:SignedInfo", "</SignedInfo").Replace(signed), "signature-structure"},
		{"unsigned object", replace(t, signed, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object><pay/></ds:Object>"), "unsigned-object"},
		{"two objects", replace(t, signed, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object></ds:Object><ds:Object></ds:Object>"), "unsigned-object"},
		{"comment in the signature value", replace(t, signed, "</ds:SignatureValue>", "<!-- x --></ds:SignatureValue>"), "comment"},
		{"comment in the digest value", replace(t, signed, "</ds:DigestValue>", "<!-- x --></ds:DigestValue>"), "comment"},
		{"element in the signature value", replace(t, signed, "</ds:SignatureValue>", "<x/></ds:SignatureValue>"), "signature-structure"},
		{"element in the digest value", resign(t, signed, signer(t, "agency-rsa"), changing(t, "</ds:DigestValue>", "<ds:x></ds:x></ds:DigestValue>")), "signature-structure"},
		{"empty signature value", replace(t, signed, value, "<ds:SignatureValue></ds:SignatureValue>"), "signature-base64"},
		{"signature value in another alphabet", replace(t, signed, value, "<ds:SignatureValue>-_-_</ds:SignatureValue>"), "signature-base64"},
		{"signature value with padding inside", replace(t, signed, value, "<ds:SignatureValue>QQ==QQ==</ds:SignatureValue>"), "signature-base64"},
		{"signature value with data after padding", replace(t, signed, "==</ds:SignatureValue>", "==A</ds:SignatureValue>"), "signature-base64"},
		{"signature value with trailing bits", trailingBits(t, signed), "signature-base64"},
		{"signature value with foreign white space", replace(t, signed, "</ds:SignatureValue>", "\u00A0</ds:SignatureValue>"), "signature-base64"},
		{"signature of another length", replace(t, signed, value, "<ds:SignatureValue>QUJD</ds:SignatureValue>"), "signature-mismatch"},
		{"signature of another document", replace(t, signed, value, valuePattern.FindString(sign(t, pkg("QUJD"), form{}))), "signature-mismatch"},
	}
}

// trailingBits sets bits that base64 padding leaves unused.
func trailingBits(t *testing.T, signed string) string {
	t.Helper()
	const tail = "==</ds:SignatureValue>"
	i := strings.Index(signed, tail)
	if i < 0 {
		t.Fatal("the signature value has no padding")
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	digit := strings.IndexByte(alphabet, signed[i-1])
	if digit&1 != 0 {
		t.Fatal("the trailing bits were set before")
	}
	return signed[:i-1] + string(alphabet[digit|1]) + signed[i:]
}
