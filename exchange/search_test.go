package exchange

import (
	"strings"
	"testing"
	"time"
)

func TestWordsAreFoundWithAndWithoutDiacritics(t *testing.T) {
	p := &Package{ID: "01990000-0000-7000-8000-000000000001", Subject: "Quyết định về việc phê duyệt dự toán ngân sách; hoà giải",
		Number: "1250", Notation: "QĐ-UBND", TypeName: "Công văn", DocumentID: "H12.07.2026.1250", Targets: []string{"H12.07.2025.9"},
		Recipients: []Recipient{{Code: "H12.01"}, {Code: "H12.02"}}, Digest: DigestOf([]byte("x")), Attachments: []Attachment{{Digest: DigestOf([]byte("y"))}}}
	for text, want := range map[string]bool{
		"":                                       true,
		"quyet dinh":                             true,
		"quyết định":                             true,
		"QUYẾT ĐỊNH":                             true,
		"Quye\u0302\u0301t \u0111i\u0323nh":      true, // letters decomposed
		"quye\u0301\u0302t":                      true, // and their marks in another order
		"quyệt":                                  false,
		"quyêt":                                  false, // a mark is there, so all must be
		"dinh quyet":                             true,  // in any order
		`"dinh quyet"`:                           false,
		`"quyết dinh"`:                           true,
		"“ngân sách”":                            true,
		`"ngân duyệt"`:                           false,
		`"ngân sách`:                             true, // never closed
		"hòa giải":                               true, // where the tone stands makes no difference
		"hoa":                                    true,
		"hóa":                                    false,
		"ngan,sach":                              true, // together, as written
		"toan,sach":                              false,
		"ð\u1ecbnh":                              true, // an eth for a đ, as old keyboards write it
		"dịnh":                                   false,
		"định":                                   true,
		"ngan sachh":                             false,
		"cong van":                               true,
		"1250":                                   true,
		"125":                                    false,
		"qđ-ubnd":                                true,
		"QD-UBND":                                true,
		"1250/QĐ-UBND":                           true,
		"1250/QD":                                true,
		"1251/QĐ-UBND":                           false,
		"ubnd-qd":                                false,
		"h12.07.2026.1250":                       true,
		"H12.07.2025.9":                          true,
		"H12.07.2026":                            false,
		"01990000-0000-7000-8000-000000000001":   true,
		"01990000-0000-7000-8000-000000000001.2": true,
		"01990000-0000-7000-8000-000000000001.3": false,
		"01990000-0000-7000-8000-000000000001.02":       false,
		"01990000-0000-7000-8000-000000000002":          false,
		"receipt-1":                                     true,
		DigestOf([]byte("x")).String():                  true,
		strings.ToUpper(DigestOf([]byte("y")).String()): true,
		DigestOf([]byte("z")).String():                  false,
		"/ - ; ":                                        true, // no words: nothing is asked
	} {
		m := NewMatcher(Search{Text: text, All: true})
		isReceiptOf := func(id string, of PackageID) bool { return id == "receipt-1" && of == p.ID }
		if got := m.Matches(p, isReceiptOf); got != want {
			t.Errorf("%q matches: %v, want %v", text, got, want)
		}
	}
}

// TestEveryLetterIsTakenApart compares the letters with their decomposed forms.
func TestEveryLetterIsTakenApart(t *testing.T) {
	const composed = "àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
	n := 0
	for _, r := range composed + strings.ToUpper(composed) {
		words := wordsOf("b" + string(r) + "c")
		if len(words) != 1 || len(words[0].Plain) != 3 || words[0].Exact == words[0].Plain {
			t.Errorf("%c is %+v", r, words)
		}
		n++
	}
	seen := map[string]bool{}
	for _, r := range composed {
		seen[wordsOf(string(r))[0].Exact] = true
	}
	if n != 132 || len(seen) != 66 {
		t.Errorf("%d letters are %d different ones", n, len(seen))
	}
	if w := wordsOf("ĐÐđð"); len(w) != 1 || w[0].Plain != "dddd" || w[0].Exact != "đđđđ" {
		t.Errorf("%+v", w)
	}
	if w := wordsOf("\u0301 a\u0301\u0302 \u0306"); len(w) != 1 || w[0] != (Word{"a", "a\u0302\u0301"}) {
		t.Errorf("marks without letters: %+q", w)
	}
}

func TestPeriodsOfASearch(t *testing.T) {
	for _, c := range []struct{ text, begin, end string }{
		{"", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"2026-11-20", "2026-11-19T17:00:00Z", "2026-11-20T17:00:00Z"},
		{"2026-11-20T08:00:00+07:00", "2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z"},
	} {
		begin, err := SearchBegin(c.text)
		end, wrong := SearchEnd(c.text)
		if err != nil || wrong != nil || begin.UTC().Format(time.RFC3339) != c.begin || end.UTC().Format(time.RFC3339) != c.end {
			t.Errorf("%q is from %v, %v to %v, %v", c.text, begin, err, end, wrong)
		}
	}
	for _, text := range []string{"20/11/2026", "2026-02-30", "hôm qua"} {
		if _, err := SearchBegin(text); CodeOf(err) != Malformed {
			t.Errorf("%q: %v", text, err)
		}
	}
}
