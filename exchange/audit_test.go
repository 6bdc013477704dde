package exchange_test

import (
	"context"
	"errors"
	"testing"

	"tram/exchange"
	"tram/exchange/exchangetest"
)

// audit verifies everything that a hub left behind. A receipt has to be sealed by
// the hub, and to say by itself what the ledger keeps of it.
func audit(t testing.TB, ledger exchange.Ledger, vault exchange.Vault) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	sealed := func(raw []byte) error {
		r, _, doc, err := exchange.ParseReceipt(raw)
		if err != nil {
			return err
		}
		if !doc.Signature.Certificate.Equal(holders()["hub"].chain[0]) {
			return errors.New("another seal")
		}
		kept, err := ledger.Receipt(ctx, r.ID)
		if err != nil {
			return err
		}
		if string(r.LogEntry().Bytes()) != string(kept.LogEntry().Bytes()) || r.Delivery != kept.Delivery || r.Reason != kept.Reason {
			t.Errorf("receipt %s is kept as %+v and says %+v", r.ID, kept, r)
		}
		return nil
	}
	if err := exchangetest.Check(ctx, ledger, vault, sealed); err != nil {
		t.Error(err)
	}
}
