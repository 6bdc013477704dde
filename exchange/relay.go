package exchange

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Upstream is another axis: agencies live there that the hub has no inbox for.
type Upstream struct {
	// Name is how people call it, and how agencies of the directory name it.
	Name string
	// Prefixes are the codes it serves, with all codes below them: "H49" takes
	// H49.02 and 000.00.02.H49. "*" takes every code. Agencies of the directory go
	// before any prefix, and a longer prefix before a shorter one.
	Prefixes []string
	// Except are codes, with all below them, that it does not serve.
	Except []string
	// Relay is the way there.
	Relay Relay
	// Poll is how often the hub asks what waits there; a minute when zero.
	Poll time.Duration
}

// A Relay is the way to another axis. Calls may be repeated: what was sent, or
// marked, before is answered as it was then. An error with the code Refused says
// that asking again cannot help.
type Relay interface {
	// Send hands a package over for those of its recipients, as written in it, and
	// returns the axis's identifier of it.
	Send(ctx context.Context, p Package, to []string, content io.Reader) (id string, err error)
	// Waiting lists what waits there for this hub, the oldest first.
	Waiting(ctx context.Context, statuses bool) ([]Parcel, error)
	// Fetch gives the content of a parcel. Reading ends with an error in place of
	// io.EOF unless it came whole.
	Fetch(ctx context.Context, id string) (io.ReadCloser, error)
	// Done says that a parcel was taken in, Fail that it could not be.
	Done(ctx context.Context, id string) error
	Fail(ctx context.Context, id string) error
	// Sent lists what became of what was sent since a time.
	Sent(ctx context.Context, statuses bool, since time.Time) ([]Progress, error)
}

// Parcel is what waits at another axis.
type Parcel struct {
	ID string
	// From is the sender's code as the axis has it, for people.
	From string
}

// Progress is what became, at another axis, of a package at one recipient.
type Progress struct {
	ID string // as Send returned it
	To string // the recipient's code
	// Undelivered: the axis cannot bring it there.
	Undelivered bool
	// State is where it stands for the recipient's software.
	State MailState
	// Words are the axis's on that. They begin with the code 02 where the recipient
	// refused the package.
	Words string
}

// relay is an upstream at work.
type relay struct {
	Upstream
	mu      sync.Mutex
	sending map[PackageID]bool // under way
	paused  time.Time          // nothing is sent before
	aside   map[string]SetAside
	polled  time.Time // the last poll that went well
	sent    time.Time // the last package that it took
	failed  time.Time // the last call that did not go well
	words   string    // of that
}

// SetAside is a parcel that could not be taken in from another axis.
type SetAside struct {
	ID     string    `json:"id"`
	From   string    `json:"from,omitempty"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	// Again is when it is tried once more.
	Again time.Time `json:"again"`
}

const (
	// relayRoom is how many packages are on their way to one axis at once.
	relayRoom = 4
	// pollEvery is how often an axis is asked when nothing else is configured.
	pollEvery = time.Minute
	// refusedPause is how long a parcel rests that was refused: what is wrong may be
	// put right meanwhile. brokenPause is that of one that did not come whole.
	refusedPause = 24 * time.Hour
	brokenPause  = 5 * time.Minute
	// asideShown is how many parcels set aside are remembered.
	asideShown = 1000
)

// upstreamSystem begins the names of the systems that submit for other axes. No
// system of the registry has a colon in its name.
const upstreamSystem = "upstream:"

// caller is who submits what comes from the axis.
func (r *relay) caller() Caller {
	return Caller{System: &System{ID: upstreamSystem + r.Name, Name: r.Name}, Upstream: r.Name, Partial: true}
}

// enter takes a place on the way to the axis for a package; false if there is none
// now, or the package is on its way already.
func (r *relay) enter(p PackageID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sending[p] || len(r.sending) >= relayRoom || now.Before(r.paused) {
		return false
	}
	r.sending[p] = true
	return true
}

// leave gives the place back. While the axis is out of reach, one package after
// the other finds out: no more of them wait for it than one.
func (r *relay) leave(p PackageID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sending, p)
}

func (r *relay) went(ok bool, words string, now time.Time, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.sent, r.paused = now, time.Time{}
		return
	}
	r.failed, r.words, r.paused = now, words, now.Add(pause)
}

func (r *relay) heard(err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed, r.words = now, err.Error()
		return
	}
	r.polled = now
}

// wants reports whether a parcel is to be tried now.
func (r *relay) wants(p Parcel, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, resting := r.aside[p.ID]
	return !resting || !now.Before(s.Again)
}

func (r *relay) setAside(p Parcel, reason string, now time.Time, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.aside) >= asideShown { // those that rest no longer first
		for id, s := range r.aside {
			if !now.Before(s.Again) || len(r.aside) >= 2*asideShown {
				delete(r.aside, id)
			}
		}
	}
	r.aside[p.ID] = SetAside{ID: p.ID, From: p.From, At: now, Reason: reason, Again: now.Add(pause)}
}

func (r *relay) took(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.aside, id)
}

// openRelays checks the upstreams.
func openRelays(list []Upstream) (map[string]*relay, error) {
	relays := map[string]*relay{}
	for _, u := range list {
		if err := checkIdentifier(u.Name); err != nil {
			return nil, err
		}
		if relays[u.Name] != nil || u.Relay == nil {
			return nil, InvalidError("the axis %q is configured twice, or has no way to it; give each axis once, with its address",
				"trục %q bị khai báo hai lần, hoặc chưa có đường kết nối; hãy khai báo mỗi trục một lần, kèm địa chỉ", u.Name)
		}
		if u.Poll <= 0 {
			u.Poll = pollEvery
		}
		relays[u.Name] = &relay{Upstream: u, sending: map[PackageID]bool{}, aside: map[string]SetAside{}}
	}
	return relays, nil
}

// oldCode is the shape of codes with the lowest level first (QCVN 102:2016).
func oldCode(parts []string) bool {
	return len(parts) == 4 && len(parts[0]) == 3 && len(parts[1]) == 2 && len(parts[2]) == 2 && len(parts[3]) == 3 && parts[3][0] >= 'A'
}

// levels are a code's groups from the highest level down, as new codes have them
// (Decision 20/2020/QĐ-TTg): old ones are turned round, without groups of zeros.
func levels(code string) []string {
	parts := strings.Split(code, ".")
	if !oldCode(parts) {
		return parts
	}
	return turned(parts)
}

// under is how many levels of the code the prefix names, from 1; 0 if the code is
// not below it. "*" is above all, by less than any other.
func under(prefix string, code []string) int {
	p := levels(prefix)
	switch {
	case prefix == "*":
		return 1
	case len(p) <= len(code) && slices.Equal(p, code[:len(p)]):
		return len(p) + 1
	}
	return 0
}

// takes is how closely the upstream's prefixes fit the code; 0: it does not serve it.
func (u Upstream) takes(code string) int {
	at := levels(code)
	closest := func(list []string) (most int) {
		for _, p := range list {
			most = max(most, under(p, at))
		}
		return most
	}
	if fit := closest(u.Prefixes); fit > closest(u.Except) {
		return fit
	}
	return 0
}

// route is the axis that serves a code which nobody in the directory has; nil if
// none does.
func (x *Exchange) route(code string) (best *relay) {
	fit := 0
	for _, r := range x.relays {
		if n := r.takes(code); n > fit || n == fit && n > 0 && r.Name < best.Name {
			best, fit = r, n
		}
	}
	return best
}

// find is the agency with a code: of the directory, or one that lives at another
// axis, by the code's prefix. Such a one has version 0 until it is met.
func (x *Exchange) find(ctx context.Context, code, name string) (Agency, error) {
	a, err := x.c.Ledger.Agency(ctx, code)
	if CodeOf(err) != NotFound || checkCode(code) != nil {
		return a, err
	}
	r := x.route(code)
	if r == nil {
		return a, err
	}
	if name == "" {
		name = code
	}
	return Agency{Code: code, Name: name, Policy: IfPresent, Mode: Relayed, Upstream: r.Name}, nil
}

// meet enters those agencies of other axes into the directory that a package names
// first. The hub does that by itself, which the log tells.
func (x *Exchange) meet(ctx context.Context, strangers []Agency) error {
	for _, a := range strangers {
		kept := a
		kept.Version++
		action, err := x.actionOf("hub", "put-agency", a.Code, "served by axis "+a.Upstream, kept)
		if err != nil {
			return err
		}
		err = x.c.Ledger.Update(ctx, Change{Agencies: []Agency{a}, Actions: []Action{action}})
		if CodeOf(err) == Conflict {
			_, err = x.c.Ledger.Agency(ctx, a.Code) // another package met it at the same moment
		}
		if err != nil {
			return err
		}
	}
	return nil
}
