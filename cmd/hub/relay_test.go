package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// pair of hubs: near is a province's, far is the axis that it relays to, and has an
// agency of its own.
type relayed struct {
	near, far *site
	sender    *member     // H12.07, at near
	local     *member     // H12.12, at near
	ministry  *axisClient // G14.04, at far, with software of the axis
}

func newRelayed(t *testing.T) relayed {
	t.Helper()
	quick := setting("retry_first: 30s", "retry_first: 1s")
	var r relayed
	r.far = newSite(t)
	const secret = "secret-of-the-province"
	file := filepath.Join(t.TempDir(), "axis.secret")
	must(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	r.near = newSite(t, quick, func(yaml string) string {
		return yaml + fmt.Sprintf("\nrelay:\n  - {name: quoc-gia, url: \"https://%s/\", system: H12, secret_file: %q, prefixes: [\"*\"], except: [H12], poll: 500ms, roots: %q}\n",
			r.far.address, file, r.far.path("keys", "tls-root.pem"))
	})
	roots, err := os.OpenFile(r.far.path("trust", "roots.pem"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = roots.WriteString(pemOf(r.near.authority.certificate))
	must(t, err)
	must(t, roots.Close())
	r.far.start()
	r.ministry = r.far.axis("G14.04", "secret-of-the-ministry", "G14.04")
	r.far.axis("H12", secret, "H12.07")
	r.near.start()
	r.sender, r.local = r.near.join("H12.07"), r.near.join("H12.12")
	known, err := r.far.admin.Agency(t.Context(), "H12.07")
	must(t, err)
	_, err = r.far.admin.PutAgency(t.Context(), known, pemOf(r.sender.certificate))
	must(t, err)
	return r
}

// delivery waits until a delivery is in a state.
func (r relayed) delivery(t *testing.T, id exchange.PackageID, n int, want exchange.State) (d exchange.Delivery) {
	t.Helper()
	eventually(t, fmt.Sprintf("recipient %d is %s", n, want), func() bool {
		view, err := r.sender.hub.Package(t.Context(), id)
		if err != nil || len(view.Deliveries) < n {
			return false
		}
		d = view.Deliveries[n-1]
		return d.State == want
	})
	return d
}

// says is a status of the ministry on a letter, which it sends as its software does.
func (r relayed) says(t *testing.T, code string, d edxml.Document) {
	t.Helper()
	answer := edxml.Document{Kind: exchange.KindStatus, From: edxml.Organ{Code: "G14.04", Name: "Bộ"}, Date: time.Now(), Sent: time.Now(),
		Staff: edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"},
		Status: edxml.Status{Code: code, To: d.From.Code, ID: strings.Join([]string{d.From.Code, d.Date.Format("2006/01/02"), d.Number + "/" + d.Notation}, ","),
			Notation: d.Number + "/" + d.Notation, Date: d.Date, Description: "Đã xem"}}
	if reply := r.ministry.send(unsigned(t, answer), "status", "G14.04", d.From.Code); reply.Code != "0" {
		t.Fatalf("the status: %+v", reply)
	}
}

// TestTwoHubs walks documents between a province and an axis, both as built.
func TestTwoHubs(t *testing.T) {
	t.Parallel()
	r := newRelayed(t)
	ctx := t.Context()
	letter := r.sender.letter(1, 1000, "H12.12", "G14.04")
	body := r.sender.signed(t, letter)
	sent, err := r.sender.submit(ctx, body)
	must(t, err)
	d := r.delivery(t, sent.Package, 2, exchange.Consigned)
	r.delivery(t, sent.Package, 1, exchange.Consigned)
	list := r.ministry.list("/getReceivedEdocList", "edoc")
	if len(list) != 1 || d.UpstreamID == "" {
		t.Fatalf("at the axis: %+v; here %+v", list, d)
	}
	if got := r.ministry.get(list[0].DocID); !bytes.Equal(got, body) {
		t.Error("it came with other bytes than were signed")
	}
	r.says(t, "03", letter)
	r.delivery(t, sent.Package, 2, exchange.HandedOver)
	if page, err := r.sender.hub.Inbox(ctx, "", "", 0, 10*time.Second); err != nil || len(page.Items) != 1 || page.Items[0].Package.Status.Code != "03" {
		t.Errorf("the status in the sender's inbox: %+v, %v", page, err)
	}

	// One that is taken over without a word, one that is refused, and one recalled.
	silent, err := r.sender.submit(ctx, r.sender.signed(t, r.sender.letter(2, 0, "G14.04")))
	must(t, err)
	r.delivery(t, silent.Package, 1, exchange.Consigned)
	r.ministry.mark(r.waiting(t, "2/TN"), "done")
	r.delivery(t, silent.Package, 1, exchange.HandedOver)
	second := r.sender.letter(3, 0, "G14.04")
	refused, err := r.sender.submit(ctx, r.sender.signed(t, second))
	must(t, err)
	r.delivery(t, refused.Package, 1, exchange.Consigned)
	r.says(t, "02", second)
	r.delivery(t, refused.Package, 1, exchange.Rejected)
	third := r.sender.letter(4, 0, "G14.04")
	lost, err := r.sender.submit(ctx, r.sender.signed(t, third))
	must(t, err)
	r.delivery(t, lost.Package, 1, exchange.Consigned)
	recall := third
	recall.Kind, recall.Reason, recall.Attachments = exchange.KindRecall, "Gửi nhầm", nil
	recall.Target = strings.Join([]string{"H12.07", third.Date.Format("2006/01/02"), "4/TN"}, ",")
	taken, err := r.sender.submit(ctx, r.sender.signed(t, recall))
	must(t, err)
	r.delivery(t, taken.Package, 1, exchange.Consigned)
	eventually(t, "it is withdrawn there, unseen", func() bool { // here it waits for an answer still
		view, err := r.sender.hub.Package(ctx, lost.Package)
		return err == nil && !view.Deliveries[0].TroubleAt.IsZero()
	})

	// One that comes from there, and the answer to it.
	theirs := edxml.Document{From: edxml.Organ{Code: "G14.04", Name: "Bộ"}, To: []edxml.Organ{{Code: "H12.07", Name: "Sở"}}, Number: "9", Notation: "BTC", Date: time.Now(),
		Sent: time.Now(), TypeName: "Công văn", Subject: "V/v hướng dẫn", Staff: edxml.Staff{Department: "Văn thư", Name: "Trần Thị B"}, Attachments: letter.Attachments}
	if reply := r.ministry.send(unsigned(t, theirs), "edoc", "G14.04", "H12.07"); reply.Code != "0" {
		t.Fatalf("from the axis: %+v", reply)
	}
	var item exchange.InboxItem
	eventually(t, "it comes", func() bool {
		page, err := r.sender.hub.Inbox(ctx, "", "", 0, time.Second)
		for _, i := range page.Items {
			if err == nil && i.Package.Kind == exchange.KindNew {
				item = i
			}
		}
		return item.Package.Sender == "G14.04"
	})
	_, err = r.sender.fetch(ctx, item)
	must(t, err)

	var views []exchange.RelayView
	must(t, json.Unmarshal([]byte(r.near.mustHub("relay", "--json", "--config", r.near.config())), &views))
	if len(views) != 1 || !views[0].Up() || views[0].Queued != 0 || len(views[0].Aside) != 0 {
		t.Errorf("hub relay: %+v", views)
	}
	r.far.axis("G15", "secret-of-another-ministry", "G15.01")
	var counted imported
	must(t, json.Unmarshal([]byte(r.near.mustHub("relay", "import", "quoc-gia", "--json", "--config", r.near.config())), &counted))
	if counted != (imported{Entered: 1, Left: 2}) {
		t.Errorf("hub relay import: %+v", counted)
	}
	if a, err := r.near.admin.Agency(ctx, "G15.01"); err != nil || a.Upstream != "quoc-gia" || a.Name != "Cơ quan G15.01" {
		t.Errorf("entered: %+v, %v", a, err)
	}
	if out, _, _ := r.near.hub("check", "--config", r.near.config()); !strings.Contains(out, "axis quoc-gia") || !strings.Contains(out, "with 3 agencies") {
		t.Errorf("hub check: %s", out)
	}
	r.near.stop()
	healthy(t, r.near)
}

// waiting finds what waits for the ministry, by its number and notation.
func (r relayed) waiting(t *testing.T, number string) string {
	t.Helper()
	for _, e := range r.ministry.list("/getReceivedEdocList", "edoc") {
		var doc struct {
			Code     string `xml:"Header>MessageHeader>Code>CodeNumber"`
			Notation string `xml:"Header>MessageHeader>Code>CodeNotation"`
		}
		content := r.ministry.get(e.DocID)
		if err := xml.Unmarshal(content, &doc); err == nil && bytes.Contains(content, []byte(">"+strings.Split(number, "/")[0]+"<")) {
			return e.DocID
		}
	}
	t.Fatalf("%s does not wait at the axis", number)
	return ""
}

// TestAHubAndAnAxisThatDie kills each of them while documents go: what was accepted
// is there once, and the hub's own agencies do not wait.
func TestAHubAndAnAxisThatDie(t *testing.T) {
	t.Parallel()
	r := newRelayed(t)
	ctx := t.Context()
	r.far.kill()
	kept := map[exchange.PackageID]bool{}
	number := 0
	submit := func(to ...string) (exchange.PackageID, error) {
		number++
		s, err := r.sender.submit(ctx, r.sender.signed(t, r.sender.letter(number, 10_000, to...)))
		if err == nil {
			kept[s.Package] = true
		}
		return s.Package, err
	}
	for range 3 {
		id, err := submit("G14.04", "H12.12")
		must(t, err)
		r.delivery(t, id, 2, exchange.Consigned) // the local one
		r.delivery(t, id, 1, exchange.Queued)
	}
	if out := r.near.mustHub("relay", "--config", r.near.config()); !strings.Contains(out, "down") {
		t.Errorf("while the axis is away: %s", out)
	}
	r.far.start()
	for range 4 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range 10 {
				if _, err := submit("G14.04"); err != nil {
					return // the hub is gone
				}
			}
		}()
		time.Sleep(300 * time.Millisecond)
		r.near.kill()
		<-ended
		r.near.start()
	}
	ids := map[string]exchange.PackageID{}
	for id := range kept {
		d := r.delivery(t, id, 1, exchange.Consigned)
		if other, twice := ids[d.UpstreamID]; twice || d.UpstreamID == "" {
			t.Errorf("packages %s and %s are both %q at the axis", id, other, d.UpstreamID)
		}
		ids[d.UpstreamID] = id
	}
	there := r.ministry.list("/getReceivedEdocList", "edoc")
	t.Logf("%d packages were accepted, %d are at the axis", len(kept), len(there))
	// A package may have been accepted while its sender lost the answer.
	if len(there) < len(kept) || len(there) > number {
		t.Errorf("%d packages were accepted of %d submitted, and %d are at the axis", len(kept), number, len(there))
	}
	r.near.stop()
	healthy(t, r.near)
}
