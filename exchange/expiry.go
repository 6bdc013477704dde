package exchange

import (
	"context"
	"crypto/x509"
	"slices"
	"time"
)

// expiryWarning is how long before its end something is logged each day.
const expiryWarning = 60 * 24 * time.Hour

// TermKind says what something that runs out is for.
type TermKind string

// The kinds.
const (
	TermAgency       TermKind = "agency"       // a certificate that an agency signs with
	TermSealing      TermKind = "sealing"      // that receipts are sealed with
	TermTLS          TermKind = "tls"          // of the hub's own listener
	TermRoot         TermKind = "root"         // a trusted authority
	TermIntermediate TermKind = "intermediate" // a known issuer
	TermCRL          TermKind = "crl"          // a list of revoked certificates, which is to be replaced
)

// TermKinds are all kinds.
var TermKinds = []TermKind{TermAgency, TermSealing, TermTLS, TermRoot, TermIntermediate, TermCRL}

// Term is how long something holds that the hub relies on.
type Term struct {
	Kind TermKind `json:"kind"`
	// Agency is whose certificate it is.
	Agency  string `json:"agency,omitempty"`
	Subject string `json:"subject"` // of the certificate; a CRL's issuer
	SHA256  Digest `json:"sha256,omitzero"`
	URL     string `json:"url,omitempty"` // of a CRL
	// Until is its end: the certificate's, or the registry's if that is earlier;
	// a CRL's next update.
	Until time.Time `json:"until"`
	// DaysLeft are whole days; negative once it has ended.
	DaysLeft int `json:"daysLeft"`
	// Replaced: the agency has another certificate, or a subject rule, that holds
	// for longer; the hub another key that seals from an earlier time on.
	Replaced bool `json:"replaced,omitempty"`
}

// TermOf is the term of a certificate at a time.
func TermOf(kind TermKind, c *x509.Certificate, now time.Time) Term {
	return Term{Kind: kind, Subject: c.Subject.String(), SHA256: DigestOf(c.Raw), Until: c.NotAfter.UTC(), DaysLeft: daysLeft(c.NotAfter, now)}
}

// daysLeft counts whole days: on the last day 0, after it less.
func daysLeft(until, now time.Time) int {
	const day = 24 * time.Hour
	left := until.Sub(now)
	if left%day < 0 {
		left -= day
	}
	return int(left / day)
}

// Terms lists what ends within the time, or has ended, for people: the soonest
// first.
func (x *Exchange) Terms(ctx context.Context, by Caller, within time.Duration) ([]Term, error) {
	if !by.Watches() {
		return nil, notPermitted.With(by, Words{"see certificates' terms", "xem thời hạn chứng thư số"})
	}
	all, err := x.terms(ctx)
	end := x.now().Add(within)
	return slices.DeleteFunc(all, func(t Term) bool { return t.Until.After(end) }), err
}

// SoonestTerms is the fewest days left of each kind that there is something of:
// of agencies only what nothing replaces.
func (x *Exchange) SoonestTerms(ctx context.Context) (map[TermKind]int, error) {
	all, err := x.terms(ctx)
	soonest := map[TermKind]int{}
	for _, t := range slices.Backward(all) {
		if !t.Replaced {
			soonest[t.Kind] = t.DaysLeft
		}
	}
	return soonest, err
}

// DoubtfulSignatures counts those that were accepted while nothing was known of
// their certificates' revocation, and of which nothing is known yet.
func (x *Exchange) DoubtfulSignatures(ctx context.Context) (int64, error) {
	return x.c.Ledger.RechecksOpen(ctx)
}

// terms are all, the soonest first.
func (x *Exchange) terms(ctx context.Context) ([]Term, error) {
	now := x.now()
	var all []Term
	for _, k := range x.c.Known() {
		all = append(all, TermOf(k.Kind, k.Certificate, now))
	}
	all = append(all, sealingTerms(*x.seals.Load(), now)...)
	if sources, ok := x.c.Revocation.(RevocationSources); ok {
		for _, s := range sources.Sources() {
			if s.Kind == "crl" && !s.NextUpdate.IsZero() {
				all = append(all, Term{Kind: TermCRL, Subject: s.Issuer, URL: s.URL, Until: s.NextUpdate.UTC(), DaysLeft: daysLeft(s.NextUpdate, now)})
			}
		}
	}
	err := x.EachAgency(ctx, func(a Agency) error {
		all = append(all, a.Terms(now)...)
		return nil
	})
	slices.SortStableFunc(all, func(a, b Term) int { return a.Until.Compare(b.Until) })
	return all, err
}

// Terms are those of an agency's certificates; none of an agency that is closed,
// nor of a certificate that was ended by the registry before now.
func (a Agency) Terms(now time.Time) []Term {
	if over(a.Closed, now) {
		return nil
	}
	var list []Term
	for _, c := range a.Certificates {
		parsed, err := x509.ParseCertificate(c.DER)
		if err != nil || over(c.Until, now) {
			continue // the registry takes only what can be read
		}
		t := TermOf(TermAgency, parsed, now)
		t.Agency = a.Code
		if !c.Until.IsZero() && c.Until.Before(t.Until) {
			t.Until, t.DaysLeft = c.Until, daysLeft(c.Until, now)
		}
		list = append(list, t)
	}
	last := time.Time{}
	for _, t := range list {
		if t.Until.After(last) {
			last = t.Until
		}
	}
	for i := range list {
		list[i].Replaced = list[i].Until.Before(last) || a.ruledBeyond(list[i].Until, now)
	}
	return list
}

// ruledBeyond reports whether a subject rule takes certificates now and after
// that time.
func (a Agency) ruledBeyond(until, now time.Time) bool {
	return slices.ContainsFunc(a.SubjectRules, func(r SubjectRule) bool {
		return inForce(r.From, r.Until, now) && (r.Until.IsZero() || r.Until.After(until))
	})
}

// Known is a certificate that the hub relies on, beside agencies'.
type Known struct {
	Kind        TermKind
	Certificate *x509.Certificate
}

// warnOfTerms logs what ends soon, one line each.
func (x *Exchange) warnOfTerms(ctx context.Context) error {
	all, err := x.terms(ctx)
	end := x.now().Add(expiryWarning)
	for _, t := range all {
		if t.Until.After(end) || t.Replaced || t.Kind == TermCRL && t.DaysLeft >= 0 { // CRLs are replaced all the time
			continue
		}
		x.c.Log.WarnContext(ctx, "ends soon", "kind", t.Kind, "agency", t.Agency, "subject", t.Subject, "sha256", t.SHA256.String(), "url", t.URL,
			"until", t.Until, "daysLeft", t.DaysLeft)
	}
	return err
}
