package exchange

import (
	"context"
	"slices"
	"time"
)

// Merge closes an agency at a time and lets another one take its place from then on:
// all of it, or nothing. Both are found by any of their codes. Agencies that were
// merged into the first before come along. Done again, it can change the time.
func (x *Exchange) Merge(ctx context.Context, by Caller, from, into string, at time.Time) (Agency, error) {
	if !by.Administers() {
		return Agency{}, notPermitted.With(by, deeds["merge-agency"])
	}
	old, err := x.c.Ledger.Agency(ctx, from)
	if err != nil {
		return Agency{}, err
	}
	successor, err := x.c.Ledger.Agency(ctx, into)
	if err != nil {
		return Agency{}, err
	}
	switch {
	case old.Code == successor.Code:
		return Agency{}, oneAgency.With(shortened(from), shortened(into))
	case !successor.Closed.IsZero():
		return Agency{}, closedSuccessor.With(successor.Code)
	case at.IsZero():
		at = x.now()
	}
	codes := append([]string{old.Code}, old.Merged...)
	changed := make([]Agency, 0, len(codes)+1)
	old.Closed, old.Successor = at.UTC().Truncate(time.Second), successor.Code
	changed = append(changed, old)
	for _, code := range codes[1:] {
		earlier, err := x.c.Ledger.Agency(ctx, code)
		if err != nil {
			return Agency{}, err
		}
		earlier.Successor = successor.Code
		changed = append(changed, earlier)
	}
	successor.Merged = slices.Clone(successor.Merged) // the ledger's entry is shared
	for _, code := range codes {
		if !slices.Contains(successor.Merged, code) {
			successor.Merged = append(successor.Merged, code)
		}
	}
	changed = append(changed, successor)
	kept := old
	kept.Version++
	return kept, x.register(ctx, by, "merge-agency", old.Code, kept, func(c *Change) { c.Agencies = changed })
}

// speaking is the system with the codes, too, of the agencies whose place its own
// have taken: those it speaks for from the day of the merger on.
func (x *Exchange) speaking(ctx context.Context, s System) (System, error) {
	var taken []string
	for _, code := range s.Agencies {
		a, err := x.c.Ledger.Agency(ctx, code)
		if err != nil {
			return System{}, err
		}
		for _, merged := range a.Merged {
			old, err := x.c.Ledger.Agency(ctx, merged)
			if err != nil {
				return System{}, err
			}
			if old.succeededBy(a, x.now()) && !slices.Contains(s.Agencies, old.Code) {
				taken = append(taken, old.Code)
			}
		}
	}
	if len(taken) > 0 { // the entry is shared
		s.Agencies = append(slices.Clone(s.Agencies), taken...)
	}
	return s, nil
}

// ring wakes those who wait for something in the inbox of an agency, or of the one
// that has taken its place.
func (x *Exchange) ring(ctx context.Context, agency string) {
	x.bells.ring(agency)
	if a, err := x.c.Ledger.Agency(ctx, agency); err == nil && a.Successor != "" {
		x.bells.ring(a.Successor)
	}
}

var (
	oneAgency = Rule{"merger-of-one", Conflict,
		"%q and %q are codes of one agency; name the agency that takes its place",
		"%q và %q là mã của cùng một cơ quan; hãy ghi mã của cơ quan kế thừa"}
	closedSuccessor = Rule{"merger-into-closed", Conflict,
		"agency %q is closed itself and takes nobody's place; name one that works",
		"cơ quan %q đã ngừng hoạt động nên không kế thừa được; hãy ghi mã của cơ quan đang hoạt động"}
)
