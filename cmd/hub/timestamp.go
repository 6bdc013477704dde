package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/bolt"
	"tram/adapters/httpclient"
	"tram/adapters/keystore"
	"tram/adapters/tsa"
	"tram/exchange"
)

// timestampConfig says which authority time-stamps receipts.
type timestampConfig struct {
	// URL is the authority's (RFC 3161 over HTTP); absent: receipts have no
	// time-stamps.
	URL string `yaml:"url"`
	// Roots is a PEM file of the root certificates that the authority's tokens
	// must lead to. It is not for agencies' certificates.
	Roots string `yaml:"roots"`
	// Policy is the object identifier of the policy to ask for; absent: the
	// authority's choice.
	Policy string `yaml:"policy"`
	// User and SecretFile authenticate to an https authority; absent: it wants
	// nothing.
	User       string `yaml:"user"`
	SecretFile string `yaml:"secret_file"`
	// TLSRoots is a PEM file of certificates to trust for the connection beside
	// the system's; absent: none.
	TLSRoots string `yaml:"tls_roots"`
}

// newStamper makes the client of the authority, and the roots to publish; nil if
// there is no authority.
func newStamper(cfg timestampConfig) (client *tsa.Client, published []string, err error) {
	if cfg.URL == "" {
		return nil, nil, nil
	}
	c := tsa.Config{URL: cfg.URL, Policy: cfg.Policy, User: cfg.User}
	if c.Roots, err = keystore.ReadCertificates(cfg.Roots); err != nil {
		return nil, nil, fmt.Errorf("timestamp.roots: %w", err)
	}
	if c.TLSRoots, err = readOptional(cfg.TLSRoots); err != nil {
		return nil, nil, fmt.Errorf("timestamp.tls_roots: %w", err)
	}
	if cfg.SecretFile != "" {
		if c.Password, err = readSecret(cfg.SecretFile); err != nil {
			return nil, nil, fmt.Errorf("timestamp.secret_file: %w", err)
		}
	}
	if client, err = tsa.New(c); err != nil {
		return nil, nil, fmt.Errorf("timestamp: %w", err)
	}
	for _, r := range c.Roots {
		published = append(published, pemOf(r))
	}
	return client, published, nil
}

// timeStamper is the client as the exchange wants it: a nil client is no authority.
func timeStamper(client *tsa.Client) exchange.TimeStamper {
	if client == nil {
		return nil
	}
	return client
}

func timestampsCommand(o *options) *cobra.Command {
	var cursor string
	var limit int
	c := asking(o, "timestamps", "Tell how time-stamping goes, and list the receipts that wait for it, oldest first", cobra.NoArgs, func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
		page, err := hub.TimeStamps(c.Context(), cursor, limit)
		if err != nil {
			return err
		}
		return o.show(c, page, func(w io.Writer) { describeStamps(w, page) })
	})
	c.Flags().StringVar(&cursor, "cursor", "", "go on from here")
	c.Flags().IntVar(&limit, "limit", 20, "how many at most")
	return watch(c)
}

func describeStamps(w io.Writer, page exchange.StampPage) {
	if !page.Configured {
		fmt.Fprintln(w, "this hub has no time-stamp authority: receipts have no time-stamps")
	}
	fmt.Fprintf(w, "waiting\t%d\n", page.Pending)
	if !page.Oldest.IsZero() {
		fmt.Fprintf(w, "oldest\t%s\n", moment(page.Oldest))
	}
	fmt.Fprintf(w, "since the hub began\t%d got, %d requests failed\n", page.Stamped, page.Failed)
	if page.Error != "" {
		fmt.Fprintf(w, "failing since\t%s\nasked again\t%s\nlast\t%s\n", moment(page.Since), moment(page.Next), page.Error)
	}
	if len(page.Receipts) == 0 {
		return
	}
	fmt.Fprintln(w, "\nRECEIPT\tEVENT\tTIME\tPACKAGE")
	for _, r := range page.Receipts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Event, moment(r.Time), r.Package)
	}
	if page.Cursor != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", page.Cursor)
	}
}

// clockApart is how far this clock may be from the authority's.
const clockApart = 10 * time.Second

// checkAuthority asks the authority for a time-stamp that nobody needs.
func checkAuthority(ctx context.Context, cfg config, now time.Time) []finding {
	client, _, _ := newStamper(cfg.Timestamp)
	if client == nil {
		return nil // what is wrong in the configuration is told with the keys
	}
	defer client.Close()
	patience, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, said, err := client.Ask(patience, []byte("hub check"))
	if err != nil {
		return []finding{{What: "time-stamp authority", State: "warning", Detail: err.Error(),
			Do: "see timestamp in " + cfg.path + "; receipts wait for their time-stamps meanwhile, nothing is lost"}}
	}
	found := []finding{checkDates("time-stamp authority", said.Authority, now)}
	if apart := time.Until(said.Time).Abs(); apart > clockApart {
		found = append(found, finding{What: "clock", State: "warning", Detail: fmt.Sprintf("it is %s apart from the time-stamp authority's", apart.Round(time.Millisecond)),
			Do: "set this machine's clock by a time service"})
	}
	return found
}

// checkUnstamped tells what waits for time-stamps in the ledger of a hub that is
// stopped.
func checkUnstamped(ctx context.Context, cfg config, ledger *bolt.Ledger, now time.Time) []finding {
	n, err := ledger.UnstampedCount(ctx)
	oldest, _, listErr := ledger.Unstamped(ctx, "", 1)
	if err := errors.Join(err, listErr); err != nil {
		return []finding{{What: "time-stamps", State: "failed", Detail: err.Error(), Do: "restore a backup, and keep this file for inspection"}}
	}
	if n == 0 || len(oldest) == 0 {
		return nil
	}
	waits := now.Sub(oldest[0].Time).Round(time.Second)
	f := finding{What: "time-stamps", State: "ok", Detail: fmt.Sprintf("%d receipts wait for time-stamps, the oldest for %s", n, waits)}
	const long = time.Hour
	switch {
	case cfg.Timestamp.URL == "":
		f.State, f.Do = "warning", "set timestamp in "+cfg.path+": no authority is asked for them now"
	case waits > long:
		f.State, f.Do = "warning", "see why the authority gives none: \"hub timestamps\" while the hub serves, or its log"
	}
	return []finding{f}
}
