package exchange_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"tram/exchange"
	"tram/signing"
)

// faulty is a key that signs with another one.
type faulty struct{ of, with *ecdsa.PrivateKey }

func (f faulty) Public() crypto.PublicKey { return f.of.Public() }

func (f faulty) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, f.with, digest)
}

// briefly is a queue that has nothing to do.
type briefly struct{ exchange.Queue }

func (briefly) Consume(context.Context, func(context.Context, exchange.DeliveryID) error) error {
	return nil
}

// TestARestartIsNoNewKey: a fault is noticed at once while the key is new, and
// only by the sample afterwards. That tells which of the two the hub takes its
// key for when it starts again.
func TestARestartIsNoNewKey(t *testing.T) {
	for _, c := range []struct {
		name string
		hub  string        // seals after the start
		wait time.Duration // since the first receipt
		new  bool
	}{
		{"the key of old receipts", "hub", time.Hour, false},
		{"the key of a receipt just now", "hub", time.Minute, true},
		{"another key", "unregistered", time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProvince(t)
			p.sent("1", health)
			p.clock.advance(c.wait)
			p.sent("2", health) // of which nothing follows
			config := p.config()
			h := holders()[c.hub]
			config.Seals = []exchange.Seal{{Sealer: must(signing.NewSealer(faulty{h.key, holders()["stranger"].key}, h.chain))}}
			config.Queue = briefly{config.Queue}
			if err := must(exchange.New(config)).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := config.Seals[0].Sealer.Seal([]byte("<a></a>"), p.clock.Now())
			if (err != nil) != c.new {
				t.Errorf("new: %v, want %v (%v)", err != nil, c.new, err)
			}
		})
	}
}
