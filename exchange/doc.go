// Package exchange is the domain of the hub: agencies, packages, deliveries,
// receipts and the log, and the rules by which one becomes another.
//
// An agency's system submits a signed package. The hub verifies the signature,
// keeps the bytes as they came, and records one delivery for each recipient.
// Every event on the way leaves a receipt, sealed by the hub, and every receipt
// is a leaf of one append-only Merkle log.
//
// Promises:
//
//   - Nothing is acknowledged before it is durable: the package's bytes are
//     synced, then the ledger's transaction, then the caller hears of it.
//   - State and the receipt that attests to it enter the ledger, and the log,
//     in one transaction.
//   - Submitting the same signed content again returns the first receipt, byte
//     for byte.
//   - Every delivery reaches exactly one final state, and every final state has
//     its receipt: no answer by the deadline produces the negative one.
//   - The queue may lose or repeat what it was told; the ledger decides.
//
// # The way of one package
//
//	Exchange.Submit       Vault.Create > signing.Read > Decoder.Decode > Ledger.FirstReceipt > admit > Draft.Keep > issue > Ledger.Accept > Queue.Publish
//	Exchange.Deliver      if to be announced: Ledger.Update (attempt counted) > Courier.Send; then issue > Ledger.Update (state, receipt, leaf)
//	Exchange.Acknowledge  signing.Read > bind to the delivery and the recipient > issue > Ledger.Update
//	Exchange.Sweep        Ledger.Due > Queue.Publish; Deliver fails what is past its deadline
//	Exchange.Deliver      to an agency of another axis: Ledger.Update (attempts counted) > Relay.Send, once for all there > issue > Ledger.Update
//	Exchange.Poll         Relay.Waiting > Relay.Fetch > Submit > Relay.Done, or Fail; Relay.Sent > Ledger.Update (what became of it there)
//	Exchange.SweepRevocation  Ledger.RechecksDue > Revocation.Check > issue > Ledger.Update, where a signature was accepted unasked
//	Exchange.SweepRetention   Ledger.Erasable > Ledger.Update (an action of the log) > Vault.Remove, where bytes need not be kept for ever
//
// # States of a delivery
//
//	             hold            hold
//	   ┌────────────────► held ◄────────────────┐
//	   │ ◄──────────────   │  ──────────────►   │
//	   │     release       │       release      │
//	queued ────────────────┼──────────────► consigned ──► handed-over   accepted by the recipient
//	   │      consigned    │                    ├───────► rejected      refused by the recipient
//	   ▼                   ▼                    ▼
//	 failed: deadline, not taken by the recipient's axis, cancelled by an operator, or its certificate turned out to be revoked before anyone fetched it
//	 withdrawn: recalled before anyone fetched it
//
// A recipient that lives at another axis is consigned once that axis has taken the
// package on, and counts as having fetched it since the first attempt.
//
// queued, held and consigned are open; handed-over, rejected, failed and
// withdrawn are final and never change.
package exchange
