package exchange_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"tram/exchange"
)

// narrow is a store with as much space as a test says.
type narrow struct {
	exchange.Ledger
	exchange.Vault
	ledger, vault atomic.Int64
}

type narrowLedger struct{ *narrow }

func (n narrowLedger) Free(context.Context) (int64, error) { return n.ledger.Load(), nil }
func (n narrowLedger) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return n.Ledger.Backup(ctx, w)
}

type narrowVault struct{ *narrow }

func (n narrowVault) Free(context.Context) (int64, error) { return n.vault.Load(), nil }
func (n narrowVault) Backup(ctx context.Context, dir string) (exchange.Copied, error) {
	return n.Vault.Backup(ctx, dir)
}

func (p *province) narrow() *narrow {
	n := &narrow{Ledger: p.ledger, Vault: p.vault}
	n.ledger.Store(1 << 40)
	n.vault.Store(1 << 40)
	c := p.config()
	c.Ledger, c.Vault, c.Reserve = narrowLedger{n}, narrowVault{n}, 1<<30
	p.x = must(exchange.New(c))
	return n
}

// TestNoSpace: packages are not taken in when the reserve would be used up; what
// is under way is brought to its end with it.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	n := p.narrow()
	id := p.sent("1250", health)
	for name, store := range map[string]*atomic.Int64{"ledger": &n.ledger, "vault": &n.vault} {
		store.Store(1<<30 - 1)
		time.Sleep(150 * time.Millisecond) // an answer counts for a while
		_, err := p.x.Submit(t.Context(), system(finance), bytes.NewReader(signed(t, document("1251", health))))
		refused(t, err, exchange.Busy, "no-space")
		if err := p.x.Ready(t.Context()); exchange.CodeOf(err) != exchange.Busy {
			t.Errorf("with a full %s the hub is ready: %v", name, err)
		}
		space := must(p.x.Space(t.Context()))
		if !space.Short() {
			t.Errorf("%+v is not short", space)
		}
		store.Store(1 << 40)
	}
	n.ledger.Store(0)
	d := p.delivery(id, 1)
	p.acknowledge(d, p.answer(d, exchange.AnswerAccepted, ""))
	p.inState(id, 1, exchange.HandedOver)
	n.ledger.Store(1 << 40)
	p.sent("1251", health)
	if space := must(p.x.Space(t.Context())); space.Short() {
		t.Errorf("%+v is short", space)
	}
}

// TestSpaceThatRunsOut: a long package that would use up half of the reserve is
// broken off.
func TestSpaceThatRunsOut(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	n := p.narrow()
	n.vault.Store(1 << 30)
	head, _, ok := bytes.Cut(unsigned(t, document("1250", health)), []byte("JVBERi0x")) // where the attachment begins
	if !ok {
		t.Fatal("the document has no attachment")
	}
	read := 0
	body := reader(func(b []byte) (int, error) {
		if len(head) > 0 {
			n := copy(b, head)
			head = head[n:]
			return n, nil
		}
		if read += len(b); read > 40<<20 {
			n.vault.Store(1<<29 - 1)
		}
		if read > 200<<20 {
			t.Fatal("it is read on and on")
		}
		for i := range b {
			b[i] = 'A'
		}
		return len(b), nil
	})
	_, err := p.x.Submit(t.Context(), system(finance), body)
	refused(t, err, exchange.Busy, "no-space")
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }
