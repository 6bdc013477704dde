package signing

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Trust decides whether a certificate may speak at all: that it comes from a
// root that is trusted, is in force, is meant for signing and has a key worth
// believing. For whom it speaks, and whether it was revoked, are not asked here.
type Trust struct {
	// Skew is how far the clocks of those who issue certificates, of those who
	// sign and of this machine may be apart: a chain counts if it was in force
	// that much earlier or later. NewTrust sets DefaultSkew.
	Skew time.Duration

	roots         *x509.CertPool
	intermediates *x509.CertPool
	found         chains
}

// DefaultSkew is what clocks may differ by if nobody says otherwise.
const DefaultSkew = 5 * time.Minute

// maxHints bounds the certificates that a document may add to the search for a
// chain.
const maxHints = 10

// NewTrust trusts certificates that lead to one of the roots, through the
// intermediates where the document does not bring them.
func NewTrust(roots, intermediates []*x509.Certificate) (*Trust, error) {
	if len(roots) == 0 {
		return nil, errors.New("trust: no root certificate given, so no signature could ever count")
	}
	t := &Trust{Skew: DefaultSkew, roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
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
	_, err := t.Chain(leaf, hints, at)
	return err
}

// Chain is the chain by which the leaf may sign at the time given: the leaf
// first, then its issuers, the trusted root last. If there is none it is an
// *Error that says why, as Check does.
func (t *Trust) Chain(leaf *x509.Certificate, hints []*x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	key := chainKey(leaf, hints)
	if chain := t.found.at(key, at); chain != nil {
		return chain, nil
	}
	chain, err := t.find(leaf, hints, at)
	if err == nil {
		t.found.keep(key, chain)
	}
	return chain, err
}

func (t *Trust) find(leaf *x509.Certificate, hints []*x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	if err := checkLeaf(leaf); err != nil {
		return nil, err
	}
	if err := checkDates(leaf, at, t.Skew); err != nil {
		return nil, err
	}
	pool := t.withHints(hints)
	var first error
	for _, moment := range []time.Time{at, at.Add(-t.Skew), at.Add(t.Skew)} {
		chain, err := t.chainAt(leaf, pool, within(leaf, moment))
		if err == nil {
			return chain, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func (t *Trust) chainAt(leaf *x509.Certificate, pool *x509.CertPool, at time.Time) ([]*x509.Certificate, error) {
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         t.roots,
		Intermediates: pool,
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, chainRefusal(err, leaf)
	}
	return best(chains)
}

// within is the moment of the leaf's validity that is nearest to at.
func within(leaf *x509.Certificate, at time.Time) time.Time {
	if at.Before(leaf.NotBefore) {
		return leaf.NotBefore
	}
	if at.After(leaf.NotAfter) {
		return leaf.NotAfter
	}
	return at
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

func checkDates(c *x509.Certificate, at time.Time, skew time.Duration) error {
	if at.Add(skew).Before(c.NotBefore) {
		return refusef(CertificateNotYetValid, "%s is valid from %s", subject(c), c.NotBefore.Format(time.RFC3339))
	}
	if at.Add(-skew).After(c.NotAfter) {
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

// best is the first chain without a fault of its own; else why the last has one.
func best(chains [][]*x509.Certificate) ([]*x509.Certificate, error) {
	var refusal *Error
	for _, chain := range chains {
		if refusal = faultOf(chain); refusal == nil {
			return chain, nil
		}
	}
	return nil, refusal
}

// faultOf finds what crypto/x509 lets pass: a weak key, and constraints that
// nobody judges.
func faultOf(chain []*x509.Certificate) *Error {
	for _, c := range chain {
		if refusal := checkKey(c.PublicKey); refusal != nil {
			return refusal.about(subject(c))
		}
		if constrainsOther(c) {
			return refusef(CertificateConstraint, "%s constrains names of a kind that is not judged", subject(c))
		}
	}
	return nil
}

// oidNameConstraints is id-ce-nameConstraints (RFC 5280, 4.2.1.10).
var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// constrainsOther reports whether the authority may issue only for some names
// of a kind that crypto/x509 does not judge: directory names above all, which
// agencies' certificates have. crypto/x509 refuses them where they are marked
// critical, as they have to be, and else passes over them.
func constrainsOther(c *x509.Certificate) bool {
	i := slices.IndexFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) })
	if i < 0 {
		return false
	}
	var names struct {
		Permitted []subtree `asn1:"optional,tag:0"`
		Excluded  []subtree `asn1:"optional,tag:1"`
	}
	if rest, err := asn1.Unmarshal(c.Extensions[i].Value, &names); err != nil || len(rest) > 0 {
		return true
	}
	return slices.ContainsFunc(append(names.Permitted, names.Excluded...), subtree.other)
}

// subtree is a GeneralSubtree (RFC 5280, 4.2.1.10).
type subtree struct {
	Base    asn1.RawValue
	Minimum int `asn1:"optional,tag:0"`
	Maximum int `asn1:"optional,tag:1"`
}

// other reports whether the name is of a kind that crypto/x509 does not judge:
// it judges rfc822Name, dNSName, uniformResourceIdentifier and iPAddress.
func (s subtree) other() bool { return !slices.Contains([]int{1, 2, 6, 7}, s.Base.Tag) }

// subject names a certificate in an error's detail.
func subject(c *x509.Certificate) string {
	return excerpt([]byte(c.Subject.String()))
}
