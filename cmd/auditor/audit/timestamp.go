package audit

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tram/exchange"
	"tram/signing"
)

// stampSkew is how far the hub's clock may be from the authority's.
const stampSkew = 5 * time.Minute

// stamp is what a receipt's time-stamp shows.
type stamp struct {
	// Checked is false if no roots of an authority are known; then nothing else
	// is said.
	Checked bool `json:"checked"`
	// Time is when the seal existed at the latest, give or take Accuracy.
	Time      time.Time       `json:"time,omitzero"`
	Accuracy  string          `json:"accuracy,omitempty"`
	Authority string          `json:"authority,omitempty"`
	SHA256    exchange.Digest `json:"certificate,omitzero"`
	Policy    string          `json:"policy,omitempty"`
	// WhileValid says that the sealing certificate was in force at that time: so
	// the seal was made before the certificate expired.
	WhileValid bool `json:"whileValid"`
}

// trustStamps reads the roots that time-stamps must lead to: those of a file, or
// else those that the hub published. nil: there are none.
func trustStamps(keys exchange.Keys, file string) (*signing.Trust, error) {
	text, from := []byte(strings.Join(keys.TimeStamp, "\n")), "the time-stamp roots of the hub's keys"
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, usagef("reading --tsa-roots: %w", err)
		}
		from = file
	}
	if len(text) == 0 {
		return nil, nil
	}
	roots, err := signing.ParseCertificates(text)
	if err != nil {
		return nil, usagef("%s: %w", from, err)
	}
	return signing.NewTrust(roots, nil)
}

// timeStamp checks the time-stamps on a receipt's seal; nil if it has none.
func (a *authority) timeStamp(s *signing.Signature, receipt exchange.Receipt) (*stamp, []Finding) {
	if len(s.TimeStamps) == 0 {
		return nil, nil
	}
	if a.tsa == nil {
		return &stamp{}, nil
	}
	said, err := earliest(a.tsa, s)
	if err != nil {
		return nil, []Finding{finding(stampBroken, "%v", err)}
	}
	if isEarly(said, receipt) {
		return nil, []Finding{finding(stampEarly, "the time-stamp says that the receipt existed at %s, the receipt is about something at %s",
			said.Time.Format(time.RFC3339), receipt.Time.Format(time.RFC3339))}
	}
	return newStamp(said, s.Certificate), nil
}

// earliest is the earliest of a signature's time-stamps, of which it has one at
// least. All must hold.
func earliest(tsa *signing.Trust, s *signing.Signature) (first signing.TimeStamp, err error) {
	for _, token := range s.TimeStamps {
		said, err := tsa.CheckTimeStamp(token, s.Stamped)
		if err != nil {
			return first, err
		}
		if first.Authority == nil || said.Time.Before(first.Time) {
			first = said
		}
	}
	return first, nil
}

// isEarly says whether a time-stamp is older than what the receipt is about, which
// cannot be.
func isEarly(said signing.TimeStamp, receipt exchange.Receipt) bool {
	return said.Time.Add(said.Accuracy + stampSkew).Before(receipt.Time)
}

// newStamp is what a time-stamp shows of a signature by a certificate.
func newStamp(said signing.TimeStamp, by *x509.Certificate) *stamp {
	st := &stamp{Checked: true, Time: said.Time, Authority: said.Authority.Subject.String(), SHA256: exchange.DigestOf(said.Authority.Raw),
		Policy: said.Policy, WhileValid: inForce(by, said.Time)}
	if said.Accuracy > 0 {
		st.Accuracy = said.Accuracy.String()
	}
	return st
}

func inForce(c *x509.Certificate, at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// sealedAt is the time to judge the sealing certificate at: that of a time-stamp
// made while it was in force, which is proved, or else the receipt's own.
func (st *stamp) sealedAt(receipt exchange.Receipt) time.Time {
	if st != nil && st.WhileValid {
		return st.Time
	}
	return receipt.Time
}

// required says why the time-stamp is not enough for whoever asks for one.
func (st *stamp) required() (Finding, bool) {
	switch {
	case st == nil:
		return finding(stampMissing, "the receipt has no time-stamp; \"agency receipts\" gives it with one, if the hub has it"), true
	case !st.Checked:
		return finding(stampMissing, "no authority is known that its time-stamp could be checked by; --tsa-roots names its roots"), true
	case !st.WhileValid:
		return finding(stampMissing, "the time-stamp of %s was made when the sealing certificate was not in force", st.Time.Format(time.RFC3339)), true
	}
	return Finding{}, false
}

func (st *stamp) String() string {
	if !st.Checked {
		return "not checked: the keys file names no authority, --tsa-roots does"
	}
	s := moment(st.Time)
	if st.Accuracy != "" {
		s += fmt.Sprintf(", give or take %s", st.Accuracy)
	}
	s += ", says " + st.Authority
	if !st.WhileValid {
		s += "; the sealing certificate was not in force then, so this does not show that the seal is older"
	}
	return s
}

// stampedSuffix is of the names of receipts with their time-stamps; the proof of
// ID.timestamped.xml is that of ID.xml.
const stampedSuffix = ".timestamped"

// proofFile is where the proof of a receipt's file is looked for.
func proofFile(file string) string {
	name := strings.TrimSuffix(file, filepath.Ext(file))
	return strings.TrimSuffix(name, stampedSuffix) + proofSuffix
}
