package exchangetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"tram/exchange"
)

// CreateVault makes an empty vault, and returns what opens it: each call opens
// it again, as a restart after a crash does.
type CreateVault func(t *testing.T) (open func() exchange.Vault)

// TestVault holds a vault against its contract.
func TestVault(t *testing.T, create CreateVault) {
	for name, test := range map[string]func(*vaultTest){
		"bytes are kept under their digest":             (*vaultTest).keep,
		"nothing is visible before it is kept":          (*vaultTest).notBefore,
		"a discarded draft leaves nothing":              (*vaultTest).discard,
		"discarding after keeping has no effect":        (*vaultTest).discardKept,
		"the same bytes are kept once":                  (*vaultTest).again,
		"what was not kept is not found":                (*vaultTest).notFound,
		"many are kept at once":                         (*vaultTest).race,
		"content can be read from any place":            (*vaultTest).seek,
		"a sweep removes what is old and unused":        (*vaultTest).sweep,
		"removed bytes are gone and can be kept again":  (*vaultTest).remove,
		"a sweep leaves drafts that are being written":  (*vaultTest).sweepDrafts,
		"a sweep ends with the error of used":           (*vaultTest).sweepError,
		"keeping again saves from a sweep":              (*vaultTest).sweepRace,
		"a draft not discarded saves from any sweep":    (*vaultTest).sweepPinned,
		"a draft that ends saves from the sweep begun":  (*vaultTest).sweepUnpinned,
		"a backup can be repeated":                      (*vaultTest).backup,
		"a context that has ended ends the call":        (*vaultTest).cancelled,
		"free space is known, and less than an exabyte": (*vaultTest).free,
	} {
		t.Run(name, func(t *testing.T) {
			open := create(t)
			test(&vaultTest{T: t, Vault: open(), open: open})
		})
	}
}

type vaultTest struct {
	*testing.T
	exchange.Vault
	open func() exchange.Vault
}

// content is n bytes unlike those of another seed.
func content(seed, n int) []byte {
	b := bytes.Repeat(fmt.Appendf(nil, "%d: Ủy ban nhân dân tỉnh. ", seed), n/20+1)
	return b[:n]
}

// draft writes b in uneven pieces.
func (t *vaultTest) draft(b []byte) exchange.Draft {
	t.Helper()
	d, err := t.Create(t.Context())
	d = must(t, d, err)
	for piece := 1; len(b) > 0; piece = piece*3 + 1 {
		n := min(piece, len(b))
		if written, err := d.Write(b[:n]); written != n || err != nil {
			t.Fatalf("wrote %d of %d bytes: %v", written, n, err)
		}
		b = b[n:]
	}
	return d
}

func (t *vaultTest) mustKeep(b []byte) exchange.Digest {
	t.Helper()
	d := t.draft(b)
	defer d.Discard()
	digest, err := d.Keep()
	if must(t, digest, err) != exchange.DigestOf(b) {
		t.Errorf("%d bytes were kept as %s, want %s", len(b), digest, exchange.DigestOf(b))
	}
	return digest
}

func (t *vaultTest) holds(b []byte) {
	t.Helper()
	read, err := readContent(t.Context(), t.Vault, exchange.DigestOf(b))
	if err != nil || !bytes.Equal(read, b) {
		t.Errorf("of %d bytes kept, %d were read: %v", len(b), len(read), err)
	}
}

func (t *vaultTest) lacks(b []byte) {
	t.Helper()
	c, err := t.Vault.Open(t.Context(), exchange.DigestOf(b))
	if err == nil {
		_ = c.Close() // only read
	}
	if exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("reading what is not kept: %v, want not-found", err)
	}
}

func readContent(ctx context.Context, v exchange.Vault, d exchange.Digest) ([]byte, error) {
	c, err := v.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(c)
	return b, errors.Join(err, c.Close())
}

// sizes lie round what a vault may buffer.
var sizes = []int{0, 1, 11_500, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 5<<20 + 7}

func (t *vaultTest) keep() {
	for seed, n := range sizes {
		t.mustKeep(content(seed, n))
	}
	t.Vault = t.open()
	for seed, n := range sizes {
		t.holds(content(seed, n))
	}
}

func (t *vaultTest) notBefore() {
	for seed, n := range sizes {
		b := content(seed, n)
		d := t.draft(b)
		if got := d.Digest(); got != exchange.DigestOf(b) {
			t.Errorf("a draft of %d bytes has the digest %s", n, got)
		}
		t.readAgain(d, b)
		t.lacks(b)
		_, err := d.Keep()
		must(t, d, err)
		t.holds(b)
	}
}

// readAgain reads a draft twice before it is kept.
func (t *vaultTest) readAgain(d exchange.Draft, want []byte) {
	for range 2 {
		r, err := d.Again()
		must(t, d, err)
		got, err := io.ReadAll(r)
		must(t, d, err)
		must(t, d, r.Close())
		if !bytes.Equal(got, want) {
			t.Errorf("a draft of %d bytes is read again as %d others", len(want), len(got))
		}
	}
}

func (t *vaultTest) discard() {
	for seed, n := range sizes {
		b := content(seed, n)
		d := t.draft(b)
		d.Discard()
		d.Discard()
		t.lacks(b)
		if _, err := d.Keep(); err == nil {
			t.Errorf("a discarded draft of %d bytes was kept", n)
		}
		if _, err := d.Write([]byte("x")); err == nil {
			t.Errorf("a discarded draft took bytes")
		}
		if _, err := d.Again(); err == nil {
			t.Errorf("a discarded draft was read")
		}
		t.lacks(b)
	}
}

func (t *vaultTest) discardKept() {
	for seed, n := range sizes {
		b := content(seed, n)
		d := t.draft(b)
		first, err := d.Keep()
		must(t, first, err)
		d.Discard()
		t.holds(b)
		if second, err := d.Keep(); second != first || err != nil {
			t.Errorf("keeping twice: %s, %v, want %s", second, err, first)
		}
		if _, err := d.Write([]byte("x")); err == nil {
			t.Errorf("a kept draft took bytes")
		}
		t.holds(b)
	}
}

func (t *vaultTest) again() {
	for seed, n := range sizes {
		b := content(seed, n)
		t.mustKeep(b)
		t.mustKeep(b)
		t.Vault = t.open()
		t.mustKeep(b)
		t.holds(b)
	}
}

func (t *vaultTest) notFound() {
	t.mustKeep([]byte("a"))
	t.lacks([]byte("b"))
	_, err := t.Vault.Open(t.Context(), exchange.Digest{})
	if exchange.CodeOf(err) != exchange.NotFound {
		t.Errorf("the zero digest: %v, want not-found", err)
	}
}

func (t *vaultTest) race() {
	errs := together(32, func(n int) error {
		for _, b := range [][]byte{content(n%4, 20_000), content(n%4, 200_000), content(n, 30)} {
			d, err := t.Create(t.Context())
			if err != nil {
				return err
			}
			if _, err := d.Write(b); err != nil {
				return err
			}
			digest, err := d.Keep()
			d.Discard()
			if err != nil || digest != exchange.DigestOf(b) {
				return fmt.Errorf("kept as %s: %w", digest, err)
			}
			if read, err := readContent(t.Context(), t.Vault, digest); err != nil || !bytes.Equal(read, b) {
				return fmt.Errorf("read %d bytes of %d: %w", len(read), len(b), err)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func (t *vaultTest) seek() {
	b := content(1, 100_000)
	c, err := t.Vault.Open(t.Context(), t.mustKeep(b))
	c = must(t, c, err)
	for _, place := range []int64{99_990, 0, 50_000} {
		if at, err := c.Seek(place, io.SeekStart); at != place || err != nil {
			t.Fatalf("seeking %d: %d, %v", place, at, err)
		}
		read := make([]byte, 10)
		if _, err := io.ReadFull(c, read); err != nil || !bytes.Equal(read, b[place:place+10]) {
			t.Errorf("10 bytes from %d: %q, %v", place, read, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func (t *vaultTest) sweep() {
	needed, unused := content(1, 1000), content(2, 100_000)
	t.mustKeep(needed)
	t.mustKeep(unused)
	usedIs := func(d exchange.Digest) (bool, error) { return d == exchange.DigestOf(needed), nil }
	if err := t.Sweep(t.Context(), time.Hour, usedIs); err != nil {
		t.Fatal(err)
	}
	t.holds(unused) // not old
	if err := t.Sweep(t.Context(), -time.Hour, usedIs); err != nil {
		t.Fatal(err)
	}
	t.lacks(unused)
	t.holds(needed)
	t.mustKeep(unused)
	t.holds(unused)
}

func (t *vaultTest) remove() {
	b, other := content(1, 1000), content(2, 1000)
	digest := t.mustKeep(b)
	t.mustKeep(other)
	for range 2 { // what is not there is no error
		if err := t.Remove(t.Context(), digest); err != nil {
			t.Fatal(err)
		}
	}
	t.lacks(b)
	t.holds(other)
	t.mustKeep(b)
	t.holds(b)
}

func (t *vaultTest) sweepDrafts() {
	b := content(3, 1<<20)
	d := t.draft(b)
	if err := t.Sweep(t.Context(), 0, func(exchange.Digest) (bool, error) { return true, nil }); err != nil {
		t.Fatal(err)
	}
	_, err := d.Keep()
	must(t, d, err)
	t.holds(b)
}

func (t *vaultTest) sweepError() {
	b := content(1, 10)
	t.mustKeep(b)
	lost := errors.New("ledger unreachable")
	err := t.Sweep(t.Context(), -time.Hour, func(exchange.Digest) (bool, error) { return false, lost })
	if !errors.Is(err, lost) {
		t.Errorf("sweep: %v, want %v", err, lost)
	}
	t.holds(b)
}

// sweepRace keeps the same bytes again while the sweep has found them old and
// asks whether they are used.
func (t *vaultTest) sweepRace() {
	b := content(1, 1000)
	digest := t.mustKeep(b)
	time.Sleep(20 * time.Millisecond)
	asked := false
	err := t.Sweep(t.Context(), 10*time.Millisecond, func(d exchange.Digest) (bool, error) {
		asked = asked || d == digest
		t.mustKeep(b)
		return false, nil
	})
	if err != nil || !asked {
		t.Errorf("sweep: asked %v, %v", asked, err)
	}
	t.holds(b)
}

// sweepPinned: to a clock that jumped, what was kept just now is old.
func (t *vaultTest) sweepPinned() {
	b := content(1, 1000)
	d := t.draft(b)
	_, err := d.Keep()
	must(t, d, err)
	unused := func(exchange.Digest) (bool, error) { return false, nil }
	if err := t.Sweep(t.Context(), -time.Hour, unused); err != nil {
		t.Fatal(err)
	}
	t.holds(b)
	d.Discard()
	if err := t.Sweep(t.Context(), -time.Hour, unused); err != nil {
		t.Fatal(err)
	}
	t.lacks(b)
}

// sweepUnpinned lets a package enter the ledger just after a sweep asked for it.
func (t *vaultTest) sweepUnpinned() {
	b := content(1, 1000)
	d := t.draft(b)
	_, err := d.Keep()
	must(t, d, err)
	err = t.Sweep(t.Context(), -time.Hour, func(exchange.Digest) (bool, error) {
		d.Discard()
		return false, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.holds(b)
}

func (t *vaultTest) backup() {
	dir := t.TempDir()
	var want exchange.Copied
	for seed, n := range sizes {
		t.mustKeep(content(seed, n))
		want = exchange.Copied{Contents: want.Contents + 1, Bytes: want.Bytes + int64(n), New: 1, NewBytes: int64(n)}
		if got, err := t.Backup(t.Context(), dir); err != nil || got != want {
			t.Fatalf("copied %+v, want %+v: %v", got, want, err)
		}
	}
	want.New, want.NewBytes = 0, 0
	if got, err := t.Backup(t.Context(), dir); err != nil || got != want {
		t.Errorf("again, nothing is new: copied %+v, want %+v: %v", got, want, err)
	}
}

func (t *vaultTest) cancelled() {
	b := content(1, 10)
	digest := t.mustKeep(b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, createErr := t.Create(ctx)
	_, openErr := t.Vault.Open(ctx, digest)
	sweepErr := t.Sweep(ctx, -time.Hour, func(exchange.Digest) (bool, error) { return false, nil })
	_, freeErr := t.Free(ctx)
	_, backupErr := t.Backup(ctx, t.TempDir())
	for name, err := range map[string]error{"Create": createErr, "Open": openErr, "Sweep": sweepErr, "Free": freeErr,
		"Backup": backupErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want that the context has ended", name, err)
		}
	}
	t.holds(b)
}

func (t *vaultTest) free() {
	n, err := t.Free(t.Context())
	if must(t, n, err) <= 0 || n > 1<<60 {
		t.Errorf("%d bytes are free", n)
	}
}
