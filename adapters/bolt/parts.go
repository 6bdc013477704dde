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

	// declarations are what the canonical form of the signed properties declares.
	declarations = map[string]string{
		"<xades:SignedProperties": ` xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"`,
		"<ds:DigestMethod":        ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`,
		"<ds:DigestValue":         ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`,
	}
)

// scratch is memory for what is needed only while a text is packed; nil: it is needed
// longer.
type scratch struct{ b []byte }

const scratchSize = 128 << 10 // of a handover, the largest that is usual

func (m *scratch) make(n int) []byte {
	if m == nil || n > cap(m.b)-len(m.b) {
		return make([]byte, 0, n)
	}
	at := len(m.b)
	m.b = m.b[:at+n]
	return m.b[at:at:len(m.b)]
}

// parts are a document taken apart.
type parts struct {
	form byte
	// body has the seal sealAt bytes before its end, and the seal has the properties
	// propertiesAt before its.
	body, seal, properties, within []byte
	sealAt, propertiesAt           int
}

// takeApart is undone by putTogether.
func takeApart(text []byte, depth int, m *scratch) parts {
	p := parts{body: text}
	for mark := byte(markSealed); mark <= markOfWithin; mark++ {
		if bytes.IndexByte(text, mark) >= 0 {
			return p
		}
	}
	before, rest := p.takeSeal(text, m)
	var swaps []swap
	if encoded := p.findWithin(before); encoded != nil && depth < deepestWithin {
		p.form |= formWithin
		swaps = []swap{{encoded, []byte{markWithin}}, {digestHex(p.within), []byte{markOfWithin}}}
	}
	if p.form != 0 {
		p.body = swapped(swapped(m.make(len(before)+len(rest)), before, swaps...), rest, swaps...)
	}
	return p
}

// takeSeal returns what is before the seal and behind it.
func (p *parts) takeSeal(text []byte, m *scratch) (before, rest []byte) {
	start := bytes.Index(text, sealStart)
	if start < 0 {
		return text, nil
	}
	seal, rest, found := cutAfter(text[start:], sealEnd)
	properties := bytes.Index(seal, propertiesStart)
	if !found || properties < 0 {
		return text, nil
	}
	signed, after, found := cutAfter(seal[properties:], propertiesEnd)
	if !found {
		return text, nil
	}
	p.form |= formSealed
	digests := digestsOf(text[:start], rest)
	p.properties = swapped(m.make(len(signed)), signed, digests.hide()...)
	digests.properties = propertiesDigest(signed, m)
	hide := digests.hide()
	p.seal = swapped(swapped(m.make(len(seal)), seal[:properties], hide...), after, hide...)
	p.sealAt, p.propertiesAt = len(rest), len(after)
	return text[:start], rest
}

// findWithin finds the first document that stands in the text as base64.
func (p *parts) findWithin(text []byte) (encoded []byte) {
	for {
		end := bytes.IndexByte(text, '<')
		if end < 0 {
			return nil
		}
		if end >= leastWithin {
			encoded = text[bytes.IndexByte(text[:end], '>')+1 : end]
			if within, ok := parseBase64(encoded); ok && len(encoded) >= leastWithin && within[0] == '<' {
				p.within = within
				return encoded
			}
		}
		text = text[end+1:]
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

func digestHex(text []byte) []byte {
	sum := sha256.Sum256(text)
	return hex.AppendEncode(nil, sum[:])
}

// A swap puts one text where another is.
type swap struct{ old, by []byte }

// swapped appends a text to out with swaps made.
func swapped(out, text []byte, swaps ...swap) []byte {
	var found [3]int // where each is next
	for i, s := range swaps {
		found[i] = bytes.Index(text, s.old)
	}
	for at := 0; ; {
		first := -1
		for i := range swaps {
			if found[i] >= 0 && (first < 0 || found[i] < found[first]) {
				first = i
			}
		}
		if first < 0 || len(out) > mostUnpacked {
			return append(out, text[at:]...)
		}
		out = append(append(out, text[at:found[first]]...), swaps[first].by...)
		at = found[first] + len(swaps[first].old)
		for i, s := range swaps {
			if found[i] >= 0 && found[i] < at {
				if found[i] = bytes.Index(text[at:], s.old); found[i] >= 0 {
					found[i] += at
				}
			}
		}
	}
}

// sealDigests are the texts that stand for marks in a seal.
type sealDigests struct{ sealed, digest, properties []byte }

// digestsOf are those of what is sealed: what is before the seal, and behind it.
func digestsOf(before, rest []byte) sealDigests {
	h := sha256.New()
	h.Write(before)
	h.Write(rest)
	sum := h.Sum(nil)
	return sealDigests{sealed: hex.AppendEncode(nil, sum[:halfDigest]), digest: base64.StdEncoding.AppendEncode(nil, sum)}
}

// hide are the swaps for marks. The properties do not have their own digest, which
// is not known while they are hidden or shown.
func (d sealDigests) hide() []swap {
	swaps := []swap{{d.sealed, []byte{markSealed}}, {d.digest, []byte{markDigest}}, {d.properties, []byte{markProperties}}}
	if d.properties == nil {
		return swaps[:2]
	}
	return swaps
}

func (d sealDigests) show() []swap {
	swaps := d.hide()
	for i, s := range swaps {
		swaps[i] = swap{s.by, s.old}
	}
	return swaps
}

// propertiesDigest is that of the canonical form of the element alone, which declares
// what is declared further out in the document.
func propertiesDigest(properties []byte, m *scratch) []byte {
	b := m.make(len(properties) + 512)
	for len(properties) > 0 {
		end := bytes.IndexAny(properties[1:], " >") + 1 // of an element's name, or of what is in none
		if end == 0 {
			end = len(properties)
		}
		b = append(b, properties[:end]...)
		b = append(b, declarations[string(properties[:end])]...)
		next := bytes.IndexByte(properties[end:], '<')
		if next < 0 {
			next = len(properties) - end
		}
		b = append(b, properties[end:end+next]...)
		properties = properties[end+next:]
	}
	sum := sha256.Sum256(b)
	return base64.StdEncoding.AppendEncode(nil, sum[:])
}

// squeezeParts appends a document to out, squeezed by its parts.
func (s *shapes) squeezeParts(out, text []byte, label string, ctx *surroundings, depth int, uses *[]*shape) []byte {
	p := takeApart(text, depth, ctx.scratch)
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
		return ctx.scratch.putWithin(body, within, form, ok)
	}
	squeezed, ok1 := u.take()
	sealAt, ok2 := u.number()
	propertiesAt, ok3 := u.number()
	if !ok1 || !ok2 || !ok3 {
		return nil, false
	}
	body, ok := s.unsqueeze(squeezed, ctx)
	if body, ok = ctx.scratch.putWithin(body, within, form, ok); !ok {
		return nil, false
	}
	squeezed, ok = u.take()
	if !ok {
		return nil, false
	}
	properties, ok1 := s.unsqueeze(squeezed, ctx)
	seal, ok2 := s.unsqueeze(u.in, ctx)
	if !ok1 || !ok2 {
		return nil, false
	}
	return ctx.scratch.putSeal(body, seal, properties, sealAt, propertiesAt)
}

func (m *scratch) putWithin(body, within []byte, form byte, ok bool) ([]byte, bool) {
	if !ok || form&formWithin == 0 {
		return body, ok
	}
	encoded := base64.StdEncoding.AppendEncode(m.make(base64.StdEncoding.EncodedLen(len(within))), within)
	body = swapped(m.make(len(body)+len(encoded)+2*sha256.Size), body, swap{[]byte{markWithin}, encoded}, swap{[]byte{markOfWithin}, digestHex(within)})
	return body, len(body) <= 2*mostUnpacked
}

func (m *scratch) putSeal(body, seal, properties []byte, sealAt, propertiesAt int) ([]byte, bool) {
	at := len(body) - sealAt
	if at < 0 {
		return nil, false
	}
	digests := digestsOf(body[:at], body[at:])
	properties = swapped(m.make(len(properties)+128), properties, digests.show()...)
	digests.properties = propertiesDigest(properties, m)
	seal = swapped(m.make(len(seal)+256), seal, digests.show()...)
	cut := len(seal) - propertiesAt
	if cut < 0 {
		return nil, false
	}
	text := m.make(len(body) + len(seal) + len(properties))
	text = append(append(append(text, body[:at]...), seal[:cut]...), properties...)
	return append(append(text, seal[cut:]...), body[at:]...), true
}
