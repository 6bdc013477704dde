package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"tram/adapters/backup"
	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/httpclient"
	"tram/cmd/progress"
	"tram/exchange"
)

func backupCommand(o *options) *cobra.Command {
	var order exchange.BackupOrder
	c := asking(o, "backup DIR", "Back up ledger and packages into a directory of the hub's machine, while it works", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		var err error
		if order.Directory, err = filepath.Abs(args[0]); err != nil {
			return err
		}
		p := progress.New(c.ErrOrStderr(), o.json, "the hub is copying its ledger and packages", 0)
		b, err := hub.Backup(c.Context(), order)
		p.End()
		if err != nil {
			return err
		}
		return o.show(c, b, func(w io.Writer) {
			keys := "keys and configuration are not in it"
			if b.Keys {
				keys = "keys and configuration are in it, encrypted"
			}
			fmt.Fprintf(w, "backed up to %s: a log of %d leaves, a ledger of %.1f MiB, %d packages, %d of them new with %.1f MiB (%s)\n",
				b.Directory, b.Leaves, mib(b.LedgerBytes), b.Packages.Contents, b.Packages.New, mib(b.Packages.NewBytes), keys)
		})
	})
	c.Flags().StringVar(&order.KeysTo, "keys-to", "", "take keys and configuration in too, encrypted for this `recipient` (age1…; \"hub keys recipient\" makes one)")
	c.Long = `backup makes a backup in DIR, a directory of the hub's machine, while the hub works:

  DIR/vault/                     packages' bytes, shared by all backups in DIR
  DIR/20261125T150405.123Z/      this backup: ledger.db, manifest.json, perhaps keys.age

A second backup into DIR copies the ledger again, and of the packages only what is
new. A backup has its name when all of it is on the disk: what was interrupted is
called unfinished-…, and the next backup removes it. To remove a backup, remove its
directory.

The manifest has the digests of the files and the log's signed checkpoint at that
moment; "hub restore --drill" checks them all.

Keys and configuration are in it only with --keys-to, encrypted: else keep them
apart, and keep them. Keep the identity that decrypts them away from the backups.

On the disk of the vault packages are linked, not copied, which saves from a
deletion and not from a broken disk: take DIR to another machine, hard links and
all (rsync -aH). While the ledger is copied, it grows instead of reusing space.`
	c.Example = `  hub backup /backup
  hub backup /backup --keys-to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p`
	return watch(c)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// stores are what a restore fills.
var stores = backup.Stores{
	OpenLedger:  func(path string) (backup.Ledger, error) { return bolt.Open(path, bolt.Options{}) },
	CreateVault: disk.Create,
	OpenVault:   func(dir string) (backup.Vault, error) { return disk.Open(dir, disk.Options{}) },
}

// restoring are the flags of "hub restore".
type restoring struct {
	identity, keys, dir string
	drill, full         bool
}

func restoreCommand(o *options) *cobra.Command {
	var r restoring
	c := &cobra.Command{
		Use:     "restore BACKUP DIR | restore --drill BACKUP",
		GroupID: "run",
		Short:   "Bring a backup back into an empty directory, or only try to",
		Long: `restore makes a hub's directory of a backup. BACKUP is a backup's directory, or a
directory of backups: then the newest that was finished. DIR does not exist or is
empty.

It verifies the manifest, the digest of every file, the whole ledger, the log
against the backup's signed checkpoint, and the bytes of every package. Only then
the ledger gets its name; until then no hub serves it, and what was interrupted is
done again by the same command. Keys and configuration come with --identity, if
they are in the backup; else it says what to put where.

What came after the backup is lost. Receipts that were given since are not in the
log any more, and auditors notice: tell them and the agencies. Whoever has kept a
newer checkpoint refuses this ledger; see --accept-rollback of "hub serve".

With --drill it restores aside, checks all of that, and every delivery's and every
receipt's place on record besides; verifies seals (a sample, or all with --full);
removes the copy; and puts the outcome on record at the running hub ("hub actions").
It needs as much space as a restore. Exit code 1: the backup did not hold.`,
		Example: `  hub restore /backup /srv/hub --identity backup.key
  hub restore /backup/20261125T150405.123Z /srv/hub --keys keys.json
  hub restore --drill /backup --dir /var/tmp`,
		Args: func(_ *cobra.Command, args []string) error {
			if want := map[bool]int{true: 1, false: 2}[r.drill]; len(args) != want {
				return fmt.Errorf("%d arguments are needed, not %d: BACKUP DIR, or with --drill only BACKUP", want, len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if r.drill {
				return r.runDrill(c, o, args[0])
			}
			return r.run(c, o, args[0], args[1])
		},
	}
	c.Flags().StringVar(&r.identity, "identity", "", "`file` of the age identity that decrypts keys and configuration")
	c.Flags().StringVar(&r.keys, "keys", "", "`file` of the hub's published keys (\"hub keys\"), to verify the backup by more than its own word")
	c.Flags().BoolVar(&r.drill, "drill", false, "restore aside, check everything, remove it, and put the outcome on record")
	c.Flags().StringVar(&r.dir, "dir", os.TempDir(), "`directory` that a drill restores into; what a killed drill leaves there (hub-drill-…) has packages in plain: remove it")
	c.Flags().BoolVar(&r.full, "full", false, "verify every seal in a drill, not a sample")
	return c
}

func (r *restoring) order(from, to string) (order backup.Order, err error) {
	order = backup.Order{Backup: from, Dir: to}
	if r.identity != "" {
		if order.Identities, err = readIdentities(r.identity); err != nil {
			return order, usageError{fmt.Errorf("--identity: %w", err)}
		}
	}
	if r.keys != "" {
		if order.Keys, err = readKeys(r.keys); err != nil {
			return order, usageError{fmt.Errorf("--keys: %w", err)}
		}
	}
	return order, nil
}

func (r *restoring) run(c *cobra.Command, o *options, from, to string) error {
	order, err := r.order(from, to)
	if err != nil {
		return err
	}
	p := progress.New(c.ErrOrStderr(), o.json, "restoring", 0)
	order.Progress = p.At
	done, err := stores.Restore(c.Context(), order)
	p.End()
	if err != nil {
		return err
	}
	elsewhere := configuredElsewhere(done)
	return o.show(c, done, func(w io.Writer) {
		fmt.Fprintf(w, "restored %s, of %s, to %s: a log of %d leaves, %d packages with %.1f MiB; everything agrees\n",
			done.Backup, moment(done.Manifest.Time), done.Dir, done.Leaves, done.Packages, mib(done.Bytes))
		for _, path := range done.Missing {
			fmt.Fprintf(w, "→ put in place: %s\n", path)
		}
		if elsewhere != "" {
			fmt.Fprintf(w, "→ %s\n", elsewhere)
		}
		fmt.Fprintf(w, "→ then: hub check --config %[1]s; hub serve --config %[1]s\n", filepath.Join(done.Dir, "hub.yaml"))
		fmt.Fprintln(w, "→ what came after the backup is lost: tell agencies and auditors; see \"hub serve --help\", --accept-rollback")
	})
}

// configuredElsewhere says that a configuration that was restored does not name
// what was restored.
func configuredElsewhere(done backup.Restored) string {
	path := filepath.Join(done.Dir, "hub.yaml")
	cfg, err := loadConfig(path)
	if err != nil || cfg.Ledger == filepath.Join(done.Dir, "ledger.db") && cfg.Vault == filepath.Join(done.Dir, "vault") {
		return ""
	}
	return fmt.Sprintf("%s names the ledger %s and the vault %s: move what was restored there, or correct it", path, cfg.Ledger, cfg.Vault)
}

func readIdentities(path string) ([]age.Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return age.ParseIdentities(f)
}

// recipientCommand makes the pair of keys that backups of keys are encrypted with.
func recipientCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "recipient FILE",
		Short: "Make an age identity in FILE, and print its recipient for \"hub backup --keys-to\"",
		Long: `recipient makes a new age identity (age-encryption.org) and prints its recipient.
Whoever has FILE can decrypt the keys in backups made for the recipient: keep it
away from the hub and its backups, and keep it. "age-keygen" makes such files too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			identity, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			to := identity.Recipient().String()
			if err := writeNew(args[0], []byte("# recipient: "+to+"\n"+identity.String()+"\n"), 0o600); err != nil {
				return err
			}
			return o.show(c, map[string]string{"recipient": to, "identity": args[0]}, func(w io.Writer) { fmt.Fprintln(w, to) })
		},
	}
	return c
}

// archive makes backups of the hub. Its configuration is read anew each time.
func archive(cfg config, ledger exchange.Ledger, vault exchange.Vault) (*backup.Archive, error) {
	home, err := filepath.Abs(filepath.Dir(cfg.path))
	if err != nil {
		return nil, err
	}
	return backup.New(backup.Config{Ledger: ledger, Vault: vault, Version: version(), Home: home, Files: func() ([]string, error) {
		now, err := loadConfig(cfg.path)
		if err != nil {
			return nil, err
		}
		return now.files()
	}}), nil
}

// files are the absolute paths of what the hub needs beside ledger and vault.
func (c *config) files() ([]string, error) {
	named := append([]*string{&c.path}, c.paths()...)
	client := map[*string]bool{&c.Client.SecretFile: true, &c.Client.Roots: true}
	seen := map[string]bool{"": true}
	var list []string
	for _, p := range named {
		if p == &c.Ledger || p == &c.Vault || p == &c.Trust.RevocationDir || seen[*p] {
			continue
		}
		seen[*p] = true
		path, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && client[p] {
			continue // the hub serves without
		}
		list = append(list, path)
	}
	return list, nil
}
