package bolt

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

const (
	// mostInState is how many deliveries of a state are taken as a list of packages.
	// Of a larger state each package is asked, which is quick where so many have it.
	mostInState = 20_000
	// mostLooks bounds one page of a search: how many packages it looks at that may
	// match. One that is read counts as costOfReading.
	mostLooks     = 10_000
	costOfReading = 5
)

// Search implements exchange.Ledger. The cursor is the number of the last package
// that was looked at.
func (l *Ledger) Search(ctx context.Context, q exchange.Search) (list []exchange.Found, cursor string, err error) {
	s, err := newSearch(q)
	if err != nil {
		return nil, "", err
	}
	if err := l.search(ctx, s); err != nil {
		return nil, "", fmt.Errorf("searching: %w", err)
	}
	return s.found, s.cursor, nil
}

func (l *Ledger) search(ctx context.Context, s *search) error {
	// Before the transaction: a block that is written in between is seen in both.
	s.tail, s.shapes = l.indexer.snapshot(s.hashes()), l.shapes
	return l.view(ctx, func(tx *bbolt.Tx) (err error) {
		s.tx, s.blocks = tx, written(tx)
		if s.block, err = blockSize(tx); err != nil {
			return err
		}
		return s.run(ctx)
	})
}

// search is one page of a search.
type search struct {
	exchange.Matcher
	clauses []clause
	limit   int
	bound   int64 // only packages below this number
	looks   int   // left

	tx     *bbolt.Tx
	shapes *shapes
	block  int   // packages in a block
	blocks int64 // that are written
	tail   snapshot

	receipts map[string]exchange.PackageID // of literals that are receipts
	inState  map[int64]*set                // by block; nil if the state has too many
	found    []exchange.Found
	cursor   string
}

// clause is an exchange.Clause for the index.
type clause struct {
	literal string
	any     [][]uint64
	named   map[int64]*set // what the literal is the identifier of, by block
}

func newSearch(q exchange.Search) (*search, error) {
	s := &search{Matcher: exchange.NewMatcher(q), limit: limitOf(q.Limit), bound: 1<<63 - 1, looks: mostLooks, receipts: map[string]exchange.PackageID{}}
	for _, c := range s.Clauses() {
		hashed := clause{literal: c.Literal}
		for _, terms := range c.Any {
			var hashes []uint64
			for _, t := range terms {
				hashes = append(hashes, hashOf(t))
			}
			hashed.any = append(hashed.any, hashes)
		}
		s.clauses = append(s.clauses, hashed)
	}
	if q.Cursor == "" {
		return s, nil
	}
	n, err := strconv.ParseInt(q.Cursor, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != q.Cursor {
		return nil, badCursor(q.Cursor)
	}
	s.bound = n
	return s, nil
}

func (s *search) hashes() []uint64 {
	var list []uint64
	for _, c := range s.clauses {
		for _, terms := range c.any {
			list = append(list, terms...)
		}
	}
	return list
}

// run goes from the newest block to the oldest.
func (s *search) run(ctx context.Context) error {
	if err := s.resolve(); err != nil {
		return err
	}
	s.bound = min(s.bound, numbered(s.tx))
	for b := (s.bound+int64(s.block)-1)/int64(s.block) - 1; b >= 0; b-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		candidates, err := s.candidates(b)
		if err != nil {
			return err
		}
		if done, err := s.look(b*int64(s.block), candidates); done || err != nil {
			return err
		}
	}
	return nil
}

// look looks at a block's candidates, the newest first. It is done when the page
// is full and there is a package for the next, or the page was work enough.
func (s *search) look(first int64, candidates *set) (done bool, err error) {
	if candidates == nil {
		return false, nil
	}
	for n := candidates.below(int(min(s.bound-first, int64(s.block)))); n >= 0; n = candidates.below(n) {
		if s.looks <= 0 {
			s.cursor = strconv.FormatInt(first+int64(n)+1, 10)
			return true, nil
		}
		f, ok, err := s.lookAt(first + int64(n))
		if err != nil {
			return true, err
		}
		if !ok {
			continue
		}
		if len(s.found) == s.limit {
			s.cursor = strconv.FormatInt(first+int64(n)+1, 10)
			return true, nil
		}
		s.found = append(s.found, f)
	}
	return false, nil
}

// lookAt holds a package's record, and its deliveries', against the search.
func (s *search) lookAt(n int64) (f exchange.Found, ok bool, err error) {
	id := packageNumbered(s.tx, n)
	s.looks--
	if s.State != "" && s.inState == nil && listed(s.State) {
		if key, _ := newStream(s.tx, deliveryStates, append(stateKey(s.State), id...)).from(nil); key == nil {
			return f, false, nil
		}
	}
	s.looks -= costOfReading - 1
	if f.Package, err = pkg(s.tx, s.shapes, id); err != nil {
		return f, false, err
	}
	isReceiptOf := func(id string, p exchange.PackageID) bool { return s.receipts[id] == p && p != "" }
	if !s.Matches(&f.Package, isReceiptOf) {
		return f, false, nil
	}
	if err := s.deliveries(&f); err != nil {
		return f, false, err
	}
	return f, len(f.Deliveries) > 0 || !s.NeedsDelivery(&f.Package), nil
}

// deliveries adds those of a package that are to be shown.
func (s *search) deliveries(f *exchange.Found) error {
	f.Deliveries = []exchange.Delivery{}
	for i := range f.Package.Recipients {
		if !s.MayShow(&f.Package, i+1) {
			continue
		}
		key := deliveryKey(f.Package.ID, i+1)
		if s.State != "" && listed(s.State) && get(s.tx, deliveryStates, append(stateKey(s.State), key...)) == nil {
			continue
		}
		value := get(s.tx, deliveries, key)
		if value == nil {
			continue
		}
		d, err := decodeDelivery(key, value)
		if err != nil {
			return err
		}
		if !s.Shows(&f.Package, &d) {
			continue
		}
		if len(f.Deliveries) == exchange.FoundDeliveries {
			f.More = true
			return nil
		}
		f.Deliveries = append(f.Deliveries, d)
	}
	return nil
}

// candidates are a block's packages that may match; nil if there are none. What
// costs least to know comes first.
func (s *search) candidates(b int64) (*set, error) {
	var all set
	all.addRange(0, s.block)
	if s.inState != nil && (s.inState[b] == nil || !all.and(s.inState[b])) {
		return nil, nil
	}
	known := s.known(b)
	if some, err := s.inTime(b, known, &all); !some || err != nil {
		return nil, err
	}
	for _, c := range s.clauses {
		if len(c.any) >= costOfReading*all.size() { // a system may speak for hundreds of agencies
			continue
		}
		some, err := s.having(b, c)
		if err != nil {
			return nil, err
		}
		some.addRange(known, s.block) // the index cannot tell
		if !all.and(some) {
			return nil, nil
		}
	}
	return &all, nil
}

// inTime takes out those that were accepted too early or too late, as far as the
// index tells.
func (s *search) inTime(b int64, known int, all *set) (some bool, err error) {
	if s.From.IsZero() && s.To.IsZero() {
		return true, nil
	}
	times, err := s.times(b)
	if err != nil {
		return false, err
	}
	within := times.within(known, s.From, s.To)
	within.addRange(known, s.block)
	return all.and(within), nil
}

// known is how many of a block's packages the index has.
func (s *search) known(b int64) int {
	switch {
	case b < s.blocks:
		return s.block
	case b == s.tail.block:
		return s.tail.size
	}
	return 0
}

func (s *search) times(b int64) (t times, err error) {
	if b < s.blocks {
		err = t.decode(get(s.tx, searchBlocks, leafKey(b)))
		return t, err
	}
	if b == s.tail.block {
		t = s.tail.times
	}
	return t, nil
}

// having are a block's packages for which a clause holds.
func (s *search) having(b int64, c clause) (*set, error) {
	var some set
	if named := c.named[b]; named != nil {
		some.or(named)
	}
	for _, terms := range c.any {
		all, err := s.withTerm(b, terms[0])
		for i := 1; i < len(terms) && all != nil && err == nil; i++ {
			var o *set
			if o, err = s.withTerm(b, terms[i]); o == nil || !all.and(o) {
				all = nil
			}
		}
		if err != nil {
			return nil, err
		}
		if all != nil {
			some.or(all)
		}
	}
	return &some, nil
}

// withTerm are a block's packages that have a term; nil if there are none.
func (s *search) withTerm(b int64, term uint64) (*set, error) {
	if b < s.blocks {
		value := get(s.tx, searchPostings, postingsKey(b, term))
		if value == nil {
			return nil, nil
		}
		var some set
		return &some, some.decode(value)
	}
	if b != s.tail.block || len(s.tail.postings[term]) == 0 {
		return nil, nil
	}
	var some set
	for _, n := range s.tail.postings[term] {
		some.add(int(n))
	}
	return &some, nil
}

// resolve finds what literals name, and the packages in the state asked for.
func (s *search) resolve() error {
	for i := range s.clauses {
		c := &s.clauses[i]
		if c.literal == "" {
			continue
		}
		c.named = map[int64]*set{}
		named, err := s.packagesNamed(c.literal)
		if err != nil {
			return err
		}
		for _, id := range named {
			s.addNumber(c.named, id)
		}
	}
	return s.resolveState()
}

// packagesNamed are the keys of those that a literal may name.
func (s *search) packagesNamed(literal string) ([][]byte, error) {
	list := [][]byte{idKey(literal), idKey(exchange.DeliveryID(literal).Package())}
	leaf, found := leafOfReceipt(s.tx, logSize(s.tx), idKey(literal))
	if !found {
		return list, nil
	}
	r, _, err := decodeReceiptRecord(leaf, get(s.tx, log, leafKey(leaf)))
	s.receipts[literal] = r.Package
	return append(list, idKey(r.Package)), err
}

func (s *search) resolveState() error {
	if s.State == "" {
		return nil
	}
	total, err := count(s.tx, s.State)
	if err != nil || !listed(s.State) || total > mostInState && s.Recipient == "" {
		return err
	}
	// Those of one recipient are few where those of all are not.
	in := deliveryStreams(s.tx, exchange.DeliveryQuery{State: s.State, Recipient: s.Recipient})
	sets, steps, n := map[int64]*set{}, mostSteps, 0
	var last []byte
	for key, ok := in.before(nil, &steps); key != nil; key, ok = in.before(key, &steps) {
		if n++; !ok || n > mostInState {
			return nil
		}
		if id := key[:len(key)-4]; !bytes.Equal(id, last) {
			s.addNumber(sets, id)
			last = id
		}
	}
	s.inState = sets
	return nil
}

// addNumber adds a package, if there is such a one, to sets by block.
func (s *search) addNumber(sets map[int64]*set, id []byte) {
	n := packageLeaves(get(s.tx, packageReceipts, id)).number()
	if n < 0 {
		return
	}
	b := n / int64(s.block)
	if sets[b] == nil {
		sets[b] = &set{}
	}
	sets[b].add(int(n % int64(s.block)))
}
