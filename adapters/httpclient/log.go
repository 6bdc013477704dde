package httpclient

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// bundleLimit bounds a bundle of entries: each has at most 65,535 bytes and two
// for its length.
const bundleLimit = exchange.TileWidth * (1<<16 + 1)

// ReloadKeys makes the hub publish and use its sealing keys as they are
// configured now.
func (c *Client) ReloadKeys(ctx context.Context, reason string) (exchange.Keys, error) {
	return sendJSON[exchange.Keys](ctx, c, http.MethodPost, map[string]string{"reason": reason}, "v1", "keys", "reload")
}

// Keys are what the hub publishes for those who verify without it.
func (c *Client) Keys(ctx context.Context) (exchange.Keys, error) {
	return getJSON[exchange.Keys](ctx, c, nil, "v1", "keys")
}

// Checkpoint is the log's latest signed checkpoint (C2SP tlog-checkpoint).
func (c *Client) Checkpoint(ctx context.Context) ([]byte, error) {
	return c.getBytes(ctx, problemLimit, "v1", "log", "checkpoint")
}

// ActionPage is a part of what people did. Cursor goes on from it; it is empty
// at the end.
type ActionPage struct {
	Actions []exchange.Action `json:"actions"`
	Cursor  string            `json:"cursor"`
}

// Actions lists what people did from the newest to the oldest. Each is a leaf of
// the log: exchange.Action.LogEntry.
func (c *Client) Actions(ctx context.Context, cursor string, limitTo int) (ActionPage, error) {
	v := values("cursor", cursor)
	limit(v, limitTo)
	return getJSON[ActionPage](ctx, c, v, "v1", "actions")
}

// OrphanPage is a part of the statuses without a document; Cursor is empty at the
// end.
type OrphanPage struct {
	Packages []exchange.Package `json:"packages"`
	Cursor   string             `json:"cursor"`
}

// Orphans lists status packages on documents that the hub has not brought to their
// sender, from the oldest to the newest.
func (c *Client) Orphans(ctx context.Context, cursor string, limitTo int) (OrphanPage, error) {
	v := values("cursor", cursor)
	limit(v, limitTo)
	return getJSON[OrphanPage](ctx, c, v, "v1", "orphans")
}

// Certificates lists what ends within some days, or has ended: certificates, and
// lists of revoked ones. The soonest comes first.
func (c *Client) Certificates(ctx context.Context, days int) ([]exchange.Term, error) {
	list, err := getJSON[struct {
		Certificates []exchange.Term `json:"certificates"`
	}](ctx, c, values("days", strconv.Itoa(days)), "v1", "certificates")
	return list.Certificates, err
}

// Revocation shows how the hub finds out about revocation.
func (c *Client) Revocation(ctx context.Context) (exchange.RevocationView, error) {
	return getJSON[exchange.RevocationView](ctx, c, nil, "v1", "revocation")
}

// Relays shows how it stands with other axes.
func (c *Client) Relays(ctx context.Context) ([]exchange.RelayView, error) {
	list, err := getJSON[struct {
		Relays []exchange.RelayView `json:"relays"`
	}](ctx, c, nil, "v1", "relays")
	return list.Relays, err
}

// Tile is the nth tile of hashes of a level, width hashes wide.
func (c *Client) Tile(ctx context.Context, level, n int64, width int) ([]byte, error) {
	return c.logFile(ctx, TilePath(int(level), n, width), int64(width)*tlog.HashSize)
}

// EntryBundle is the nth bundle of entries, width entries long.
func (c *Client) EntryBundle(ctx context.Context, n int64, width int) ([]byte, error) {
	return c.logFile(ctx, TilePath(-1, n, width), bundleLimit)
}

func (c *Client) logFile(ctx context.Context, path string, limit int64) ([]byte, error) {
	return c.getBytes(ctx, limit, append([]string{"v1", "log"}, strings.Split(path, "/")...)...)
}

// TilePath is where a tile stands below the log's address, and in a directory
// that mirrors it: "tile/0/x001/234" and, when it is not full,
// "tile/0/x001/234.p/17". Level -1 is a bundle of entries: "tile/entries/…".
// Unlike tlog.Tile.Path it names no height (C2SP tlog-tiles).
func TilePath(level int, n int64, width int) string {
	kind := "entries"
	if level >= 0 {
		kind = fmt.Sprint(level)
	}
	number := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	if width < exchange.TileWidth {
		number += fmt.Sprintf(".p/%d", width)
	}
	return "tile/" + kind + "/" + number
}
