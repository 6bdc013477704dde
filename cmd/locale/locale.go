// Package locale knows which language people at a terminal read.
package locale

import (
	"os"
	"strings"
)

// Language is "vi" or "en", by LC_ALL, LC_MESSAGES or LANG: the first that is set
// counts (POSIX, 8.2).
func Language() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		v := os.Getenv(name)
		if strings.HasPrefix(v, "vi") {
			return "vi"
		}
		if v != "" {
			return "en"
		}
	}
	return "en"
}
