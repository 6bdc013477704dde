package backup

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/exchange"
)

// format is the number of the form of backups that this package reads and writes.
const format = 1

// Names in a directory of backups.
const (
	manifestName = "manifest.json"
	ledgerName   = "ledger.db"
	keysName     = "keys.age"
	vaultName    = "vault"
	unfinished   = "unfinished-"
)

// nameForm is a backup's name as time writes it: names are in the order of time.
const nameForm = "20060102T150405.000Z"

var nameShape = regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z$`)

// Manifest says what a backup has.
type Manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the hub that made it
	Time    time.Time `json:"time"`    // UTC, of its begin
	// Keys are the hub's published keys: those that verify the checkpoint and
	// the receipts.
	Keys       exchange.Keys `json:"keys"`
	Checkpoint string        `json:"checkpoint"` // signed note on the log in the ledger
	Files      []File        `json:"files"`      // beside the manifest
	// Packages are those of the vault then; the ledger names those that matter.
	Packages exchange.Copied `json:"packages"`
	// Needs are the files that a hub needs beside ledger and vault, as its
	// configuration names them. They are in keys.age if that is here.
	Needs []string `json:"needs"`
}

// File is a file of a backup.
type File struct {
	Name   string          `json:"name"`
	Size   int64           `json:"size"` // bytes
	SHA256 exchange.Digest `json:"sha256"`
}

// file is the one with the name; nil if there is none.
func (m Manifest) file(name string) *File {
	i := slices.IndexFunc(m.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Files[i]
}

// tree is what the checkpoint commits to, verified with the keys.
func (m Manifest) tree(keys exchange.Keys) (tlog.Tree, error) {
	v, err := note.NewVerifier(keys.LogKey)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the log key: %w", err)
	}
	return exchange.ParseCheckpoint([]byte(m.Checkpoint), keys.Origin, v)
}

// Find is the backup that a path names: a backup's own directory, or the newest
// whole one of a directory of backups.
func Find(path string) (dir string, m Manifest, err error) {
	dir, err = filepath.Abs(path)
	if err != nil {
		return "", m, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestName)); errors.Is(err, fs.ErrNotExist) {
		if dir, err = newest(dir); err != nil {
			return "", m, err
		}
	}
	m, err = readManifest(dir)
	return dir, m, err
}

func newest(dir string) (string, error) {
	there, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(there) { // ReadDir sorts
		if nameShape.MatchString(f.Name()) {
			return filepath.Join(dir, f.Name()), nil
		}
	}
	return "", fmt.Errorf("%s is no backup and has none that was finished; make one with \"hub backup\", or name another directory", dir)
}

func readManifest(dir string) (Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return Manifest{}, fmt.Errorf("the backup was not finished, or is not whole: %w; take another one", err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s is not what a hub wrote: %w; take another backup", filepath.Join(dir, manifestName), err)
	}
	if m.Format < 1 || m.Format > format {
		return m, fmt.Errorf("the backup has format %d and this program knows formats up to %d; use the version of the hub that wrote it (%s), or a newer one",
			m.Format, format, m.Version)
	}
	if m.file(ledgerName) == nil {
		return m, fmt.Errorf("%s names no %s; take another backup", filepath.Join(dir, manifestName), ledgerName)
	}
	return m, nil
}

// writeFile writes a file that is durable, once its directory is, and returns
// what the manifest says of it.
func writeFile(path string, write func(io.Writer) error) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return File{}, err
	}
	h := sha256.New()
	size := counter{}
	err = write(io.MultiWriter(f, h, &size))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return File{}, fmt.Errorf("writing %s: %w", path, err)
	}
	return File{Name: filepath.Base(path), Size: size.n, SHA256: exchange.Digest(h.Sum(nil))}, nil
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// digestOf reads to the end.
func digestOf(r io.Reader) (exchange.Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return exchange.Digest(h.Sum(nil)), n, err
}
