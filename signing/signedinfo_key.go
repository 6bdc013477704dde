package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
)

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
func (v *verification) checkValue(m method, cert *x509.Certificate) (err error) {
	el := v.el.Children[1]
	if refusal := checkKey(cert.PublicKey); refusal != nil {
		return v.placed(v.el.Children[2], refusal)
	}
	if v.value, err = v.base64(el); err != nil {
		return err
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return v.checkRSA(el, key, m)
	case *ecdsa.PublicKey:
		if m.scheme != schemeECDSA {
			return v.refusef(v.el.Children[2], KeyMismatch, "an ECDSA key for %s", v.info.algorithm)
		}
		return v.checkECDSA(el, key, m.digest(v.canonical), v.value)
	case ed25519.PublicKey:
		if m.scheme != schemeEd25519 {
			return v.refusef(v.el.Children[2], KeyMismatch, "an Ed25519 key for %s", v.info.algorithm)
		}
		if !ed25519.Verify(key, v.canonical, v.value) { // false for another length
			return v.refuse(el, SignatureMismatch, "")
		}
		return nil
	}
	return v.refuse(v.el.Children[2], KeyMismatch, "")
}

// digest is what the key signs.
func (m method) digest(b []byte) []byte {
	h := m.hash.New()
	h.Write(b)
	return h.Sum(nil)
}

func (v *verification) checkRSA(el *Element, key *rsa.PublicKey, m method) error {
	var err error
	switch m.scheme {
	case schemeRSA:
		err = rsa.VerifyPKCS1v15(key, m.hash, m.digest(v.canonical), v.value)
	case schemePSS:
		err = rsa.VerifyPSS(key, m.hash, m.digest(v.canonical), v.value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.hash})
	default:
		return v.refusef(v.el.Children[2], KeyMismatch, "an RSA key for %s", v.info.algorithm)
	}
	if err != nil {
		return v.refuse(el, SignatureMismatch, "")
	}
	return nil
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
	case ed25519.PublicKey:
		return nil
	}
	return refusef(WeakKey, "a key of type %T", public)
}
