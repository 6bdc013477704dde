package revocation

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"runtime"
	"testing"
	"time"
)

// longList is a CRL of that many entries, with the reasons that authorities give.
func longList(t testing.TB, w *world, entries int) []byte {
	t.Helper()
	return w.crl(w.ca, func(l *x509.RevocationList) {
		for i := range entries {
			n := new(big.Int).Lsh(big.NewInt(int64(i)+1), 96) // as long as real ones
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: n, RevocationTime: base.Add(-time.Duration(i) * time.Second), ReasonCode: i % 6})
		}
	})
}

// BenchmarkCheck is what each package pays, with CRLs of several lengths at hand.
func BenchmarkCheck(b *testing.B) {
	for _, entries := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", entries), func(b *testing.B) {
			w := newWorld(b)
			w.serve("/ca.crl", longList(b, w, entries))
			s := w.service(nil)
			w.expect(s, "good")
			chain := w.chain()
			b.ReportAllocs()
			for b.Loop() {
				s.Check(b.Context(), chain, base)
			}
		})
	}
}

// BenchmarkReadList is what each new CRL costs, and what crypto/x509 alone would.
func BenchmarkReadList(b *testing.B) {
	w := newWorld(b)
	list := longList(b, w, 100_000)
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(list)))
		for b.Loop() {
			if _, err := readList(list, w.ca.cert); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("x509", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(list)))
		for b.Loop() {
			if _, err := x509.ParseRevocationList(list); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestLongList: 100,000 entries are found all, are held in little memory, and
// are looked up as fast as ten.
func TestLongList(t *testing.T) {
	w := newWorld(t)
	const entries = 100_000
	long, short := longList(t, w, entries), longList(t, w, 10)

	before := allocated()
	l, err := readList(long, w.ca.cert)
	if err != nil {
		t.Fatal(err)
	}
	if held := allocated() - before; held > 16<<20 {
		t.Errorf("%d entries take %d bytes", entries, held)
	}
	for i := range entries {
		a := l.find(new(big.Int).Lsh(big.NewInt(int64(i)+1), 96))
		if !a.revoked || a.reason != i%6 || !a.revokedAt.Equal(base.Add(-time.Duration(i)*time.Second)) {
			t.Fatalf("entry %d is %+v", i, a)
		}
	}

	few, err := readList(short, w.ca.cert)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).Lsh(big.NewInt(7), 96)
	once := func(l *list) time.Duration {
		best := time.Hour
		for range 20 { // the best of many: the machine has other things to do
			began := time.Now()
			for range 10_000 {
				l.find(n)
			}
			best = min(best, time.Since(began))
		}
		return best
	}
	if inLong, inShort := once(l), once(few); inLong > 8*inShort {
		t.Errorf("10,000 lookups take %v in %d entries, %v in ten", inLong, entries, inShort)
	}
	runtime.KeepAlive(l)
}

func allocated() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestListIsReadOnce: thousands of packages do not read the list again.
func TestListIsReadOnce(t *testing.T) {
	w := newWorld(t)
	w.serve("/ca.crl", longList(t, w, 20_000))
	s := w.service(nil)
	w.expect(s, "good")
	list := s.only("/ca.crl").list
	chain := w.chain()
	spent := testing.AllocsPerRun(1000, func() { s.Check(t.Context(), chain, base) })
	if s.only("/ca.crl").list != list || spent > 60 {
		t.Errorf("a check allocates %v times", spent)
	}
}
