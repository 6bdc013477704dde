package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

// A sealed document says many times over what follows from its own bytes: the
// digest of what is sealed, beside five identifiers made of it, that of the signed
// properties, and that of a document within. So it is taken apart, and squeezed in
// an order in which what a digest is made from comes before the digest: the
// document within, the document without its seal, the signed properties, the rest
// of the seal. Where such a digest stands, the part has one of the bytes below,
// which no XML has. Where it does not stand, because the seal was made in another
// way than ours, nothing is lost but the saving: nothing here has to be right about
// XML, only to be undone.
const (
	markSealed     = 0x01 // half the digest of what is sealed, hexadecimal
	markDigest     = 0x02 // the digest of what is sealed, base64
	markProperties = 0x03 // that of the signed properties, base64
	markWithin     = 0x04 // the document within, base64
	markOfWithin   = 0x05 // its digest, hexadecimal
)

// Forms of a document: bits of the first byte.
const (
	formSealed = 1 << iota
	formWithin
)

const (
	deepestWithin = 2
	leastWithin   = 400 // characters of base64
)

var (
	sealStart       = []byte("<ds:Signature ")
	sealEnd         = []byte("</ds:Signature>")
	propertiesStart = []byte("<xades:SignedProperties")
	propertiesEnd   = []byte("</xades:SignedProperties>")
)

// parts are a document taken apart.
type parts struct {
	form byte
	// body has the seal sealAt bytes before its end, and the seal has the properties
	// propertiesAt before its.
	body, seal, properties, within []byte
	sealAt, propertiesAt           int
}

// takeApart is undone by putTogether.
func takeApart(text []byte, depth int) parts {
	p := parts{body: text}
	for mark := byte(markSealed); mark <= markOfWithin; mark++ {
		if bytes.IndexByte(text, mark) >= 0 {
			return p
		}
	}
	p.takeSeal(text)
	if depth < deepestWithin {
		p.takeWithin()
	}
	return p
}

func (p *parts) takeSeal(text []byte) {
	start := bytes.LastIndex(text, sealStart)
	if start < 0 {
		return
	}
	seal, rest, found := cutAfter(text[start:], sealEnd)
	properties := bytes.Index(seal, propertiesStart)
	if !found || properties < 0 {
		return
	}
	signed, after, found := cutAfter(seal[properties:], propertiesEnd)
	if !found {
		return
	}
	p.form |= formSealed
	p.body = join2(text[:start], rest)
	digests := digestsOf(p.body, signed)
	p.properties = digests.hide(signed)
	p.seal = digests.hide(join2(seal[:properties], after))
	p.sealAt, p.propertiesAt = len(rest), len(after)
}

// takeWithin takes the first document out of the body that stands there as base64.
func (p *parts) takeWithin() {
	for rest := p.body; ; {
		_, after, found := bytes.Cut(rest, []byte(">"))
		if !found {
			return
		}
		rest = after
		encoded, _, found := bytes.Cut(rest, []byte("<"))
		if !found || len(encoded) < leastWithin {
			continue
		}
		within, ok := parseBase64(encoded)
		if !ok || within[0] != '<' {
			continue
		}
		start := len(p.body) - len(rest)
		body := append(append(bytes.Clone(p.body[:start]), markWithin), p.body[start+len(encoded):]...)
		p.body, p.within = bytes.ReplaceAll(body, digestHex(within), []byte{markOfWithin}), within
		p.form |= formWithin
		return
	}
}

// cutAfter cuts a text behind the first end.
func cutAfter(text, end []byte) (before, after []byte, found bool) {
	at := bytes.Index(text, end)
	if at < 0 {
		return text, nil, false
	}
	at += len(end)
	return text[:at], text[at:], true
}

func join2(a, b []byte) []byte { return append(bytes.Clone(a), b...) }

func digestHex(text []byte) []byte {
	sum := sha256.Sum256(text)
	return hex.AppendEncode(nil, sum[:])
}

// sealDigests are the texts that stand for marks in a seal.
type sealDigests struct{ sealed, digest, properties []byte }

// digestsOf reckons the digest of the properties as the canonical form of the
// element alone has it: it declares what is declared further out in the document.
func digestsOf(body, properties []byte) sealDigests {
	sum := sha256.Sum256(body)
	canonical := bytes.Replace(properties, propertiesStart, append(bytes.Clone(propertiesStart), ` xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"`...), 1)
	for _, element := range []string{"<ds:DigestMethod", "<ds:DigestValue"} {
		canonical = bytes.ReplaceAll(canonical, []byte(element), []byte(element+` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`))
	}
	own := sha256.Sum256(canonical)
	return sealDigests{
		sealed:     hex.AppendEncode(nil, sum[:halfDigest]),
		digest:     base64.StdEncoding.AppendEncode(nil, sum[:]),
		properties: base64.StdEncoding.AppendEncode(nil, own[:]),
	}
}

func (d sealDigests) hide(text []byte) []byte {
	text = bytes.ReplaceAll(text, d.sealed, []byte{markSealed})
	text = bytes.ReplaceAll(text, d.digest, []byte{markDigest})
	return bytes.ReplaceAll(text, d.properties, []byte{markProperties})
}

func (d sealDigests) show(text []byte) ([]byte, bool) {
	text, ok := replaced(text, markSealed, d.sealed)
	if ok {
		text, ok = replaced(text, markDigest, d.digest)
	}
	if ok {
		text, ok = replaced(text, markProperties, d.properties)
	}
	return text, ok
}

// replaced puts a text where its mark is, unless that becomes too long.
func replaced(text []byte, mark byte, by []byte) ([]byte, bool) {
	n := bytes.Count(text, []byte{mark})
	if n == 0 {
		return text, true
	}
	if len(text)+n*len(by) > mostUnpacked {
		return nil, false
	}
	return bytes.ReplaceAll(text, []byte{mark}, by), true
}

// squeezeParts appends a document to out, squeezed by its parts.
func (s *shapes) squeezeParts(out, text []byte, label string, ctx *surroundings, depth int, uses *[]*shape) []byte {
	p := takeApart(text, depth)
	out = append(out, p.form)
	if p.form&formWithin != 0 {
		out = appendSized(out, s.squeezeParts(nil, p.within, label+"/", ctx, depth+1, uses))
	}
	body := s.squeeze(p.body, label, ctx, uses)
	if p.form&formSealed == 0 {
		return append(out, body...)
	}
	out = appendSized(out, body)
	out = binary.AppendUvarint(out, uint64(p.sealAt))
	out = binary.AppendUvarint(out, uint64(p.propertiesAt))
	out = appendSized(out, s.squeeze(p.properties, label+"#properties", ctx, uses))
	return append(out, s.squeeze(p.seal, label+"#seal", ctx, uses)...)
}

func appendSized(out, part []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(part))), part...)
}

// unsqueezeParts gives the document back. What it reads may be damaged.
func (s *shapes) unsqueezeParts(in []byte, ctx *surroundings, depth int) ([]byte, bool) {
	if len(in) == 0 || depth > deepestWithin {
		return nil, false
	}
	u := unsqueezer{in: in[1:]}
	form := in[0]
	var within []byte
	if form&formWithin != 0 {
		squeezed, ok := u.take()
		if !ok {
			return nil, false
		}
		if within, ok = s.unsqueezeParts(squeezed, ctx, depth+1); !ok {
			return nil, false
		}
	}
	if form&formSealed == 0 {
		body, ok := s.unsqueeze(u.in, ctx)
		return putWithin(body, within, form, ok)
	}
	squeezed, ok1 := u.take()
	sealAt, ok2 := u.number()
	propertiesAt, ok3 := u.number()
	if !ok1 || !ok2 || !ok3 {
		return nil, false
	}
	body, ok := s.unsqueeze(squeezed, ctx)
	if body, ok = putWithin(body, within, form, ok); !ok || sealAt > len(body) {
		return nil, false
	}
	squeezed, ok = u.take()
	if !ok {
		return nil, false
	}
	properties, ok1 := s.unsqueeze(squeezed, ctx)
	seal, ok2 := s.unsqueeze(u.in, ctx)
	if !ok1 || !ok2 || propertiesAt > len(seal) {
		return nil, false
	}
	return putSeal(body, seal, properties, sealAt, propertiesAt)
}

func putWithin(body, within []byte, form byte, ok bool) ([]byte, bool) {
	if !ok || form&formWithin == 0 {
		return body, ok
	}
	if body, ok = replaced(body, markOfWithin, digestHex(within)); !ok {
		return nil, false
	}
	return replaced(body, markWithin, base64.StdEncoding.AppendEncode(nil, within))
}

func putSeal(body, seal, properties []byte, sealAt, propertiesAt int) ([]byte, bool) {
	// The digest of the properties is not in themselves.
	half, ok := digestsOf(body, nil).show(properties)
	if !ok {
		return nil, false
	}
	if seal, ok = digestsOf(body, half).show(seal); !ok || propertiesAt > len(seal) {
		return nil, false
	}
	cut, at := len(seal)-propertiesAt, len(body)-sealAt
	text := make([]byte, 0, len(body)+len(seal)+len(half))
	text = append(append(append(text, body[:at]...), seal[:cut]...), half...)
	return append(append(text, seal[cut:]...), body[at:]...), true
}
