package signing

import (
	"crypto/sha1" //nolint:gosec // to be refused
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
)

// propertiesText is the text of XAdES properties, canonical as it stands.
func propertiesText(cert *x509.Certificate, at string) string {
	sum := sha256.Sum256(cert.Raw)
	return `<xades:SignedProperties xmlns:xades="` + nsXAdES + `" Id="sp"><xades:SignedSignatureProperties>` +
		`<xades:SigningTime>` + at + `</xades:SigningTime><xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` +
		`<ds:DigestMethod xmlns:ds="` + nsDS + `" Algorithm="` + algSHA256 + `"></ds:DigestMethod>` +
		`<ds:DigestValue xmlns:ds="` + nsDS + `">` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue>` +
		`</xades:CertDigest></xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties></xades:SignedProperties>`
}

func objectText(properties string) string {
	return `<ds:Object><xades:QualifyingProperties xmlns:xades="` + nsXAdES + `" Target="#sig">` + properties + `</xades:QualifyingProperties></ds:Object>`
}

func propertiesReference(uri, digest string) string {
	return `<ds:Reference Type="` + typeSignedProperties + `" URI="` + uri + `"><ds:Transforms><ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform></ds:Transforms>` +
		`<ds:DigestMethod Algorithm="` + algSHA256 + `"></ds:DigestMethod><ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference>`
}

const claimedTime = "2026-11-20T09:20:31+07:00"

// xadesForm signs the properties with the document.
func xadesForm(t *testing.T, properties string) form {
	t.Helper()
	return form{id: "sig", object: objectText(properties), refs: propertiesReference("#sp", digestOf(t, properties))}
}

func xadesVectors(t *testing.T) []vector {
	base := pkg(pdf)
	rsa, other := signer(t, "agency-rsa"), signer(t, "other-agency")
	good := propertiesText(rsa.cert, claimedTime)
	with := func(properties string) string { return sign(t, base, xadesForm(t, properties)) }
	altered := func(old, with string) string { return sign(t, base, xadesForm(t, replace(t, good, old, with))) }
	signed := with(good)
	old := sha1.Sum(rsa.cert.Raw) //nolint:gosec // to be refused
	firstProperties := func(s string) string {
		document, properties := referenceText("", ""), ""
		document = document[:strings.Index(document, "<ds:DigestValue>")]
		i, j := strings.Index(s, document), strings.Index(s, `<ds:Reference Type=`)
		properties = s[j:strings.Index(s, "</ds:SignedInfo>")]
		return s[:i] + properties + s[i:j] + "</ds:SignedInfo>"
	}
	noTransform := strings.Replace(propertiesReference("#sp", digestOf(t, good)), algExcC14N, algEnveloped, 1)
	f := xadesForm(t, good)
	first := f
	first.info = firstProperties
	// Without a transform the form is Canonical XML 1.0, which takes over from the
	// package the namespace that is in scope.
	inherited := replace(t, good, `<xades:SignedProperties xmlns:xades="`, `<xades:SignedProperties xmlns="`+nsQCVN+`" xmlns:ds="`+nsDS+`" xmlns:xades="`)
	inherited = strings.ReplaceAll(replace(t, inherited, ` xmlns:ds="`+nsDS+`" Algorithm`, ` Algorithm`), `<ds:DigestValue xmlns:ds="`+nsDS+`">`, `<ds:DigestValue>`)
	inheritedSum := sha256.Sum256([]byte(inherited))
	withoutTransforms := func(digest [32]byte) string {
		ref := propertiesReference("#sp", base64.StdEncoding.EncodeToString(digest[:]))
		return ref[:strings.Index(ref, "<ds:Transforms>")] + ref[strings.Index(ref, "<ds:DigestMethod"):]
	}
	return []vector{
		{"xades b-b", signed, accepted},
		{"xades reference without a transform", sign(t, base, form{id: "sig", object: f.object, refs: withoutTransforms(inheritedSum)}), accepted},
		{"xades reference without a transform to another form", sign(t, base, form{id: "sig", object: f.object, refs: withoutTransforms(sha256.Sum256([]byte(good)))}), "digest-mismatch"},
		{"xades reference first", sign(t, base, first), accepted},
		{"xades without a target", replace(t, signed, ` Target="#sig"`, ""), accepted},
		{"xades time changed", replace(t, signed, "2026-11-20T09:20:31", "2026-11-19T09:20:31"), "digest-mismatch"},
		{"xades of another certificate", with(propertiesText(other.cert, claimedTime)), "signing-certificate-mismatch"},
		{"xades certificate by sha1", sign(t, base, xadesForm(t, replace(t, replace(t, good, algSHA256, "http://www.w3.org/2000/09/xmldsig#sha1"),
			good[strings.Index(good, nsDS+`">`)+len(nsDS)+2:strings.Index(good, "</ds:DigestValue>")], base64.StdEncoding.EncodeToString(old[:])))), "sha1"},
		{"xades certificate incomplete", sign(t, base, xadesForm(t, strings.ReplaceAll(good, "xades:CertDigest>", "xades:Other>"))), "signed-properties"},
		{"xades time without a zone", with(propertiesText(rsa.cert, "2026-11-20T09:20:31")), "signed-properties"},
		{"xades two times", altered("<xades:SigningTime>", "<xades:SigningTime>"+claimedTime+"</xades:SigningTime><xades:SigningTime>"), "signed-properties"},
		{"xades for another signature", replace(t, signed, `Target="#sig"`, `Target="#other"`), "signed-properties"},
		{"xades properties without a reference", sign(t, base, form{id: "sig", object: objectText(good)}), "unsigned-object"},
		{"xades reference to something else", sign(t, base, form{id: "sig", object: objectText(good), refs: propertiesReference("#other", digestOf(t, good))}), "unsigned-object"},
		{"xades reference without properties", sign(t, base, form{id: "sig", refs: f.refs}), "reference-not-allowed"},
		{"xades reference twice", sign(t, base, form{id: "sig", object: f.object, refs: f.refs + f.refs}), "extra-reference"},
		{"xades properties alone are signed", sign(t, base, form{id: "sig", object: f.object, info: func(s string) string {
			i := strings.Index(s, "<ds:Reference")
			return s[:i] + f.refs + "</ds:SignedInfo>"
		}}), "reference-not-allowed"},
		{"xades reference by another transform", sign(t, base, form{id: "sig", object: f.object, refs: noTransform}), "transform-not-allowed"},
		{"xades unsigned properties", replace(t, signed, "</xades:QualifyingProperties>", "<xades:UnsignedProperties/></xades:QualifyingProperties>"), "unsigned-properties"},
		{"xades second properties", replace(t, signed, "</xades:QualifyingProperties>", strings.Replace(good, `"sp"`, `"sp2"`, 1)+"</xades:QualifyingProperties>"), "unsigned-object"},
		{"xades nicer properties in front", replace(t, signed, "<ds:Object>", "<ds:Object>"+objectInner(strings.Replace(good, `"sp"`, `"sp2"`, 1))+"</ds:Object><ds:Object>"), "unsigned-object"},
		{"xades nicer properties in the same object", replace(t, signed, "<ds:Object>", "<ds:Object>"+objectInner(strings.Replace(good, `"sp"`, `"sp2"`, 1))), "unsigned-object"},
		{"xades empty", replace(t, signed, good, ""), "signed-properties"},
		{"xades text in the object", replace(t, signed, "<ds:Object>", "<ds:Object>x"), "signature-structure"},
	}
}

func objectInner(properties string) string {
	return strings.TrimSuffix(strings.TrimPrefix(objectText(properties), "<ds:Object>"), "</ds:Object>")
}
