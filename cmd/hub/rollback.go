package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tram/adapters/backup"
	"tram/adapters/bolt"
	"tram/exchange"
)

// checkpointEvery is how far the checkpoint's file may stay behind the ledger.
const checkpointEvery = time.Second

// checkpointPath is the file beside the ledger of the latest checkpoint.
func (c *config) checkpointPath() string { return filepath.Join(filepath.Dir(c.Ledger), "checkpoint") }

// sighting is a checkpoint that was signed before, and the file it is in.
type sighting struct {
	path string
	tree tlog.Tree
}

// sightings are the checkpoints that the ledger must go on from. missing are the
// configured files that are not there.
func sightings(cfg config, logKey string) (list []sighting, missing []string, err error) {
	v, err := note.NewVerifier(logKey)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range append([]string{cfg.checkpointPath()}, cfg.Log.Witnessed...) {
		signed, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if path != cfg.checkpointPath() { // a new hub, or one that was restored, has none of its own
				missing = append(missing, path)
			}
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		tree, err := exchange.ParseCheckpoint(signed, cfg.Log.Origin, v)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w; if the log has a new key or origin on purpose, remove the file, else put the right key in place", path, err)
		}
		list = append(list, sighting{path, tree})
	}
	return list, missing, nil
}

// contradiction is how the ledger fails to go on from what was signed; nil if it
// does go on. accepted says that it is on record.
func contradiction(ctx context.Context, ledger exchange.Ledger, seen tlog.Tree) (behind *exchange.BehindError, accepted bool, err error) {
	err = exchange.Follows(ctx, ledger, seen)
	if !errors.As(err, &behind) {
		return nil, false, err
	}
	accepted, err = exchange.RollbackAccepted(ctx, ledger, seen)
	return behind, accepted, err
}

// guard refuses to serve from a ledger that does not go on from a checkpoint that
// the hub signed, unless its operator accepts that, which is on record then before
// anything else.
func guard(ctx context.Context, x *exchange.Exchange, ledger exchange.Ledger, cfg config, logKey string, log *slog.Logger) error {
	list, missing, err := sightings(cfg, logKey)
	if err != nil {
		return usageError{err}
	}
	for _, path := range missing {
		log.WarnContext(ctx, "a witnessed checkpoint is not there: a rollback would not be noticed by it", "file", path)
	}
	taken := false
	for _, s := range list {
		behind, accepted, err := contradiction(ctx, ledger, s.tree)
		if err != nil {
			return err
		}
		if behind == nil {
			continue
		}
		if !accepted && cfg.acceptRollback == "" {
			return usageError{fmt.Errorf("%w (%s). Serving it would take back receipts that were given.\n"+
				"hub: put the newest ledger in the place of %s. If it is lost for good: hub serve --accept-rollback 'WHY', which goes on record; tell agencies and auditors",
				behind, s.path, cfg.Ledger)}
		}
		if !accepted {
			if err := x.AcceptRollback(ctx, cfg.acceptRollback, behind); err != nil {
				return err
			}
			taken = true
			log.WarnContext(ctx, "a rollback was accepted", "leaves", behind.Leaves, "seen", s.tree.N, "file", s.path, "reason", cfg.acceptRollback)
		}
		if s.path == cfg.checkpointPath() {
			if err := os.Rename(s.path, fmt.Sprintf("%s.before-rollback-%d", s.path, s.tree.N)); err != nil {
				return err
			}
		}
	}
	if cfg.acceptRollback != "" && !taken {
		return usageError{errors.New("there is no rollback to accept: the ledger goes on from every checkpoint that was seen, or it was accepted before; start without --accept-rollback")}
	}
	return nil
}

// keepCheckpoint writes the log's signed checkpoint beside the ledger until ctx
// ends, and then once more. The log's size is that of leaves that are durable: the
// file is never ahead of the ledger, whenever the hub is killed.
func keepCheckpoint(ctx context.Context, x *exchange.Exchange, path string, log *slog.Logger) {
	var written int64 = -1
	write := func(ctx context.Context) {
		size, err := x.LogSize(ctx)
		if err == nil && size != written {
			var signed []byte
			if signed, err = x.Checkpoint(ctx); err == nil {
				err = writeCheckpoint(path, signed)
			}
		}
		if err == nil {
			written = size
			return
		}
		if ctx.Err() == nil {
			log.WarnContext(ctx, "the checkpoint beside the ledger could not be written", "file", path, "err", err)
		}
	}
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		write(ctx)
		select {
		case <-ctx.Done():
			write(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// writeCheckpoint replaces the file, whole or not at all. One process does, for it
// holds the ledger.
func writeCheckpoint(path string, signed []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(signed)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// checkRollback holds the ledger against what was signed before.
func checkRollback(ctx context.Context, cfg config, ledger exchange.Ledger) []finding {
	keys, err := loadKeys(cfg)
	if err != nil {
		return nil // said of the keys
	}
	list, missing, err := sightings(cfg, keys.published.LogKey)
	if err != nil {
		return []finding{{What: "checkpoints", State: "failed", Detail: err.Error(), Do: "the hub does not start like this"}}
	}
	var findings []finding
	for _, path := range missing {
		findings = append(findings, finding{What: "checkpoints", State: "warning", Detail: path + " is not there: a rollback would not be noticed by it",
			Do: "let the witness put it there, or correct log.witnessed in " + cfg.path})
	}
	for _, s := range list {
		behind, accepted, err := contradiction(ctx, ledger, s.tree)
		switch {
		case err != nil:
			return append(findings, finding{What: "checkpoints", State: "failed", Detail: err.Error(), Do: "see why the ledger cannot be read"})
		case behind != nil && !accepted:
			return append(findings, finding{What: "checkpoints", State: "failed", Detail: behind.Error() + " (" + s.path + ")",
				Do: "put the newest ledger in place; hub serve --help tells of --accept-rollback"})
		}
	}
	return append(findings, finding{What: "checkpoints", State: "ok", Detail: fmt.Sprintf("the ledger goes on from the %d that were seen, or it is on record why not", len(list))})
}

// openLedger opens the ledger. One that a restore left unfinished has another name.
func openLedger(cfg config, o bolt.Options) (*bolt.Ledger, error) {
	ledger, err := bolt.Open(cfg.Ledger, o)
	if errors.Is(err, fs.ErrNotExist) {
		if _, unfinished := os.Stat(cfg.Ledger + backup.Restoring); unfinished == nil {
			return nil, usageError{fmt.Errorf("a restore into %s has not finished; run the same \"hub restore\" again: it begins anew", filepath.Dir(cfg.Ledger))}
		}
	}
	return ledger, err
}
