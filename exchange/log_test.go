package exchange_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// actions adds leaves quickly.
func (p *province) actions(n int) {
	p.Helper()
	var c exchange.Change
	for i := range n {
		c.Actions = append(c.Actions, exchange.Action{ID: fmt.Sprint("a", i), Time: start, Actor: "user:an", Verb: "hold", Object: fmt.Sprint("d", i)})
	}
	if err := p.ledger.Update(p.Context(), c); err != nil {
		p.Fatal(err)
	}
}

func TestCheckpointsAreReadByOthers(t *testing.T) {
	t.Parallel()
	p := emptyProvince(t)
	for _, more := range []int{0, 1, 1, 254, 1, 100} {
		p.actions(more)
		size := must(p.ledger.LogSize(t.Context()))
		signed := must(p.x.Checkpoint(t.Context()))
		read, rest, _, err := formats.ParseCheckpoint(signed, origin, verifier())
		if err != nil || len(rest) != 0 || read.Size != uint64(size) || !bytes.Equal(read.Hash, rootOf(t, p)) {
			t.Errorf("at %d: %+v, %q, %v", size, read, rest, err)
		}
		tree, err := exchange.ParseCheckpoint(signed, origin, verifier())
		if err != nil || tree.N != size || !bytes.Equal(tree.Hash[:], read.Hash) {
			t.Errorf("at %d: %+v, %v", size, tree, err)
		}
	}
}

// rootOf hashes the leaves as they are kept, with another implementation.
func rootOf(t *testing.T, p *province) []byte {
	t.Helper()
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, raw := range must(p.ledger.LogEntries(t.Context(), 0, must(p.ledger.LogSize(t.Context())))) {
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(raw), nil); err != nil {
			t.Fatal(err)
		}
	}
	if tree.End() == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	return must(tree.GetRootHash(nil))
}

func TestParseCheckpointRefuses(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	good := string(must(p.x.Checkpoint(t.Context())))
	skey, _ := logKeys()
	resigned := func(text string) string {
		return string(must(note.Sign(&note.Note{Text: text}, must(note.NewSigner(skey)))))
	}
	_, otherKey, err := note.GenerateKey(rand0{}, origin)
	if err != nil {
		t.Fatal(err)
	}
	root := strings.Split(good, "\n")[2]
	for _, c := range []struct {
		name, signed, origin string
		by                   note.Verifier
	}{
		{"another size", strings.Replace(good, "\n1", "\n2", 1), origin, verifier()},
		{"another root", strings.Replace(good, root, base64.StdEncoding.EncodeToString(make([]byte, 32)), 1), origin, verifier()},
		{"another origin", good, "other.example/log", verifier()},
		{"another key", good, origin, must(note.NewVerifier(otherKey))},
		{"no signature", strings.SplitAfter(good, "\n\n")[0], origin, verifier()},
		{"a size with a sign", resigned(origin + "\n+5\n" + root + "\n"), origin, verifier()},
		{"a size with a zero in front", resigned(origin + "\n05\n" + root + "\n"), origin, verifier()},
		{"a size below nothing", resigned(origin + "\n-5\n" + root + "\n"), origin, verifier()},
		{"a size in words", resigned(origin + "\nfive\n" + root + "\n"), origin, verifier()},
		{"a root too short", resigned(origin + "\n5\nMAA=\n"), origin, verifier()},
		{"no root", resigned(origin + "\n5\n"), origin, verifier()},
		{"nothing", "", origin, verifier()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.signed == good && c.origin == origin && c.by == verifier() {
				t.Fatal("nothing is wrong with it")
			}
			if tree, err := exchange.ParseCheckpoint([]byte(c.signed), c.origin, c.by); err == nil || tree != (tlog.Tree{}) {
				t.Errorf("%+v, %v", tree, err)
			}
		})
	}
}

// rand0 makes a key that is always the same.
type rand0 struct{}

func (rand0) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestEveryLeafIsProved(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health, ward)
	p.actions(300)
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	size := must(p.ledger.LogSize(t.Context()))
	for leaf, raw := range must(p.ledger.LogEntries(t.Context(), 0, size)) {
		text := must(p.x.Proof(t.Context(), int64(leaf)))
		var read tlogproof.TLogProof
		if err := read.Unmarshal(text); err != nil || read.Index != uint64(leaf) {
			t.Fatalf("leaf %d: %+v, %v", leaf, read, err)
		}
		checkpoint, _, _, err := formats.ParseCheckpoint(read.Checkpoint, origin, verifier())
		if err != nil {
			t.Fatal(err)
		}
		var path [][]byte
		for _, h := range read.Hashes {
			path = append(path, h[:])
		}
		h := rfc6962.DefaultHasher
		if err := proof.VerifyInclusion(h, read.Index, checkpoint.Size, h.HashLeaf(raw), path, checkpoint.Hash); err != nil {
			t.Fatalf("leaf %d: %v", leaf, err)
		}
		var entry exchange.LogEntry
		if err := json.Unmarshal(raw, &entry); err != nil {
			t.Fatal(err)
		}
		tree, index, err := exchange.VerifyProof(text, entry, origin, verifier())
		if err != nil || index != int64(leaf) || tree.N != size {
			t.Fatalf("leaf %d: %d in %+v, %v", leaf, index, tree, err)
		}
	}
	// A receipt alone, without the hub, leads to its leaf.
	for _, r := range must(p.ledger.Receipts(t.Context(), id)) {
		alone, _, _, err := exchange.ParseReceipt(r.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, index, err := exchange.VerifyProof(must(p.x.Proof(t.Context(), r.Leaf)), alone.LogEntry(), origin, verifier()); err != nil || index != r.Leaf {
			t.Errorf("receipt %s: leaf %d, want %d, %v", r.Event, index, r.Leaf, err)
		}
	}
	for _, leaf := range []int64{-1, size, 1 << 62} {
		_, err := p.x.Proof(t.Context(), leaf)
		refused(t, err, exchange.NotFound, "not-found")
	}
}

func TestVerifyProofRefuses(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	receipt := must(p.ledger.Receipts(t.Context(), id))[0]
	entry := receipt.LogEntry()
	good := string(must(p.x.Proof(t.Context(), receipt.Leaf)))
	other := string(must(p.x.Proof(t.Context(), receipt.Leaf+1)))
	index := fmt.Sprintf("\nindex %d\n", receipt.Leaf)
	head, checkpoint, _ := strings.Cut(good, "\n\n")
	hashes := strings.Split(head, "\n")[2:]
	back := entry
	back.Time = back.Time.Add(-1)
	forged := entry
	forged.SHA256 = exchange.DigestOf(nil)
	for _, c := range []struct {
		name  string
		text  string
		entry exchange.LogEntry
	}{
		{"a receipt dated back", good, back},
		{"a receipt forged", good, forged},
		{"the proof of another", other, entry},
		{"another index", strings.Replace(good, index, "\nindex 3\n", 1), entry},
		{"an index that has not its name", strings.Replace(good, index, strings.Replace(index, "index ", "", 1), 1), entry},
		{"an index with a sign", strings.Replace(good, index, strings.Replace(index, "index ", "index +", 1), 1), entry},
		{"an index with a zero in front", strings.Replace(good, index, strings.Replace(index, "index ", "index 0", 1), 1), entry},
		{"an index below nothing", strings.Replace(good, index, "\nindex -1\n", 1), entry},
		{"an index beyond the tree", strings.Replace(good, index, "\nindex 99999\n", 1), entry},
		{"a hash too few", strings.Replace(good, hashes[0]+"\n", "", 1), entry},
		{"a hash too many", strings.Replace(good, hashes[0], hashes[0]+"\n"+hashes[0], 1), entry},
		{"hashes in another order", strings.Replace(strings.Replace(strings.Replace(good, hashes[0], "x", 1), hashes[1], hashes[0], 1), "x\n", hashes[1]+"\n", 1), entry},
		{"a hash that is none", strings.Replace(good, hashes[0], "MAA=", 1), entry},
		{"another version", strings.Replace(good, "@v1", "@v2", 1), entry},
		{"the checkpoint of another log", head + "\n\n" + strings.Replace(checkpoint, origin, "other.example/log", 1), entry},
		{"no checkpoint", head + "\n", entry},
		{"a line of the header only", "c2sp.org/tlog-proof@v1\n\n" + checkpoint, entry},
		{"nothing", "", entry},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.text == good && c.entry == entry {
				t.Fatal("nothing is wrong with it")
			}
			if tree, index, err := exchange.VerifyProof([]byte(c.text), c.entry, origin, verifier()); err == nil || tree != (tlog.Tree{}) || index != 0 {
				t.Errorf("%d, %+v, %v", index, tree, err)
			}
		})
	}
	if _, _, err := exchange.VerifyProof([]byte(good), entry, origin, verifier()); err != nil {
		t.Error(err)
	}
}

// TestTilesAndBundlesLeadToTheRoot reads the log as an auditor does.
func TestTilesAndBundlesLeadToTheRoot(t *testing.T) {
	t.Parallel()
	p := emptyProvince(t)
	for _, more := range []int{1, 255, 1, 400} {
		p.actions(more)
		size := must(p.ledger.LogSize(t.Context()))
		var root tlog.Hash
		copy(root[:], rootOf(t, p))
		read := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tileReader{p})
		if got, err := tlog.TreeHash(size, read); err != nil || got != root {
			t.Errorf("at %d the tiles lead to %s, %v", size, got, err)
		}
		leaves := 0
		for n := int64(0); n*256 < size; n++ {
			leaves += bundle(t, p, read, n, int(min(256, size-n*256)))
		}
		if int64(leaves) != size {
			t.Errorf("bundles hold %d leaves of %d", leaves, size)
		}
	}
}

// bundle reads an entry bundle and holds its leaves to the tiles.
func bundle(t *testing.T, p *province, read tlog.HashReader, n int64, width int) int {
	t.Helper()
	data, leaves := must(p.x.EntryBundle(t.Context(), n, width)), 0
	for len(data) > 0 {
		length := int(binary.BigEndian.Uint16(data))
		leaf := data[2 : 2+length]
		data = data[2+length:]
		hash, err := read.ReadHashes([]int64{tlog.StoredHashIndex(0, n*256+int64(leaves))})
		if err != nil || hash[0] != tlog.RecordHash(leaf) {
			t.Fatalf("leaf %d of bundle %d, %q, is not in the tile: %v", leaves, n, leaf, err)
		}
		leaves++
	}
	return leaves
}

type tileReader struct{ p *province }

func (tileReader) Height() int { return 8 }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := r.p.x.Tile(r.p.Context(), int64(tile.L), tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func TestTilesThatAreNotThere(t *testing.T) {
	t.Parallel()
	p := emptyProvince(t)
	_, err := p.x.Tile(t.Context(), 0, 0, 1)
	refused(t, err, exchange.NotFound, "not-found")
	p.actions(300)
	for _, c := range []struct {
		name     string
		level, n int64
		width    int
		there    bool
	}{
		{"full", 0, 0, 256, true},
		{"an earlier part of a full one", 0, 0, 17, true},
		{"partial", 0, 1, 44, true},
		{"a level up", 1, 0, 1, true},
		{"wider than the log", 0, 1, 45, false},
		{"full, and the log is not", 0, 1, 256, false},
		{"a level up, too wide", 1, 0, 2, false},
		{"two levels up", 2, 0, 1, false},
		{"too high", 8, 0, 1, false},
		{"the highest number", 1<<63 - 1, 0, 1, false},
		{"below", -1, 0, 1, false},
		{"before the first", 0, -1, 256, false},
		{"far beyond the last", 0, 1<<63 - 1, 1, false},
		{"of no width", 0, 0, 0, false},
		{"of negative width", 0, 0, -1, false},
		{"too wide", 0, 0, 257, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := p.x.Tile(t.Context(), c.level, c.n, c.width)
			if c.there != (err == nil) || c.there && len(data) != 32*c.width {
				t.Errorf("%d bytes, %v", len(data), err)
			}
			if !c.there {
				refused(t, err, exchange.NotFound, "not-found")
			}
			if c.level != 0 {
				return
			}
			if _, err = p.x.EntryBundle(t.Context(), c.n, c.width); c.there != (err == nil) {
				t.Errorf("the entries: %v", err)
			}
		})
	}
}
