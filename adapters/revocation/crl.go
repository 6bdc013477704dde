package revocation

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tram/exchange"
)

// A crl is one place that a CRL of one issuer comes from.
type crl struct {
	s        *Service
	location string // URL, or a file's path
	issuer   *x509.Certificate
	kept     string // file of the last list that was accepted
	listed   bool   // in the configuration: refreshed though nobody asks

	mu      sync.Mutex
	list    *list   // the last that was accepted; nil: none yet
	flight  *flight // what is going on; nil: nothing
	asked   time.Time
	changed string // what the next request says that we have

	outcome
}

// An outcome is how the last attempts at a source went.
type outcome struct {
	okAt, errAt time.Time
	err         error // of the last attempt
	failures    int   // in a row
	next        time.Time
}

// succeeded and failed note an attempt and when the next is due.
func (o *outcome) succeeded(now, next time.Time) {
	o.okAt, o.err, o.failures, o.next = now, nil, 0, next
}

func (o *outcome) failed(now time.Time, err error, first, most time.Duration) {
	o.errAt, o.err, o.next = now, err, now.Add(min(most, first<<min(o.failures, 10)))
	o.failures++
}

const (
	firstBackoff = 10 * time.Second
	mostBackoff  = 10 * time.Minute
	fileInterval = time.Minute // a file is looked at again that often
	soonest      = time.Minute // a server is not asked again before
)

func (s *Service) newCRL(location string, issuer *x509.Certificate, listed bool) *crl {
	id := exchange.DigestOf([]byte(location + "\x00" + keyOf(issuer)))
	return &crl{s: s, location: location, issuer: issuer, listed: listed, kept: filepath.Join(s.c.Dir, hex.EncodeToString(id[:16])+".crl")}
}

// find tells what the list says of a certificate. While one in force is at hand
// that takes no input or output.
func (c *crl) find(ctx context.Context, cert *x509.Certificate) (answer, error) {
	l, err := c.current(ctx)
	if l == nil {
		return answer{}, err
	}
	if err := l.scope.covers(cert); err != nil {
		return answer{}, err
	}
	a := l.find(cert.SerialNumber)
	a.source = c.location
	if a.final() {
		return a, nil // by a stale list too
	}
	if err == nil && !a.revoked && !a.acquits(cert, l.keepsExpired) {
		err = because(exchange.RevocationExpiredUnlisted, "%q expired at %v, before the list of %v", cert.Subject, cert.NotAfter, l.thisUpdate)
	}
	return a, err
}

// current is the list in force; with an error, the last one, or nil.
func (c *crl) current(ctx context.Context) (*list, error) {
	now := c.s.c.Now()
	c.mu.Lock()
	c.asked = now
	l, err := c.list, c.inForce(now)
	if err == nil {
		c.mu.Unlock()
		return l, nil
	}
	if c.flight == nil && now.Before(c.next) {
		defer c.mu.Unlock()
		return l, firstOf(c.err, err)
	}
	f := c.begin()
	c.mu.Unlock()

	if late := f.wait(ctx); late != nil {
		return l, late
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.inForce(c.s.c.Now()); err != nil {
		return c.list, firstOf(c.err, err)
	}
	return c.list, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// inForce returns nil if the list at hand counts now. mu is held.
func (c *crl) inForce(now time.Time) error {
	if c.list == nil {
		return because(exchange.RevocationUnreachable, "no list was got yet")
	}
	return c.s.inForce(c.list, now)
}

func (s *Service) inForce(l *list, now time.Time) error {
	if l.thisUpdate.After(now.Add(s.c.Skew)) {
		return because(exchange.CRLNotYet, "thisUpdate is %v", l.thisUpdate)
	}
	if now.After(l.nextUpdate.Add(s.c.Skew)) {
		return because(exchange.CRLStale, "nextUpdate was %v", l.nextUpdate)
	}
	return nil
}

// begin joins the fetch that is going on, or starts one. mu is held.
func (c *crl) begin() *flight {
	if c.flight == nil {
		c.flight = c.s.fly(c.refresh)
	}
	return c.flight
}

// due starts a fetch if it is time for one.
func (c *crl) due(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const forgotten = 24 * time.Hour // a source that nobody asked since is left alone
	if !now.Before(c.next) && (c.listed || now.Sub(c.asked) < forgotten) {
		c.begin()
	}
}

// refresh takes up what was kept, or fetches if that will not do.
func (c *crl) refresh(ctx context.Context) {
	if c.load() {
		return
	}
	err := c.fetch(ctx)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	now := c.s.c.Now()
	if err != nil {
		c.failed(now, err, firstBackoff, mostBackoff)
		c.s.c.Log.WarnContext(ctx, "CRL not refreshed", "source", c.location, "failures", c.failures, "next", c.next, "error", err)
		return
	}
	if c.err != nil {
		c.s.c.Log.InfoContext(ctx, "CRL refreshed again", "source", c.location)
	}
	c.succeeded(now, c.nextFetch(now))
}

// nextFetch is well ahead of NextUpdate: a tenth of the list's life is left to
// get over an outage. mu is held.
func (c *crl) nextFetch(now time.Time) time.Time {
	if isFile(c.location) {
		return now.Add(fileInterval)
	}
	life := c.list.nextUpdate.Sub(c.list.thisUpdate)
	next := now.Add(c.s.c.Refresh)
	if ahead := c.list.nextUpdate.Add(-life / 10); ahead.Before(next) {
		next = ahead
	}
	if earliest := now.Add(min(soonest, life/20)); next.Before(earliest) {
		next = earliest
	}
	return next
}

// load takes up the list of an earlier process, if there is none at hand, and
// reports whether it is still in force. One that cannot be read is as if it were
// not there. A fetch is due at once, but nobody need wait for it.
func (c *crl) load() bool {
	c.mu.Lock()
	there := c.list != nil
	c.mu.Unlock()
	if there {
		return false
	}
	l, since, err := c.read(c.kept)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		c.s.c.Log.Warn("kept CRL is of no use", "file", c.kept, "source", c.location, "error", err)
		return false
	}
	now := c.s.c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = l
	if isFile(c.location) || c.inForce(now) != nil {
		return false
	}
	c.flight = nil
	c.succeeded(since, now)
	return true
}

// read reads and verifies a list in a file, and tells when it was written. Only
// one list's bytes are in memory at a time.
func (c *crl) read(path string) (*list, time.Time, error) {
	c.s.reading.Lock()
	defer c.s.reading.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	if info.Size() > c.s.c.CRLSize {
		return nil, time.Time{}, because(exchange.RevocationTooLarge, "%s has %d bytes", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	l, err := readList(text, c.issuer)
	return l, info.ModTime(), err
}

// fetch gets the list from its place and puts it in the place of the one at hand.
func (c *crl) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.s.c.FetchTimeout)
	defer cancel()
	came, err := os.CreateTemp(c.s.c.Dir, incoming)
	if err != nil {
		return fmt.Errorf("keeping CRL %s: %w", c.location, err)
	}
	defer func() {
		_ = came.Close()           // it was synced if it matters
		_ = os.Remove(came.Name()) // it has another name if it was kept
	}()
	mark, err := c.get(ctx, came)
	if err != nil {
		return err
	}
	if mark == unchanged {
		return c.stillGood()
	}
	if err := came.Sync(); err != nil {
		return fmt.Errorf("keeping CRL %s: %w", c.location, err)
	}
	return c.accept(came.Name(), mark)
}

// incoming is how the names of files begin that are not complete yet.
const incoming = "incoming-"

// unchanged is the mark of a list that is still the one at hand.
const unchanged = "="

// stillGood is for a server that has nothing new.
func (c *crl) stillGood() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inForce(c.s.c.Now())
}

// get writes the list to a file and returns what to say next time to be told
// only of another.
func (c *crl) get(ctx context.Context, to io.Writer) (mark string, err error) {
	if isFile(c.location) {
		return c.getFile(to)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.location, nil)
	if err != nil {
		return "", &problem{exchange.RevocationURL, err}
	}
	c.mu.Lock()
	if c.list != nil && c.changed != "" {
		request.Header.Set("If-Modified-Since", c.changed)
	}
	c.mu.Unlock()
	answer, err := c.s.do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }() // nothing was written
	if answer.StatusCode == http.StatusNotModified {
		return unchanged, nil
	}
	return answer.Header.Get("Last-Modified"), bounded(keeper{to}, answer.Body, c.s.c.CRLSize)
}

// getFile copies a file unless it looks like the one read before.
func (c *crl) getFile(to io.Writer) (mark string, err error) {
	f, err := os.Open(c.location)
	if err != nil {
		return "", &problem{exchange.RevocationUnreachable, err}
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return "", &problem{exchange.RevocationUnreachable, err}
	}
	mark = fmt.Sprintf("%d bytes of %v", info.Size(), info.ModTime())
	c.mu.Lock()
	same := c.list != nil && c.changed == mark
	c.mu.Unlock()
	if same {
		return unchanged, nil
	}
	return mark, bounded(keeper{to}, f, c.s.c.CRLSize)
}

// accept verifies a list that came and keeps it. A stale one is kept if it is no
// older than the one at hand, as it may condemn, but is an error.
func (c *crl) accept(path, mark string) error {
	l, _, err := c.read(path)
	if err != nil {
		return err
	}
	now := c.s.c.Now()
	problem := c.s.inForce(l, now)
	if problem != nil && reasonOf(problem) == exchange.CRLNotYet {
		return problem // kept, it would be in the way of every right one
	}
	c.mu.Lock()
	before := c.list
	c.mu.Unlock()
	if err := goesOn(before, l); err != nil {
		return err
	}
	if before == nil || before.digest != l.digest {
		if err := c.keep(path); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.changed = l, mark
	return problem
}

// goesOn refuses a list that is older than the one before (RFC 5280, 5.2.3).
func goesOn(before, l *list) error {
	if before == nil {
		return nil
	}
	if l.thisUpdate.Before(before.thisUpdate) {
		return because(exchange.CRLRollback, "thisUpdate %v is before %v", l.thisUpdate, before.thisUpdate)
	}
	if before.number != nil && (l.number == nil || l.number.Cmp(before.number) < 0) {
		return because(exchange.CRLRollback, "number %v is below %v", l.number, before.number)
	}
	return nil
}

// keep gives a synced file its name, in one step.
func (c *crl) keep(path string) error {
	if err := os.Rename(path, c.kept); err != nil {
		return fmt.Errorf("keeping CRL %s: %w", c.location, err)
	}
	dir, err := os.Open(c.s.c.Dir)
	if err != nil {
		return fmt.Errorf("keeping CRL %s: %w", c.location, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// state is for operators.
func (c *crl) state() exchange.RevocationSource {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.outcome.state("crl", c.location, c.issuer)
	if c.list == nil {
		return state
	}
	state.ThisUpdate, state.NextUpdate, state.Entries = c.list.thisUpdate, c.list.nextUpdate, len(c.list.entries)
	if c.list.number != nil {
		state.Number = c.list.number.String()
	}
	return state
}

func (o *outcome) state(kind, url string, issuer *x509.Certificate) exchange.RevocationSource {
	state := exchange.RevocationSource{Kind: kind, URL: url, Issuer: issuer.Subject.String(), LastSuccess: o.okAt, NextAttempt: o.next}
	if o.err != nil {
		state.Reason, state.LastError, state.LastErrorAt = reasonOf(o.err), o.err.Error(), o.errAt
	}
	return state
}
