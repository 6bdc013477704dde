package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func demoCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "demo DIR",
		GroupID: "run",
		Short:   "Make a small province and watch packages travel, with receipts",
		Long: `demo makes, in a new directory, a certificate authority, a hub, and a dozen
agencies of a province with keys of their own. It starts the hub and sends real
signed packages with PDF attachments: one to all, one each way, one that is
refused, one that is recalled, one that was forged, and some to an agency that is
down and comes back. It ends with an audit of the whole record, and leaves the
directory for you to look around in.

Agencies, codes below H12 and documents are invented.`,
		Example: "  hub demo demo",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return demo(c.Context(), args[0], c.OutOrStdout())
		},
	}
}

// demo plays the whole demonstration in a directory that must not exist yet.
func demo(ctx context.Context, dir string, out io.Writer) (err error) {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return usageError{fmt.Errorf("%s exists already; name a new directory", dir)}
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	stage := &stage{dir: dir, out: out, began: time.Now()}
	stage.say("", "making a certificate authority, a hub and %d agencies in %s", len(province), dir)
	if err := stage.build(ctx); err != nil {
		return fmt.Errorf("making the province: %w", err)
	}
	stop, err := stage.startHub(ctx)
	if err != nil {
		return fmt.Errorf("starting the hub: %w", err)
	}
	err = stage.play(ctx)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	return stage.farewell()
}

// startHub serves the hub in this process until stop is called. Its log goes to
// a file beside its configuration.
func (s *stage) startHub(ctx context.Context) (stop func() error, err error) {
	cfg, err := loadConfig(s.hubConfig())
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(s.dir, "hub", "hub.log"))
	if err != nil {
		return nil, err
	}
	serving, cancel := context.WithCancel(ctx)
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- serve(serving, cfg, newLog(logs), nil, func(a net.Addr) { ready <- a }) }()
	stop = func() error {
		cancel()
		return errors.Join(<-ended, logs.Close())
	}
	select {
	case addr := <-ready:
		s.say("hub", "listens on https://%s, log in hub/hub.log", addr)
		if err := s.register(ctx); err != nil {
			return nil, errors.Join(err, stop())
		}
		return stop, nil
	case err := <-ended:
		cancel()
		return nil, errors.Join(err, logs.Close())
	}
}

// farewell tells what can be done with what is left.
func (s *stage) farewell() error {
	text := fmt.Sprintf(`
Everything is in %[1]s. With the three commands in your PATH
(go build -tags nomsgpack -o bin/ ./cmd/... && PATH=$PWD/bin:$PATH), start the hub again:

  hub serve --config %[1]s/hub/hub.yaml

and look around from another terminal:

  hub deliveries --config %[1]s/hub/hub.yaml
  auditor follow https://%[2]s --once --roots %[1]s/hub/keys/tls-root.pem --dir %[1]s/auditor

Send something from one agency to another, and see it arrive:

  agency compose --config %[1]s/agencies/H12.41/agency.yaml --to H12.02 --number 7 --notation UBND --subject Thử --sign --output %[1]s/7.edxml
  agency submit --config %[1]s/agencies/H12.41/agency.yaml %[1]s/7.edxml
  agency inbox --config %[1]s/agencies/H12.02/agency.yaml --wait 10s
`, s.dir, s.address)
	if receipt := s.lastReceipt; receipt != "" {
		text += fmt.Sprintf(`
Receipts are verified without the hub:

  auditor verify %s --keys %s/keys.json --proof %s
`, receipt, s.dir, proofOf(receipt))
	}
	if err := os.WriteFile(filepath.Join(s.dir, "README.txt"), []byte(text[1:]), 0o644); err != nil {
		return err
	}
	fmt.Fprint(s.out, text)
	return nil
}
