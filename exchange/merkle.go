package exchange

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The log's tiles are 8 levels high and 256 hashes wide (C2SP tlog-tiles).
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// Checkpoint is the signed note on the log as it stands (C2SP tlog-checkpoint).
// It is signed when it is asked for: it can never lag behind the log.
func (x *Exchange) Checkpoint(ctx context.Context) ([]byte, error) {
	size, err := x.c.Ledger.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	return x.checkpointAt(ctx, size)
}

func (x *Exchange) checkpointAt(ctx context.Context, size int64) ([]byte, error) {
	root, err := tlog.TreeHash(size, x.c.Ledger.LogHashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("the log's root at %d: %w", size, err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", x.c.Origin, size, root)
	return note.Sign(&note.Note{Text: text}, x.c.LogKey)
}

// ParseCheckpoint verifies a checkpoint and reads the tree it commits to.
func ParseCheckpoint(signed []byte, origin string, v note.Verifier) (tlog.Tree, error) {
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint's signature: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not of the log %q", origin)
	}
	size, err := decimal(lines[1])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint's size: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint's root: %w", err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// decimal reads a number that has one form only: no sign, no zero in front.
func decimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || s != strconv.FormatInt(n, 10) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

// Tile is a hash tile (C2SP tlog-tiles): width hashes of 32 bytes.
func (x *Exchange) Tile(ctx context.Context, level, n int64, width int) ([]byte, error) {
	size, err := x.c.Ledger.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	if level < 0 || level > 7 || !inTree(n, width, size>>(TileHeight*level)) {
		return nil, NotFoundError("tile", fmt.Sprintf("%d/%d.p/%d", level, n, width))
	}
	t := tlog.Tile{H: TileHeight, L: int(level), N: n, W: width}
	return tlog.ReadTileData(t, x.c.Ledger.LogHashes(ctx))
}

// EntryBundle are width leaves, each after its length in two bytes, big-endian
// (C2SP tlog-tiles, entry bundles).
func (x *Exchange) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	size, err := x.c.Ledger.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	if !inTree(n, width, size) {
		return nil, NotFoundError("entries", fmt.Sprintf("%d.p/%d", n, width))
	}
	from := n * TileWidth
	entries, err := x.c.Ledger.LogEntries(ctx, from, from+int64(width))
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, e := range entries {
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b, nil
}

// inTree reports whether a tile of width begins and ends inside n hashes.
func inTree(tile int64, width int, n int64) bool {
	return tile >= 0 && width >= 1 && width <= TileWidth && tile <= n/TileWidth && tile*TileWidth+int64(width) <= n
}

// Proof shows that a leaf is in the log, for anyone, without the hub (C2SP
// tlog-proof): the leaf's index, its inclusion proof, and the checkpoint.
func (x *Exchange) Proof(ctx context.Context, leaf int64) ([]byte, error) {
	size, err := x.c.Ledger.LogSize(ctx)
	if err != nil {
		return nil, err
	}
	if leaf < 0 || leaf >= size {
		return nil, NotFoundError("leaf", strconv.FormatInt(leaf, 10))
	}
	hashes, err := tlog.ProveRecord(size, leaf, x.c.Ledger.LogHashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d of %d: %w", leaf, size, err)
	}
	checkpoint, err := x.checkpointAt(ctx, size)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", proofHeader, leaf)
	for _, h := range hashes {
		fmt.Fprintf(&b, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes(), nil
}

const proofHeader = "c2sp.org/tlog-proof@v1"

// VerifyProof verifies a Proof of the entry against the log's verifier, and
// returns the tree that the proof's checkpoint commits to, and the leaf's index.
func VerifyProof(proof []byte, entry LogEntry, origin string, v note.Verifier) (tlog.Tree, int64, error) {
	head, checkpoint, found := bytes.Cut(proof, []byte("\n\n"))
	if !found {
		return tlog.Tree{}, 0, fmt.Errorf("the proof has no checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) < 2 || lines[0] != proofHeader {
		return tlog.Tree{}, 0, fmt.Errorf("the proof does not begin with %q", proofHeader)
	}
	tree, err := ParseCheckpoint(checkpoint, origin, v)
	if err != nil {
		return tlog.Tree{}, 0, err
	}
	number, found := strings.CutPrefix(lines[1], "index ")
	index, err := decimal(number)
	if !found || err != nil {
		return tlog.Tree{}, 0, fmt.Errorf("the proof has no index of a leaf in its second line %q", lines[1])
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return tlog.Tree{}, 0, fmt.Errorf("the proof's hash: %w", err)
		}
		path = append(path, h)
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, index, entry.Hash()); err != nil {
		return tlog.Tree{}, 0, fmt.Errorf("the proof does not lead to the checkpoint: %w", err)
	}
	return tree, index, nil
}
