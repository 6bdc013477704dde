package revocation

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"tram/exchange"
)

func answering(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }

func unchecked(c *x509.Certificate) {
	answering(c)
	c.ExtraExtensions = []pkix.Extension{{Id: oidNoCheck, Value: asn1.NullBytes}}
}

// TestResponses is the catalogue of what a responder, or someone in its place,
// may send.
func TestResponses(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp")
	other := certify(t, "other authority", &w.root, authority)
	namesake := certify(t, "issuing authority", nil, authority)
	alias := certifyKey(t, "another name", w.ca.key, &w.root, authority)
	responder := certify(t, "responder", &w.ca, unchecked)
	by := func(p party) func(*reply) {
		return func(r *reply) { r.by, r.with = p, []*x509.Certificate{p.cert} }
	}
	signed := func(name string, issuer *party, alter func(*x509.Certificate)) func(*reply) {
		return by(certify(t, name, issuer, alter))
	}
	sum := sha1.Sum(must(keyBits(w.ca.cert)))
	hour := func(n time.Duration) time.Time { return base.Add(n * time.Hour) }
	invalid := func(when time.Time) []pkix.Extension {
		return []pkix.Extension{{Id: oidInvalidAt, Value: must(asn1.MarshalWithParams(when.UTC(), "generalized"))}}
	}
	const good, responders = "good", "unknown: ocsp-responder"

	for _, tt := range []struct {
		name  string
		alter func(*reply)
		want  string
	}{
		{"by the issuer", nil, good},
		{"by the issuer, which sends its certificate", by(w.ca), good},
		{"by the issuer, named by its key", func(r *reply) { r.keyHash = sum[:] }, good},
		{"by a responder that the issuer certified", by(responder), good},
		{"about the certificate's issuer by SHA-256", func(r *reply) { r.hash = crypto.SHA256 }, good},
		{"revoked", func(r *reply) { r.status, r.revokedAt, r.reason = ocsp.Revoked, hour(-1), ocsp.KeyCompromise }, "revoked: keyCompromise"},
		{"revoked for no reason", func(r *reply) { r.status, r.revokedAt = ocsp.Revoked, hour(-1) }, "revoked: unspecified"},
		{"on hold", func(r *reply) { r.status, r.revokedAt, r.reason = ocsp.Revoked, hour(-1), ocsp.CertificateHold }, "revoked: certificateHold"},
		{"revoked since", func(r *reply) { r.status, r.revokedAt, r.reason = ocsp.Revoked, hour(1), ocsp.Superseded }, "good: superseded"},
		{"compromised, noticed since, lost before", func(r *reply) {
			r.status, r.revokedAt, r.reason, r.single = ocsp.Revoked, hour(1), ocsp.KeyCompromise, invalid(hour(-5))
		}, "revoked: keyCompromise"},
		{"compromised, noticed and lost since", func(r *reply) {
			r.status, r.revokedAt, r.reason, r.single = ocsp.Revoked, hour(2), ocsp.KeyCompromise, invalid(hour(1))
		}, "good: keyCompromise"},
		{"superseded, with a date of invalidity that means nothing then", func(r *reply) {
			r.status, r.revokedAt, r.reason, r.single = ocsp.Revoked, hour(1), ocsp.Superseded, invalid(hour(-5))
		}, "good: superseded"},
		{"a hold lifted, which is no status", func(r *reply) { r.status, r.revokedAt, r.reason = ocsp.Revoked, hour(-1), ocsp.RemoveFromCRL }, "unknown: ocsp-malformed"},
		{"unknown to the responder", func(r *reply) { r.status = ocsp.Unknown }, "unknown: ocsp-unknown"},

		{"expired", func(r *reply) { r.thisUpdate, r.nextUpdate, r.producedAt = hour(-3), hour(-1), hour(-3) }, "unknown: ocsp-stale"},
		{"revoked, but expired", func(r *reply) {
			r.thisUpdate, r.nextUpdate, r.status, r.revokedAt = hour(-3), hour(-1), ocsp.Revoked, hour(-4)
		}, "unknown: ocsp-stale"},
		{"expired within the skew", func(r *reply) { r.thisUpdate, r.nextUpdate = hour(-3), base.Add(-4*time.Minute) }, good},
		{"expired just beyond it", func(r *reply) { r.thisUpdate, r.nextUpdate = hour(-3), base.Add(-6*time.Minute) }, "unknown: ocsp-stale"},
		{"of the future", func(r *reply) { r.thisUpdate, r.nextUpdate = hour(1), hour(2) }, "unknown: ocsp-not-yet-valid"},
		{"produced in the future", func(r *reply) { r.producedAt = hour(1) }, "unknown: ocsp-not-yet-valid"},
		{"of a clock a little ahead", func(r *reply) { r.thisUpdate, r.producedAt = base.Add(4*time.Minute), base.Add(4*time.Minute) }, good},
		{"without an end, fresh", func(r *reply) { r.nextUpdate = time.Time{} }, good},
		{"without an end, old", func(r *reply) { r.thisUpdate, r.nextUpdate = hour(-1), time.Time{} }, "unknown: ocsp-stale"},
		{"that ends before it begins", func(r *reply) { r.thisUpdate, r.nextUpdate = base, hour(-1) }, "unknown: ocsp-malformed"},

		{"replayed, with the nonce of then", func(r *reply) { r.nonce = make([]byte, nonceSize) }, "unknown: ocsp-nonce"},
		{"with a cut nonce", func(r *reply) { r.nonce = r.nonce[:8] }, "unknown: ocsp-nonce"},
		{"without a nonce, as signed in advance", func(r *reply) { r.nonce = nil }, good},
		{"with a critical extension", func(r *reply) {
			r.extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: asn1.NullBytes}}
		}, "unknown: ocsp-malformed"},
		{"with a critical extension of the status", func(r *reply) {
			r.single = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: asn1.NullBytes}}
		}, "unknown: ocsp-malformed"},

		{"about another number", func(r *reply) { r.serial = big.NewInt(7) }, "unknown: ocsp-other-certificate"},
		{"about the same number of another issuer", func(r *reply) { r.issuer = other.cert }, "unknown: ocsp-other-certificate"},
		{"about a namesake's certificate", func(r *reply) { r.issuer = namesake.cert }, "unknown: ocsp-other-certificate"},
		{"about a certificate of the issuer's key under another name", func(r *reply) { r.issuer = alias.cert }, "unknown: ocsp-other-certificate"},
		{"about the certificate twice", func(r *reply) { r.twice = true }, "unknown: ocsp-other-certificate"},

		{"by another authority, as itself", by(other), responders},
		{"by another authority, as the issuer", func(r *reply) { r.by, r.name = other, w.ca.cert.RawSubject }, "unknown: ocsp-signature"},
		{"by an authority of the same name", by(namesake), responders},
		{"by the issuer's issuer", by(w.root), responders},
		{"by a sibling without the usage", signed("sibling", &w.ca, nil), responders},
		{"by the certificate itself", func(r *reply) { r.by, r.with = w.leaf, []*x509.Certificate{w.leaf.cert} }, responders},
		{"by a responder of another authority", signed("responder", &other, unchecked), responders},
		{"by a responder of a namesake", signed("responder", &namesake, unchecked), responders},
		{"by a responder that certified itself", signed("responder", nil, unchecked), responders},
		{"by a responder below a responder", func() func(*reply) {
			middle := certify(t, "middle", &w.ca, authority)
			return signed("responder", &middle, unchecked)
		}(), responders},
		{"by a responder that is an authority", signed("responder", &w.ca, func(c *x509.Certificate) {
			authority(c)
			unchecked(c)
			c.KeyUsage |= x509.KeyUsageDigitalSignature
		}), responders},
		{"by a responder for any usage", signed("responder", &w.ca, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
		}), responders},
		{"by a responder whose key is for encipherment", signed("responder", &w.ca, func(c *x509.Certificate) {
			unchecked(c)
			c.KeyUsage = x509.KeyUsageKeyEncipherment
		}), responders},
		{"by an expired responder", signed("responder", &w.ca, func(c *x509.Certificate) {
			unchecked(c)
			c.NotAfter = hour(-1)
		}), responders},
		{"by a responder to come", signed("responder", &w.ca, func(c *x509.Certificate) {
			unchecked(c)
			c.NotBefore = hour(1)
		}), responders},
		{"by a responder with a critical extension", signed("responder", &w.ca, func(c *x509.Certificate) {
			answering(c)
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: asn1.NullBytes}}
		}), responders},
		{"by a responder with a weak key", by(certifyKey(t, "responder", rsaKey(t, 1024), &w.ca, unchecked)), "unknown: ocsp-algorithm"},
		{"by a responder with an RSA key", by(certifyKey(t, "responder", rsaKey(t, 2048), &w.ca, unchecked)), good},
		{"by a responder that may be revoked, and nothing tells", signed("responder", &w.ca, answering), "unknown: ocsp-responder-unchecked"},
		{"with another key than the certificate's", func(r *reply) {
			by(responder)(r)
			r.by.key = w.leaf.key
		}, "unknown: ocsp-signature"},
		{"by a responder, in the issuer's name", func(r *reply) {
			by(responder)(r)
			r.name = w.ca.cert.RawSubject
		}, responders},
		{"by the issuer, named by another key", func(r *reply) { r.keyHash = make([]byte, 20) }, responders},
		{"signed with SHA-1", func(r *reply) { r.algorithm = x509.ECDSAWithSHA1 }, "unknown: ocsp-algorithm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.answer("/ocsp", tt.alter)
			s := w.service(nil)
			if got := outcomeOf(w.check(s)); got != tt.want {
				t.Errorf("is %q, want %q: %+v", got, tt.want, s.Sources())
			}
		})
	}
}

// TestResponderErrors: what is no answer at all.
func TestResponderErrors(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp")
	good := w.reply().der()
	changed := bytes.Clone(good)
	changed[len(changed)/2] ^= 1
	for _, tt := range []struct {
		name string
		body []byte
		want string
	}{
		{"try later", ocsp.TryLaterErrorResponse, "unknown: ocsp-try-later"},
		{"an internal error", ocsp.InternalErrorErrorResponse, "unknown: ocsp-try-later"},
		{"not authorised", ocsp.UnauthorizedErrorResponse, "unknown: ocsp-refused"},
		{"a signature is wanted", ocsp.SigRequredErrorResponse, "unknown: ocsp-refused"},
		{"malformed request", ocsp.MalformedRequestErrorResponse, "unknown: ocsp-refused"},
		{"nothing", nil, "unknown: ocsp-malformed"},
		{"success without a response", []byte{0x30, 3, 0x0a, 1, 0}, "unknown: ocsp-malformed"},
		{"a page", []byte("<html>ok</html>"), "unknown: ocsp-malformed"},
		{"bytes after the response", append(bytes.Clone(good), 0), "unknown: ocsp-malformed"},
		{"a byte cut off", good[:len(good)-1], "unknown: ocsp-malformed"},
		{"too large", make([]byte, mostResponse+1), "unknown: too-large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.serve("/ocsp", tt.body)
			w.expect(w.service(nil), tt.want)
		})
	}
	t.Run("a byte changed", func(t *testing.T) {
		w.serve("/ocsp", changed)
		if f := w.check(w.service(nil)); f.State != exchange.RevocationUnknown {
			t.Errorf("is %+v", f)
		}
	})
}

// TestResponderIsLookedUp: one whose certificate asks to be checked counts as
// long as the issuer's CRL does not list it.
func TestResponderIsLookedUp(t *testing.T) {
	w := newWorld(t)
	responder := certify(t, "responder", &w.ca, func(c *x509.Certificate) {
		answering(c)
		c.CRLDistributionPoints = []string{w.server.URL + "/ca.crl"}
		c.OCSPServer = []string{w.server.URL + "/ocsp"} // it is not asked about itself
	})
	w.leaf = w.agency("", "/ocsp")
	w.answer("/ocsp", func(r *reply) { r.by, r.with = responder, []*x509.Certificate{responder.cert} })
	w.serve("/ca.crl", w.crl(w.ca, nil))
	w.expect(w.service(nil), "good")
	w.serve("/ca.crl", w.crl(w.ca, nil, revoked(responder.cert, ocsp.KeyCompromise)))
	w.expect(w.service(nil), "unknown: ocsp-responder-unchecked")
	w.handle("/ca.crl", http.NotFound)
	w.expect(w.service(nil), "unknown: ocsp-responder-unchecked")
}

// TestResponderSize: the key of a stranger's certificate is looked at before
// anything is computed with it.
func TestResponderSize(t *testing.T) {
	if strong(rsaKey(t, 1024).Public()) {
		t.Error("1024 bits are strong")
	}
	huge := rsaKey(t, 2048).Public()
	huge = hugeRSA(huge)
	if strong(huge) {
		t.Error("16384 bits are tried")
	}
}

// TestNonceDemanded refuses answers that were signed in advance, where the
// operator says so.
func TestNonceDemanded(t *testing.T) {
	w := newWorld(t)
	w.leaf = w.agency("", "/ocsp")
	s := w.service(func(c *Config) { c.Nonce = true })
	w.answer("/ocsp", func(r *reply) { r.nonce = nil })
	w.expect(s, "unknown: ocsp-nonce")
	w.answer("/ocsp", nil)
	before := w.asked.Load()
	w.expect(s, "unknown: ocsp-nonce") // each package would ask in vain
	if n := w.asked.Load(); n != before {
		t.Errorf("it was asked again at once")
	}
	w.pass(againAfter + time.Second)
	w.expect(s, "good")
}
