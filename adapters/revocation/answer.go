package revocation

import (
	"crypto/x509"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

// An answer is what one source says of one certificate.
type answer struct {
	source     string
	thisUpdate time.Time
	nextUpdate time.Time // zero: none was given
	revoked    bool
	revokedAt  time.Time
	invalidAt  time.Time // when the key is thought to have been lost; zero: not said
	reason     int
}

// at judges the certificate for the moment given.
func (a answer) at(moment time.Time) exchange.RevocationFinding {
	f := exchange.RevocationFinding{State: exchange.RevocationGood, Source: a.source, ThisUpdate: a.thisUpdate, NextUpdate: a.nextUpdate}
	if !a.revoked {
		return f
	}
	f.RevokedAt, f.Reason = a.revokedAt, exchange.CRLReason(a.reason)
	if !a.revokedAt.After(moment) || a.lostBefore(moment) {
		f.State = exchange.RevocationRevoked
	}
	return f
}

// lostBefore reports whether the key was in wrong hands by then, whenever that
// was noticed (RFC 5280, 5.3.2).
func (a answer) lostBefore(moment time.Time) bool {
	compromised := a.reason == ocsp.KeyCompromise || a.reason == ocsp.CACompromise
	return compromised && !a.invalidAt.IsZero() && !a.invalidAt.After(moment)
}

// acquits reports whether silence about the certificate means anything: entries
// may be left out once it has expired.
func (a answer) acquits(c *x509.Certificate, keepsExpired time.Time) bool {
	kept := !keepsExpired.IsZero() && !keepsExpired.After(c.NotAfter)
	return kept || !a.thisUpdate.After(c.NotAfter)
}

// final reports whether the revocation can no longer be undone.
func (a answer) final() bool { return a.revoked && a.reason != ocsp.CertificateHold }
