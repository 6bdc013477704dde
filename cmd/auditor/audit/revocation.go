package audit

import "tram/exchange"

// checkRevocation finds what no hub that keeps its rules attests to: that it
// accepted what it knew to be revoked, or found out later what it had known, or
// never did.
func checkRevocation(e exchange.Evidence) []Finding {
	then, later := e.Basis.Revocation.State, e.Basis.Later.State
	established := e.Event == exchange.RevocationEstablished
	switch {
	case established && then != exchange.RevocationUnknown:
		return []Finding{finding(revocationOdd, "it attests to what was found out later, and does not say that nothing was known before")}
	case established && later != exchange.RevocationGood && later != exchange.RevocationRevoked:
		return []Finding{finding(revocationOdd, "it attests to what was found out later, and does not say what")}
	case established && (later == exchange.RevocationRevoked) != (e.Reason == exchange.Revoked):
		return []Finding{finding(revocationOdd, "what was found out is %q and its reason is %q", later, e.Reason)}
	case later != "" && then != exchange.RevocationUnknown:
		return []Finding{finding(revocationOdd, "it says %q, and that it was found out later to be %q", then, later)}
	case then == exchange.RevocationRevoked && e.Event != exchange.SubmissionRejection:
		return []Finding{finding(revocationOdd, "the hub relied on a signature whose certificate it knew to be revoked")}
	}
	return nil
}

// doubts are signatures that were accepted while nothing was known of their
// certificates' revocation, and those of which more became known.
type doubts struct{ then, later map[doubt]bool }

// doubt names a signature: that of a package, or of the answer to a delivery.
type doubt struct {
	pkg         exchange.PackageID
	delivery    exchange.DeliveryID
	certificate exchange.Digest
}

func (d *doubts) note(e exchange.Evidence) {
	if e.Basis.Revocation.State != exchange.RevocationUnknown {
		return
	}
	if d.then == nil {
		d.then, d.later = map[doubt]bool{}, map[doubt]bool{}
	}
	about := doubt{e.Package, e.Delivery, e.Basis.Certificate}
	switch e.Event {
	case exchange.SubmissionAcceptance, exchange.ContentHandover, exchange.ConsignmentRejection:
		d.then[about] = true
	case exchange.RevocationEstablished:
		d.later[about] = true
	}
}

func (d *doubts) open() int {
	n := 0
	for about := range d.then {
		if !d.later[about] {
			n++
		}
	}
	return n
}
