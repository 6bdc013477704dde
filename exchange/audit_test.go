package exchange_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// audit verifies everything that a hub left behind: the tree, each receipt and
// its leaf, one acceptance for each package, one final receipt for each delivery
// that has ended and none for another, and the packages' bytes.
func audit(t testing.TB, ledger exchange.Ledger, vault exchange.Vault) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	size := must(ledger.LogSize(ctx))
	if size == 0 {
		t.Fatal("the log is empty: nothing was audited")
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for i, raw := range must(ledger.LogEntries(ctx, 0, size)) {
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(raw), nil); err != nil {
			t.Fatal(err)
		}
		auditLeaf(t, ctx, ledger, int64(i), raw)
	}
	root := must(tlog.TreeHash(size, ledger.LogHashes(ctx)))
	if got := must(tree.GetRootHash(nil)); !bytes.Equal(got, root[:]) {
		t.Errorf("the leaves lead to the root %x, the ledger has %s", got, root)
	}
	packages, cursor := []exchange.Package(nil), ""
	for more := true; more; more = cursor != "" {
		var page []exchange.Package
		var err error
		if page, cursor, err = ledger.Packages(ctx, exchange.PackageQuery{Cursor: cursor, Limit: 50}); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, page...)
	}
	used := map[string]exchange.PackageID{}
	for _, p := range packages {
		auditPackage(t, ctx, ledger, vault, p)
		key := p.Sender + "\n" + string(p.Kind) + "\n" + p.DocumentID + "\n" + p.Content.String()
		if p.Exclusive() {
			key = p.Sender + "\n" + p.DocumentID
		}
		if other := used[key]; other != "" {
			t.Errorf("packages %s and %s are the same", p.ID, other)
		}
		used[key] = p.ID
	}
}

func auditLeaf(t testing.TB, ctx context.Context, ledger exchange.Ledger, index int64, raw []byte) {
	t.Helper()
	var leaf exchange.LogEntry
	if err := json.Unmarshal(raw, &leaf); err != nil {
		t.Fatal(err)
	}
	if leaf.Type != "receipt" {
		return
	}
	kept, err := ledger.Receipt(ctx, exchange.ReceiptID(leaf.ID))
	if err != nil {
		t.Fatal(err)
	}
	read, _, doc, err := exchange.ParseReceipt(kept.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read.LogEntry().Bytes(), raw) || kept.Leaf != index {
		t.Errorf("leaf %d is %s; receipt %s says %s at %d", index, raw, kept.ID, read.LogEntry().Bytes(), kept.Leaf)
	}
	if read.Delivery != kept.Delivery || read.Reason != kept.Reason || !read.Time.Equal(kept.Time) || read.Event != kept.Event {
		t.Errorf("receipt %s is kept as %+v and says %+v", kept.ID, kept, read)
	}
	if !doc.Signature.Certificate.Equal(holders()["hub"].chain[0]) {
		t.Errorf("receipt %s has another seal", kept.ID)
	}
}

func auditPackage(t testing.TB, ctx context.Context, ledger exchange.Ledger, vault exchange.Vault, p exchange.Package) {
	t.Helper()
	receipts, deliveries := must(ledger.Receipts(ctx, p.ID)), must(ledger.DeliveriesOf(ctx, p.ID))
	count := func(id exchange.DeliveryID, events ...exchange.Event) int {
		n := 0
		for _, r := range receipts {
			if r.Delivery == id && slices.Contains(events, r.Event) {
				n++
			}
		}
		return n
	}
	if n := count("", exchange.SubmissionAcceptance); n != 1 || len(deliveries) != len(p.Recipients) {
		t.Errorf("package %s: %d acceptances, %d deliveries for %d recipients", p.ID, n, len(deliveries), len(p.Recipients))
	}
	content, err := vault.Open(ctx, p.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if got := exchange.DigestOf(must(io.ReadAll(content))); got != p.Digest {
		t.Errorf("package %s: bytes of digest %s are kept as %s", p.ID, got, p.Digest)
	}
	final := map[exchange.State][]exchange.Event{
		exchange.HandedOver: {exchange.ContentHandover}, exchange.Rejected: {exchange.ConsignmentRejection},
		exchange.Failed:    {exchange.ContentConsignmentFailure, exchange.ContentHandoverFailure, exchange.AcceptanceRejectionExpiry},
		exchange.Withdrawn: {exchange.ContentConsignmentFailure, exchange.ContentHandoverFailure},
	}
	for _, d := range deliveries {
		ended, all := count(d.ID, final[d.State]...), 0
		for _, events := range []exchange.State{exchange.HandedOver, exchange.Rejected, exchange.Failed} {
			all += count(d.ID, final[events]...)
		}
		if want := map[bool]int{true: 1}[d.State.Final()]; ended != want || all != want {
			t.Errorf("delivery %s is %s with %d final receipts, %d of them for that state", d.ID, d.State, all, ended)
		}
		if want := map[bool]int{true: 1}[!d.ConsignedAt.IsZero()]; count(d.ID, exchange.ContentConsignment) != want {
			t.Errorf("delivery %s, consigned at %v, has %d receipts of it", d.ID, d.ConsignedAt, count(d.ID, exchange.ContentConsignment))
		}
	}
}
