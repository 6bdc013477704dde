package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tram/adapters/bolt"
	"tram/adapters/disk"
	"tram/adapters/edxml"
	"tram/adapters/memory"
	"tram/exchange"
	"tram/signing"
)

const origin = "tram.camau.example/log"

// Agencies of the province. All have a system of their own, "sys-" and the code.
const (
	finance = "H12.07" // also 000.00.07.H12; 000.00.77.H12 until it was closed, 000.00.78.H12 from next year
	health  = "H12.12" // also 000.00.12.H12
	ward    = "H12.40"
	commune = "H12.41" // is told of its deliveries
	school  = "H12.50" // cannot sign yet
	gone    = "H12.60" // closed
)

var start = time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)

// A clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// courier answers as the test says.
type courier struct {
	mu   sync.Mutex
	sent []exchange.Delivery
	send func(context.Context, exchange.Agency, exchange.Delivery, exchange.Package) error
}

func (c *courier) Send(ctx context.Context, to exchange.Agency, d exchange.Delivery, p exchange.Package) error {
	c.mu.Lock()
	c.sent = append(c.sent, d)
	send := c.send
	c.mu.Unlock()
	if send == nil {
		return nil
	}
	return send(ctx, to, d, p)
}

func (c *courier) answers(send func(context.Context, exchange.Agency, exchange.Delivery, exchange.Package) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send = send
}

func (c *courier) attempts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// A province is a hub with real stores and real keys, and agencies around it.
type province struct {
	testing.TB
	x       *exchange.Exchange
	ledger  *bolt.Ledger
	vault   *disk.Vault
	queue   *memory.Queue
	courier *courier
	clock   *clock
	dir     string
	vaultAt string
	stamper exchange.TimeStamper // nil: receipts have no time-stamps
	// authorities are asked about revocation, if there are any.
	authorities *authorities
	policy      exchange.RevocationPolicy
	atOnce      int // recipients whose deliveries acceptance consigns
}

// newProvince opens a hub. When the test is over, everything it left is audited.
func newProvince(t testing.TB) *province {
	t.Helper()
	return provinceOn(t, newVault(t))
}

// provinceOn keeps its packages in a vault that others may use too: making one is
// most of the work for a small test.
func provinceOn(t testing.TB, vault string) *province {
	t.Helper()
	p := provinceOf(t, vault, template())
	t.Cleanup(func() {
		if !t.Failed() {
			audit(t, p.ledger, p.vault)
		}
	})
	return p
}

// emptyProvince has its stores and nothing in them.
func emptyProvince(t testing.TB) *province { return provinceOf(t, newVault(t), nil) }

func newVault(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	if err := disk.Create(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// provinceOf begins with a copy of a ledger, or with an empty one.
func provinceOf(t testing.TB, vault string, ledger []byte) *province {
	t.Helper()
	p := &province{TB: t, dir: t.TempDir(), vaultAt: vault, queue: memory.New(memory.Options{}), courier: &courier{}, clock: &clock{now: start}}
	path := filepath.Join(p.dir, "ledger.db")
	err := error(nil)
	if ledger != nil {
		err = os.WriteFile(path, ledger, 0o600)
	} else {
		err = bolt.Create(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.open()
	t.Cleanup(p.close)
	p.x = must(exchange.New(p.config()))
	return p
}

// template is a ledger with the province's agencies in it, made once.
var template = sync.OnceValue(func() []byte {
	dir := must(os.MkdirTemp("", "province"))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.db")
	if err := bolt.Create(path); err != nil {
		panic(err)
	}
	p := &province{ledger: must(bolt.Open(path, bolt.Options{})), vault: &disk.Vault{}, queue: memory.New(memory.Options{}), courier: &courier{}, clock: &clock{now: start}}
	p.x = must(exchange.New(p.config()))
	p.register()
	if err := p.ledger.Close(); err != nil {
		panic(err)
	}
	return must(os.ReadFile(path))
})

func (p *province) open() {
	p.Helper()
	var err error
	if p.ledger, err = bolt.Open(filepath.Join(p.dir, "ledger.db"), bolt.Options{}); err != nil {
		p.Fatal(err)
	}
	if p.vault, err = disk.Open(p.vaultAt, disk.Options{Now: p.clock.Now}); err != nil {
		p.Fatal(err)
	}
}

func (p *province) close() {
	p.Helper()
	if err := errors.Join(p.ledger.Close(), p.vault.Close()); err != nil {
		p.Error(err)
	}
}

func (p *province) config() exchange.Config {
	hub := holders()["hub"]
	skey, vkey := logKeys()
	c := exchange.Config{
		Keys:   exchange.Keys{Hub: exchange.Hub{Code: "tram.camau.example"}, Origin: origin, LogKey: vkey},
		Hub:    exchange.Hub{Code: "tram.camau.example", Name: "Trạm tỉnh Cà Mau", Policy: "urn:example:policy:1"},
		Origin: origin, Ledger: p.ledger, Vault: p.vault, Queue: p.queue, Courier: p.courier, Format: edxml.New(edxml.Options{}),
		Trust:  must(signing.NewTrust(authority().chain, nil)),
		Seals:  []exchange.Seal{{Sealer: must(signing.NewSealer(hub.key, hub.chain))}},
		LogKey: must(note.NewSigner(skey)), SecretKey: bytes.Repeat([]byte{7}, 32),
		Retry: exchange.RetryPolicy{First: time.Minute, Most: time.Hour},
		Now:   p.clock.Now,

		TimeStamper: p.stamper,
		AtOnce:      p.atOnce,
	}
	if p.authorities != nil {
		c.Revocation, c.RevocationPolicy = p.authorities, p.policy
	}
	return c
}

var (
	administrator = exchange.Caller{User: &exchange.User{ID: "an", Role: exchange.Administrator}}
	operator      = exchange.Caller{User: &exchange.User{ID: "binh", Role: exchange.Operator}}
	auditor       = exchange.Caller{User: &exchange.User{ID: "chi", Role: exchange.Auditor}}
)

// system is the caller that speaks for an agency.
func system(codes ...string) exchange.Caller {
	return exchange.Caller{System: &exchange.System{ID: "sys-" + codes[0], Name: codes[0], Agencies: codes}}
}

// register is for the template, which belongs to no test.
func (p *province) register() {
	for _, a := range []exchange.Agency{
		{Code: finance, Name: "Sở Tài chính", Aliases: []exchange.Alias{{Code: "000.00.07.H12"},
			{Code: "000.00.77.H12", Until: start.AddDate(0, -1, 0)}, {Code: "000.00.78.H12", From: start.AddDate(1, 0, 0)}}},
		{Code: health, Name: "Sở Y tế", Aliases: []exchange.Alias{{Code: "000.00.12.H12"}}},
		{Code: ward, Name: "UBND phường An Xuyên"},
		{Code: commune, Name: "UBND xã Đất Mũi", Mode: exchange.Push, Webhook: "https://dat-mui.example/hook"},
		{Code: school, Name: "Trường THPT", Policy: exchange.IfPresent},
		{Code: gone, Name: "Phòng đã giải thể", Closed: start.AddDate(0, -2, 0)},
	} {
		for _, c := range holders()[a.Code].chain {
			a.Certificates = append(a.Certificates, exchange.Certificate{DER: c.Raw})
		}
		if a.Code == finance {
			a.Certificates = append(a.Certificates, exchange.Certificate{DER: holders()["short"].chain[0].Raw})
		}
		must(p.x.PutAgency(context.Background(), administrator, a))
		must(p.x.PutSystem(context.Background(), administrator, *system(a.Code).System))
	}
}

// document is a document of finance to some agencies.
func document(number string, to ...string) edxml.Document {
	d := edxml.Document{From: edxml.Organ{Code: finance, Name: "Sở Tài chính"}, Number: number, Notation: "STC-NS",
		Date: start, TypeName: "Công văn", Subject: "V/v phân bổ kinh phí", Sent: start,
		Attachments: []edxml.Attachment{{Name: "CV.pdf", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("%PDF-1.4 " + number)), nil
		}}}}
	for _, code := range to {
		d.To = append(d.To, edxml.Organ{Code: code, Name: code})
	}
	return d
}

// documentID is what document makes of its number.
func documentID(number string) string { return finance + ",2026/11/20," + number + "/STC-NS" }

// about is a package of a kind about an earlier document.
func about(kind exchange.Kind, number string, to ...string) edxml.Document {
	d := document(number, to...)
	d.Kind, d.ID, d.Target, d.Reason, d.Attachments = kind, documentID(number), documentID(number), "sai phụ lục", nil
	return d
}

// status is what an agency says about a document of finance.
func status(from, code, number string) edxml.Document {
	return edxml.Document{Kind: exchange.KindStatus, From: edxml.Organ{Code: from, Name: from}, Sent: start,
		Status: edxml.Status{Code: code, To: finance, ID: documentID(number), Notation: number + "/STC-NS", Date: start, Description: "ý kiến"}}
}

func unsigned(t testing.TB, d edxml.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := edxml.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signed is a package signed by the sender, or by someone else.
func signed(t testing.TB, d edxml.Document, by ...string) []byte {
	t.Helper()
	who := d.From.Code
	if len(by) > 0 {
		who = by[0]
	}
	h, ok := holders()[who]
	if !ok {
		h = holders()[finance] // one of its other codes
	}
	var b bytes.Buffer
	if err := signing.Sign(&b, bytes.NewReader(unsigned(t, d)), h.key, h.chain, edxml.SignaturePlace()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// submit hands a package in and expects it to be accepted.
func (p *province) submit(from string, body []byte) exchange.Submission {
	p.Helper()
	s, err := p.x.Submit(p.Context(), system(from), bytes.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// work attends to all that is due, as workers would.
func (p *province) work() {
	p.Helper()
	due, err := p.ledger.Due(p.Context(), p.clock.Now(), 1000)
	if err != nil {
		p.Fatal(err)
	}
	for _, d := range due {
		_ = p.x.Deliver(p.Context(), d.ID) // the ledger knows how it ended
	}
}

// sent submits a document of finance and puts it into the inboxes.
func (p *province) sent(number string, to ...string) exchange.PackageID {
	p.Helper()
	s := p.submit(finance, signed(p, document(number, to...)))
	p.work()
	return s.Package
}

func (p *province) delivery(id exchange.PackageID, n int) exchange.Delivery {
	p.Helper()
	d, err := p.ledger.Delivery(p.Context(), exchange.NewDeliveryID(id, n))
	if err != nil {
		p.Fatal(err)
	}
	return d
}

// inState expects the nth delivery of a package in a state.
func (p *province) inState(id exchange.PackageID, n int, want exchange.State) exchange.Delivery {
	p.Helper()
	d := p.delivery(id, n)
	if d.State != want {
		p.Errorf("delivery %d to %s is %s, want %s", n, d.Recipient, d.State, want)
	}
	return d
}

// fetch reads a delivery's content as its recipient.
func (p *province) fetch(d exchange.Delivery) []byte {
	p.Helper()
	_, content, err := p.x.DeliveryContent(p.Context(), system(d.Recipient), d.ID)
	if err != nil {
		p.Fatal(err)
	}
	defer content.Close()
	return must(io.ReadAll(content))
}

// answer is the recipient's acknowledgement, signed by it or by someone else.
func (p *province) answer(d exchange.Delivery, o exchange.Outcome, reason string, by ...string) []byte {
	p.Helper()
	pkg, err := p.ledger.Package(p.Context(), d.Package)
	if err != nil {
		p.Fatal(err)
	}
	who := d.Recipient
	if len(by) > 0 {
		who = by[0]
	}
	h := holders()[who]
	a := exchange.NewAcknowledgement(pkg, d.Recipient, o, reason, p.clock.Now())
	return must(must(signing.NewSealer(h.key, h.chain)).Seal(a.Canonical(), a.Time))
}

// acknowledge sends an answer and expects it to be taken.
func (p *province) acknowledge(d exchange.Delivery, body []byte) exchange.Receipt {
	p.Helper()
	r, _, err := p.x.Acknowledge(p.Context(), system(d.Recipient), d.ID, bytes.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	return r
}

// evidence reads the one receipt of a delivery, or of the package, about an
// event; the test fails if there is none or more than one.
func (p *province) evidence(id exchange.PackageID, delivery exchange.DeliveryID, event exchange.Event) exchange.Evidence {
	p.Helper()
	receipts, err := p.ledger.Receipts(p.Context(), id)
	if err != nil {
		p.Fatal(err)
	}
	var found []exchange.Evidence
	for _, r := range receipts {
		if r.Event == event && r.Delivery == delivery {
			_, e, _, err := exchange.ParseReceipt(r.Raw)
			if err != nil {
				p.Fatal(err)
			}
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		p.Fatalf("%d receipts %s of %q", len(found), event, delivery)
	}
	return found[0]
}

// refused expects a refusal by a rule of a code.
func refused(t testing.TB, err error, code exchange.Code, rule string) *exchange.Error {
	t.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want the refusal %s", err, rule)
	}
	if e.Code() != code || e.Rule.Name != rule {
		t.Fatalf("refused by %s (%s): %v; want %s (%s)", e.Rule.Name, e.Code(), err, rule, code)
	}
	return e
}

func (p *province) sealer(who string) *signing.Sealer {
	return must(signing.NewSealer(holders()[who].key, holders()[who].chain))
}

func (p *province) organ(code string) edxml.Organ { return edxml.Organ{Code: code, Name: code} }
