package edxml

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tram/exchange"
)

const (
	maxCode       = 35  // Decision 20/2020/QĐ-TTg
	maxDocumentID = 255 // runes; the standard states no limit

	// The standard states none for other texts either.
	maxField = 4096 // runes
	maxBrief = 255  // runes

	dateForm = "2006/01/02"
	timeForm = "2006/01/02 15:04:05"
)

// Agency codes: levels from the lowest up with a fixed number of digits
// (QCVN 102:2016), or from the highest down (Decision 20/2020/QĐ-TTg).
var (
	oldCode = regexp.MustCompile(`^(\d{3})\.(\d{2})\.(\d{2})\.([A-Z]\d{2})$`)
	newCode = regexp.MustCompile(`^[A-Z]\d{2}(\.[0-9A-Z]+)*$`)
)

// checkCode checks the form of an agency's code. Whether there is such an agency is
// for the registry to say.
func checkCode(code string) *exchange.Error {
	if oldCode.MatchString(code) || len(code) <= maxCode && newCode.MatchString(code) {
		return nil
	}
	return ruleCode.With(excerpt(code))
}

// Suggest turns an agency's code from the old form into the new one or back:
// 000.00.07.H12 and H12.07. It is empty where the rule gives none. Codes were
// not always assigned by the rule, so it is good for a hint and for nothing else.
func Suggest(code string) string {
	if m := oldCode.FindStringSubmatch(code); m != nil {
		levels := slices.DeleteFunc([]string{m[4], m[3], m[2], m[1]}, func(s string) bool { return strings.Trim(s, "0") == "" })
		return strings.Join(levels, ".")
	}
	levels := strings.Split(code, ".")
	if checkCode(code) != nil || len(levels) > 4 {
		return ""
	}
	old := []string{"000", "00", "00", levels[0]}
	for i, level := range levels[1:] {
		at := 2 - i
		if len(level) > len(old[at]) {
			return ""
		}
		old[at] = old[at][len(level):] + level
	}
	if s := strings.Join(old, "."); oldCode.MatchString(s) {
		return s
	}
	return ""
}

// checkID checks a document's identifier.
func checkID(id string) *exchange.Error {
	if n := utf8.RuneCountInString(id); n > maxDocumentID {
		return ruleIDLength.With(n, maxDocumentID)
	}
	if strings.ContainsFunc(id, unicode.IsControl) {
		return ruleIDCharacters.With(excerpt(id))
	}
	return nil
}

var dashedDate = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// MatchID is the form in which to compare two documents' identifiers. One
// client writes the date in the middle as yyyy-MM-dd in its statuses and as
// yyyy/MM/dd in its documents.
func MatchID(id string) string {
	parts := strings.SplitN(id, ",", 3)
	if len(parts) < 3 || !dashedDate.MatchString(parts[1]) {
		return id
	}
	parts[1] = strings.ReplaceAll(parts[1], "-", "/")
	return strings.Join(parts, ",")
}

// checkDate checks a date of the form yyyy/MM/dd.
func checkDate(date string) *exchange.Error {
	if !hasForm(date, dateForm) {
		return ruleDate.With(excerpt(date))
	}
	return nil
}

// hasForm says whether s is a time in the form, to the digit.
func hasForm(s, form string) bool {
	t, err := time.Parse(form, s)
	return err == nil && t.Format(form) == s
}
