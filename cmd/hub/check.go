package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/keystore"
	"tram/cmd/progress"
	"tram/exchange"
)

// Terms within which "hub check" warns.
const (
	expiryWarning = 60 * 24 * time.Hour
	freeWarning   = 10 << 30
)

// finding is one thing that was looked at.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // "ok", "warning" or "failed"
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"`
}

func checkCommand(o *options) *cobra.Command {
	var live bool
	var report, log string
	c := &cobra.Command{
		Use:     "check",
		GroupID: "run",
		Short:   "Look at configuration, keys, disk and record, and say what to do",
		Long: `check looks at everything the hub needs: configuration, keys and certificates
(days left, who may read them), the disk's space and speed, the clock, listeners
and the running hub, and, while the hub is stopped, the whole ledger: indexes,
the Merkle tree against its leaves, every receipt against its leaf, and that
every package's bytes are in the vault.

--report writes what a supporter asks for into an archive: versions, the
configuration, what check found, metrics of the running hub, and the end of its
log (--log). No key, secret or package is in it.

--live only asks the running hub whether it is ready, for containers.

Exit codes: 0 all is well; 1 something is broken; 2 the configuration is wrong;
3 warnings only.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			if live {
				return checkLive(c.Context(), cfg)
			}
			p := progress.New(c.ErrOrStderr(), o.json, "checking", 0)
			findings := check(c.Context(), cfg, now(), p)
			p.End()
			if report != "" {
				if err := writeReport(c.Context(), report, log, cfg, findings, time.Now()); err != nil {
					return fmt.Errorf("writing the report: %w", err)
				}
			}
			if err := o.showFindings(c, findings); err != nil {
				return err
			}
			return verdict(findings)
		},
	}
	c.Flags().BoolVar(&live, "live", false, "only ask the running hub whether it is ready")
	c.Flags().StringVar(&report, "report", "", "write an archive for support (.tar.gz), which must not exist")
	c.Flags().StringVar(&log, "log", "", "file with the hub's log, whose end goes into the archive")
	return c
}

// checkLive asks the running hub, at the operators' listener if it has one.
func checkLive(ctx context.Context, cfg config) error {
	setting := "operators"
	if cfg.Operators == "" {
		setting = "listen"
	}
	return askHealth(ctx, cfg, setting, "/readyz")
}

// colours of states on a terminal that has not asked for none (no-color.org).
var colours = map[string]string{"ok": "\x1b[32m", "warning": "\x1b[33m", "failed": "\x1b[31m"}

func (o *options) showFindings(c *cobra.Command, findings []finding) error {
	if o.json {
		return o.show(c, findings, nil)
	}
	var text strings.Builder
	w := tabwriter.NewWriter(plain{&text}, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.State, f.What, f.Detail)
		if f.Do != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", f.Do)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	out := c.OutOrStdout()
	coloured := progress.Terminal(out) && os.Getenv("NO_COLOR") == ""
	for line := range strings.Lines(text.String()) {
		state, _, _ := strings.Cut(line, " ")
		if colour := colours[state]; coloured && colour != "" {
			line = colour + state + "\x1b[0m" + line[len(state):]
		}
		if _, err := io.WriteString(out, line); err != nil {
			return err
		}
	}
	return nil
}

func verdict(findings []finding) error {
	worst := error(nil)
	for _, f := range findings {
		switch f.State {
		case "failed":
			return errors.New("something is broken; see above")
		case "warning":
			worst = errWarnings
		}
	}
	return worst
}

func check(ctx context.Context, cfg config, now time.Time, p *progress.Bar) []finding {
	findings := []finding{{What: "configuration", State: "ok", Detail: cfg.path}}
	findings = append(findings, checkKeys(cfg, now)...)
	for _, file := range []struct{ what, path string }{
		{"TLS certificate", cfg.TLS.Certificate}, {"trusted roots", cfg.Trust.Roots},
		{"time-stamp roots", cfg.Timestamp.Roots},
		{"intermediates", cfg.Trust.Intermediates},
	} {
		if file.path != "" {
			findings = append(findings, checkCertificates(file.what, file.path, now)...)
		}
	}
	findings = append(findings, checkAuthority(ctx, cfg, now)...)
	findings = append(findings, checkQueue(ctx, cfg)...)
	findings = append(findings, checkRelays(ctx, cfg)...)
	findings = append(findings, checkScanner(ctx, cfg, now)...)
	findings = append(findings, checkCalendar(cfg, now)...)
	findings = append(findings, checkHost(ctx, cfg)...)
	return append(findings, checkStores(ctx, cfg, now, p)...)
}

func checkKeys(cfg config, now time.Time) []finding {
	keys, err := loadKeys(cfg)
	if err == nil {
		_, err = loadIssuers(cfg)
	}
	if err != nil {
		return []finding{{What: "keys", State: "failed", Detail: err.Error(), Do: "put the file named there in place, or correct its path in " + cfg.path}}
	}
	findings := []finding{{What: "keys", State: "ok", Detail: "all can be read and fit their certificates"}}
	paths := []string{cfg.TLS.Key, cfg.Log.Key, cfg.Webhook.Key, cfg.Client.SecretFile, cfg.Timestamp.SecretFile}
	for _, s := range cfg.Seal {
		paths = append(paths, s.Key, s.PasswordFile)
	}
	for _, r := range cfg.Relay {
		paths = append(paths, r.SecretFile)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue // what is missing was told above
		}
		f := finding{What: "keys", State: "warning", Detail: fmt.Sprintf("%s may be read by others (mode %o)", path, info.Mode().Perm()), Do: "chmod 600 " + path}
		if info.Mode().Perm()&0o007 != 0 {
			f.State, f.Do = "failed", f.Do+"; everybody on this machine could: if others use it, replace the key"
		}
		findings = append(findings, f)
	}
	return append(findings, checkSealing(keys.seals, now)...)
}

func checkCertificates(what, path string, now time.Time) []finding {
	list, err := keystore.ReadCertificates(path)
	if err != nil {
		return []finding{{What: what, State: "failed", Detail: err.Error(), Do: "put the PEM certificates there"}}
	}
	var findings []finding
	for _, c := range list {
		findings = append(findings, checkDates(what, c, now))
	}
	return findings
}

func checkDates(what string, c *x509.Certificate, now time.Time) finding {
	left := c.NotAfter.Sub(now)
	f := finding{What: what, State: "ok", Detail: fmt.Sprintf("%s: %d days left", c.Subject, int(left.Hours()/24))}
	switch {
	case now.After(c.NotAfter) || now.Before(c.NotBefore):
		f.State, f.Detail = "failed", fmt.Sprintf("%s: not valid now, only from %s to %s", c.Subject, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
		f.Do = "get a new certificate, and check this machine's clock"
	case left < expiryWarning:
		f.State, f.Do = "warning", "get a new certificate before "+c.NotAfter.Format(time.DateOnly)
	}
	return f
}

func checkStores(ctx context.Context, cfg config, now time.Time, p *progress.Bar) []finding {
	vault, err := disk.Open(cfg.Vault, disk.Options{})
	if err != nil {
		return []finding{{What: "vault", State: "failed", Detail: err.Error(), Do: "correct vault in " + cfg.path}}
	}
	defer func() { _ = vault.Close() }() // only read
	findings := []finding{checkFree(ctx, vault, int64(cfg.Limits.Reserve))}
	if _, err := os.Stat(cfg.Ledger); err != nil {
		return append(findings, finding{What: "ledger", State: "failed", Detail: err.Error(), Do: "correct ledger in " + cfg.path + ", or restore a backup"})
	}
	ledger, err := bolt.Open(cfg.Ledger, bolt.Options{})
	if errors.Is(err, bolt.ErrInUse) {
		findings = append(findings, finding{What: "ledger", State: "ok", Detail: filepath.Base(cfg.Ledger) + " is in use by the running hub; stop it to check the whole record"})
		return append(findings, askRunning(ctx, cfg)...)
	}
	if err != nil {
		return append(findings, finding{What: "ledger", State: "failed", Detail: err.Error(), Do: "restore a backup, and keep this file for inspection"})
	}
	findings = append(findings, checkRollback(ctx, cfg, ledger)...)
	findings = append(findings, checkNewest(ctx, ledger, now)...)
	findings = append(findings, checkUnstamped(ctx, cfg, ledger, now)...)
	terms, err := checkAgencies(ctx, ledger, now)
	findings = append(findings, terms...)
	err = errors.Join(err, checkRecord(ctx, ledger, vault, p), ledger.Close())
	if err != nil {
		return append(findings, finding{What: "record", State: "failed", Detail: err.Error(), Do: "keep the files as they are, restore a backup aside, and compare"})
	}
	return append(findings, finding{What: "record", State: "ok", Detail: "indexes, tree, receipts and packages agree"})
}

func checkFree(ctx context.Context, vault *disk.Vault, reserve int64) finding {
	free, err := vault.Free(ctx)
	f := finding{What: "disk", State: "ok", Detail: fmt.Sprintf("%.1f GiB free for packages", float64(free)/(1<<30))}
	switch {
	case err != nil:
		return finding{What: "disk", State: "failed", Detail: err.Error(), Do: "see why the vault's file system cannot be read"}
	case free < reserve:
		f.State, f.Do = "failed", "free space now: the hub takes nothing in"
	case free < freeWarning:
		f.State, f.Do = "warning", "free space soon"
	}
	return f
}

// checkRecord checks the whole ledger, and that the vault holds every package.
func checkRecord(ctx context.Context, ledger *bolt.Ledger, vault *disk.Vault, show *progress.Bar) error {
	show.At("checking the ledger")
	if err := ledger.Check(ctx); err != nil {
		return err
	}
	var checked, size int64
	return exchange.EachPackage(ctx, ledger, func(p exchange.Package) error {
		content, err := vault.Open(ctx, p.Digest)
		if _, erased := ledger.Erasure(ctx, p.ID); exchange.CodeOf(err) == exchange.NotFound && erased == nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the bytes of package %s: %w", p.ID, err)
		}
		h := sha256.New()
		_, err = io.Copy(h, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("reading package %s: %w", p.ID, err)
		}
		if exchange.Digest(h.Sum(nil)) != p.Digest {
			return fmt.Errorf("the bytes of package %s are not those that were accepted", p.ID)
		}
		checked, size = checked+1, size+p.Size
		show.At("checking the packages' bytes: %d packages, %.1f GiB", checked, float64(size)/(1<<30))
		return nil
	})
}
