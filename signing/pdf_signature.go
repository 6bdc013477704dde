package signing

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"
)

var oidData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}

// weakAlgorithms are digests, and signatures over them, that prove nothing any more.
var weakAlgorithms = []string{
	"1.3.14.3.2.26", "1.2.840.113549.2.5", // SHA-1, MD5
	"1.2.840.113549.1.1.5", "1.2.840.113549.1.1.4", // RSA with SHA-1, with MD5
	"1.2.840.10045.4.1", "1.2.840.10040.4.3", // ECDSA and DSA with SHA-1
}

// judge says what a signature came to, once its file was read; or which digest it
// needs, and is not done then.
func (p *PDF) judge(s *pdfSignature) {
	dictionary := dictionaryAround(s.before, s.after)
	at := bytes.LastIndex(s.before, []byte("/Contents"))
	kind := nameIn(dictionary, "/SubFilter")
	switch kind {
	case "adbe.pkcs7.detached", "ETSI.CAdES.detached":
	case "ETSI.RFC3161":
		s.TimeStamp = true
	default:
		s.none = kind == "" && at < 0 // a range in some text
		s.is(PDFUnsupported, pdfSubFilter)
		return
	}
	der, ok := readContents(s.contents)
	switch {
	case !ok || at < 0 || len(skipSpace(s.before[at+len("/Contents"):])) > 0: // the gap is another string's
		s.is(PDFInvalid, pdfContents)
	case s.TimeStamp:
		p.judgeTimeStamp(s, der)
	default:
		p.judgeSignature(s, der, dictionary)
	}
}

// judgeSignature verifies a detached signature (ISO 32000-1, 12.8.3.3; EN 319
// 142-1, 6.2).
func (p *PDF) judgeSignature(s *pdfSignature, contents, dictionary []byte) {
	data, top, refusal := cms{kind: oidData}.read(contents)
	if *top.flaw != "" || refusal != nil || data.content != nil {
		s.is(PDFUnsupported, pdfForm)
		return
	}
	signer := data.signer
	switch {
	case slices.Contains(weakAlgorithms, signer.digests.id.String()) || slices.Contains(weakAlgorithms, signer.method.id.String()):
		s.is(PDFWeak, string(SHA1))
		return
	case signer.hash == 0:
		s.is(PDFUnsupported, pdfAlgorithm)
		return
	case signer.attrs == nil:
		s.is(PDFUnsupported, pdfNoAttrs)
		return
	case signer.hash != p.hash:
		s.hash = signer.hash
		return
	}
	cert := data.certificate()
	switch {
	case !bytes.Equal(signer.digest, s.sum.Sum(nil)):
		s.is(PDFInvalid, string(DigestMismatch))
		return
	case cert == nil:
		s.is(PDFInvalid, pdfCertificate)
		return
	}
	if err := signer.verify(cert); err != nil {
		s.fails(err)
		return
	}
	s.Signer = cert
	s.Time = pdfTime(signer.time, dictionary)
	if signer.stamp != nil {
		if stamp, err := p.trust.CheckTimeStamp(signer.stamp, signer.signature); err == nil {
			s.Time, s.Stamped = stamp.Time, true
		}
	}
	s.trusted(p.trust.Check(cert, data.certs, p.moment(s.Time)))
}

// moment is when a certificate is to be judged: when it signed, if that is said and
// can be.
func (p *PDF) moment(signed time.Time) time.Time {
	if signed.IsZero() || signed.After(p.now) {
		return p.now
	}
	return signed
}

// judgeTimeStamp verifies a document time-stamp (ISO 32000-2, 12.8.5).
func (p *PDF) judgeTimeStamp(s *pdfSignature, token []byte) {
	t, err := parseTimeStamp(token)
	if err != nil {
		s.is(PDFUnsupported, pdfForm)
		return
	}
	if t.info.hash != p.hash {
		s.hash = t.info.hash
		return
	}
	if t.checkImprint(s.sum.Sum(nil)) != nil {
		s.is(PDFInvalid, string(DigestMismatch))
		return
	}
	stamp, err := p.trust.checkToken(t)
	if err == nil || ruleOf(err) == TimeStampUntrusted {
		s.Time, s.Stamped = t.info.time, true
		s.Signer = stamp.Authority
		s.trusted(err)
		return
	}
	s.fails(err)
}

// trusted is the state of a signature that holds.
func (s *pdfSignature) trusted(err error) {
	if err != nil {
		s.is(PDFUntrusted, string(ruleOf(err)))
		return
	}
	s.is(PDFValid, "")
}

// fails is the state of a signature that does not hold.
func (s *pdfSignature) fails(err error) {
	switch ruleOf(err) {
	case TimeStampSignature:
		s.is(PDFInvalid, string(SignatureMismatch))
	case TimeStampUntrusted: // no certificate of its key could be
		s.is(PDFWeak, string(WeakKey))
	default:
		s.is(PDFUnsupported, pdfAlgorithm)
	}
}

func ruleOf(err error) Rule {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Rule
	}
	return ""
}

// readContents decodes a hexadecimal string (ISO 32000-1, 7.3.4.3) that holds one
// value and zeros behind it: room that was made before the length was known.
func readContents(gap []byte) (der []byte, ok bool) {
	if len(gap) < 2 || gap[0] != '<' || gap[len(gap)-1] != '>' {
		return nil, false
	}
	gap = gap[1 : len(gap)-1]
	der = make([]byte, 0, len(gap)/2+1)
	half := false
	for _, c := range gap {
		n := strings.IndexByte("0123456789abcdefABCDEF", c)
		switch {
		case n < 0 && strings.IndexByte("\x00\t\n\f\r ", c) >= 0:
			continue
		case n < 0:
			return nil, false
		case n > 15:
			n -= 6
		}
		if half {
			der[len(der)-1] |= byte(n)
		} else {
			der = append(der, byte(n)<<4)
		}
		half = !half
	}
	der, rest, ok := definite(der, maxIndefinite)
	return der, ok && len(bytes.Trim(rest, "\x00")) == 0
}

// maxIndefinite is how many values of indefinite length may be inside one another.
const maxIndefinite = 8

// definite takes the first value. Some programs write the outer structures of CMS,
// which nobody signs, in indefinite length (X.690, 8.1.3.6): these get a length.
// What has one stays as it is.
func definite(b []byte, depth int) (value, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x20 == 0 || b[0]&0x1f == 0x1f || b[1] != 0x80 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		return v.FullBytes, rest, err == nil
	}
	if depth == 0 {
		return nil, nil, false
	}
	var content []byte
	for rest = b[2:]; !bytes.HasPrefix(rest, []byte{0, 0}); {
		if value, rest, ok = definite(rest, depth-1); !ok {
			return nil, nil, false
		}
		content = append(content, value...)
	}
	value, err := asn1.Marshal(asn1.RawValue{Class: int(b[0] >> 6), Tag: int(b[0] & 0x1f), IsCompound: true, Bytes: content})
	return value, rest[2:], err == nil
}

// dictionaryAround is what stands round a gap, in the object that the gap is in.
func dictionaryAround(before, after []byte) []byte {
	if i := bytes.LastIndex(before, []byte(" obj")); i >= 0 {
		before = before[i+len(" obj"):]
	}
	if i := bytes.Index(after, []byte("endobj")); i >= 0 {
		after = after[:i]
	}
	return slices.Concat(before, []byte("<>"), after)
}

// valueIn is what follows a key of a dictionary; nil: it has no such key.
func valueIn(dictionary []byte, key string) []byte {
	for {
		i := bytes.Index(dictionary, []byte(key))
		if i < 0 {
			return nil
		}
		dictionary = dictionary[i+len(key):]
		if len(dictionary) > 0 && !regular(dictionary[0]) {
			return skipSpace(dictionary)
		}
	}
}

// regular tells the characters that a name goes on with (ISO 32000-1, 7.2.2).
func regular(c byte) bool { return strings.IndexByte("\x00\t\n\f\r ()<>[]{}/%", c) < 0 }

// nameIn is the name that a key has for its value; empty: none.
func nameIn(dictionary []byte, key string) string {
	v := valueIn(dictionary, key)
	if len(v) == 0 || v[0] != '/' {
		return ""
	}
	end := bytes.IndexFunc(v[1:], func(r rune) bool { return r < 0x80 && !regular(byte(r)) })
	if end < 0 {
		return ""
	}
	return string(v[1 : 1+end])
}

// pdfTime is when the signer says that it signed: in the attribute signing-time
// (RFC 5652, 11.3), else in M of the dictionary, which is signed as well (ISO
// 32000-1, 7.9.4). Zero: it does not say.
func pdfTime(attribute, dictionary []byte) time.Time {
	var at time.Time
	if rest, err := asn1.Unmarshal(attribute, &at); err == nil && len(rest) == 0 {
		return at.UTC()
	}
	v, ok := bytes.CutPrefix(valueIn(dictionary, "/M"), []byte("(D:"))
	end := bytes.IndexByte(v, ')')
	if !ok || end < 0 {
		return time.Time{}
	}
	text := strings.ReplaceAll(string(v[:end]), "'", "")
	for _, layout := range []string{"20060102150405Z0700", "20060102150405Z07", "20060102150405"} {
		if at, err := time.Parse(layout, strings.TrimSuffix(text, "Z0000")); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
