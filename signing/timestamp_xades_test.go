package signing

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// sealedBy is a document sealed by a party of the vectors.
func sealedBy(t testing.TB, document string) []byte {
	t.Helper()
	p := signer(t, "agency-p256")
	sealer, err := NewSealer(p.key, []*x509.Certificate{p.cert})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealer.Seal([]byte(document), judgedAt)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// stampFor is a token by the tests' authority over a document's signature.
func stampFor(t testing.TB, document []byte) []byte {
	t.Helper()
	d, err := Read(bytes.NewReader(document), inHeader())
	if err != nil {
		t.Fatal(err)
	}
	return stamperOf().newToken(d.Signature.Stamped).write()
}

// TestTimeStampComesOffAgain: for any document, taking the time-stamp off gives
// back what it was put on, byte for byte.
func TestTimeStampComesOffAgain(t *testing.T) {
	random := rand.New(rand.NewPCG(3161, 5652)) //nolint:gosec // repeats
	for range 40 {
		var text []byte
		for range random.IntN(300) {
			text = AppendText(text, string(rune(" <>&\r\n\"'ạ₫𝒳"[random.IntN(8)])))
		}
		root := fmt.Sprintf("r%d", random.IntN(3))
		sealed := sealedBy(t, "<"+root+"><a>"+string(text)+"</a></"+root+">")
		token := stampFor(t, sealed)
		stamped, err := AddTimeStamp(sealed, token)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Read(bytes.NewReader(stamped), Options{})
		if err != nil || len(d.Signature.TimeStamps) != 1 || !bytes.Equal(d.Signature.TimeStamps[0], token) {
			t.Fatalf("%v, %d time-stamps", err, len(d.Signature.TimeStamps))
		}
		if said, err := stamperOf().trust(t).CheckTimeStamp(token, d.Signature.Stamped); err != nil || !said.Time.Equal(stampedAt) {
			t.Fatalf("%+v, %v", said, err)
		}
		if off, its := WithoutTimeStamp(stamped); !bytes.Equal(off, sealed) || !bytes.Equal(its, token) {
			t.Fatalf("taking it off gives\n%s\nnot\n%s", off, sealed)
		}
		if off, its := WithoutTimeStamp(sealed); !bytes.Equal(off, sealed) || its != nil {
			t.Fatal("a document without a time-stamp is changed")
		}
		if _, err := AddTimeStamp(stamped, token); !errors.Is(err, ErrNotSealed) {
			t.Fatalf("a second time-stamp: %v", err)
		}
	}
}

func TestAddTimeStampRefuses(t *testing.T) {
	sealed := sealedBy(t, "<a></a>")
	other := sealedBy(t, "<b></b>")
	for _, c := range []struct {
		name     string
		document []byte
		token    []byte
		want     string
	}{
		{"of another signature", sealed, stampFor(t, other), "timestamp-imprint"},
		{"no token", sealed, nil, "signature-base64"},
		{"no time-stamp", sealed, []byte("time"), "timestamp-form"},
		{"not sealed", []byte("<a></a>"), stampFor(t, other), ErrNotSealed.Error()},
		{"not whole", sealed[:len(sealed)-1], stampFor(t, other), ErrNotSealed.Error()},
		{"signed in another way", []byte(sign(t, pkg(pdf), form{})), stampFor(t, other), ErrNotSealed.Error()},
		{"changed since", bytes.Replace(sealed, []byte("<a>"), []byte("<a>x"), 1), stampFor(t, sealed), "digest-mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := AddTimeStamp(c.document, c.token); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// stampElement is a SignatureTimeStamp as others write it.
func stampElement(token []byte) string {
	return `<xades:SignatureTimeStamp Id="ts"><ds:CanonicalizationMethod Algorithm="` + algExcC14N + `"/>` +
		`<xades:EncapsulatedTimeStamp Encoding="` + encodingDER + `">` + base64.StdEncoding.EncodeToString(token) + `</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>`
}

func unsignedElement(stamps string) string {
	return `<xades:UnsignedProperties><xades:UnsignedSignatureProperties>` + stamps + `</xades:UnsignedSignatureProperties></xades:UnsignedProperties>`
}

// stampVectors are packages with time-stamps, for clients. Their authority is
// keys/tsa.pem.
func stampVectors(t *testing.T) []vector {
	signed := sign(t, pkg(pdf), xadesForm(t, propertiesText(signer(t, "agency-rsa").cert, claimedTime)))
	with := func(token []byte) string {
		return replace(t, signed, "</xades:QualifyingProperties>", unsignedElement(stampElement(token))+"</xades:QualifyingProperties>")
	}
	d, err := Read(strings.NewReader(signed), inHeader())
	if err != nil {
		t.Fatal(err)
	}
	token := vectorStamper(t).newToken(d.Signature.Stamped).write()
	return []vector{
		{"xades b-t", with(token), accepted},
		{"xades b-t of another signature", with(vectorStamper(t).newToken(stampedData).write()), "timestamp-imprint"},
		{"xades b-t with bytes behind its token", with(append(token, 0)), "timestamp-form"},
	}
}

// TestUnsignedPropertiesAreClosed: in an agency's package nothing that nobody
// signed gets in but time-stamps of the one form.
func TestUnsignedPropertiesAreClosed(t *testing.T) {
	properties := propertiesText(signer(t, "agency-rsa").cert, claimedTime)
	signed := sign(t, pkg(pdf), xadesForm(t, properties))
	token, other := stampFor(t, []byte(signed)), stampFor(t, sealedBy(t, "<a></a>"))
	good := stampElement(token)
	many := func(n int) (all string) {
		for i := range n {
			all += strings.Replace(good, `"ts"`, fmt.Sprintf(`"ts%d"`, i), 1)
		}
		return all
	}
	with := func(unsigned string) string {
		return replace(t, signed, "</xades:QualifyingProperties>", unsigned+"</xades:QualifyingProperties>")
	}
	altered := func(old, with_ string) string { return with(unsignedElement(replace(t, good, old, with_))) }
	for _, c := range []struct {
		name, document, want string
	}{
		{"a time-stamp", with(unsignedElement(good)), accepted},
		{"four time-stamps", with(unsignedElement(many(4))), accepted},
		{"in lines of 64", with(unsignedElement(replace(t, good, "#DER\">MI", "#DER\">M\n I"))), accepted},
		{"without its encoding", altered(` Encoding="`+encodingDER+`"`, ""), accepted},
		{"five time-stamps", with(unsignedElement(many(5))), "unsigned-properties"},
		{"of another signature", with(unsignedElement(stampElement(other))), "timestamp-imprint"},
		{"no token", with(unsignedElement(stampElement([]byte("noise")))), "timestamp-form"},
		{"a token with noise behind it", with(unsignedElement(stampElement(append(bytes.Clone(token), 0)))), "timestamp-form"},
		{"empty", with(unsignedElement("")), "unsigned-properties"},
		{"empty, of one element", with("<xades:UnsignedProperties/>"), "unsigned-properties"},
		{"another property", with(unsignedElement(good + "<xades:CertificateValues/>")), "unsigned-properties"},
		{"another property in front", with(unsignedElement("<xades:CounterSignature/>" + good)), "unsigned-properties"},
		{"properties of data objects", with(replace(t, unsignedElement(good), "</xades:UnsignedProperties>", "<xades:UnsignedDataObjectProperties/></xades:UnsignedProperties>")), "unsigned-properties"},
		{"unsigned properties twice", with(unsignedElement(good) + unsignedElement(strings.Replace(good, `"ts"`, `"ts2"`, 1))), "unsigned-object"},
		{"before the signed ones", replace(t, signed, properties, unsignedElement(good)+properties), "unsigned-object"},
		{"text between", with(unsignedElement("text" + good)), "signature-structure"},
		{"text in it", altered("<ds:CanonicalizationMethod", "text<ds:CanonicalizationMethod"), "signature-structure"},
		{"an element in the token", altered("</xades:EncapsulatedTimeStamp>", "<x/></xades:EncapsulatedTimeStamp>"), "signature-structure"},
		{"an attribute", altered(`Id="ts"`, `Id="ts" note="x"`), "signature-structure"},
		{"another identifier twice", altered(`Id="ts"`, `Id="sp"`), "duplicate-id"},
		{"two tokens in one", altered("</xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp><xades:EncapsulatedTimeStamp>"+base64.StdEncoding.EncodeToString(token)+"</xades:EncapsulatedTimeStamp>"), "unsigned-properties"},
		{"no canonicalisation named", altered(`<ds:CanonicalizationMethod Algorithm="`+algExcC14N+`"/>`, ""), "unsigned-properties"},
		{"inclusive canonicalisation", altered(algExcC14N, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), "canonicalization-not-allowed"},
		{"a list of prefixes", altered(`Algorithm="`+algExcC14N+`"/>`, `Algorithm="`+algExcC14N+`"><ec:InclusiveNamespaces xmlns:ec="`+algExcC14N+`" PrefixList="xades"/></ds:CanonicalizationMethod>`), "canonicalization-not-allowed"},
		{"another encoding", altered("#DER", "#BER"), "unsigned-properties"},
		{"not base64", altered("DER\">MI", "DER\">*I"), "signature-base64"},
		{"an include of other data", altered("<ds:Canonicalization", `<xades:Include URI="#x"/><ds:Canonicalization`), "unsigned-properties"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Read(strings.NewReader(c.document), inHeader())
			if got := outcome(err); got != c.want {
				t.Fatalf("%s (%v), want %s", got, err, c.want)
			}
			var refusal *Error
			if errors.As(err, &refusal) && (refusal.Line == 0 || refusal.Path == "") {
				t.Errorf("%v does not say where", err)
			}
			if err == nil && len(d.Signature.TimeStamps) == 0 {
				t.Error("no time-stamp is handed out")
			}
		})
	}
}

// TestStampedDataIsCanonical compares with the library's canonical form, for the
// prefixes and forms in which a SignatureValue may come.
func TestStampedDataIsCanonical(t *testing.T) {
	signed := sign(t, pkg(pdf), form{id: "sig"})
	value := valuePattern.FindString(signed)
	text := value[len("<ds:SignatureValue>") : len(value)-len("</ds:SignatureValue>")]
	for name, written := range map[string]string{
		"as written":       value,
		"another prefix":   `<q:SignatureValue xmlns:q="` + nsDS + `">` + text + `</q:SignatureValue>`,
		"no prefix":        `<SignatureValue xmlns="` + nsDS + `">` + text + `</SignatureValue>`,
		"an identifier":    `<ds:SignatureValue xmlns:x="urn:x" Id='v"&#9;1'>` + text + `</ds:SignatureValue>`,
		"lines":            `<ds:SignatureValue>` + text[:10] + "\r\n\t" + text[10:] + "&#13;\n</ds:SignatureValue>",
		"a CDATA section":  `<ds:SignatureValue><![CDATA[` + text + `]]></ds:SignatureValue>`,
		"character number": `<ds:SignatureValue>` + fmt.Sprintf("&#%d;", text[0]) + text[1:] + `</ds:SignatureValue>`,
	} {
		t.Run(name, func(t *testing.T) {
			document := replace(t, signed, value, written)
			d, err := Read(strings.NewReader(document), inHeader())
			if err != nil {
				t.Fatal(err)
			}
			doc := etree.NewDocument()
			if err := doc.ReadFromString(strings.ReplaceAll(document, "\r\n", "\n")); err != nil {
				t.Fatal(err)
			}
			el := doc.FindElement("//SignatureValue")
			alone := el.Copy()
			if alone.Space != "" && alone.SelectAttr("xmlns:"+alone.Space) == nil {
				alone.CreateAttr("xmlns:"+alone.Space, nsDS)
			}
			want, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(alone)
			if err != nil {
				t.Fatal(err)
			}
			if string(d.Signature.Stamped) != string(want) {
				t.Errorf("got  %s\nwant %s", d.Signature.Stamped, want)
			}
		})
	}
}
