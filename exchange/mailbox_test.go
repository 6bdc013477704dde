package exchange_test

import (
	"testing"

	"tram/exchange"
)

// TestSoftwareSaysDoneOfWhatItRefused: the refusal stays, and nothing is wrong with
// saying so. What was withdrawn it cannot take over.
func TestSoftwareSaysDoneOfWhatItRefused(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerRefused, "sai thẩm quyền"))
	receipt, before, err := p.x.TakeOver(t.Context(), system(health), d.DocID())
	if err != nil || !before || receipt.ID != "" {
		t.Errorf("receipt %q, %v, %v", receipt.ID, before, err)
	}
	p.inState(id, 1, exchange.Rejected)

	p.submit(finance, signed(t, about(exchange.KindRecall, "1250", ward)))
	_, _, err = p.x.TakeOver(t.Context(), system(ward), p.inState(id, 2, exchange.Withdrawn).DocID())
	refused(t, err, exchange.Conflict, "final-state")
}
