package exchange_test

import (
	"bytes"
	"slices"
	"testing"

	"tram/exchange"
)

// TestTheValidatorLetsAClosedAgencySendWhatTheHubDoes: answers to what it got, and
// recalls of what it sent.
func TestTheValidatorLetsAClosedAgencySendWhatTheHubDoes(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.sent("1250", health)
	a := must(p.ledger.Agency(t.Context(), finance))
	a.Closed = p.clock.Now()
	if _, err := p.x.PutAgency(t.Context(), administrator, a); err != nil {
		t.Fatal(err)
	}
	answer := status(finance, "03", "7")
	answer.Status.To = health
	for name, c := range map[string]struct {
		body  []byte
		rules []string
	}{
		"a document": {signed(t, document("1251", health)), []string{"closed-agency"}},
		"a status":   {signed(t, answer), nil},
		"a recall":   {signed(t, about(exchange.KindRecall, "1250", health)), nil},
	} {
		v, err := p.x.Validate(t.Context(), system(finance), bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		var rules []string
		for _, f := range v.Findings {
			if f.Severity == exchange.SeverityRefused {
				rules = append(rules, f.Rule)
			}
		}
		if !slices.Equal(rules, c.rules) {
			t.Errorf("%s: the validator finds %v, want %v", name, rules, c.rules)
		}
		if _, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(c.body)); (err == nil) != v.OK() {
			t.Errorf("%s: validated as %v, submitted with %v", name, v.OK(), err)
		}
	}
}
