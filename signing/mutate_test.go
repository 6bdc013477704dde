package signing

import (
	"math/rand/v2"
	"regexp"
	"strings"
)

// A mutator changes signed documents: as bytes, as markup, and as someone would
// who wants another document taken for the signed one.
type mutator struct {
	*rand.Rand
	others []string // documents to take pieces from
}

func (m mutator) pick(of ...string) string { return of[m.IntN(len(of))] }

// A mutation changes a document, or returns it as it is where it cannot.
type mutation struct {
	name string
	do   func(mutator, string) string
}

// A part of a document: a tag, a piece of text, or other markup.
type part struct {
	kind     byte // 's' start tag, 'e' end tag, 'x' empty element, 't' text, 'o' other
	from, to int
	name     string
}

// parts takes a document apart, whether or not it is well-formed.
func parts(doc string) []part {
	var all []part
	for i := 0; i < len(doc); {
		p := nextPart(doc, i)
		all = append(all, p)
		i = p.to
	}
	return all
}

func nextPart(doc string, i int) part {
	rest := doc[i:]
	until := func(kind byte, end string) part {
		n := strings.Index(rest, end)
		if n < 0 {
			return part{kind: kind, from: i, to: len(doc)}
		}
		return part{kind: kind, from: i, to: i + n + len(end)}
	}
	switch {
	case rest[0] != '<':
		n := strings.IndexByte(rest, '<')
		if n < 0 {
			n = len(rest)
		}
		return part{kind: 't', from: i, to: i + n}
	case strings.HasPrefix(rest, "<!--"):
		return until('o', "-->")
	case strings.HasPrefix(rest, "<![CDATA["):
		return until('o', "]]>")
	case strings.HasPrefix(rest, "<?"):
		return until('o', "?>")
	case strings.HasPrefix(rest, "<!"):
		return until('o', ">")
	case strings.HasPrefix(rest, "</"):
		p := until('e', ">")
		p.name = strings.TrimRight(doc[p.from+2:max(p.to-1, p.from+2)], " \t\r\n")
		return p
	}
	p := part{kind: 's', from: i, to: len(doc)}
	for j, quote := 1, byte(0); j < len(rest); j++ {
		c := rest[j]
		if quote != 0 && c == quote {
			quote = 0
			continue
		}
		if quote == 0 && (c == '"' || c == '\'') {
			quote = c
		}
		if quote == 0 && c == '>' {
			p.to = i + j + 1
			break
		}
	}
	p.name = doc[i+1 : p.to]
	if n := strings.IndexAny(p.name, " \t\r\n/>"); n >= 0 {
		p.name = p.name[:n]
	}
	if strings.HasSuffix(doc[p.from:p.to], "/>") {
		p.kind = 'x'
	}
	return p
}

// A stretch is an element with its tags: doc[from:to], and its content.
type stretch struct {
	from, inner, innerEnd, to int
	name                      string
}

// stretches are the elements of a document, in the order of their start tags.
func stretches(doc string) []stretch {
	var all []stretch
	var open []int
	for _, p := range parts(doc) {
		switch p.kind {
		case 'x':
			all = append(all, stretch{p.from, p.to, p.to, p.to, p.name})
		case 's':
			open = append(open, len(all))
			all = append(all, stretch{p.from, p.to, p.to, p.to, p.name})
		case 'e':
			if len(open) > 0 {
				e := &all[open[len(open)-1]]
				e.innerEnd, e.to = p.from, p.to
				open = open[:len(open)-1]
			}
		}
	}
	return all
}

func localName(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// element picks one, or says that there is none.
func (m mutator) element(doc string, locals ...string) (stretch, bool) {
	all := stretches(doc)
	if len(locals) > 0 {
		kept := all[:0]
		for _, e := range all {
			for _, local := range locals {
				if localName(e.name) == local {
					kept = append(kept, e)
				}
			}
		}
		all = kept
	}
	if len(all) == 0 {
		return stretch{}, false
	}
	return all[m.IntN(len(all))], true
}

// any is an element inside of the signature, or anywhere, as chance has it.
func (m mutator) any(doc string) (stretch, bool) {
	if m.IntN(2) == 0 {
		return m.element(doc, inSignature...)
	}
	return m.element(doc)
}

var inSignature = []string{"Signature", "SignedInfo", "CanonicalizationMethod", "SignatureMethod", "Reference", "Transforms", "Transform",
	"DigestMethod", "DigestValue", "SignatureValue", "KeyInfo", "X509Data", "X509Certificate", "Object", "QualifyingProperties", "SignedProperties", "InclusiveNamespaces"}

func splice(doc string, from, to int, with string) string { return doc[:from] + with + doc[to:] }

// place is where something can be put in: before, at the beginning of, at the
// end of or after an element.
func (m mutator) place(doc string) int {
	e, ok := m.any(doc)
	if !ok {
		return m.IntN(len(doc) + 1)
	}
	return []int{e.from, e.inner, e.innerEnd, e.to}[m.IntN(4)]
}

// text picks a stretch of character data, in the signature or anywhere.
func (m mutator) text(doc string) (from, to int, ok bool) {
	if e, found := m.element(doc, "DigestValue", "SignatureValue", "X509Certificate"); found && m.IntN(2) == 0 {
		return e.inner, e.innerEnd, e.innerEnd > e.inner
	}
	var all []part
	for _, p := range parts(doc) {
		if p.kind == 't' {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return 0, 0, false
	}
	p := all[m.IntN(len(all))]
	return p.from, p.to, true
}

// tag picks a start tag or an empty element, without its "<" and ">".
func (m mutator) tag(doc string) (from, to int, ok bool) {
	e, found := m.any(doc)
	if !found {
		return 0, 0, false
	}
	from, to = e.from+1, e.inner-1
	if to > from && doc[to-1] == '/' {
		to--
	}
	return from, to, to >= from
}

var attributePattern = regexp.MustCompile(`\s+[^\s=<>"'/]+\s*=\s*("[^"]*"|'[^']*')`)

// attributes are the places of a tag's attributes, with the space before them.
func attributesOf(tag string) [][]int { return attributePattern.FindAllStringIndex(tag, -1) }

// inTag changes a tag's inside.
func inTag(change func(m mutator, tag string) string) func(mutator, string) string {
	return func(m mutator, doc string) string {
		from, to, ok := m.tag(doc)
		if !ok {
			return doc
		}
		return splice(doc, from, to, change(m, doc[from:to]))
	}
}

// inText changes a piece of character data.
func inText(change func(m mutator, text string) string) func(mutator, string) string {
	return func(m mutator, doc string) string {
		from, to, ok := m.text(doc)
		if !ok || from == to {
			return doc
		}
		return splice(doc, from, to, change(m, doc[from:to]))
	}
}

// at puts a text somewhere into a text.
func (m mutator) at(text, put string) string {
	i := m.IntN(len(text) + 1)
	return text[:i] + put + text[i:]
}

var (
	someAlgorithms = []string{algExcC14N, algExcC14N + "WithComments", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
		"http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/2006/12/xml-c14n11#WithComments", algExcC14NAlias, algEnveloped,
		"http://www.w3.org/2000/09/xmldsig#base64", "http://www.w3.org/TR/1999/REC-xpath-19991116", "http://www.w3.org/2002/06/xmldsig-filter2", "http://www.w3.org/TR/1999/REC-xslt-19991116",
		algSHA256, algSHA384, algSHA512, "http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5",
		algRSASHA256, algRSASHA384, algRSASHA512, algECDSASHA256, algECDSASHA384, algECDSASHA512, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
		"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "http://www.w3.org/2007/05/xmldsig-more#rsa-pss", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", ""}
	someURIs     = []string{"", "#p1", "#sp", "#sig", "#trace-1", "#", "#xpointer(/)", "#xpointer(id('p1'))", "cid:c1", "c1", "p1", "http://127.0.0.1:9/x", "file:///etc/hostname", "#P1", "#p2"}
	someTokens   = []string{"<", ">", "/>", "</", "&", "&amp;", "&lt;", "&#13;", "&#xD;", "&#0;", "&#xD800;", "&#x10FFFF;", "&x;", "]]>", "<![CDATA[", "<!--", "-->", "<?", "?>", "<?xml version='1.0'?>", "<!DOCTYPE edXML>", "\r", "\n", "\t", "\x00", "\x0b", "\xff", "\xc0\x80", "\xed\xa0\x80", "\uFEFF", "\uFFFE", "\u0085", "\u2028", "\u00a0", "\U0001F4DC", "xmlns", "xmlns=''", " xmlns:ds='urn:x'", " xml:id='p1'", " Id='p1'", " xml:space='preserve'", "=", "\"", "'", ":", " "}
	somePieces   = []string{"<xades:UnsignedProperties xmlns:xades='" + nsXAdES + "'><xades:UnsignedSignatureProperties><x/></xades:UnsignedSignatureProperties></xades:UnsignedProperties>", "<!-- x -->", "<!---->", "<?x y?>", "<x/>", "<ds:x xmlns:ds='" + nsDS + "'/>", "<ds:Signature xmlns:ds='" + nsDS + "'/>", "<Signature xmlns='" + nsDS + "'><SignedInfo/></Signature>", "<ds:Object xmlns:ds='" + nsDS + "'><pay/></ds:Object>", "<ds:KeyName xmlns:ds='" + nsDS + "'>x</ds:KeyName>", "text", " ", "\n\t", "<![CDATA[]]>", "<![CDATA[x]]>", "&#65;", "<a:b xmlns:a='urn:a' a:c=''/>", "<x xmlns=''/>"}
	someBindings = []string{` xmlns:q="urn:q"`, ` xmlns:ds="` + nsDS + `"`, ` xmlns:dsig='` + nsDS + `'`, ` xmlns=""`, ` xmlns="` + nsDS + `"`, ` xmlns="` + nsQCVN + `"`, ` xmlns:xades="` + nsXAdES + `"`, ` xmlns:a="urn:b"`, ` xmlns:q=""`, ` xmlns:xml="` + nsXML + `"`, ` xmlns:q="relative"`, ` xmlns:xmlns="urn:x"`, ` xmlns:q="urn:&#113;"`}
	someAttrs    = []string{` Id="p1"`, ` ID="p1"`, ` id="p9"`, ` xml:id="p1"`, ` xml:lang="vi"`, ` xml:base="http://x/"`, ` a="1"`, ` Algorithm="` + algExcC14N + `"`, ` URI=""`, ` Type="` + typeSignedProperties + `"`, ` Target="#x"`, ` Encoding="x"`, ` PrefixList="ds #default"`, ` a="&#10;&#9;&lt;"`, ` q:a="1"`}
)

// mutations are every way that documents are changed in.
var mutations = []mutation{
	{"flip a bit", func(m mutator, doc string) string {
		b := []byte(doc)
		if len(b) > 0 {
			b[m.IntN(len(b))] ^= 1 << m.IntN(8)
		}
		return string(b)
	}},
	{"cut bytes out", func(m mutator, doc string) string {
		i := m.IntN(len(doc) + 1)
		return splice(doc, i, min(len(doc), i+1+m.IntN(6)), "")
	}},
	{"repeat bytes", func(m mutator, doc string) string {
		i := m.IntN(len(doc) + 1)
		j := min(len(doc), i+1+m.IntN(40))
		return splice(doc, j, j, doc[i:j])
	}},
	{"cut the end off", func(m mutator, doc string) string { return doc[:m.IntN(len(doc)+1)] }},
	{"put a token in", func(m mutator, doc string) string { return m.at(doc, m.pick(someTokens...)) }},
	{"put something after the root", func(m mutator, doc string) string { return doc + m.pick(append(somePieces, someTokens...)...) }},
	{"put something before the root", func(m mutator, doc string) string { return m.pick(append(somePieces, someTokens...)...) + doc }},
	{"take a piece of another document", func(m mutator, doc string) string {
		other := m.pick(m.others...)
		e, ok := m.any(other)
		if !ok {
			return doc
		}
		i := m.place(doc)
		return splice(doc, i, i, other[e.from:e.to])
	}},
	{"replace an element by one of another document", func(m mutator, doc string) string {
		other := m.pick(m.others...)
		e, ok := m.any(doc)
		o, found := m.element(other, localName(e.name))
		if !ok || !found {
			return doc
		}
		return splice(doc, e.from, e.to, other[o.from:o.to])
	}},
	{"remove an element", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		return splice(doc, e.from, e.to, "")
	}},
	{"remove an element's tags", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		return splice(doc, e.from, e.to, doc[e.inner:e.innerEnd])
	}},
	{"empty an element", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		return splice(doc, e.inner, e.innerEnd, "")
	}},
	{"duplicate an element", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		return splice(doc, e.to, e.to, doc[e.from:e.to])
	}},
	{"copy an element elsewhere", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		i := m.place(doc)
		return splice(doc, i, i, doc[e.from:e.to])
	}},
	{"move an element", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		moved := doc[e.from:e.to]
		doc = splice(doc, e.from, e.to, "")
		i := m.place(doc)
		return splice(doc, i, i, moved)
	}},
	{"exchange two elements", func(m mutator, doc string) string {
		a, _ := m.any(doc)
		b, _ := m.any(doc)
		if a.from > b.from {
			a, b = b, a
		}
		if a.to > b.from {
			return doc
		}
		return doc[:a.from] + doc[b.from:b.to] + doc[a.to:b.from] + doc[a.from:a.to] + doc[b.to:]
	}},
	{"wrap an element", func(m mutator, doc string) string {
		e, _ := m.any(doc)
		name := m.pick("x", "Object", "Extensions", e.name)
		return splice(doc, e.from, e.to, "<"+name+">"+doc[e.from:e.to]+"</"+name+">")
	}},
	{"put something between elements", func(m mutator, doc string) string {
		i := m.place(doc)
		return splice(doc, i, i, m.pick(somePieces...))
	}},
	{"rename an element", func(m mutator, doc string) string {
		e, ok := m.any(doc)
		if !ok || e.to == e.inner || e.innerEnd+2 > len(doc) {
			return doc
		}
		name := m.pick("x", "ds:"+localName(e.name), localName(e.name), "Signature", strings.ToUpper(e.name), e.name+"x", e.name+":x")
		return doc[:e.from+1] + name + doc[e.from+1+len(e.name):e.innerEnd+2] + name + strings.TrimPrefix(doc[e.innerEnd+2:], e.name)
	}},
	{"expand or collapse an empty element", func(m mutator, doc string) string {
		for _, e := range stretches(doc) {
			if e.inner != e.innerEnd || m.IntN(3) > 0 {
				continue
			}
			if e.to == e.inner && e.inner >= 2 {
				return splice(doc, e.inner-2, e.to, "></"+e.name+">")
			}
			return splice(doc, e.inner-1, e.to, m.pick("/>", " />"))
		}
		return doc
	}},
	{"other signature prefix", func(_ mutator, doc string) string {
		return strings.NewReplacer("<ds:", "<dsig:", "</ds:", "</dsig:", "xmlns:ds=", "xmlns:dsig=").Replace(doc)
	}},
	{"signature in the default namespace", func(_ mutator, doc string) string {
		return strings.NewReplacer("<ds:", "<", "</ds:", "</", "xmlns:ds=", "xmlns=").Replace(doc)
	}},
	{"declare a namespace", inTag(func(m mutator, tag string) string { return tag + m.pick(someBindings...) })},
	{"add an attribute", inTag(func(m mutator, tag string) string { return tag + m.pick(someAttrs...) })},
	{"remove an attribute", inTag(func(m mutator, tag string) string {
		all := attributesOf(tag)
		if len(all) == 0 {
			return tag
		}
		a := all[m.IntN(len(all))]
		return splice(tag, a[0], a[1], "")
	})},
	{"duplicate an attribute", inTag(func(m mutator, tag string) string {
		all := attributesOf(tag)
		if len(all) == 0 {
			return tag
		}
		a := all[m.IntN(len(all))]
		return tag + tag[a[0]:a[1]]
	})},
	{"attributes in another order", inTag(func(_ mutator, tag string) string {
		all := attributesOf(tag)
		if len(all) < 2 {
			return tag
		}
		a, b := all[0], all[len(all)-1]
		return tag[:a[0]] + tag[b[0]:b[1]] + tag[a[1]:b[0]] + tag[a[0]:a[1]] + tag[b[1]:]
	})},
	{"other quotation marks", inTag(func(_ mutator, tag string) string {
		swap := strings.NewReplacer(`"`, "'", "'", `"`)
		return swap.Replace(tag)
	})},
	{"white space in a tag", inTag(func(m mutator, tag string) string {
		space := m.pick(" ", "\t", "\n", "\r\n", "\r", "\u00a0")
		if m.IntN(2) == 0 {
			return tag + space
		}
		return strings.Replace(tag, m.pick("=", " ", `"`), m.pick("= ", " =", "  ", "\n", "\" "), 1)
	})},
	{"change an attribute's value", inTag(func(m mutator, tag string) string {
		all := attributesOf(tag)
		if len(all) == 0 {
			return tag
		}
		a := all[m.IntN(len(all))]
		value := a[0] + strings.IndexAny(tag[a[0]:a[1]], `"'`) + 1
		put := m.pick("", " ", "\n", "\t", "&#10;", "&#32;", "x", "&amp;", "&#x61;", ">", "]]>")
		return splice(tag, value, value, put)
	})},
	{"exchange an algorithm", func(m mutator, doc string) string {
		return m.replaceValue(doc, algorithmPattern, m.pick(someAlgorithms...))
	}},
	{"exchange a reference", func(m mutator, doc string) string {
		return m.replaceValue(doc, uriPattern, m.pick(someURIs...))
	}},
	{"prefix list in a canonicalisation", func(m mutator, doc string) string {
		e, ok := m.element(doc, "CanonicalizationMethod", "Transform")
		if !ok || e.to == e.inner {
			return doc
		}
		return splice(doc, e.inner, e.innerEnd, `<ec:InclusiveNamespaces xmlns:ec="`+algExcC14N+`" PrefixList="`+m.pick("", "ds", "#default", "a b", "ds #default xades", "xml", "q")+`"></ec:InclusiveNamespaces>`)
	}},
	{"another transform", func(m mutator, doc string) string {
		e, ok := m.element(doc, "Transforms")
		if !ok || e.to == e.inner {
			return doc
		}
		prefix := strings.TrimSuffix(e.name, "Transforms")
		put := "<" + prefix + `Transform Algorithm="` + m.pick(someAlgorithms...) + `"></` + prefix + "Transform>"
		i := m.pick("first", "last")
		if i == "first" {
			return splice(doc, e.inner, e.inner, put)
		}
		return splice(doc, e.innerEnd, e.innerEnd, put)
	}},
	{"white space in text", inText(func(m mutator, text string) string {
		return m.at(text, m.pick(" ", "\n", "\t", "\r\n", "\r", "&#10;", "&#13;", "&#32;", "\u00a0", "\u2003"))
	})},
	{"fold text", inText(func(m mutator, text string) string {
		end, width := m.pick("\n", "\r\n", "\r", "&#13;\n"), 20+m.IntN(60)
		var b strings.Builder
		for i := 0; i < len(text); i += width {
			b.WriteString(text[i:min(len(text), i+width)] + end)
		}
		return b.String()
	})},
	{"character data section", inText(func(m mutator, text string) string {
		i := m.IntN(len(text))
		j := i + m.IntN(len(text)-i+1)
		return text[:i] + "<![CDATA[" + text[i:j] + "]]>" + text[j:]
	})},
	{"character reference", inText(func(m mutator, text string) string {
		i := m.IntN(len(text))
		if text[i] == '&' || text[i] >= 0x80 {
			return text
		}
		const digits = "0123456789abcdef"
		return text[:i] + "&#x" + string(digits[text[i]>>4]) + string(digits[text[i]&15]) + ";" + text[i+1:]
	})},
	{"change a character", inText(func(m mutator, text string) string {
		i := m.IntN(len(text))
		return text[:i] + m.pick("A", "=", "+", "0", "", "x", "ệ") + text[i+1:]
	})},
	{"comment in text", inText(func(m mutator, text string) string { return m.at(text, m.pick("<!---->", "<!-- x -->", "<?x?>")) })},
	{"other base64", inText(func(m mutator, text string) string {
		switch m.IntN(4) {
		case 0:
			return strings.TrimRight(text, "=")
		case 1:
			return text + "="
		case 2:
			return strings.NewReplacer("+", "-", "/", "_").Replace(text)
		}
		return text + "AAAA"
	})},
	{"carriage returns", func(m mutator, doc string) string { return strings.ReplaceAll(doc, "\n", m.pick("\r\n", "\r")) }},
	{"document type", func(m mutator, doc string) string {
		declaration := m.pick("<!DOCTYPE edXML>", `<!DOCTYPE edXML [<!ENTITY x "y">]>`, `<!DOCTYPE edXML [<!ATTLIST Paper role CDATA "admin">]>`, `<!DOCTYPE edXML [<!ATTLIST edXML Id ID #IMPLIED>]>`)
		i := strings.Index(doc, "<edXML")
		if i < 0 {
			return doc
		}
		return doc[:i] + declaration + doc[i:]
	}},
	{"other declaration", func(m mutator, doc string) string {
		_, rest, found := strings.Cut(doc, "?>")
		if !found {
			rest = doc
		}
		return m.pick("", "<?xml version='1.0'?>", "<?xml version='1.1'?>", "<?xml version='1.0' encoding='UTF-16'?>", "<?xml version='1.0' encoding='ISO-8859-1'?>", "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>", "\uFEFF", " ") + rest
	}},
	{"signature wrapping", wrapping},
}

var (
	algorithmPattern = regexp.MustCompile(`Algorithm="[^"]*"`)
	uriPattern       = regexp.MustCompile(`URI="[^"]*"`)
)

// replaceValue replaces one of the attributes that a pattern finds.
func (m mutator) replaceValue(doc string, pattern *regexp.Regexp, value string) string {
	all := pattern.FindAllStringIndex(doc, -1)
	if len(all) == 0 {
		return doc
	}
	a := all[m.IntN(len(all))]
	name, _, _ := strings.Cut(doc[a[0]:a[1]], "=")
	return splice(doc, a[0], a[1], name+`="`+value+`"`)
}

// wrapping puts the signed document where it is verified and another where it is
// read, in the eight forms of Somorovsky et al. and in mixtures of them.
func wrapping(m mutator, doc string) string {
	s, ok := m.element(doc, "Signature")
	all := stretches(doc)
	if !ok || len(all) == 0 {
		return doc
	}
	signature := doc[s.from:s.to]
	root := all[0]
	original := doc[root.from:root.to]
	if m.IntN(3) > 0 && s.from >= root.from && s.to <= root.to {
		original = doc[root.from:s.from] + doc[s.to:root.to]
	}
	evil := strings.ReplaceAll(doc[root.from:root.to], "H12.12", "H99.99")
	if m.IntN(3) == 0 {
		evil = strings.Replace(evil, `Id="p1"`, m.pick("", `Id="p2"`), 1)
	}
	evilSignature, found := m.element(evil, "Signature")
	if !found {
		return doc
	}
	wrapped := m.pick(original, "<Extensions>"+original+"</Extensions>", "<ds:Object xmlns:ds='"+nsDS+"'>"+original+"</ds:Object>")
	switch m.IntN(6) {
	case 0: // in an object of the signature
		signature = strings.Replace(signature, "</ds:Signature>", wrapped+"</ds:Signature>", 1)
	case 1: // beside the signature
		signature += wrapped
	case 2:
		signature = wrapped + signature
	case 3: // the signature in what it signs, in another document
		signature = doc[root.from:root.to]
	case 4: // at the end of the root
		end := max(strings.LastIndex(evil, "</"), 0)
		evil = evil[:end] + wrapped + evil[end:]
	case 5: // as the first thing in it
		first := stretches(evil)[0]
		evil = splice(evil, first.inner, first.inner, wrapped)
		evilSignature, found = m.element(evil, "Signature")
		if !found {
			return doc
		}
	}
	return doc[:root.from] + splice(evil, evilSignature.from, evilSignature.to, signature) + doc[root.to:]
}

// change makes a mutant of a document and tells how, for the record.
func (m mutator) change(doc string) (mutant string, how []string) {
	for range 1 + m.IntN(2)*m.IntN(3) {
		c := mutations[m.IntN(len(mutations))]
		doc = c.do(m, doc)
		how = append(how, c.name)
	}
	return doc, how
}
