package audit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

// mirror is a copy of a hub's log that grows with it.
type mirror struct {
	hub       *httpclient.Client
	dir       directory
	options   hubOptions
	tolerance time.Duration
	progress  func() *progress.Bar
	by        *authority // set by each look
	notes     []string   // on the hub's keys
	latest    time.Time  // of the leaves checked
}

// look is what one look at the hub found.
type look struct {
	OK       bool      `json:"ok"`
	Time     time.Time `json:"time"`
	Origin   string    `json:"origin"`
	Before   int64     `json:"before"`
	Leaves   int64     `json:"leaves"`
	Root     string    `json:"root"`
	Findings []Finding `json:"findings"`
	Do       []string  `json:"do,omitempty"` // about the findings, in both languages
	// Notes are changes that are no fault, but that somebody should look at.
	Notes []string `json:"notes,omitempty"`
}

// look compares the hub's record with the mirror and lets the mirror grow. The
// error is of looking; what does not hold is in the result.
func (m *mirror) look(ctx context.Context) (look, error) {
	l := look{Time: time.Now().UTC(), Findings: []Finding{}}
	changed, err := m.believe(ctx)
	if err != nil {
		return l, err
	}
	if changed != nil {
		l.Findings = append(l.Findings, *changed)
		return l, nil
	}
	l.Origin, l.Notes = m.by.keys.Origin, m.notes
	before, err := m.before()
	if err != nil {
		return l, err
	}
	l.Before = before.N
	signed, err := m.hub.Checkpoint(ctx)
	if err != nil {
		return l, err
	}
	now, err := m.by.checkpoint(signed)
	if err != nil {
		l.Findings = append(l.Findings, finding(checkpointBroken, "%v", err))
		return l, nil
	}
	l.Leaves, l.Root = now.N, now.Hash.String()
	if err := m.keepSeen(signed, now); err != nil { // first: it may be evidence
		return l, err
	}
	var list findings
	if err := m.compare(ctx, before, now, signed, &list); err != nil {
		return l, err
	}
	l.Findings = list.all()
	l.Do = advise(l.Findings)
	l.OK = len(l.Findings) == 0
	return l, nil
}

// believe settles which keys are the hub's: those given, those of the mirror,
// or for the first time those that the hub publishes.
func (m *mirror) believe(ctx context.Context) (*Finding, error) {
	published, err := m.hub.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the hub's keys: %w", err)
	}
	known, err := m.dir.Keys(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		known, err = m.firstKeys(published)
	}
	if err != nil {
		return nil, err
	}
	if m.by, err = newAuthority(known, m.options.trust); err != nil {
		return nil, err
	}
	if m.notes, err = m.newSeals(published); err != nil {
		return nil, err
	}
	if published.LogKey == known.LogKey && published.Origin == known.Origin {
		return nil, nil
	}
	f := finding(keysChanged, "the hub publishes the log %s with the key %s, the mirror knows %s with %s",
		published.Origin, published.LogKey, known.Origin, known.LogKey)
	return &f, nil
}

// newSeals notes what the hub publishes of its seals and the mirror does not know.
func (m *mirror) newSeals(published exchange.Keys) ([]string, error) {
	seals, err := published.Seals()
	if err != nil {
		return nil, fmt.Errorf("reading the hub's keys: %w", err)
	}
	var notes []string
	for _, s := range seals {
		digest := exchange.DigestOf(s.Certificate.Raw)
		i := slices.IndexFunc(m.by.sealing, func(known exchange.PublishedSeal) bool { return known.Certificate.Equal(s.Certificate) })
		switch {
		case i < 0:
			notes = append(notes, fmt.Sprintf("the hub publishes a sealing certificate that the mirror does not know (SHA-256 %s, %s); "+
				"the log has a rotate-seal action with this digest; ask the hub's operators, and take the hub's /v1/keys for %s if it is theirs",
				digest, cmp.Or(s.When(), "at any time"), m.dir.path("keys.json")))
		case m.by.sealing[i].EndedBy(time.Now()) && m.by.sealing[i].When() != s.When():
			notes = append(notes, fmt.Sprintf("the hub published of a sealing certificate (SHA-256 %s) that it seals %s, and says now: %s; ask the hub's operators",
				digest, m.by.sealing[i].When(), cmp.Or(s.When(), "at any time")))
		}
	}
	return notes, nil
}

func (m *mirror) firstKeys(published exchange.Keys) (exchange.Keys, error) {
	if m.options.keys != "" {
		var err error
		if published, err = readKeys(m.options.keys); err != nil {
			return published, &usageError{err}
		}
	}
	b, err := json.MarshalIndent(published, "", "  ")
	if err != nil {
		return published, err
	}
	return published, writeOver(m.dir.path("keys.json"), append(b, '\n'))
}

// before is the tree that the mirror has; empty if it is new.
func (m *mirror) before() (tlog.Tree, error) {
	signed, err := os.ReadFile(m.dir.path("checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		var none stack
		return tlog.Tree{Hash: none.root()}, nil
	}
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := m.by.checkpoint(signed)
	if err != nil {
		return tree, usagef("%s: %w", m.dir.path("checkpoint"), err)
	}
	return tree, nil
}

// keepSeen keeps a checkpoint for ever, under its size and root.
func (m *mirror) keepSeen(signed []byte, t tlog.Tree) error {
	name := m.dir.path("checkpoints", fmt.Sprintf("%012d-%x", t.N, t.Hash[:8]))
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	return writeOver(name, signed)
}

// writeOver writes a file that is there whole or not at all.
func writeOver(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // no effect once renamed
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
