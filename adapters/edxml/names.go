package edxml

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 255 // what Windows takes

// plainName says whether receivers can save a file under a name without leaving
// their folder: no path, no drive, nothing that shows otherwise than it is.
func plainName(name string) bool {
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return c == '/' || c == '\\' || c == ':' || unicode.IsControl(c) || turns(c)
	})
}

// turns tells the characters that change the direction of writing: with one,
// "fdp.exe" shows as "exe.pdf" (Unicode TR 36, 3.5).
func turns(c rune) bool {
	return c == 0x061c || c == 0x200e || c == 0x200f || 0x202a <= c && c <= 0x202e || 0x2066 <= c && c <= 0x2069
}

// excerpt is the beginning of what a sender wrote, for a refusal's words.
func excerpt(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\ufffd")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
