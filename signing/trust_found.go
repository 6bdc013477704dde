package signing

import (
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"time"
)

// mostChains bounds the chains kept at hand; an agency signs with one or two.
const mostChains = 4096

// chains are those found before. What a chain rests on, the roots and the
// certificates' own words and signatures, never changes; only time passes. So a
// chain counts again for the same certificates while each of it is in force.
// What was refused is judged anew.
type chains struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte][]*x509.Certificate
}

// chainKey stands for all that a search for a chain begins with, but the time.
func chainKey(leaf *x509.Certificate, hints []*x509.Certificate) [sha256.Size]byte {
	h := sha256.New()
	h.Write(leaf.Raw) // DER says how long it is, so that no two lists run together alike
	for _, c := range hints {
		h.Write(c.Raw)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// at is the chain found before, if all of it is in force at the time; else nil.
func (k *chains) at(key [sha256.Size]byte, at time.Time) []*x509.Certificate {
	k.mu.Lock()
	chain := k.known[key]
	k.mu.Unlock()
	for _, c := range chain {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return nil
		}
	}
	return slices.Clone(chain)
}

func (k *chains) keep(key [sha256.Size]byte, chain []*x509.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= mostChains {
		k.known = make(map[[sha256.Size]byte][]*x509.Certificate)
	}
	k.known[key] = slices.Clone(chain)
}
