// Package revocation finds out whether certificates were revoked, from CRLs
// (RFC 5280) and OCSP responders (RFC 6960).
//
// Promises, beside those of exchange.Revocation:
//
//   - An answer counts only if the certificate's own issuer signed it, or, for
//     OCSP, a responder that the issuer certified for that; if it is in force at
//     this moment, give or take the clock skew; and if it is about this very
//     certificate. Everything else is RevocationUnknown with a reason: an OCSP
//     "unknown", a stale answer, one that cannot be read.
//   - A CRL never goes back: one with a lower number or an earlier date than the
//     one before is refused, across restarts too.
//   - A CRL is fetched, verified and indexed once, however many ask at the same
//     moment, and again in the background before it runs out. Looking a
//     certificate up takes the same time in a CRL of ten and of 100,000 entries.
//   - Accepted CRLs are kept in a directory, each replaced as a whole, so that
//     neither a restart nor an authority's outage before NextUpdate matters.
//   - A check takes at most Config.Timeout, and no time at all while a server is
//     known to be down: it is asked again after a pause that grows, for CRLs in
//     the background.
//   - Only http and https URLs are called, never with a redirect that leaves
//     them, and never an address beside the machine (see Config.Allow).
//
// What is decided here, and why:
//
//   - Whether a certificate was revoked is asked for a moment, at. A revocation
//     dated after it leaves the certificate good for that moment; the finding
//     tells the date all the same. A compromised key (keyCompromise,
//     cACompromise) with an invalidity date at or before the moment counts as
//     revoked, whenever the revocation was.
//   - A hold counts as revoked while it lasts. An entry removeFromCRL says that
//     one was lifted, and counts as no entry.
//   - A stale CRL acquits nobody, but it still condemns: revocation, other than
//     a hold, is final.
//   - Once a certificate has expired its issuer need not list it any more, so
//     nothing that was issued later acquits it, unless the CRL says that it keeps
//     such entries (expiredCertsOnCRL).
//   - A responder's certificate with id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2.1)
//     is believed while it is in force. One without is looked up in its issuer's
//     CRL, and its answers do not count as long as that does not say good.
//   - A response without a nonce counts if it is fresh, as many responders sign
//     in advance (RFC 5019, 4); Config.Nonce demands one. A wrong nonce never
//     counts. A response without nextUpdate counts within the clock skew of its
//     thisUpdate.
//   - Of a CRL and a responder, the preferred one that gives an answer decides;
//     the other is not asked for a second opinion.
//   - A CRL that cannot be kept on disk is not used: it could be rolled back
//     after a restart.
//
// Not done: delta CRLs, indirect CRLs, CRLs for some reasons only, CRLs signed by
// another key than the certificate, distribution points named by a directory name,
// LDAP, responders that an operator rather than the issuer declares trustworthy
// (RFC 6960, 4.2.2.2), OCSP answers signed with RSA-PSS or Ed25519. Each is refused
// by name. Requests go past no proxy.
package revocation
