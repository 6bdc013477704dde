package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tram/adapters/axis"
	"tram/adapters/httpclient"
	"tram/exchange"
)

// relayConfig is another axis, which agencies live at that are not this hub's.
type relayConfig struct {
	// Name is how people and the directory call it.
	Name string `yaml:"name"`
	// URL is where its calls are, such as https://axis.example/.
	URL string `yaml:"url"`
	// System is what the axis calls this hub, SecretFile holds the secret that it
	// issued, alone.
	System     string `yaml:"system"`
	SecretFile string `yaml:"secret_file"`
	// Prefixes are the codes that it serves, with those below them, in either form;
	// "*" is all. Except are those that it does not: this province's own, at least.
	// Agencies of the directory go before both.
	Prefixes []string `yaml:"prefixes"`
	Except   []string `yaml:"except"`
	// Poll is how often it is asked what waits there; absent: 1m.
	Poll duration `yaml:"poll"`
	// Roots is a PEM file of authorities of its TLS certificate; absent: the
	// system's.
	Roots string `yaml:"roots"`
	// Plain allows an http URL: what is sent can be read on the way.
	Plain bool `yaml:"plain"`
}

func validateRelays(list []relayConfig, wrong func(key, what string)) {
	seen := map[string]bool{}
	for i, r := range list {
		place := fmt.Sprintf(" in entry %d", i+1)
		for key, value := range map[string]string{"name": r.Name, "url": r.URL, "system": r.System, "secret_file": r.SecretFile} {
			if value == "" {
				wrong("relay", "has no "+key+place)
			}
		}
		if len(r.Prefixes) == 0 {
			wrong("relay", "names no prefixes"+place+": write [\"*\"] for all codes, and this province's own in except")
		}
		if seen[r.Name] {
			wrong("relay", "has the name "+r.Name+" twice")
		}
		seen[r.Name] = true
	}
}

// dial makes the client of the axis. Nothing is asked yet.
func (r relayConfig) dial() (*axis.Client, error) {
	secret, err := readSecret(r.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("relay %s: secret_file: %w", r.Name, err)
	}
	c := axis.Config{Name: r.Name, URL: r.URL, System: r.System, Secret: secret, Plain: r.Plain, Now: now}
	if c.Roots, err = readRoots(r.Roots); err != nil {
		return nil, fmt.Errorf("relay %s: roots: %w", r.Name, err)
	}
	client, err := axis.New(c)
	if err != nil {
		return nil, fmt.Errorf("relay %s: %w", r.Name, err)
	}
	return client, nil
}

// openRelays makes the ways to other axes.
func openRelays(cfg config) (upstreams []exchange.Upstream, end func(), err error) {
	var clients []*axis.Client
	end = func() {
		for _, c := range clients {
			c.Close()
		}
	}
	for _, r := range cfg.Relay {
		client, err := r.dial()
		if err != nil {
			end()
			return nil, nil, usageError{err}
		}
		clients = append(clients, client)
		upstreams = append(upstreams, exchange.Upstream{Name: r.Name, Prefixes: r.Prefixes, Except: r.Except, Relay: axis.Relay{Client: client}, Poll: time.Duration(r.Poll)})
	}
	return upstreams, end, nil
}

// checkRelays asks each axis for its directory: that proves address, identifier and
// secret, and changes nothing.
func checkRelays(ctx context.Context, cfg config) (findings []finding) {
	for _, r := range cfg.Relay {
		what := "axis " + r.Name
		client, err := r.dial()
		if err != nil {
			findings = append(findings, finding{What: what, State: "failed", Detail: err.Error(), Do: "put the file named there in place, or correct relay in " + cfg.path})
			continue
		}
		asked, cancel := context.WithTimeout(ctx, brokerPatience)
		list, err := client.Agencies(asked)
		cancel()
		client.Close()
		if err != nil {
			findings = append(findings, finding{What: what, State: "failed", Detail: plainError(err), Do: "see that " + r.URL + " is reached from here, and that system and secret_file are what the axis issued; packages for it wait, and nothing is lost"})
			continue
		}
		findings = append(findings, finding{What: what, State: "ok", Detail: fmt.Sprintf("%s answers, with %d agencies", r.URL, len(list))})
	}
	return findings
}

// plainError is an error with what lies below it, for people who can do something
// about that.
func plainError(err error) string {
	var refused *exchange.Error
	if errors.As(err, &refused) && refused.Err != nil {
		return refused.Text("en") + " (" + refused.Err.Error() + ")"
	}
	return err.Error()
}

func relayCommand(o *options) *cobra.Command {
	c := watch(asking(o, "relay", "Show how it stands with other axes: what waits for them, and what could not be taken in from there", cobra.NoArgs,
		func(c *cobra.Command, hub *httpclient.Client, _ []string) error {
			list, err := hub.Relays(c.Context())
			if err != nil {
				return err
			}
			return o.show(c, list, func(w io.Writer) { describeRelays(w, list) })
		}))
	c.Long = `relay asks the running hub about the other axes of hub.yaml: when each was last asked
what waits there, when it last took a package, what went wrong last, how many
deliveries wait for it, and which parcels of it were refused here and why. A refused
parcel is told to its axis, keeps nothing back, and is tried once more each day: put
right what its reason says.`
	c.AddCommand(relayImport(o))
	return c
}

func describeRelays(w io.Writer, list []exchange.RelayView) {
	fmt.Fprintln(w, "AXIS\tSTATE\tQUEUED\tPOLLED\tSENT\tSERVES")
	for _, v := range list {
		state := "up"
		if !v.Up() {
			state = "down"
		}
		serves := strings.Join(v.Prefixes, " ")
		if len(v.Except) > 0 {
			serves += ", not " + strings.Join(v.Except, " ")
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", v.Name, state, v.Queued, momentOrNever(v.PolledAt), momentOrNever(v.SentAt), serves)
		if v.Error != "" {
			fmt.Fprintf(w, "\t%s: %s\n", moment(v.FailedAt), v.Error)
		}
		for _, s := range v.Aside {
			fmt.Fprintf(w, "\t%s of %s, %s: %s\n", s.ID, s.From, moment(s.At), s.Reason)
		}
	}
}

func momentOrNever(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return moment(t)
}

func relayImport(o *options) *cobra.Command {
	c := asking(o, "import AXIS", "Enter the agencies of an axis's directory into the hub's", cobra.ExactArgs(1), func(c *cobra.Command, hub *httpclient.Client, args []string) error {
		cfg, err := loadConfig(o.config)
		if err != nil {
			return err
		}
		counted, err := importFrom(c.Context(), cfg, hub, args[0])
		if err != nil {
			return err
		}
		return o.show(c, counted, func(w io.Writer) {
			fmt.Fprintf(w, "entered\t%d\nrenamed\t%d\nleft as they are\t%d\n", counted.Entered, counted.Renamed, counted.Left)
		})
	})
	c.Long = `import asks an axis of hub.yaml for its directory, and enters those agencies that are
not in the hub's own: they live at that axis, whatever relay.prefixes says. Agencies
that the hub met by their codes get the names that the axis has. All others stay as
they are: none of this hub's own is changed.`
	return c
}

// imported counts what came of a directory.
type imported struct {
	Entered int `json:"entered"`
	Renamed int `json:"renamed"`
	Left    int `json:"left"`
}

func importFrom(ctx context.Context, cfg config, hub *httpclient.Client, name string) (counted imported, err error) {
	for _, r := range cfg.Relay {
		if r.Name != name {
			continue
		}
		client, err := r.dial()
		if err != nil {
			return counted, usageError{err}
		}
		defer client.Close()
		list, err := client.Agencies(ctx)
		if err != nil {
			return counted, errors.New(plainError(err))
		}
		for _, theirs := range list {
			if err := counted.enter(ctx, hub, name, theirs); err != nil {
				return counted, fmt.Errorf("agency %s: %w", theirs.Code, err)
			}
		}
		return counted, nil
	}
	return counted, usageError{fmt.Errorf("%s has no axis %q in relay", cfg.path, name)}
}

func (n *imported) enter(ctx context.Context, hub *httpclient.Client, name string, theirs axis.Agency) error {
	a, err := hub.Agency(ctx, string(theirs.Code))
	switch {
	case httpclient.IsNotFound(err):
		a = exchange.Agency{Code: string(theirs.Code), Policy: exchange.IfPresent, Mode: exchange.Relayed, Upstream: name}
		n.Entered++
	case err != nil:
		return err
	case a.Mode != exchange.Relayed || a.Upstream != name || a.Name != a.Code || theirs.Name == "" || string(theirs.Name) == a.Name:
		n.Left++
		return nil
	default:
		n.Renamed++
	}
	if a.Name = string(theirs.Name); a.Name == "" {
		a.Name = a.Code
	}
	_, err = hub.PutAgency(ctx, a)
	return err
}
