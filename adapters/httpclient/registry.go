package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tram/exchange"
)

// AgencyPage is a part of the directory. Cursor goes on from it; it is empty at
// the end.
type AgencyPage struct {
	Agencies []exchange.Agency `json:"agencies"`
	Cursor   string            `json:"cursor"`
}

// Agencies lists the directory.
func (c *Client) Agencies(ctx context.Context, cursor string, limitTo int) (AgencyPage, error) {
	v := values("cursor", cursor)
	limit(v, limitTo)
	return getJSON[AgencyPage](ctx, c, v, "v1", "agencies")
}

// Agency finds an agency by its code or an alias.
func (c *Client) Agency(ctx context.Context, code string) (exchange.Agency, error) {
	return getJSON[exchange.Agency](ctx, c, nil, "v1", "agencies", code)
}

// PutAgency keeps an entry of the directory; Version is the one that was read,
// 0 for a new entry. certificates are further ones to register, in PEM.
func (c *Client) PutAgency(ctx context.Context, a exchange.Agency, certificates ...string) (exchange.Agency, error) {
	entry := struct {
		exchange.Agency
		PEM []string `json:"pem,omitempty"`
	}{a, certificates}
	return sendJSON[exchange.Agency](ctx, c, http.MethodPut, entry, "v1", "agencies", a.Code)
}

// Merge closes an agency at a time, now when zero, and lets another one take its
// place.
func (c *Client) Merge(ctx context.Context, from, into string, at time.Time) (exchange.Agency, error) {
	return sendJSON[exchange.Agency](ctx, c, http.MethodPost, struct {
		Into   string    `json:"into"`
		Closed time.Time `json:"closed,omitzero"`
	}{into, at}, "v1", "agencies", from, "merger")
}

// ImportDirectory brings the directory in line with a list, or tells how they differ.
func (c *Client) ImportDirectory(ctx context.Context, list []exchange.Listing, o exchange.DirectoryOrder) (exchange.DirectoryOutcome, error) {
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for _, entry := range list {
		if err := e.Encode(entry); err != nil {
			return exchange.DirectoryOutcome{}, fmt.Errorf("writing the request: %w", err)
		}
	}
	v := values("source", o.Source)
	for name, set := range map[string]bool{"dryRun": o.DryRun, "missing": o.Missing, "closings": o.Closings} {
		if set {
			v.Set(name, "true")
		}
	}
	return doJSON[exchange.DirectoryOutcome](ctx, c, call{method: http.MethodPost, path: []string{"v1", "directory"}, query: v,
		body: bytesBody(lines.Bytes()), header: map[string]string{"Content-Type": "application/x-ndjson"}})
}

// Systems lists the systems, without digests of their secrets.
func (c *Client) Systems(ctx context.Context) ([]exchange.System, error) {
	list, err := getJSON[struct {
		Systems []exchange.System `json:"systems"`
	}](ctx, c, nil, "v1", "systems")
	return list.Systems, err
}

// System is one system.
func (c *Client) System(ctx context.Context, id string) (exchange.System, error) {
	return getJSON[exchange.System](ctx, c, nil, "v1", "systems", id)
}

// PutSystem keeps a system; Version is the one that was read, 0 for a new one.
func (c *Client) PutSystem(ctx context.Context, s exchange.System) (exchange.System, error) {
	return sendJSON[exchange.System](ctx, c, http.MethodPut, s, "v1", "systems", s.ID)
}

// IssueSystemSecret makes a new secret, which is shown this once. The former one
// is taken for a while yet.
func (c *Client) IssueSystemSecret(ctx context.Context, id string) (string, error) {
	return c.secret(ctx, "systems", id)
}

// IssueSharedSecret makes a secret that the system signs requests of the axis's
// protocol with, or takes the one given, which its software has already.
func (c *Client) IssueSharedSecret(ctx context.Context, id, given string) (string, error) {
	type secret struct {
		Secret string `json:"secret,omitempty"`
	}
	issued, err := sendJSON[secret](ctx, c, http.MethodPost, secret{given}, "v1", "systems", id, "shared-secret")
	return issued.Secret, err
}

// Users lists the people who operate, administer or audit the hub.
func (c *Client) Users(ctx context.Context) ([]exchange.User, error) {
	list, err := getJSON[struct {
		Users []exchange.User `json:"users"`
	}](ctx, c, nil, "v1", "users")
	return list.Users, err
}

// PutUser keeps a person; Version is the one that was read, 0 for a new one.
func (c *Client) PutUser(ctx context.Context, u exchange.User) (exchange.User, error) {
	return sendJSON[exchange.User](ctx, c, http.MethodPut, u, "v1", "users", u.ID)
}

// IssueUserSecret makes a new secret, which is shown this once. The former one
// is taken for a while yet.
func (c *Client) IssueUserSecret(ctx context.Context, id string) (string, error) {
	return c.secret(ctx, "users", id)
}

func (c *Client) secret(ctx context.Context, of, id string) (string, error) {
	issued, err := doJSON[struct {
		Secret string `json:"secret"`
	}](ctx, c, call{method: http.MethodPost, path: []string{"v1", of, id, "secret"}})
	return issued.Secret, err
}

// Backup has the hub make a backup in a directory of its own machine.
func (c *Client) Backup(ctx context.Context, o exchange.BackupOrder) (exchange.Backup, error) {
	return sendJSON[exchange.Backup](ctx, c, http.MethodPost, o, "v1", "backup")
}

// Compact has the hub give back the space that its ledger no longer needs.
func (c *Client) Compact(ctx context.Context) (exchange.Compacted, error) {
	return sendJSON[exchange.Compacted](ctx, c, http.MethodPost, struct{}{}, "v1", "compaction")
}

// RecordDrill puts on record how restoring a backup aside went.
func (c *Client) RecordDrill(ctx context.Context, d exchange.Drill) error {
	_, err := sendJSON[struct{}](ctx, c, http.MethodPost, d, "v1", "restore-drills")
	return err
}
