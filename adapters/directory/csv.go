package directory

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tram/exchange"
)

const byteOrderMark = "\ufeff"

// columns are the names that a column may have, in plain letters.
var columns = map[string][]string{
	"code":    {"code", "ma", "ma dinh danh", "ma don vi", "ma co quan", "ma dinh danh co quan", "ma dinh danh don vi", "ma dinh danh dien tu", "organid"},
	"name":    {"name", "ten", "ten don vi", "ten co quan", "organname"},
	"parent":  {"parent", "pcode", "ma cha", "ma cap tren", "ma don vi cha", "ma co quan cap tren", "ma co quan chu quan", "ma don vi cap tren"},
	"aliases": {"aliases", "alias", "old code", "ma cu", "ma khac"},
	"mail":    {"mail", "email", "e-mail", "thu dien tu", "hop thu"},
	"phone":   {"phone", "telephone", "dien thoai", "so dien thoai"},
	"address": {"address", "dia chi"},
	"closed":  {"closed", "ngay dong", "ngay het hieu luc", "ngay ngung hoat dong"},
	"deleted": {"deleted", "da xoa"},
}

// plainName is a column's name in small letters without marks.
func plainName(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(strings.TrimSpace(s))) {
		switch {
		case r >= 0x300 && r <= 0x36f: // combining marks
		case r == 'đ':
			b.WriteByte('d')
		case r == '_':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func readCSV(text []byte) (list []unit, unread []string, err error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = separator(text)
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the header row: %w", err)
	}
	place := map[string]int{}
	for i, name := range head {
		field := fieldOf(name)
		if field == "" {
			unread = append(unread, name)
			continue
		}
		if _, twice := place[field]; twice {
			return nil, nil, fmt.Errorf("line 1: %q is a second column for %s; leave one of them out", name, field)
		}
		place[field] = i
	}
	if _, ok := place["code"]; !ok {
		return nil, nil, fmt.Errorf("line 1: no column has the agencies' codes; name it code, or mã định danh")
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, unread, nil
		}
		if err != nil {
			return nil, nil, err // has its line
		}
		line, _ := r.FieldPos(0)
		u := unit{line: line}
		for field, i := range place {
			u.set(field, unguarded(strings.TrimSpace(row[i])))
		}
		if u.Code == "" && !slices.ContainsFunc(row, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue
		}
		list = append(list, u)
	}
}

func fieldOf(name string) string {
	for _, field := range slices.Sorted(maps.Keys(columns)) {
		if slices.Contains(columns[field], plainName(name)) {
			return field
		}
	}
	return ""
}

// set takes a cell. An empty one says nothing, but where an agency is under none:
// a column of parents tells that of each.
func (u *unit) set(field, s string) {
	switch told := &s; field {
	case "code":
		u.Code = text(s)
	case "name":
		u.Name = text(s)
	case "parent":
		u.ParentCode = told
	case "aliases":
		u.Aliases = strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,;|\n", r) })
	case "closed":
		u.Closed = text(s)
	case "deleted":
		u.Deleted = truth(slices.Contains([]string{"1", "x", "true", "yes", "có", "co"}, strings.ToLower(s)))
	default:
		if s == "" {
			return
		}
		switch field {
		case "mail":
			u.Mail = told
		case "phone":
			u.Phone = told
		case "address":
			u.Address = told
		}
	}
}

// separator is the one that the header row has most of.
func separator(text []byte) rune {
	head, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, r := range []rune{',', ';', '\t'} {
		if n := bytes.Count(head, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

// formulas are what a spreadsheet takes for the beginning of one. A cell that
// begins so is written behind an apostrophe, which shows it as text.
const formulas = "=+-@\t\r"

// Guarded keeps a spreadsheet from taking what others wrote for a formula.
func Guarded(s string) string {
	if s != "" && strings.ContainsRune(formulas, rune(s[0])) {
		return "'" + s
	}
	return s
}

func unguarded(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune(formulas, rune(s[1])) {
		return s[1:]
	}
	return s
}

// WriteCSV writes agencies for spreadsheets: UTF-8 with its mark, lines that end in
// CRLF (RFC 4180), and no cell that is taken for a formula.
func WriteCSV(w io.Writer, list []exchange.Agency) error {
	b := bufio.NewWriter(w)
	_, _ = b.WriteString(byteOrderMark) // Flush tells
	c := csv.NewWriter(b)
	c.UseCRLF = true
	rows := [][]string{{"code", "name", "parent", "aliases", "mail", "phone", "address", "closed", "successor"}}
	for _, a := range list {
		codes := make([]string, 0, len(a.Aliases))
		for _, alias := range a.Aliases {
			codes = append(codes, alias.Code)
		}
		closed := ""
		if !a.Closed.IsZero() {
			closed = a.Closed.In(exchange.Vietnam).Format(timeForm)
		}
		row := []string{a.Code, a.Name, a.Parent, strings.Join(codes, " "), a.Mail, a.Phone, a.Address, closed, a.Successor}
		for i := range row {
			row[i] = Guarded(row[i])
		}
		rows = append(rows, row)
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	return b.Flush()
}

// readable strips the mark, and refuses what is not UTF-8.
func readable(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte(byteOrderMark))
	if bytes.HasPrefix(text, []byte("PK\x03\x04")) {
		return nil, errors.New("this is a workbook or an archive; save the list as CSV UTF-8")
	}
	if !utf8.Valid(text) {
		line := 1
		for rest := text; ; line++ {
			l, more, found := bytes.Cut(rest, []byte("\n"))
			if !utf8.Valid(l) || !found {
				break
			}
			rest = more
		}
		return nil, fmt.Errorf("line %d: the text is not UTF-8; save the list as CSV UTF-8", line)
	}
	return text, nil
}
