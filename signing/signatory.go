package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384 and SHA-512 for the larger curves
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// A signatory is a key, the certificates that speak for it, and the signature
// method that follows from it.
type signatory struct {
	key    crypto.Signer
	chain  []*x509.Certificate // leaf first
	method string              // URI of the SignatureMethod
	hash   crypto.Hash         // 0 for Ed25519, which signs the message itself
	width  int                 // octets of r and of s; 0 for RSA and Ed25519
}

func newSignatory(key crypto.Signer, chain []*x509.Certificate) (signatory, error) {
	if key == nil {
		return signatory{}, errors.New("no key given")
	}
	if err := checkChain(key.Public(), chain); err != nil {
		return signatory{}, err
	}
	s := signatory{key: key, chain: chain}
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		return s.withECDSA(public)
	case *rsa.PublicKey:
		return s.withRSA(public)
	case ed25519.PublicKey:
		s.method = algEd25519 // RFC 9231, 2.3.12
		return s, nil
	}
	return signatory{}, fmt.Errorf("a key of type %T cannot sign: use ECDSA P-256, P-384 or P-521, RSA of 2048 bits or more, or Ed25519", key.Public())
}

// checkChain finds the mistakes of configuration that would make every
// signature worthless. Whether the chain leads to a trusted root is not asked
// here: that is for those who read the signatures.
func checkChain(public crypto.PublicKey, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("no certificate given: the chain must begin with the key's own")
	}
	leaf, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !leaf.Equal(public) {
		return fmt.Errorf("the key does not belong to the first certificate, %q: put the key's own certificate first", chain[0].Subject)
	}
	if use := chain[0].KeyUsage; use != 0 && use&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return fmt.Errorf("the certificate %q is not for signing: its key usage needs digitalSignature or nonRepudiation", chain[0].Subject)
	}
	for i, issuer := range chain[1:] {
		if !bytes.Equal(chain[i].RawIssuer, issuer.RawSubject) {
			return fmt.Errorf("the certificate %q was not issued by the next one, %q: order the chain from the leaf upwards", chain[i].Subject, issuer.Subject)
		}
	}
	return nil
}

// withECDSA pairs each curve with the hash of its strength (RFC 9231, 2.3.6).
func (s signatory) withECDSA(public *ecdsa.PublicKey) (signatory, error) {
	bits := public.Curve.Params().BitSize
	s.width = (bits + 7) / 8
	switch bits {
	case 256:
		s.method, s.hash = algECDSASHA256, crypto.SHA256
	case 384:
		s.method, s.hash = algECDSASHA384, crypto.SHA384
	case 521:
		s.method, s.hash = algECDSASHA512, crypto.SHA512
	default:
		return signatory{}, fmt.Errorf("the ECDSA key is on a curve of %d bits: use P-256, P-384 or P-521", bits)
	}
	return s, nil
}

func (s signatory) withRSA(public *rsa.PublicKey) (signatory, error) {
	if public.N.BitLen() < 2048 {
		return signatory{}, fmt.Errorf("the RSA key has %d bits: use 2048 or more", public.N.BitLen())
	}
	if public.E < 65537 {
		return signatory{}, fmt.Errorf("the RSA key has the exponent %d: use 65537", public.E)
	}
	s.method, s.hash = algRSASHA256, crypto.SHA256
	return s, nil
}

// sign returns the base64 of the signature over a canonical SignedInfo.
func (s signatory) sign(info []byte) (string, error) {
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(info)
		info = h.Sum(nil)
	}
	value, err := s.key.Sign(rand.Reader, info, s.hash)
	if err != nil {
		return "", fmt.Errorf("signing with the key: %w", err)
	}
	if s.width > 0 {
		value, err = fixedWidth(value, s.width)
	}
	return base64.StdEncoding.EncodeToString(value), err
}

// fixedWidth turns an ECDSA signature from the DER that a crypto.Signer gives
// into r and s, each of the curve's width, as XML signatures have it (XML
// Signature 1.1, 6.4.3).
func fixedWidth(der []byte, width int) ([]byte, error) {
	var point struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &point)
	if err != nil {
		return nil, fmt.Errorf("reading the key's ECDSA signature: %w", err)
	}
	if len(rest) > 0 || !fits(point.R, width) || !fits(point.S, width) {
		return nil, errors.New("the key gave an ECDSA signature that does not fit its curve")
	}
	value := make([]byte, 2*width)
	point.R.FillBytes(value[:width])
	point.S.FillBytes(value[width:])
	return value, nil
}

func fits(n *big.Int, width int) bool { return n.Sign() > 0 && n.BitLen() <= 8*width }

// certificates returns an X509Certificate element for each certificate.
func (s signatory) certificates(prefix string) string {
	var b strings.Builder
	for _, c := range s.chain {
		fmt.Fprintf(&b, "<%[1]sX509Certificate>%[2]s</%[1]sX509Certificate>", prefix, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return b.String()
}

// verify verifies the signature of a document that was scanned; it must be ours.
func (s signatory) verify(read *scanner) error {
	v := read.sig.check
	if v == nil {
		return errors.New("no signature is seen")
	}
	signature, err := v.finish(read.canon.sum(), func() error { return v.readAgain(nil, Options{}, nil) })
	if err != nil {
		return err
	}
	if !signature.Certificate.Equal(s.chain[0]) {
		return errors.New("the signature is verified by another certificate than ours")
	}
	return nil
}
