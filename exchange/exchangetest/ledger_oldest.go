package exchangetest

import (
	"fmt"
	"slices"

	"tram/exchange"
)

func (t *ledgerTest) oldest() {
	all := t.someDeliveries()
	for _, s := range exchange.States {
		want := slices.DeleteFunc(slices.Clone(all), func(d exchange.Delivery) bool { return d.State != s })
		slices.SortFunc(want, byID)
		seen := map[string]bool{}
		want = slices.DeleteFunc(want, func(d exchange.Delivery) bool {
			again := seen[d.Recipient]
			seen[d.Recipient] = true
			return again
		})
		for _, limit := range []int{1, 2, 1000} {
			got, err := t.Oldest(t.Context(), s, limit)
			t.equal(fmt.Sprintf("the oldest %s, of %d at most", s, limit), must(t, got, err), want[:min(limit, len(want))])
		}
	}
}
