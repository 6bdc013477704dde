package provincial

import (
	"os"
	"strings"
	"testing"
)

// TestTheDocumentationHasEveryCall compares the package's words with its routes.
func TestTheDocumentationHasEveryCall(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[2], "/v1/") && strings.HasPrefix(line, "//\t") {
			documented[f[1]+" "+f[2]] = true
		}
	}
	routes := (&Face{}).Routes()
	for _, r := range routes {
		if !documented[r.Method+" "+r.Path] {
			t.Errorf("%s %s is not documented", r.Method, r.Path)
		}
	}
	if len(documented) != len(routes) {
		t.Errorf("%d calls are documented, there are %d", len(documented), len(routes))
	}
}
