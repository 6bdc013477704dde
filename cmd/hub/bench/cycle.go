package bench

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tram/exchange"
)

// item is what a recipient needs of an entry in its inbox.
type item struct {
	Delivery struct {
		ID exchange.DeliveryID `json:"id"`
	} `json:"delivery"`
	Package struct {
		ID         exchange.PackageID `json:"id"`
		Kind       exchange.Kind      `json:"kind"`
		Sender     string             `json:"sender"`
		DocumentID string             `json:"documentId"`
		Digest     exchange.Digest    `json:"digest"`
		Size       int64              `json:"size"`
	} `json:"package"`
}

// submitted is the hub's answer to a package.
type submitted struct {
	pkg     exchange.PackageID
	receipt []byte // stands until the connection's next request
	again   bool
}

// submit sends a letter and sees that it is acknowledged.
func (b *bench) submit(ctx context.Context, c *connection, l letter) (submitted, error) {
	a, err := c.submit(ctx, l)
	if err != nil {
		return submitted{}, err
	}
	again := a.header.Get("Idempotent-Replayed") == "true"
	if want := map[bool]int{false: http.StatusCreated, true: http.StatusOK}[again]; a.status != want || a.header.Get("Tram-Receipt") == "" {
		return submitted{}, unexpected("submitting "+l.document, a)
	}
	s := submitted{exchange.PackageID(a.header.Get("Tram-Package")), a.body, again}
	if !again {
		b.accepted.Add(1)
	}
	if b.sample() {
		err = b.verify(a.body, exchange.SubmissionAcceptance, s.pkg, l.digest, nil)
	}
	return s, err
}

// look reads an inbox, and waits for something to come if it is to.
func (b *bench) look(ctx context.Context, c *connection, agency string, limit int, wait bool) ([]item, error) {
	path := fmt.Sprintf("/v1/inbox?agency=%s&limit=%d", agency, limit)
	if wait {
		path += "&wait=30s"
	}
	a, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, unexpected("reading the inbox of "+agency, a)
	}
	var page struct {
		Items []item `json:"items"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		return nil, fmt.Errorf("the inbox of %s: %w", agency, err)
	}
	return page.Items, nil
}

// fetch gets a delivery's content and compares its digest.
func (b *bench) fetch(ctx context.Context, c *connection, i item) error {
	digest := sha256.New()
	a, err := c.exchange(ctx, http.MethodGet, "/v1/deliveries/"+string(i.Delivery.ID)+"/content", 0, func() error { return nil }, digest)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return unexpected("fetching "+string(i.Delivery.ID), a)
	}
	if got := exchange.Digest(digest.Sum(nil)); got != i.Package.Digest {
		return fmt.Errorf("the content of %s has the digest %s, the inbox says %s", i.Delivery.ID, got, i.Package.Digest)
	}
	return nil
}

// acknowledge seals the recipient's answer and sends it.
func (b *bench) acknowledge(ctx context.Context, c *connection, by *Agency, i item) error {
	p := exchange.Package{ID: i.Package.ID, DocumentID: i.Package.DocumentID, Digest: i.Package.Digest, Sender: i.Package.Sender}
	ack := exchange.NewAcknowledgement(p, by.Code, exchange.AnswerAccepted, "", time.Now())
	sealed, err := by.Sealer.Seal(ack.Canonical(), ack.Time)
	if err != nil {
		return err
	}
	a, err := c.ask(ctx, http.MethodPost, "/v1/deliveries/"+string(i.Delivery.ID)+"/acknowledgement", sealed)
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated || a.header.Get("Tram-Receipt") == "" {
		return unexpected("acknowledging "+string(i.Delivery.ID), a)
	}
	b.settled.Add(1)
	if b.sample() {
		return b.verify(a.body, exchange.ContentHandover, i.Package.ID, i.Package.Digest, sealed)
	}
	return nil
}

func unexpected(doing string, a answer) error {
	return fmt.Errorf("%s: the hub answers %d: %.500s", doing, a.status, a.body)
}

// pair is a sender and a recipient, each with a connection of its own.
type pair struct {
	from, to           *Agency
	sending, receiving *connection
}

func (b *bench) pair(n int) *pair {
	from, to := b.site.Agencies[2*n], b.site.Agencies[2*n+1]
	return &pair{from, to, b.site.connection(from), b.site.connection(to)}
}

func (p *pair) close() {
	p.sending.close()
	p.receiving.close()
}

// cycle takes one letter from its sender to its recipient and brings the signed
// answer back. begin is when it was to begin.
func (b *bench) cycle(ctx context.Context, p *pair, l letter, begin time.Time) error {
	s, err := b.submit(ctx, p.sending, l)
	if err != nil {
		return err
	}
	if s.again {
		return fmt.Errorf("%s was new, and is answered as submitted before", l.document)
	}
	accepted := time.Now()
	b.times.add(stepSubmit, accepted.Sub(begin))
	items, err := b.look(ctx, p.receiving, p.to.Code, 1, true)
	if err != nil {
		return err
	}
	arrived := time.Now()
	if len(items) != 1 || items[0].Package.ID != s.pkg || items[0].Package.Digest != l.digest {
		return fmt.Errorf("package %s does not come into the inbox of %s: %v", s.pkg, p.to.Code, items)
	}
	b.times.add(stepArrive, arrived.Sub(accepted))
	return b.take(ctx, p.receiving, p.to, items[0], begin)
}

// take fetches and answers what came into an inbox.
func (b *bench) take(ctx context.Context, c *connection, by *Agency, i item, begin time.Time) error {
	seen := time.Now()
	if err := b.fetch(ctx, c, i); err != nil {
		return err
	}
	fetched := time.Now()
	b.times.add(stepFetch, fetched.Sub(seen))
	if err := b.acknowledge(ctx, c, by, i); err != nil {
		return err
	}
	done := time.Now()
	b.times.add(stepAcknowledge, done.Sub(fetched))
	if !begin.IsZero() {
		b.times.add(stepCycle, done.Sub(begin))
	}
	return nil
}

// verify verifies a receipt as a recipient of it may: seal, event, content and,
// if there is one, the answer in it.
func (b *bench) verify(raw []byte, event exchange.Event, pkg exchange.PackageID, digest exchange.Digest, ack []byte) error {
	r, e, doc, err := exchange.ParseReceipt(raw)
	if err != nil {
		return fmt.Errorf("a receipt of package %s: %w", pkg, err)
	}
	known := false
	for _, s := range b.seals {
		known = known || doc.Signature.Certificate.Equal(s.Certificate)
	}
	switch {
	case !known:
		err = fmt.Errorf("is sealed by %s, not by the hub", doc.Signature.Certificate.Subject)
	case r.Event != event || r.Package != pkg:
		err = fmt.Errorf("is a %s of package %s, not a %s", r.Event, r.Package, event)
	case len(e.Parts) == 0 || e.Parts[0].Digest != digest:
		err = fmt.Errorf("is not bound to the content %s", digest)
	case string(e.Acknowledgement) != string(ack):
		err = fmt.Errorf("does not hold the answer that was given")
	}
	if err != nil {
		return fmt.Errorf("receipt %s of package %s %w", r.ID, pkg, err)
	}
	b.verified.Add(1)
	return nil
}

// sampled is how many receipts there are to one that is verified whole.
const sampled = 100

func (b *bench) sample() bool { return b.receipts.Add(1)%sampled == 1 }
