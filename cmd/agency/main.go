// Command agency is an agency's side of the exchange: it makes keys, composes
// and signs packages, submits them, and fetches and answers what came in.
//
//	agency keygen              a signing key and a certificate, or a request for one
//	agency compose, sign       a package from files
//	agency submit              sends it; keeps the hub's receipt
//	agency inbox, fetch, ack   what came in: list, get and verify, accept or refuse
//	agency status, receipts    where a package is, and the evidence of it
//	agency agent               all of that by watched folders
//
// Secrets are never given on the command line, where every user of the machine
// could read them. Exit codes: 0 done, 1 refused or failed, 2 wrong usage or
// configuration.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	service := asService(func(stopped <-chan struct{}) int {
		go func() { <-stopped; stop() }()
		return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	})
	if service {
		return
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
