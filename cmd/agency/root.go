package main

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

	"tram/adapters/httpclient"
	"tram/cmd/manual"
	"tram/exchange"
	"tram/signing"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in how the program was called or configured.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errSomeFailed ends a command that did some things and not others, each of
// which it has named.
var errSomeFailed = errors.New("not everything could be done")

// program is one run of the command line.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	settings       settings
	json           bool
	started        bool    // the arguments were understood
	signs          *signer // what it signs with, once read, for a command that lasts
}

// run carries out one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !p.started && !strings.Contains(err.Error(), "\n") { // else it has a suggestion
		err = fmt.Errorf("%w; see %q", err, c.CommandPath()+" --help")
	}
	if !errors.Is(err, errSomeFailed) {
		p.complain(err)
	}
	var u *usageError
	if errors.As(err, &u) || !p.started {
		return exitUsage
	}
	return exitFailed
}

// failure is an error for programs.
type failure struct {
	Error   string             `json:"error"`
	Code    exchange.Code      `json:"code,omitempty"`
	Rule    string             `json:"rule,omitempty"`
	Path    string             `json:"path,omitempty"`
	Line    int                `json:"line,omitempty"`
	Receipt exchange.ReceiptID `json:"receipt,omitempty"`
	Request string             `json:"request,omitempty"`
}

// complain says what went wrong, on stderr.
func (p *program) complain(err error) {
	f := p.failure(err)
	if !p.json {
		fmt.Fprintln(p.stderr, "agency: "+printable(f.Error))
		return
	}
	_ = json.NewEncoder(p.stderr).Encode(f) // nowhere left to say it
}

// failure finds the rule that was broken: the hub's, or one that was found
// broken here before the hub could.
func (p *program) failure(err error) failure {
	f := failure{Error: err.Error()}
	var problem *httpclient.Problem
	var refused *exchange.Error
	var unread *signing.Error
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &problem):
		f.Code, f.Rule, f.Path, f.Line = problem.Code, problem.Rule, problem.Path, problem.Line
		f.Receipt, f.Request = problem.Receipt, problem.Instance
	case errors.As(err, &refused):
		f.Error = refused.Text(p.language())
		f.Code, f.Rule, f.Path, f.Line = refused.Code(), refused.Rule.Name, refused.Path, refused.Line
	case errors.As(err, &unread):
		f.Error = fmt.Sprintf("%v\n  %s", err, unread.Rule.Text(p.language()))
		f.Rule, f.Path, f.Line = string(unread.Rule), unread.Path, unread.Line
	case errors.As(err, &unknown):
		f.Error += "; give the file of the authority of the hub's TLS certificate with --roots, or roots in the settings"
	}
	return f
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "agency",
		Short: "Send and receive official documents through a hub",
		Long: `agency is an agency's side of the document exchange: for trying it out, for scripts,
and for systems that have no connection of their own.

Settings come from flags, else from the environment (TRAM_URL, TRAM_SYSTEM, …),
else from a file: --config, TRAM_CONFIG, or agency.yaml in the current directory.
Paths in the file are relative to it:

  url: https://hub.example:8443      # where the hub is
  system: stc-vanban                 # who connects: the system's identifier
  secret_file: secret                # and the file of its secret (mode 0600)
  agency: H12.07                     # for which agency
  key: stc.key                       # the key that it signs with: PEM, .p12, or
                                     # "pkcs11:token=…;object=…?module-path=/…/….so"
  certificate: stc.crt               # and its certificate, issuers after it; without
                                     # it, what lies beside the key (.p12, token)
  password_file: password            # of the .p12 file, or the token's PIN (mode 0600)
  trust: rootca.pem                  # authorities whose signatures count
  keys: hub-keys.json                # the hub's published keys, to check receipts
  roots: hub-ca.pem                  # authority of the hub's TLS certificate
  client_certificate: tls.crt        # instead of system and secret
  client_key: tls.key
  language: vi                       # of the hub's words: vi or en

The secret itself may also be in TRAM_SECRET; it is never a flag.

Exit codes:
  0  done
  1  the hub or a check refused it, or it failed
  2  wrong usage or configuration`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			p.started = true
			return p.settings.load(c.Flags())
		},
	}
	f := root.PersistentFlags()
	f.BoolVar(&p.json, "json", false, "print JSON, for programs")
	p.settings.flags(f)
	manual.Add(root)
	root.AddCommand(p.keygen(), p.compose(), p.sign(), p.validate(), p.rules(), p.submit(), p.inbox(), p.fetch(), p.ack(),
		p.status(), p.search(), p.receipts(), p.mock(), p.directory(), p.hubKeys(), p.agent(), p.version())
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
			return p.show(map[string]string{"version": version}, func(w io.Writer) {
				fmt.Fprintln(w, "agency", version)
			})
		},
	}
}
