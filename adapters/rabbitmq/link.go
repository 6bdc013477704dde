package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// heartbeat is how often either side of a connection shows that it is there.
const heartbeat = 5 * time.Second

// goodbye is how long a connection's orderly end may take.
const goodbye = 2 * time.Second

// The waits between attempts to connect, each up to half shorter by chance.
const (
	firstWait = 100 * time.Millisecond
	mostWait  = 5 * time.Second
)

// link is one connection to a node, with the topology declared.
type link struct {
	*amqp.Connection
	node   node
	closed chan *amqp.Error
}

// wire is a connection whose writes do not hang: a node that stands still reads
// nothing, and does not close either.
type wire struct {
	net.Conn
	patience time.Duration
}

func (w wire) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.patience)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// connect tries the nodes in an order of chance, so that hubs spread over them.
func (q *Queue) connect(ctx context.Context, purpose string) (*link, error) {
	var errs []error
	for _, i := range rand.Perm(len(q.nodes)) {
		l, err := q.dial(ctx, q.nodes[i], purpose)
		if err == nil {
			return l, nil
		}
		if lasting(err) || ctx.Err() != nil {
			return nil, err // other nodes of a cluster would say the same
		}
		errs = append(errs, fmt.Errorf("%s: %w", q.nodes[i].address, err))
	}
	return nil, errors.Join(errs...)
}

func (q *Queue) dial(ctx context.Context, n node, purpose string) (*link, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(q.c.Name + " hub, " + purpose)
	conn, err := amqp.DialConfig(n.url, amqp.Config{
		SASL: n.sasl, TLSClientConfig: n.tls, Heartbeat: heartbeat, Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: q.c.Patience}
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// For both handshakes; the library takes it away afterwards.
			return wire{c, q.c.Patience}, c.SetDeadline(time.Now().Add(q.c.Patience))
		},
	})
	if err != nil {
		return nil, q.explained(err, n.address)
	}
	l := &link{conn, n, conn.NotifyClose(make(chan *amqp.Error, 1))}
	if err := q.prepare(ctx, l); err != nil {
		l.end()
		return nil, q.explained(err, n.address)
	}
	return l, nil
}

// prepare declares the topology. A node that stands still meanwhile is left.
func (q *Queue) prepare(ctx context.Context, l *link) error {
	patience, cancel := context.WithTimeout(ctx, 2*q.c.Patience)
	defer cancel()
	defer context.AfterFunc(patience, l.end)()
	ch, err := l.Channel()
	if err != nil {
		return err
	}
	if err := q.c.declare(ch); err != nil {
		return err
	}
	return ch.Close()
}

// end closes in good order, or at once if the node does not answer.
func (l *link) end() { _ = l.CloseDeadline(time.Now().Add(goodbye)) } // nothing hangs on it: what is not settled comes again

// keep holds a connection for one purpose until ctx ends: use has it for as long
// as it holds.
func (q *Queue) keep(ctx context.Context, purpose string, use func(context.Context, *link) error) {
	wait := firstWait
	for ctx.Err() == nil {
		l, err := q.connect(ctx, purpose)
		if err == nil {
			began := time.Now()
			q.health.connected(purpose, l.node.address)
			q.c.Log.InfoContext(ctx, "broker connected", "for", purpose, "node", l.node.address)
			err = use(ctx, l)
			l.end()
			if time.Since(began) > mostWait {
				wait = firstWait
			}
		}
		if ctx.Err() != nil {
			return
		}
		if q.health.lost(purpose, err) {
			q.c.Log.WarnContext(ctx, "broker not connected", "for", purpose, "err", err)
		}
		pause(ctx, wait-rand.N(wait/2))
		wait = min(2*wait, mostWait)
	}
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
