package edxml

import (
	"regexp"
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
	oldCode = regexp.MustCompile(`^\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}$`)
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
