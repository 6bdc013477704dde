package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/keystore"
	"tram/exchange"
)

// blueprint is what a new hub is made of.
type blueprint struct {
	Dir       string
	Code      string
	Name      string
	Listen    string
	Operators string
	Hosts     []string
	Roots     string // PEM file of the authorities that agencies' certificates come from
	Admin     string
	// WebhookTo are networks that announcements may go to, in CIDR form, and
	// WebhookRoots a PEM file to trust there, from the hub's directory.
	WebhookTo    []string
	WebhookRoots string
	RetryFirst   string
	// Profile serves profiles on the operators' address.
	Profile bool
	// Rate is how many requests a system may make in a second; 0 is 200.
	Rate int
}

func initCommand(o *options) *cobra.Command {
	b := blueprint{RetryFirst: "30s"}
	c := &cobra.Command{
		Use:     "init DIR",
		GroupID: "run",
		Short:   "Create a hub: its ledger, vault, keys and configuration",
		Long: `init creates a directory that holds everything a hub needs: an empty ledger and
vault, a sealing key and a log key, a TLS certificate from an authority made for
this hub, an administrator whose secret is in admin.secret, and hub.yaml.

Agencies sign with certificates of the authorities in trust/roots.pem. Give your
authority's file with --roots, or put it there before starting the hub.
"hub serve" never creates anything, so that a mistyped path cannot start a
second, empty record.`,
		Example: "  hub init /srv/hub --code truc.camau.example --name 'Trục liên thông Cà Mau' --listen 0.0.0.0:8443 --host truc.camau.example --roots rootca.pem\n  hub serve --config /srv/hub/hub.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			b.Dir = args[0]
			if err := b.create(c.Context(), now()); err != nil {
				return err
			}
			made := map[string]string{"directory": b.Dir, "config": b.path("hub.yaml"), "administrator": b.Admin, "secretFile": b.path("admin.secret")}
			return o.show(c, made, func(w io.Writer) {
				fmt.Fprintf(w, "created %s\nstart it with: hub serve --config %s\n", b.Dir, made["config"])
			})
		},
	}
	c.Flags().StringVar(&b.Code, "code", "hub.example", "the hub's identifier in receipts")
	c.Flags().StringVar(&b.Name, "name", "Trạm", "the hub's name for people")
	c.Flags().StringVar(&b.Listen, "listen", "127.0.0.1:8443", "where agencies connect")
	c.Flags().StringVar(&b.Operators, "operators", "127.0.0.1:9443", "where metrics and health are served")
	c.Flags().StringSliceVar(&b.Hosts, "host", []string{"localhost", "127.0.0.1", "::1"}, "names and addresses for the TLS certificate, beside the one it listens on")
	c.Flags().StringVar(&b.Roots, "roots", "", "PEM file of the authorities of agencies' certificates")
	c.Flags().StringVar(&b.Admin, "admin", "admin", "identifier of the first administrator")
	return c
}

// create makes the hub's directory. It makes nothing in a directory that is in
// use already.
func (b blueprint) create(ctx context.Context, now time.Time) error {
	for _, part := range []string{"hub.yaml", "ledger.db", "vault", "keys"} {
		if _, err := os.Stat(filepath.Join(b.Dir, part)); !errors.Is(err, os.ErrNotExist) {
			return usageError{fmt.Errorf("%s exists already; a hub is created once, in an empty directory", filepath.Join(b.Dir, part))}
		}
	}
	roots, err := b.plausible()
	if err != nil {
		return usageError{err}
	}
	for _, dir := range []string{"", "keys", "trust"} {
		if err := os.MkdirAll(filepath.Join(b.Dir, dir), 0o700); err != nil {
			return err
		}
	}
	if err := b.createKeys(roots, now); err != nil {
		return err
	}
	if err := disk.Create(b.path("vault")); err != nil {
		return err
	}
	if err := b.createLedger(ctx, now); err != nil {
		return err
	}
	return b.writeConfig() // last: without it there is no hub
}

func (b blueprint) path(parts ...string) string {
	return filepath.Join(append([]string{b.Dir}, parts...)...)
}

// plausible looks at what it was given before anything is made, so that a
// mistake leaves no half of a hub behind. It returns the authorities' file.
func (b blueprint) plausible() ([]byte, error) {
	for flag, address := range map[string]string{"--listen": b.Listen, "--operators": b.Operators} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("%s %q is no address such as 0.0.0.0:8443", flag, address)
		}
	}
	if b.Code == "" || strings.ContainsAny(b.Code, " \t\n+") {
		return nil, fmt.Errorf("--code %q is no name such as truc.camau.example", b.Code)
	}
	return b.roots()
}

func (b blueprint) createKeys(roots []byte, now time.Time) error {
	authority, err := newAuthority(b.Name+" TLS", "", now)
	if err != nil {
		return err
	}
	tlsKey, err := newECKey()
	if err != nil {
		return err
	}
	server, err := authority.server(b.hosts(), tlsKey.Public(), now)
	if err != nil {
		return err
	}
	sealKey, err := newECKey()
	if err != nil {
		return err
	}
	seal, err := newSealCertificate(b.Name, b.Code, sealKey, now)
	if err != nil {
		return err
	}
	webhookKey, err := newEdKey()
	if err != nil {
		return err
	}
	logKey, _, err := note.GenerateKey(rand.Reader, b.Origin())
	if err != nil {
		return err
	}
	return errors.Join(
		writeKey(b.path("keys", "tls.key"), tlsKey),
		writeCertificates(b.path("keys", "tls.pem"), server, authority.certificate),
		writeCertificates(b.path("keys", "tls-root.pem"), authority.certificate),
		writeKey(b.path("keys", "seal.key"), sealKey),
		writeCertificates(b.path("keys", "seal.pem"), seal),
		writeKey(b.path("keys", "webhook.key"), webhookKey),
		writeAxisKey(b.path("keys", "axis.key")),
		writeNew(b.path("keys", "log.key"), []byte(logKey+"\n"), 0o600),
		writeNew(b.path("trust", "roots.pem"), roots, 0o644),
	)
}

func (b blueprint) roots() ([]byte, error) {
	if b.Roots == "" {
		return []byte("# put the certificates (PEM) of the authorities here that agencies' certificates come from\n"), nil
	}
	if _, err := keystore.ReadCertificates(b.Roots); err != nil {
		return nil, err
	}
	return os.ReadFile(b.Roots)
}

// createLedger makes the ledger with its first leaf: who created the hub, and
// the first administrator.
func (b blueprint) createLedger(ctx context.Context, now time.Time) error {
	secret, kept, err := exchange.NewSecret(rand.Reader)
	if err != nil {
		return err
	}
	if err := bolt.Create(b.path("ledger.db")); err != nil {
		return err
	}
	ledger, err := bolt.Open(b.path("ledger.db"), bolt.Options{})
	if err != nil {
		return err
	}
	admin := exchange.User{ID: b.Admin, Name: b.Admin, Role: exchange.Administrator, Secrets: []exchange.Secret{kept}}
	err = ledger.Update(ctx, exchange.Change{
		Users:   []exchange.User{admin},
		Actions: []exchange.Action{{ID: "init", Time: now.UTC().Truncate(time.Millisecond), Actor: "hub init", Verb: "init", Object: b.Code}},
	})
	if err := errors.Join(err, ledger.Close()); err != nil {
		return err
	}
	return writeNew(b.path("admin.secret"), []byte(secret+"\n"), 0o600)
}

func (b blueprint) writeConfig() error {
	var text strings.Builder
	if err := configTemplate.Execute(&text, b); err != nil {
		return err
	}
	return writeNew(b.path("hub.yaml"), []byte(text.String()), 0o600)
}

// URL is where this machine reaches the hub.
func (b blueprint) URL() string {
	_, port, _ := net.SplitHostPort(b.Listen)
	return "https://" + net.JoinHostPort(b.reach(), port)
}

// reach is the host that this machine finds the hub at. A hub that listens on
// every address is found on the loopback one.
func (b blueprint) reach() string {
	host, _, _ := net.SplitHostPort(b.Listen)
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// hosts are what the TLS certificate names: the operators' commands must find
// the hub as well as the agencies do.
func (b blueprint) hosts() []string {
	if slices.Contains(b.Hosts, b.reach()) {
		return b.Hosts
	}
	return append(slices.Clip(b.Hosts), b.reach())
}

// Origin names the log.
func (b blueprint) Origin() string { return b.Code + "/log" }

var configTemplate = template.Must(template.New("hub.yaml").Parse(`# The hub's configuration. Paths are relative to this file.
hub:
  code: {{printf "%q" .Code}}
  name: {{printf "%q" .Name}}
  policy: urn:tram:policy:1

listen: {{printf "%q" .Listen}}        # where agencies connect
operators: {{printf "%q" .Operators}}     # metrics and health; keep it off the agencies' network
{{- if .Profile}}
operators_profile: true        # /debug/pprof there: where the running hub spends its time and memory
{{- else}}
# operators_profile: true      # /debug/pprof there: where the running hub spends its time and memory
{{- end}}

faces: [axis, provincial]      # older protocols beside /v1: the national axis's (VXP), and the REST of provincial hubs

tls:
  certificate: keys/tls.pem
  key: keys/tls.key
  # plain: true                # plain HTTP, behind a proxy that ends TLS; no client certificates then

ledger: ledger.db
vault: vault

trust:
  roots: trust/roots.pem       # authorities of agencies' signing certificates
  # intermediates: trust/intermediates.pem   # further issuers, for packages that do not carry them
  # clock_skew: 5m             # how far clocks may be apart
  revocation: off              # or soft-fail: accept while nobody can tell, and ask again; hard-fail: let the sender come back
  # revocation_prefer: crl     # or ocsp: what is asked first
  # revocation_dir: revocation # where lists of revoked certificates are kept
  # revocation_allow: ["10.0.0.0/8"]   # networks of lists and responders; absent: all but loopback and link-local
  # issuers:                   # where authorities tell of revocation, instead of the URLs in their certificates
  #   - certificate: trust/issuer.pem
  #     crls: ["http://ca.example/issuer.crl"]   # URLs or files
  #     ocsp: ["http://ocsp.ca.example/"]

seal:                          # receipts are sealed with this key; "hub keys rotate" puts the next one here
  key: keys/seal.key           # or a PKCS #12 file, or "pkcs11:token=…;object=…?module-path=/usr/lib/….so"
  certificate: keys/seal.pem   # absent: what lies beside the key, in its file or token
  # password_file: keys/password   # of the PKCS #12 file, or the token's PIN, alone

log:                           # the Merkle log of all receipts
  origin: {{printf "%q" .Origin}}
  key: keys/log.key
  # witnessed: [/mnt/auditor/mirror/checkpoint]   # a ledger older than these checkpoints is not served

webhook:                       # announcements to agencies that asked for them
  key: keys/webhook.key
{{- if not .WebhookTo}}
  # allow: ["10.0.0.0/8"]      # networks they may go to; absent: all but loopback and link-local
  # roots: trust/webhook.pem   # authorities of receivers' TLS certificates, beside the system's
{{- end}}
{{- if .WebhookTo}}
  allow: {{"["}}{{range $i, $n := .WebhookTo}}{{if $i}}, {{end}}{{printf "%q" $n}}{{end}}{{"]"}}
{{- end}}
{{- if .WebhookRoots}}
  roots: {{printf "%q" .WebhookRoots}}
{{- end}}

axis:                          # the national axis's protocol: its software works with this hub's address
  key: keys/axis.key           # seals the secrets that systems share with the hub

# timestamp:                   # receipts get time-stamps from this authority (RFC 3161), in the background
#   url: http://tsa.example/tsr
#   roots: trust/timestamp.pem # its roots; they are published with the hub's keys
#   policy: 1.3.6.1.4.1.…      # absent: the authority's choice
#   user: …                    # with secret_file, where an https authority wants a password
#   secret_file: timestamp.secret
#   tls_roots: trust/tsa-tls.pem   # authorities of its TLS certificate, beside the system's

# relay:                       # other axes: packages for agencies there go to them, and what waits there is fetched
#   - name: quoc-gia
#     url: https://axis.example/
#     system: H12              # what the axis calls this hub
#     secret_file: keys/axis-quoc-gia.secret   # that it issued, alone
#     prefixes: ["*"]          # codes that it serves, with those below them; "*": all
#     except: [H12]            # but these: the province's own
#     poll: 1m                 # how often it is asked what waits there
#     roots: trust/axis.pem    # authorities of its TLS certificate; absent: the system's

# directory: {url: https://axis.example/, system: H12.01, secret_file: directory.secret, every: 24h}   # the national directory of agencies, from an axis; without every, only by "hub directory sync"
#              roots (authorities of its TLS certificate) and old_codes (000.00.07.H12 is a further code of H12.07) go there too

# queue: amqps://hub:…@mq1.example/tram   # RabbitMQ hands out work, not the hub's own process; or, with all that can be said:
# queue:
#   urls: ["amqps://hub@mq1.example/tram", "amqps://hub@mq2.example/tram"]   # nodes of one cluster
#   password_file: queue.secret
#   roots: trust/mq.pem        # authorities of the nodes' certificates; absent: the system's
#   certificate: keys/mq.crt   # with key, where the nodes know the hub by its certificate
#   key: keys/mq.key
#   name: tram                 # what the names of exchanges and queues begin with

delivery:
  deadline: 168h               # an unanswered delivery fails after this, with a receipt
  retry_first: {{.RetryFirst}}             # wait before the second attempt to announce
  retry_most: 1h               # the longest wait between attempts

# calendar:                    # when agencies work, for alerts and reports
#   file: calendar.txt         # days off beside those built in, as in "off 2027-02-05..2027-02-11 Tết"
#   hours: ["07:30-11:30", "13:30-17:00"]

# retention:
#   content: 1825d             # how long packages' bytes are kept; without, for ever. Receipts always are

# attachments: {types: warn}   # whose content is not what the name says; or refuse; off: nobody looks

# malware: {clamd: "unix:/run/clamav/clamd.ctl", policy: quarantine, when_away: wait, when_too_long: hold}
#                              # ClamAV scans packages before they are accepted; or clamd: tcp:127.0.0.1:3310, with a StreamMaxLength
#                              # of limits.package; policy: tag or reject; when_away, when_too_long: accept, delivered unscanned

limits:
  package: 1GiB
  requests_per_second: {{or .Rate 200}}     # for each system
  bodies: 256                  # packages taken in at once
  # reserve: 1GiB              # what must be free on the disk for packages to be taken in
  # patience: 1m               # how long one MiB of a package may take to come

# sandbox:
#   public_validator: true     # anyone may validate packages at /validate, within tight limits; else systems and people only

client:                        # what "hub" commands on this machine connect with
  url: {{printf "%q" .URL}}
  user: {{printf "%q" .Admin}}
  secret_file: admin.secret
  roots: keys/tls-root.pem
`))
