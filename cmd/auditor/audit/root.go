package audit

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"tram/cmd/manual"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errDoesNotHold ends a command whose findings have been printed.
var errDoesNotHold = errors.New("what was checked does not hold")

// usageError is a mistake in how the program was called or configured.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// program is one run of the command line.
type program struct {
	stdout, stderr io.Writer
	json           bool
	started        bool // the arguments were understood
}

// Run carries out one command line and returns its exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errDoesNotHold) {
		return exitFailed
	}
	var unknown x509.UnknownAuthorityError
	switch {
	case !p.started && !strings.Contains(err.Error(), "\n"): // else it has a suggestion
		err = fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help")
	case errors.As(err, &unknown):
		err = fmt.Errorf("%w; give the file of the authority of the hub's TLS certificate with --roots", err)
	}
	p.complain(err)
	var u *usageError
	if errors.As(err, &u) || !p.started {
		return exitUsage
	}
	return exitFailed
}

func (p *program) complain(err error) {
	if !p.json {
		fmt.Fprintln(p.stderr, "auditor: "+oneLine(err.Error()))
		return
	}
	_ = json.NewEncoder(p.stderr).Encode(map[string]string{"error": err.Error()}) // nowhere left to say it
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "auditor",
		Short: "Check receipts and the record of a document exchange hub",
		Long: `auditor checks what a document exchange hub says against what it signed.

A hub gives a sealed receipt for every event: a package was accepted, brought to
an agency, answered, or not answered in time. Every receipt is also a leaf of a
log that the hub signs and anyone may read. What is in that log can be neither
changed, taken out, put in another order nor added later without being noticed,
and noticing it is what this program is for.

It asks the hub for data, never for an opinion: every signature, digest and hash
is computed here.

Exit codes:
  0  what was checked holds
  1  it does not hold, or could not be checked to the end
  2  wrong usage or configuration

Every command takes --json, for programs. Colours are used on terminals only,
and never if NO_COLOR is set.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			p.started = true
		},
	}
	root.PersistentFlags().BoolVar(&p.json, "json", false, "print JSON, for programs")
	root.AddCommand(p.verify(), p.explain(), p.check(), p.follow(), p.version())
	manual.Add(root)
	return root
}

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the program's version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			if p.json {
				return p.printJSON(map[string]string{"version": version})
			}
			_, err := fmt.Fprintln(p.stdout, "auditor", version)
			return err
		},
	}
}

// printJSON prints one value on lines of its own, indented for eyes that
// happen to see it.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
