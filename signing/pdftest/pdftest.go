// Package pdftest makes signed PDF files for tests, and wrong ones. It shares no
// code with what reads them.
package pdftest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Document is a PDF file of one page that shows a text, and some bytes besides.
func Document(text string, padding int) []byte {
	shown := "BT /F1 24 Tf 72 720 Td (" + text + ") Tj ET"
	d := &draft{b: []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")}
	d.object(1, "<< /Type /Catalog /Pages 2 0 R >>")
	d.object(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	d.object(3, page(0))
	d.object(4, fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(shown), shown))
	filler := strings.Repeat("0123456789abcde\n", padding/16)
	d.object(5, fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", len(filler), filler))
	return d.end(-1)
}

// draft is a file, or an update of one, on its way.
type draft struct {
	b     []byte
	begin map[int]int // objects' offsets
}

func (d *draft) object(n int, text string) {
	if d.begin == nil {
		d.begin = map[int]int{}
	}
	d.begin[n] = len(d.b)
	d.b = fmt.Appendf(d.b, "%d 0 obj\n%s\nendobj\n", n, text)
}

// end writes the table of objects; previous is where the one before is, -1: there is
// none.
func (d *draft) end(previous int) []byte {
	at := len(d.b)
	d.b = append(d.b, "xref\n"...)
	last := 0
	for _, n := range d.numbers() {
		last = max(last, n)
	}
	if previous < 0 {
		d.b = append(d.b, "0 1\n0000000000 65535 f \n"...)
	}
	for _, n := range d.numbers() {
		d.b = fmt.Appendf(d.b, "%d 1\n%010d 00000 n \n", n, d.begin[n])
	}
	d.b = fmt.Appendf(d.b, "trailer\n<< /Size %d /Root 1 0 R", last+1)
	if previous >= 0 {
		d.b = fmt.Appendf(d.b, " /Prev %d", previous)
	}
	return fmt.Appendf(d.b, " >>\nstartxref\n%d\n%%%%EOF\n", at)
}

func (d *draft) numbers() []int {
	var list []int
	for n := range d.begin {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// fields refers to the fields of so many signatures.
func fields(signatures int) string {
	var refs []string
	for i := range signatures {
		refs = append(refs, fmt.Sprintf("%d 0 R", 7+2*i))
	}
	return strings.Join(refs, " ")
}

func page(signatures int) string {
	return "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [" + fields(signatures) + "] " +
		"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
}

// A Form says how a file is signed. The zero value, with a CMS, is as most programs
// do it.
type Form struct {
	// CMS makes the signature over what is covered.
	CMS func(covered []byte) []byte
	// SubFilter is adbe.pkcs7.detached if it is empty.
	SubFilter string
	// Room is how many bytes of CMS the file has room for; 8192 by default.
	Room int
	// Layout is the dictionary, with two verbs: for the range, and for Contents;
	// empty: in this order.
	Layout string
	// Shift moves the range, from what would be right.
	Shift [4]int64
	// Pad is put behind the signature in Contents, instead of zeros.
	Pad []byte
}

// unsigned has as many characters as any range.
const unsigned = "[0 0000000000 0000000000 0000000000]"

// Sign signs a file of Document in an update behind it, again if it is signed.
func Sign(file []byte, f Form) []byte {
	n := bytes.Count(file, []byte("/FT /Sig"))
	if f.SubFilter == "" {
		f.SubFilter = "adbe.pkcs7.detached"
	}
	if f.Room == 0 {
		f.Room = 8192
	}
	if f.Layout == "" {
		f.Layout = "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /" + f.SubFilter + " /M (D:20261125150000+07'00') /ByteRange %s /Contents %s >>"
	}
	room := "<" + strings.Repeat("0", 2*f.Room) + ">"
	d := &draft{b: slices.Clone(file)}
	d.object(1, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 /Fields ["+fields(n+1)+"] >> >>")
	d.object(3, page(n+1))
	d.object(6+2*n, fmt.Sprintf(f.Layout, unsigned, room))
	d.object(7+2*n, fmt.Sprintf("<< /Type /Annot /Subtype /Widget /FT /Sig /T (Signature%d) /V %d 0 R /P 3 0 R /Rect [0 0 0 0] /F 132 >>", n+1, 6+2*n))
	previous := file[bytes.LastIndex(file, []byte("startxref\n"))+len("startxref\n"):]
	at, err := strconv.Atoi(string(previous[:bytes.IndexByte(previous, '\n')]))
	if err != nil {
		panic(err)
	}
	b := d.end(at)
	from := bytes.LastIndex(b, []byte(room))
	to := from + len(room)
	r := [4]int64{0, int64(from), int64(to), int64(len(b) - to)}
	for i := range r {
		r[i] += f.Shift[i]
	}
	text := fmt.Sprintf("[%d %d %d %d", r[0], r[1], r[2], r[3])
	text += strings.Repeat(" ", len(unsigned)-len(text)-1) + "]"
	copy(b[bytes.LastIndex(b, []byte(unsigned)):], text)
	contents := append(f.CMS(Covered(b, r)), f.Pad...)
	copy(b[from+1:], hex.EncodeToString(contents))
	return b
}

// Covered is what a range covers, as far as it is in the file.
func Covered(b []byte, r [4]int64) []byte {
	cut := func(from, to int64) []byte {
		from, to = min(max(from, 0), int64(len(b))), min(max(to, 0), int64(len(b)))
		return b[from:max(from, to)]
	}
	return slices.Concat(cut(r[0], r[0]+r[1]), cut(r[2], r[2]+r[3]))
}

// A Signer makes CMS signatures.
type Signer struct {
	Key  crypto.Signer
	Cert *x509.Certificate
	// Bag are the certificates that go with it; nil: Cert.
	Bag []*x509.Certificate
	// Hash is SHA-256 by default; PSS pads RSA so.
	Hash crypto.Hash
	PSS  bool
	// Time is in the attribute signing-time, if it is not zero.
	Time time.Time
	// Named is whose issuer and serial number are given; nil: Cert.
	Named *x509.Certificate
	// Certified binds a certificate by signing-certificate-v2; nil: none.
	Certified *x509.Certificate
	// Digest is given instead of the true one.
	Digest []byte
	// Bare leaves out the signed attributes.
	Bare bool
	// Unsorted puts the attributes into another order than DER's.
	Unsorted bool
	// Encapsulated is the content, where it is not detached.
	Encapsulated []byte
	// Stamp makes a time-stamp token over the signature; nil: none.
	Stamp func(signature []byte) []byte
}

func oid(numbers ...int) []byte { return marshal(asn1.ObjectIdentifier(numbers)) }

var (
	oidData          = oid(1, 2, 840, 113549, 1, 7, 1)
	oidSignedData    = oid(1, 2, 840, 113549, 1, 7, 2)
	oidContentType   = oid(1, 2, 840, 113549, 1, 9, 3)
	oidMessageDigest = oid(1, 2, 840, 113549, 1, 9, 4)
	oidSigningTime   = oid(1, 2, 840, 113549, 1, 9, 5)
	oidCertificate   = oid(1, 2, 840, 113549, 1, 9, 16, 2, 47)
	oidStamp         = oid(1, 2, 840, 113549, 1, 9, 16, 2, 14)
	null             = []byte{5, 0}
)

// digests are the AlgorithmIdentifiers of digests.
var digests = map[crypto.Hash][]byte{
	crypto.MD5: sequence(oid(1, 2, 840, 113549, 2, 5), null), crypto.SHA1: sequence(oid(1, 3, 14, 3, 2, 26), null),
	crypto.SHA224: sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 4), null), crypto.SHA256: sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 1), null),
	crypto.SHA384: sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 2), null), crypto.SHA512: sequence(oid(2, 16, 840, 1, 101, 3, 4, 2, 3), null),
}

// CMS is a detached signature, DER.
func (s Signer) CMS(covered []byte) []byte {
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	if s.Named == nil {
		s.Named = s.Cert
	}
	if s.Bag == nil {
		s.Bag = []*x509.Certificate{s.Cert}
	}
	signed, attrs := covered, []byte(nil)
	if !s.Bare {
		attrs = s.attributes(covered)
		signed = tlv(0x31, attrs)
	}
	signature := s.sign(signed)
	signer := [][]byte{marshal(1), sequence(s.Named.RawIssuer, marshal(s.Named.SerialNumber)), digests[s.Hash]}
	if attrs != nil {
		signer = append(signer, tlv(0xA0, attrs))
	}
	signer = append(signer, s.method(), tlv(4, signature))
	if s.Stamp != nil {
		signer = append(signer, tlv(0xA1, sequence(oidStamp, tlv(0x31, s.Stamp(signature)))))
	}
	var bag []byte
	for _, c := range s.Bag {
		bag = append(bag, c.Raw...)
	}
	content := oidData
	if s.Encapsulated != nil {
		content = append(slices.Clone(oidData), tlv(0xA0, tlv(4, s.Encapsulated))...)
	}
	return sequence(oidSignedData, tlv(0xA0, sequence(marshal(1), tlv(0x31, digests[s.Hash]), sequence(content), tlv(0xA0, bag), tlv(0x31, sequence(signer...)))))
}

func (s Signer) attributes(covered []byte) []byte {
	digest := s.Digest
	if digest == nil {
		digest = sum(s.Hash, covered)
	}
	list := [][]byte{sequence(oidContentType, tlv(0x31, oidData)), sequence(oidMessageDigest, tlv(0x31, tlv(4, digest)))}
	if !s.Time.IsZero() {
		list = append(list, sequence(oidSigningTime, tlv(0x31, marshal(s.Time.UTC()))))
	}
	if s.Certified != nil {
		list = append(list, sequence(oidCertificate, tlv(0x31, sequence(sequence(sequence(tlv(4, sum(crypto.SHA256, s.Certified.Raw))))))))
	}
	slices.SortFunc(list, bytes.Compare)
	if s.Unsorted {
		slices.Reverse(list)
	}
	return bytes.Join(list, nil)
}

func (s Signer) method() []byte {
	switch {
	case s.PSS:
		return sequence(oid(1, 2, 840, 113549, 1, 1, 10), sequence(tlv(0xA0, digests[s.Hash]),
			tlv(0xA1, sequence(oid(1, 2, 840, 113549, 1, 1, 8), digests[s.Hash])), tlv(0xA2, marshal(s.Hash.Size()))))
	case isECDSA(s.Key):
		return sequence(oid(1, 2, 840, 10045, 4, 3, map[crypto.Hash]int{crypto.SHA256: 2, crypto.SHA384: 3, crypto.SHA512: 4}[s.Hash]))
	}
	return sequence(oid(1, 2, 840, 113549, 1, 1, 1), null)
}

func isECDSA(key crypto.Signer) bool { _, ok := key.(*ecdsa.PrivateKey); return ok }

func (s Signer) sign(b []byte) []byte {
	digest, o := sum(s.Hash, b), crypto.SignerOpts(s.Hash)
	if s.PSS {
		o = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.Hash}
	}
	if _, ok := s.Key.(ed25519.PrivateKey); ok {
		digest, o = b, crypto.Hash(0)
	}
	value, err := s.Key.Sign(rand.Reader, digest, o)
	if err != nil {
		panic(err)
	}
	return value
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

func marshal(v any) []byte {
	raw, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// tlv writes one value of DER.
func tlv(tag byte, parts ...[]byte) []byte {
	return marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: bytes.Join(parts, nil)})
}

func sequence(parts ...[]byte) []byte { return tlv(0x30, parts...) }
