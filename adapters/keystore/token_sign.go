//go:build pkcs11

package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

// mechanism is how a token is asked for a signature, and what becomes of it.
type mechanism struct {
	ask    *pkcs11.Mechanism
	input  []byte
	finish func(value []byte) ([]byte, error)
}

// hashes are what a token calls a hash in RSASSA-PSS, and its identifier in
// PKCS #1 v1.5 (RFC 8017, B.1). It is never written.
var hashes = map[crypto.Hash]struct {
	name, mask uint
	id         asn1.ObjectIdentifier
}{
	crypto.SHA256: {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}},
	crypto.SHA384: {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}},
	crypto.SHA512: {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}},
}

func mechanismOf(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (mechanism, error) {
	if hash := opts.HashFunc(); hash == 0 || hash.Size() != len(digest) {
		return mechanism{}, fmt.Errorf("%d bytes are no digest of the hash %v", len(digest), hash)
	}
	asItIs := func(value []byte) ([]byte, error) { return value, nil }
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), digest, inDER}, nil
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			ask, err := askPSS(public, pss)
			return mechanism{ask, digest, asItIs}, err
		}
		info, err := digestInfo(digest, opts.HashFunc())
		return mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil), info, asItIs}, err
	}
	return mechanism{}, fmt.Errorf("a key of type %T in a token is not used: RSA and ECDSA keys are", public)
}

func askPSS(public *rsa.PublicKey, opts *rsa.PSSOptions) (*pkcs11.Mechanism, error) {
	hash, ok := hashes[opts.Hash]
	if !ok {
		return nil, fmt.Errorf("the hash %v is not used with a token", opts.Hash)
	}
	salt := opts.SaltLength
	switch salt {
	case rsa.PSSSaltLengthAuto: // the longest (RFC 8017, 9.1.1)
		salt = (public.N.BitLen()-1+7)/8 - 2 - opts.Hash.Size()
	case rsa.PSSSaltLengthEqualsHash:
		salt = opts.Hash.Size()
	}
	return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(hash.name, hash.mask, uint(salt))), nil
}

// digestInfo is what PKCS #1 v1.5 signs (RFC 8017, 9.2).
func digestInfo(digest []byte, by crypto.Hash) ([]byte, error) {
	hash, ok := hashes[by]
	if !ok {
		return nil, fmt.Errorf("the hash %v is not used with a token", by)
	}
	return asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}{pkix.AlgorithmIdentifier{Algorithm: hash.id, Parameters: asn1.NullRawValue}, digest})
}

// inDER turns r and s side by side, as a token gives them, into the form that a
// crypto.Signer gives.
func inDER(value []byte) ([]byte, error) {
	if len(value) == 0 || len(value)%2 != 0 {
		return nil, errors.New("the token gave an ECDSA signature of uneven length")
	}
	half := len(value) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:half]), new(big.Int).SetBytes(value[half:])})
}

// sign uses one session; it waits for one if all are in use.
func (c *connection) sign(how mechanism) ([]byte, error) {
	s := <-c.free
	defer func() { c.free <- s }()
	c.module.use.RLock()
	defer c.module.use.RUnlock()
	if c.outlived() {
		return nil, pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID)
	}
	if err := c.module.SignInit(s, []*pkcs11.Mechanism{how.ask}, c.key); err != nil {
		return nil, err
	}
	return c.module.Sign(s, how.input)
}

func verifies(public crypto.PublicKey, digest, signature []byte) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, signature) == nil
	}
	return false
}
