package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/httpapi"
	"tram/adapters/keystore"
	"tram/adapters/tsa"
	"tram/adapters/webhook"
	"tram/exchange"
	"tram/signing"
)

// drainTime is how long requests in progress may take to end when the hub stops.
const drainTime = 20 * time.Second

// consignedAtOnce keeps the sealing of a package's receipts, while its sender
// waits, to a millisecond or two.
const consignedAtOnce = 4

// gcPercent lets garbage grow to four times what is in use, some ten megabytes,
// before it is collected: a hub has the memory, and wants the time for packages.
// The environment's GOGC goes before it.
const gcPercent = 400

func serveCommand(o *options) *cobra.Command {
	var acceptRollback string
	c := &cobra.Command{
		Use:     "serve",
		GroupID: "run",
		Short:   "Run the hub",
		Long: `serve runs the hub until it is told to stop (SIGTERM or Ctrl-C): it then takes
nothing new in, ends what is in progress, and closes the ledger. Killing it at
any moment loses nothing that was acknowledged.

It keeps the log's latest signed checkpoint in the file "checkpoint" beside the
ledger, and refuses (exit code 2) to serve a ledger that is older than it, or than
those of log.witnessed, or another record: after an old backup was put in place,
say. If what came later is lost for good, --accept-rollback serves all the same.
That is the first new leaf of the log, with both checkpoints, and your reason goes
on record. Auditors who follow the log find a rollback, and this leaf; they begin
a new mirror and keep the old one, which proves what was lost.


SIGHUP makes it read the TLS certificate and the sealing keys anew; what cannot
be used is told in the log, and the former ones stay. Under systemd (Type=notify)
it says when it is ready and what it is at, and gives signs of life (WatchdogSec)
while the ledger answers. The log goes to standard error: lines of JSON, or text
on a terminal.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			cfg.acceptRollback = acceptRollback
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			notify("STATUS=opening the ledger")
			return serve(c.Context(), cfg, newLog(c.ErrOrStderr()), hangups, func(agencies net.Addr) {
				notify("READY=1", "STATUS=serving")
				fmt.Fprintf(c.OutOrStdout(), "listening on %s\n", agencies)
			})
		},
	}
	c.Flags().StringVar(&acceptRollback, "accept-rollback", "", "serve a ledger that is older than what was signed, for this `reason`")
	return c
}

// serve wires the hub, constructors in the order of a package's way, and runs
// it until ctx ends. Each of reloads makes it read keys anew. ready is called
// once agencies can connect.
func serve(ctx context.Context, cfg config, log *slog.Logger, reloads <-chan os.Signal, ready func(agencies net.Addr)) (err error) {
	keys, err := loadKeys(cfg)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	measure, err := newMeasured(registry)
	if err != nil {
		return err
	}
	ledger, err := openLedger(cfg, bolt.Options{Committed: measure.committed})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	vault, err := disk.Open(cfg.Vault, disk.Options{Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, vault.Close()) }()
	courier, err := webhook.New(keys.webhook)
	if err != nil {
		return err
	}
	defer courier.Close()
	keys.published.Webhook = courier.PublicKey()
	if keys.stamper != nil {
		defer keys.stamper.Close()
	}
	revoked, err := openRevocation(cfg, log)
	if err != nil {
		return err
	}
	queue, closeQueue, err := openQueue(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer closeQueue()
	upstreams, closeRelays, err := openRelays(cfg)
	if err != nil {
		return err
	}
	defer closeRelays()
	calendar, err := cfg.Calendar.open()
	if err != nil {
		return usageError{err}
	}
	c := exchange.Config{
		Hub: keys.published.Hub, Origin: cfg.Log.Origin, Keys: keys.published,
		Seals: keys.seals, ReadSeals: func() ([]exchange.Seal, error) { return keys.open.reread(cfg.path) },
		Ledger: measuredLedger{ledger, measure}, Vault: measuredVault{vault, measure}, Queue: queue, Courier: measuredCourier{courier, measure},
		Format: format(cfg), Trust: keys.trust, LogKey: keys.log, SecretKey: keys.axis,
		TimeStamper: measure.stamper(timeStamper(keys.stamper)),
		Retry:       exchange.RetryPolicy{First: time.Duration(cfg.Delivery.RetryFirst), Most: time.Duration(cfg.Delivery.RetryMost)},
		AtOnce:      consignedAtOnce, Upstreams: upstreams,
		Deadline: time.Duration(cfg.Delivery.Deadline), Known: func() []exchange.Known { return known(cfg, keys.tls) },
		Retention: time.Duration(cfg.Retention.Content) * 24 * time.Hour, Now: now, Reserve: int64(cfg.Limits.Reserve), Log: log,
		Calendar: calendar,
	}
	if revoked != nil {
		defer revoked.Close()
		c.Revocation, c.RevocationPolicy = revoked, exchange.RevocationPolicy(cfg.Trust.Revocation)
	}
	if err := cfg.Malware.apply(&c, measure); err != nil {
		return err
	}
	if c.Archive, err = archive(cfg, ledger, vault); err != nil {
		return err
	}
	x, err := exchange.New(c)
	if err != nil {
		return err
	}
	if err := guard(ctx, x, ledger, cfg, keys.published.LogKey, log); err != nil {
		return err
	}
	faces, err := openFaces(cfg, x, keys, log)
	if err != nil {
		return err
	}
	api, err := httpapi.New(httpapi.Config{
		Exchange: x, Now: now, Log: log, Metrics: registry, Profile: cfg.OperatorsProfile,
		Faces: faces, PublicValidator: cfg.Sandbox.PublicValidator,
		Limits: httpapi.Limits{Package: int64(cfg.Limits.Package), Rate: cfg.Limits.RequestsPerSecond, Bodies: cfg.Limits.Bodies,
			Waits: cfg.Limits.Waits,
			MiB:   time.Duration(cfg.Limits.Patience)},
	})
	if err != nil {
		return err
	}
	again := &reloaded{path: cfg.path, x: x, log: log, tls: keys.tls}
	if err := registry.Register(&hostGauges{cfg, vault, again, log}); err != nil {
		return err
	}
	if err := registry.Register(&scannerGauges{x, c.Scanner, log}); err != nil {
		return err
	}
	synchronizer, err := newSynchronizer(cfg.Directory, x, registry, log)
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, cfg, keys.tls)
	if err != nil {
		return err
	}
	defer beside(ctx, func(ctx context.Context) { again.run(ctx, reloads) }, func(ctx context.Context) { keepAlive(ctx, ledger, log) }, synchronizer.run)()
	log.InfoContext(ctx, "hub serving", "agencies", listeners.agencies.Addr().String(), "hub", cfg.Hub.Code, "version", version())
	defer log.InfoContext(ctx, "hub stopped")
	ready(listeners.agencies.Addr())
	defer beside(context.WithoutCancel(ctx), func(ctx context.Context) { keepCheckpoint(ctx, x, cfg.checkpointPath(), log) })()
	return runAll(ctx, x, api, listeners)
}

// beside runs functions until ctx ends or what it returns is called, which waits
// for them.
func beside(ctx context.Context, functions ...func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, f := range functions {
		running.Go(func() { f(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// runAll runs workers and listeners until ctx ends, and drains them: no new
// requests, then no new attempts, then the end.
func runAll(ctx context.Context, x *exchange.Exchange, api *httpapi.Server, l listeners) error {
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error { return x.Run(working) })

	agencies := api.HTTPServer(l.agencies.Addr().String())
	servers := []*http.Server{agencies}
	group.Go(func() error { return served(agencies.Serve(l.agencies)) })
	if l.operators != nil {
		operators := api.OperatorsServer(l.operators.Addr().String())
		servers = append(servers, operators)
		group.Go(func() error { return served(operators.Serve(l.operators)) })
	}
	group.Go(func() error {
		<-failed.Done()
		notify("STOPPING=1", "STATUS=stopping: requests in progress may end")
		api.Drain() // waiting polls are answered, health says that the hub is leaving
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		var errs []error
		for _, s := range servers {
			errs = append(errs, shutDown(patience, s))
		}
		stopWorking()
		return errors.Join(errs...)
	})
	return group.Wait()
}

// shutDown lets requests end while ctx lasts. Who has not come to an end by then
// is cut off: it was promised nothing, and may come again.
func shutDown(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return s.Close()
	}
	return err
}

func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listeners are where the hub is reached.
type listeners struct {
	agencies  net.Listener
	operators net.Listener // nil if there is none
}

func listen(ctx context.Context, cfg config, pair *tlsPair) (listeners, error) {
	var l listeners
	var err error
	if l.agencies, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen); err != nil {
		return l, err
	}
	l.agencies = netutil.LimitListener(l.agencies, cfg.Limits.Connections)
	if !cfg.TLS.Plain {
		l.agencies = tls.NewListener(l.agencies, httpapi.TLSConfig(pair.get))
	}
	if cfg.Operators == "" {
		return l, nil
	}
	if l.operators, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Operators); err != nil {
		return l, errors.Join(err, l.agencies.Close())
	}
	return l, nil
}

// keyring is every key and certificate of the hub.
type keyring struct {
	tls       *tlsPair // nil: plain HTTP
	trust     *signing.Trust
	seals     []exchange.Seal
	open      *sealKeys
	log       note.Signer
	webhook   webhook.Config
	axis      []byte        // nil: the axis's protocol is not served
	stamper   *tsa.Client   // nil: no time-stamps
	tokens    []byte        // signs the tokens of those who log in
	published exchange.Keys // but the seals, and the webhook's, which the courier knows
}

func loadKeys(cfg config) (keyring, error) {
	k := keyring{open: &sealKeys{}}
	var err error
	if !cfg.TLS.Plain {
		k.tls = &tlsPair{}
		if err = k.tls.load(cfg); err != nil {
			return k, usageError{err}
		}
	}
	if k.trust, err = loadTrust(cfg); err != nil {
		return k, usageError{err}
	}
	if k.seals, err = k.open.open(cfg.Seal, now()); err != nil {
		return k, usageError{err}
	}
	logKey, err := readSecret(cfg.Log.Key)
	if err != nil {
		return k, usageError{fmt.Errorf("log.key: %w", err)}
	}
	if k.log, err = note.NewSigner(logKey); err != nil {
		return k, usageError{fmt.Errorf("log.key: %w", err)}
	}
	if k.tokens, err = tokenKey(logKey); err != nil {
		return k, usageError{fmt.Errorf("log.key: %w", err)}
	}
	if k.webhook, err = webhookConfig(cfg); err != nil {
		return k, usageError{err}
	}
	if k.axis, err = readAxisKey(cfg.Axis.Key); err != nil {
		return k, usageError{fmt.Errorf("axis.key: %w", err)}
	}
	stamper, roots, err := newStamper(cfg.Timestamp)
	if err != nil {
		return k, usageError{err}
	}
	k.stamper = stamper
	verifier, err := verifierKey(logKey)
	if err != nil {
		return k, usageError{fmt.Errorf("log.key: %w", err)}
	}
	k.published = exchange.Keys{
		Hub:    exchange.Hub{Code: cfg.Hub.Code, Name: cfg.Hub.Name, Policy: cfg.Hub.Policy},
		Origin: cfg.Log.Origin, LogKey: verifier, TimeStamp: roots,
	}
	return k, nil
}

func webhookConfig(cfg config) (webhook.Config, error) {
	key, err := keystore.ReadKey(cfg.Webhook.Key)
	if err != nil {
		return webhook.Config{}, fmt.Errorf("webhook.key: %w", err)
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return webhook.Config{}, fmt.Errorf("webhook.key: %s holds a %T, not an Ed25519 key", cfg.Webhook.Key, key)
	}
	c := webhook.Config{Hub: cfg.Hub.Code, Key: ed, Now: now}
	for _, cidr := range cfg.Webhook.Allow {
		c.Allow = append(c.Allow, netip.MustParsePrefix(cidr)) // validated with the configuration
	}
	c.Roots, err = readOptional(cfg.Webhook.Roots)
	return c, err
}
