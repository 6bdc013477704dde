package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"tram/adapters/edxml"
	"tram/adapters/keystore"
	"tram/adapters/revocation"
	"tram/exchange"
	"tram/signing"
)

// config is the hub's configuration file. Paths that are not absolute are taken
// from the file's own directory. "hub init" writes one.
type config struct {
	// Hub is who issues the receipts.
	Hub struct {
		// Code identifies the hub in receipts, for example "truc.camau.example".
		Code string `yaml:"code"`
		// Name is the hub's name for people.
		Name string `yaml:"name"`
		// Policy is the URI of the policy that receipts are issued under; absent:
		// "urn:tram:policy:1".
		Policy string `yaml:"policy"`
	} `yaml:"hub"`

	// Listen is where agencies connect, "host:port".
	Listen string `yaml:"listen"`
	// Operators is where /metrics, /healthz and /readyz are served; absent: only
	// health, on Listen. Keep it on a loopback or management address.
	Operators string `yaml:"operators"`
	// OperatorsProfile serves /debug/pprof there too: where the running hub spends
	// its time and memory. Operators must be a loopback address then; absent: false.
	OperatorsProfile bool `yaml:"operators_profile"`

	// Faces are older protocols that are served beside /v1: "axis" is that of the
	// national axis (VXP; /sendEdoc, …), "provincial" the REST protocol of provincial
	// hubs (/v1/sendEdoc, …). Absent: none.
	Faces []string `yaml:"faces"`

	// TLS is the server's certificate. The hub serves TLS itself.
	TLS struct {
		Certificate string `yaml:"certificate"`
		Key         string `yaml:"key"`
		// Plain serves plain HTTP instead, for use behind a proxy that ends
		// TLS; client certificates do not work then.
		Plain bool `yaml:"plain"`
	} `yaml:"tls"`

	// Ledger is the path of the ledger file. It must exist, so that a mistyped
	// path cannot start a second, empty record. Create it with "hub init".
	Ledger string `yaml:"ledger"`
	// Vault is the directory of packages' bytes. It must exist too.
	Vault string `yaml:"vault"`

	// Trust says which certificates agencies may sign with.
	Trust struct {
		// Roots is a PEM file of root certificates.
		Roots string `yaml:"roots"`
		// Intermediates is a PEM file of further issuers; absent: none.
		Intermediates string `yaml:"intermediates"`
		// ClockSkew is how far clocks may be apart where a certificate's term is
		// judged; absent: 5m.
		ClockSkew duration `yaml:"clock_skew"`

		// Revocation says what happens while nobody can tell whether a
		// certificate was revoked: "hard-fail" asks the sender to come back,
		// "soft-fail" accepts and asks again later, with a further receipt.
		// Certificates known to be revoked are refused by both. "off" asks
		// nobody; absent: off.
		Revocation string `yaml:"revocation"`
		// RevocationDir is the directory that accepted CRLs are kept in, which is
		// made if it is not there; absent: "revocation" beside this file.
		RevocationDir string `yaml:"revocation_dir"`
		// RevocationPrefer is what is asked first, "crl" or "ocsp"; absent: crl.
		RevocationPrefer string `yaml:"revocation_prefer"`
		// RevocationAllow are the networks that lists and responders may be in, as
		// CIDR; absent: every address but loopback and link-local ones.
		RevocationAllow []string `yaml:"revocation_allow"`
		// RevocationNonce refuses responders' answers that were signed in advance.
		RevocationNonce bool `yaml:"revocation_nonce"`
		// RevocationOptional takes certificates for good that name neither a list
		// nor a responder, of authorities that are not among Issuers.
		RevocationOptional bool `yaml:"revocation_optional"`
		// Issuers are authorities whose lists and responders are named here: the
		// URLs in their certificates are not called then.
		Issuers []issuerConfig `yaml:"issuers"`
	} `yaml:"trust"`

	// Seal are the keys that receipts are sealed with, one after the other.
	Seal sealSettings `yaml:"seal"`

	// Timestamp is the authority that time-stamps receipts; absent: none.
	Timestamp timestampConfig `yaml:"timestamp"`

	// Log is the Merkle log of all receipts.
	Log struct {
		// Origin names the log in its checkpoints: a URL without scheme.
		Origin string `yaml:"origin"`
		// Key is the file of its signing key.
		Key string `yaml:"key"`
		// Witnessed are files of checkpoints that others keep, such as an auditor's
		// mirror: a ledger that does not go on from them is not served. The hub's
		// own is beside the ledger. Absent: none.
		Witnessed []string `yaml:"witnessed"`
	} `yaml:"log"`

	// Webhook announces deliveries to agencies that asked for it.
	Webhook struct {
		// Key is the PEM file of the Ed25519 key that signs announcements.
		Key string `yaml:"key"`
		// Allow are the networks that announcements may go to, as CIDR;
		// absent: every address but loopback and link-local ones.
		Allow []string `yaml:"allow"`
		// Roots is a PEM file of certificates to trust beside the system's.
		Roots string `yaml:"roots"`
	} `yaml:"webhook"`

	// Axis is the national axis's protocol, which its software speaks with the hub.
	Axis struct {
		// Key is the file of the key that seals the secrets which systems share with
		// the hub, in the ledger. Face "axis" needs it.
		Key string `yaml:"key"`
	} `yaml:"axis"`

	// Relay are other axes, and which agencies' codes they serve; absent: none.
	Relay []relayConfig `yaml:"relay"`

	// Queue is the message broker that hands out work; absent: the hub's process
	// does that itself. Changing it loses nothing.
	Queue queueConfig `yaml:"queue"`

	// Delivery says how long and how often.
	Delivery struct {
		// Deadline is how long a recipient has to answer; absent: 168h.
		Deadline duration `yaml:"deadline"`
		// RetryFirst is the wait before the second attempt to announce; absent: 30s.
		RetryFirst duration `yaml:"retry_first"`
		// RetryMost is the longest wait between attempts; absent: 1h.
		RetryMost duration `yaml:"retry_most"`
	} `yaml:"delivery"`

	// Calendar says when agencies work, for alerts and reports.
	Calendar calendarConfig `yaml:"calendar"`

	// Retention says how long is kept what need not be kept for ever.
	Retention struct {
		// Content is how long packages' bytes are kept after they were accepted,
		// in days as in "1825d"; absent: for ever. Those of deliveries that have
		// not ended stay until they have. Receipts and the log always stay.
		Content days `yaml:"content"`
	} `yaml:"retention"`

	// Attachments says what receivers must not get.
	Attachments struct {
		// Types is what happens to attachments whose content is not what their
		// names say: off, warn (a warning goes with the package; programs under a
		// document's name are refused) or refuse; absent: warn.
		Types string `yaml:"types"`
	} `yaml:"attachments"`

	// Malware has attachments scanned; absent: they are not.
	Malware malwareConfig `yaml:"malware"`

	// Limits bound what one caller may ask for.
	Limits struct {
		// Package is the most bytes of one package; absent: 1GiB.
		Package size `yaml:"package"`
		// RequestsPerSecond is for each system; absent: 200.
		RequestsPerSecond float64 `yaml:"requests_per_second"`
		// Bodies is how many packages are taken in at once; absent: 256.
		Bodies int `yaml:"bodies"`
		// Waits is how many inboxes may wait to fill at once; absent: 16384.
		Waits int `yaml:"waits"`
		// Connections is how many there may be at once; absent: 8192. The system
		// must allow twice as many open files.
		Connections int `yaml:"connections"`
		// Reserve is how much must be free on the disk, for packages to be taken
		// in; absent: 1GiB. The log warns below four times of it.
		Reserve size `yaml:"reserve"`
		// Patience is how long one MiB of a body may take to come; absent: 1m.
		// Agencies on poor lines may need more.
		Patience duration `yaml:"patience"`
	} `yaml:"limits"`

	// Sandbox is for those who write software that connects.
	Sandbox struct {
		// PublicValidator lets anyone have packages validated at /validate, within
		// tight limits; absent: false, only systems and people may. Nothing of what
		// is validated is kept.
		PublicValidator bool `yaml:"public_validator"`
	} `yaml:"sandbox"`

	// Client is what the operators' commands on this machine connect with.
	Client struct {
		URL        string `yaml:"url"`
		User       string `yaml:"user"`
		SecretFile string `yaml:"secret_file"`
		Roots      string `yaml:"roots"`
	} `yaml:"client"`

	path   string
	source []byte
	// acceptRollback is why a ledger is served that is older than what was signed,
	// of the command line; empty: it is not.
	acceptRollback string
}

// issuerConfig is an authority, and where it tells of revocation.
type issuerConfig struct {
	// Certificate is the PEM file of its certificate.
	Certificate string `yaml:"certificate"`
	// CRLs are URLs or files of its lists.
	CRLs []string `yaml:"crls"`
	// OCSP are URLs of its responders.
	OCSP []string `yaml:"ocsp"`
}

// revocationPolicies are what trust.revocation may say.
var revocationPolicies = []string{"off", string(exchange.SoftFail), string(exchange.HardFail)}

// loadConfig reads and checks a configuration file, and tells all that is wrong
// with it, each with its line.
func loadConfig(path string) (config, error) {
	if env := os.Getenv("TRAM_HUB_CONFIG"); env != "" && path == "hub.yaml" {
		path = env
	}
	source, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return config{}, usageError{fmt.Errorf("there is no configuration file %s; create a hub with \"hub init DIR\", or name its file with --config", path)}
	}
	if err != nil {
		return config{}, usageError{err}
	}
	c := config{path: path, source: source}
	if err := yaml.NewDecoder(bytes.NewReader(source), yaml.Strict()).Decode(&c); err != nil {
		return config{}, usageError{located(path, err)}
	}
	c.defaults()
	if err := c.validate(); err != nil {
		return config{}, usageError{err}
	}
	c.resolve()
	return c, nil
}

// located gives an error of reading YAML its file and line.
func located(path string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s:%d: %s", path, at.GetToken().Position.Line, at.GetMessage())
}

func (c *config) defaults() {
	setDefault(&c.Hub.Policy, "urn:tram:policy:1")
	setDefault(&c.Trust.ClockSkew, duration(signing.DefaultSkew))
	setDefault(&c.Trust.Revocation, "off")
	setDefault(&c.Trust.RevocationDir, "revocation")
	setDefault(&c.Delivery.Deadline, duration(7*24*time.Hour))
	setDefault(&c.Delivery.RetryFirst, duration(30*time.Second))
	setDefault(&c.Delivery.RetryMost, duration(time.Hour))
	setDefault(&c.Attachments.Types, string(edxml.TypesWarn))
	c.Malware.defaults()
	setDefault(&c.Limits.Package, 1<<30)
	setDefault(&c.Limits.RequestsPerSecond, 200)
	setDefault(&c.Limits.Bodies, 256)
	setDefault(&c.Limits.Connections, 8192)
	setDefault(&c.Limits.Reserve, 1<<30)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate collects everything that is missing or makes no sense.
func (c *config) validate() error {
	var problems []error
	wrong := func(key, what string) {
		problems = append(problems, fmt.Errorf("%s:%d: %s %s", c.path, c.line(key), key, what))
	}
	required := map[string]string{"hub.code": c.Hub.Code, "hub.name": c.Hub.Name, "listen": c.Listen, "ledger": c.Ledger,
		"vault": c.Vault, "trust.roots": c.Trust.Roots,
		"log.origin": c.Log.Origin, "log.key": c.Log.Key, "webhook.key": c.Webhook.Key}
	if !c.TLS.Plain {
		required["tls.certificate"], required["tls.key"] = c.TLS.Certificate, c.TLS.Key
	}
	if c.Timestamp.URL != "" {
		required["timestamp.roots"] = c.Timestamp.Roots
	}
	if c.Timestamp.URL == "" && c.Timestamp != (timestampConfig{}) {
		wrong("timestamp.url", "is missing")
	}
	if c.OperatorsProfile && !onLoopback(c.Operators) {
		wrong("operators_profile", "needs operators to be a loopback address, such as 127.0.0.1:9443: profiles show a program's insides")
	}
	for _, key := range slices.Sorted(maps.Keys(required)) {
		if required[key] == "" {
			wrong(key, "is missing")
		}
	}
	c.Seal.validate(wrong)
	c.Queue.validate(wrong)
	c.Calendar.validate(wrong)
	if t := edxml.Types(c.Attachments.Types); t != edxml.TypesOff && t != edxml.TypesWarn && t != edxml.TypesRefuse {
		wrong("attachments.types", "is "+strconv.Quote(c.Attachments.Types)+", not one of: off, warn, refuse")
	}
	c.Malware.validate(wrong)
	validateRelays(c.Relay, wrong)
	if strings.Contains(c.Log.Origin, "://") || strings.ContainsAny(c.Log.Origin, " \n+") {
		wrong("log.origin", "is a URL without its scheme, such as truc.camau.example/log")
	}
	for key, list := range map[string][]string{"webhook.allow": c.Webhook.Allow, "trust.revocation_allow": c.Trust.RevocationAllow} {
		for _, cidr := range list {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				wrong(key, "has "+strconv.Quote(cidr)+", which is no network such as 10.0.0.0/8")
			}
		}
	}
	for _, face := range c.Faces {
		if !slices.Contains(faces, face) {
			wrong("faces", "has "+strconv.Quote(face)+", not one of: "+strings.Join(faces, ", "))
		}
		if face == axisFace && c.Axis.Key == "" {
			wrong("axis.key", "is missing, which the face axis needs; \"hub keys axis\" makes one")
		}
	}
	if !slices.Contains(revocationPolicies, c.Trust.Revocation) {
		wrong("trust.revocation", "is "+strconv.Quote(c.Trust.Revocation)+", not one of: "+strings.Join(revocationPolicies, ", "))
	}
	if !slices.Contains([]string{"", revocation.PreferCRL, revocation.PreferOCSP}, c.Trust.RevocationPrefer) {
		wrong("trust.revocation_prefer", "is "+strconv.Quote(c.Trust.RevocationPrefer)+", neither crl nor ocsp")
	}
	for i, issuer := range c.Trust.Issuers {
		if issuer.Certificate == "" {
			wrong("trust.issuers", fmt.Sprintf("has no certificate in entry %d", i+1))
		}
		if len(issuer.CRLs)+len(issuer.OCSP) == 0 {
			wrong("trust.issuers", fmt.Sprintf("names neither crls nor ocsp in entry %d", i+1))
		}
	}
	if c.Delivery.RetryMost < c.Delivery.RetryFirst {
		wrong("delivery.retry_most", "is shorter than retry_first")
	}
	return errors.Join(problems...)
}

// onLoopback reports whether an address is reached from this machine only.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// line is where a key stands in the file; the file's end if it does not.
func (c *config) line(key string) int {
	file, err := parser.ParseBytes(c.source, 0)
	if err == nil {
		if path, err := yaml.PathString("$." + key); err == nil {
			if node, err := path.FilterFile(file); err == nil && node != nil {
				return node.GetToken().Position.Line
			}
		}
	}
	return bytes.Count(c.source, []byte("\n")) + 1
}

// resolve takes relative paths from the file's directory.
func (c *config) resolve() {
	dir := filepath.Dir(c.path)
	paths := c.paths()
	for i := range c.Log.Witnessed {
		paths = append(paths, &c.Log.Witnessed[i])
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}

// paths are the settings that name what the hub reads and writes.
func (c *config) paths() []*string {
	paths := []*string{&c.TLS.Certificate, &c.TLS.Key, &c.Ledger, &c.Vault, &c.Trust.Roots, &c.Trust.Intermediates, &c.Trust.RevocationDir,
		&c.Log.Key, &c.Webhook.Key, &c.Webhook.Roots, &c.Axis.Key, &c.Client.SecretFile, &c.Client.Roots, &c.Calendar.File,
		&c.Timestamp.Roots, &c.Timestamp.SecretFile, &c.Timestamp.TLSRoots,
		&c.Queue.PasswordFile, &c.Queue.Roots, &c.Queue.Certificate, &c.Queue.Key}
	for i := range c.Seal {
		s := &c.Seal[i]
		paths = append(paths, &s.Certificate, &s.PasswordFile)
		if !keystore.IsToken(s.Key) {
			paths = append(paths, &s.Key)
		}
	}
	for i := range c.Relay {
		paths = append(paths, &c.Relay[i].SecretFile, &c.Relay[i].Roots)
	}
	for i := range c.Trust.Issuers {
		issuer := &c.Trust.Issuers[i]
		paths = append(paths, &issuer.Certificate)
		for j := range issuer.CRLs {
			if !strings.Contains(issuer.CRLs[j], "://") {
				paths = append(paths, &issuer.CRLs[j])
			}
		}
	}
	return paths
}

// duration is written as in "30s" or "168h".
type duration time.Duration

func (d *duration) UnmarshalYAML(node ast.Node) error {
	v, err := time.ParseDuration(node.GetToken().Value)
	if err != nil || v <= 0 {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("%q is no duration such as 30s, 15m or 168h", node.GetToken().Value)}
	}
	*d = duration(v)
	return nil
}

// days is written as in "1825d".
type days int

func (d *days) UnmarshalYAML(node ast.Node) error {
	m := daysShape.FindStringSubmatch(node.GetToken().Value)
	if m == nil || m[1] == "0" {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("%q is no number of days such as 1825d", node.GetToken().Value)}
	}
	n, err := strconv.Atoi(m[1]) // five digits at most
	*d = days(n)
	return err
}

// instant is written as in "2026-12-25T00:00:00+07:00" (RFC 3339).
type instant time.Time

func (t *instant) UnmarshalYAML(node ast.Node) error {
	v, err := time.Parse(time.RFC3339, node.GetToken().Value)
	if err != nil {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("%q is no time such as 2026-12-25T00:00:00+07:00", node.GetToken().Value)}
	}
	*t = instant(v.UTC())
	return nil
}

// size is written in bytes or as in "100MiB".
type size int64

// mostSize is far beyond what makes sense, and far from overflowing.
const mostSize = 1 << 50

var sizeShape = regexp.MustCompile(`^(\d+)\s*(|KiB|MiB|GiB)$`)

func (s *size) UnmarshalYAML(node ast.Node) error {
	m := sizeShape.FindStringSubmatch(node.GetToken().Value)
	if m == nil {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("%q is no size such as 52428800, 50MiB or 1GiB", node.GetToken().Value)}
	}
	shift := map[string]int{"": 0, "KiB": 10, "MiB": 20, "GiB": 30}[m[2]]
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > mostSize>>shift {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("%q is more than a file can have", node.GetToken().Value)}
	}
	*s = size(n << shift)
	return nil
}
