package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// sendAll sends the documents of one part of the plan until ctx ends.
func (m *partner) sendAll(ctx context.Context, place int, s sendPlan) error {
	count := s.Count
	if count == 0 && s.Every == 0 {
		count = 1
	}
	if pause(ctx, s.After) != nil {
		return nil
	}
	for n := 1; count == 0 || n <= count; n++ {
		if n > 1 && pause(ctx, s.Every) != nil || m.up(ctx) != nil {
			return nil
		}
		d := m.letter(place, n, s)
		if m.sent(ctx, d, fmt.Sprintf("sent-%d-%d", place, n), max(s.Times, 1)) {
			m.follow(ctx, d, place, n, s.Then)
		}
	}
	return nil
}

// letter is the nth document of a part of the plan. Its notation tells apart what
// another run sends.
func (m *partner) letter(place, n int, s sendPlan) edxml.Document {
	now := time.Now().In(exchange.Vietnam)
	subject := strings.ReplaceAll(s.Subject, "{n}", strconv.Itoa(n))
	if subject == "" {
		subject = "Văn bản thử số " + strconv.Itoa(n)
	}
	d := edxml.Document{From: organ(m.settings.Agency), Number: strconv.Itoa(n), Notation: fmt.Sprintf("MOCK%d-%d", place, m.begun.UnixMilli()),
		Date: now, Sent: now, Type: 2, TypeDetail: 18, TypeName: "Công văn", Subject: subject, Content: subject, Priority: s.Priority,
		Signer: edxml.Signer{Position: "Giám đốc", FullName: "Nguyễn Văn A"}, Staff: edxml.Staff{Department: "Văn thư", Name: "agency mock"}}
	d.ID = fmt.Sprintf("%s,%s,%s/%s", d.From.Code, now.Format("2006/01/02"), d.Number, d.Notation)
	for _, to := range s.To {
		d.To = append(d.To, organ(to))
	}
	for _, file := range s.Attach {
		d.Attachments = append(d.Attachments, attachment(file))
	}
	if len(s.Attach) == 0 {
		d.Attachments = []edxml.Attachment{{Name: "CV_" + d.Number + ".pdf", Description: "Văn bản chính",
			Open: func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader("%PDF-1.4\n% " + d.ID + "\n")), nil
			}}}
	}
	return d
}

// follow sends what the plan has to say about a document afterwards. Times count
// from when it was sent.
func (m *partner) follow(ctx context.Context, first edxml.Document, place, n int, then []followPlan) {
	begun := time.Now()
	for i, f := range then {
		if pause(ctx, time.Until(begun.Add(f.After))) != nil || m.up(ctx) != nil {
			return
		}
		m.sent(ctx, followUp(first, f), fmt.Sprintf("sent-%d-%d-%d-%s", place, n, i+1, f.Kind), 1)
	}
}

// followUp is a package about a document that was sent.
func followUp(first edxml.Document, f followPlan) edxml.Document {
	d := first
	d.Kind, d.Sent, d.Target = f.Kind, time.Now(), first.ID
	d.Reason = f.Reason
	if d.Reason == "" {
		d.Reason = "Thử " + string(f.Kind)
	}
	if f.Subject != "" {
		d.Subject, d.Content = f.Subject, f.Subject
	}
	switch f.Kind {
	case exchange.KindRecall:
		d.Attachments = nil
	case exchange.KindUpdate:
		d.Corrected, d.Added, d.Removed = f.Subject != "", f.Add, f.Remove
	case exchange.KindReplace:
		d.Target, d.Number, d.Replaced = "", first.Number+"b", []edxml.Replaced{{ID: first.ID}}
		d.ID = first.ID + "b"
	case exchange.KindStatus:
		d = edxml.Document{Kind: exchange.KindStatus, From: first.From, Sent: d.Sent, Staff: first.Staff,
			Status: edxml.Status{Code: exchange.StatusRecall, To: first.From.Code, ID: first.ID, Notation: first.Number + "/" + first.Notation, Date: first.Date, Description: d.Reason}}
	}
	return d
}

// sent submits a document so many times, and reports whether the hub has it.
func (m *partner) sent(ctx context.Context, d edxml.Document, name string, times int) bool {
	e := event{Event: "sent", Kind: d.Kind, Document: d.Number + "/" + d.Notation}
	if d.Kind == "" {
		e.Kind = exchange.KindNew
	}
	var to []string
	for _, o := range d.To {
		to = append(to, o.Code)
	}
	if e.With = strings.Join(to, ","); d.Kind == exchange.KindStatus {
		e.Status, e.Document = d.Status.Code, d.Status.Notation
	}
	for range times {
		sent, err := m.submit(ctx, d, name, nil)
		if err != nil {
			if ctx.Err() == nil {
				m.failed(e, err)
			}
			return false
		}
		e.Package, e.Receipt, e.Before, e.Detail = sent.Package, sent.Receipt.Event, sent.Resubmitted, d.Subject
		m.tell(e)
	}
	return true
}
