package exchange

import (
	"context"
	"crypto/x509"
	"time"
)

// RevocationState says what is known of a certificate's revocation.
type RevocationState string

// What may be known.
const (
	RevocationGood    RevocationState = "good"
	RevocationRevoked RevocationState = "revoked"
	RevocationUnknown RevocationState = "unknown"
)

// RevocationFinding is the answer for a whole chain: the worst of its certificates.
type RevocationFinding struct {
	State       RevocationState `json:"state"`
	Certificate Digest          `json:"certificate,omitzero"` // the one that decides
	Source      string          `json:"source,omitempty"`     // URL of the CRL or responder
	CheckedAt   time.Time       `json:"checkedAt"`
	ThisUpdate  time.Time       `json:"thisUpdate,omitzero"`
	NextUpdate  time.Time       `json:"nextUpdate,omitzero"`
	RevokedAt   time.Time       `json:"revokedAt,omitzero"`
	Reason      string          `json:"reason,omitempty"` // CRL reason by name, or why nothing is known
}

// Revocation tells whether a certificate of a chain (leaf first, root last) was revoked at the time given. The root is not asked about. It never fails: what cannot be found out is RevocationUnknown with the reason.
type Revocation interface {
	Check(ctx context.Context, chain []*x509.Certificate, at time.Time) RevocationFinding
}
