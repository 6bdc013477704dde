package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/httpclient"
	"tram/exchange"
	"tram/signing"
)

// How often things are looked at. The inbox answers at once when something comes.
const (
	glance     = time.Second      // at the outbox
	inboxWait  = 30 * time.Second // for something to come
	inboxPause = 2 * time.Second  // while what is there is not answered
	firstPause = time.Second      // after an error, doubling up to
	mostPause  = 5 * time.Minute
)

// An agent carries documents between the folders of one agency and the hub. Its
// promises, whatever moment it is killed at:
//
//   - A document that was taken from the outbox is signed once. The signed bytes
//     are durable before they are submitted, and only they are submitted again,
//     so that the hub knows them.
//   - A delivery is answered when its files are durable under their name, not
//     before. The answer is durable before it is sent.
//   - A folder in sent, failed or inbox is whole.
//
// One goroutine sends and one receives. They meet in files only, each of which
// appears whole.
type agent struct {
	p       *program
	hub     *httpclient.Client
	log     *slog.Logger
	root    string
	trust   *signing.Trust
	sealing []exchange.PublishedSeal
	settle  time.Duration // a file that did not change for so long is complete
	seen    map[string]sighting
	due     map[exchange.PackageID]time.Time // when a sent package is asked about
	told    map[string]bool                  // arrivals that were told as failed
	lock    *os.File
}

func (p *program) agent() *cobra.Command {
	var once bool
	var settle time.Duration
	c := &cobra.Command{
		Use:   "agent [SETTINGS.yaml…]",
		Short: "Send what is dropped into a folder, and put what arrives into another",
		Long: `agent serves a document system that can write and read files and nothing else. Below
the directory that the settings call folder it keeps:

  outbox/          drop documents here
  sending/NAME/    what was taken and is on its way to the hub
  sent/2026/11/    what the hub has: the document, the signed package, receipts with
                   their proofs, and state.json, which follows every recipient
  failed/          what was refused, with reason.txt in Vietnamese and English
  inbox/2026/11/   what arrived: verified, unpacked, answered for

What can be dropped into the outbox:

  X.edxml                    a package; it is signed if it is not yet
  X.yaml (or .json), X.pdf   a description with the files of the same name, or those
                             that it lists under attach
  a directory                with one description and its files
  X.yaml with code           a status: {delivery: …, code: "03"}
  X.yaml with answer         an answer: {delivery: …, answer: accept} or
                             {delivery: …, answer: refuse, reason: …}

A description has the words of "agency compose": to, number, notation, date, subject,
attach, type_name, priority, due, … and kind for recall, update and replace.

Something is taken when it has not changed for --settle, or at once when X.ready is
beside it. Better: write it under a name that begins with a dot, and rename it. A PDF
without its end is never taken.

Several settings files are several agencies, each with a folder of its own. The
settings that only this command has:

  folder: /srv/vanban                # the directory
  answer: accept                     # accept (or none: people answer, by files)
  refuse: none                       # invalid: refuse for the agency what does not verify
  send_status: "01,03"               # statuses sent for each document accepted

With --once it sends and gets what is there and ends, for cron.`,
		Example: `  agency agent --config stc.yaml
  agency agent --once --config stc.yaml
  agency agent status --config stc.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			return p.runAgents(c.Context(), args, settle, once)
		},
	}
	c.PersistentFlags().DurationVar(&settle, "settle", 5*time.Second, "how long a dropped file must not have changed")
	c.Flags().BoolVar(&once, "once", false, "do what there is to do, and end")
	c.AddCommand(p.agentStatus())
	c.AddCommand(p.serviceCommands()...)
	return c
}

// of is the program with the settings of another file.
func (p *program) of(file string) (*program, error) {
	other := *p
	other.settings = settings{config: file}
	read, err := other.settings.file()
	if err != nil {
		return nil, err
	}
	other.settings = *read
	return &other, nil
}

// all are the programs of the settings files; without any, this one.
func (p *program) all(files []string) ([]*program, error) {
	if len(files) == 0 {
		return []*program{p}, nil
	}
	var list []*program
	for _, file := range files {
		one, err := p.of(file)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (p *program) runAgents(ctx context.Context, files []string, settle time.Duration, once bool) error {
	programs, err := p.all(files)
	if err != nil {
		return err
	}
	var agents []*agent
	defer func() {
		for _, a := range agents {
			a.close()
		}
	}()
	for _, one := range programs {
		a, err := one.newAgent(settle)
		if err != nil {
			return err
		}
		agents = append(agents, a)
	}
	if once {
		return runOnce(ctx, agents)
	}
	tellManager("READY=1")
	defer tellManager("STOPPING=1")
	var all sync.WaitGroup
	for _, a := range agents {
		all.Go(func() { a.repeat(ctx, "sending", a.sendAll) })
		all.Go(func() { a.repeat(ctx, "receiving", a.receiveNext) })
	}
	all.Wait()
	return nil
}

func runOnce(ctx context.Context, agents []*agent) error {
	var failures []error
	for _, a := range agents {
		_, err := a.sendAll(ctx) // sees what is in the outbox
		failures = append(failures, err)
		if a.waiting() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(a.settle):
			}
			_, err = a.sendAll(ctx)
			failures = append(failures, err)
		}
		failures = append(failures, a.receive(ctx, 0))
	}
	return errors.Join(failures...)
}

// newAgent checks the settings and makes the folders.
func (p *program) newAgent(settle time.Duration) (*agent, error) {
	s := p.settings
	if s.Folder == "" {
		return nil, usagef("which directory? give --folder, or folder in the settings file")
	}
	if s.Agency == "" {
		return nil, usagef("for which agency? give --agency, or agency in the settings file")
	}
	if !slices.Contains([]string{"", "accept", "none"}, s.Answer) {
		return nil, usagef("answer must be accept or none, not %q", s.Answer)
	}
	if !slices.Contains([]string{"", "none", "invalid"}, s.Refuse) {
		return nil, usagef("refuse must be none or invalid, not %q", s.Refuse)
	}
	by, err := p.signer()
	if err != nil {
		return nil, err
	}
	p.signs = &by
	a := &agent{p: p, root: s.Folder, settle: settle, seen: map[string]sighting{}, due: map[exchange.PackageID]time.Time{}, told: map[string]bool{}}
	var handler slog.Handler = slog.NewTextHandler(p.stderr, nil)
	if p.json {
		handler = slog.NewJSONHandler(p.stderr, nil)
	}
	a.log = slog.New(handler).With("agency", s.Agency)
	if a.trust, err = p.trust(); err != nil {
		return nil, err
	}
	if a.sealing, err = p.sealing(); err != nil {
		return nil, err
	}
	for _, dir := range []string{"outbox", "sending", "sent", "failed", "inbox", own("arriving"), own("answering"), own("open"), own("index")} {
		if err := makeDir(a.path(dir)); err != nil {
			return nil, err
		}
	}
	if a.lock, err = lockFile(a.path(own("lock"))); err != nil {
		return nil, fmt.Errorf("%s is in use by another agent: %w", a.root, err)
	}
	if a.hub, err = p.client(); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	return a, nil
}

func (a *agent) close() {
	a.hub.Close()
	_ = a.lock.Close() // the lock goes with it, or with the process
}

// own is a place for what is the agent's own business.
func own(name string) string { return filepath.Join(".agent", name) }

func (a *agent) path(parts ...string) string {
	return filepath.Join(append([]string{a.root}, parts...)...)
}

// repeat does something for ever, with growing pauses while it fails.
func (a *agent) repeat(ctx context.Context, what string, do func(context.Context) (time.Duration, error)) {
	failing := time.Duration(0)
	for ctx.Err() == nil {
		pause, err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failing = min(max(2*failing, firstPause), mostPause/10)
			pause = failing
			a.log.WarnContext(ctx, what+" is interrupted", "error", err, "again", pause)
		case failing > 0:
			failing = 0
			a.log.InfoContext(ctx, what+" goes on")
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// codes are the statuses that are sent for each document accepted.
func (a *agent) codes() []string {
	return strings.FieldsFunc(a.p.settings.SendStatus, func(r rune) bool { return r == ',' || r == ' ' })
}

// agentCounts is where the documents of one agency's folders are.
type agentCounts struct {
	Folder  string          `json:"folder"`
	Outbox  []string        `json:"outbox"`
	Sending []parcel        `json:"sending"`
	Failed  []failedSummary `json:"failed"`
	// Open is how many packages are not answered by every recipient, Answering
	// how many answers are on their way.
	Open      int `json:"open"`
	Answering int `json:"answering"`
}

type failedSummary struct {
	Name string `json:"name"`
	Code string `json:"code"`
	En   string `json:"en"`
	Vi   string `json:"vi"`
}

func (p *program) agentStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status [SETTINGS.yaml…]",
		Short: "Show what an agent's folders hold that is not done",
		RunE: func(_ *cobra.Command, args []string) error {
			programs, err := p.all(args)
			if err != nil {
				return err
			}
			all := []agentCounts{}
			for _, one := range programs {
				c, err := countFolders(one.settings.Folder)
				if err != nil {
					return err
				}
				all = append(all, c)
			}
			return p.show(all, func(w io.Writer) {
				for _, c := range all {
					c.print(w)
				}
			})
		},
	}
}

func (c agentCounts) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %d in the outbox, %d sending, %d failed; %d sent and not answered by all; %d answers on their way\n",
		c.Folder, len(c.Outbox), len(c.Sending), len(c.Failed), c.Open, c.Answering)
	for _, s := range c.Sending {
		if s.Trouble != nil {
			fmt.Fprintf(w, "sending\t%s\t%d attempts, again %s\t%s\n", oneLine(s.Name), s.Attempts, moment(s.Next), oneLine(s.Trouble.En))
		}
	}
	for _, f := range c.Failed {
		fmt.Fprintf(w, "failed\t%s\t%s\t%s\n", oneLine(f.Name), f.Code, oneLine(f.En))
	}
}

func countFolders(root string) (agentCounts, error) {
	if root == "" {
		return agentCounts{}, usagef("which directory? give --folder, or folder in the settings file")
	}
	c := agentCounts{Folder: root, Sending: []parcel{}, Failed: []failedSummary{}}
	var err error
	if c.Outbox, err = visible(filepath.Join(root, "outbox")); err != nil {
		return c, err
	}
	sending, err := visible(filepath.Join(root, "sending"))
	if err != nil {
		return c, err
	}
	for _, name := range sending {
		if s, err := readParcel(filepath.Join(root, "sending", name)); err == nil { // else it is on its way at this moment
			c.Sending = append(c.Sending, s)
		}
	}
	failed, err := visible(filepath.Join(root, "failed"))
	if err != nil {
		return c, err
	}
	for _, name := range failed {
		f := failedSummary{Name: name}
		var s struct {
			Trouble *trouble `json:"trouble"`
		}
		if err := readJSON(filepath.Join(root, "failed", name, "state.json"), &s); err == nil && s.Trouble != nil {
			f.Code, f.En, f.Vi = s.Trouble.Code, s.Trouble.En, s.Trouble.Vi
		}
		c.Failed = append(c.Failed, f)
	}
	open, err := visible(filepath.Join(root, own("open")))
	if err != nil {
		return c, err
	}
	answering, err := visible(filepath.Join(root, own("answering")))
	c.Open, c.Answering = len(open), len(answering)
	return c, err
}
