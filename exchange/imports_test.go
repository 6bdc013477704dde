package exchange_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports are what each folder of the module imports, tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, f fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := f.Name()
		if f.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && name != "..") {
			return fs.SkipDir
		}
		if f.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := path.Join("tram", strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), ".."))
		found[folder] = append(found[folder], "")
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[folder] = append(found[folder], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, list := range found {
		slices.Sort(list)
		found[folder] = slices.Compact(list)[1:]
	}
	return found
}

// standard reports whether a package is the standard library's.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && first != "tram"
}

func below(imported string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return imported == root || strings.HasPrefix(imported, root+"/") })
}

// TestTheArrows holds who may import whom.
func TestTheArrows(t *testing.T) {
	all := imports(t)
	for _, folder := range []string{"tram/schemas", "tram/signing", "tram/exchange", "tram/adapters/bolt", "tram/adapters/httpapi", "tram/cmd/hub"} {
		if len(all[folder]) == 0 {
			t.Fatalf("no imports of %s were found: the test looks in the wrong place", folder)
		}
	}
	const etree, goxmldsig, sumdb = "github.com/beevik/etree", "github.com/russellhaering/goxmldsig", "golang.org/x/mod/sumdb"
	only := map[string][]string{
		"tram/schemas":  {},
		"tram/signing":  {etree, goxmldsig},
		"tram/exchange": {"tram/signing", sumdb},
	}
	for folder, list := range all {
		for _, imported := range list {
			allowed, listed := only[folder]
			switch {
			case listed && !standard(imported) && !below(imported, allowed...):
				t.Errorf("%s imports %s", folder, imported)
			case below(folder, "tram/adapters") && below(imported, "tram") && !slices.Contains([]string{"tram/exchange", "tram/signing", "tram/schemas"}, imported):
				t.Errorf("the adapter %s imports %s", folder, imported)
			case below(imported, "tram/cmd") && !below(folder, "tram/cmd"):
				t.Errorf("%s imports the command %s", folder, imported)
			case imported == "tram/exchange/exchangetest" || imported == "tram/cmd/hub/hubtest" || imported == "tram/signing/tsatest" || imported == "tram/signing/pdftest" || imported == "tram/adapters/rabbitmq/rabbittest":
				t.Errorf("%s imports a test's package", folder)
			case folder != "tram/signing" && (imported == "encoding/xml" || below(imported, etree, goxmldsig)):
				t.Errorf("%s imports %s: XML is read by signing only, as it was verified", folder, imported)
			}
		}
	}
}

// TestOnlyTheHubLinksGin, so that agencies' and auditors' programs stay small.
func TestOnlyTheHubLinksGin(t *testing.T) {
	all := imports(t)
	var links func(folder string, seen map[string]bool) bool
	links = func(folder string, seen map[string]bool) bool {
		if seen[folder] {
			return false
		}
		seen[folder] = true
		return slices.ContainsFunc(all[folder], func(imported string) bool {
			return below(imported, "github.com/gin-gonic/gin") || links(imported, seen)
		})
	}
	for folder := range all {
		// hubtest is a whole hub for tests; no program may import it (TestTheArrows).
		want := folder == "tram/cmd/hub" || folder == "tram/adapters/httpapi" || folder == "tram/cmd/hub/hubtest"
		if got := links(folder, map[string]bool{}); got != want {
			t.Errorf("%s links gin: %v, want %v", folder, got, want)
		}
	}
}
