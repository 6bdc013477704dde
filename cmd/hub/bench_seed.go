package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"tram/adapters/bolt"
	"tram/cmd/hub/bench"
	"tram/cmd/progress"
	"tram/exchange"
	"tram/signing"
)

// seedSpan is how long ago the history begins that is made up.
const seedSpan = 365 * 24 * time.Hour

func benchSeedCommand(o *options) *cobra.Command {
	var dir string
	var deliveries int64
	c := &cobra.Command{
		Use:   "seed --dir DIR --deliveries N",
		Short: "Make a hub whose ledger holds many deliveries already",
		Long: `seed makes a hub as bench does, in a new directory, with a year of history in its
ledger: packages of 440 agencies with their deliveries, receipts, acknowledgements
and leaves of the log. "hub bench small --dir DIR" then measures that hub.

Receipts and acknowledgements are real: sealed by the hub's and the recipients'
keys, and they verify. They enter through the ledger's own interface, each
delivery's history after acceptance in one step. The packages' bytes are not
made: the vault stays empty. A few of the latest deliveries are open, to agencies
that do not answer; most were handed over, some refused, some not answered.

Interrupted (Ctrl-C), seed keeps what it made. The same command goes on then.`,
		Example: "  hub bench seed --dir big --deliveries 1000000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if deliveries < 1 {
				return usageError{errors.New("--deliveries must be at least 1")}
			}
			if had, err := readBenchNotes(dir); err == nil && (had.Seeded == 0 || had.Seeded >= deliveries) {
				return usageError{fmt.Errorf("%s holds a hub already, with a history of %d deliveries; name a new directory", dir, had.Seeded)}
			}
			bar := progress.New(c.ErrOrStderr(), o.json, "making a hub", 0)
			made, err := benchSeed(c.Context(), dir, deliveries, bar.At)
			bar.End()
			if err != nil {
				return err
			}
			return o.show(c, made, func(w io.Writer) { made.print(w, dir) })
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "the new directory")
	c.Flags().Int64Var(&deliveries, "deliveries", 0, "how many deliveries to make")
	_ = c.MarkFlagRequired("dir")        // both are there
	_ = c.MarkFlagRequired("deliveries") // likewise
	return c
}

// seeded is what was made.
type seeded struct {
	Deliveries int64   `json:"deliveries"`
	Packages   int64   `json:"packages"`
	Receipts   int64   `json:"receipts"`
	Seconds    float64 `json:"seconds"`
	LedgerFile int64   `json:"ledgerFileBytes"`
	// InAll are the deliveries with those of earlier runs.
	InAll int64 `json:"inAll"`
}

func (s seeded) print(w io.Writer, dir string) {
	fmt.Fprintf(w, "%d deliveries of %d packages with %d receipts in %.0f s (%.0f deliveries a second)\n", s.Deliveries, s.Packages, s.Receipts,
		s.Seconds, float64(s.Deliveries)/s.Seconds)
	fmt.Fprintf(w, "the ledger has %d deliveries, its file %.1f MB: %d bytes for each\n", s.InAll, float64(s.LedgerFile)/1e6, s.LedgerFile/max(s.InAll, 1))
	fmt.Fprintf(w, "measure it with: hub bench small --dir %s\n", dir)
}

func benchSeed(ctx context.Context, dir string, deliveries int64, say func(string, ...any)) (made seeded, err error) {
	now := time.Now()
	site, err := benchSite(ctx, dir, 441, now.Add(-seedSpan))
	if err != nil {
		return made, err
	}
	notes, err := readBenchNotes(dir)
	if err != nil {
		return made, err
	}
	all, err := notes.agencies()
	if err != nil {
		return made, err
	}
	cfg, err := loadConfig(site.Config)
	if err != nil {
		return made, err
	}
	keys, err := loadKeys(cfg)
	if err != nil {
		return made, err
	}
	keys.seals[0].Sealer.UsedSince(notes.Began)
	ledger, err := bolt.Open(cfg.Ledger, bolt.Options{})
	if err != nil {
		return made, err
	}
	h := &history{ledger: ledger, hub: keys.published.Hub, sealer: keys.seals[0].Sealer, agencies: all[:len(all)-benchSilent],
		silent: all[len(all)-benchSilent:], began: notes.Began, end: now.Add(-2 * seedDelay), want: deliveries, had: notes.Seeded, say: say}
	planned, err := h.write(ctx, notes.Planned)
	if err := errors.Join(err, ledger.Close()); err != nil {
		return made, err
	}
	made = h.made
	made.Seconds = time.Since(now).Seconds()
	info, err := os.Stat(cfg.Ledger)
	if err != nil {
		return made, err
	}
	made.LedgerFile = info.Size()
	made.InAll = notes.Seeded + made.Deliveries
	notes.Planned, notes.Seeded = planned, made.InAll
	return made, notes.keep(dir)
}

// seedDelay is the longest time from acceptance to the recipient's answer. All is
// past when the hub starts, in nearly the order of the log.
const seedDelay = 2 * signing.NewKey

// history makes packages up, with all that happened to them.
type history struct {
	ledger           exchange.Ledger
	hub              exchange.Hub
	sealer           *signing.Sealer
	agencies, silent []*bench.Agency
	began, end       time.Time
	want, had        int64 // had from an earlier run
	say              func(string, ...any)

	mu   sync.Mutex
	made seeded
}

// writers are how many packages are under way at once: the ledger writes what
// comes together in one transaction, and looks longer for whether it has a receipt
// the farther that comes out of the order of time.
const writers = 128

// write goes on behind so many packages, and returns how many there are when all are
// made or ctx ends.
func (h *history) write(ctx context.Context, n int) (int, error) {
	dice := rand.New(rand.NewPCG(2026, uint64(11+n))) // the same history each time, but for its keys
	group, writing := errgroup.WithContext(context.WithoutCancel(ctx))
	group.SetLimit(writers)
	began := time.Now()
	planned := h.had
	for planned < h.want && ctx.Err() == nil && writing.Err() == nil {
		n++
		p := h.plan(dice, n, planned)
		planned += int64(len(p.to))
		group.Go(func() error { return h.enter(writing, p) })
		if n%1000 == 0 {
			h.say("%d of %d deliveries, %.0f a second", planned, h.want, float64(planned-h.had)/time.Since(began).Seconds())
		}
	}
	return n, group.Wait()
}

// plannedPackage is a package with its fate.
type plannedPackage struct {
	number int
	dice   *rand.Rand
	at     time.Time
	from   *bench.Agency
	to     []*bench.Agency
	open   bool
}

func (h *history) plan(dice *rand.Rand, n int, planned int64) plannedPackage {
	share := float64(planned) / float64(h.want)
	p := plannedPackage{number: n, dice: rand.New(rand.NewPCG(uint64(n), 7)), from: h.agencies[dice.IntN(len(h.agencies))],
		at: h.began.Add(time.Duration(share * float64(h.end.Sub(h.began)))).UTC().Truncate(time.Millisecond)}
	// Of the last days' packages some wait for agencies that do not answer.
	if p.open = h.end.Sub(p.at) < 6*24*time.Hour && dice.IntN(20) == 0; p.open {
		p.to = h.silent[:1+dice.IntN(len(h.silent))]
		return p
	}
	fan := min(bench.Fan(dice), len(h.agencies)-1, int(h.want-planned))
	first := dice.IntN(len(h.agencies))
	for i := 0; len(p.to) < fan; i++ {
		if a := h.agencies[(first+i)%len(h.agencies)]; a != p.from {
			p.to = append(p.to, a)
		}
	}
	return p
}

// enter writes the package's acceptance, and then all the rest of it.
func (h *history) enter(ctx context.Context, p plannedPackage) error {
	pkg := h.pkg(p)
	e := exchange.EvidenceOf(pkg, exchange.SubmissionAcceptance, pkg.AcceptedAt)
	e.Sender = party(p.from)
	for _, r := range pkg.Recipients {
		e.Recipients = append(e.Recipients, exchange.Party{Scheme: exchange.SchemeAgency, Code: r.Code})
	}
	acceptance, err := h.seal(p, e, pkg.Sender)
	if err != nil {
		return err
	}
	acceptance.System = pkg.System
	change := exchange.Change{Receipts: []exchange.Receipt{acceptance}}
	for i, r := range pkg.Recipients {
		change.Deliveries = append(change.Deliveries, exchange.Delivery{ID: exchange.NewDeliveryID(pkg.ID, i+1), Package: pkg.ID, Index: i + 1, Sender: pkg.Sender,
			Recipient: r.Code, State: exchange.Queued, Next: pkg.AcceptedAt, Deadline: pkg.AcceptedAt.Add(7 * 24 * time.Hour), AcceptedAt: pkg.AcceptedAt})
	}
	if _, _, err := h.ledger.Accept(ctx, pkg, change); err != nil {
		return err
	}
	rest := exchange.Change{}
	for i, d := range change.Deliveries {
		d.Version = 1
		d, receipts, err := h.settle(p, pkg, p.to[i], d)
		if err != nil {
			return err
		}
		rest.Deliveries, rest.Receipts = append(rest.Deliveries, d), append(rest.Receipts, receipts...)
	}
	if err := h.ledger.Update(ctx, rest); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made.Packages++
	h.made.Deliveries += int64(len(rest.Deliveries))
	h.made.Receipts += 1 + int64(len(rest.Receipts))
	return nil
}

// settle is a delivery's history from acceptance to its end.
func (h *history) settle(p plannedPackage, pkg exchange.Package, to *bench.Agency, d exchange.Delivery) (exchange.Delivery, []exchange.Receipt, error) {
	var receipts []exchange.Receipt
	attest := func(event exchange.Event, at time.Time, fill func(*exchange.Evidence)) error {
		e := exchange.EvidenceOf(pkg, event, at)
		e.Sender, e.Recipients, e.RefersTo = party(p.from), []exchange.Party{party(to)}, 1
		e.Delivery, e.Reason, e.Detail, e.Basis = d.ID, d.Reason, d.Detail, exchange.Basis{Method: exchange.BasisHub}
		fill(&e)
		r, err := h.seal(p, e, d.Sender, d.Recipient)
		receipts = append(receipts, r)
		return err
	}
	d, event, err := d.Consign(d.AcceptedAt.Add(time.Duration(5+p.dice.IntN(200)) * time.Millisecond))
	if err != nil {
		return d, nil, err
	}
	if err := attest(event, d.ConsignedAt, func(*exchange.Evidence) {}); err != nil || p.open {
		return d, receipts, err
	}
	if p.dice.IntN(100) == 0 && d.Deadline.Before(h.end) {
		if d, event, err = d.Expire(d.Deadline); err != nil {
			return d, nil, err
		}
		return d, receipts, attest(event, d.SettledAt, func(*exchange.Evidence) {})
	}
	at := d.ConsignedAt.Add(time.Duration(p.dice.Int64N(int64(seedDelay)))).Truncate(time.Millisecond)
	outcome, reason := exchange.AnswerAccepted, ""
	if p.dice.IntN(100) == 0 {
		outcome, reason = exchange.AnswerRefused, "Gửi nhầm cơ quan: nội dung không thuộc thẩm quyền giải quyết"
	}
	ack := exchange.NewAcknowledgement(pkg, to.Code, outcome, reason, at)
	if ack.Raw, err = to.Sealer.Seal(ack.Canonical(), ack.Time); err != nil {
		return d, nil, err
	}
	if d, event, err = d.Fetch(at).Answer(outcome, reason, at); err != nil {
		return d, nil, err
	}
	certificate := to.Sealer.Certificate()
	err = attest(event, at, func(e *exchange.Evidence) {
		e.Receiver, e.Acknowledgement = to.System, ack.Raw
		e.Basis = exchange.Basis{Method: exchange.BasisSignature, Algorithm: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
			Certificate: exchange.DigestOf(certificate.Raw), Subject: certificate.Subject.String(), Matched: exchange.MatchedRegistered}
	})
	return d, receipts, err
}

func (h *history) seal(p plannedPackage, e exchange.Evidence, readers ...string) (exchange.Receipt, error) {
	e.ID, e.Hub = exchange.ReceiptID(pastID(p.dice, e.Time)), h.hub
	raw, err := h.sealer.Seal(e.Canonical(), e.Time)
	return exchange.Receipt{ID: e.ID, Event: e.Event, Time: e.Time, Package: e.Package, Delivery: e.Delivery, Reason: e.Reason, Agencies: readers, Raw: raw}, err
}

func party(a *bench.Agency) exchange.Party {
	return exchange.Party{Scheme: exchange.SchemeAgency, Code: a.Code, Name: a.Name}
}

// pkg makes a package up as the hub would have read it.
func (h *history) pkg(p plannedPackage) exchange.Package {
	day := p.at.Format("2006/01/02")
	number, notation := fmt.Sprint(p.number), "UBND-VP"
	certificate := p.from.Certificate
	pkg := exchange.Package{ID: exchange.PackageID(pastID(p.dice, p.at)), Kind: exchange.KindNew, Sender: p.from.Code, SenderAs: p.from.Code, System: p.from.System,
		DocumentID: fmt.Sprintf("%s,%s,%s/%s", p.from.Code, day, number, notation), Number: number, Notation: notation, PromulgationDate: day,
		TypeName: "Công văn", Subject: bench.Subject(p.number), Digest: digest(p.dice), Size: 11_500 + p.dice.Int64N(2_000_000), Content: digest(p.dice),
		Attachments: []exchange.Attachment{{Name: "van-ban-" + number + ".pdf", ContentID: "cid-" + number, ContentType: "application/pdf", Size: 8000, Digest: digest(p.dice)}},
		Signature: &exchange.Signature{Method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Certificate: exchange.DigestOf(certificate.Raw),
			Subject: certificate.Subject.String(), Serial: certificate.SerialNumber.String(), Matched: exchange.MatchedRegistered},
		AcceptedAt: p.at}
	for _, to := range p.to {
		pkg.Recipients = append(pkg.Recipients, exchange.Recipient{Code: to.Code, As: to.Code, Name: to.Name})
	}
	return pkg
}

func digest(dice *rand.Rand) (d exchange.Digest) {
	for i := 0; i < len(d); i += 8 {
		binary.BigEndian.PutUint64(d[i:], dice.Uint64())
	}
	return d
}

// pastID is a UUID version 7 of a time that is over (RFC 9562, 5.7).
func pastID(dice *rand.Rand, at time.Time) string {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(at.UnixMilli())<<16|0x7000|uint64(dice.IntN(0x1000)))
	binary.BigEndian.PutUint64(u[8:], dice.Uint64()&(1<<62-1)|1<<63)
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
