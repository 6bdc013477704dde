package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"tram/cmd/progress"
	"tram/exchange"
)

// statusEvery is how often the status is told to a service manager that wants
// no sign of life.
const statusEvery = time.Minute

// notify tells the service manager, if one started the hub, each assignment as
// sd_notify(3) has them. The hub runs all the same when it does not hear.
func notify(assignments ...string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(strings.Join(assignments, "\n"))) // see above
	_ = conn.Close()
}

// watchdog is how often the service manager wants a sign of life from this
// process; 0 if it wants none.
func watchdog() time.Duration {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || us <= 0 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// keepAlive tells the service manager what the hub is at and, if it wants to
// know, that it lives, until ctx ends. It lives while the ledger answers: a hub
// whose disk hangs is started again, one whose disk is full is not.
func keepAlive(ctx context.Context, ledger exchange.Ledger, log *slog.Logger) {
	every := watchdog() / 2
	if every == 0 {
		every = statusEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		status, err := statusOf(ctx, ledger, every)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.ErrorContext(ctx, "the ledger does not answer", "err", err)
			notify("STATUS=the ledger does not answer: " + strings.ReplaceAll(err.Error(), "\n", " "))
		case watchdog() > 0:
			notify("WATCHDOG=1", "STATUS="+status)
		default:
			notify("STATUS=" + status)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func statusOf(ctx context.Context, ledger exchange.Ledger, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	counts, err := ledger.Counts(ctx)
	if err != nil {
		return "", err
	}
	leaves, err := ledger.LogSize(ctx)
	return fmt.Sprintf("serving; %d deliveries queued, %d held, %d consigned; %d leaves in the log",
		counts[exchange.Queued], counts[exchange.Held], counts[exchange.Consigned], leaves), err
}

// newLog writes lines of text for people at a terminal, JSON for machines.
func newLog(w io.Writer) *slog.Logger {
	if !progress.Terminal(w) {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.String("time", a.Value.Time().In(exchange.Vietnam).Format(time.TimeOnly))
		}
		return a
	}}))
}
