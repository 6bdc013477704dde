package edxml

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 255 // what Windows takes

// plainName says whether receivers can save a file under a name without leaving
// their folder: no path, no drive, no device, nothing that shows otherwise than it
// is, or that Windows changes on the way.
func plainName(name string) bool {
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return false
	}
	// Windows drops dots and spaces at the end: "a.exe." is saved as "a.exe".
	if last := name[len(name)-1]; last == '.' || last == ' ' || device(name) {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return strings.ContainsRune(`/\:`, c) || unicode.IsControl(c) || hidden(c)
	})
}

// hidden tells the characters that show nothing of themselves. With those that
// change the direction of writing "fdp.exe" shows as "exe.pdf" (Unicode TR 36,
// 3.5); with the others two names look alike that are not.
func hidden(c rune) bool { return unicode.Is(unicode.Cf, c) || c == 0x2028 || c == 0x2029 }

// device says whether Windows takes a name for a device's, whatever stands behind
// its first dot ("Naming Files, Paths, and Namespaces").
func device(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, isPort := strings.CutPrefix(base, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(base, "LPT")
	}
	return isPort && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "123456789¹²³")
}

// extension is a name's, in lower case and without its dot.
func extension(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
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
