package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"tram/exchange"
)

// Config is what an Archive is made of.
type Config struct {
	Ledger  exchange.Ledger
	Vault   exchange.Vault
	Version string // of the hub
	// Home is the hub's directory, which Files are in, and named from.
	Home string
	// Files are the absolute paths of what the hub needs beside ledger and vault.
	Files func() ([]string, error)
	Now   func() time.Time // time.Now when nil
}

// Archive is an exchange.Archive that writes directories.
type Archive struct {
	c       Config
	writing sync.Mutex // one at a time: the next one removes what is unfinished
}

// New makes an archive.
func New(c Config) *Archive {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Archive{c: c}
}

var underWay = exchange.Rule{Name: "backup-under-way", Code: exchange.Conflict,
	En: "another backup is being made; wait for its end, then ask again",
	Vi: "một bản sao lưu khác đang được tạo; hãy đợi hoàn tất rồi yêu cầu lại"}

// Write implements exchange.Archive.
func (a *Archive) Write(ctx context.Context, o exchange.BackupOrder, keys exchange.Keys, checkpoint func(int64) ([]byte, error)) (exchange.Backup, error) {
	var to age.Recipient
	if o.KeysTo != "" {
		recipients, err := age.ParseRecipients(strings.NewReader(o.KeysTo))
		if err != nil || len(recipients) != 1 {
			return exchange.Backup{}, exchange.InvalidError("keysTo %q is no age recipient; \"hub keys recipient\" makes one",
				"keysTo %q không phải khóa công khai age; hãy tạo bằng lệnh \"hub keys recipient\"", o.KeysTo)
		}
		to = recipients[0]
	}
	if !a.writing.TryLock() {
		return exchange.Backup{}, underWay.With()
	}
	defer a.writing.Unlock()
	b, err := a.write(ctx, o.Directory, to, keys, checkpoint)
	if err != nil {
		return exchange.Backup{}, fmt.Errorf("backing up to %s: %w", o.Directory, err)
	}
	return b, nil
}

func (a *Archive) write(ctx context.Context, root string, to age.Recipient, keys exchange.Keys, checkpoint func(int64) ([]byte, error)) (exchange.Backup, error) {
	now := a.c.Now().UTC().Truncate(time.Millisecond)
	draft, err := begin(root, now)
	if err != nil {
		return exchange.Backup{}, err
	}
	m := Manifest{Format: format, Version: a.c.Version, Time: now, Keys: keys}
	leaves, err := a.copyAll(ctx, root, draft, to, &m)
	if err != nil {
		return exchange.Backup{}, errors.Join(err, os.RemoveAll(draft))
	}
	signed, err := checkpoint(leaves)
	if err != nil {
		return exchange.Backup{}, errors.Join(err, os.RemoveAll(draft))
	}
	m.Checkpoint = string(signed)
	dir := filepath.Join(root, now.Format(nameForm))
	if err := finish(draft, dir, m); err != nil {
		return exchange.Backup{}, err
	}
	return exchange.Backup{Directory: dir, Time: now, Leaves: leaves, Checkpoint: m.Checkpoint, LedgerBytes: m.file(ledgerName).Size,
		Packages: m.Packages, Keys: m.file(keysName) != nil}, nil
}

// begin makes the directory of a backup that is not finished, and removes those
// of others that never were.
func begin(root string, now time.Time) (string, error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	left, err := filepath.Glob(filepath.Join(root, unfinished+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	draft := filepath.Join(root, unfinished+now.Format(nameForm))
	return draft, os.Mkdir(draft, 0o700)
}

// copyAll copies in the order that makes the copy whole, and returns the number
// of leaves in the ledger's.
func (a *Archive) copyAll(ctx context.Context, root, draft string, to age.Recipient, m *Manifest) (leaves int64, err error) {
	// Once before the ledger, so that what it names is there even if it is erased
	// while the ledger is copied; once after, for what came in before that.
	vault := filepath.Join(root, vaultName)
	before, err := a.c.Vault.Backup(ctx, vault)
	if err != nil {
		return 0, err
	}
	ledger, err := writeFile(filepath.Join(draft, ledgerName), func(w io.Writer) error {
		leaves, err = a.c.Ledger.Backup(ctx, w)
		return err
	})
	if err != nil {
		return 0, err
	}
	m.Files = append(m.Files, ledger)
	if m.Packages, err = a.c.Vault.Backup(ctx, vault); err != nil {
		return 0, err
	}
	m.Packages.New, m.Packages.NewBytes = m.Packages.New+before.New, m.Packages.NewBytes+before.NewBytes
	files, err := a.c.Files()
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		m.Needs = append(m.Needs, a.nameOf(path))
	}
	if to == nil {
		return leaves, nil
	}
	sealed, err := writeFile(filepath.Join(draft, keysName), func(w io.Writer) error { return a.seal(w, to, files) })
	m.Files = append(m.Files, sealed)
	return leaves, err
}

// nameOf is a file's path from the hub's directory, or the absolute one of a file
// that is elsewhere.
func (a *Archive) nameOf(path string) string {
	if rel, err := filepath.Rel(a.c.Home, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

// finish writes the manifest, and then gives the backup its name.
func finish(draft, dir string, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	_, err = writeFile(filepath.Join(draft, manifestName), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	if err := syncDir(draft); err != nil {
		return err
	}
	if err := os.Rename(draft, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}
