package signing

import (
	"crypto"
	"encoding/asn1"
	"math/big"
)

// der reads values in DER (X.690), one after another. encoding/asn1 reads each
// of them strictly: definite and shortest lengths only. What it lets pass, values
// left over in a structure that a Go type describes, is refused here.
//
// The first value that is not what was asked for ends the reading: from then on
// there is nothing more, and flaw names the structure that was being read. So a
// caller asks once, at its end.
type der struct {
	rest []byte
	in   string  // the structure's name in its standard
	flaw *string // of the whole reading; empty: none
}

func newDER(b []byte, in string) *der { return &der{b, in, new(string)} }

func (d *der) fail() {
	if *d.flaw == "" {
		*d.flaw = d.in
	}
	d.rest = nil
}

// is reports whether the next value has the tag, without taking it.
func (d *der) is(class, tag int) bool {
	var v asn1.RawValue
	_, err := asn1.Unmarshal(d.rest, &v)
	return err == nil && v.Class == class && v.Tag == tag
}

// any takes the next value, whatever it is.
func (d *der) any() asn1.RawValue {
	var v asn1.RawValue
	rest, err := asn1.Unmarshal(d.rest, &v)
	if err != nil {
		d.fail()
		return asn1.RawValue{}
	}
	d.rest = rest
	return v
}

func (d *der) take(class, tag int, compound bool) asn1.RawValue {
	v := d.any()
	if v.Class != class || v.Tag != tag || v.IsCompound != compound {
		d.fail()
		return asn1.RawValue{}
	}
	return v
}

// inner reads what is inside of the next value, a structure of the name given.
func (d *der) inner(class, tag int, name string) *der {
	return &der{d.take(class, tag, true).Bytes, name, d.flaw}
}

func (d *der) sequence(name string) *der {
	return d.inner(asn1.ClassUniversal, asn1.TagSequence, name)
}
func (d *der) set(name string) *der { return d.inner(asn1.ClassUniversal, asn1.TagSet, name) }
func (d *der) tagged(tag int, name string) *der {
	return d.inner(asn1.ClassContextSpecific, tag, name)
}

// more reports whether something is left.
func (d *der) more() bool { return len(d.rest) > 0 }

// end refuses what is left.
func (d *der) end() {
	if d.more() {
		d.fail()
	}
}

// primitive takes the next value into v, a pointer to a Go type for a universal
// type that is not structured.
func (d *der) primitive(tag int, v any) {
	raw := d.take(asn1.ClassUniversal, tag, false)
	if raw.FullBytes == nil {
		return
	}
	if _, err := asn1.Unmarshal(raw.FullBytes, v); err != nil {
		d.fail()
	}
}

func (d *der) integer() *big.Int {
	n := new(big.Int)
	d.primitive(asn1.TagInteger, &n)
	return n
}

func (d *der) oid() (id asn1.ObjectIdentifier) {
	d.primitive(asn1.TagOID, &id)
	return id
}

func (d *der) octets() []byte { return d.take(asn1.ClassUniversal, asn1.TagOctetString, false).Bytes }

// algorithm is an AlgorithmIdentifier.
type algorithm struct {
	id         asn1.ObjectIdentifier
	parameters []byte // DER; nil: none
}

func (d *der) algorithm() algorithm {
	s := d.sequence("AlgorithmIdentifier")
	a := algorithm{id: s.oid()}
	if s.more() {
		a.parameters = s.any().FullBytes
	}
	s.end()
	return a
}

// plain reports whether an algorithm has no parameters, or NULL for them.
func (a algorithm) plain() bool { return a.parameters == nil || string(a.parameters) == "\x05\x00" }

// Object identifiers of algorithms.
var (
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidMGF1          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSAWithSHA384 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSAWithSHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECDSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidEd25519       = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// digest is the hash that an algorithm names, 0 if it is none that is accepted.
func (a algorithm) digest() crypto.Hash {
	switch {
	case !a.plain():
		return 0
	case a.id.Equal(oidSHA256):
		return crypto.SHA256
	case a.id.Equal(oidSHA384):
		return crypto.SHA384
	case a.id.Equal(oidSHA512):
		return crypto.SHA512
	}
	return 0
}
