package main

import (
	"context"
	"fmt"
	"time"

	"tram/exchange"
)

// staleWarning is how long before its next update a list of revoked certificates
// should have been replaced.
const staleWarning = time.Hour

// checkAgencies looks at the terms of agencies' certificates in the ledger of a
// hub that is stopped.
func checkAgencies(ctx context.Context, ledger exchange.Ledger, now time.Time) ([]finding, error) {
	var terms []exchange.Term
	for cursor := ""; ; {
		agencies, next, err := ledger.Agencies(ctx, cursor, 200)
		if err != nil {
			return nil, err
		}
		for _, a := range agencies {
			terms = append(terms, a.Terms(now)...)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	doubtful, err := ledger.RechecksOpen(ctx)
	return append(findTerms(terms, now), findDoubtful(doubtful)...), err
}

// askRunning asks the hub that has the ledger open: about agencies' certificates,
// lists of revoked ones, and what it still has to find out.
func askRunning(ctx context.Context, cfg config) []finding {
	hub, err := connect(cfg)
	if err != nil {
		return []finding{{What: "certificates", State: "warning", Detail: "the running hub could not be asked: " + err.Error(), Do: "correct client in " + cfg.path}}
	}
	defer hub.Close()
	terms, err := hub.Certificates(ctx, int(expiryWarning/(24*time.Hour)))
	if err != nil {
		return []finding{{What: "certificates", State: "warning", Detail: "the running hub could not be asked: " + err.Error(), Do: "see why, or ask it with \"hub certificates\""}}
	}
	view, err := hub.Revocation(ctx)
	if err != nil {
		return []finding{{What: "revocation", State: "warning", Detail: "the running hub could not be asked: " + err.Error(), Do: "see why, or ask it with \"hub revocation\""}}
	}
	findings := append(findTerms(terms, time.Now()), findDoubtful(view.Doubtful)...)
	for _, s := range view.Sources {
		if s.LastError != "" {
			findings = append(findings, finding{What: "revocation", State: "warning", Detail: s.URL + ": " + s.LastError, Do: exchange.RevocationWords(s.Reason).En})
		}
	}
	return findings
}

// findTerms warns of agencies' certificates that end soon and of lists that are
// not replaced in time. The hub's own certificates are looked at as files.
func findTerms(terms []exchange.Term, now time.Time) []finding {
	var findings []finding
	for _, t := range terms {
		switch {
		case t.Kind == exchange.TermAgency && !t.Replaced && t.Until.Before(now):
			findings = append(findings, finding{What: "agency " + t.Agency, State: "warning", Detail: t.Subject + ": ended on " + t.Until.Format(time.DateOnly),
				Do: "get the agency's new certificate, then: hub agency rotate " + t.Agency + " --certificate FILE"})
		case t.Kind == exchange.TermAgency && !t.Replaced && t.Until.Before(now.Add(expiryWarning)):
			findings = append(findings, finding{What: "agency " + t.Agency, State: "warning", Detail: fmt.Sprintf("%s: %d days left", t.Subject, t.DaysLeft),
				Do: "get the agency's new certificate, then: hub agency rotate " + t.Agency + " --certificate FILE"})
		case t.Kind == exchange.TermCRL && t.Until.Before(now.Add(staleWarning)):
			findings = append(findings, finding{What: "revocation", State: "warning", Detail: t.URL + ": to be replaced by " + t.Until.Format(time.RFC3339),
				Do: "see whether the authority has a newer list"})
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return []finding{{What: "agencies", State: "ok", Detail: fmt.Sprintf("no certificate ends within %d days", int(expiryWarning.Hours()/24))}}
}

func findDoubtful(n int64) []finding {
	if n == 0 {
		return nil
	}
	return []finding{{What: "revocation", State: "warning", Detail: fmt.Sprintf("%d signatures were accepted while nothing was known of their certificates' revocation", n),
		Do: "see \"hub revocation\" for what cannot be reached"}}
}
