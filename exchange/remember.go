package exchange

import (
	"context"
	"sync"
)

// remembering is a ledger that keeps at hand what each step of a package's way
// asks for again: the registry's entries, and packages.
//
// It shows nothing that the ledger has not shown. A package never changes once
// it is kept, unless it is purged. That, and the registry,
// change through Update only, and the ledger has one process: whoever is told that
// a change is kept reads nothing older afterwards.
// What is returned is shared: it is not to be changed in place.
type remembering struct {
	Ledger
	agencies recent[string, Agency] // by any code
	systems  recent[string, System]
	packages recent[PackageID, Package]
	large    recent[PackageID, Package] // with many recipients, who all ask for them
}

const (
	// manyEntries is how many entries of each kind are kept at hand, at least;
	// twice as many at most.
	manyEntries = 1024
	// largePackage is how many recipients and attachments a package has that takes
	// the memory of many; fewLarge of those are kept.
	largePackage = 64
	fewLarge     = 16
)

func remember(l Ledger) *remembering {
	r := &remembering{Ledger: l}
	r.agencies.most, r.systems.most, r.packages.most, r.large.most = manyEntries, manyEntries, manyEntries, fewLarge
	return r
}

func (l *remembering) Agency(ctx context.Context, code string) (Agency, error) {
	return l.agencies.read(code, func() (Agency, error) { return l.Ledger.Agency(ctx, code) })
}

func (l *remembering) System(ctx context.Context, id string) (System, error) {
	return l.systems.read(id, func() (System, error) { return l.Ledger.System(ctx, id) })
}

func (l *remembering) Package(ctx context.Context, id PackageID) (Package, error) {
	p, ok, largeForgotten := l.large.find(id)
	if ok {
		return p, nil
	}
	p, ok, forgotten := l.packages.find(id)
	if ok {
		return p, nil
	}
	p, err := l.Ledger.Package(ctx, id)
	if err != nil {
		return p, err
	}
	if len(p.Recipients)+len(p.Attachments) >= largePackage {
		l.large.put(id, p, largeForgotten)
	} else {
		l.packages.put(id, p, forgotten)
	}
	return p, nil
}

// Update waits for a change of the registry, and for a purge, to its end, also when
// the caller no longer does: if it took hold after this had returned, what is read
// meanwhile would be kept at hand and never be right again.
func (l *remembering) Update(ctx context.Context, c Change) error {
	if len(c.Agencies)+len(c.Systems)+len(c.Purges) == 0 {
		return l.Ledger.Update(ctx, c)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(c.Agencies)+len(c.Systems) > 0 {
		defer l.systems.forget()
		defer l.agencies.forget()
	}
	if len(c.Purges) > 0 {
		defer l.packages.forget()
		defer l.large.forget()
	}
	return l.Ledger.Update(context.WithoutCancel(ctx), c)
}

// recent keeps values that were read lately. They are in two halves: when the
// young one is full the old one goes, but for what was asked for since.
type recent[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]V
	most       int // in each of them
	forgotten  int // how often all was
}

// read is the value at hand, or what load reads. That is kept at hand if nothing
// was forgotten while it was read: it may be from before.
func (r *recent[K, V]) read(key K, load func() (V, error)) (V, error) {
	v, ok, forgotten := r.find(key)
	if ok {
		return v, nil
	}
	v, err := load()
	if err == nil {
		r.put(key, v, forgotten)
	}
	return v, err
}

func (r *recent[K, V]) find(key K) (v V, ok bool, forgotten int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok = r.young[key]; ok {
		return v, true, r.forgotten
	}
	if v, ok = r.old[key]; ok {
		r.add(key, v)
	}
	return v, ok, r.forgotten
}

func (r *recent[K, V]) put(key K, v V, forgotten int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forgotten == forgotten {
		r.add(key, v)
	}
}

func (r *recent[K, V]) add(key K, v V) {
	if r.young == nil || len(r.young) >= r.most {
		r.old, r.young = r.young, make(map[K]V)
	}
	r.young[key] = v
}

func (r *recent[K, V]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.young, r.old = nil, nil
	r.forgotten++
}
