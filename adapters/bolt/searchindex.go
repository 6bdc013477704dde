package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tram/exchange"
)

// written is how many blocks of the search index a transaction sees.
func written(tx *bbolt.Tx) int64 { return next(tx, searchBlocks) }

// next is the number after the last one of a bucket whose keys are numbers.
func next(tx *bbolt.Tx, bucket string) int64 {
	last, _ := tx.Bucket([]byte(bucket)).Cursor().Last()
	if last == nil {
		return 0
	}
	return leafOf(last) + 1
}

// blockSize is how many packages a block of the ledger's search index has.
func blockSize(tx *bbolt.Tx) (int, error) {
	text := string(get(tx, meta, []byte("block")))
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > largestBlock {
		return 0, fmt.Errorf("the block %q of its search index is not a number up to %d; restore a backup", text, largestBlock)
	}
	return n, nil
}

func putBlockSize(tx *bbolt.Tx) error {
	return tx.Bucket([]byte(meta)).Put([]byte("block"), strconv.AppendInt(nil, largestBlock, 10))
}

// block is a part of the search index that is not written yet: the newest packages.
type block struct {
	number   int64
	size     int // packages
	full     int // its size in the end
	postings map[uint64][]uint16
	times    times
	purges   int64 // that there had been when the first of it was read
}

func newBlock(n int64, full int) *block {
	return &block{number: n, full: full, postings: map[uint64][]uint16{}}
}

// first is the number of its first package.
func (b *block) first() int64 { return b.number * int64(b.full) }

func (b *block) add(terms []uint64, at time.Time) {
	n := uint16(b.size)
	for _, t := range terms {
		list := b.postings[t]
		if len(list) == 0 || list[len(list)-1] != n { // a term may come twice
			b.postings[t] = append(list, n)
		}
	}
	b.times.add(b.size, at)
	b.size++
}

// entries are what is written of a full block. The one in searchBlocks comes last
// and makes it count.
func (b *block) entries() []entry {
	list := make([]entry, 0, len(b.postings)+1)
	for _, hash := range slices.Sorted(maps.Keys(b.postings)) {
		list = append(list, entry{searchPostings, postingsKey(b.number, hash), encodeSet(b.postings[hash])})
	}
	return append(list, entry{searchBlocks, leafKey(b.number), b.times.encode()})
}

// postingsKey puts a block's sets together, so that writing them fills new pages at
// the end of the bucket and changes none before.
func postingsKey(block int64, hash uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(block)), hash)
}

// stretch is how many packages have their times of acceptance bounded together.
const stretch = 64

// times are the first and the last second of acceptance in each stretch of a block.
// They need not ascend: clocks are set, and packages overtake each other.
type times [largestBlock / stretch]struct{ first, last int64 }

func (t *times) add(n int, at time.Time) {
	s, bounds := at.Unix(), &t[n/stretch]
	if n%stretch == 0 {
		bounds.first, bounds.last = s, s
	}
	bounds.first, bounds.last = min(bounds.first, s), max(bounds.last, s)
}

func (t *times) encode() []byte {
	value := make([]byte, 0, len(t)*16)
	for _, b := range t {
		value = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(value, uint64(b.first)), uint64(b.last))
	}
	return value
}

func (t *times) decode(value []byte) error {
	if len(value) != len(t)*16 {
		return errors.New("a block of the search index is damaged; restore a backup")
	}
	for i := range t {
		t[i].first = int64(binary.BigEndian.Uint64(value[16*i:]))
		t[i].last = int64(binary.BigEndian.Uint64(value[16*i+8:]))
	}
	return nil
}

// within are those of the block's first size packages that may have been accepted
// from one time to before another; zero times do not bound.
func (t *times) within(size int, from, to time.Time) *set {
	var s set
	for i, b := range t {
		if (from.IsZero() || b.last >= from.Unix()) && (to.IsZero() || b.first <= to.Unix()) {
			s.addRange(min(i*stretch, size), min((i+1)*stretch, size))
		}
	}
	return &s
}

// indexer keeps the search index up with the ledger, behind the writer's back: it
// reads what was accepted, and so nothing but what is durable, and never waits in
// the way of a package. What it has not reached yet, searches read one by one. It
// can be taken up anywhere, and the index be thrown away: it follows from the
// packages alone.
type indexer struct {
	l     *Ledger
	wakes chan struct{}
	stop  context.CancelFunc
	ended chan struct{}

	mu   sync.RWMutex
	tail *block
}

// newIndexer goes on behind the blocks that are written.
func newIndexer(l *Ledger, blocks int64, full int) *indexer {
	return &indexer{l: l, wakes: make(chan struct{}, 1), ended: make(chan struct{}), tail: newBlock(blocks, full)}
}

func (x *indexer) start() {
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	x.wake()
	go x.run(ctx)
}

// wake tells that there are new packages. It does not wait.
func (x *indexer) wake() {
	select {
	case x.wakes <- struct{}{}:
	default: // it is about to look anyway
	}
}

func (x *indexer) close() {
	x.stop()
	<-x.ended
}

func (x *indexer) run(ctx context.Context) {
	defer close(x.ended)
	for {
		select {
		case <-x.wakes:
		case <-ctx.Done():
			return
		}
		for {
			// What fails is tried again when the next package comes: until then,
			// and if it fails for ever, searches read what is not in the index.
			more, err := x.advance(ctx)
			if err != nil || !more {
				break
			}
		}
	}
}

// advance takes some packages in, and writes the block if that makes it full.
func (x *indexer) advance(ctx context.Context) (more bool, err error) {
	tail := x.tail                                                 // nobody else changes it
	if purges := x.l.writer.purges.Load(); tail.purges != purges { // what it has may be purged: it is read again
		tail = newBlock(tail.number, tail.full)
		tail.purges = purges
		x.mu.Lock()
		x.tail = tail
		x.mu.Unlock()
	}
	if tail.size < tail.full {
		found, err := x.read(ctx, tail.first()+int64(tail.size), min(mostRead, tail.full-tail.size))
		if err != nil || len(found) == 0 {
			return false, err
		}
		x.mu.Lock()
		for _, p := range found {
			tail.add(p.terms, p.at)
		}
		x.mu.Unlock()
	}
	if tail.size == tail.full {
		if err := x.write(ctx, tail); err != nil {
			return false, err
		}
		next := newBlock(tail.number+1, tail.full)
		next.purges = tail.purges // if there was one since, the next round finds out
		x.mu.Lock()
		x.tail = next
		x.mu.Unlock()
	}
	return true, nil
}

// mostRead bounds one transaction of reading.
const mostRead = 256

// indexed is what the index takes of a package.
type indexed struct {
	terms []uint64
	at    time.Time
}

// read reads at most limit packages from a number on. A damaged file ends no
// program from behind its back: whoever asks for what is damaged is told.
func (x *indexer) read(ctx context.Context, from int64, limit int) ([]indexed, error) {
	return sound(func() ([]indexed, error) { return x.readSome(ctx, from, limit) })
}

func (x *indexer) readSome(ctx context.Context, from int64, limit int) (list []indexed, err error) {
	err = x.l.view(ctx, func(tx *bbolt.Tx) error {
		for n := from; len(list) < limit; n++ {
			id := packageNumbered(tx, n)
			if id == nil {
				return nil
			}
			p, err := indexedPackage(tx, x.l.shapes, id)
			if err != nil {
				return err
			}
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

func indexedPackage(tx *bbolt.Tx, s *shapes, id []byte) (indexed, error) {
	p, err := pkg(tx, s, id)
	if err != nil {
		return indexed{}, err
	}
	return indexed{hashesOf(p), p.AcceptedAt}, nil
}

// hashesOf stand for a package's terms; one may come twice.
func hashesOf(p exchange.Package) []uint64 {
	terms := exchange.SearchTerms(&p)
	hashes := make([]uint64, len(terms))
	for i, t := range terms {
		hashes[i] = hashOf(t)
	}
	return hashes
}

// mostPostings bounds one transaction of a block, so that packages that are
// accepted meanwhile do not wait for all of it.
const mostPostings = 4096

// write writes a block, unless something was purged since it was read: the purge has
// taken its words out of what was written before it.
func (x *indexer) write(ctx context.Context, b *block) error {
	for part := range slices.Chunk(b.entries(), mostPostings) {
		if _, err := x.l.writer.do(ctx, change{plain: part, index: true, purged: b.purges}); err != nil {
			return fmt.Errorf("writing the search index: %w", err)
		}
	}
	return nil
}

// snapshot is what the newest block, which is not written yet, says on terms.
type snapshot struct {
	block    int64
	size     int
	postings map[uint64][]uint16
	times    times
}

func (x *indexer) snapshot(terms []uint64) snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := snapshot{x.tail.number, x.tail.size, map[uint64][]uint16{}, x.tail.times}
	for _, t := range terms {
		s.postings[t] = x.tail.postings[t] // only ever appended to
	}
	return s
}
