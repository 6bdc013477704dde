package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
	"tram/signing"
)

// handle does to a delivery what the plan says.
func (m *partner) handle(ctx context.Context, item exchange.InboxItem) {
	a := m.plan.choose(item)
	m.tell(about("received", item))
	if a.Ignore {
		m.tell(about("ignored", item))
		return
	}
	if pause(ctx, a.Slow) != nil || m.up(ctx) != nil {
		return
	}
	if _, err := m.fetch.fetch(ctx, item.Delivery.ID); err != nil {
		m.failed(about("fetched", item), err)
		if passes(err) {
			m.again(item.Delivery.ID)
		}
		return
	}
	m.tell(about("fetched", item))
	steps := a.Steps
	if len(steps) == 0 {
		steps = []step{{Answer: "accept"}}
	}
	for i, s := range steps {
		if pause(ctx, s.After) != nil {
			return
		}
		for n := range max(s.Times, 1) {
			if m.up(ctx) != nil {
				return
			}
			if err := m.step(ctx, item, s, fmt.Sprintf("%d-%d", i, n)); err != nil && ctx.Err() == nil {
				m.failed(about("", item), err)
			}
		}
	}
}

// step answers the delivery, or reports a status.
func (m *partner) step(ctx context.Context, item exchange.InboxItem, s step, place string) error {
	if s.Status != "" {
		return m.report(ctx, item, s, place)
	}
	a := answering{refuse: s.Answer == "refuse", reason: s.Reason, unsigned: m.by.key == nil}
	if !a.refuse {
		a.reason = ""
	}
	answer, err := m.answer(a, item, m.file(string(item.Delivery.ID)+"."+s.Answer+".xml"))
	if err != nil {
		return err
	}
	receipt, before, err := m.hub.Acknowledge(ctx, item.Delivery.ID, answer)
	if err != nil {
		return err
	}
	e := about("answered", item)
	e.Receipt, e.Before, e.Detail = receipt.Event, before, a.reason
	m.tell(e)
	return nil
}

// report sends a status about a delivery's document to its sender. One that is
// repeated is another package each time, as software that repeats itself sends it.
func (m *partner) report(ctx context.Context, item exchange.InboxItem, s step, place string) error {
	p := item.Package
	status := edxml.Status{Code: s.Status, To: p.Sender, ID: p.DocumentID, Notation: document(p), Description: s.Reason}
	if len(p.Targets) > 0 { // the answer to a recall or an update is about the document
		status.ID = p.Targets[0]
	}
	status.Date, _ = time.Parse("2006/01/02", p.PromulgationDate) // the hub held it to the form
	d := edxml.Document{Kind: exchange.KindStatus, From: organ(m.settings.Agency), Sent: time.Now(), Status: status,
		Staff: edxml.Staff{Department: "Văn thư", Name: "agency mock"}}
	if s.Status == "14" { // no status of the standard: written as that client writes it
		d.Status.Code = "15"
	}
	sent, err := m.submit(ctx, d, fmt.Sprintf("%s.%s-%s", item.Delivery.ID, s.Status, place), func(doc string) string {
		if s.Status == "14" {
			return strings.Replace(doc, "StatusCode>15<", "StatusCode>14<", 1)
		}
		return doc
	})
	if err != nil {
		return err
	}
	e := about("status", item)
	e.Status, e.Package, e.Before, e.Detail = s.Status, sent.Package, sent.Resubmitted, s.Reason
	m.tell(e)
	return nil
}

// submit writes a document, signs it if there is a key, and submits it. Its file
// stays in the partner's directory. edit changes what is written; nil: nothing.
func (m *partner) submit(ctx context.Context, d edxml.Document, name string, edit func(string) string) (exchange.Submission, error) {
	file := m.file(name + ".edxml")
	if err := m.write(file, d, edit); err != nil {
		return exchange.Submission{}, err
	}
	f, err := os.Open(file)
	if err != nil {
		return exchange.Submission{}, err
	}
	defer f.Close()
	sent, err := m.hub.Submit(ctx, f, -1)
	if err != nil {
		return sent, err
	}
	return sent, writeBytes(file+".receipt.xml", true, 0o644, sent.Receipt.Raw)
}

// write makes a package's file.
func (m *partner) write(file string, d edxml.Document, edit func(string) string) error {
	var plain strings.Builder
	if err := edxml.Write(&plain, d); err != nil {
		return fmt.Errorf("composing: %w", err)
	}
	doc := plain.String()
	if edit != nil {
		doc = edit(doc)
	}
	return writing(file, true, 0o644, func(w io.Writer) error {
		if m.by.key == nil {
			_, err := io.WriteString(w, doc)
			return err
		}
		return signing.Sign(w, strings.NewReader(doc), m.by.key, m.by.chain, edxml.SignaturePlace())
	})
}
