package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/cmd/manual"
)

// Exit codes, as the help tells them.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitWarnings = 3
)

// usageError is a mistake on the command line or in the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errWarnings ends "hub check" when nothing is broken but something needs care.
var errWarnings = errors.New("there are warnings")

// run carries out one command and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errWarnings) {
		return exitWarnings
	}
	printError(errOut, err)
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

func printError(w io.Writer, err error) {
	fmt.Fprintln(w, "hub:", err)
	if errors.Is(err, syscall.ECONNREFUSED) {
		fmt.Fprintln(w, "hub: no hub answers there; start it with \"hub serve\", or correct client.url in the configuration")
	}
	var p *httpclient.Problem
	if errors.As(err, &p) && p.Receipt != "" {
		fmt.Fprintln(w, "hub: the refusal is on record as receipt", p.Receipt)
	}
}

// options are the flags that every command has.
type options struct {
	config string
	json   bool
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "hub",
		Short: "Exchange signed documents between agencies, with receipts",
		Long: `hub receives signed document packages from agencies' systems, delivers them to
their recipients, and issues receipts that anyone can verify.

Start with "hub demo DIR" to see a small province at work, or with
"hub init DIR" and "hub serve --config DIR/hub.yaml" for a hub of your own.

Exit codes: 0 done; 1 failed or refused; 2 wrong usage or configuration;
3 "hub check" found warnings only.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.PersistentFlags().StringVarP(&o.config, "config", "c", "hub.yaml", "the hub's configuration file (or set TRAM_HUB_CONFIG)")
	root.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON instead of text")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run a hub:"}, &cobra.Group{ID: "watch", Title: "Watch and steer deliveries:"},
		&cobra.Group{ID: "registry", Title: "Keep the registry:"})
	root.AddCommand(initCommand(o), serveCommand(o), checkCommand(o), restoreCommand(o), configCommand(o), printCommand(), demoCommand(o), benchCommand(o),
		searchCommand(o), deliveriesCommand(o), packagesCommand(o), actionsCommand(o), orphansCommand(o), timestampsCommand(o), certificatesCommand(o), revocationCommand(o), queueCommand(o), relayCommand(o), backupCommand(o), compactCommand(o), keysCommand(o), agencyCommand(o), systemCommand(o), userCommand(o))
	root.AddCommand(steering(o)...)
	root.AddCommand(quarantineCommand(o), rescanCommand(o), purgeCommand(o), alertsCommand(o), reportCommand(o))
	manual.Add(root)
	strict(root)
	return root
}

// strict marks wrong arguments of every command, unknown commands and missing
// flags as wrong usage.
func strict(c *cobra.Command) {
	if c.HasSubCommands() && !c.Runnable() {
		c.Args, c.RunE = unknownCommand, func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateRequiredFlags(); err != nil {
			return usageError{fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help")}
		}
		return nil
	}
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError{fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help")}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// unknownCommand refuses what a command that only groups others is given.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w, did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}
