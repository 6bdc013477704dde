package exchange

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/signing"
)

// Hub is who issues the receipts.
type Hub struct {
	Code   string `json:"code"` // the hub's identifier, for example "truc.camau.example"
	Name   string `json:"name"`
	Policy string `json:"policy"` // URI of the policy that receipts are issued under
}

// Config is what an Exchange is made of. Every field without a default must be
// set.
type Config struct {
	Hub Hub
	// Origin names the log in its checkpoints (C2SP tlog-checkpoint): a URL
	// without scheme.
	Origin  string
	Ledger  Ledger
	Vault   Vault
	Queue   Queue
	Courier Courier
	Format  Format
	Trust   *signing.Trust
	Sealer  *signing.Sealer
	// TimeStamper time-stamps receipts in the background; nil: they have none.
	TimeStamper TimeStamper
	// Archive makes backups; nil: this hub makes none.
	Archive Archive
	// Revocation tells of revoked certificates; nil: nobody asks, and receipts
	// say nothing of it.
	Revocation Revocation
	// RevocationPolicy says what happens when nothing is known of a
	// certificate's revocation; HardFail by default.
	RevocationPolicy RevocationPolicy
	// Known are the certificates that the hub relies on, beside agencies', so
	// that their end is reported ahead; asked each time, for they may be
	// replaced. nil: there are none.
	Known func() []Known
	// Seals seal receipts, one after the other, in the order of time.
	Seals []Seal
	// ReadSeals reads the seals as they are configured now, for ReloadSeals;
	// absent: they stay as they are while the hub runs.
	ReadSeals func() ([]Seal, error)
	// SecretKey is of 32 bytes and seals the secrets that systems share with the
	// hub; nil: there can be none.
	SecretKey []byte
	// Scanner looks for malware before packages are accepted; nil: nobody does.
	Scanner Scanner
	// Malware is what becomes of a package with some; MalwareQuarantine by default.
	Malware MalwarePolicy
	// Unscanned lets packages go on that the scanner gave no verdict on; else their
	// deliveries wait for one.
	Unscanned bool
	// Unscannable lets packages go on with an attachment that is longer than the
	// scanner takes; else their deliveries are held for operators.
	Unscannable bool
	// LogKey signs checkpoints.
	LogKey note.Signer
	// Keys is what the hub publishes for those who verify without it; Sealing
	// and Terms follow from Seals.
	Keys Keys
	// Retry defaults to 30 seconds first, an hour at most.
	Retry RetryPolicy
	// Deadline is how long a recipient has to answer; 7 days by default.
	Deadline time.Duration
	// Retention is how long packages' bytes are kept after they were accepted;
	// 0: for ever. What happened to them stays on record.
	Retention time.Duration
	// Upstreams are other axes, and which agencies' codes they serve.
	Upstreams []Upstream
	// AtOnce is how many recipients a package has at most for the transaction that
	// accepts it to consign its deliveries too, to agencies that only look into
	// their inboxes: nothing has to be attempted there. For more, the sender would
	// wait while their receipts are sealed. 0: workers consign all.
	AtOnce int
	// Reserve is how many bytes must be free, for the vault and for the ledger,
	// for packages to be taken in: what is under way is brought to its end with
	// them. 1 GiB by default.
	Reserve int64
	// Calendar is when agencies work; the one that is built in by default.
	Calendar *Calendar
	// Now defaults to time.Now, Random to crypto/rand.Reader.
	Now    func() time.Time
	Random io.Reader
	Log    *slog.Logger
}

// Keys are what anyone needs to verify receipts and proofs without the hub.
type Keys struct {
	Hub    Hub    `json:"hub"`
	Origin string `json:"origin"`
	// LogKey is the verifier key of the log's checkpoints
	// (golang.org/x/mod/sumdb/note).
	LogKey string `json:"logKey"`
	// Sealing are the certificates that receipts are sealed with, PEM, each
	// the leaf of its chain.
	Sealing []string `json:"sealing"`
	// Terms are when each of them seals; absent: there has been one for ever.
	Terms []SealTerm `json:"terms,omitempty"`
	// Webhook verifies announcements (Standard Webhooks, v1a): "whpk_" and the
	// Ed25519 key in base64.
	Webhook string `json:"webhook,omitempty"`
	// TimeStamp are the roots of the authority that time-stamps receipts, PEM;
	// absent: receipts have no time-stamps.
	TimeStamp []string `json:"timeStamp,omitempty"`
}

// Exchange carries packages from agency to agency.
type Exchange struct {
	c      Config
	bells  bells
	ids    sequence
	stamps stamps

	spaceSeen spaceSeen
	watch     watch
	reporting sync.Mutex // so that one report is made at a time

	relays map[string]*relay // by name

	seals     atomic.Pointer[[]Seal]
	reloading sync.Mutex // so that one change of seals follows another
}

// New checks the configuration and names what is missing.
func New(c Config) (*Exchange, error) {
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Hub.Code", c.Hub.Code == ""}, {"Hub.Name", c.Hub.Name == ""}, {"Hub.Policy", c.Hub.Policy == ""},
		{"Origin", c.Origin == ""}, {"Ledger", c.Ledger == nil}, {"Vault", c.Vault == nil},
		{"Queue", c.Queue == nil}, {"Courier", c.Courier == nil}, {"Format", c.Format == nil},
		{"Trust", c.Trust == nil}, {"Seals", len(c.Seals) == 0}, {"LogKey", c.LogKey == nil},
	} {
		if field.missing {
			return nil, errors.New("exchange: " + field.name + " is not set")
		}
	}
	if c.RevocationPolicy == "" {
		c.RevocationPolicy = HardFail
	}
	if c.RevocationPolicy != HardFail && c.RevocationPolicy != SoftFail {
		return nil, fmt.Errorf("exchange: RevocationPolicy is %q, neither %s nor %s", c.RevocationPolicy, HardFail, SoftFail)
	}
	if c.Malware == "" {
		c.Malware = MalwareQuarantine
	}
	if c.Retry.First <= 0 {
		c.Retry.First = 30 * time.Second
	}
	if c.Retry.Most < c.Retry.First {
		c.Retry.Most = max(time.Hour, c.Retry.First)
	}
	if c.Deadline <= 0 {
		c.Deadline = 7 * 24 * time.Hour
	}
	if c.Known == nil {
		c.Known = func() []Known { return nil }
	}
	if c.Reserve <= 0 {
		c.Reserve = 1 << 30
	}
	if c.Calendar == nil {
		calendar, err := NewCalendar(nil, nil)
		if err != nil {
			return nil, fmt.Errorf("exchange: %w", err)
		}
		c.Calendar = calendar
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := checkSeals(c.Seals, c.Now()); err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	relays, err := openRelays(c.Upstreams)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	c.Ledger = remember(c.Ledger)
	x := &Exchange{c: c, relays: relays}
	x.seals.Store(&c.Seals)
	return x, nil
}

// now is the present, in UTC and whole milliseconds: the precision that
// receipts carry, so that what was written can be rebuilt from them.
func (x *Exchange) now() time.Time { return x.c.Now().UTC().Truncate(time.Millisecond) }

// newID makes a UUID version 7 (RFC 9562, 5.7): later ones are greater. Those of
// one millisecond are kept apart by a counter (6.2, method 1), so that what came
// first goes first.
func (x *Exchange) newID(now time.Time) (string, error) {
	var u [16]byte
	if _, err := io.ReadFull(x.c.Random, u[8:]); err != nil {
		return "", err
	}
	ms, n := x.ids.next(now.UnixMilli())
	binary.BigEndian.PutUint64(u[:8], uint64(ms)<<16|0x7000|uint64(n))
	u[8] = u[8]&0x3f | 0x80
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

// sequence counts within a millisecond. It never goes back, whatever the clock
// does.
type sequence struct {
	mu sync.Mutex
	ms int64
	n  int64
}

func (s *sequence) next(ms int64) (int64, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if ms > s.ms || s.n > 0xfff {
		s.ms, s.n = max(ms, s.ms+1), 0
	}
	return s.ms, s.n
}

// mostTries is how often a change is made ready when what it rests on was changed
// meanwhile, each time.
const mostTries = 5

// jitter is a random number from 0 to 1.
func (x *Exchange) jitter() float64 {
	var b [2]byte
	if _, err := io.ReadFull(x.c.Random, b[:]); err != nil {
		return 0 // less spread, nothing worse
	}
	return float64(uint16(b[0])<<8|uint16(b[1])) / 65535
}

// Counts tells how many deliveries are in each state.
func (x *Exchange) Counts(ctx context.Context) (map[State]int64, error) {
	return x.c.Ledger.Counts(ctx)
}

// Oldest lists the delivery that was accepted first of each recipient that has
// any in the state: at most limit of them, those with the oldest.
func (x *Exchange) Oldest(ctx context.Context, s State, limit int) ([]Delivery, error) {
	return x.c.Ledger.Oldest(ctx, s, limit)
}

// LogSize is the number of leaves of the log.
func (x *Exchange) LogSize(ctx context.Context) (int64, error) { return x.c.Ledger.LogSize(ctx) }

// Ready reports why packages could not be taken in now, or nil.
func (x *Exchange) Ready(ctx context.Context) error {
	if _, err := x.c.Ledger.Counts(ctx); err != nil {
		return err
	}
	space, err := x.Space(ctx)
	if err != nil {
		return err
	}
	return space.enough(1)
}
