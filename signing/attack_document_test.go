package signing

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// edited returns a function that changes a signed package.
func edited(t *testing.T) (string, func(old, with string) string) {
	t.Helper()
	signed := sign(t, pkg(pdf), form{})
	return signed, func(old, with string) string {
		t.Helper()
		return replace(t, signed, old, with)
	}
}

// markupVectors are documents that lenient readers take and others do not.
func markupVectors(t *testing.T) []vector {
	signed, edit := edited(t)
	const declaration = `<?xml version="1.0" encoding="utf-8"?>`
	doctype := func(d string) string { return edit(declaration, declaration+d) }
	declared := func(d string) string { return edit(declaration, d) }
	return []vector{
		{"billion laughs", strings.Replace(doctype(`<!DOCTYPE edXML [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`), "<OrganId>H12.07", "<OrganId>&c;", 1), "doctype"},
		{"external entity", strings.Replace(doctype(`<!DOCTYPE edXML [<!ENTITY x SYSTEM "file:///etc/hostname">]>`), "<OrganId>H12.07", "<OrganId>&x;", 1), "doctype"},
		{"external document type", doctype(`<!DOCTYPE edXML SYSTEM "http://127.0.0.1/x.dtd">`), "doctype"},
		{"parameter entity", doctype(`<!DOCTYPE edXML [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]>`), "doctype"},
		{"attribute default by document type", doctype(`<!DOCTYPE edXML [<!ATTLIST Paper role CDATA "admin">]>`), "doctype"},
		{"unused document type", doctype(`<!DOCTYPE edXML>`), "doctype"},
		{"document type in small letters", doctype(`<!doctype edXML>`), "doctype"},
		{"document type inside the root", edit("<MessageHeader>", "<!DOCTYPE x><MessageHeader>"), "doctype"},
		{"document type after the root", signed + "<!DOCTYPE edXML>", "doctype"},
		{"entity declaration inside the root", edit("<MessageHeader>", `<!ENTITY x "y"><MessageHeader>`), "bad-markup"},
		{"conditional section", edit("<MessageHeader>", `<![INCLUDE[x]]><MessageHeader>`), "bad-markup"},
		{"unknown declaration", edit("<MessageHeader>", `<!X><MessageHeader>`), "bad-markup"},
		{"cdata before the root", doctype(`<![CDATA[ ]]>`), "bad-markup"},
		{"undefined entity", edit("H12.12", "&nbsp;"), "invalid-reference"},
		{"bare ampersand", edit("H12.12", "A & B"), "invalid-reference"},
		{"reference without an end", edit("H12.12", "&#65"), "invalid-reference"},
		{"reference with a capital x", edit("H12.12", "&#X41;"), "invalid-reference"},
		{"reference with a sign", edit("H12.12", "&#+65;"), "invalid-reference"},
		{"reference in an attribute to nothing", edit(`id="trace-1"`, `id="&x;"`), "invalid-reference"},
		{"comment splitting text", edit("H12.12", "H12<!---->.12"), "comment"},
		{"comment before the root", edit("<edXML ", "<!-- x --><edXML "), "comment"},
		{"comment after the root", signed + "<!-- x -->", "comment"},
		{"processing instruction in text", edit("H12.12", "H12<?x?>.12"), "processing-instruction"},
		{"processing instruction before the root", edit("<edXML ", "<?xml-stylesheet href='x'?><edXML "), "processing-instruction"},
		{"processing instruction after the root", signed + "<?x?>", "processing-instruction"},
		{"xml declaration inside", edit("<MessageHeader>", declaration+"<MessageHeader>"), "processing-instruction"},
		{"xml declaration after white space", " " + signed, "processing-instruction"},
		{"text before the root", edit("<edXML ", "x<edXML "), "text-outside-root"},
		{"text after the root", signed + "x", "text-outside-root"},
		{"reference after the root", signed + "&#32;", "text-outside-root"},
		{"second root", signed + "<edXML/>", "second-root"},
		{"end tag after the root", signed + "</edXML>", "second-root"},
		{"two documents", signed + signed, "processing-instruction"},
		{"cut in text", signed[:strings.Index(signed, "1250")], "truncated"},
		{"cut in a tag", signed[:strings.Index(signed, "ssageHeader")], "truncated"},
		{"cut in the signature", signed[:strings.Index(signed, "</ds:SignatureValue>")], "truncated"},
		{"cut before the last byte", strings.TrimRight(signed, "\n>"), "truncated"},
		{"cut in a cdata section", strings.SplitAfter(edit("H12.12", "<![CDATA[x"), "[CDATA[x")[0], "truncated"},
		{"nothing", "", "truncated"},
		{"only a declaration", declaration, "truncated"},
		{"only white space", "\n\n", "truncated"},
		{"not xml", "%PDF-1.7\n", "text-outside-root"},
		{"end of cdata in text", edit("H12.12", "H12]]>.12"), "cdata-end-in-text"},
		{"attribute without a value", edit(`id="trace-1"`, `id`), "bad-markup"},
		{"attribute without quotation marks", edit(`id="trace-1"`, `id=trace-1`), "bad-markup"},
		{"attributes without space between", edit(`id="trace-1"`, `id="trace-1"x="1"`), "bad-markup"},
		{"less than in an attribute", edit(`id="trace-1"`, `id="trace<1"`), "bad-markup"},
		{"less than in a tag", edit("<MessageHeader>", "<MessageHeader<x>"), "bad-markup"},
		{"slash in a tag", edit("<MessageHeader>", "<MessageHeader / >"), "bad-markup"},
		{"attribute in an end tag", edit("</MessageHeader>", `</MessageHeader a="1">`), "bad-markup"},
		{"space before a name", edit("<MessageHeader>", "< MessageHeader>"), "invalid-name"},
		{"name that begins with a digit", edit("<TraceHeaderList id", "<TraceHeaderList 1d"), "invalid-name"},
		{"name with a symbol", edit("<TraceHeaderList id", "<TraceHeaderList i×d"), "invalid-name"},
		{"wrong end tag", edit("</MessageHeader>", "</Messageheader>"), "mismatched-tag"},
		{"crossed tags", edit("</OrganName></From>", "</From></OrganName>"), "mismatched-tag"},
		{"same attribute twice", edit(`id="trace-1"`, `a="1" id="trace-1" a="1"`), "duplicate-attribute"},
		{"declaration without a version", declared(`<?xml encoding="utf-8"?>`), "xml-declaration"},
		{"declaration in another order", declared(`<?xml encoding="utf-8" version="1.0"?>`), "xml-declaration"},
		{"declaration of version 1.1", declared(`<?xml version="1.1" encoding="utf-8"?>`), "xml-declaration"},
		{"declaration with something more", declared(`<?xml version="1.0" encoding="utf-8" x="y"?>`), "xml-declaration"},
		{"declaration with a wrong standalone", declared(`<?xml version="1.0" encoding="utf-8" standalone="maybe"?>`), "xml-declaration"},
		{"declaration without space", declared(`<?xml version="1.0"encoding="utf-8"?>`), "xml-declaration"},
		{"declaration without an end", declared(`<?xml version="1.0" encoding="utf-8">`), "xml-declaration"},
	}
}

// namespaceVectors are forms that encoding/xml and others read differently
// (among them those of CVE-2020-29509, 29510 and 29511).
func namespaceVectors(t *testing.T) []vector {
	signed, edit := edited(t)
	element := func(x string) string { return edit("<MessageHeader>", x+"<MessageHeader>") }
	root := func(x string) string { return edit("<edXML ", "<edXML "+x+" ") }
	return []vector{
		{"undeclared prefix", element("<x:a/>"), "undeclared-prefix"},
		{"undeclared prefix of an attribute", element(`<a x:b=""/>`), "undeclared-prefix"},
		{"prefix out of scope", element(`<a xmlns:x="urn:x"/><x:a/>`), "undeclared-prefix"},
		{"xmlns as an elements prefix", element("<xmlns:a/>"), "undeclared-prefix"},
		{"two colons", element("<a:b:c/>"), "invalid-name"},
		{"double colon", element("<x::a/>"), "invalid-name"},
		{"colon first", element("<:a/>"), "invalid-name"},
		{"colon last", element("<a:/>"), "invalid-name"},
		{"colon first in an attribute", element(`<a b :="1"/>`), "bad-markup"},
		{"attribute named colon", element(`<a :="1"/>`), "invalid-name"},
		{"prefix undeclared again", root(`xmlns:a=""`), "namespace-declaration"},
		{"prefix xml bound to something", root(`xmlns:xml="urn:x"`), "namespace-declaration"},
		{"prefix xmlns bound", root(`xmlns:xmlns="urn:x"`), "namespace-declaration"},
		{"the xml namespace under another prefix", root(`xmlns:x="` + nsXML + `"`), "namespace-declaration"},
		{"the xml namespace as the default", element(`<a xmlns="` + nsXML + `"/>`), "namespace-declaration"},
		{"the xmlns namespace under a prefix", root(`xmlns:x="` + nsXMLNS + `"`), "namespace-declaration"},
		{"relative namespace", root(`xmlns:x="x"`), "relative-namespace"},
		{"namespace with an ampersand", root(`xmlns:x="urn:x?a=1&amp;b=2"`), "relative-namespace"},
		{"namespace with a space", root(`xmlns:x="urn:a b"`), "relative-namespace"},
		{"namespace with an accent", root(`xmlns:x="http://z/é"`), "relative-namespace"},
		{"namespace with a percent sign", root(`xmlns:x="urn:a%zz"`), "relative-namespace"},
		{"namespace with two fragments", root(`xmlns:x="urn:a#b#c"`), "relative-namespace"},
		{"namespace with a port that is none", root(`xmlns:x="http://a:b/"`), "relative-namespace"},
		{"namespace with an empty port", root(`xmlns:x="http://a:/"`), "relative-namespace"},
		{"namespace of one colon", root(`xmlns:a=":"`), "relative-namespace"},
		{"same prefix declared twice", root(`xmlns:x="urn:x" xmlns:x="urn:x"`), "duplicate-attribute"},
		{"default declared twice", root(`xmlns="urn:x"`), "duplicate-attribute"},
		{"same attribute by two prefixes", element(`<a xmlns:x="urn:x" xmlns:y="urn:x" x:b="1" y:b="2"/>`), "duplicate-attribute"},
		{"signature by another prefix", strings.NewReplacer("ds:Signature ", "sig:Signature ", "xmlns:ds=", "xmlns:sig=", "<ds:", "<sig:", "</ds:", "</sig:").Replace(signed), "signature-mismatch"},
		{"element moved to no namespace", edit("<Paper>", `<Paper xmlns="">`), "digest-mismatch"},
		{"element moved to another namespace", edit("<Paper>", `<Paper xmlns="urn:x">`), "digest-mismatch"},
		{"superfluous declarations", edit("<Paper>", `<Paper xmlns="`+nsQCVN+`" xmlns:unused="urn:x">`), accepted},
	}
}

// encodingVectors are bytes that are not plain UTF-8.
func encodingVectors(t *testing.T) []vector {
	signed, edit := edited(t)
	declared := func(e string) string { return edit(`encoding="utf-8"`, `encoding="`+e+`"`) }
	text := func(x string) string { return edit("H12.12", "H12"+x) }
	wide := func(big bool) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune("\uFEFF" + signed)) {
			if big {
				b.WriteByte(byte(u >> 8))
			}
			b.WriteByte(byte(u))
			if !big {
				b.WriteByte(byte(u >> 8))
			}
		}
		return b.String()
	}
	return []vector{
		{"utf-16 little endian", wide(false), "encoding"},
		{"utf-16 big endian", wide(true), "encoding"},
		{"utf-16 without a mark", wide(false)[2:], "encoding"},
		{"utf-16 big endian without a mark", wide(true)[2:], "encoding"},
		{"utf-32", "\x00\x00\xFE\xFF\x00\x00\x00<", "encoding"},
		{"ebcdic", "\x4C\x6F\xA7\x94\x93\x40", "encoding"},
		{"utf-7", "+ADw-edXML+AD4-", "text-outside-root"},
		{"utf-7 with a mark", "+/v8-+ADw-edXML+AD4-", "encoding"},
		{"declared as utf-7", declared("UTF-7"), "encoding"},
		{"declared as utf-16", declared("UTF-16"), "encoding"},
		{"declared as windows-1258", declared("windows-1258"), "encoding"},
		{"declared as ascii", declared("US-ASCII"), "encoding"},
		{"declared in capitals", declared("UTF-8"), accepted},
		{"latin 1 bytes", text("\xE9"), "invalid-character"},
		{"overlong slash", text("\xC0\xAF"), "invalid-character"},
		{"overlong less than", text("\xE0\x80\xBC"), "invalid-character"},
		{"surrogate in bytes", text("\xED\xA0\x80"), "invalid-character"},
		{"surrogate pair in bytes", text("\xED\xA0\xBD\xED\xB8\x80"), "invalid-character"},
		{"beyond unicode", text("\xF4\x90\x80\x80"), "invalid-character"},
		{"cut character", text("\xE1\xBB"), "invalid-character"},
		{"fffe", text("\uFFFE"), "invalid-character"},
		{"ffff", text("\uFFFF"), "invalid-character"},
		{"nul", text("\x00"), "invalid-character"},
		{"vertical tab", text("\x0B"), "invalid-character"},
		{"escape in an attribute", edit("trace-1", "trace\x1B1"), "invalid-character"},
		{"bad bytes in an attribute", edit("trace-1", "trace\xFF"), "invalid-character"},
		{"bad bytes in cdata", text("<![CDATA[\xE1\xBB]]>"), "invalid-character"},
		{"control in cdata", text("<![CDATA[a\x01]]>"), "invalid-character"},
		{"bad bytes in a name", edit("<Paper>0</Paper>", "<Pa\xFFper>0</Pa\xFFper>"), "invalid-name"},
		{"surrogate by number", text("&#xD800;"), "invalid-reference"},
		{"fffe by number", text("&#xFFFE;"), "invalid-reference"},
		{"nul by number", text("&#0;"), "invalid-reference"},
		{"control by number", text("&#27;"), "invalid-reference"},
		{"beyond unicode by number", text("&#x110000;"), "invalid-reference"},
		{"number too large for anything", text("&#99999999999;"), "invalid-reference"},
		{"byte order mark twice", "\xEF\xBB\xBF\xEF\xBB\xBF" + signed, "text-outside-root"},
	}
}

// changeVectors were changed after signing.
func changeVectors(t *testing.T) []vector {
	_, edit := edited(t)
	inAttribute := sign(t, replace(t, pkg(pdf), "<Paper>", `<Paper to="A&#10;B">`), form{})
	return []vector{
		{"recipient changed", edit("H12.12", "H12.13"), "digest-mismatch"},
		{"recipient added", edit("<Code>", "<To><OrganId>H99</OrganId></To><Code>"), "digest-mismatch"},
		{"attachment changed", edit("JVBERi0x", "JVBERi0y"), "digest-mismatch"},
		{"trace added by an intermediary", edit("</TraceHeader>", "</TraceHeader><TraceHeader><OrganId>H12</OrganId></TraceHeader>"), "digest-mismatch"},
		{"white space added", edit("<MessageHeader>", "<MessageHeader> "), "digest-mismatch"},
		{"white space around the signature", edit("</ds:Signature>", "</ds:Signature> "), "digest-mismatch"},
		{"line feed in an attribute written out", replace(t, inAttribute, "&#10;", "\n"), "digest-mismatch"},
		{"attribute added", edit("<Paper>", `<Paper role="admin">`), "digest-mismatch"},
		{"attribute duplicated in front", edit(`id="trace-1"`, `id="EVIL" id="trace-1"`), "duplicate-attribute"},
		{"signed digest changed", edit("<ds:DigestValue>", "<ds:DigestValue>\n"), "signature-mismatch"},
	}
}
