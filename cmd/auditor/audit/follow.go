package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (p *program) follow() *cobra.Command {
	var o hubOptions
	var dir string
	var once bool
	var interval, tolerance time.Duration
	c := &cobra.Command{
		Use:   "follow URL --dir DIR",
		Short: "Keep a mirror of a hub's log and notice a fork or a rollback",
		Long: `follow keeps a mirror of a hub's log in a directory, and each time the log has grown
verifies that what was there before is still there, unchanged and in its place.

It ends with exit code 1 as soon as the hub shows
  - a record that excludes what it signed before (fork), or
  - an older record than it showed before (rollback), or
  - another log key (keys-changed), or
  - leaves that are malformed or dated back.
Every checkpoint it has ever seen stays in DIR/checkpoints: two that exclude each
other are proof, signed by the hub, that it kept two records.

The hub's keys are taken from --keys, or from the hub the first time, and held on
to in DIR/keys.json. Check the mirror, without the hub, with "auditor check DIR".

Run it on a machine that the hub's operators cannot reach. With --once it looks
once, for a timer; without, it goes on until it is stopped.`,
		Example: `  auditor follow https://hub.example --dir mirror --keys keys.json
  auditor follow https://hub.example --dir mirror --once --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if dir == "" {
				return usagef("--dir is needed: where the mirror is kept")
			}
			client, err := o.client(args[0])
			if err != nil {
				return err
			}
			return p.runFollow(c.Context(), &mirror{hub: client, dir: directory(dir), options: o, tolerance: tolerance, progress: p.reading}, once, interval)
		},
	}
	o.flags(c.Flags())
	c.Flags().StringVar(&dir, "dir", "", "`directory` of the mirror; it is made if it is not there (needed)")
	c.Flags().BoolVar(&once, "once", false, "look once and end")
	c.Flags().DurationVar(&interval, "interval", 30*time.Second, "time between two looks")
	c.Flags().DurationVar(&tolerance, "tolerance", defaultTolerance, "how far times may go back from leaf to leaf")
	return c
}

func (p *program) runFollow(ctx context.Context, m *mirror, once bool, interval time.Duration) error {
	for {
		look, err := m.look(ctx)
		if ctx.Err() != nil {
			return nil // stopped by its operator
		}
		if err != nil && once {
			return err
		}
		if err != nil { // the hub may be down for a while: that is no finding
			p.complain(err)
		} else if err := p.printLook(look, once); err != nil {
			return err
		}
		if err == nil && !look.OK {
			return errDoesNotHold
		}
		if once {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (p *program) printLook(l look, once bool) error {
	if p.json {
		e := json.NewEncoder(p.stdout) // one line for each look
		e.SetEscapeHTML(false)
		return e.Encode(l)
	}
	if l.OK && l.Before == l.Leaves && !once {
		return nil // nothing new
	}
	_, err := fmt.Fprintf(p.stdout, "%s %s: %s, %d leaves (%+d), root %s\n", l.Time.Format(time.RFC3339), l.Origin,
		p.colour().verdict(l.OK), l.Leaves, l.Leaves-l.Before, l.Root)
	for _, f := range l.Findings {
		fmt.Fprintf(p.stdout, "  %s %s\n", p.colour().bad("✗"), oneLine(f.String()))
	}
	for _, line := range l.Do {
		fmt.Fprintf(p.stdout, "  → %s\n", line)
	}
	for _, note := range l.Notes {
		fmt.Fprintf(p.stdout, "  note: %s\n", note)
	}
	return err
}
