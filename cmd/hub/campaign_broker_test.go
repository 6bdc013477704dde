package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"tram/adapters/rabbitmq/rabbittest"
)

// brokered is a message broker that chapters share, each with queues of its own,
// and the way to it, which breaks too.
type brokered struct {
	node *rabbittest.Node
	way  *strait
	url  string
}

// newBroker starts it for a campaign that is long enough; nil: a short one, or
// there is none to start.
func newBroker(t *testing.T) *brokered {
	if *campaign <= time.Minute || !rabbittest.Installed() {
		return nil
	}
	b := needsBroker(t)
	way := newStrait(t, b.Nodes[0].Address)
	return &brokered{node: b.Nodes[0], way: way, url: strings.Replace(b.URLs()[0], b.Nodes[0].Address, way.listener.Addr().String(), 1)}
}

// of is the broker of the chapter with this seed: every second has one.
func (b *brokered) of(seed uint64) *brokered {
	if seed%2 == 0 {
		return nil
	}
	return b
}

// queue is the line that makes a chapter's hub use the broker.
func (b *brokered) queue(seed uint64) func(yaml string) string {
	return withQueue(fmt.Sprintf("{urls: [%q], name: c%d}", b.url, seed))
}

// brokerFaults are done to the broker and to the way to it.
func brokerFaults() []fault {
	return []fault{
		{"the broker is killed", 2, func(c *chapter) {
			c.broker.node.Kill()
			pause(c.t.Context(), c.some(3*time.Second))
			must(c.t, c.broker.node.Start())
		}},
		{"hub and broker are killed", 1, func(c *chapter) {
			c.broker.node.Kill()
			c.kill()
			c.s.start()
			pause(c.t.Context(), c.some(2*time.Second))
			must(c.t, c.broker.node.Start())
		}},
		{"the broker is paused", 2, func(c *chapter) {
			c.broker.node.Pause()
			pause(c.t.Context(), c.some(8*time.Second))
			c.broker.node.Resume()
		}},
		{"the broker is parted from the hub", 2, func(c *chapter) { c.broker.way.part(c.some(15 * time.Second)) }},
		{"the broker's connections break", 2, func(c *chapter) { c.broker.way.cut() }},
	}
}

// strait is a way to a server that can be closed in the middle: connections stay,
// and nothing comes through.
type strait struct {
	listener net.Listener
	target   string
	open     sync.RWMutex // held while bytes pass, taken to stop them

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newStrait(t *testing.T, target string) *strait {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	s := &strait{listener: l, target: target, conns: map[net.Conn]bool{}}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return // closed
			}
			go s.carry(from)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		s.cut()
	})
	return s
}

func (s *strait) carry(from net.Conn) {
	to, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.target)
	if err != nil {
		_ = from.Close() // as a server that is down would
		return
	}
	s.mu.Lock()
	s.conns[from], s.conns[to] = true, true
	s.mu.Unlock()
	go s.copy(to, from)
	s.copy(from, to)
}

func (s *strait) copy(to, from net.Conn) {
	defer func() {
		_, _ = to.Close(), from.Close()
		s.mu.Lock()
		delete(s.conns, to)
		delete(s.conns, from)
		s.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		s.open.RLock()
		_, broken := to.Write(buffer[:n])
		s.open.RUnlock()
		if err != nil || broken != nil {
			return
		}
	}
}

func (s *strait) part(d time.Duration) {
	s.open.Lock()
	defer s.open.Unlock()
	time.Sleep(d)
}

func (s *strait) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}
