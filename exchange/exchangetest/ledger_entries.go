package exchangetest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"tram/exchange"
)

func (t *ledgerTest) versions() {
	p := t.Submission("H12.01", "d1", "H12.02")
	t.mustAccept(p)
	d := t.deliveriesOf(p)[0]
	if d.Version != 1 {
		t.Fatalf("a new delivery has version %d, want 1", d.Version)
	}
	t.mustUpdate(t.Consign(d))
	before := t.snapshot()
	c, err := t.Consign(d) // read before the change
	t.code(t.Update(t.Context(), must(t, c, err)), exchange.Conflict)
	for _, c := range []exchange.Change{
		{Deliveries: []exchange.Delivery{{ID: p2(p, 2), Package: p.ID, Index: 2, Sender: "H12.01", Recipient: "H12.03", State: exchange.Queued, Version: 4}}},
		{Agencies: []exchange.Agency{{Code: "H12.40", Version: 1}}},
		{Systems: []exchange.System{{ID: "s", Version: 1}}},
		{Users: []exchange.User{{ID: "u", Version: 1}}},
	} {
		t.code(t.Update(t.Context(), c), exchange.Conflict)
	}
	t.unchanged(before)
	if got := t.deliveriesOf(p)[0]; got.Version != 2 {
		t.Errorf("a delivery changed once has version %d, want 2", got.Version)
	}
}

func p2(p exchange.Package, n int) exchange.DeliveryID { return exchange.NewDeliveryID(p.ID, n) }

func (t *ledgerTest) updateAllOrNothing() {
	p := t.Submission("H12.01", "d1", "H12.02", "H12.03")
	t.mustAccept(p)
	d := t.consign(p)
	before := t.snapshot()
	good, err := t.Answer(d[0], exchange.AnswerAccepted)
	c := must(t, good, err)
	stale := d[1]
	stale.Version--
	c.Deliveries = append(c.Deliveries, stale)
	c.Agencies = []exchange.Agency{{Code: "H12.40"}}
	c.Systems = []exchange.System{{ID: "s"}}
	c.Users = []exchange.User{{ID: "u"}}
	c.Actions = []exchange.Action{t.Action("hold", "x")}
	t.code(t.Update(t.Context(), c), exchange.Conflict)
	t.unchanged(before)
	c.Deliveries[1].Version++
	t.mustUpdate(c, nil)
}

func (t *ledgerTest) notFound() {
	p := t.Submission("H12.01", "d1", "H12.02")
	t.mustAccept(p)
	ctx := t.Context()
	for _, id := range []string{"", "x", "x.1", string(p.ID), string(p.ID) + ".0", string(p.ID) + ".01", string(p.ID) + ".2",
		string(p.ID) + ".99999999999999999999", "\x00", "\x00.1", strings.Repeat("9", 70_000)} {
		_, err := t.Delivery(ctx, exchange.DeliveryID(id))
		t.code(err, exchange.NotFound)
	}
	for _, id := range []string{"", "x", string(p.ID) + ".1", "\x00", strings.Repeat("x", 70_000)} {
		_, err := t.Package(ctx, exchange.PackageID(id))
		t.code(err, exchange.NotFound)
		_, err = t.Receipt(ctx, exchange.ReceiptID(id))
		t.code(err, exchange.NotFound)
		_, err = t.Agency(ctx, id)
		t.code(err, exchange.NotFound)
		_, err = t.System(ctx, id)
		t.code(err, exchange.NotFound)
		_, err = t.User(ctx, id)
		t.code(err, exchange.NotFound)
		if list, err := t.DeliveriesOf(ctx, exchange.PackageID(id)); len(list) != 0 || err != nil {
			t.Errorf("deliveries of %.10q: %d, %v", id, len(list), err)
		}
		if list, err := t.Receipts(ctx, exchange.PackageID(id)); len(list) != 0 || err != nil {
			t.Errorf("receipts of %.10q: %d, %v", id, len(list), err)
		}
	}
	for digest, want := range map[exchange.Digest]bool{p.Digest: true, {}: false, {1}: false} {
		if held, err := t.HoldsContent(ctx, digest); held != want || err != nil {
			t.Errorf("holds content %s: %v, %v", digest, held, err)
		}
	}
	_, err := t.AgencyOfCertificate(ctx, exchange.Digest{1})
	t.code(err, exchange.NotFound)
	_, err = t.SystemOfCertificate(ctx, exchange.Digest{1})
	t.code(err, exchange.NotFound)
	_, err = t.FirstReceipt(ctx, t.Submission("H12.01", "d1", "H12.02"))
	t.code(err, exchange.NotFound)
}

func (t *ledgerTest) copies() {
	p := t.Submission("H12.01", "d1", "H12.02")
	c := t.Acceptance(p)
	raw := string(c.Receipts[0].Raw)
	c.Agencies = []exchange.Agency{{Code: "H12.02", Aliases: []exchange.Alias{{Code: "000.00.02.H12"}}}}
	r, _, err := t.Accept(t.Context(), p, c)
	r = must(t, r, err)
	for i := range c.Receipts[0].Raw {
		c.Receipts[0].Raw[i] = 'x'
	}
	c.Deliveries[0].Recipient, c.Agencies[0].Aliases[0].Code = "x", "x"
	p.Recipients[0].Code = "x"
	read, err := t.Receipt(t.Context(), r.ID)
	t.equal("the receipt's document", string(must(t, read, err).Raw), raw)
	for i := range read.Raw {
		read.Raw[i] = 'y' // must neither fault nor change what is kept
	}
	read, err = t.Receipt(t.Context(), r.ID)
	t.equal("the receipt's document, read again", string(must(t, read, err).Raw), raw)
	a, err := t.Agency(t.Context(), "000.00.02.H12")
	t.equal("the agency", must(t, a, err).Code, "H12.02")
	kept, err := t.Package(t.Context(), p.ID)
	t.equal("the recipient", must(t, kept, err).Recipients[0].Code, "H12.02")
}

func (t *ledgerTest) reopen() {
	p := t.Submission("H12.01", "d1", "H12.02", "H12.03")
	t.mustAccept(p)
	t.mustUpdate(t.Answer(t.consign(p)[0], exchange.AnswerAccepted))
	t.mustUpdate(exchange.Change{Agencies: []exchange.Agency{{Code: "H12.40", Aliases: []exchange.Alias{{Code: "old"}}}},
		Systems: []exchange.System{{ID: "s"}}, Users: []exchange.User{{ID: "u"}}, Actions: []exchange.Action{t.Action("put-agency", "H12.40")}}, nil)
	before := t.snapshot()
	t.Ledger = t.open()
	t.unchanged(before)
	t.mustUpdate(t.Answer(t.deliveriesOf(p)[1], exchange.AnswerRefused))
	t.mustAccept(t.Submission("H12.01", "d2", "H12.02"))
	t.checkLog()
}

func (t *ledgerTest) systems() {
	cert := exchange.Digest{7}
	s := exchange.System{ID: "qlvb", Name: "QLVB", Agencies: []string{"H12.01"}, Certificates: []exchange.Digest{cert}}
	u := exchange.User{ID: "an", Name: "An", Role: exchange.Operator, Secrets: []exchange.Secret{{SHA256: exchange.Digest{9}}}}
	t.mustUpdate(exchange.Change{Systems: []exchange.System{s, {ID: "a"}}, Users: []exchange.User{u, {ID: "a"}}}, nil)
	s.Version, u.Version = 1, 1
	system, err := t.System(t.Context(), "qlvb")
	t.equal("system", must(t, system, err), s)
	system, err = t.SystemOfCertificate(t.Context(), cert)
	t.equal("system by certificate", must(t, system, err), s)
	user, err := t.User(t.Context(), "an")
	t.equal("user", must(t, user, err), u)
	systems, err := t.Systems(t.Context())
	t.equal("systems", must(t, systems, err), []exchange.System{{ID: "a", Version: 1}, s})
	users, err := t.Users(t.Context())
	t.equal("users", must(t, users, err), []exchange.User{{ID: "a", Version: 1}, u})

	s.Certificates, s.Disabled = nil, true
	t.mustUpdate(exchange.Change{Systems: []exchange.System{s}}, nil)
	_, err = t.SystemOfCertificate(t.Context(), cert)
	t.code(err, exchange.NotFound)
}

func (t *ledgerTest) cancelled() {
	p := t.Submission("H12.01", "d1", "H12.02")
	t.mustAccept(p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := t.snapshot()
	q := t.Submission("H12.01", "d2", "H12.02")
	_, _, err := t.Accept(ctx, q, t.Acceptance(q))
	_, backupErr := t.Backup(ctx, io.Discard)
	for name, err := range map[string]error{"Accept": err, "Update": t.Update(ctx, exchange.Change{Users: []exchange.User{{ID: "u"}}}),
		"Backup": backupErr} {
		if err == nil {
			t.Errorf("%s with a context that had ended succeeded", name)
		}
	}
	if _, err := t.Package(ctx, p.ID); err == nil {
		t.Errorf("a read with a context that had ended succeeded")
	}
	t.unchanged(before)
}

func (t *ledgerTest) backup() {
	for n := range 5 {
		t.mustAccept(t.Submission("H12.01", fmt.Sprint("d", n), "H12.02"))
	}
	var size int
	leaves, err := t.Backup(t.Context(), writerFunc(func(b []byte) (int, error) {
		size += len(b)
		return len(b), nil
	}))
	if logged, logErr := t.LogSize(t.Context()); err != nil || logErr != nil || size == 0 || leaves != logged {
		t.Errorf("backup of %d bytes with %d leaves of %d: %v, %v", size, leaves, logged, err, logErr)
	}
	full := fmt.Errorf("no space left")
	if _, err := t.Backup(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full })); err == nil {
		t.Errorf("a backup that could not be written succeeded")
	}
	t.mustAccept(t.Submission("H12.01", "after", "H12.02"))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (t *ledgerTest) broadcast() {
	var recipients []string
	for n := range 440 {
		recipients = append(recipients, fmt.Sprintf("H12.%03d", n))
	}
	p := t.Submission("H12.01", "d1", recipients...)
	c := t.mustAccept(p)
	for i := range c.Deliveries {
		c.Deliveries[i].Version = 1
	}
	t.equal("deliveries in the order of recipients", t.deliveriesOf(p), c.Deliveries)
	for i := range c.Deliveries { // all in one change
		c.Deliveries[i].Next = c.Deliveries[i].Next.Add(time.Minute)
	}
	t.mustUpdate(exchange.Change{Deliveries: c.Deliveries}, nil)
	if n := must2(t.Counts(t.Context())); n[exchange.Queued] != 440 {
		t.Errorf("%d queued, want 440", n[exchange.Queued])
	}
}

// must2 drops an error whose value shows it.
func must2[T any](v T, _ error) T { return v }

func (t *ledgerTest) oddValues() {
	for n, at := range []time.Time{{}, time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(1969, 7, 20, 20, 17, 0, 0, time.FixedZone("", 7*3600))} {
		p := t.Submission("Sở «Nội vụ» / 1", fmt.Sprintf("số %d/QĐ-UBND \n|:.", n), "H12.02")
		c := t.Acceptance(p)
		c.Deliveries[0].Deadline, c.Deliveries[0].Next = at, at
		if _, _, err := t.Accept(t.Context(), p, c); err != nil {
			t.Errorf("deadline %v: %v", at, err)
			continue
		}
		if got := t.deliveriesOf(p)[0].Deadline; !got.Equal(at) {
			t.Errorf("deadline %v was kept as %v", at, got)
		}
		found, _, err := t.Packages(t.Context(), exchange.PackageQuery{Sender: p.Sender, DocumentID: p.DocumentID, Limit: 5})
		if len(found) != 1 || found[0].ID != p.ID || err != nil {
			t.Errorf("%q: found %d, %v", p.DocumentID, len(found), err)
		}
	}
	due, err := t.Due(t.Context(), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 10)
	if len(due) != 2 || err != nil { // not the zero one, which is never due, nor the latest
		t.Errorf("due by 2000: %d, want 2, %v", len(due), err)
	}
	p := t.Submission("H12.01", strings.Repeat("d", 1<<20), "H12.02")
	if _, _, err := t.Accept(t.Context(), p, t.Acceptance(p)); err != nil {
		t.code(err, exchange.Malformed) // a ledger may have limits, and says so
	}
	t.mustAccept(t.Submission("H12.01", "after", "H12.02"))
}
