package exchangetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tram/exchange"
)

// AllFound reads all pages of a search.
func AllFound(ctx context.Context, l exchange.Ledger, q exchange.Search, limit int) ([]exchange.Found, error) {
	return page(limit, func(cursor string, limit int) ([]exchange.Found, string, error) {
		q.Cursor, q.Limit = cursor, limit
		return l.Search(ctx, q)
	})
}

// A Record is a package with its deliveries and receipts, as Scan looks at it.
type Record struct {
	Package    exchange.Package
	Deliveries []exchange.Delivery
	Receipts   []exchange.ReceiptID
}

// Scan is Search without any index: it looks at every record. They are in the
// order of acceptance.
func Scan(records []Record, q exchange.Search) []exchange.Found {
	var list []exchange.Found
	m := exchange.NewMatcher(q)
	for _, r := range slices.Backward(records) {
		isReceipt := func(id string, _ exchange.PackageID) bool { return slices.Contains(r.Receipts, exchange.ReceiptID(id)) }
		if !m.Matches(&r.Package, isReceipt) {
			continue
		}
		f := exchange.Found{Package: r.Package}
		for _, d := range r.Deliveries {
			if m.Shows(&r.Package, &d) {
				f.Deliveries = append(f.Deliveries, d)
			}
		}
		if len(f.Deliveries) == 0 && m.NeedsDelivery(&r.Package) {
			continue
		}
		if len(f.Deliveries) > exchange.FoundDeliveries {
			f.Deliveries, f.More = f.Deliveries[:exchange.FoundDeliveries], true
		}
		list = append(list, f)
	}
	return list
}

// Subjects are made of phrases of administrative Vietnamese, some in decomposed
// letters, and some that differ in diacritics only.
var phrases = []string{"Quyết định", "QUYẾT ĐỊNH", "Quye\u0302\u0301t đi\u0323nh", "quyet dinh", "về việc", "phê duyệt", "hòa giải", "hoà giải",
	"dự toán ngân sách", "bán", "bản", "công văn số 12/STC-NS", "thủ tục hành chính"}

// searchable makes a package with something to find in it.
func (m *model) searchable(r *rapid.T, p *exchange.Package) {
	p.Subject = rapid.SampledFrom(phrases).Draw(r, "phrase") + ", " + rapid.SampledFrom(phrases).Draw(r, "another phrase")
	p.Number = rapid.SampledFrom([]string{"", "12", "1250"}).Draw(r, "number")
	p.Notation = rapid.SampledFrom([]string{"", "STC-NS", "QĐ-UBND"}).Draw(r, "notation")
	p.AcceptedAt = p.AcceptedAt.Add(time.Duration(rapid.IntRange(-72, 72).Draw(r, "clock")) * time.Hour)
	for n := range rapid.IntRange(0, 2).Draw(r, "attachments") {
		p.Attachments = append(p.Attachments, exchange.Attachment{Name: "a.pdf", Digest: exchange.DigestOf([]byte{byte(n), byte(len(m.packages) % 3)})})
	}
}

// someSearch asks something that the model's packages may answer.
func (m *model) someSearch(r *rapid.T) exchange.Search {
	text := rapid.SampledFrom(append([]string{"", "", "", "quyet", "quyết", "định", "hòa", "STC-NS", "12/STC-NS", "12", "1250/qđ-ubnd", `"ngân sách"`, `"ngan sach"`,
		"d1", exchange.DigestOf([]byte{1, 2}).String(), "không-có"}, phrases...))
	q := exchange.Search{Text: text.Draw(r, "text"),
		Sender:    rapid.SampledFrom([]string{"", "", "", "A", "B", "R0"}).Draw(r, "sender"),
		Recipient: rapid.SampledFrom([]string{"", "", "", "R0", "R1", "R2", "A"}).Draw(r, "recipient"),
		Kind:      rapid.SampledFrom(append([]exchange.Kind{"", "", ""}, exchange.Kinds...)).Draw(r, "kind"),
		State:     rapid.SampledFrom(append([]exchange.State{"", "", ""}, exchange.States...)).Draw(r, "state"),
		All:       rapid.Bool().Draw(r, "all")}
	q.Of = rapid.SliceOfN(rapid.SampledFrom([]string{"A", "R0", "R1", "none"}), 0, 3).Draw(r, "of")
	if len(m.packages) > 0 && rapid.IntRange(0, 4).Draw(r, "by identifier") == 0 {
		p := rapid.SampledFrom(m.packages).Draw(r, "package")
		q.Text = rapid.SampledFrom([]string{string(p.ID), string(p.ID) + ".1", string(p.ID) + ".2", string(p.ID) + ".9", p.Digest.String(), p.DocumentID,
			string(m.firsts[contentOf(p)].ID)}).Draw(r, "identifier")
	}
	hour := func(name string) time.Time {
		if rapid.Bool().Draw(r, name+" open") {
			return time.Time{}
		}
		return m.start.Add(time.Duration(rapid.IntRange(-80, 80).Draw(r, name)) * time.Hour)
	}
	q.From, q.To = hour("from"), hour("to")
	return q
}

// search compares a search with a scan of all that the model has.
func (m *model) search(r *rapid.T) {
	q := m.someSearch(r)
	var records []Record
	for _, p := range m.packages {
		record := Record{Package: p, Receipts: []exchange.ReceiptID{m.firsts[contentOf(p)].ID}}
		for i := range p.Recipients {
			record.Deliveries = append(record.Deliveries, m.deliveries[exchange.NewDeliveryID(p.ID, i+1)])
		}
		records = append(records, record)
	}
	got, err := AllFound(m.test.Context(), m.ledger, q, rapid.IntRange(1, 4).Draw(r, "limit"))
	if err != nil {
		r.Fatal(err)
	}
	same(r, fmt.Sprintf("%+v", q), got, Scan(records, q))
}

func (t *ledgerTest) search() {
	p := t.Submission("H12.01", "H12.01.2026.1250", "H12.02", "H12.03")
	p.Number, p.Notation, p.Subject = "1250", "STC-NS", "Về việc phê duyệt dự toán ngân sách"
	c := t.mustAccept(p)
	other := t.Submission("H12.02", "d2", "H12.01")
	other.Subject = "Ve viec khac"
	t.mustAccept(other)
	t.consign(p)
	t.mustUpdate(t.Answer(must2(t.Delivery(t.Context(), exchange.NewDeliveryID(p.ID, 2))), exchange.AnswerRefused))
	for _, reopened := range []bool{false, true} {
		if reopened {
			t.Ledger = t.open()
		}
		for _, q := range []exchange.Search{
			{Text: string(p.ID)}, {Text: string(p.ID) + ".2"}, {Text: string(c.Receipts[0].ID)}, {Text: "H12.01.2026.1250"}, {Text: "h12.01.2026.1250"},
			{Text: p.Digest.String()}, {Text: "1250/STC-NS"}, {Text: "1250"}, {Text: "stc-ns phe duyet"}, {Text: "phê duyệt"}, {Text: "PHÊ"},
			{State: exchange.Rejected}, {State: exchange.Rejected, Recipient: "H12.03"}, {Sender: "H12.01"}, {Recipient: "H12.03"},
			{Text: "ve viec", Sender: "H12.01"}, {To: other.AcceptedAt}, {Text: "1250", From: p.AcceptedAt, Kind: exchange.KindNew},
		} {
			q.All = true
			got := must2(AllFound(t.Context(), t.Ledger, q, 1))
			if len(got) != 1 || got[0].Package.ID != p.ID {
				t.Errorf("%+v found %v, want package %s alone", q, got, p.ID)
			}
		}
		for _, q := range []exchange.Search{
			{Text: "1250/STC-HC"}, {Text: `"duyệt phê"`}, {Text: "phể"}, {State: exchange.Rejected, Recipient: "H12.02"}, {Sender: "H12"},
			{From: other.AcceptedAt.Add(time.Second)}, {To: p.AcceptedAt}, {Kind: exchange.KindRecall}, {Text: string(p.ID) + ".3"}, {Text: "250"},
		} {
			q.All = true
			if got := must2(AllFound(t.Context(), t.Ledger, q, 1)); len(got) != 0 {
				t.Errorf("%+v found %v, want nothing", q, got)
			}
		}
		t.searchOf(p, other)
	}
	t.mustUpdate(exchange.Change{Erasures: []exchange.Erasure{{Package: p.ID, At: p.AcceptedAt}}}, nil)
	if got := must2(AllFound(t.Context(), t.Ledger, exchange.Search{All: true, Text: p.Digest.String()}, 1)); len(got) != 1 {
		t.Errorf("a package whose bytes are erased is found by their digest %d times, want once", len(got))
	}
	if _, _, err := t.Search(t.Context(), exchange.Search{All: true, Cursor: "no cursor"}); exchange.CodeOf(err) != exchange.Malformed {
		t.Errorf("a cursor that is none: %v, want malformed", err)
	}
}

// searchOf looks with the eyes of agencies. p's second delivery was refused by
// H12.03; other is on its way to H12.01.
func (t *ledgerTest) searchOf(p, other exchange.Package) {
	for _, c := range []struct {
		of         []string
		q          exchange.Search
		packages   []exchange.PackageID
		deliveries int
	}{
		{nil, exchange.Search{}, nil, 0},
		{[]string{"H12.01"}, exchange.Search{}, []exchange.PackageID{p.ID}, 2},
		{[]string{"H12.02"}, exchange.Search{}, []exchange.PackageID{other.ID, p.ID}, 2},
		{[]string{"H12.03"}, exchange.Search{}, []exchange.PackageID{p.ID}, 1},
		{[]string{"H12.03"}, exchange.Search{Text: string(p.ID) + ".1"}, nil, 0},
		{[]string{"H12.03", "H12.02"}, exchange.Search{State: exchange.Consigned}, []exchange.PackageID{p.ID}, 1},
		{[]string{"H12.02"}, exchange.Search{State: exchange.Rejected}, nil, 0},
		{[]string{"H12.02"}, exchange.Search{Recipient: "H12.03"}, nil, 0},
	} {
		c.q.Of = c.of
		var packages []exchange.PackageID
		deliveries := 0
		for _, f := range must2(AllFound(t.Context(), t.Ledger, c.q, 5)) {
			packages, deliveries = append(packages, f.Package.ID), deliveries+len(f.Deliveries)
		}
		t.equal(fmt.Sprintf("packages that %v find by %+v", c.of, c.q), packages, c.packages)
		t.equal(fmt.Sprintf("deliveries that %v find by %+v", c.of, c.q), deliveries, c.deliveries)
	}
}
