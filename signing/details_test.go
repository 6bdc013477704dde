package signing

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// english are words that only English has here.
var english = regexp.MustCompile(`\b(the|is|of|not|and|was|are|has|with|from|must|than|only|expected|missing|its|which|neither)\b`)

// refusals are the formats that the package's files give to refusef, by how
// many arguments.
func refusals(t *testing.T) map[string]int {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch calls := fmt.Sprint(call.Fun); {
			case calls == "refusef", strings.HasSuffix(calls, " refusef}"):
				for i, arg := range call.Args {
					if lit, ok := arg.(*ast.BasicLit); ok {
						format, _ := strconv.Unquote(lit.Value)
						found[format] = len(call.Args) - i - 1
						return true
					}
				}
			case calls == "Refuse", strings.HasSuffix(calls, " refuse}"):
				if words := wordsIn(call); words != "" {
					t.Errorf("%s refuses with %s, which is in one language only: use refusef", name, words)
				}
			}
			return true
		})
	}
	return found
}

// wordsIn are the letters of the string literals in a call.
func wordsIn(call *ast.CallExpr) string {
	var b strings.Builder
	ast.Inspect(call, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.ContainsAny(lit.Value, "abcdefghijklmnopqrstuvwxyz") {
			b.WriteString(lit.Value)
		}
		return true
	})
	return b.String()
}

func TestEveryDetailIsInBothLanguages(t *testing.T) {
	verbs := regexp.MustCompile(`%[a-zA-Z]`)
	found := refusals(t)
	if len(found) < 50 {
		t.Fatalf("found %d details", len(found))
	}
	for en, args := range found {
		vi := details[en]
		v := verbs.FindAllString(en, -1)
		if vi == "" || fmt.Sprint(v) != fmt.Sprint(verbs.FindAllString(vi, -1)) || len(v) != args {
			t.Errorf("%q, given %d arguments, is %q in Vietnamese", en, args, vi)
		}
		if word := english.FindString(vi); word != "" {
			t.Errorf("English (%s) in %q", word, vi)
		}
	}
	for en := range details {
		if _, used := found[en]; !used {
			t.Errorf("nothing refuses with %q", en)
		}
	}
	for _, r := range Rules() {
		if word := english.FindString(r.Text("vi")); word != "" {
			t.Errorf("English (%s) in %q", word, r.Text("vi"))
		}
	}
}

func TestTextOfARefusal(t *testing.T) {
	for _, c := range []struct {
		name   string
		e      *Error
		en, vi string
	}{
		{"no detail", Refuse(Doctype, ""), "", ""},
		{"data", Refuse(InvalidName, "100%d"), " (100%d)", " (100%d)"},
		{"words", refusef(Truncated, "an element is open"), " (an element is open)", " (còn phần tử chưa đóng)"},
		{"words with data", refusef(WeakKey, "RSA key of %d bits", 1024).about("CN=x"), " (CN=x: RSA key of 1024 bits)", " (CN=x: khóa RSA dài 1024 bit)"},
		{"made elsewhere", &Error{Kind: Harmful, Rule: Doctype, Detail: "x"}, " (x)", " (x)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for lang, found := range map[string]string{"en": c.en, "vi": c.vi, "fr": c.en} {
				if got := c.e.Text(lang); got != c.e.Rule.Text(lang)+found {
					t.Errorf("in %s: %q", lang, got)
				}
			}
		})
	}
}
