package audit

import (
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

var (
	asked   = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)
	unknown = exchange.RevocationFinding{State: exchange.RevocationUnknown, CheckedAt: asked, Source: "http://ca.example/a.crl", Reason: "timeout"}
	good    = exchange.RevocationFinding{State: exchange.RevocationGood, CheckedAt: asked.Add(time.Hour), Source: "http://ca.example/a.crl", ThisUpdate: asked}
	revoked = exchange.RevocationFinding{State: exchange.RevocationRevoked, CheckedAt: asked.Add(time.Hour), Source: "http://ca.example/a.crl",
		RevokedAt: asked.Add(-time.Hour), Reason: "keyCompromise"}
)

func TestWhatIsSaidOfRevocationAgrees(t *testing.T) {
	for _, c := range []struct {
		name        string
		event       exchange.Event
		reason      exchange.Code
		then, later exchange.RevocationFinding
		want        string
	}{
		{"nobody asked", exchange.SubmissionAcceptance, "", exchange.RevocationFinding{}, exchange.RevocationFinding{}, ""},
		{"accepted as good", exchange.SubmissionAcceptance, "", good, exchange.RevocationFinding{}, ""},
		{"accepted as unknown", exchange.SubmissionAcceptance, "", unknown, exchange.RevocationFinding{}, ""},
		{"refused as revoked", exchange.SubmissionRejection, exchange.Revoked, revoked, exchange.RevocationFinding{}, ""},
		{"accepted as revoked", exchange.SubmissionAcceptance, "", revoked, exchange.RevocationFinding{}, "revocation-odd"},
		{"handed over as revoked", exchange.ContentHandover, "", revoked, exchange.RevocationFinding{}, "revocation-odd"},
		{"found good later", exchange.RevocationEstablished, "", unknown, good, ""},
		{"found revoked later", exchange.RevocationEstablished, exchange.Revoked, unknown, revoked, ""},
		{"failed as found later", exchange.ContentHandoverFailure, exchange.Revoked, unknown, revoked, ""},
		{"found later what was known", exchange.RevocationEstablished, "", good, good, "revocation-odd"},
		{"found later, and nobody had asked", exchange.RevocationEstablished, "", exchange.RevocationFinding{}, good, "revocation-odd"},
		{"found later, and not said what", exchange.RevocationEstablished, "", unknown, exchange.RevocationFinding{}, "revocation-odd"},
		{"found later that nothing is known", exchange.RevocationEstablished, "", unknown, unknown, "revocation-odd"},
		{"found revoked later without saying so", exchange.RevocationEstablished, "", unknown, revoked, "revocation-odd"},
		{"found good later, said to be revoked", exchange.RevocationEstablished, exchange.Revoked, unknown, good, "revocation-odd"},
		{"failed by what was known", exchange.ContentHandoverFailure, exchange.Revoked, good, revoked, "revocation-odd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, f := range checkRevocation(exchange.Evidence{Event: c.event, Reason: c.reason, Basis: exchange.Basis{Revocation: c.then, Later: c.later}}) {
				got += f.Name
			}
			if got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestRevocationInWords(t *testing.T) {
	later := good
	later.RevokedAt = asked.Add(30 * time.Minute)
	for _, c := range []struct {
		f    exchange.RevocationFinding
		want string
	}{
		{good, "not revoked, asked at 2026-11-20 10:00:00.000 UTC+7 (2026-11-20T03:00:00Z), of http://ca.example/a.crl, which is of 2026-11-20 09:00:00.000 UTC+7 (2026-11-20T02:00:00Z)"},
		{unknown, "nothing was known of the certificate (timeout), asked at 2026-11-20 09:00:00.000 UTC+7 (2026-11-20T02:00:00Z), of http://ca.example/a.crl"},
		{revoked, "the certificate had been revoked at 2026-11-20 08:00:00.000 UTC+7 (2026-11-20T01:00:00Z) (keyCompromise), asked"},
		{later, "the certificate was not revoked yet: it was at 2026-11-20 09:30:00.000 UTC+7"},
	} {
		if got := revocationWords(c.f, exchange.Digest{}); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.f.State, got, c.want)
		}
	}
	other := revoked
	other.Certificate = exchange.Digest{1}
	if got := revocationWords(other, exchange.Digest{2}); !strings.HasPrefix(got, "an authority's certificate (SHA-256 0100") {
		t.Errorf("of an authority: %q", got)
	}
}

func TestDoubtsEndWithWhatIsFoundOut(t *testing.T) {
	var d doubts
	evidence := func(event exchange.Event, delivery exchange.DeliveryID, certificate byte, f exchange.RevocationFinding) exchange.Evidence {
		return exchange.Evidence{Event: event, Package: "p", Delivery: delivery, Basis: exchange.Basis{Certificate: exchange.Digest{certificate}, Revocation: f}}
	}
	for _, step := range []struct {
		e    exchange.Evidence
		open int
	}{
		{evidence(exchange.SubmissionAcceptance, "", 1, unknown), 1},
		{evidence(exchange.SubmissionAcceptance, "", 3, good), 1},
		{evidence(exchange.ContentHandover, "p.1", 2, unknown), 2},
		{evidence(exchange.RevocationEstablished, "p.1", 1, unknown), 2}, // of the package, told to a recipient
		{evidence(exchange.RevocationEstablished, "", 1, unknown), 1},
		{evidence(exchange.RevocationEstablished, "p.1", 2, unknown), 0},
	} {
		if d.note(step.e); d.open() != step.open {
			t.Errorf("after %s of %q %d are open, want %d", step.e.Event, step.e.Delivery, d.open(), step.open)
		}
	}
}
