package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tram/adapters/httpclient"
	"tram/exchange"
)

// A source has a record of the log: a hub, or a directory that mirrors one.
type source interface {
	Keys(ctx context.Context) (exchange.Keys, error)
	Checkpoint(ctx context.Context) ([]byte, error)
	Tile(ctx context.Context, level, n int64, width int) ([]byte, error)
	EntryBundle(ctx context.Context, n int64, width int) ([]byte, error)
}

// directory is a mirror: keys.json, checkpoint, tile/…, and perhaps
// checkpoints/ and receipts/.
type directory string

func (d directory) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

func (d directory) Keys(context.Context) (exchange.Keys, error) { return readKeys(d.path("keys.json")) }

func (d directory) Checkpoint(context.Context) ([]byte, error) {
	return os.ReadFile(d.path("checkpoint"))
}

func (d directory) Tile(_ context.Context, level, n int64, width int) ([]byte, error) {
	return os.ReadFile(d.path(filepath.FromSlash(httpclient.TilePath(int(level), n, width))))
}

func (d directory) EntryBundle(_ context.Context, n int64, width int) ([]byte, error) {
	return os.ReadFile(d.path(filepath.FromSlash(httpclient.TilePath(-1, n, width))))
}

// absent reports whether an error says that something is not there.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || httpclient.IsNotFound(err)
}

// split takes a bundle of entries apart (C2SP tlog-tiles: each entry after its
// length in two bytes, big-endian).
func split(bundle []byte, width int) ([][]byte, error) {
	entries := make([][]byte, 0, width)
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, errors.New("the bundle of entries ends within a length")
		}
		n := int(binary.BigEndian.Uint16(bundle))
		bundle = bundle[2:]
		if len(bundle) < n {
			return nil, errors.New("the bundle of entries ends within an entry")
		}
		entries = append(entries, bundle[:n])
		bundle = bundle[n:]
	}
	if len(entries) != width {
		return nil, errors.New("the bundle holds another number of entries than it should")
	}
	return entries, nil
}

// join puts a bundle of entries together.
func join(entries [][]byte) []byte {
	var b []byte
	for _, e := range entries {
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b
}
