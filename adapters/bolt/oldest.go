package bolt

import (
	"bytes"
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// mostLooked bounds how many deliveries Oldest looks at, for it is asked often.
const mostLooked = 2_000

// Oldest implements exchange.Ledger. Deliveries of a state lie in the order of
// their packages' acceptance, so the first of a recipient is its oldest.
func (l *Ledger) Oldest(ctx context.Context, state exchange.State, limit int) (list []exchange.Delivery, err error) {
	err = l.view(ctx, func(tx *bbolt.Tx) error {
		found := map[string]bool{}
		s := newStream(tx, deliveryStates, stateKey(state))
		if !listed(state) {
			s = newStream(tx, deliveries, nil)
		}
		looked := 0
		for key, _ := s.from(nil); key != nil && len(list) < limit && looked < mostLooked; key, _ = s.from(key) {
			d, err := delivery(tx, bytes.Clone(key))
			if err != nil {
				return err
			}
			looked++
			if d.State != state || found[d.Recipient] {
				continue
			}
			list = append(list, d)
			found[d.Recipient] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the oldest deliveries: %w", err)
	}
	return list, nil
}
