package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
	"tram/signing"
)

// authority is what the auditor believes: the hub's keys, and if the auditor
// wants more than the hub's word for those, the roots its certificates lead to.
type authority struct {
	keys    exchange.Keys
	sealing []exchange.PublishedSeal
	log     note.Verifier
	trust   *signing.Trust // nil: the published keys are believed as they are
	tsa     *signing.Trust // of time-stamps; nil: no authority is known
}

// newAuthority checks that the keys can be used.
func newAuthority(keys exchange.Keys, trustFile string) (*authority, error) {
	a := &authority{keys: keys}
	if keys.Origin == "" {
		return nil, errors.New("the hub's keys hold no origin of the log")
	}
	var err error
	if a.sealing, err = keys.Seals(); err != nil {
		return nil, err
	}
	if a.log, err = note.NewVerifier(keys.LogKey); err != nil {
		return nil, fmt.Errorf("the log key of the hub's keys: %w", err)
	}
	if a.tsa, err = trustStamps(keys, ""); err != nil {
		return nil, err
	}
	a.trust, err = readTrust(trustFile)
	return a, err
}

// readTrust reads the authorities that certificates must lead to; none are nil.
func readTrust(file string) (*signing.Trust, error) {
	if file == "" {
		return nil, nil
	}
	pemBytes, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("reading --trust: %w", err)
	}
	roots, err := signing.ParseCertificates(pemBytes)
	if err != nil {
		return nil, usagef("%s: %w", file, err)
	}
	return signing.NewTrust(roots, nil)
}

// readKeys reads the hub's keys from a file, as GET /v1/keys gives them.
func readKeys(file string) (exchange.Keys, error) {
	var keys exchange.Keys
	b, err := os.ReadFile(file)
	if err != nil {
		return keys, err
	}
	if err := json.Unmarshal(b, &keys); err != nil {
		return keys, fmt.Errorf("%s is not a file of the hub's keys: %w", file, err)
	}
	return keys, nil
}

// seal says whether a receipt's seal is the hub's own, by a key that sealed at the
// receipt's time: a time-stamp may come long after that. Leading to the roots is
// asked for besides, not instead: agencies' certificates may lead there too.
func (a *authority) seal(s *signing.Signature, receipt exchange.Receipt, st *stamp) (Finding, bool) {
	i := slices.IndexFunc(a.sealing, func(p exchange.PublishedSeal) bool { return p.Certificate.Equal(s.Certificate) })
	if i < 0 {
		return finding(sealUnknown, "sealed with the certificate %q (SHA-256 %s), which is not one of the %d that hub %s published",
			s.Certificate.Subject, exchange.DigestOf(s.Certificate.Raw), len(a.sealing), a.keys.Hub.Code), false
	}
	if p := a.sealing[i]; !p.Covers(receipt.Time) {
		return finding(sealOutOfTerm, "the receipt is of %s, and sealed with the certificate %q (SHA-256 %s), of which hub %s published that it seals %s only",
			receipt.Time.UTC().Format(time.RFC3339), s.Certificate.Subject, exchange.DigestOf(s.Certificate.Raw), a.keys.Hub.Code, p.When()), false
	}
	if a.trust == nil {
		return Finding{}, true
	}
	if err := a.trust.Check(s.Certificate, s.Others, st.sealedAt(receipt)); err != nil {
		return finding(sealUntrusted, "the sealing certificate %q does not lead to the authorities given: %v", s.Certificate.Subject, err), false
	}
	return Finding{}, true
}

// checkpoint verifies a checkpoint and reads the tree it was signed for.
func (a *authority) checkpoint(signed []byte) (tlog.Tree, error) {
	return exchange.ParseCheckpoint(signed, a.keys.Origin, a.log)
}
