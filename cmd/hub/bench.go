package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/cmd/hub/bench"
	"tram/cmd/progress"
	"tram/signing"
)

func benchCommand(o *options) *cobra.Command {
	run := bench.Options{}
	var dir string
	c := &cobra.Command{
		Use:     "bench [SCENARIO]",
		GroupID: "run",
		Short:   "Measure what a hub does on this machine",
		Long:    benchLong(),
		Example: `  hub bench                                    # packages of 11.5 kB, as fast as it goes
  hub bench small --rate 200 --duration 1m     # 200 packages begin each second
  hub bench province --json
  hub bench seed --dir big --deliveries 1000000 && hub bench small --dir big`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			run.Scenario = "small"
			if len(args) > 0 {
				run.Scenario = args[0]
			}
			return benchRun(c, o, run, dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "a directory made by \"hub bench seed\" or by an earlier run with this flag, or a new one to keep; absent: a temporary one")
	c.Flags().IntVar(&run.Pairs, "pairs", 0, "pairs of agencies, sender and recipient, that work at once; absent: the scenario's")
	c.Flags().IntVar(&run.Packages, "packages", 0, "packages to send; absent: the scenario's")
	c.Flags().DurationVar(&run.Duration, "duration", 0, "how long to send, instead of --packages")
	c.Flags().Float64Var(&run.Rate, "rate", 0, "packages that begin each second, come what may; absent: a pair begins when it is done")
	c.Flags().Float64Var(&run.Speedup, "speedup", 0, "province: how many times faster than the clock the day goes; absent: 600")
	c.Flags().StringVar(&run.Profile, "profile", "", "keep the profile of the hub's CPU time in this `file`, for go tool pprof")
	c.AddCommand(benchSeedCommand(o))
	return c
}

func benchLong() string {
	var b strings.Builder
	b.WriteString(`bench makes a test authority, a hub and agencies in a temporary directory, serves
the hub as a process of its own, and puts load on it over HTTPS on this machine,
as agencies' systems do. It prints how much went through and how long each step
took, what CPU time the hub spent and on what, beside what this machine's
cryptography and disk can do at best.

Every step is durable and leaves its receipt; every answer is checked, one
receipt in a hundred is verified whole, and at the end the ledger's counts and
the log are compared with what was done.

Packages are signed with RSA-2048 before the load begins; a few keys are shared
by all agencies, each with a certificate of its own. Acknowledgements are sealed
with P-256 on the way and count as load. The hub verifies each of its receipts
whole while its key is new: the key is shown as one in use, so that what is
measured is what goes on all day.

Scenarios:
`)
	for _, s := range bench.Scenarios {
		fmt.Fprintf(&b, "  %-10s %s\n", s.Name, s.Help)
	}
	return strings.TrimRight(b.String(), "\n")
}

func benchRun(c *cobra.Command, o *options, run bench.Options, dir string) (err error) {
	if _, known := bench.ScenarioOf(run.Scenario); !known {
		return usageError{fmt.Errorf("there is no scenario %q; see \"hub bench --help\"", run.Scenario)}
	}
	if run.Packages < 0 || run.Pairs < 0 || run.Rate < 0 || run.Duration < 0 || run.Speedup < 0 {
		return usageError{errors.New("numbers must not be negative")}
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tram-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	bar := progress.New(c.ErrOrStderr(), o.json, "making a hub", 0)
	run.Say = bar.At
	report, err := benchIn(c.Context(), dir, run)
	bar.End()
	if err != nil {
		return err
	}
	return o.show(c, report, func(w io.Writer) { _ = report.Print(w) }) // show reports what its writer says
}

func benchIn(ctx context.Context, dir string, run bench.Options) (*bench.Report, error) {
	site, err := benchSite(ctx, dir, max(441, 2*run.Pairs), time.Now().Add(-2*signing.NewKey))
	if err != nil {
		return nil, fmt.Errorf("making a hub to measure: %w", err)
	}
	return bench.Run(ctx, site, run)
}
