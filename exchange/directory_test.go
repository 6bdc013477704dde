package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

func said(s string) *string { return &s }

func TestOtherForm(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"000.00.07.H12": "H12.07", "000.46.24.H44": "H44.24.46", "000.00.00.H12": "H12", "001.02.03.G14": "G14.03.02.001",
		"H12.07": "000.00.07.H12", "H44.24.46": "000.46.24.H44", "H12": "000.00.00.H12", "G14.03.02.001": "001.02.03.G14",
		"001.00.03.G14": "G14.03.001", "G14.03.001": "", // not the other way round: 001 has three digits
		"H37.DN.001": "", "H12.00": "", "H12.1": "", "H12.07.01.002.03": "", "XYZ": "", "": "",
	} {
		if got := exchange.OtherForm(code); got != want {
			t.Errorf("the other form of %q is %q, want %q", code, got, want)
		}
	}
}

// TestImportDirectory tells the difference first, keeps it, and has nothing to do
// the second time.
func TestImportDirectory(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	before, err := p.x.Agency(t.Context(), finance)
	if err != nil {
		t.Fatal(err)
	}
	closed := time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)
	list := []exchange.Listing{
		{Code: finance, Name: "Sở Tài chính tỉnh", Parent: said("000.00.00.H12"), Mail: said("stc@camau.gov.vn")},
		{Code: "H12", Name: "UBND tỉnh Cà Mau", Parent: said(""), Aliases: []string{"000.00.00.H12"}},
		{Code: "000.00.12.H12", Name: "Sở Y tế mới"}, // health's alias
		{Code: "H12.90", Name: "Sở mới", Parent: said("H12"), Aliases: []string{"000.00.90.H12", "000.00.12.H12"}},
		{Code: "000.00.90.H12", Name: "lần nữa"},
		{Code: "000.00.00.H99", Name: "ngoài tỉnh"},
		{Code: "H99", Name: "cũng vậy"},
		{Code: "h12", Name: "x"}, {Code: "H12.91"}, {Code: "H12-?", Name: "x"},
		{Code: "QLVB.1", Name: "lạ", Parent: said("QLVB.1")},
		{Code: "H04.01", Name: "đã giải thể", Closed: closed},
	}
	want := exchange.DirectoryCounts{Listed: 12, Added: 4, Renamed: 2, Moved: 1, Details: 1, Unchanged: 1, LeftOut: 5}
	dry, err := p.x.ImportDirectory(t.Context(), administrator, list, exchange.DirectoryOrder{DryRun: true})
	if err != nil || dry.Kept || dry.Counts != want {
		t.Fatalf("the difference: %+v, %v", dry, err)
	}
	var rules []string
	for _, f := range dry.Findings {
		rules = append(rules, fmt.Sprint(f.Entry, " ", f.Rule, " ", f.LeftOut))
	}
	if got := strings.Join(rules, "\n"); got != strings.Join([]string{"4 listing-alias false", "5 listing-twice true", "7 listing-twin true", "8 listing-code true",
		"9 listing-name true", "10 listing-code true", "11 listing-irregular false", "11 listing-parent false"}, "\n") {
		t.Errorf("findings:\n%s", got)
	}
	if a, err := p.x.Agency(t.Context(), finance); err != nil || a.Name != before.Name {
		t.Errorf("a dry run changed %+v, %v", a, err)
	}
	actions := len(p.newest(t))
	done, err := p.x.ImportDirectory(t.Context(), administrator, list, exchange.DirectoryOrder{Source: "danhba.csv"})
	if err != nil || !done.Kept || done.Counts != want {
		t.Fatalf("the import: %+v, %v", done, err)
	}
	a, err := p.x.Agency(t.Context(), finance)
	if err != nil || a.Name != "Sở Tài chính tỉnh" || a.Parent != "H12" || a.Mail != "stc@camau.gov.vn" || a.Version != before.Version+1 ||
		len(a.Certificates) != len(before.Certificates) || a.Policy != before.Policy || a.Mode != before.Mode {
		t.Errorf("changed %+v, %v\nof %+v", a, err, before)
	}
	if a, err := p.x.Agency(t.Context(), "000.00.00.H12"); err != nil || a.Code != "H12" {
		t.Errorf("by its alias: %+v, %v", a, err)
	}
	if list := p.newest(t); len(list) != actions+1 || list[0].Verb != "import-directory" || !strings.HasPrefix(list[0].Reason, "danhba.csv: 12 listed, 4 added") {
		t.Errorf("on record: %+v", list[0])
	}
	again, err := p.x.ImportDirectory(t.Context(), administrator, list, exchange.DirectoryOrder{Source: "danhba.csv", Missing: true})
	if err != nil || again.Kept || again.Counts.Changed() || again.Counts.Missing == 0 || len(p.newest(t)) != actions+1 {
		t.Errorf("again: %+v, %v", again, err)
	}
	for _, by := range []exchange.Caller{{}, operator, auditor, system(finance)} {
		_, err := p.x.ImportDirectory(t.Context(), by, list, exchange.DirectoryOrder{DryRun: true})
		refused(t, err, exchange.NotPermitted, "not-permitted")
	}
}

// TestADirectoryCloses what the list says, with its date, unless that is so many
// that the list must be wrong.
func TestADirectoryCloses(t *testing.T) {
	t.Parallel()
	p := newProvince(t)
	var open, gone []exchange.Listing
	for i := range 21 {
		l := exchange.Listing{Code: fmt.Sprintf("H98.%02d", i+1), Name: "Xã"}
		open = append(open, l)
		l.Closed = time.Date(2025, 7, 1, 0, 0, i, 0, time.UTC)
		gone = append(gone, l)
	}
	for _, c := range []struct {
		list     []exchange.Listing
		closings bool
		refused  bool
	}{{open, false, false}, {gone, false, true}, {gone[:20], false, false}, {gone, true, false}} {
		_, err := p.x.SynchronizeDirectory(t.Context(), c.list, exchange.DirectoryOrder{Closings: c.closings})
		if c.refused {
			refused(t, err, exchange.Conflict, "directory-closings")
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range gone {
		if a, err := p.x.Agency(t.Context(), l.Code); err != nil || !a.Closed.Equal(l.Closed) {
			t.Errorf("%s: %+v, %v", l.Code, a, err)
		}
	}
	outcome, err := p.x.SynchronizeDirectory(t.Context(), open, exchange.DirectoryOrder{})
	if err != nil || outcome.Counts.Unchanged != len(open) {
		t.Errorf("a closed agency was opened by a list: %+v, %v", outcome, err)
	}
}

// TestANationalDirectory is as large as the real one.
func TestANationalDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("123,265 agencies")
	}
	t.Parallel()
	p := newProvince(t)
	const most = 123265
	list := make([]exchange.Listing, 0, most)
	for i := range most {
		province, department, ward := i/2000, i/50%40, i%50
		code := fmt.Sprintf("K%02d.%02d.%02d", province, department+1, ward+1)
		parent := fmt.Sprintf("K%02d.%02d", province, department+1)
		list = append(list, exchange.Listing{Code: code, Name: "Ủy ban nhân dân xã số " + code, Parent: &parent, Aliases: []string{exchange.OtherForm(code)}})
	}
	begun := time.Now()
	outcome, err := p.x.ImportDirectory(t.Context(), administrator, list, exchange.DirectoryOrder{Source: "all"})
	if err != nil || outcome.Counts.Added != most || len(outcome.Changes) != 2000 {
		t.Fatalf("%+v, %v", outcome.Counts, err)
	}
	t.Logf("imported in %s", time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	outcome, err = p.x.ImportDirectory(t.Context(), administrator, list, exchange.DirectoryOrder{Source: "all"})
	if err != nil || outcome.Counts.Unchanged != most {
		t.Fatalf("%+v, %v", outcome.Counts, err)
	}
	t.Logf("compared again in %s", time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	const lookups = 1000
	for i := range lookups {
		if a, err := p.x.Agency(t.Context(), exchange.OtherForm(list[i*123].Code)); err != nil || a.Code != list[i*123].Code {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if took := time.Since(begun) / lookups; took > 5*time.Millisecond {
		t.Errorf("a lookup takes %s", took)
	} else {
		t.Logf("a lookup takes %s", took)
	}
	begun = time.Now()
	if page, next, err := p.x.Agencies(t.Context(), list[most/2].Code, 100); err != nil || len(page) != 100 || next == "" || time.Since(begun) > time.Second {
		t.Errorf("a page of the directory: %d, %v, in %s", len(page), err, time.Since(begun))
	}
}

func (p *province) newest(t *testing.T) []exchange.Action {
	t.Helper()
	list, _, err := p.x.Actions(t.Context(), administrator, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
