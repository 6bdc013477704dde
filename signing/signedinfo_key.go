package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"crypto/x509"
	"math/big"
	"strings"
)

// methods are the signature methods that are accepted; it is never written.
var methods = map[string]struct {
	hash  crypto.Hash
	ecdsa bool
}{
	algRSASHA256:   {crypto.SHA256, false},
	algRSASHA384:   {crypto.SHA384, false},
	algRSASHA512:   {crypto.SHA512, false},
	algECDSASHA256: {crypto.SHA256, true},
	algECDSASHA384: {crypto.SHA384, true},
	algECDSASHA512: {crypto.SHA512, true},
}

const (
	maxCertificates     = 10
	maxCertificateBytes = 64 << 10
	// A larger RSA key costs more to verify than a document may ask for.
	maxRSABits = 8192
)

// certificates reads KeyInfo: the signer's certificate first, then hints. The
// first one counts because something must: a verifier that tried one after
// another would let whoever changes KeyInfo choose.
func (v *verification) certificates() ([]*x509.Certificate, error) {
	info := v.el.Children[2]
	if err := v.shape(info, "Id"); err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, data := range info.Children {
		if data.Name != (Name{nsDS, "X509Data"}) {
			return nil, v.refuse(data, KeyInfoNotAllowed, data.Local)
		}
		more, err := v.x509Data(data)
		if err != nil {
			return nil, err
		}
		if certs = append(certs, more...); len(certs) > maxCertificates {
			return nil, v.refusef(data, KeyInfoNotAllowed, "more than %d certificates", maxCertificates)
		}
	}
	if len(certs) == 0 {
		return nil, v.refuse(info, KeyInfoMissing, "")
	}
	return certs, nil
}

func (v *verification) x509Data(e *Element) ([]*x509.Certificate, error) {
	if err := v.shape(e); err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for _, c := range e.Children {
		if c.Space != nsDS {
			return nil, v.refuse(c, KeyInfoNotAllowed, c.Local)
		}
		switch c.Local {
		case "X509SubjectName", "X509IssuerSerial", "X509SKI": // they name what the certificate says better
			if err := v.checkNaming(c); err != nil {
				return nil, err
			}
		case "X509Certificate":
			cert, err := v.certificate(c)
			if err != nil {
				return nil, err
			}
			certs = append(certs, cert)
		default:
			return nil, v.refuse(c, KeyInfoNotAllowed, c.Local)
		}
	}
	return certs, nil
}

// checkNaming holds what names a certificate to text: KeyInfo is not signed, and
// an element in it could be taken for the document's own.
func (v *verification) checkNaming(e *Element) error {
	if e.Local != "X509IssuerSerial" {
		return v.leaf(e)
	}
	if err := v.shape(e); err != nil {
		return err
	}
	for i, local := range []string{"X509IssuerName", "X509SerialNumber"} {
		if len(e.Children) != 2 || e.Children[i].Name != (Name{nsDS, local}) {
			return v.refusef(e, SignatureStructure, "it needs X509IssuerName and X509SerialNumber, in this order")
		}
		if err := v.leaf(e.Children[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) certificate(e *Element) (*x509.Certificate, error) {
	if err := v.leaf(e); err != nil {
		return nil, err
	}
	if len(e.Text) > 2*maxCertificateBytes {
		return nil, v.refusef(e, CertificateMalformed, "too long")
	}
	der, err := v.base64(e)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, nil
	}
	rule := CertificateMalformed
	if strings.Contains(err.Error(), "unsupported elliptic curve") {
		rule = WeakKey
	}
	return nil, v.refusef(e, rule, "the certificate reader says %q", err.Error())
}

// checkValue verifies SignatureValue over the canonical SignedInfo.
func (v *verification) checkValue(alg string, cert *x509.Certificate) error {
	el := v.el.Children[1]
	if refusal := checkKey(cert.PublicKey); refusal != nil {
		return v.placed(v.el.Children[2], refusal)
	}
	value, err := v.base64(el)
	if err != nil {
		return err
	}
	method := methods[alg]
	h := method.hash.New()
	h.Write(v.canonical)
	digest := h.Sum(nil)
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if method.ecdsa {
			return v.refusef(v.el.Children[2], KeyMismatch, "an RSA key for an ECDSA method")
		}
		if err := rsa.VerifyPKCS1v15(key, method.hash, digest, value); err != nil {
			return v.refuse(el, SignatureMismatch, "")
		}
		return nil
	case *ecdsa.PublicKey:
		if !method.ecdsa {
			return v.refusef(v.el.Children[2], KeyMismatch, "an ECDSA key for an RSA method")
		}
		return v.checkECDSA(el, key, digest, value)
	}
	return v.refuse(v.el.Children[2], KeyMismatch, "")
}

// checkECDSA takes r and s, each exactly as wide as the curve's order (XML
// Signature 1.1, 6.4.3); DER, which some software writes, is refused.
func (v *verification) checkECDSA(el *Element, key *ecdsa.PublicKey, digest, value []byte) error {
	width := (key.Curve.Params().BitSize + 7) / 8
	if len(value) != 2*width {
		return v.refusef(el, SignatureMismatch, "%d bytes, r and s need %d", len(value), 2*width)
	}
	r, s := new(big.Int).SetBytes(value[:width]), new(big.Int).SetBytes(value[width:])
	n := key.Curve.Params().N
	if r.Sign() == 0 || s.Sign() == 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return v.refusef(el, SignatureMismatch, "r or s is out of range")
	}
	if !ecdsa.Verify(key, digest, r, s) {
		return v.refuse(el, SignatureMismatch, "")
	}
	return nil
}

// checkKey refuses keys that are too weak to mean anything, and too large to
// be worth their cost.
func checkKey(public crypto.PublicKey) *Error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > maxRSABits {
			return refusef(WeakKey, "RSA key of %d bits", n)
		}
		if key.E < 65537 {
			return refusef(WeakKey, "RSA exponent %d", key.E)
		}
		return nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return refusef(WeakKey, "curve %s", key.Curve.Params().Name)
	}
	return refusef(WeakKey, "a key of type %T", public)
}
