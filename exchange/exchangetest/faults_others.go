package exchangetest

import (
	"context"
	"io"
	"time"

	"tram/exchange"
)

// Vault wraps a vault and its drafts.
func (f *Faults) Vault(v exchange.Vault) exchange.Vault { return &faultyVault{f, v} }

type faultyVault struct {
	f *Faults
	v exchange.Vault
}

// Create gives no draft back when it fails after its work, so that draft is
// discarded: in a process that lives on, nobody else could.
func (v *faultyVault) Create(ctx context.Context) (exchange.Draft, error) {
	var made exchange.Draft
	d, err := call1(v.f, "Vault.Create", func() (d exchange.Draft, err error) {
		made, err = v.v.Create(ctx)
		return made, err
	})
	if err != nil {
		if made != nil {
			made.Discard()
		}
		return nil, err
	}
	return &faultyDraft{v.f, d}, nil
}

func (v *faultyVault) Open(ctx context.Context, d exchange.Digest) (exchange.Content, error) {
	var made exchange.Content
	c, err := call1(v.f, "Vault.Open", func() (c exchange.Content, err error) {
		made, err = v.v.Open(ctx, d)
		return made, err
	})
	if err != nil && made != nil {
		_ = made.Close() // only read
	}
	return c, err
}

func (v *faultyVault) Sweep(ctx context.Context, age time.Duration, used func(exchange.Digest) (bool, error)) error {
	return call(v.f, "Vault.Sweep", func() error { return v.v.Sweep(ctx, age, used) })
}

func (v *faultyVault) Remove(ctx context.Context, d exchange.Digest) error {
	return call(v.f, "Vault.Remove", func() error { return v.v.Remove(ctx, d) })
}

func (v *faultyVault) Backup(ctx context.Context, dir string) (exchange.Copied, error) {
	return call1(v.f, "Vault.Backup", func() (exchange.Copied, error) { return v.v.Backup(ctx, dir) })
}

func (v *faultyVault) Free(ctx context.Context) (int64, error) {
	return call1(v.f, "Vault.Free", func() (int64, error) { return v.v.Free(ctx) })
}

type faultyDraft struct {
	f *Faults
	d exchange.Draft
}

func (d *faultyDraft) Write(p []byte) (int, error) {
	return call1(d.f, "Draft.Write", func() (int, error) { return d.d.Write(p) })
}

func (d *faultyDraft) Digest() exchange.Digest { return d.d.Digest() }

func (d *faultyDraft) Again() (io.ReadCloser, error) {
	return call1(d.f, "Draft.Again", d.d.Again)
}

func (d *faultyDraft) Keep() (exchange.Digest, error) {
	return call1(d.f, "Draft.Keep", d.d.Keep)
}

func (d *faultyDraft) Discard() { d.d.Discard() }

// Queue wraps a queue.
func (f *Faults) Queue(q exchange.Queue) exchange.Queue { return &faultyQueue{f, q} }

type faultyQueue struct {
	f *Faults
	q exchange.Queue
}

func (q *faultyQueue) Publish(ctx context.Context, jobs ...exchange.Job) error {
	return call(q.f, "Queue.Publish", func() error { return q.q.Publish(ctx, jobs...) })
}

func (q *faultyQueue) Consume(ctx context.Context, deliver func(context.Context, exchange.DeliveryID) error) error {
	return q.q.Consume(ctx, deliver)
}

// Courier wraps a courier.
func (f *Faults) Courier(c exchange.Courier) exchange.Courier { return &faultyCourier{f, c} }

type faultyCourier struct {
	f *Faults
	c exchange.Courier
}

func (c *faultyCourier) Send(ctx context.Context, to exchange.Agency, d exchange.Delivery, p exchange.Package) error {
	return call(c.f, "Courier.Send", func() error { return c.c.Send(ctx, to, d, p) })
}
