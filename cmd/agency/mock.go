package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tram/adapters/httpclient"
	"tram/exchange"
)

func (p *program) mock() *cobra.Command {
	var last time.Duration
	var dir string
	var example bool
	c := &cobra.Command{
		Use:   "mock",
		Short: "Play a partner agency, for trying software out against it",
		Long: `mock connects to a hub as any agency does and behaves as its plan says: it fetches
what comes, answers and reports statuses after a while, refuses, is slow, is away,
answers twice or in another order, and sends documents, recalls, updates and
replacements of its own. Everything it sends is a real package, signed with the
agency's key; without a key in the settings it is not signed.

The plan is the section "mock" of the settings file; without one everything is
accepted at once. "agency mock --example" prints one with every word it may have.
What is random depends on the plan's seed and on the document, so that another run
does the same.

Each thing that is done is a line; with --json an object on a line. It goes on until
it is stopped, or for as long as --for says.`,
		Example: `  agency mock --config mock.yaml
  agency mock --config mock.yaml --for 10m --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if example {
				_, err := io.WriteString(p.stdout, examplePlan)
				return err
			}
			ctx := c.Context()
			if last > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, last)
				defer cancel()
			}
			return p.runMock(ctx, dir)
		},
	}
	c.Flags().DurationVar(&last, "for", 0, "how long to play, such as 10m; without it, until stopped")
	c.Flags().StringVar(&dir, "dir", "", "`directory` for what is received and sent; a temporary one without it")
	c.Flags().BoolVar(&example, "example", false, "print an example of a settings file with a plan")
	return c
}

// partner is an agency being played.
type partner struct {
	*program
	plan  plan
	hub   *httpclient.Client
	fetch fetching
	by    signer // no key: nothing is signed
	begun time.Time
	work  *errgroup.Group

	mu   sync.Mutex // over what is printed, and seen
	seen map[exchange.DeliveryID]bool
}

// atOnce is how many deliveries and documents are in hand at a time.
const atOnce = 32

func (p *program) runMock(ctx context.Context, dir string) error {
	m := &partner{program: p, plan: p.settings.Mock, begun: time.Now(), seen: map[exchange.DeliveryID]bool{}}
	if err := m.plan.check(); err != nil {
		return usagef("mock: %w", err)
	}
	if p.settings.Agency == "" {
		return usagef("which agency is played? give --agency, or agency in the settings file")
	}
	if p.settings.Key != "" {
		var err error
		if m.by, err = p.signer(); err != nil {
			return err
		}
	}
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "agency-mock-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) // it was nobody's but ours
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	trust, err := p.trust()
	if err != nil {
		return err
	}
	if m.hub, err = p.client(); err != nil {
		return err
	}
	defer m.hub.Close()
	m.fetch = fetching{hub: m.hub, dir: dir, trust: trust}
	return m.play(ctx)
}

// play answers and sends until ctx ends.
func (m *partner) play(ctx context.Context) error {
	m.work = &errgroup.Group{}
	m.work.SetLimit(atOnce)
	var senders errgroup.Group
	for i, s := range m.plan.Send {
		senders.Go(func() error { return m.sendAll(ctx, i, s) })
	}
	err := m.receive(ctx)
	return errors.Join(err, senders.Wait(), m.work.Wait())
}

// receive hands each new delivery to somebody.
func (m *partner) receive(ctx context.Context) error {
	for {
		if m.up(ctx) != nil {
			return nil // stopped
		}
		items, err := m.wholeInbox(ctx, m.hub, m.plan.poll())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			m.tell(event{Event: "error", Detail: m.failure(err).Error, Rule: m.failure(err).Rule})
			if !passes(err) {
				return err
			}
		}
		for _, item := range items {
			if m.first(item.Delivery.ID) {
				m.work.Go(func() error {
					m.handle(ctx, item)
					return nil
				})
			}
		}
		if len(items) > 0 || err != nil { // else the hub has waited
			_ = pause(ctx, time.Second) // the next round sees that it ended
		}
	}
}

// passes reports whether an error may pass by itself.
func passes(err error) bool {
	var problem *httpclient.Problem
	return !errors.As(err, &problem) || problem.Code == exchange.Busy || problem.Code == exchange.Internal || problem.Code == ""
}

// first reports whether a delivery was not handled before.
func (m *partner) first(id exchange.DeliveryID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen[id] {
		return false
	}
	m.seen[id] = true
	return true
}

// again lets a delivery be handled once more.
func (m *partner) again(id exchange.DeliveryID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, id)
}

// up waits while the plan has the partner away. Its error is that of ctx.
func (m *partner) up(ctx context.Context) error {
	away := m.plan.Down.left(time.Since(m.begun))
	if away == 0 {
		return ctx.Err()
	}
	m.tell(event{Event: "down", Detail: "for " + away.Round(time.Millisecond).String()})
	if err := pause(ctx, away); err != nil {
		return err
	}
	m.tell(event{Event: "up"})
	return nil
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// event is one thing that was done, for programs.
type event struct {
	Time     time.Time           `json:"time"`
	Event    string              `json:"event"`
	Delivery exchange.DeliveryID `json:"delivery,omitempty"`
	Package  exchange.PackageID  `json:"package,omitempty"`
	Kind     exchange.Kind       `json:"kind,omitempty"`
	With     string              `json:"with,omitempty"` // the other agency
	Document string              `json:"document,omitempty"`
	Status   string              `json:"status,omitempty"`
	Receipt  exchange.Event      `json:"receipt,omitempty"` // what the hub attests to
	Before   bool                `json:"before,omitempty"`  // the hub had it before
	Rule     string              `json:"rule,omitempty"`    // of a refusal
	Detail   string              `json:"detail,omitempty"`
}

func (m *partner) tell(e event) {
	e.Time = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.json {
		out := json.NewEncoder(m.stdout)
		out.SetEscapeHTML(false)
		_ = out.Encode(e) // nowhere left to say it
		return
	}
	parts := []string{e.Time.Format("15:04:05.000"), e.Event}
	if e.Before {
		parts = append(parts, "(as before)")
	}
	for _, part := range []string{e.Status, string(e.Kind), e.With, e.Document, string(e.Delivery), string(e.Package), string(e.Receipt), e.Rule, e.Detail} {
		if part != "" {
			parts = append(parts, oneLine(part))
		}
	}
	fmt.Fprintln(m.stdout, strings.Join(parts, "  "))
}

// about begins an event on a delivery.
func about(name string, item exchange.InboxItem) event {
	return event{Event: name, Delivery: item.Delivery.ID, Kind: item.Package.Kind, With: item.Delivery.Sender, Document: document(item.Package)}
}

// failed tells of what could not be done: refused by the hub, or an error.
func (m *partner) failed(e event, err error) {
	f := m.failure(err)
	e.Event, e.Rule, e.Detail = "error", f.Rule, f.Error
	if f.Code != "" && !passes(err) {
		e.Event = "refused"
	}
	m.tell(e)
}

// file is a path in the partner's directory.
func (m *partner) file(name string) string { return filepath.Join(m.fetch.dir, name) }
