package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// A TimeStamp is what an RFC 3161 time-stamp token says, once Trust has checked
// it: that some data existed at a time, on the word of an authority.
type TimeStamp struct {
	Time time.Time // genTime, in UTC
	// Accuracy is how far the true time may be from Time, either way; 0: the
	// authority does not say.
	Accuracy time.Duration
	// Ordering means that of two tokens of this authority the one with the
	// later Time was made later, whatever the accuracy.
	Ordering  bool
	Policy    string   // object identifier, dotted
	Serial    *big.Int // of the token, unique for its authority
	Hash      crypto.Hash
	Authority *x509.Certificate // whose key signed the token
}

// TimeStampRequest asks an authority for a token over data (RFC 3161, 2.4.1).
type TimeStampRequest struct {
	Digest [sha256.Size]byte // of the data
	// Nonce is a large random number: the answer must repeat it.
	Nonce *big.Int
	// Policy is the object identifier of the policy asked for; nil: the
	// authority's choice.
	Policy asn1.ObjectIdentifier
}

// Marshal is the request in DER, as an HTTP body of type
// application/timestamp-query (RFC 3161, 3.4). It asks for the certificate.
func (q TimeStampRequest) Marshal() ([]byte, error) {
	type imprint struct {
		Algorithm struct {
			ID   asn1.ObjectIdentifier
			Null asn1.RawValue
		}
		Digest []byte
	}
	request := struct {
		Version int
		Imprint imprint
		Policy  asn1.ObjectIdentifier `asn1:"optional"`
		Nonce   *big.Int
		CertReq bool
	}{Version: 1, Policy: q.Policy, Nonce: q.Nonce, CertReq: true}
	request.Imprint.Algorithm.ID, request.Imprint.Algorithm.Null = oidSHA256, asn1.NullRawValue
	request.Imprint.Digest = q.Digest[:]
	if q.Nonce == nil || q.Nonce.Sign() <= 0 {
		return nil, fmt.Errorf("asking for a time-stamp: the nonce must be a positive number")
	}
	return asn1.Marshal(request)
}

// Token takes the token out of the authority's answer (RFC 3161, 2.4.2) and
// holds it to the request: imprint, nonce and policy. The errors are *Error.
// Whether the token holds is Trust.CheckTimeStamp's to say.
func (q TimeStampRequest) Token(answer []byte) ([]byte, error) {
	if len(answer) > maxTimeStamp {
		return nil, refusef(TimeStampForm, "more than %d bytes", maxTimeStamp)
	}
	top := newDER(answer, "TimeStampResp")
	response := top.sequence("TimeStampResp")
	top.end()
	status := response.sequence("PKIStatusInfo")
	granted := status.integer()
	if *top.flaw != "" {
		return nil, malformedTimeStamp(*top.flaw)
	}
	const grantedWithMods = 1
	if granted.Sign() < 0 || granted.Cmp(big.NewInt(grantedWithMods)) > 0 {
		return nil, refusedTimeStamp(granted, status)
	}
	token := response.any().FullBytes
	response.end()
	if *top.flaw != "" {
		return nil, malformedTimeStamp(*top.flaw)
	}
	p, err := parseTimeStamp(token)
	if err != nil {
		return nil, err
	}
	if p.info.hash != crypto.SHA256 || !bytes.Equal(p.info.imprint, q.Digest[:]) {
		return nil, Refuse(TimeStampImprint, "")
	}
	if p.info.nonce == nil || p.info.nonce.Cmp(q.Nonce) != 0 {
		return nil, Refuse(TimeStampNonce, "")
	}
	if q.Policy != nil && !p.info.policy.Equal(q.Policy) {
		return nil, Refuse(TimeStampPolicy, p.info.policy.String())
	}
	return bytes.Clone(token), nil
}

// refusedTimeStamp says why the authority gives no token: the first of its
// reasons that it names (RFC 3161, 2.4.2).
func refusedTimeStamp(granted *big.Int, status *der) *Error {
	if status.is(asn1.ClassUniversal, asn1.TagSequence) {
		status.any() // free text in any language: not shown
	}
	var reasons asn1.BitString
	if status.more() {
		status.primitive(asn1.TagBitString, &reasons)
	}
	switch {
	case reasons.At(0) == 1:
		return refusef(TimeStampRefused, "it does not know the digest algorithm: badAlg")
	case reasons.At(2) == 1:
		return refusef(TimeStampRefused, "it does not do what was asked: badRequest")
	case reasons.At(5) == 1:
		return refusef(TimeStampRefused, "it could not read the request: badDataFormat")
	case reasons.At(14) == 1:
		return refusef(TimeStampRefused, "its source of time is not to be had: timeNotAvailable")
	case reasons.At(15) == 1:
		return refusef(TimeStampRefused, "it does not serve the policy asked for: unacceptedPolicy")
	case reasons.At(16) == 1:
		return refusef(TimeStampRefused, "it does not serve an extension asked for: unacceptedExtension")
	case reasons.At(17) == 1:
		return refusef(TimeStampRefused, "it does not have the information asked for: addInfoNotAvailable")
	case reasons.At(25) == 1:
		return refusef(TimeStampRefused, "a failure of its own: systemFailure")
	}
	return refusef(TimeStampRefused, "status %s, no reason given", granted.String())
}

func malformedTimeStamp(flaw string) *Error {
	return refusef(TimeStampForm, "%s is not as RFC 3161 has it, in DER", flaw)
}
