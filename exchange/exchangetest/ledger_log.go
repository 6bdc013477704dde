package exchangetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// checkTree computes the tree from the leaves with another implementation than
// the one that stores it, and compares the roots and every stored hash.
func checkTree(ctx context.Context, l exchange.Ledger) (leaves [][]byte, err error) {
	size, err := l.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	if leaves, err = l.LogEntries(ctx, 0, size); err != nil {
		return nil, err
	}
	if int64(len(leaves)) != size {
		return nil, fmt.Errorf("the log has %d leaves and says %d", len(leaves), size)
	}
	hashes := l.LogHashes(ctx)
	stored, err := tlog.TreeHash(size, hashes)
	if err != nil {
		return nil, err
	}
	nodes := map[int64][]byte{}
	visit := func(id compact.NodeID, hash []byte) {
		nodes[tlog.StoredHashIndex(int(id.Level), int64(id.Index))] = hash
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for n, leaf := range leaves {
		hash := rfc6962.DefaultHasher.HashLeaf(leaf)
		visit(compact.NewNodeID(0, uint64(n)), hash)
		if err := tree.Append(hash, visit); err != nil {
			return nil, err
		}
	}
	root, err := tree.GetRootHash(nil)
	if size == 0 {
		root = rfc6962.DefaultHasher.EmptyRoot()
	}
	if err != nil || !bytes.Equal(root, stored[:]) {
		return nil, fmt.Errorf("the root of the log is %x, its leaves make %x (%w)", stored, root, err)
	}
	if int64(len(nodes)) != tlog.StoredHashCount(size) {
		return nil, fmt.Errorf("%d leaves make %d hashes, want %d", size, len(nodes), tlog.StoredHashCount(size))
	}
	return leaves, compareNodes(hashes, nodes)
}

// compareNodes holds every stored hash against those computed.
func compareNodes(hashes tlog.HashReader, nodes map[int64][]byte) error {
	indexes := slices.Sorted(maps.Keys(nodes))
	for some := range slices.Chunk(indexes, 1000) {
		read, err := hashes.ReadHashes(some)
		if err != nil || len(read) != len(some) {
			return fmt.Errorf("of %d hashes of the log %d were read: %w", len(some), len(read), err)
		}
		for i, index := range some {
			if !bytes.Equal(read[i][:], nodes[index]) {
				return fmt.Errorf("hash %d of the log is %x, its leaves make %x", index, read[i], nodes[index])
			}
		}
	}
	return nil
}

func (t *ledgerTest) checkLog() [][]byte {
	t.Helper()
	leaves, err := checkTree(t.Context(), t.Ledger)
	return must(t, leaves, err)
}

func (t *ledgerTest) log() {
	if leaves := t.checkLog(); len(leaves) != 0 {
		t.Fatalf("an empty ledger has %d leaves", len(leaves))
	}
	var want []exchange.LogEntry
	for n := range 9 {
		p := t.Submission("H12.01", fmt.Sprint("d", n), "H12.02")
		c := t.Acceptance(p)
		c.Receipts = append(c.Receipts, t.Evidence(exchange.ContentConsignment, p.ID, exchange.NewDeliveryID(p.ID, 1)))
		c.Actions = []exchange.Action{t.Action("first", "x"), t.Action("second", "y")}
		first, _, err := t.Accept(t.Context(), p, c)
		if must(t, first, err).Leaf != int64(4*n) {
			t.Errorf("the receipt of acceptance %d says leaf %d, want %d", n, first.Leaf, 4*n)
		}
		want = append(want, c.Entries()...)
		for _, r := range must2(t.Receipts(t.Context(), p.ID)) {
			if r.Leaf/4 != int64(n) {
				t.Errorf("receipt %s of change %d says leaf %d", r.ID, n, r.Leaf)
			}
		}
	}
	leaves := t.checkLog()
	for n, e := range want {
		if !bytes.Equal(leaves[n], e.Bytes()) {
			t.Errorf("leaf %d is %q, want %q", n, leaves[n], e.Bytes())
		}
	}
	some, err := t.LogEntries(t.Context(), 5, 11)
	t.equal("leaves 5 to 10", must(t, some, err), leaves[5:11])
	none, err := t.LogEntries(t.Context(), 36, 36)
	t.equal("number of leaves 36 to 35", len(must(t, none, err)), 0)
	for _, r := range [][2]int64{{0, 37}, {36, 37}, {-1, 3}, {4, 3}} {
		if _, err := t.LogEntries(t.Context(), r[0], r[1]); err == nil {
			t.Errorf("leaves %d to %d of 36 were read", r[0], r[1])
		}
	}
	if _, err := t.LogHashes(t.Context()).ReadHashes([]int64{0, tlog.StoredHashCount(36)}); err == nil {
		t.Errorf("a hash beyond the log was read")
	}
}

func (t *ledgerTest) actions() {
	if list, next, err := t.Actions(t.Context(), "", 5); len(list) != 0 || next != "" || err != nil {
		t.Errorf("an empty ledger has the actions %v, cursor %q, %v", list, next, err)
	}
	var want []exchange.Action
	for n := range 12 {
		t.mustAccept(t.Submission("H12.01", fmt.Sprint("d", n), "H12.02")) // a leaf between
		c := exchange.Change{Actions: []exchange.Action{t.Action("hold", fmt.Sprint("một ", n)), t.Action("put-agency", "<hai>")}}
		c.Actions[1].Reason, c.Actions[1].Entry = "", exchange.Digest{byte(n)}
		c.Actions[1].Time = c.Actions[1].Time.In(time.FixedZone("", 7*3600)) // as somebody's clock may be
		t.mustUpdate(c, nil)
		c.Actions[0].Leaf, c.Actions[1].Leaf = int64(3*n+1), int64(3*n+2)
		want = append(want, c.Actions...)
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 5, 24, 100} {
		got, err := allActions(t.Context(), t.Ledger, limit)
		t.equal(fmt.Sprint("actions by ", limit), must(t, got, err), want)
	}
	leaves := t.checkLog()
	for _, a := range must2(allActions(t.Context(), t.Ledger, 100)) {
		if leaf := a.LogEntry().Bytes(); !bytes.Equal(leaf, leaves[a.Leaf]) {
			t.Errorf("action %s makes the leaf %q, and leaf %d is %q", a.ID, leaf, a.Leaf, leaves[a.Leaf])
		}
	}
	list, next, err := t.Actions(t.Context(), "", 24)
	if len(list) != 24 || next != "" || err != nil {
		t.Errorf("a page that holds all has %d actions, cursor %q, %v; want no cursor", len(list), next, err)
	}
	for _, cursor := range []string{"x", "-1", "+1", "01", "1.0", "99999999999999999999", "\x00"} {
		if _, _, err := t.Actions(t.Context(), cursor, 5); exchange.CodeOf(err) != exchange.Malformed {
			t.Errorf("cursor %q: %v, want a refusal", cursor, err)
		}
	}
	t.actionOfOddWords()
}

// actionOfOddWords is refused, or makes its leaf when it is read back: JSON does
// not keep what is not UTF-8.
func (t *ledgerTest) actionOfOddWords() {
	for _, change := range []func(*exchange.Action){
		func(a *exchange.Action) { a.Reason = "\xff" }, func(a *exchange.Action) { a.Object = "\xff" },
		func(a *exchange.Action) { a.Verb = "\xff" }, func(a *exchange.Action) { a.Actor = "\xff" }, func(a *exchange.Action) { a.ID = "\xff" }} {
		before := t.snapshot()
		odd := t.Action("hold", "x")
		change(&odd)
		if err := t.Update(t.Context(), exchange.Change{Actions: []exchange.Action{odd}}); err != nil {
			t.code(err, exchange.Malformed)
			t.unchanged(before)
			continue
		}
		kept := must2(allActions(t.Context(), t.Ledger, 100))[0]
		if leaf := must2(t.LogEntries(t.Context(), kept.Leaf, kept.Leaf+1)); !bytes.Equal(leaf[0], kept.LogEntry().Bytes()) {
			t.Errorf("leaf %d is %q, and of its action %q", kept.Leaf, leaf, kept.LogEntry().Bytes())
		}
	}
}

func (t *ledgerTest) proofs() {
	roots := [][]byte{rfc6962.DefaultHasher.EmptyRoot()}
	for n := range 21 {
		t.mustUpdate(exchange.Change{Actions: []exchange.Action{t.Action("act", fmt.Sprint(n))}}, nil)
		root, err := tlog.TreeHash(int64(n+1), t.LogHashes(t.Context()))
		root = must(t, root, err)
		roots = append(roots, bytes.Clone(root[:]))
	}
	leaves := t.checkLog()
	hasher, hashes := rfc6962.DefaultHasher, t.LogHashes(t.Context())
	for size := int64(1); size <= 21; size++ {
		for n := range size {
			p, err := tlog.ProveRecord(size, n, hashes)
			if err == nil {
				err = proof.VerifyInclusion(hasher, uint64(n), uint64(size), hasher.HashLeaf(leaves[n]), plain(p), roots[size])
			}
			if err != nil {
				t.Errorf("leaf %d in the log of %d: %v", n, size, err)
			}
			q, err := tlog.ProveTree(size, n+1, hashes)
			if err == nil {
				err = proof.VerifyConsistency(hasher, uint64(n+1), uint64(size), plain(q), roots[n+1], roots[size])
			}
			if err != nil {
				t.Errorf("the log of %d in the log of %d: %v", n+1, size, err)
			}
		}
	}
}

func plain(hashes []tlog.Hash) [][]byte {
	var list [][]byte
	for _, h := range hashes {
		list = append(list, bytes.Clone(h[:]))
	}
	return list
}
