package disk

import (
	"sync"

	"tram/exchange"
)

// pins are the contents of drafts between Keep and Discard: they are on their way
// into the ledger, and no sweep may remove them, whatever the clock says of their
// age.
type pins struct {
	mu     sync.Mutex
	drafts map[exchange.Digest]int
	// spared are those pinned at any time since a sweep began; nil while there is
	// none. A package may enter the ledger, and its draft end, after the sweep has
	// asked the ledger for it.
	spared map[exchange.Digest]bool
}

func (p *pins) pin(d exchange.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drafts == nil {
		p.drafts = map[exchange.Digest]int{}
	}
	p.drafts[d]++
	if p.spared != nil {
		p.spared[d] = true
	}
}

func (p *pins) unpin(d exchange.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drafts[d]--; p.drafts[d] == 0 {
		delete(p.drafts, d)
	}
}

// begin and end are of a sweep.
func (p *pins) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spared = map[exchange.Digest]bool{}
	for d := range p.drafts {
		p.spared[d] = true
	}
}

func (p *pins) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spared = nil
}

func (p *pins) spares(d exchange.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spared[d]
}
