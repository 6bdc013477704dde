// Package exchangetest is the ports' comments as code: suites that every ledger,
// vault and queue has to pass, wrappers that fail at any call, and a check of
// everything a hub left behind.
//
// # Suites
//
// TestLedger, TestVault and TestQueue run the whole contract against real stores:
//
//	func TestLedger(t *testing.T) { exchangetest.TestLedger(t, create) }
//
// # Faults at every step
//
// Faults wraps ports and counts the calls to all of them together. A run without
// a fault tells how many there are; then the same run is repeated, failing its
// first call before the work, its first call after the work, its second, …:
//
//	exchangetest.EachFault(t, func(t *testing.T, f *exchangetest.Faults) {
//		ledger, vault := open(t)
//		hub := newHub(f.Ledger(ledger), f.Vault(vault), f.Queue(queue), f.Courier(courier))
//		_, err := hub.Submit(ctx, from, body)            // may fail: one call does
//		ledger = reopen(t, ledger)
//		hub = newHub(ledger, vault, queue, courier)      // a hub without faults
//		_, err = hub.Submit(ctx, from, body)             // the sender submits again
//		...
//		err = exchangetest.Check(ctx, ledger, vault, verify)
//	})
//
// A fault after the work is the hub's hardest case: the ledger holds the change,
// and whoever asked for it was told that it failed.
package exchangetest
