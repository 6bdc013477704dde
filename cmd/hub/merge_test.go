package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/adapters/httpclient"
	"tram/exchange"
)

// TestMerge is the story of Bạc Liêu (H04), which became a part of Cà Mau (H12):
// nothing new goes to the old code or comes from it, and what is open goes on.
func TestMerge(t *testing.T) {
	t.Parallel()
	s := newSite(t).start()
	caMau, bacLieu, ministry := s.join("H12"), s.join("H04"), s.join("G14")
	ctx := t.Context()
	_, err := ministry.submit(ctx, ministry.signed(t, ministry.letter(1, 100, "H04")))
	must(t, err)
	theirs := bacLieu.letter(2, 100, "G14")
	_, err = bacLieu.submit(ctx, bacLieu.signed(t, theirs))
	must(t, err)
	theirsID := strings.Join([]string{"H04", theirs.Date.Format("2006/01/02"), "2/TN"}, ",")

	if _, errOut, code := s.hub("agency", "merge", "H04", "--into", "H04", "--config", s.config()); code != exitFailed || !strings.Contains(errOut, "one agency") {
		t.Errorf("merged into itself: %d %s", code, errOut)
	}
	today := time.Now().In(exchange.Vietnam).Format(time.DateOnly)
	for range 2 { // what was begun may be done again
		out := s.mustHub("agency", "merge", "H04", "--into", "H12", "--on", today, "--config", s.config())
		if !strings.Contains(out, "merged into") || !strings.Contains(out, "H12") {
			t.Errorf("merge says:\n%s", out)
		}
	}

	refused := func(what string, err error) {
		t.Helper()
		var p *httpclient.Problem
		if !errors.As(err, &p) || p.Code != exchange.UnknownAgency || !strings.Contains(p.Detail, `"H12"`) || !strings.Contains(p.Detail, today) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = ministry.submit(ctx, ministry.signed(t, ministry.letter(3, 100, "H04")))
	refused("a document to the old code", err)
	_, err = bacLieu.submit(ctx, bacLieu.signed(t, bacLieu.letter(4, 100, "G14")))
	refused("a document from the old code", err)
	_, err = caMau.submit(ctx, caMau.sign(t, unsigned(t, bacLieu.letter(5, 100, "G14"))))
	refused("the successor's document in the old name", err)

	// The delivery that was open is the successor's to answer, with its own key.
	page, err := caMau.hub.Inbox(ctx, "", "", 0, 0)
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Delivery.Recipient != "H04" {
		t.Fatalf("the successor's inbox: %+v", page)
	}
	item := page.Items[0]
	_, err = caMau.fetch(ctx, item)
	must(t, err)
	a := exchange.NewAcknowledgement(item.Package, "H04", exchange.AnswerAccepted, "", time.Now())
	raw, err := caMau.sealer.Seal(a.Canonical(), a.Time)
	must(t, err)
	done, _, err := caMau.hub.Acknowledge(ctx, item.Delivery.ID, raw)
	must(t, err)
	if done.Event != exchange.ContentHandover {
		t.Errorf("the answer brought %s", done.Event)
	}

	// A status about what the old agency sent reaches the successor, which may take
	// the document back.
	_, err = ministry.submit(ctx, ministry.sign(t, unsigned(t, edxml.Document{Kind: exchange.KindStatus, From: edxml.Organ{Code: "G14", Name: "Bộ"}, Date: time.Now(), Sent: time.Now(),
		Staff:  edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"},
		Status: edxml.Status{Code: "03", To: "H04", ID: theirsID, Notation: "2/TN", Date: theirs.Date, Description: "Đã tiếp nhận"}})))
	must(t, err)
	if page, err = caMau.hub.Inbox(ctx, "H12", "", 0, 10*time.Second); err != nil || len(page.Items) != 1 || page.Items[0].Package.Kind != exchange.KindStatus {
		t.Errorf("the status: %+v, %v", page, err)
	}
	recall := bacLieu.letter(2, 0, "G14")
	recall.Kind, recall.Target, recall.Reason, recall.Attachments = exchange.KindRecall, theirsID, "Gửi nhầm", nil
	_, err = caMau.submit(ctx, caMau.sign(t, unsigned(t, recall)))
	must(t, err)
	// Nobody else's certificate signs for the old code.
	recall.Reason = "Gửi nhầm nơi"
	_, err = caMau.submit(ctx, ministry.sign(t, unsigned(t, recall)))
	var p *httpclient.Problem
	if !errors.As(err, &p) || p.Code != exchange.NotPermitted {
		t.Errorf("a recall signed by somebody else: %v", err)
	}
	s.stop()
	healthy(t, s)
}
