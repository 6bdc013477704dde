package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tram/adapters/edxml"
	"tram/exchange"
)

// The day of a province. Volumes are assumptions, written down here: nobody
// publishes them by the hour.
const (
	workingDay = 10 * time.Hour // 7:00 to 17:00
	offices    = 20             // agencies of the province's own level, which write half of everything
	repliesOf  = 7              // one delivery in so many is answered by a document
	// shortestMinute keeps a day that goes very fast from being nothing but polls.
	shortestMinute = 2 * time.Second
)

// hours are how much of a day's documents is sent in each hour from 7:00 on: a
// morning peak, a break, a smaller peak before the end.
var hours = []float64{5, 18, 20, 14, 5, 3, 10, 12, 9, 4}

// sizes and fans are of how many documents in a thousand, and how large, or to how
// many agencies.
var (
	sizes = []struct{ share, least, most int }{{550, 11_500, 11_500}, {350, 100_000, 400_000}, {90, 1_000_000, 2_000_000}, {10, 8_000_000, 12_000_000}}
	fans  = []struct{ share, least, most int }{{620, 1, 1}, {250, 2, 5}, {100, 6, 20}, {25, 21, 80}, {5, 440, 440}}
)

// courses are what a recipient says of a document, one status after the other:
// received, registered, assigned, in work, done.
var courses = [][]string{{"01", "03", "06"}, {"01", "03", "05", "06"}, {"01", "03", "04", "05", "06"}}

// Fan draws how many agencies a document goes to.
func Fan(dice *rand.Rand) int { return draw(dice, fans) }

func draw(dice *rand.Rand, from []struct{ share, least, most int }) int {
	n := dice.IntN(1000)
	for _, f := range from {
		if n -= f.share; n < 0 {
			return f.least + dice.IntN(f.most-f.least+1)
		}
	}
	return from[0].least
}

// moment draws a time of the day.
func moment(dice *rand.Rand) time.Duration {
	total := 0.0
	for _, h := range hours {
		total += h
	}
	n := dice.Float64() * total
	for i, h := range hours {
		if n < h {
			return time.Duration((float64(i) + n/h) * float64(time.Hour))
		}
		n -= h
	}
	return workingDay
}

// day is a province's day, made ready.
type day struct {
	b       *bench
	speedup float64
	minute  time.Duration // between two looks of an agency into its inbox
	desks   []*desk
	want    int64 // deliveries

	mu      sync.Mutex
	follows map[string][]letter // what a recipient sends on a document, by both
}

// desk is one agency's system: what it has to send, and when.
type desk struct {
	agency            *Agency
	sending, watching *connection

	mu    sync.Mutex
	due   []errand
	awake chan struct{}
}

type errand struct {
	at     time.Time
	offset time.Duration // from the day's beginning, before it is known
	letter letter
}

func (b *bench) prepareProvince(context.Context) (load, error) {
	dice := rand.New(rand.NewPCG(1, 2026)) // the same day each time
	d := &day{b: b, speedup: b.o.speed(), follows: map[string][]letter{}}
	d.minute = max(time.Duration(float64(time.Minute)/d.speedup), shortestMinute)
	desks := map[*Agency]*desk{}
	for _, a := range b.site.Agencies {
		one := &desk{agency: a, sending: b.site.connection(a), watching: b.site.connection(a), awake: make(chan struct{}, 1)}
		d.desks, desks[a] = append(d.desks, one), one
	}
	documents, offsets := d.documents(dice)
	list, err := b.letters.write(documents)
	if err != nil {
		return nil, err
	}
	for i, l := range list {
		desks[l.from].due = append(desks[l.from].due, errand{offset: offsets[i], letter: l})
		d.want += int64(len(l.to))
	}
	var later []draft
	var of []string
	for i, l := range list {
		for _, to := range l.to {
			drafts := d.answers(dice, documents[i], l, to)
			later = append(later, drafts...)
			for range drafts {
				of = append(of, followKey(l.document, to))
			}
		}
	}
	follow, err := b.letters.write(later)
	if err != nil {
		return nil, err
	}
	for i, l := range follow {
		d.follows[of[i]] = append(d.follows[of[i]], l)
		d.want += int64(len(l.to))
	}
	return d.play, nil
}

func followKey(document string, by *Agency) string { return by.Code + " " + document }

// documents draws who writes to whom, how much and when.
func (d *day) documents(dice *rand.Rand) (list []draft, offsets []time.Duration) {
	all := d.b.site.Agencies
	for range max(d.b.o.Packages, 1) {
		from := dice.IntN(min(offices, len(all)))
		if dice.IntN(2) == 0 {
			from = dice.IntN(len(all))
		}
		number := int(d.b.numbers.Add(1))
		one := draft{from: all[from], number: number, subject: Subject(number), size: int64(draw(dice, sizes))}
		fan := min(Fan(dice), len(all)-1)
		for _, i := range dice.Perm(len(all)) {
			if i != from && len(one.to) < fan {
				one.to = append(one.to, all[i])
			}
		}
		list, offsets = append(list, one), append(offsets, moment(dice))
	}
	return list, offsets
}

// answers are what a recipient sends on a document: three to five statuses, and
// sometimes a document of its own.
func (d *day) answers(dice *rand.Rand, about draft, l letter, by *Agency) []draft {
	var list []draft
	for _, code := range courses[dice.IntN(len(courses))] {
		list = append(list, draft{from: by, to: []*Agency{l.from}, status: &edxml.Status{Code: code, To: l.from.Code, ID: l.document,
			Notation: fmt.Sprintf("%d/%s", about.number, d.b.letters.run), Date: d.b.letters.today, Description: "Văn thư đã cập nhật trạng thái xử lý"}})
	}
	if dice.IntN(repliesOf) == 0 {
		number := int(d.b.numbers.Add(1))
		list = append(list, draft{from: by, to: []*Agency{l.from}, number: number, subject: "V/v trả lời: " + Subject(number), size: int64(draw(dice, sizes[:2]))})
	}
	return list
}

// errStuck ends a day in which nothing moves any more.
var errStuck = errors.New("nothing has moved for a minute, and deliveries are missing")

// play lets every agency send what is due and look into its inbox on the full
// minute, until all deliveries have come to their end.
func (d *day) play(ctx context.Context) (int, error) {
	began := time.Now()
	for _, one := range d.desks {
		for i := range one.due {
			one.due[i].at = began.Add(time.Duration(float64(one.due[i].offset) / d.speedup))
		}
	}
	working, over := context.WithCancel(ctx)
	defer over()
	group, working := errgroup.WithContext(working)
	for _, one := range d.desks {
		group.Go(func() error { return d.send(working, one) })
		group.Go(func() error { return d.watch(working, one, began) })
	}
	group.Go(func() error {
		defer over()
		moved, last := time.Now(), int64(-1)
		for {
			n := d.b.settled.Load()
			if n == d.want {
				return nil
			}
			if n != last {
				moved, last = time.Now(), n
			}
			if time.Since(moved) > time.Minute+time.Duration(float64(workingDay)/d.speedup) {
				return fmt.Errorf("%w: %d of %d", errStuck, d.want-n, d.want)
			}
			if err := sleepUntil(working, time.Now().Add(20*time.Millisecond)); err != nil {
				return err
			}
		}
	})
	err := group.Wait()
	if d.b.settled.Load() == d.want && (err == nil || errors.Is(err, context.Canceled)) && ctx.Err() == nil {
		err = nil // the day is over: whoever waited was sent home
	}
	return int(d.b.settled.Load()), err
}

// next is the errand that is due first; wait is how long until then.
func (k *desk) next(now time.Time) (l letter, at time.Time, wait time.Duration, ready bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := -1
	for i, e := range k.due {
		if first < 0 || e.at.Before(k.due[first].at) {
			first = i
		}
	}
	if first < 0 {
		return letter{}, time.Time{}, time.Hour, false
	}
	if wait := k.due[first].at.Sub(now); wait > 0 {
		return letter{}, time.Time{}, wait, false
	}
	e := k.due[first]
	k.due[first] = k.due[len(k.due)-1]
	k.due = k.due[:len(k.due)-1]
	return e.letter, e.at, 0, true
}

func (k *desk) add(at time.Time, l letter) {
	k.mu.Lock()
	k.due = append(k.due, errand{at: at, letter: l})
	k.mu.Unlock()
	select {
	case k.awake <- struct{}{}:
	default: // it has been called already
	}
}

// send submits an agency's packages, each when it is due or as soon after as the
// one before it is done.
func (d *day) send(ctx context.Context, k *desk) error {
	defer k.sending.close()
	for ctx.Err() == nil {
		l, at, wait, ready := k.next(time.Now())
		if !ready {
			select {
			case <-time.After(wait):
			case <-k.awake:
			case <-ctx.Done():
			}
			continue
		}
		if _, err := d.b.submit(ctx, k.sending, l); err != nil {
			return err
		}
		d.b.times.add(stepSubmit, time.Since(at))
	}
	return nil
}

// watch looks into an agency's inbox on every full minute, fetches and answers
// what is there, and has the statuses sent.
func (d *day) watch(ctx context.Context, k *desk, began time.Time) error {
	defer k.watching.close()
	for n := 1; ; n++ {
		at := began.Add(time.Duration(n) * d.minute)
		if time.Since(at) > d.minute {
			continue // it was busy with what came, and missed one
		}
		if sleepUntil(ctx, at) != nil {
			return nil // the day is over
		}
		items, err := d.b.look(ctx, k.watching, k.agency.Code, 200, false)
		if err != nil {
			return err
		}
		d.b.times.add(stepInbox, time.Since(at))
		for _, i := range items {
			if err := d.b.take(ctx, k.watching, k.agency, i, time.Time{}); err != nil {
				return err
			}
			if i.Package.Kind != exchange.KindStatus {
				d.follow(k, i.Package.DocumentID)
			}
		}
	}
}

// follow has an agency send what it says of a document, one after the other over
// the next minutes.
func (d *day) follow(k *desk, document string) {
	d.mu.Lock()
	list := d.follows[followKey(document, k.agency)]
	d.mu.Unlock()
	at := time.Now()
	for _, l := range list {
		at = at.Add(rand.N(d.minute))
		k.add(at, l)
	}
}
