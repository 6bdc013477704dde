package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"tram/exchange"
)

// reloaded is what a running hub takes anew when it is told to (SIGHUP): the
// listener's certificate and the sealing keys. All else needs a start.
type reloaded struct {
	path string // of the configuration
	x    *exchange.Exchange
	log  *slog.Logger
	tls  *tlsPair // nil: the hub serves plain HTTP
	bad  atomic.Bool
}

// run reloads at each signal until ctx ends.
func (r *reloaded) run(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		notify("RELOADING=1", "STATUS=reading keys and certificates anew")
		err := r.reload(ctx)
		r.bad.Store(err != nil)
		if err != nil {
			r.log.ErrorContext(ctx, "not reloaded, the hub goes on with what it has", "err", err)
			notify("READY=1", "STATUS=not reloaded: see the log")
			continue
		}
		r.log.InfoContext(ctx, "keys and certificates reloaded")
		notify("READY=1", "STATUS=keys and certificates reloaded")
	}
}

// reload takes each of the two if it can be used. What cannot be used stays as
// it is, and is in the error.
func (r *reloaded) reload(ctx context.Context) error {
	cfg, err := loadConfig(r.path)
	if err != nil {
		return err
	}
	var errs []error
	if r.tls != nil && !cfg.TLS.Plain {
		errs = append(errs, r.tls.load(cfg))
	}
	signal := exchange.Caller{User: &exchange.User{ID: "SIGHUP", Name: "SIGHUP", Role: exchange.Administrator}}
	_, err = r.x.ReloadSeals(ctx, signal, "the process was told to reload")
	return errors.Join(append(errs, err)...)
}

// tlsPair is the certificate that the listener shows; it may change meanwhile.
type tlsPair struct {
	now atomic.Pointer[tls.Certificate]
}

func (p *tlsPair) load(cfg config) error {
	pair, err := tls.LoadX509KeyPair(cfg.TLS.Certificate, cfg.TLS.Key)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	p.now.Store(&pair)
	return nil
}

// get is a tls.Config's GetCertificate.
func (p *tlsPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.now.Load(), nil }
