package directory

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

func told(s string) *string { return &s }

var now = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

func TestRead(t *testing.T) {
	t.Parallel()
	stc := exchange.Listing{Code: "H12.07", Name: "Sở Tài chính", Parent: told("H12")}
	for _, c := range []struct {
		name, text string
		want       []exchange.Listing
		unread     []string
	}{
		{"commas and English names", "code,name,parent\nH12.07,Sở Tài chính,H12\n", []exchange.Listing{stc}, nil},
		{"a mark, semicolons and Vietnamese names", "\ufeffMã định danh;Tên cơ quan;Mã cấp trên\r\nH12.07;Sở Tài chính;H12\r\n", []exchange.Listing{stc}, nil},
		{"names without marks, tabs", "TEN\tMA DON VI\tma cha\nSở Tài chính\tH12.07\tH12\n", []exchange.Listing{stc}, nil},
		{"decomposed letters", "Ma\u0303,Te\u0302n,parent\nH12.07,Sở Tài chính,H12\n", []exchange.Listing{stc}, nil},
		{"columns that say nothing, and empty rows", "STT,code,name\n1,H12.07,Sở Tài chính\n,,\n", []exchange.Listing{{Code: "H12.07", Name: "Sở Tài chính"}}, []string{"STT"}},
		{"an empty cell tells nothing but of the top", "code,name,parent,mail\nH12,,,\n", []exchange.Listing{{Code: "H12", Parent: told("")}}, nil},
		{"a guarded cell", "code,phone\nH12,'+84290\n", []exchange.Listing{{Code: "H12", Phone: told("+84290")}}, nil},
		{"several aliases", "code,Mã cũ\nH12,000.00.00.H12 H04\n", []exchange.Listing{{Code: "H12", Aliases: []string{"000.00.00.H12", "H04"}}}, nil},
		{"closed on a day of Vietnam's", "code,closed\nH04,01/07/2025\n", []exchange.Listing{{Code: "H04", Closed: time.Date(2025, 6, 30, 17, 0, 0, 0, time.UTC)}}, nil},
		{"the axis's tree", `{"status":"OK","ErrorCode":"0","data":[{"id":7,"pid":"1","code":"H12.07","name":"Sở Tài chính","mail":null},{"id":"1","pid":0,"code":"H12","name":"UBND"},{"id":9,"pid":8,"code":"H12.09","name":"x"}]}`,
			[]exchange.Listing{stc, {Code: "H12", Name: "UBND", Parent: told("")}, {Code: "H12.09", Name: "x"}}, nil},
		{"the axis's changes", `[{"id":1,"pid":"","code":"H04","name":"Bạc Liêu","deleted":true,"modifyDate":"2025-07-01 00:00:00"},{"id":2,"code":"H05","name":"x","deleted":1}]`,
			[]exchange.Listing{{Code: "H04", Name: "Bạc Liêu", Parent: told(""), Closed: time.Date(2025, 6, 30, 17, 0, 0, 0, time.UTC)}, {Code: "H05", Name: "x", Closed: now}}, nil},
		{"aliases as the hub has them", `{"agencies":[{"code":"H12","name":"UBND","aliases":[{"code":"000.00.00.H12","until":"2027-01-01T00:00:00Z"}],"version":3}]}`,
			[]exchange.Listing{{Code: "H12", Name: "UBND", Aliases: []string{"000.00.00.H12"}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, unread, err := Read(strings.NewReader(c.text), Options{Now: now})
			if err != nil || !equal(got, c.want) || !reflect.DeepEqual(unread, c.unread) {
				t.Errorf("got %+v, %q, %v\nwant %+v, %q", got, unread, err, c.want, c.unread)
			}
		})
	}
}

// equal takes an empty list of aliases for none.
func equal(a, b []exchange.Listing) bool {
	for _, list := range [][]exchange.Listing{a, b} {
		for i := range list {
			if len(list[i].Aliases) == 0 {
				list[i].Aliases = nil
			}
		}
	}
	return reflect.DeepEqual(a, b)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, words string }{
		{"nothing", " \n", "empty"},
		{"no codes", "name\nSở Tài chính\n", "no column has the agencies' codes"},
		{"two columns of codes", "code,Mã\nH12,H12\n", "second column"},
		{"a row that is short", "code,name\nH12,x\nH13\n", "line 3"},
		{"another encoding", "code,name\nH12,S\xf0\n", "line 2: the text is not UTF-8"},
		{"a workbook", "PK\x03\x04xyz", "CSV UTF-8"},
		{"a day that is none", "code,closed\nH12,hôm qua\n", "line 2"},
		{"JSON that breaks off", "[\n{\"code\":\"H12\"", "line 2: unexpected end"},
		{"an axis that failed", `{"status":"FAIL","ErrorCode":"15","data":null}`, "ErrorCode 15"},
		{"an object with no list", `{"x":1}`, "neither"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := Read(strings.NewReader(c.text), Options{Now: now}); err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %q", err, c.words)
			}
		})
	}
}

func TestOldCodes(t *testing.T) {
	t.Parallel()
	got, _, err := Read(strings.NewReader("code\nH12.07\n000.46.24.H44\nH37.DN.001\n"), Options{OldCodes: true, Now: now})
	want := []exchange.Listing{{Code: "H12.07", Aliases: []string{"000.00.07.H12"}}, {Code: "000.46.24.H44", Aliases: []string{"H44.24.46"}}, {Code: "H37.DN.001"}}
	if err != nil || !equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestWhatIsWrittenIsRead as it was, and no cell of it is a formula.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	list := []exchange.Agency{
		{Code: "H12.07", Name: "=HYPERLINK(\"http://x\")", Parent: "H12", Aliases: []exchange.Alias{{Code: "000.00.07.H12"}}, Mail: "@stc", Phone: "+84 290", Address: "Số 1,\n\"Lý Văn Lâm\"", Closed: now},
		{Code: "H12", Name: "UBND tỉnh"},
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"csv":  func(b *bytes.Buffer) error { return WriteCSV(b, list) },
		"json": func(b *bytes.Buffer) error { return WriteJSON(b, list) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if name == "csv" && (!strings.HasPrefix(b.String(), byteOrderMark) || strings.Contains(b.String(), ",=") || strings.Contains(b.String(), ",\"=") || strings.Contains(b.String(), ",+") || strings.Contains(b.String(), ",@")) {
			t.Errorf("CSV:\n%s", b.String())
		}
		got, _, err := Read(&b, Options{Now: now})
		if err != nil || len(got) != 2 || got[0].Name != list[0].Name || *got[0].Phone != list[0].Phone || *got[0].Address != list[0].Address || *got[0].Mail != list[0].Mail ||
			*got[0].Parent != "H12" || len(got[0].Aliases) != 1 || !got[0].Closed.Equal(now) || *got[1].Parent != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
