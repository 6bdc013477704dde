package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"tram/exchange"
)

// Restoring is what a ledger's name ends with until all of a restore is done.
const Restoring = ".restoring"

// copiers copy packages' bytes at once: most of their time they wait for a sync.
const copiers = 16

// Ledger is a restored ledger, to be checked.
type Ledger interface {
	exchange.Ledger
	// Check reads all of it and reports what does not agree.
	Check(ctx context.Context) error
	Close() error
}

// Vault is a vault that is closed when it is done with.
type Vault interface {
	exchange.Vault
	Close() error
}

// Stores make and open what a restore fills.
type Stores struct {
	OpenLedger  func(path string) (Ledger, error)
	CreateVault func(dir string) error
	OpenVault   func(dir string) (Vault, error)
}

// Order says what to restore, and where.
type Order struct {
	Backup string // a backup's directory, or one of backups: then the newest
	Dir    string // becomes the hub's; it does not exist, or is empty, or has what a restore left that did not finish
	// Keys are what the backup is verified with, as somebody kept them; nil: the
	// backup's own word is taken.
	Keys *exchange.Keys
	// Identities decrypt keys and configuration; none: they stay in the backup.
	Identities []age.Identity
	// Progress is told what is being done; nil: nobody is.
	Progress func(format string, args ...any)
}

// Restored is a backup that was restored, and what it turned out to be.
type Restored struct {
	Backup   string   `json:"backup"` // its directory
	Dir      string   `json:"directory"`
	Manifest Manifest `json:"-"`
	Leaves   int64    `json:"leaves"`
	Packages int64    `json:"packages"`
	Bytes    int64    `json:"bytes"`    // of packages
	Restored []string `json:"restored"` // files of keys and configuration
	Missing  []string `json:"missing"`  // those that a hub needs and that are not there
}

// Restore brings a backup into a directory. It verifies the digest of every file
// and of every package that the ledger names, checks the whole ledger, and its log
// against the backup's checkpoint. Only then the ledger gets its name: a restore
// that did not finish leaves nothing that a hub would serve, and may be repeated.
func (s Stores) Restore(ctx context.Context, o Order) (r Restored, err error) {
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	if r.Backup, r.Manifest, err = Find(o.Backup); err != nil {
		return r, err
	}
	if r.Dir, err = filepath.Abs(o.Dir); err != nil {
		return r, err
	}
	if err := s.restore(ctx, o, &r); err != nil {
		return r, fmt.Errorf("restoring %s to %s: %w", r.Backup, r.Dir, err)
	}
	return r, nil
}

func (s Stores) restore(ctx context.Context, o Order, r *Restored) error {
	draft := filepath.Join(r.Dir, ledgerName+Restoring)
	if err := prepare(r.Dir, draft); err != nil {
		return err
	}
	o.Progress("copying the ledger, %.1f GiB", float64(r.Manifest.file(ledgerName).Size)/(1<<30))
	if err := fetch(ctx, r.Backup, *r.Manifest.file(ledgerName), draft); err != nil {
		return err
	}
	if err := s.fill(ctx, o, r, draft); err != nil {
		return err
	}
	if err := unpack(o.Identities, r); err != nil {
		return err
	}
	if err := syncDir(r.Dir); err != nil {
		return err
	}
	if err := os.Rename(draft, filepath.Join(r.Dir, ledgerName)); err != nil {
		return err
	}
	return syncDir(r.Dir)
}

// prepare makes the directory, or clears away what a restore left in it.
func prepare(dir, draft string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		if _, err := os.Lstat(draft); err != nil {
			return fmt.Errorf("the directory is not empty (%s); choose another: nothing is written over", there[0].Name())
		}
		return os.RemoveAll(filepath.Join(dir, vaultName))
	}
	// The draft is there before all else: with it, the rest is known to be ours.
	f, err := os.Create(draft)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(dir))
}

// fetch copies a file of the backup, and sees that it is the one of the manifest.
func fetch(ctx context.Context, backup string, want File, to string) error {
	in, err := os.Open(filepath.Join(backup, want.Name))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	got, err := writeFile(to, func(w io.Writer) error {
		_, err := io.Copy(w, reader{ctx, in})
		return err
	})
	if err != nil {
		return err
	}
	return same(want, got)
}

func same(want, got File) error {
	if got.Size != want.Size || got.SHA256 != want.SHA256 {
		return fmt.Errorf("the backup is damaged: its %s has %d bytes with digest %s, and was written with %d and %s; take another backup",
			want.Name, got.Size, got.SHA256, want.Size, want.SHA256)
	}
	return nil
}

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// fill checks the ledger, and brings the bytes of every package that it names.
func (s Stores) fill(ctx context.Context, o Order, r *Restored, draft string) (err error) {
	ledger, err := s.OpenLedger(draft)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	o.Progress("checking the ledger")
	if err := ledger.Check(ctx); err != nil {
		return err
	}
	if err := checkLog(ctx, ledger, o.Keys, r); err != nil {
		return err
	}
	from, err := s.OpenVault(filepath.Join(filepath.Dir(r.Backup), vaultName))
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }() // only read
	dir := filepath.Join(r.Dir, vaultName)
	if err := s.CreateVault(dir); err != nil {
		return err
	}
	to, err := s.OpenVault(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return copyPackages(ctx, ledger, from, to, o.Progress, r)
}

// checkLog holds the ledger's log against the checkpoint: it ends there, and
// there is no other log of that size that the hub signed.
func checkLog(ctx context.Context, ledger Ledger, keys *exchange.Keys, r *Restored) error {
	if keys == nil {
		keys = &r.Manifest.Keys
	}
	tree, err := r.Manifest.tree(*keys)
	if err != nil {
		return fmt.Errorf("the backup's checkpoint: %w", err)
	}
	if r.Leaves, err = ledger.LogSize(ctx); err != nil {
		return err
	}
	if r.Leaves != tree.N {
		return fmt.Errorf("the backup's ledger has a log of %d leaves, its checkpoint was signed for %d", r.Leaves, tree.N)
	}
	return exchange.Follows(ctx, ledger, tree)
}

func copyPackages(ctx context.Context, ledger Ledger, from, to exchange.Vault, progress func(string, ...any), r *Restored) error {
	var bytes, done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiers)
	err := exchange.EachPackage(ctx, ledger, func(p exchange.Package) error {
		_, err := ledger.Erasure(ctx, p.ID)
		if err == nil {
			return nil // its bytes are not to be had any more, and if they are, not to be brought back
		}
		if exchange.CodeOf(err) != exchange.NotFound {
			return err
		}
		group.Go(func() error {
			if err := copyPackage(ctx, p, from, to); err != nil {
				return fmt.Errorf("the bytes of package %s: %w", p.ID, err)
			}
			progress("copying and checking the packages' bytes: %d packages, %.1f GiB", done.Add(1), float64(bytes.Add(p.Size))/(1<<30))
			return nil
		})
		return nil
	})
	if failed := group.Wait(); failed != nil {
		return failed // and not that the rest was stopped
	}
	r.Packages, r.Bytes = done.Load(), bytes.Load()
	return err
}

func copyPackage(ctx context.Context, p exchange.Package, from, to exchange.Vault) error {
	in, err := from.Open(ctx, p.Digest)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	draft, err := to.Create(ctx)
	if err != nil {
		return err
	}
	defer draft.Discard() // no effect once kept
	if _, err := io.Copy(draft, reader{ctx, in}); err != nil {
		return err
	}
	if got := draft.Digest(); got != p.Digest {
		return fmt.Errorf("the backup has other bytes under %s, with the digest %s; take an older copy of that file", p.Digest, got)
	}
	_, err = draft.Keep()
	return err
}

// unpack restores keys and configuration, and notes what is still missing.
func unpack(identities []age.Identity, r *Restored) error {
	r.Restored, r.Missing = []string{}, []string{}
	sealed := r.Manifest.file(keysName)
	if sealed != nil {
		got, err := digestFile(filepath.Join(r.Backup, keysName))
		if err == nil {
			err = same(*sealed, got)
		}
		if err != nil {
			return err
		}
	}
	if len(identities) > 0 {
		if sealed == nil {
			return errors.New("the backup has no keys; restore it without an identity, and put the keys in place by hand")
		}
		var err error
		if r.Restored, err = unseal(filepath.Join(r.Backup, keysName), r.Dir, identities); err != nil {
			return err
		}
	}
	for _, name := range r.Manifest.Needs {
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(r.Dir, filepath.FromSlash(name))
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			r.Missing = append(r.Missing, path)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func digestFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = f.Close() }() // only read
	d, n, err := digestOf(f)
	return File{Name: filepath.Base(path), Size: n, SHA256: d}, err
}
