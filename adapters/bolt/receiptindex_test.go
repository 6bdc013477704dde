package bolt

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// TestReceiptsAreFoundWithoutAnIndex writes receipts as they come: nearly in the
// order of their identifiers, and far from it.
func TestReceiptsAreFoundWithoutAnIndex(t *testing.T) {
	l, path := newLedger(t, Options{})
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC).UnixMilli()
	made := func(ms int64, more uint64) exchange.ReceiptID {
		id := binary.BigEndian.AppendUint64(nil, uint64(ms)<<16|0x7000|more)
		return exchange.ReceiptID(appendUUID(nil, binary.BigEndian.AppendUint64(id, random.Uint64())))
	}
	const window = blockLeaves * newestBlocks
	var ids []exchange.ReceiptID
	for n := range int64(4 * window) {
		id := made(at+n, 0)
		switch {
		case n%17 == 0: // overtaken by some
			id = made(at+max(0, n-random.Int64N(window/4)), 0)
		case n%401 == 0: // made long before it is kept
			id = made(at+max(0, n-3*window), 0)
		case n%403 == 0: // by a clock that was ahead
			id = made(at+n+window/4, 0)
		case n%409 == 0: // by one that was years ahead
			id = made(at+1e11, 0)
		case n%405 == 0:
			id = exchange.ReceiptID(fmt.Sprint("no UUID ", n))
		case n/1000 == 7: // all in one millisecond
			id = made(at+7000, 0)
		}
		ids = append(ids, id)
	}
	for from := 0; from < len(ids); from += 256 {
		var c exchange.Change
		for _, id := range ids[from : from+256] {
			c.Receipts = append(c.Receipts, exchange.Receipt{ID: id, Event: exchange.SubmissionRejection, Raw: []byte("<e/>")})
		}
		c.Actions = []exchange.Action{{ID: "a", Verb: "hold"}} // a leaf that is no receipt
		if err := l.Update(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	indexed := 0
	err := l.view(t.Context(), func(tx *bbolt.Tx) error {
		for n, id := range ids {
			want := int64(n + n/256)
			if leaf, found := leafOfReceipt(tx, logSize(tx), idKey(id)); leaf != want || !found {
				t.Fatalf("receipt %s of leaf %d: found %v in %d", id, want, found, leaf)
			}
			if leaf, found := leafOfReceipt(tx, logSize(tx), idKey(made(at+int64(n), 1))); found {
				t.Fatalf("a receipt that there is not was found in leaf %d", leaf)
			}
		}
		indexed = tx.Bucket([]byte(receiptLeaves)).Stats().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if indexed < window || indexed > window+window/4 {
		t.Errorf("%d receipts are indexed, want the newest %d and few others", indexed, window)
	}
	for n := range 300 {
		again := exchange.Change{Receipts: []exchange.Receipt{{ID: ids[n*len(ids)/300], Event: exchange.SubmissionRejection}}}
		if err := l.Update(t.Context(), again); exchange.CodeOf(err) != exchange.Conflict {
			t.Fatalf("receipt %s was kept a second time: %v", again.Receipts[0].ID, err)
		}
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(tx *bbolt.Tx) error{
		"a mark is too small": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(receiptMarks)).Put(leafKey(100), binary.BigEndian.AppendUint64(nil, markAt(tx, 100)-1))
		},
		"a receipt that came late is not indexed": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(receiptLeaves)).Delete(idKey(exchange.ReceiptID("no UUID 405")))
		},
	} {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := damage(tx); err != nil {
			t.Fatal(err)
		}
		c := newChecker(t.Context(), tx)
		if c.contents(); len(c.problems) == 0 {
			t.Errorf("%s, and Check says nothing", name)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
