package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"tram/adapters/axis"
	"tram/adapters/directory"
	"tram/adapters/httpclient"
	"tram/exchange"
)

// directoryConfig is the axis that the directory of agencies comes from.
type directoryConfig struct {
	// URL is where the axis is called: https://HOST/. Absent: the directory is
	// kept by hand.
	URL string `yaml:"url"`
	// System is the systemid that the axis issued, and SecretFile has the secret.
	System     string `yaml:"system"`
	SecretFile string `yaml:"secret_file"`
	// Roots is a PEM file of authorities of the axis's TLS certificate; absent: the
	// machine's own.
	Roots string `yaml:"roots"`
	// Plain allows an http URL.
	Plain bool `yaml:"plain"`
	// Every is how often the hub synchronizes by itself; absent: only "hub directory
	// sync" does.
	Every duration `yaml:"every"`
	// OldCodes takes the form 000.00.07.H12 for a further code of H12.07.
	OldCodes bool `yaml:"old_codes"`
}

func (d *directoryConfig) validate(wrong func(key, what string)) {
	if d.URL == "" {
		if *d != (directoryConfig{}) {
			wrong("directory.url", "is missing; write https://HOST/ of the axis")
		}
		return
	}
	if d.System == "" {
		wrong("directory.system", "is missing")
	}
	if d.SecretFile == "" {
		wrong("directory.secret_file", "is missing")
	}
	if _, err := axis.New(axis.Config{Name: "x", URL: d.URL, System: "x", Secret: "x", Plain: d.Plain}); err != nil {
		wrong("directory.url", "cannot be used: "+err.Error())
	}
	if d.Every != 0 && time.Duration(d.Every) < time.Minute {
		wrong("directory.every", "is less than 1m, which the axis would not like")
	}
}

// source is the axis that lists agencies.
func (d *directoryConfig) source() (*axis.Client, error) {
	if d.URL == "" {
		return nil, usageError{errors.New("the configuration names no axis to take the directory from; give directory.url, system and secret_file")}
	}
	secret, err := readSecret(d.SecretFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("directory.secret_file: %w", err)}
	}
	c := axis.Config{Name: d.URL, URL: d.URL, System: d.System, Secret: secret, Plain: d.Plain, Now: now}
	if c.Roots, err = readRoots(d.Roots); err != nil {
		return nil, usageError{fmt.Errorf("directory.roots: %w", err)}
	}
	return axis.New(c)
}

// fetchDirectory is what the axis lists, with what was deleted there.
func fetchDirectory(ctx context.Context, from *axis.Client, oldCodes bool) ([]exchange.Listing, error) {
	list, err := from.Units(ctx)
	if err != nil {
		return nil, err
	}
	units := make([]directory.Unit, 0, len(list))
	for _, u := range list {
		units = append(units, directory.Unit{ID: string(u.ID), Parent: string(u.Parent), Code: string(u.Code), Name: string(u.Name), Mail: string(u.Mail),
			Modified: string(u.Modified), Deleted: u.Deleted})
	}
	return directory.OfUnits(units, directory.Options{OldCodes: oldCodes, Now: now()})
}

// synchronizer keeps the directory in line with the axis's.
type synchronizer struct {
	cfg    directoryConfig
	x      *exchange.Exchange
	from   *axis.Client
	log    *slog.Logger
	last   prometheus.Gauge
	failed prometheus.Counter
}

// newSynchronizer is nil if the hub does not synchronize by itself.
func newSynchronizer(cfg directoryConfig, x *exchange.Exchange, metrics prometheus.Registerer, log *slog.Logger) (*synchronizer, error) {
	if cfg.URL == "" || cfg.Every == 0 {
		return nil, nil
	}
	from, err := cfg.source()
	if err != nil {
		return nil, err
	}
	s := &synchronizer{cfg, x, from, log,
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "tram_directory_synchronized_timestamp_seconds", Help: "When the directory was last in line with the axis's; 0: not since the hub began."}),
		prometheus.NewCounter(prometheus.CounterOpts{Name: "tram_directory_failures_total", Help: "Synchronizations of the directory that failed."})}
	return s, errors.Join(metrics.Register(s.last), metrics.Register(s.failed))
}

// run synchronizes at once, and then again and again until ctx ends.
func (s *synchronizer) run(ctx context.Context) {
	if s == nil {
		return
	}
	defer s.from.Close()
	again := time.NewTicker(time.Duration(s.cfg.Every))
	defer again.Stop()
	for {
		s.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (s *synchronizer) once(ctx context.Context) {
	list, err := fetchDirectory(ctx, s.from, s.cfg.OldCodes)
	var outcome exchange.DirectoryOutcome
	if err == nil {
		outcome, err = s.x.SynchronizeDirectory(ctx, list, exchange.DirectoryOrder{Source: s.cfg.URL})
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.failed.Inc()
		s.log.ErrorContext(ctx, "directory not synchronized", "axis", s.cfg.URL, "err", err)
		return
	}
	s.last.Set(float64(now().Unix()))
	c := outcome.Counts
	s.log.InfoContext(ctx, "directory synchronized", "axis", s.cfg.URL, "listed", c.Listed, "added", c.Added, "renamed", c.Renamed, "moved", c.Moved,
		"details", c.Details, "aliases", c.Aliases, "closed", c.Closed, "leftOut", c.LeftOut)
}

func directoryCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "directory", Short: "Import, synchronize and export the whole directory of agencies", GroupID: "registry"}
	c.AddCommand(directoryImport(o), directorySync(o), directoryExport(o))
	return c
}

// directoryFlags are those of import and sync.
func directoryFlags(c *cobra.Command, order *exchange.DirectoryOrder) {
	c.Flags().BoolVar(&order.DryRun, "dry-run", false, "show the difference and change nothing")
	c.Flags().BoolVar(&order.Missing, "missing", false, "list open agencies, too, that the list does not have")
	c.Flags().BoolVar(&order.Closings, "closings", false, "take a list that closes very many agencies")
}

const whatIsTaken = `

What the list tells is changed: names, agencies in charge, mail, phone, address,
further codes, and that an agency ceased. Certificates, policy, mode, webhook and
subject rules stay, and so do agencies that the list does not have. Entries that
would take another agency's code are left out and told. It is one action on record;
what broke off goes on when the command is given again. A list that closes more than
20 agencies, and more than one in twenty, is refused without --closings.`

func directoryImport(o *options) *cobra.Command {
	var order exchange.DirectoryOrder
	var oldCodes bool
	c := asking(o, "import FILE", "Bring the directory in line with a list: CSV, JSON, or an axis's", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return usageError{err}
		}
		list, unread, err := directory.Read(bytes.NewReader(text), directory.Options{OldCodes: oldCodes, Now: time.Now()})
		if err != nil {
			return usageError{fmt.Errorf("%s: %w", args[0], err)}
		}
		for _, name := range unread {
			fmt.Fprintf(plain{c.ErrOrStderr()}, "hub: column %q says nothing to the hub and is not read\n", name)
		}
		order.Source = filepath.Base(args[0]) + " sha256:" + exchange.DigestOf(text).String()
		return o.importList(c, hub, list, order)
	})
	c.Long = `import brings the directory in line with the list in FILE. That is CSV (UTF-8;
commas, semicolons or tabs) whose first row names the columns (code or mã định danh,
name or tên, parent or mã cấp trên, aliases or mã cũ, mail, phone or điện thoại,
address or địa chỉ, closed or ngày đóng), JSON as "hub directory export" writes it, or
the answer of an axis's getAgenciesList or getSynchronizeUnit.` + whatIsTaken
	c.Example = "  hub directory import danh-ba.csv --dry-run\n  hub directory import danh-ba.csv --old-codes"
	directoryFlags(c, &order)
	c.Flags().BoolVar(&oldCodes, "old-codes", false, "take the other form (000.00.07.H12 of H12.07) for a further code of each")
	return c
}

func (o *options) importList(c *cobra.Command, hub *httpclient.Client, list []exchange.Listing, order exchange.DirectoryOrder) error {
	outcome, err := hub.ImportDirectory(c.Context(), list, order)
	if err != nil {
		return err
	}
	return o.show(c, outcome, func(w io.Writer) { showOutcome(w, outcome) })
}

func showOutcome(w io.Writer, d exchange.DirectoryOutcome) {
	for _, ch := range d.Changes {
		switch {
		case ch.Before == "":
			fmt.Fprintf(w, "%s\t%s\t%s\n", ch.Kind, ch.Code, ch.After)
		default:
			fmt.Fprintf(w, "%s\t%s\t%s -> %s\n", ch.Kind, ch.Code, ch.Before, ch.After)
		}
	}
	for _, f := range d.Findings {
		kind := "warning"
		if f.LeftOut {
			kind = "left out"
		}
		fmt.Fprintf(w, "%s\tentry %d\t%s\n", kind, f.Entry, f.En)
	}
	n := d.Counts
	fmt.Fprintln(w, n)
	if n.Missing > 0 {
		fmt.Fprintf(w, "%d open agencies are not in the list\n", n.Missing)
	}
	switch {
	case d.Kept:
		fmt.Fprintln(w, "the directory has it now")
	case n.Changed():
		fmt.Fprintln(w, "nothing was changed: this was a dry run")
	default:
		fmt.Fprintln(w, "there is nothing to change")
	}
}

func directorySync(o *options) *cobra.Command {
	var order exchange.DirectoryOrder
	c := asking(o, "sync", "Bring the directory in line with the axis's", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		cfg, err := loadConfig(o.config)
		if err != nil {
			return err
		}
		from, err := cfg.Directory.source()
		if err != nil {
			return err
		}
		defer from.Close()
		list, err := fetchDirectory(c.Context(), from, cfg.Directory.OldCodes)
		if err != nil {
			return err
		}
		order.Source = cfg.Directory.URL
		return o.importList(c, hub, list, order)
	})
	c.Long = `sync brings the directory in line with the one of the axis that "directory" in the
configuration names; with "every" there, the hub does so by itself. What is deleted
there is closed here, with its date; nothing is ever deleted.` + whatIsTaken
	directoryFlags(c, &order)
	return c
}

func directoryExport(o *options) *cobra.Command {
	var format string
	c := asking(o, "export", "Write the directory, for a spreadsheet or another hub", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		if format != "csv" && format != "json" {
			return usageError{fmt.Errorf("--format is %q; give csv or json", format)}
		}
		list, err := allAgencies(c.Context(), hub)
		if err != nil {
			return err
		}
		if format == "json" || o.json {
			return directory.WriteJSON(c.OutOrStdout(), list)
		}
		return directory.WriteCSV(c.OutOrStdout(), list)
	})
	c.Long = `export writes the directory to standard output, closed agencies too: codes, names,
agencies in charge and ways to reach them, no certificates. "hub directory import"
reads both formats.`
	c.Example = "  hub directory export > danh-ba.csv\n  hub directory export --format json > danh-ba.json"
	c.Flags().StringVar(&format, "format", "csv", "csv, which spreadsheets open; or json")
	return c
}

// allAgencies is the whole directory.
func allAgencies(ctx context.Context, hub *httpclient.Client) ([]exchange.Agency, error) {
	all := []exchange.Agency{}
	for cursor := ""; ; {
		page, err := hub.Agencies(ctx, cursor, 500)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Agencies...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}
