package schemas_test

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

const example = "../testdata/evidence-example.xml"

// acknowledgement is the one inside the example, as its recipient signed it.
func acknowledgement(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`<erds:TransactionLog>([A-Za-z0-9+/=]+)</erds:TransactionLog>`).FindStringSubmatch(read(t, example))
	if m == nil {
		t.Fatal("the example holds no acknowledgement")
	}
	b, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cut returns doc without what the expression matches.
func cut(t *testing.T, doc, expression string) string {
	t.Helper()
	return edit(t, doc, regexp.MustCompile(expression).FindString(doc), "")
}

func TestEvidenceInItsForms(t *testing.T) {
	l := newLinter(t)
	doc := read(t, example)
	ack := acknowledgement(t)
	sender := regexp.MustCompile(`(?s)<erds:SenderDetails>(.*)</erds:SenderDetails>`).FindStringSubmatch(doc)[1]
	const issuerEnd = "</erds:EvidenceIssuerDetails>"

	for name, form := range map[string]string{
		"the example":                      doc,
		"not yet sealed":                   cut(t, doc, `(?s)<ds:Signature .*</ds:Signature>`),
		"with a time-stamp":                edit(t, doc, "</xades:QualifyingProperties>", `<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><xades:EncapsulatedTimeStamp>MAA=</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>`),
		"an acknowledgement as an element": edit(t, doc, "<erds:TransactionLog>sha-256", "<erds:TransactionLog>"+ack+"</erds:TransactionLog><erds:TransactionLog>sha-256"),
		"about one recipient":              edit(t, doc, "<erds:MessageIdentifier>", "<erds:EvidenceRefersToRecipient>2</erds:EvidenceRefersToRecipient><erds:MessageIdentifier>"),
		"handed in by another system":      edit(t, doc, "</erds:SenderDetails>", "</erds:SenderDetails><erds:SenderDelegateDetails>"+sender+"</erds:SenderDelegateDetails>"),
		"fetched by another system":        edit(t, doc, "<erds:SubmissionTime>", `<erds:RecipientsDelegateDetails><erds:Identifier IdentifierSchemeName="system">s</erds:Identifier><erds:DelegatingRecipients>1 2</erds:DelegatingRecipients></erds:RecipientsDelegateDetails><erds:SubmissionTime>`),
		"nobody known as recipient":        edit(t, cut(t, doc, `(?s)<erds:RecipientDetails>.*</erds:RecipientDetails>`), "<erds:SubmissionTime>", "<erds:RecipientDetails></erds:RecipientDetails><erds:SubmissionTime>"),
		"issuer's certificate":             edit(t, doc, issuerEnd, `<erds:CertificateDetails><erds:X509Certificate>MAA=</erds:X509Certificate><erds:CertID><xades:CertDigest xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"><ds:DigestMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="urn:x"/><ds:DigestValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#">MAA=</ds:DigestValue></xades:CertDigest></erds:CertID></erds:CertificateDetails>`+issuerEnd),
		"level of assurance, global":       edit(t, doc, "</erds:SenderDetails>", `<erds:AssuranceLevelsDetails><erds:GlobalAssuranceLevel>substantial</erds:GlobalAssuranceLevel><erds:AuthenticationDetails><erds:AuthenticationTime>2026-11-20T02:20:35Z</erds:AuthenticationTime><erds:AuthenticationMethod>urn:x:mtls</erds:AuthenticationMethod></erds:AuthenticationDetails></erds:AssuranceLevelsDetails></erds:SenderDetails>`),
		"relayed to another hub":           edit(t, doc, "<erds:TransactionLogInformation>", `<erds:ExternalERDSDetails><erds:Identity><saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Name="urn:x"/></erds:Identity></erds:ExternalERDSDetails><erds:ForwardedToExternalSystem>axis</erds:ForwardedToExternalSystem><erds:TransactionLogInformation>`),
		"with an extension":                edit(t, doc, "</erds:TransactionLogInformation>", `</erds:TransactionLogInformation><erds:Extensions><erds:Extension isCritical="false"><x xmlns="urn:x"/></erds:Extension></erds:Extensions>`),
		"without what is optional":         cut(t, cut(t, cut(t, cut(t, cut(t, doc, `(?s)<erds:EventReasons>.*</erds:EventReasons>`), `(?s)<erds:EvidenceIssuerPolicyID>.*</erds:EvidenceIssuerPolicyID>`), `<erds:SubmissionTime>.*</erds:SubmissionTime>`), `(?s)<erds:MessageIdentifier>.*</erds:UserContentInfo>`), `(?s)<erds:TransactionLogInformation>.*</erds:TransactionLogInformation>`),
		"a part known by name only":        cut(t, doc, `(?s)<ds:DigestMethod .*?</ds:DigestValue>`),
	} {
		t.Run(name, func(t *testing.T) { l.valid(t, "evidence.xsd", form) })
	}
}

// TestRevocationInReceipts: what receipts say of revocation has a form, though
// TransactionLog may hold anything.
func TestRevocationInReceipts(t *testing.T) {
	l := newLinter(t)
	doc := read(t, "../testdata/receipts/revocation-established-revoked.xml")
	l.valid(t, "evidence.xsd", doc)
	for name, c := range map[string]struct{ old, fresh, want string }{
		"a state that there is not":       {"<t:State>unknown</t:State>", "<t:State>perhaps</t:State>", "enumeration"},
		"no time of asking":               {"<t:CheckedAt>2026-11-20T02:20:36.120Z</t:CheckedAt>", "", "CheckedAt"},
		"a time that is none":             {"<t:RevokedAt>2026-11-18T02:20:36.120Z", "<t:RevokedAt>yesterday", "dateTime"},
		"an element beside":               {"<t:State>revoked</t:State>", "<t:State>revoked</t:State><t:Perhaps/>", "not expected"},
		"matched by what nobody knows of": {"<t:Matched>registered", "<t:Matched>guessed", "enumeration"},
	} {
		t.Run(name, func(t *testing.T) { l.invalid(t, "evidence.xsd", edit(t, doc, c.old, c.fresh), c.want) })
	}
}

func TestEvidenceRefused(t *testing.T) {
	l := newLinter(t)
	doc := read(t, example)
	eventTime := regexp.MustCompile(`<erds:EventTime>.*</erds:EventTime>`).FindString(doc)

	for name, c := range map[string]struct{ doc, reason string }{
		"no version":                      {edit(t, doc, ` version="EN319522v1.1.1"`, ""), "attribute 'version' is required"},
		"another version":                 {edit(t, doc, "EN319522v1.1.1", "EN319522v2.1.1"), "does not match the fixed value constraint"},
		"another namespace":               {strings.ReplaceAll(doc, "http://uri.etsi.org/19522/v1#", "http://uri.etsi.org/02640/v2#"), "No matching global declaration"},
		"time before the event":           {edit(t, edit(t, doc, eventTime, ""), "<erds:ERDSEventId>", eventTime+"<erds:ERDSEventId>"), "EventTime': This element is not expected"},
		"no time of the event":            {edit(t, doc, eventTime, ""), "Expected is ( {http://uri.etsi.org/19522/v1#}EventTime )"},
		"a time in words":                 {edit(t, doc, eventTime, "<erds:EventTime>today</erds:EventTime>"), "'today' is not a valid value of the atomic type 'xs:dateTime'"},
		"no identifier":                   {cut(t, doc, `<erds:EvidenceIdentifier>.*</erds:EvidenceIdentifier>`), "Expected is ( {http://uri.etsi.org/19522/v1#}EvidenceIdentifier )"},
		"an empty event":                  {edit(t, doc, "http://uri.etsi.org/19522/Event/SubmissionAcceptance", ""), "facet 'minLength'"},
		"no sender":                       {cut(t, doc, `(?s)<erds:SenderDetails>.*</erds:SenderDetails>`), "Expected is ( {http://uri.etsi.org/19522/v1#}SenderDetails )"},
		"no recipient":                    {cut(t, doc, `(?s)<erds:RecipientDetails>.*</erds:RecipientDetails>`), "SubmissionTime': This element is not expected"},
		"issuer without identity":         {cut(t, doc, `(?s)<erds:Identity>.*?</erds:Identity>`), "Missing child element(s)"},
		"identity without attributes":     {cut(t, doc, `(?s)<saml:Attribute .*?</saml:Attribute>\s*<saml:Attribute .*?</saml:Attribute>`), "Missing child element(s)"},
		"attribute without a name":        {cut(t, doc, ` Name="[^"]*"`), "attribute 'Name' is required"},
		"identifier without its scheme":   {cut(t, doc, ` IdentifierSchemeName="[^"]*"`), "attribute 'IdentifierSchemeName' is required"},
		"an empty identifier":             {edit(t, doc, ">H12.07</erds:Identifier>", "></erds:Identifier>"), "facet 'minLength'"},
		"identifier before identity":      {edit(t, doc, "<erds:SenderDetails>", `<erds:SenderDetails><erds:Identifier IdentifierSchemeName="x">y</erds:Identifier>`), "Identity': This element is not expected"},
		"recipient number nought":         {edit(t, doc, "<erds:MessageIdentifier>", "<erds:EvidenceRefersToRecipient>0</erds:EvidenceRefersToRecipient><erds:MessageIdentifier>"), "facet 'minInclusive'"},
		"content without parts":           {cut(t, doc, `(?s)<erds:PartsInfo>.*</erds:PartsInfo>`), "Missing child element(s)"},
		"a digest cut off":                {edit(t, doc, "=</ds:DigestValue>", "</ds:DigestValue>"), "xs:base64Binary"},
		"an empty transaction log":        {cut(t, doc, `(?s)<erds:TransactionLog>.*</erds:TransactionLog>`), "Missing child element(s)"},
		"an element of our own":           {edit(t, doc, "<erds:UserContentInfo>", `<t:Note xmlns:t="urn:tram:1"/><erds:UserContentInfo>`), "Note': This element is not expected"},
		"signature before the end":        {edit(t, doc, "<erds:TransactionLogInformation>", regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`).FindString(doc)+"<erds:TransactionLogInformation>"), "TransactionLogInformation': This element is not expected"},
		"two signatures":                  {edit(t, doc, "</erds:Evidence>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></erds:Evidence>`), "Signature': This element is not expected"},
		"signed properties, no target":    {cut(t, doc, ` Target="[^"]*"`), "attribute 'Target' is required"},
		"signing time after certificate":  {edit(t, cut(t, doc, `<xades:SigningTime>.*</xades:SigningTime>`), "</xades:SigningCertificateV2>", "</xades:SigningCertificateV2><xades:SigningTime>2026-11-20T02:20:36Z</xades:SigningTime>"), "SigningTime': This element is not expected"},
		"the same Id twice":               {edit(t, doc, `Id="e-1"`, `Id="s-e1"`), "xs:ID"},
		"a property that no receipt uses": {edit(t, doc, "</xades:SigningCertificateV2>", "</xades:SigningCertificateV2><xades:SignerRole/>"), "SignerRole': This element is not expected"},
	} {
		t.Run(name, func(t *testing.T) { l.invalid(t, "evidence.xsd", c.doc, c.reason) })
	}
}

func TestAcknowledgementInItsForms(t *testing.T) {
	l := newLinter(t)
	doc := acknowledgement(t)
	for name, form := range map[string]string{
		"as signed":                 doc,
		"not yet signed":            cut(t, doc, `<ds:Signature .*</ds:Signature>`),
		"refused, with a reason":    edit(t, edit(t, doc, ">accepted<", ">refused<"), "<ack:Time>", "<ack:Reason>gửi nhầm cơ quan</ack:Reason><ack:Time>"),
		"time with an offset":       edit(t, doc, "02:25:10Z</ack:Time>", "09:25:10.250+07:00</ack:Time>"),
		"default namespace":         strings.NewReplacer("<ack:", "<", "</ack:", "</", "xmlns:ack=", "xmlns=").Replace(cut(t, doc, `<ds:Signature .*</ds:Signature>`)),
		"about a status":            cut(t, doc, `<ack:DocumentId>.*</ack:DocumentId>`),
		"old form of a code":        edit(t, doc, ">H12.07<", ">000.00.07.H12<"),
		"signed with plain KeyInfo": cut(t, cut(t, doc, `<ds:KeyInfo>.*</ds:KeyInfo>`), `<ds:Object>.*</ds:Object>`),
	} {
		t.Run(name, func(t *testing.T) { l.valid(t, "acknowledgement.xsd", form) })
	}
}

func TestAcknowledgementRefused(t *testing.T) {
	l := newLinter(t)
	doc := acknowledgement(t)
	for name, c := range map[string]struct{ doc, reason string }{
		"no version":                  {edit(t, doc, ` version="1"`, ""), "attribute 'version' is required"},
		"version 2":                   {edit(t, doc, ` version="1"`, ` version="2"`), "does not match the fixed value constraint"},
		"another namespace":           {strings.ReplaceAll(doc, "urn:tram:acknowledgement:1", "urn:tram:acknowledgement:2"), "No matching global declaration"},
		"an outcome not known":        {edit(t, doc, ">accepted<", ">received<"), "'received' is not an element of the set"},
		"two outcomes":                {edit(t, doc, "<ack:Time>", "<ack:Outcome>refused</ack:Outcome><ack:Time>"), "Outcome': This element is not expected"},
		"sender after recipient":      {edit(t, edit(t, doc, "<ack:Sender>H12.07</ack:Sender>", ""), "</ack:Recipient>", "</ack:Recipient><ack:Sender>H12.07</ack:Sender>"), "Recipient': This element is not expected"},
		"no package":                  {cut(t, doc, `<ack:PackageIdentifier>.*</ack:PackageIdentifier>`), "Expected is ( {urn:tram:acknowledgement:1}PackageIdentifier )"},
		"an empty document":           {edit(t, doc, regexp.MustCompile(`<ack:DocumentId>[^<]*`).FindString(doc), "<ack:DocumentId>"), "facet 'minLength'"},
		"an empty package":            {edit(t, doc, regexp.MustCompile(`<ack:PackageIdentifier>[^<]*`).FindString(doc), "<ack:PackageIdentifier> "), "facet 'minLength'"},
		"another digest algorithm":    {edit(t, doc, `<ack:PackageDigest Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"`, `<ack:PackageDigest Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"`), "does not match the fixed value constraint"},
		"a digest too short":          {edit(t, doc, regexp.MustCompile(`>[^<]*</ack:PackageDigest>`).FindString(doc), ">MAA=</ack:PackageDigest>"), "facet 'length'"},
		"a code with a space":         {edit(t, doc, ">H12.07<", ">H12 07<"), "facet 'pattern'"},
		"a code of 36 characters":     {edit(t, doc, ">H12.07<", ">H12."+strings.Repeat("0", 32)+"<"), "facet 'maxLength'"},
		"an empty reason":             {edit(t, doc, "<ack:Time>", "<ack:Reason/><ack:Time>"), "facet 'minLength'"},
		"a local time":                {edit(t, doc, "02:25:10Z</ack:Time>", "02:25:10</ack:Time>"), "facet 'pattern'"},
		"no time":                     {cut(t, doc, `<ack:Time>.*</ack:Time>`), "Expected is one of ( {urn:tram:acknowledgement:1}Reason, {urn:tram:acknowledgement:1}Time )"},
		"something after the signing": {edit(t, doc, "</ack:Acknowledgement>", `<ack:Note>x</ack:Note></ack:Acknowledgement>`), "Note': This element is not expected"},
		"a broken XAdES property":     {edit(t, doc, "<xades:SigningTime>", "<xades:SigningTime>at "), "xs:dateTime"},
	} {
		t.Run(name, func(t *testing.T) { l.invalid(t, "acknowledgement.xsd", c.doc, c.reason) })
	}
}
