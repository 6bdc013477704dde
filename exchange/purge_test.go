package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tram/adapters/edxml"
	"tram/exchange"
)

// secret is a document that should never have come here. Its words are nowhere
// else.
func secret(number string, to ...string) edxml.Document {
	d := document(number, to...)
	d.Subject, d.TypeName = "Về việc di chuyển kho số chín", "Công điện đặc biệt"
	d.Attachments[0].Name = "Sơ đồ hầm ngầm.pdf"
	d.Attachments[0].Open = func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("%PDF-1.4 toạ độ kho số chín " + number)), nil
	}
	return d
}

// words are those of secret, as they would stand in a file.
var words = []string{"kho số chín", "Công điện đặc biệt", "hầm ngầm"}

// left finds words of the secret in what the hub has on its disk.
func (p *province) left() (found []string) {
	p.Helper()
	for _, dir := range []string{p.dir, p.vaultAt} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			for _, word := range words {
				if bytes.Contains(data, []byte(word)) {
					found = append(found, filepath.Base(path)+": "+word)
				}
			}
			return err
		})
		if err != nil {
			p.Fatal(err)
		}
	}
	return found
}

func (p *province) purge(id exchange.PackageID) exchange.Purged {
	p.Helper()
	done, err := p.x.Purge(p.Context(), administrator, id, "không được lưu ở đây")
	if err != nil {
		p.Fatal(err)
	}
	return done
}

// TestPurge: the words and the bytes go from everywhere, and all that proves that
// the package was here stays as it was.
func TestPurge(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	p.courier.answers(func(context.Context, exchange.Agency, exchange.Delivery, exchange.Package) error {
		return errors.New("away")
	})
	body := signed(t, secret("1250", health, ward, commune, school))
	first := p.submit(finance, body)
	id := first.Package
	p.work()
	p.fetch(p.delivery(id, 1))
	p.acknowledge(p.delivery(id, 4), p.answer(p.delivery(id, 4), exchange.AnswerAccepted, ""))
	note := p.submit(health, signed(t, status(health, "01", "1250")))
	p.inState(id, 3, exchange.Queued)
	before := must(p.ledger.Receipts(t.Context(), id))
	whole := must(p.x.Package(t.Context(), system(finance), id)) // it is at hand from here on
	if n := len(p.left()); n < len(words) {
		t.Fatalf("words are found %d times: this would show nothing", n)
	}

	done := p.purge(id)
	p.mustBeGone(id, whole.Package)
	if len(done.Ended) != 2 || len(done.Had) != 2 || done.Had[0].Recipient != health || done.Had[1].Recipient != school ||
		len(done.Related) != 1 || done.Related[0] != note.Package {
		t.Errorf("%+v", done)
	}
	for n, event := range map[int]exchange.Event{2: exchange.ContentHandoverFailure, 3: exchange.ContentConsignmentFailure} {
		d := p.inState(id, n, exchange.Failed)
		e := p.evidence(id, d.ID, event)
		if e.Reason != exchange.Cancelled || !strings.Contains(e.Detail, done.Action) {
			t.Errorf("the receipt says %s: %s", e.Reason, e.Detail)
		}
	}
	if leaf := p.lastLeaf(); leaf.Event != "purge" || leaf.ID != done.Action || leaf.Object != string(id) || leaf.Actor != "user:an" {
		t.Errorf("the last leaf is %+v", leaf)
	}
	must(p.x.Compact(t.Context(), administrator))
	if found := p.left(); len(found) > 0 {
		t.Errorf("after the compaction there are still %q", found)
	}
	p.sameReceipts(id, before)

	size := must(p.ledger.LogSize(t.Context()))
	again := p.purge(id)
	if n := must(p.ledger.LogSize(t.Context())); n != size || again.Action != done.Action || len(again.Ended) != 2 || len(again.Had) != 2 {
		t.Errorf("purged again: %d leaves more, %+v", n-size, again)
	}
	p.again(system(finance), body, first)
	p.mustBeGone(id, whole.Package)
	// Who has it may say so still.
	p.acknowledge(p.delivery(id, 1), p.answer(p.delivery(id, 1), exchange.AnswerAccepted, ""))
	p.inState(id, 1, exchange.HandedOver)
}

// mustBeGone expects a package to show itself as purged, and nothing of what it
// held, to everyone.
func (p *province) mustBeGone(id exchange.PackageID, whole exchange.Package) {
	p.Helper()
	for _, by := range []exchange.Caller{system(finance), system(health), operator} {
		view := must(p.x.Package(p.Context(), by, id))
		if g := view.Package; g.Purged == nil || view.Erased == nil || g.Subject+g.Number+g.Notation+g.TypeName != "" || g.Attachments[0].Name != "" {
			p.Errorf("%s sees %+v", by, view)
		}
	}
	if _, err := p.vault.Open(p.Context(), whole.Digest); exchange.CodeOf(err) != exchange.NotFound {
		p.Errorf("the bytes are there still: %v", err)
	}
	_, _, err := p.x.PackageContent(p.Context(), system(finance), id)
	refused(p, err, exchange.NotFound, "content-purged")
	for n, code := range []string{health, ward} {
		_, _, err = p.x.DeliveryContent(p.Context(), system(code), exchange.NewDeliveryID(id, n+1))
		refused(p, err, exchange.NotFound, "content-purged")
	}
	for _, text := range []string{"kho số chín", "1250", "công điện"} {
		if page := must(p.x.Search(p.Context(), operator, exchange.Search{Text: text, Kind: exchange.KindNew})); len(page.Found) > 0 {
			p.Errorf("%q finds %d packages", text, len(page.Found))
		}
	}
}

func (p *province) sameReceipts(id exchange.PackageID, before []exchange.Receipt) {
	p.Helper()
	after := must(p.ledger.Receipts(p.Context(), id))
	if len(after) < len(before) {
		p.Fatalf("%d receipts, there were %d", len(after), len(before))
	}
	for i, r := range before {
		if !bytes.Equal(r.Raw, after[i].Raw) || r.Leaf != after[i].Leaf {
			p.Errorf("receipt %s has changed", r.ID)
		}
	}
}

// TestPurgeOfAStatus: its words go from where they were noted, too.
func TestPurgeOfAStatus(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	d := status(health, "01", "1250")
	d.Status.Description = "đã xem sơ đồ hầm ngầm"
	note := p.submit(health, signed(t, d))
	if s := p.delivery(id, 1).Statuses; len(s) != 1 || s[0].Description == "" {
		t.Fatalf("%+v", s)
	}
	p.purge(note.Package)
	if s := p.delivery(id, 1).Statuses; len(s) != 1 || s[0].Description != "" || s[0].Code != "01" {
		t.Errorf("%+v", s)
	}
	must(p.x.Compact(t.Context(), administrator))
	if found := p.left(); len(found) > 0 {
		t.Errorf("there are still %q", found)
	}
}

// TestPurgeOfWhatWasErased by policy before.
func TestPurgeOfWhatWasErased(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	c := p.config()
	c.Retention = 30 * 24 * time.Hour
	p.x = must(exchange.New(c))
	id := p.submit(finance, signed(t, secret("1250", health))).Package
	p.work()
	p.acknowledge(p.delivery(id, 1), p.answer(p.delivery(id, 1), exchange.AnswerAccepted, ""))
	p.clock.advance(31 * 24 * time.Hour)
	if err := p.x.SweepRetention(t.Context()); err != nil {
		t.Fatal(err)
	}
	erased := must(p.x.Package(t.Context(), operator, id)).Erased
	p.purge(id)
	view := must(p.x.Package(t.Context(), operator, id))
	if view.Package.Purged == nil || view.Erased == nil || view.Erased.Action != erased.Action || view.Package.Subject != "" {
		t.Errorf("%+v", view)
	}
	_, _, err := p.x.PackageContent(t.Context(), system(finance), id)
	refused(t, err, exchange.NotFound, "content-purged")
}

func TestOnlyAdministratorsPurge(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	id := p.sent("1250", health)
	for _, by := range []exchange.Caller{system(finance), operator, auditor, {}} {
		_, err := p.x.Purge(t.Context(), by, id, "vì")
		refused(t, err, exchange.NotPermitted, "not-permitted")
	}
	_, err := p.x.Purge(t.Context(), administrator, id, " ")
	refused(t, err, exchange.Malformed, "invalid-entry")
	_, err = p.x.Purge(t.Context(), administrator, "0197a1b2-0000-7000-8000-000000000000", "vì")
	refused(t, err, exchange.NotFound, "not-found")
	p.contentOf(id, true)
}

// TestFaultsOfAPurge: it is purged again, and all of it is gone once.
func TestFaultsOfAPurge(t *testing.T) {
	t.Parallel()
	eachFault(t, func(p *province, faults *exchange.Exchange, repair func()) {
		s := p.submit(finance, signed(p, secret("1250", health, ward)))
		p.work()
		p.fetch(p.delivery(s.Package, 1))
		whole := must(p.ledger.Package(p.Context(), s.Package))
		_, err := faults.Purge(p.Context(), administrator, s.Package, "vì")
		injected(p, err)
		repair()
		if now := must(p.ledger.Package(p.Context(), s.Package)); now.Purged != nil {
			// Whether or not the bytes went, nobody gets them, and the sweep removes them.
			_, _, err := p.x.PackageContent(p.Context(), system(finance), s.Package)
			refused(p, err, exchange.NotFound, "content-purged")
			const anyAge = -1000 * 24 * time.Hour // files are as old as they are, whatever the clock says
			if err := p.vault.Sweep(p.Context(), anyAge, func(d exchange.Digest) (bool, error) { return p.ledger.HoldsContent(p.Context(), d) }); err != nil {
				p.Error(err)
			}
			if _, err := p.vault.Open(p.Context(), whole.Digest); exchange.CodeOf(err) != exchange.NotFound {
				p.Errorf("the sweep left the bytes: %v", err)
			}
		}
		p.purge(s.Package)
		p.mustBeGone(s.Package, whole)
		p.evidence(s.Package, exchange.NewDeliveryID(s.Package, 2), exchange.ContentHandoverFailure)
		p.work()
	})
}

// TestFetchedWhileItIsPurged: who got the content is among those who had it.
func TestFetchedWhileItIsPurged(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	for _, number := range []string{"1", "2", "3", "4", "5", "6"} {
		id := p.submit(finance, signed(t, secret(number, health, ward))).Package
		p.work()
		got := together(3, func(i int) bool {
			if i == 2 {
				p.purge(id)
				return false
			}
			code := []string{health, ward}[i]
			_, content, err := p.x.DeliveryContent(context.WithoutCancel(t.Context()), system(code), exchange.NewDeliveryID(id, i+1))
			if err != nil {
				return false
			}
			return content.Close() == nil
		})
		done := p.purge(id)
		for i, code := range []string{health, ward} {
			had := false
			for _, d := range done.Had {
				had = had || d.Recipient == code
			}
			if got[i] && !had {
				t.Errorf("%s has the content and the purge names %+v", code, done.Had)
			}
		}
		if len(done.Ended)+len(done.Had) != 2 {
			t.Errorf("%d ended, %d had it", len(done.Ended), len(done.Had))
		}
	}
}
