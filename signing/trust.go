package signing

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Trust decides whether a certificate may speak at all: that it comes from a
// root that is trusted, is in force, is meant for signing and has a key worth
// believing. For whom it speaks, and whether it was revoked, are not asked here.
type Trust struct {
	roots         *x509.CertPool
	intermediates *x509.CertPool
}

// maxHints bounds the certificates that a document may add to the search for a
// chain.
const maxHints = 10

// NewTrust trusts certificates that lead to one of the roots, through the
// intermediates where the document does not bring them.
func NewTrust(roots, intermediates []*x509.Certificate) (*Trust, error) {
	if len(roots) == 0 {
		return nil, errors.New("trust: no root certificate given, so no signature could ever count")
	}
	t := &Trust{roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	for _, c := range roots {
		t.roots.AddCert(c)
	}
	for i, c := range intermediates {
		if !c.IsCA {
			return nil, fmt.Errorf("trust: the intermediate certificate %d, %q, is not that of an authority", i+1, c.Subject)
		}
		t.intermediates.AddCert(c)
	}
	return t, nil
}

// Check returns nil if the leaf may sign at the time given, else an *Error. The
// hints are certificates that came with the signature: they can help to find a
// chain, never replace a root.
func (t *Trust) Check(leaf *x509.Certificate, hints []*x509.Certificate, at time.Time) error {
	if err := checkLeaf(leaf); err != nil {
		return err
	}
	if err := checkDates(leaf, at); err != nil {
		return err
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         t.roots,
		Intermediates: t.withHints(hints),
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return chainRefusal(err, leaf)
	}
	return strongest(chains)
}

// withHints leaves out hints whose keys no chain may have anyway: to try one as
// an issuer takes a time that grows with its key, which is a stranger's choice.
func (t *Trust) withHints(hints []*x509.Certificate) *x509.CertPool {
	pool := t.intermediates.Clone()
	for _, c := range hints[:min(len(hints), maxHints)] {
		if checkKey(c.PublicKey) == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// checkLeaf looks at what the certificate says of itself. crypto/x509 judges a
// leaf as a server's or client's; signing documents is neither.
func checkLeaf(leaf *x509.Certificate) error {
	if leaf.IsCA {
		return Refuse(CACertificate, subject(leaf))
	}
	const signing = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if leaf.KeyUsage&signing == 0 {
		return Refuse(KeyUsage, subject(leaf))
	}
	if refusal := checkKey(leaf.PublicKey); refusal != nil {
		return refusal
	}
	return nil
}

func checkDates(c *x509.Certificate, at time.Time) error {
	if at.Before(c.NotBefore) {
		return refusef(CertificateNotYetValid, "%s is valid from %s", subject(c), c.NotBefore.Format(time.RFC3339))
	}
	if at.After(c.NotAfter) {
		return refusef(CertificateExpired, "%s was valid to %s", subject(c), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// chainRefusal names why crypto/x509 found no chain.
func chainRefusal(err error, leaf *x509.Certificate) error {
	refusal := Refuse(UntrustedChain, subject(leaf))
	refusal.Err = err
	var invalid x509.CertificateInvalidError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &critical):
		refusal = Refuse(CertificateConstraint, subject(leaf))
	case errors.As(err, &invalid):
		refusal = Refuse(invalidRule(invalid.Reason), subject(leaf))
	}
	refusal.Err = err
	return refusal
}

func invalidRule(reason x509.InvalidReason) Rule {
	switch reason {
	case x509.Expired: // an authority's: the leaf's dates were checked before
		return CertificateExpired
	case x509.CANotAuthorizedForThisName, x509.NameConstraintsWithoutSANs, x509.UnconstrainedName,
		x509.CANotAuthorizedForExtKeyUsage, x509.TooManyIntermediates, x509.TooManyConstraints:
		return CertificateConstraint
	}
	return UntrustedChain
}

// strongest wants one chain without a weak key in it.
func strongest(chains [][]*x509.Certificate) error {
	var refusal *Error
	for _, chain := range chains {
		if refusal = weakest(chain); refusal == nil {
			return nil
		}
	}
	return refusal
}

func weakest(chain []*x509.Certificate) *Error {
	for _, c := range chain {
		if refusal := checkKey(c.PublicKey); refusal != nil {
			return refusal.about(subject(c))
		}
	}
	return nil
}

// subject names a certificate in an error's detail.
func subject(c *x509.Certificate) string {
	return excerpt([]byte(c.Subject.String()))
}
