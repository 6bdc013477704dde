package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tram/adapters/bolt"
	"tram/adapters/keystore"
	"tram/exchange"
)

// Bounds of what the machine should give.
const (
	inodeWarning = 100_000
	filesWarning = 4096
	syncWarning  = 50 * time.Millisecond
	syncFailure  = time.Second
	clockWarning = time.Second     // the kernel's own bound of its error
	clockAhead   = 5 * time.Minute // of the ledger's newest entry before this clock
)

// checkHost looks at the machine: files that may be open, clock, disk, listeners.
func checkHost(ctx context.Context, cfg config) []finding {
	findings := append(checkFiles(), checkClock()...)
	findings = append(findings, checkInodes(cfg)...)
	findings = append(findings, checkSync("vault", cfg.Vault), checkSync("ledger", filepath.Dir(cfg.Ledger)))
	findings = append(findings, checkListener(ctx, cfg, "listen", cfg.Listen))
	if cfg.Operators != "" {
		findings = append(findings, checkListener(ctx, cfg, "operators", cfg.Operators))
	}
	return findings
}

func checkFiles() []finding {
	most, known := mostFiles()
	if !known {
		return nil
	}
	f := finding{What: "open files", State: "ok", Detail: fmt.Sprintf("%d at once", most)}
	if most < filesWarning {
		f.State, f.Do = "warning", fmt.Sprintf("let the hub have %d or more: LimitNOFILE of its service, or ulimit -n", filesWarning)
	}
	return []finding{f}
}

func checkClock() []finding {
	kept, off, err := clockState()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return nil
	case err != nil:
		return []finding{{What: "clock", State: "warning", Detail: err.Error(), Do: "run this where the kernel may be asked for the clock's state"}}
	case !kept:
		return []finding{{What: "clock", State: "warning", Detail: "nothing keeps it right, the kernel says",
			Do: "run a time service (chrony, systemd-timesyncd): receipts carry this clock's time"}}
	case off > clockWarning:
		return []finding{{What: "clock", State: "warning", Detail: fmt.Sprintf("it may be off by %s", off.Round(time.Millisecond)), Do: "see whether the time service reaches its servers"}}
	}
	return []finding{{What: "clock", State: "ok", Detail: fmt.Sprintf("kept right, to %s", off.Round(time.Millisecond))}}
}

func checkInodes(cfg config) []finding {
	free, bounded := freeInodes(cfg.Vault)
	if !bounded {
		return nil
	}
	f := finding{What: "disk", State: "ok", Detail: fmt.Sprintf("%d more files for packages", free)}
	if free < inodeWarning {
		f.State, f.Do = "warning", "move the vault to a file system with more inodes, or without a bound (xfs)"
	}
	return []finding{f}
}

// checkSync measures how long the disk takes to keep something: the best of
// three, for others use the disk too.
func checkSync(what, dir string) finding {
	what += " disk"
	best := time.Duration(0)
	for range 3 {
		took, err := timeSync(dir)
		if err != nil {
			return finding{What: what, State: "failed", Detail: err.Error(), Do: "let the hub's user write there"}
		}
		if best == 0 || took < best {
			best = took
		}
	}
	f := finding{What: what, State: "ok", Detail: fmt.Sprintf("keeps 4 KiB in %s", best.Round(10*time.Microsecond))}
	switch {
	case best > syncFailure:
		f.State, f.Do = "failed", "see the disk's health and what else writes to it"
	case best > syncWarning:
		f.State, f.Do = "warning", "use a disk with a write cache that survives power cuts, or see what else writes to it"
	}
	return f
}

func timeSync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".check-*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // a name nobody refers to
	begun := time.Now()
	_, err = f.Write(make([]byte, 4096))
	err = errors.Join(err, f.Sync())
	took := time.Since(begun)
	return took, errors.Join(err, f.Close())
}

// checkListener sees whether an address is free for the hub, or the hub is there.
func checkListener(ctx context.Context, cfg config, setting, address string) finding {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return finding{What: setting, State: "ok", Detail: address + " is free", Do: doOf(l.Close())}
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return finding{What: setting, State: "failed", Detail: err.Error(), Do: "correct " + setting + " in " + cfg.path}
	}
	if err := askHealth(ctx, cfg, setting, "/readyz"); err != nil {
		return finding{What: setting, State: "failed", Detail: address + " is in use: " + err.Error(), Do: "see who listens there (ss -ltnp), or why the hub is not ready: its log"}
	}
	return finding{What: setting, State: "ok", Detail: address + ": the hub is ready"}
}

func doOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// askHealth asks the hub that runs here for its health, on one of its listeners.
func askHealth(ctx context.Context, cfg config, setting, path string) error {
	text, err := askHere(ctx, cfg, setting, path)
	if err != nil {
		return err
	}
	if text = strings.TrimSpace(text); text != "ok" && text != "ready" {
		return fmt.Errorf("it says %.40q, so it is no hub", text)
	}
	return nil
}

// askHere gets a page of the hub that runs on this machine.
func askHere(ctx context.Context, cfg config, setting, path string) (string, error) {
	address, scheme := cfg.Operators, "http"
	if setting == "listen" {
		address = cfg.Listen
		if !cfg.TLS.Plain {
			scheme = "https"
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // whatever name it has, it must show the certificate that is configured
		VerifyConnection: func(s tls.ConnectionState) error { return configured(cfg, s.PeerCertificates) },
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // only read
	return readAnswer(response)
}

// configured reports whether the listener's certificate is the one in the file.
func configured(cfg config, shown []*x509.Certificate) error {
	ours, err := keystore.ReadCertificates(cfg.TLS.Certificate)
	if err != nil {
		return err
	}
	if len(shown) == 0 || !shown[0].Equal(ours[0]) {
		return errors.New("it shows another certificate than " + cfg.TLS.Certificate + "; SIGHUP makes a running hub take it")
	}
	return nil
}

// checkNewest compares the ledger's newest entries with this clock.
func checkNewest(ctx context.Context, ledger *bolt.Ledger, now time.Time) []finding {
	newest := time.Time{}
	packages, _, err := ledger.Packages(ctx, exchange.PackageQuery{Limit: 1})
	actions, _, actionsErr := ledger.Actions(ctx, "", 1)
	if err := errors.Join(err, actionsErr); err != nil {
		return []finding{{What: "ledger", State: "failed", Detail: err.Error(), Do: "restore a backup, and keep this file for inspection"}}
	}
	for _, p := range packages {
		newest = p.AcceptedAt
	}
	for _, a := range actions {
		if a.Time.After(newest) {
			newest = a.Time
		}
	}
	if ahead := newest.Sub(now); ahead > clockAhead {
		return []finding{{What: "clock", State: "failed", Detail: fmt.Sprintf("the ledger's newest entry is %s in the future", ahead.Round(time.Second)),
			Do: "set this machine's clock before the hub is started: it was wrong then, or is now"}}
	}
	return nil
}
