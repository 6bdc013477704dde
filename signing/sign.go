package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
)

// The signature that Sign writes: the form of the national sample, in canonical
// form inside. As with Seal, SignedInfo declares the namespace where it is
// hashed alone, and its parent where it stands.
const (
	declareDefault = ` xmlns="` + nsDS + `"`

	// Arguments: signature method, digest of the document; then the declaration.
	packageInfo = `<SignedInfo%[3]s>` +
		`<CanonicalizationMethod Algorithm="` + algExcC14N + `"></CanonicalizationMethod>` +
		`<SignatureMethod Algorithm="%[1]s"></SignatureMethod>` +
		`<Reference URI=""><Transforms>` +
		`<Transform Algorithm="` + algEnveloped + `"></Transform>` +
		`<Transform Algorithm="` + algExcC14N + `"></Transform>` +
		`</Transforms><DigestMethod Algorithm="` + algSHA256 + `"></DigestMethod>` +
		`<DigestValue>%[2]s</DigestValue></Reference>` +
		`</SignedInfo>`

	// Arguments: SignedInfo, signature value, subject, X509Certificate elements.
	packageSignature = `<Signature` + declareDefault + `>%[1]s<SignatureValue>%[2]s</SignatureValue>` +
		`<KeyInfo><X509Data><X509SubjectName>%[3]s</X509SubjectName>%[4]s</X509Data></KeyInfo></Signature>`
)

// Why Sign refuses a package that the scanner does not.
var (
	ErrSigned     = errors.New("the package carries a signature already: sign it as it was before, or send it as it is")
	ErrNoPlace    = errors.New("the package has no single place for the signature")
	ErrEmptyPlace = errors.New("the element that is to hold the signature is written as an empty element")
)

// Sign copies the package in src to dst with an enveloped signature as the last
// child of the element that place reaches by names from the root, the root's
// included; nil means the root. Nothing else changes: not a byte.
//
// The package may be of any size the default Limits allow: it is read twice,
// from its beginning, and never held in memory. The second time it is written,
// and what is written is verified on the way. When Sign returns an error, what
// dst has taken is worthless; when it returns nil, the signature holds.
//
// chain begins with the key's certificate, as for NewSealer.
func Sign(dst io.Writer, src io.ReadSeeker, key crypto.Signer, chain []*x509.Certificate, place []Name) error {
	by, err := newSignatory(key, chain)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	found, err := scanForSigning(src, place)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	signature, err := by.enveloped(found.digest)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("signing: going back to the package's beginning: %w", err)
	}
	signed := io.MultiReader(io.LimitReader(src, found.end), bytes.NewReader(signature), src)
	if err := by.verifyPackage(io.TeeReader(signed, dst), place); err != nil {
		return fmt.Errorf("signing: writing the package and verifying it (has it changed meanwhile?): %w", err)
	}
	return nil
}

// enveloped returns the Signature for a package of the digest given.
func (s signatory) enveloped(digest [sha256.Size]byte) ([]byte, error) {
	value := base64Of(digest)
	signature, err := s.sign(fmt.Appendf(nil, packageInfo, s.method, value, declareDefault))
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, packageSignature,
		fmt.Sprintf(packageInfo, s.method, value, ""), signature,
		AppendText(nil, s.chain[0].Subject.String()), s.certificates("")), nil
}

// verifyPackage verifies a signed package as everyone else will, to its last byte.
func (s signatory) verifyPackage(signed io.Reader, place []Name) error {
	o := Options{NoDigest: true}
	if len(place) > 0 {
		o.SignatureIn = [][]Name{place}
	}
	p := passage{scanner: newScanner(signed, o)}
	defer p.release()
	if err := p.document(); err != nil {
		return err
	}
	return s.verify(p.scanner)
}
