package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tram/exchange"
)

// Options say how a list is read.
type Options struct {
	// OldCodes takes the other form that each code probably has for a further code.
	OldCodes bool
	// Now is when an agency closed whose list says no more than that it is deleted.
	Now time.Time
}

// Unit is an entry of the axis's directory.
type Unit struct {
	ID, Parent, Code, Name, Mail, Modified string
	Deleted                                bool
}

// unit is an entry of any list.
type unit struct {
	ID         text    `json:"id"`
	Parent     *text   `json:"pid"` // identifier of another unit
	Code       text    `json:"code"`
	Name       text    `json:"name"`
	ParentCode *string `json:"parent"`
	Mail       *string `json:"mail"`
	Phone      *string `json:"phone"`
	Address    *string `json:"address"`
	Aliases    codes   `json:"aliases"`
	Closed     text    `json:"closed"`
	Deleted    truth   `json:"deleted"`
	Modified   text    `json:"modifyDate"`

	line int
}

// text is a member that some write as a number.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var s string
		err := json.Unmarshal(b, &s)
		*t = text(strings.TrimSpace(s))
		return err
	case 'n': // null
	case '{', '[':
		return errors.New("an entry has a list or an object where a text should be")
	default:
		*t = text(b)
	}
	return nil
}

// truth is a boolean that some write as a number or a text.
type truth bool

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = truth(slices.Contains([]string{"true", "1"}, strings.ToLower(strings.Trim(string(b), `"`))))
	return nil
}

// codes are texts, or objects with a code.
type codes []string

// UnmarshalJSON implements json.Unmarshaler.
func (c *codes) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*[]string)(c)) == nil {
		return nil
	}
	var list []struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*c = nil
	for _, alias := range list {
		*c = append(*c, alias.Code)
	}
	return nil
}

// Read reads a list, CSV or JSON. unread are columns whose names say nothing.
func Read(r io.Reader, o Options) (list []exchange.Listing, unread []string, err error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	if all, err = readable(all); err != nil {
		return nil, nil, err
	}
	var units []unit
	switch first := bytes.TrimLeft(all, " \t\r\n"); {
	case len(first) == 0:
		return nil, nil, errors.New("the list is empty")
	case first[0] == '[' || first[0] == '{':
		units, err = readJSON(first)
	default:
		units, unread, err = readCSV(all)
	}
	if err != nil {
		return nil, nil, err
	}
	list, err = listings(units, o)
	return list, unread, err
}

func readJSON(all []byte) (units []unit, err error) {
	if all[0] == '[' {
		return units, onLine(all, json.Unmarshal(all, &units))
	}
	var wrapped struct {
		Data     []unit `json:"data"`
		Agencies []unit `json:"agencies"`
		Code     text   `json:"ErrorCode"`
	}
	if err := json.Unmarshal(all, &wrapped); err != nil {
		return nil, onLine(all, err)
	}
	if wrapped.Code != "" && wrapped.Code != "0" {
		return nil, fmt.Errorf("this is the answer of an axis that gave no list: ErrorCode %s", wrapped.Code)
	}
	units = wrapped.Data
	units = append(units, wrapped.Agencies...)
	if units == nil {
		return nil, errors.New("the JSON has neither a list nor one under data or agencies")
	}
	return units, nil
}

// onLine says where JSON is not what it should be.
func onLine(all []byte, err error) error {
	var at int64
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = syntax.Offset
	} else if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at = kind.Offset
	} else {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(all[:min(at, int64(len(all)))], []byte("\n")), err)
}

// OfUnits is the list that an axis gave.
func OfUnits(list []Unit, o Options) ([]exchange.Listing, error) {
	units := make([]unit, 0, len(list))
	for _, u := range list {
		parent := text(u.Parent)
		next := unit{ID: text(u.ID), Parent: &parent, Code: text(strings.TrimSpace(u.Code)), Name: text(strings.TrimSpace(u.Name)),
			Deleted: truth(u.Deleted), Modified: text(u.Modified)}
		if u.Mail != "" {
			next.Mail = &u.Mail
		}
		units = append(units, next)
	}
	return listings(units, o)
}

// listings makes of units what they tell.
func listings(units []unit, o Options) ([]exchange.Listing, error) {
	byID := make(map[text]string, len(units))
	for _, u := range units {
		if u.ID != "" {
			byID[u.ID] = string(u.Code)
		}
	}
	list := make([]exchange.Listing, 0, len(units))
	for i, u := range units {
		l := exchange.Listing{Code: string(u.Code), Name: string(u.Name), Parent: u.parent(byID), Mail: u.Mail, Phone: u.Phone, Address: u.Address, Aliases: u.Aliases}
		if other := exchange.OtherForm(l.Code); o.OldCodes && other != "" && !slices.Contains(l.Aliases, other) {
			l.Aliases = append(l.Aliases, other)
		}
		if u.Closed != "" {
			at, ok := moment(string(u.Closed))
			if !ok {
				return nil, fmt.Errorf("%s: %q is no day such as 2025-07-01", u.place(i), u.Closed)
			}
			l.Closed = at
		} else if u.Deleted {
			l.Closed = o.Now.UTC().Truncate(time.Second)
			if at, ok := moment(string(u.Modified)); ok && at.Before(o.Now) {
				l.Closed = at
			}
		}
		list = append(list, l)
	}
	return list, nil
}

func (u unit) place(i int) string {
	if u.line > 0 {
		return "line " + strconv.Itoa(u.line)
	}
	return "entry " + strconv.Itoa(i+1)
}

// parent is the code of the unit in charge; nil where the list does not tell.
func (u unit) parent(byID map[text]string) *string {
	none := ""
	switch {
	case u.ParentCode != nil:
		return u.ParentCode
	case u.Parent == nil:
		return nil
	case *u.Parent == "" || *u.Parent == "0" || *u.Parent == "-1" || *u.Parent == u.ID:
		return &none
	}
	if code, ok := byID[*u.Parent]; ok {
		return &code
	}
	return nil // of a unit that is not in the list
}

const timeForm = "2006-01-02 15:04:05"

// moment reads times as directories write them; those without a zone are Vietnam's.
func moment(s string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, timeForm, time.DateOnly, "2006/01/02 15:04:05", "2006/01/02", "02/01/2006 15:04:05", "02/01/2006", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(form, s, exchange.Vietnam); err == nil {
			return at.UTC(), true
		}
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms > 1e12 && ms < 1e13 {
		return time.UnixMilli(ms).UTC(), true
	}
	return time.Time{}, false
}

// WriteJSON writes agencies as Read reads them.
func WriteJSON(w io.Writer, list []exchange.Agency) error {
	type entry struct {
		Code      string    `json:"code"`
		Name      string    `json:"name"`
		Parent    string    `json:"parent"`
		Aliases   []string  `json:"aliases,omitempty"`
		Mail      string    `json:"mail,omitempty"`
		Phone     string    `json:"phone,omitempty"`
		Address   string    `json:"address,omitempty"`
		Closed    time.Time `json:"closed,omitzero"`
		Successor string    `json:"successor,omitempty"`
	}
	entries := make([]entry, 0, len(list))
	for _, a := range list {
		e := entry{a.Code, a.Name, a.Parent, nil, a.Mail, a.Phone, a.Address, a.Closed, a.Successor}
		for _, alias := range a.Aliases {
			e.Aliases = append(e.Aliases, alias.Code)
		}
		entries = append(entries, e)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(entries)
}
