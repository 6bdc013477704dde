// Command auditor checks what the hub says against what it signed.
//
//	auditor verify FILE…        receipts and packages, offline, with nothing but the hub's published keys
//	auditor explain FILE        every step of checking one file, and where it failed
//	auditor check URL|DIR       the whole record: every leaf, every hash, every receipt
//	auditor follow URL          keeps a mirror of the log and notices a fork or a rollback
//
// It needs no part of the hub, trusts nothing but the keys it is given, and
// changes nothing at the hub. Exit codes: 0 what was checked holds, 1 it does
// not hold or could not be checked, 2 wrong usage or configuration.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tram/cmd/auditor/audit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := audit.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
