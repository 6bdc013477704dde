package exchange

import (
	"regexp"
	"slices"
	"strings"
)

// The forms of agencies' codes: levels from the lowest up, each with its number of
// digits (QCVN 102:2016), or from the highest down (Decision 20/2020/QĐ-TTg).
// Real directories have codes of neither form, which checkCode takes.
var (
	oldForm = regexp.MustCompile(`^[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}$`)
	newForm = regexp.MustCompile(`^[A-Z][0-9]{2}(\.[0-9A-Z]+)*$`)
)

// RegularCode reports whether a code is of the old form or of the new one.
func RegularCode(code string) bool {
	return len(code) <= maxCode && (oldForm.MatchString(code) || newForm.MatchString(code))
}

// OtherForm is the code in the other of the two forms: "H12.07" for
// "000.00.07.H12", and the other way round; empty where there is none. It is no more
// than a likely one: the forms are two lists, which need not agree.
func OtherForm(code string) string {
	groups := strings.Split(code, ".")
	if oldForm.MatchString(code) {
		return strings.Join(turned(groups), ".")
	}
	padded := []string{"", "00", "00", "000"}
	if len(groups) > len(padded) {
		return ""
	}
	copy(padded, groups)
	slices.Reverse(padded)
	if old := strings.Join(padded, "."); oldForm.MatchString(old) && OtherForm(old) == code {
		return old
	}
	return ""
}

// turned are the groups of an old code from the highest level down, without those
// of zeros. The list is changed.
func turned(groups []string) []string {
	slices.Reverse(groups)
	return slices.DeleteFunc(groups, func(g string) bool { return strings.Trim(g, "0") == "" })
}
