package signing

import (
	"crypto"
	"encoding/base64"
	"strings"
	"testing"

	dsig "github.com/russellhaering/goxmldsig"
)

func exclusiveForm(prefixes string) dsig.Canonicalizer {
	return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes)
}

const (
	excTransform = `<ds:Transform Algorithm="` + algExcC14N + `"></ds:Transform>`
	prefixList   = `<ec:InclusiveNamespaces xmlns:ec="` + algExcC14N + `" PrefixList="x"></ec:InclusiveNamespaces>`
	nsX          = "urn:example:x"
)

// formVectors are in other canonical forms and digests than one reading makes.
func formVectors(t *testing.T) []vector {
	// A namespace that nothing uses is where the forms differ.
	base := replace(t, pkg(pdf), "<edXML xmlns", `<edXML xml:lang="vi" xmlns:x="`+nsX+`" xmlns`)
	plain := strings.Replace(base, here, "", 1)
	inclusive := dsig.MakeC14N10RecCanonicalizer()
	document := func(form dsig.Canonicalizer, kind crypto.Hash, change func(string) string) string {
		return sign(t, base, form3(t, plain, form, kind, change))
	}
	transform := func(with string) func(string) string {
		return func(s string) string { return replace(t, s, excTransform, with) }
	}
	named := func(alg string) func(string) string {
		return transform(`<ds:Transform Algorithm="` + alg + `"></ds:Transform>`)
	}
	method := func(with string) func(string) string {
		return changing(t, `<ds:CanonicalizationMethod Algorithm="`+algExcC14N+`"></ds:CanonicalizationMethod>`,
			`<ds:CanonicalizationMethod Algorithm="`+with+`</ds:CanonicalizationMethod>`)
	}
	// What an inclusive SignedInfo takes over from the document round it.
	apex := func(s string) string {
		return replace(t, s, `<ds:SignedInfo xmlns:ds="`+nsDS+`">`,
			`<ds:SignedInfo xmlns="`+nsQCVN+`" xmlns:ds="`+nsDS+`" xmlns:x="`+nsX+`" xml:lang="vi">`)
	}
	listed := func(s string) string {
		return replace(t, s, `<ds:SignedInfo xmlns:ds="`+nsDS+`">`, `<ds:SignedInfo xmlns:ds="`+nsDS+`" xmlns:x="`+nsX+`">`)
	}
	withBase := replace(t, base, "<edXMLHeader>", `<edXMLHeader xml:base="http://a.example/" xml:id="h">`)
	based := func(s string) string {
		return replace(t, apex(s), ` xml:lang="vi">`, ` xml:base="http://a.example/" xml:id="h" xml:lang="vi">`)
	}
	return []vector{
		{"sha384 digest", document(exclusiveForm(""), crypto.SHA384, changing(t, algSHA256, algSHA384)), accepted},
		{"sha512 digest", document(exclusiveForm(""), crypto.SHA512, changing(t, algSHA256, algSHA512)), accepted},
		{"sha512 digest of something else", sign(t, base, form{digest: sumOf(crypto.SHA512, []byte("else")), info: changing(t, algSHA256, algSHA512)}), "digest-mismatch"},
		{"inclusive canonicalization transform", document(inclusive, crypto.SHA256, named(algC14N)), accepted},
		{"inclusive canonicalization 1 1 transform", document(dsig.MakeC14N11Canonicalizer(), crypto.SHA512, func(s string) string {
			return changing(t, algSHA256, algSHA512)(named(algC14N11)(s))
		}), accepted},
		{"inclusive canonicalization transform of the exclusive form", document(exclusiveForm(""), crypto.SHA256, named(algC14N)), "digest-mismatch"},
		{"canonicalization transform with comments", document(exclusiveForm(""), crypto.SHA256, named(algExcC14NComments)), accepted},
		{"inclusive canonicalization transform with comments", document(inclusive, crypto.SHA256, named(algC14NComments)), accepted},
		{"prefix list in a transform", document(exclusiveForm("x"), crypto.SHA256,
			transform(`<ds:Transform Algorithm="`+algExcC14N+`">`+prefixList+`</ds:Transform>`)), accepted},
		{"prefix list in a transform that was not heeded", document(exclusiveForm(""), crypto.SHA256,
			transform(`<ds:Transform Algorithm="`+algExcC14N+`">`+prefixList+`</ds:Transform>`)), "digest-mismatch"},
		{"prefix list that is missing", document(exclusiveForm(""), crypto.SHA256,
			transform(`<ds:Transform Algorithm="`+algExcC14N+`">`+strings.Replace(prefixList, ` PrefixList="x"`, "", 1)+`</ds:Transform>`)), "inclusive-prefixes"},
		{"prefix list with the default namespace", document(exclusiveForm(""), crypto.SHA256,
			transform(`<ds:Transform Algorithm="`+algExcC14N+`">`+strings.Replace(prefixList, `"x"`, `"#default"`, 1)+`</ds:Transform>`)), accepted},
		{"prefix list in the canonicalization method", sign(t, base, form{info: method(algExcC14N + `">` + prefixList), signed: listed}), accepted},
		{"canonicalization with comments", sign(t, base, form{info: method(algExcC14NComments + `">`)}), accepted},
		{"inclusive canonicalization", sign(t, base, form{info: method(algC14N + `">`), signed: apex}), accepted},
		{"inclusive canonicalization 1 1", sign(t, base, form{info: method(algC14N11 + `">`), signed: apex}), accepted},
		{"inclusive canonicalization takes over base and id", sign(t, withBase, form{info: method(algC14N + `">`), signed: based}), accepted},
		{"inclusive canonicalization 1 1 with a base", sign(t, withBase, form{info: method(algC14N11 + `">`), signed: apex}), "canonicalization-not-allowed"},
		{"inclusive canonicalization 1 1 of an empty base", sign(t, strings.Replace(base, `xml:lang="vi"`, `xml:base=""`, 1), form3(t, strings.Replace(plain, `xml:lang="vi"`, `xml:base=""`, 1),
			dsig.MakeC14N11Canonicalizer(), crypto.SHA256, named(algC14N11))), "canonicalization-not-allowed"},
		{"inclusive canonicalization under a declaration of xml", sign(t, replace(t, base, "<edXMLHeader>", `<edXMLHeader xmlns:xml="`+nsXML+`">`), form{info: method(algC14N + `">`), signed: apex}), accepted},
		{"inclusive canonicalization of a declaration of xml", sign(t, base, form{info: func(s string) string {
			return replace(t, method(algC14N+`">`)(s), `<ds:SignatureMethod `, `<ds:SignatureMethod xmlns:xml="`+nsXML+`" `)
		}, signed: func(s string) string { return apex(replace(t, s, ` xmlns:xml="`+nsXML+`"`, "")) }}), accepted},
		{"the form of the national sample", sign(t, base, form{signed: apex, info: func(s string) string {
			content, err := base64.StdEncoding.DecodeString(pdf)
			if err != nil {
				t.Fatal(err)
			}
			s = method(algC14N + `">`)(named(algExcC14NAlias)(s))
			return replace(t, s, "</ds:SignedInfo>", `<ds:Reference URI="c1"><ds:DigestMethod Algorithm="`+algSHA256+`"></ds:DigestMethod><ds:DigestValue>`+
				sumOf(crypto.SHA256, content)+`</ds:DigestValue></ds:Reference></ds:SignedInfo>`)
		}}), accepted},
		{"inclusive canonicalization throughout", sign(t, base, form{digest: digestAs(t, plain, inclusive, crypto.SHA256), signed: apex, info: func(s string) string {
			return method(algC14N + `">`)(named(algC14N)(s))
		}}), accepted},
	}
}

// form3 signs a document in a canonical form by a digest.
func form3(t *testing.T, plain string, by dsig.Canonicalizer, kind crypto.Hash, change func(string) string) form {
	t.Helper()
	return form{digest: digestAs(t, plain, by, kind), info: change}
}

// partVectors have references to attachments beside the one to the document.
func partVectors(t *testing.T) []vector {
	base := pkg(pdf)
	content, err := base64.StdEncoding.DecodeString(pdf)
	if err != nil {
		t.Fatal(err)
	}
	ref := func(uri, transforms, alg, digest string) string {
		return `<ds:Reference URI="` + uri + `">` + transforms + `<ds:DigestMethod Algorithm="` + alg + `"></ds:DigestMethod>` +
			`<ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference>`
	}
	decoding := func(alg string) string {
		return `<ds:Transforms><ds:Transform Algorithm="` + alg + `"></ds:Transform></ds:Transforms>`
	}
	decoded, text := sumOf(crypto.SHA256, content), sumOf(crypto.SHA256, []byte(pdf))
	with := func(refs ...string) string { return sign(t, base, form{refs: strings.Join(refs, "")}) }
	folded := replace(t, base, pdf, pdf[:40]+"\n"+pdf[40:])
	return []vector{
		{"attachment by cid", with(ref("cid:c1", "", algSHA256, decoded)), accepted},
		{"attachment by its bare identifier", with(ref("c1", "", algSHA256, decoded)), accepted},
		{"attachment by its base64", with(ref("cid:c1", "", algSHA256, text)), accepted},
		{"attachment through the base64 transform", with(ref("cid:c1", decoding(algBase64), algSHA256, decoded)), accepted},
		{"attachment by sha512", with(ref("cid:c1", "", algSHA512, sumOf(crypto.SHA512, content))), accepted},
		{"attachment in folded base64", sign(t, folded, form{refs: ref("c1", "", algSHA256, decoded)}), accepted},
		{"attachment by its folded base64", sign(t, folded, form{refs: ref("c1", "", algSHA256, sumOf(crypto.SHA256, []byte(pdf[:40]+"\n"+pdf[40:])))}), accepted},
		{"attachment and the document by sha512", sign(t, base, form3(t, strings.Replace(base, here, "", 1), exclusiveForm(""), crypto.SHA512, func(s string) string {
			return replace(t, replace(t, s, algSHA256, algSHA512), "</ds:SignedInfo>", ref("c1", "", algSHA256, decoded)+"</ds:SignedInfo>")
		})), accepted},
		{"attachment of another digest", with(ref("cid:c1", "", algSHA256, sumOf(crypto.SHA256, []byte("else")))), "digest-mismatch"},
		{"attachment by its base64 through the transform", with(ref("cid:c1", decoding(algBase64), algSHA256, text)), "digest-mismatch"},
		{"attachment that is not there", with(ref("cid:c2", "", algSHA256, decoded)), "reference-not-allowed"},
		{"attachment twice", with(ref("cid:c1", "", algSHA256, decoded), ref("c1", "", algSHA256, decoded)), "extra-reference"},
		{"attachment through a canonicalization", with(ref("cid:c1", decoding(algExcC14N), algSHA256, decoded)), "transform-not-allowed"},
		{"attachment and no document", sign(t, base, form{info: func(s string) string {
			return s[:strings.Index(s, "<ds:Reference")] + ref("cid:c1", "", algSHA256, decoded) + "</ds:SignedInfo>"
		}}), "reference-not-allowed"},
	}
}

// pssVectors are signed by RSASSA-PSS or Ed25519.
func pssVectors(t *testing.T) []vector {
	base := pkg(pdf)
	ed := signer(t, "agency-ed25519")
	params := func(digest, mask, salt, trailer string) string {
		inner := ""
		if digest != "" {
			inner = `<ds:DigestMethod Algorithm="` + digest + `"></ds:DigestMethod>`
		}
		if mask != "" {
			inner += `<pss:MaskGenerationFunction Algorithm="` + algMGF1 + `"><ds:DigestMethod Algorithm="` + mask + `"></ds:DigestMethod></pss:MaskGenerationFunction>`
		}
		for _, p := range [][2]string{{"SaltLength", salt}, {"TrailerField", trailer}} {
			if p[1] != "" {
				inner += "<pss:" + p[0] + ">" + p[1] + "</pss:" + p[0] + ">"
			}
		}
		return `<pss:RSAPSSParams xmlns:pss="` + nsMore2007 + `">` + inner + `</pss:RSAPSSParams>`
	}
	// Signed by the method given, under the name that takes parameters.
	with := func(method, parameters string) string {
		return sign(t, base, form{method: method, info: changing(t, `<ds:SignatureMethod Algorithm="`+method+`">`,
			`<ds:SignatureMethod Algorithm="`+algRSAPSS+`">`+parameters)})
	}
	return []vector{
		{"rsa pss sha256", sign(t, base, form{method: algRSAPSSSHA256}), accepted},
		{"rsa pss sha384", sign(t, base, form{method: algRSAPSSSHA384}), accepted},
		{"rsa pss sha512", sign(t, base, form{method: algRSAPSSSHA512}), accepted},
		{"rsa pss without parameters", sign(t, base, form{method: algRSAPSS}), accepted},
		{"rsa pss with parameters", with(algRSAPSSSHA512, params(algSHA512, algSHA512, "64", "1")), accepted},
		{"rsa pss with a digest", with(algRSAPSSSHA384, params(algSHA384, "", "", "")), accepted},
		{"rsa pss with empty parameters", with(algRSAPSSSHA256, params("", "", "", "")), accepted},
		{"rsa pss with another salt", with(algRSAPSSSHA256, params(algSHA256, algSHA256, "20", "1")), "algorithm-not-allowed"},
		{"rsa pss with another trailer", with(algRSAPSSSHA256, params(algSHA256, algSHA256, "32", "2")), "algorithm-not-allowed"},
		{"rsa pss with another digest for the mask", with(algRSAPSSSHA256, params(algSHA256, algSHA512, "32", "1")), "algorithm-not-allowed"},
		{"rsa pss by sha1", with(algRSAPSSSHA256, params(algSHA1, "", "", "")), "sha1"},
		{"rsa pss with parameters in another order", with(algRSAPSSSHA256, strings.Replace(params(algSHA256, "", "32", ""),
			"</pss:RSAPSSParams>", `<ds:DigestMethod Algorithm="`+algSHA256+`"></ds:DigestMethod></pss:RSAPSSParams>`, 1)), "algorithm-not-allowed"},
		{"rsa pss under the name of pkcs 1", sign(t, base, form{method: algRSAPSSSHA256, info: changing(t, algRSAPSSSHA256, algRSASHA256)}), "signature-mismatch"},
		{"rsa pkcs 1 under the name of pss", sign(t, base, form{info: changing(t, algRSASHA256, algRSAPSSSHA256)}), "signature-mismatch"},
		{"rsa pss with an ecdsa key", sign(t, base, form{by: signer(t, "agency-p256"), info: changing(t, algECDSASHA256, algRSAPSSSHA256)}), "key-mismatch"},
		{"ed25519", sign(t, base, form{by: ed}), accepted},
		{"ed25519 too long", sign(t, base, form{by: ed, value: func(v []byte) []byte { return append(v, 0) }}), "signature-mismatch"},
		{"ed25519 with the order added", sign(t, base, form{by: ed, value: func(v []byte) []byte { v[63] |= 0x20; return v }}), "signature-mismatch"},
		{"ed25519 with an rsa key", sign(t, base, form{info: changing(t, algRSASHA256, algEd25519)}), "key-mismatch"},
		{"rsa with an ed25519 key", sign(t, base, form{by: ed, info: changing(t, algEd25519, algRSASHA256)}), "key-mismatch"},
	}
}
