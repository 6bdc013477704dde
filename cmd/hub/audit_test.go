package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/exchange"
	"tram/exchange/exchangetest"
)

// auditOf reads all that a hub which does not run left in dir, and holds it to its
// clients' notes: the whole ledger and its log, every package's bytes, every
// receipt that somebody was given, every checkpoint that was ever shown; and a
// sweep leaves nothing in the vault that no package has.
func auditOf(ctx context.Context, dir string, n notes) []error {
	ledger, err := bolt.Open(filepath.Join(dir, "ledger.db"), bolt.Options{})
	if err != nil {
		return []error{err}
	}
	defer func() { _ = ledger.Close() }()                                 // only read
	later := func() time.Time { return time.Now().Add(1000 * time.Hour) } // so that all that is not needed is old
	vault, err := disk.Open(filepath.Join(dir, "vault"), disk.Options{Now: later})
	if err != nil {
		return []error{err}
	}
	defer func() { _ = vault.Close() }() // likewise
	a := &auditing{ctx: ctx, ledger: ledger, vault: vault}
	a.fault(ledger.Check(ctx))
	a.fault(exchangetest.Check(ctx, ledger, vault, sealHolds))
	a.trees(n.trees)
	for document, p := range n.letters {
		a.letter(document, p, n.accepted)
	}
	for id, given := range n.answered {
		a.receipt("the answer to "+string(id), given)
		a.final(id)
	}
	for id, verb := range n.steered {
		if verb == "cancel" {
			a.final(id)
		}
	}
	for id, heard := range n.announced {
		if d, err := ledger.Delivery(ctx, id); err != nil || d.Attempts < heard {
			a.problem("delivery %s was announced %d times, and %d attempts are counted: %v", id, heard, d.Attempts, err)
		}
	}
	a.named(dir)
	a.swept(dir)
	return a.problems
}

func sealHolds(raw []byte) error {
	_, _, _, err := exchange.ParseReceipt(raw)
	return err
}

type auditing struct {
	ctx      context.Context
	ledger   exchange.Ledger
	vault    exchange.Vault
	problems []error
}

func (a *auditing) fault(err error) {
	if err != nil {
		a.problems = append(a.problems, err)
	}
}

func (a *auditing) problem(format string, args ...any) { a.fault(fmt.Errorf(format, args...)) }

func (a *auditing) trees(seen []tlog.Tree) {
	size, err := a.ledger.LogSize(a.ctx)
	a.fault(err)
	for _, tree := range seen {
		if tree.N > size {
			a.problem("a checkpoint showed %d leaves, and the log has %d", tree.N, size)
			continue
		}
		hash, err := tlog.TreeHash(tree.N, a.ledger.LogHashes(a.ctx))
		if err != nil || hash != tree.Hash {
			a.problem("a checkpoint of %d leaves showed %s, and the log has %s: %v", tree.N, tree.Hash, hash, err)
		}
	}
}

// letter: the document is one package, if it was acknowledged, and its receipt is
// the one that was given.
func (a *auditing) letter(document string, p letter, accepted map[string]exchange.Submission) {
	list, _, err := a.ledger.Packages(a.ctx, exchange.PackageQuery{Sender: p.from.code, DocumentID: document, Limit: 10})
	a.fault(err)
	done, given := accepted[document]
	if len(list) > 1 || (given && len(list) == 0) {
		a.problem("%s was acknowledged: %v; it is %d packages", document, given, len(list))
		return
	}
	if !given {
		return // it may be there, or not
	}
	a.receipt(document, done.Receipt)
	if list[0].ID != done.Package || list[0].Digest != exchange.DigestOf(p.bytes) {
		a.problem("%s is package %s of %s, acknowledged was %s of %s", document, list[0].ID, list[0].Digest, done.Package, exchange.DigestOf(p.bytes))
	}
	deliveries, err := a.ledger.DeliveriesOf(a.ctx, done.Package)
	if err != nil || len(deliveries) != p.to {
		a.problem("%s went to %d agencies and has %d deliveries: %v", document, p.to, len(deliveries), err)
	}
	content, err := a.vault.Open(a.ctx, list[0].Digest)
	if err != nil {
		a.problem("%s is not in the vault: %w", document, err)
		return
	}
	kept, err := io.ReadAll(content)
	if err = errors.Join(err, content.Close()); err != nil || !bytes.Equal(kept, p.bytes) {
		a.problem("%s is kept as other bytes: %v", document, err)
	}
}

func (a *auditing) receipt(of string, given exchange.Receipt) {
	r, err := a.ledger.Receipt(a.ctx, given.ID)
	if err != nil || !bytes.Equal(r.Raw, given.Raw) {
		a.problem("receipt %s of %s was given, and is not there as it was: %v", given.ID, of, err)
	}
}

func (a *auditing) final(id exchange.DeliveryID) {
	if d, err := a.ledger.Delivery(a.ctx, id); err != nil || !d.State.Final() {
		a.problem("delivery %s was ended, and is %s: %v", id, d.State, err)
	}
}

// kept are the files of a vault that are not drafts, by their digest.
func (a *auditing) kept(dir string) map[exchange.Digest]string {
	files, err := filepath.Glob(filepath.Join(dir, "vault", "??", "*"))
	a.fault(err)
	kept := map[exchange.Digest]string{}
	for _, file := range files {
		digest, err := exchange.ParseDigest(filepath.Base(filepath.Dir(file)) + filepath.Base(file))
		a.fault(err)
		kept[digest] = file
	}
	return kept
}

// named: nothing has a name that is not that of its bytes, needed or not. The
// next package of that digest would be taken for kept.
func (a *auditing) named(dir string) {
	for digest, file := range a.kept(dir) {
		if b, err := os.ReadFile(file); err != nil || exchange.DigestOf(b) != digest {
			a.problem("%s has %d bytes of another digest: %v", file, len(b), err)
		}
	}
}

// swept: after a sweep there is in the vault what packages have, no more.
func (a *auditing) swept(dir string) {
	held := func(d exchange.Digest) (bool, error) { return a.ledger.HoldsContent(a.ctx, d) }
	a.fault(a.vault.Sweep(a.ctx, time.Hour, held))
	for digest, file := range a.kept(dir) {
		if needed, err := held(digest); !needed || err != nil {
			a.problem("a sweep left %s, which no package has: %v", file, err)
		}
	}
	drafts, err := os.ReadDir(filepath.Join(dir, "vault", "incoming"))
	if err != nil || len(drafts) > 0 {
		a.problem("a sweep left %d drafts: %v", len(drafts), err)
	}
}

// glance is the little that is looked at after each restart, through the hub
// itself: the log has grown from what was seen last, and a receipt given before
// the crash is still there.
func (l *load) glance(dice *rand.Rand) {
	l.t.Helper()
	l.mu.Lock()
	trees := l.trees[max(0, len(l.trees)-1):]
	var some exchange.Submission
	if n := len(l.order[l.senders[0].code]); n > 0 {
		some = l.accepted[l.order[l.senders[0].code][dice.IntN(n)]]
	}
	l.mu.Unlock()
	signed, err := l.s.admin.Checkpoint(l.t.Context())
	if err != nil {
		l.problem("a hub that runs shows no checkpoint: %v", err)
		return
	}
	now := l.noteTree(signed)
	for _, before := range trees {
		if err := l.grown(before, now); err != nil {
			l.problem("the log of %d leaves does not follow from that of %d: %v", now.N, before.N, err)
		}
	}
	if some.Package == "" {
		return
	}
	raw, err := l.s.admin.Receipt(l.t.Context(), some.Receipt.ID)
	if err != nil || !bytes.Equal(raw, some.Receipt.Raw) {
		l.problem("receipt %s was given before the crash, and now: %v", some.Receipt.ID, err)
	}
}

// grown proves through the log's tiles that it has only grown.
func (l *load) grown(before, now tlog.Tree) error {
	if before.N > now.N {
		return errors.New("it is shorter")
	}
	proof, err := tlog.ProveTree(now.N, before.N, l.s.admin.Tiles(l.t.Context(), "").Hashes(now))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash)
}

// healthy runs "hub check" on the stopped hub. A full disk is not the hub's
// fault here.
func healthy(t *testing.T, s *site) {
	t.Helper()
	out, errOut, code := s.hub("check", "--json", "--config", s.config())
	var findings []finding
	must(t, json.Unmarshal([]byte(out), &findings))
	whole, rest := false, true
	for _, f := range findings {
		whole = whole || f.What == "record" && f.State == "ok"
		rest = rest && (f.State != "failed" || f.What == "disk")
	}
	if !whole || !rest || code == exitUsage {
		t.Errorf("hub check: exit code %d\n%s%s", code, out, errOut)
	}
}
