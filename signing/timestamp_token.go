package signing

import (
	"crypto"
	"encoding/asn1"
	"math/big"
	"time"
)

// maxTimeStamp is the most bytes of a token, or of an authority's answer.
const maxTimeStamp = 64 << 10

var oidTSTInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

// A timeStampToken is a token that was read: its form holds, nothing else.
type timeStampToken struct {
	signedData // its content is the TSTInfo
	info       tstInfo
}

// tstInfo is what a token states (RFC 3161, 2.4.2).
type tstInfo struct {
	policy   asn1.ObjectIdentifier
	hash     crypto.Hash
	imprint  []byte
	serial   *big.Int
	time     time.Time
	accuracy time.Duration
	ordering bool
	nonce    *big.Int // nil: none
}

// parseTimeStamp reads a token: DER to the last byte, version and content type,
// exactly one signer, and nothing that is not signed but certificates.
func parseTimeStamp(token []byte) (*timeStampToken, error) {
	if len(token) > maxTimeStamp {
		return nil, refusef(TimeStampForm, "more than %d bytes", maxTimeStamp)
	}
	data, top, refusal := cms{oidTSTInfo, true}.read(token)
	t := &timeStampToken{}
	if refusal == nil {
		t.signedData = *data
		content := &der{t.content, "TSTInfo", top.flaw}
		inner := content.sequence("TSTInfo")
		content.end()
		t.info, refusal = readTSTInfo(inner)
	}
	if *top.flaw != "" {
		return nil, malformedTimeStamp(*top.flaw)
	}
	if refusal != nil {
		return nil, refusal
	}
	return t, nil
}

func readTSTInfo(d *der) (t tstInfo, refusal *Error) {
	if !isInt(d.integer(), 1) {
		d.fail()
	}
	t.policy = d.oid()
	imprint := d.sequence("MessageImprint")
	if t.hash = imprint.algorithm().digest(); t.hash == 0 && *d.flaw == "" {
		return t, refusef(TimeStampAlgorithm, "the imprint is not of SHA-256, SHA-384 or SHA-512")
	}
	t.imprint = imprint.octets()
	imprint.end()
	t.serial = d.integer()
	t.time = readGenTime(d)
	if d.is(asn1.ClassUniversal, asn1.TagSequence) {
		t.accuracy = readAccuracy(d.sequence("Accuracy"))
	}
	if d.is(asn1.ClassUniversal, asn1.TagBoolean) {
		if d.primitive(asn1.TagBoolean, &t.ordering); !t.ordering {
			d.fail() // DER leaves the default out
		}
	}
	if d.is(asn1.ClassUniversal, asn1.TagInteger) {
		t.nonce = d.integer()
	}
	if d.is(asn1.ClassContextSpecific, 0) {
		d.any() // the authority's name as it calls itself: the certificate tells it
	}
	if d.is(asn1.ClassContextSpecific, 1) {
		refusal = readExtensions(d.tagged(1, "Extensions"))
	}
	d.end()
	return t, refusal
}

// readGenTime reads a GeneralizedTime in UTC with a fraction of a second that
// has no trailing zeros, if any (RFC 3161, 2.4.2).
func readGenTime(d *der) time.Time {
	text := string(d.take(asn1.ClassUniversal, asn1.TagGeneralizedTime, false).Bytes)
	at, err := time.Parse("20060102150405Z", text)
	if err != nil || at.Format("20060102150405.999999999Z") != text {
		d.fail()
		return time.Time{}
	}
	return at
}

// readAccuracy adds up seconds, milliseconds and microseconds.
func readAccuracy(d *der) time.Duration {
	var sum time.Duration
	add := func(n *big.Int, unit time.Duration, most int64) {
		if !n.IsInt64() || n.Int64() < 0 || n.Int64() > most {
			d.fail()
			return
		}
		sum += time.Duration(n.Int64()) * unit
	}
	if d.is(asn1.ClassUniversal, asn1.TagInteger) {
		const century = 100 * 366 * 24 * 60 * 60
		add(d.integer(), time.Second, century)
	}
	for tag, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		if d.is(asn1.ClassContextSpecific, tag) {
			v := d.take(asn1.ClassContextSpecific, tag, false)
			n := &der{append([]byte{asn1.TagInteger}, v.FullBytes[min(1, len(v.FullBytes)):]...), "Accuracy", d.flaw}
			add(n.integer(), unit, 999)
		}
	}
	d.end()
	return sum
}

// readExtensions refuses extensions that must be understood: none is known here.
func readExtensions(d *der) *Error {
	for d.more() {
		e := d.sequence("Extension")
		id, critical := e.oid(), false
		if e.is(asn1.ClassUniversal, asn1.TagBoolean) {
			e.primitive(asn1.TagBoolean, &critical)
		}
		e.octets()
		e.end()
		if critical {
			return refusef(TimeStampForm, "it has the critical extension %s", id.String())
		}
	}
	return nil
}
