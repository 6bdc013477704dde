package exchange_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/backup"
	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/exchange"
)

// archived is the exchange of a province that makes backups.
func (p *province) archived() *exchange.Exchange {
	c := p.config()
	c.Archive = backup.New(backup.Config{Ledger: p.ledger, Vault: p.vault, Home: p.dir, Version: "test", Now: p.clock.Now,
		Files: func() ([]string, error) { return nil, nil }})
	return must(exchange.New(c))
}

var stores = backup.Stores{
	OpenLedger:  func(path string) (backup.Ledger, error) { return bolt.Open(path, bolt.Options{}) },
	CreateVault: disk.Create,
	OpenVault:   func(dir string) (backup.Vault, error) { return disk.Open(dir, disk.Options{}) },
}

func TestBackup(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health))
	id := p.submit(finance, body).Package
	x, dir := p.archived(), filepath.Join(t.TempDir(), "backup")
	for _, c := range []struct {
		name string
		by   exchange.Caller
		o    exchange.BackupOrder
		code exchange.Code
		rule string
	}{
		{"by an operator", operator, exchange.BackupOrder{Directory: dir}, exchange.NotPermitted, "not-permitted"},
		{"to a relative path", administrator, exchange.BackupOrder{Directory: "backup"}, exchange.Malformed, "invalid-entry"},
		{"to a path too long", administrator, exchange.BackupOrder{Directory: "/" + strings.Repeat("x", 5000)}, exchange.Malformed, "invalid-entry"},
		{"with keys for nobody", administrator, exchange.BackupOrder{Directory: dir, KeysTo: "me"}, exchange.Malformed, "invalid-entry"},
	} {
		size := must(p.ledger.LogSize(t.Context()))
		_, err := x.Backup(t.Context(), c.by, c.o)
		refused(t, err, c.code, c.rule)
		if must(p.ledger.LogSize(t.Context())) != size {
			t.Errorf("a backup %s was refused, and is on record", c.name)
		}
	}
	first := must(x.Backup(t.Context(), administrator, exchange.BackupOrder{Directory: dir}))
	if e := p.lastLeaf(); e.Event != "backup" || e.Object != dir || e.Actor != "user:an" {
		t.Errorf("the backup is the leaf %+v", e)
	}
	p.clock.advance(time.Minute)
	second := must(x.Backup(t.Context(), administrator, exchange.BackupOrder{Directory: dir}))
	if first.Packages.New != 1 || second.Packages.New != 0 || second.Packages.Contents != 1 || second.Leaves != first.Leaves+1 {
		t.Errorf("first %+v, then %+v", first, second)
	}
	to := filepath.Join(t.TempDir(), "restored")
	r := must(stores.Restore(t.Context(), backup.Order{Backup: dir, Dir: to}))
	if r.Backup != second.Directory || r.Leaves != second.Leaves || r.Packages != 1 || r.Bytes != int64(len(body)) {
		t.Errorf("restored %+v", r)
	}
	ledger := must(bolt.Open(filepath.Join(to, "ledger.db"), bolt.Options{}))
	defer ledger.Close()
	vault := must(disk.Open(filepath.Join(to, "vault"), disk.Options{}))
	defer vault.Close()
	audit(t, ledger, vault)
	content := must(vault.Open(t.Context(), must(ledger.Package(t.Context(), id)).Digest))
	defer content.Close()
	if !bytes.Equal(must(io.ReadAll(content)), body) {
		t.Error("other bytes")
	}
}

// TestDamagedBackups: whatever is wrong with a backup, it is found, and no ledger
// is left behind that a hub would serve.
func TestDamagedBackups(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health))
	p.submit(finance, body)
	x := p.archived()
	digest := exchange.DigestOf(body).String()
	other := exchange.Keys{Origin: origin}
	var err error
	if _, other.LogKey, err = note.GenerateKey(rand.Reader, origin); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage func(b exchange.Backup) error
		keys   *exchange.Keys
		word   string
	}{
		"whole":                {func(exchange.Backup) error { return nil }, nil, ""},
		"the ledger changed":   {func(b exchange.Backup) error { return flip(filepath.Join(b.Directory, "ledger.db")) }, nil, "damaged"},
		"the ledger cut off":   {func(b exchange.Backup) error { return os.Truncate(filepath.Join(b.Directory, "ledger.db"), 4096) }, nil, "damaged"},
		"no manifest":          {func(b exchange.Backup) error { return os.Remove(filepath.Join(b.Directory, "manifest.json")) }, nil, "none that was finished"},
		"a package is missing": {func(b exchange.Backup) error { return os.Remove(contentIn(b, digest)) }, nil, "bytes of package"},
		"a package changed": {func(b exchange.Backup) error {
			return errors.Join(os.Remove(contentIn(b, digest)), os.WriteFile(contentIn(b, digest), bytes.ToUpper(body), 0o600)) // not the vault's own: that is a link
		}, nil, "other bytes"},
		"another log's checkpoint": {func(b exchange.Backup) error {
			return edit(filepath.Join(b.Directory, "manifest.json"), origin, "another.example/log")
		}, nil, "checkpoint"},
		"another hub's": {func(exchange.Backup) error { return nil }, &other, "checkpoint"},
		"a newer program": {func(b exchange.Backup) error {
			return edit(filepath.Join(b.Directory, "manifest.json"), `"format": 1`, `"format": 2`)
		}, nil, "format 2"},
	} {
		t.Run(name, func(t *testing.T) {
			p.clock.advance(time.Minute)
			b := must(x.Backup(t.Context(), administrator, exchange.BackupOrder{Directory: filepath.Join(t.TempDir(), "backup")}))
			if err := c.damage(b); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "restored")
			_, err := stores.Restore(t.Context(), backup.Order{Backup: b.Directory, Dir: to, Keys: c.keys})
			_, served := os.Stat(filepath.Join(to, "ledger.db"))
			if c.word == "" {
				if err != nil || served != nil {
					t.Errorf("%v, %v", err, served)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("%v, want a word on %q", err, c.word)
			}
			if served == nil {
				t.Error("it left a ledger to be served")
			}
		})
	}
}

func contentIn(b exchange.Backup, digest string) string {
	return filepath.Join(filepath.Dir(b.Directory), "vault", digest[:2], digest[2:])
}

// flip changes one bit in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(path, b, 0o600)
}

func edit(path, old, with string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(with)), 0o600)
}

func TestRecordDrill(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	checkpoint := string(must(p.x.Checkpoint(t.Context())))
	for name, c := range map[string]struct {
		by   exchange.Caller
		d    exchange.Drill
		code exchange.Code
		leaf string
	}{
		"it went well":              {administrator, exchange.Drill{Backup: "/b", Checkpoint: checkpoint}, "", "passed "},
		"it failed":                 {administrator, exchange.Drill{Backup: "/b", Checkpoint: checkpoint, Failure: "a package is missing"}, "", "failed "},
		"there was nothing to read": {administrator, exchange.Drill{Backup: "/b", Failure: "no manifest"}, "", "failed of no readable checkpoint: /b"},
		"of another log":            {administrator, exchange.Drill{Backup: "/b", Checkpoint: strings.Replace(checkpoint, origin, "other", 1)}, exchange.Malformed, ""},
		"of no backup":              {administrator, exchange.Drill{Checkpoint: checkpoint}, exchange.Malformed, ""},
		"by an operator":            {operator, exchange.Drill{Backup: "/b", Checkpoint: checkpoint}, exchange.NotPermitted, ""},
	} {
		_, err := p.x.RecordDrill(t.Context(), c.by, c.d)
		if exchange.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if e := p.lastLeaf(); err == nil && (e.Event != "restore-drill" || !strings.HasPrefix(e.Object, c.leaf)) {
			t.Errorf("%s: the leaf is %+v", name, e)
		}
	}
}

func TestFollows(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	tree := func() tlog.Tree {
		size := must(p.ledger.LogSize(t.Context()))
		return tlog.Tree{N: size, Hash: must(tlog.TreeHash(size, p.ledger.LogHashes(t.Context())))}
	}
	before := tree()
	p.sent("1250", health)
	now := tree()
	other := tlog.Tree{N: before.N, Hash: tlog.RecordHash([]byte("other"))}
	later := tlog.Tree{N: now.N + 1, Hash: other.Hash}
	for name, c := range map[string]struct {
		seen         tlog.Tree
		behind, fork bool
	}{
		"nothing was signed": {tlog.Tree{Hash: must(tlog.TreeHash(0, nil))}, false, false},
		"it has grown":       {before, false, false},
		"it is the same":     {now, false, false},
		"it is older":        {later, true, false},
		"it is another":      {other, true, true},
	} {
		err := exchange.Follows(t.Context(), p.ledger, c.seen)
		var behind *exchange.BehindError
		if errors.As(err, &behind) != c.behind || (err != nil) != c.behind || c.behind && behind.Fork() != c.fork {
			t.Errorf("%s: %v", name, err)
		}
	}
	behind := &exchange.BehindError{Leaves: now.N, Root: now.Hash, Seen: later}
	accepted := func(seen tlog.Tree) bool {
		return must(exchange.RollbackAccepted(context.Background(), p.ledger, seen))
	}
	if accepted(later) {
		t.Error("nobody has accepted it yet")
	}
	if err := p.x.AcceptRollback(t.Context(), " ", behind); err == nil {
		t.Error("accepted without a reason")
	}
	if err := p.x.AcceptRollback(t.Context(), "máy chủ hỏng", behind); err != nil {
		t.Fatal(err)
	}
	if e := p.lastLeaf(); e.Event != "accept-rollback" || !strings.Contains(e.Object, later.Hash.String()) || !strings.Contains(e.Object, now.Hash.String()) {
		t.Errorf("the leaf is %+v", e)
	}
	if !accepted(later) || accepted(other) {
		t.Error("what was accepted is not exactly what is")
	}
}

// TestErasedPackagesStayErased: a restore does not bring back what was erased, and
// does not miss it.
func TestErasedPackagesStayErased(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	body := signed(t, document("1250", health))
	p.submit(finance, body)
	id := p.sent("1251", health)
	x, dir := p.archived(), filepath.Join(t.TempDir(), "backup")
	must(x.Backup(t.Context(), administrator, exchange.BackupOrder{Directory: dir}))
	p.clock.advance(time.Minute)
	err := p.ledger.Update(t.Context(), exchange.Change{Erasures: []exchange.Erasure{{Package: id, At: p.clock.Now(), Action: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	must(x.Backup(t.Context(), administrator, exchange.BackupOrder{Directory: dir}))
	to := filepath.Join(t.TempDir(), "restored")
	r := must(stores.Restore(t.Context(), backup.Order{Backup: dir, Dir: to}))
	files := must(filepath.Glob(filepath.Join(to, "vault", "??", "*")))
	if kept := exchange.DigestOf(body).String(); r.Packages != 1 || len(files) != 1 || !strings.HasSuffix(files[0], kept[2:]) {
		t.Errorf("restored %+v, with %v", r, files)
	}
}
