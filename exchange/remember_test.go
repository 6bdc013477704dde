package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// slowLedger has one agency, whose version goes up with each change. Reads and
// writes can be stopped on their way.
type slowLedger struct {
	Ledger
	version       int64
	reads         int
	reading       func() // after the ledger was read, before the answer comes
	writing       func(ctx context.Context)
	packageLoaded int
}

func (l *slowLedger) Agency(_ context.Context, code string) (Agency, error) {
	l.reads++
	a := Agency{Code: code, Version: l.version}
	if l.reading != nil {
		l.reading()
	}
	if code == "nobody" {
		return Agency{}, NotFoundError("agency", code)
	}
	return a, nil
}

func (l *slowLedger) Update(ctx context.Context, _ Change) error {
	if l.writing != nil {
		l.writing(ctx)
	}
	l.version++
	return nil
}

func (l *slowLedger) Package(_ context.Context, id PackageID) (Package, error) {
	l.packageLoaded++
	p := Package{ID: id}
	if strings.HasPrefix(string(id), "large") {
		p.Recipients = make([]Recipient, largePackage)
	}
	return p, nil
}

func versionOf(t *testing.T, l Ledger) int64 {
	t.Helper()
	a, err := l.Agency(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return a.Version
}

var registryChange = Change{Agencies: []Agency{{Code: "a"}}}

func TestWhatIsAtHandIsNotReadAgainUntilTheRegistryChanges(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	for range 3 {
		versionOf(t, l)
	}
	if err := l.Update(t.Context(), Change{Deliveries: []Delivery{{}}}); err != nil {
		t.Fatal(err)
	}
	if n := versionOf(t, l); n != 0 || below.reads != 1 {
		t.Errorf("read %d times, want once: no agency was changed", below.reads)
	}
	if err := l.Update(t.Context(), registryChange); err != nil {
		t.Fatal(err)
	}
	if got := versionOf(t, l); got != below.version {
		t.Errorf("version %d after a change was kept, the ledger has %d", got, below.version)
	}
}

func TestAReadFromBeforeAChangeIsNotKeptAtHand(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	below.reading = func() {
		below.reading = nil
		if err := l.Update(t.Context(), registryChange); err != nil {
			t.Error(err)
		}
	}
	if got := versionOf(t, l); got != 0 {
		t.Fatalf("version %d: the read was to be from before the change", got)
	}
	if got := versionOf(t, l); got != 1 {
		t.Errorf("version %d is at hand after the change was kept", got)
	}
}

func TestAChangeOfTheRegistryIsWaitedForToItsEnd(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	ctx, leave := context.WithCancel(t.Context())
	below.writing = func(writing context.Context) {
		leave()
		if writing.Err() != nil {
			t.Error("the ledger may return before it has written")
		}
	}
	if err := l.Update(ctx, registryChange); err != nil || versionOf(t, l) != 1 {
		t.Errorf("version %d, %v", versionOf(t, l), err)
	}
	if err := l.Update(ctx, registryChange); !errors.Is(err, context.Canceled) || below.version != 1 {
		t.Errorf("a caller who had left before: %v, version %d", err, below.version)
	}
}

func TestWhatIsNotThereIsAskedForAgain(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	for range 2 {
		if _, err := l.Agency(t.Context(), "nobody"); CodeOf(err) != NotFound {
			t.Error(err)
		}
	}
	if below.reads != 2 {
		t.Errorf("%d reads, want 2", below.reads)
	}
}

func TestWhatIsAtHandIsBounded(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	read := func(id PackageID) (again bool) {
		before := below.packageLoaded
		if p, err := l.Package(t.Context(), id); err != nil || p.ID != id {
			t.Errorf("package %s: %s, %v", id, p.ID, err)
		}
		return below.packageLoaded > before
	}
	for n := range 5 * manyEntries {
		read(PackageID(fmt.Sprint(n)))
		if n > 0 && read("0") {
			t.Fatalf("what is asked for all the time was read again after %d others", n)
		}
	}
	if n := len(l.packages.young) + len(l.packages.old); n > 2*manyEntries {
		t.Errorf("%d packages are at hand", n)
	}
	if !read("1") {
		t.Error("a package asked for long ago is still at hand")
	}
	for n := range 5 * fewLarge {
		read(PackageID(fmt.Sprint("large", n)))
		if n > 0 && read("large0") {
			t.Fatalf("a large package that is asked for all the time was read again after %d others", n)
		}
	}
	if n := len(l.large.young) + len(l.large.old); n > 2*fewLarge || !read("large1") {
		t.Errorf("%d large packages are at hand", n)
	}
}

func TestWhatIsPurgedIsNotAtHand(t *testing.T) {
	below := &slowLedger{}
	l := remember(below)
	for _, id := range []PackageID{"1", "large1"} {
		for range 2 {
			if _, err := l.Package(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Update(t.Context(), Change{Purges: []Erasure{{Package: "1"}, {Package: "large1"}}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []PackageID{"1", "large1"} {
		if _, err := l.Package(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if below.packageLoaded != 4 {
		t.Errorf("%d packages were read, want each again after the purge", below.packageLoaded)
	}
}
